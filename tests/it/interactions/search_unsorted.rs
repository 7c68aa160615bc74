//! Pages of searches that no order is asked of: each match comes once, whatever is written between them.
//!
//! Spec: R4 http.html#paging

use std::collections::BTreeSet;

use emberwell::config::PlanSettings;
use serde_json::{Value, json};

use crate::search_oracle::random::Random;
use crate::support::server::run_with;
use crate::support::{Database, TestServer, bundle};

/// Ways to a page that tests reach: in the order of creation; in that of what leads, by one statement or by small steps; by
/// gathering what no walk has found.
fn ways() -> [PlanSettings; 4] {
    let small = PlanSettings { counted: 3, chunk: 4, ..PlanSettings::default() };
    [
        PlanSettings::default(),
        PlanSettings { aside: 0, ..small },
        PlanSettings { near: usize::MAX, ..small },
        PlanSettings { near: 0, few: 2, steps: 0, ..small },
    ]
}

macro_rules! in_each_way {
    ($($behaviour:ident),+) => {$(
        mod $behaviour {
            #[test]
            fn sqlite() {
                super::run(super::Database::Sqlite, super::$behaviour);
            }

            #[test]
            fn postgres() {
                super::run(super::Database::Postgres, super::$behaviour);
            }
        }
    )+};
}

in_each_way!(
    what_begins_so_comes_in_order_and_once,
    a_month_comes_in_order,
    matches_come_once_while_others_write,
    what_is_contained_does_not_come,
    pages_do_not_end_when_much_was_updated
);

fn run(database: Database, behaviour: impl AsyncFn(&TestServer, usize)) {
    for (way, plan) in ways().into_iter().enumerate() {
        run_with(database, |settings| settings.limits.plan = plan, async |server| behaviour(server, way).await);
    }
}

const NAMES: [&str; 8] = ["Ada", "Adler", "Adlerauge", "Baum", "Adam Adler", "Zoë", "Ádám", "Mund"];

fn a_patient(random: &mut Random) -> Value {
    let given: Vec<&str> = (0..1 + random.below(3)).map(|_| random.of(&NAMES)).collect();
    json!({ "resourceType": "Patient", "name": [{ "family": random.of(&NAMES), "given": given }] })
}

/// What the texts of a name fold to that begin with `ad`: also each word of a family name after the first.
fn beginnings(patient: &Value) -> Vec<String> {
    let name = &patient["name"][0];
    let words = name["family"].as_str().unwrap().split(' ').skip(1);
    let given = name["given"].as_array().unwrap().iter().filter_map(Value::as_str);
    let all = words.chain(name["family"].as_str()).chain(given);
    all.map(|text| text.to_lowercase().replace('á', "a")).filter(|text| text.starts_with("ad")).collect()
}

fn an_observation(random: &mut Random) -> Value {
    let date = format!("2020-0{}-{:02}", 3 + random.below(2), 1 + random.below(28));
    json!({
        "resourceType": "Observation", "status": random.of(&["final", "amended"]),
        "code": { "text": "x" }, "effectiveDateTime": date
    })
}

async fn fill(server: &TestServer, count: usize, mut one: impl FnMut() -> Value) -> Vec<Value> {
    let entry = |resource: Value| {
        let url = resource["resourceType"].clone();
        json!({ "resource": resource, "request": { "method": "POST", "url": url } })
    };
    let entries: Vec<Value> = (0..count).map(|_| entry(one())).collect();
    let type_name = entries[0]["request"]["url"].as_str().unwrap().to_owned();
    server.post("", &bundle("transaction", &entries)).await.expect(200);
    server.get(&format!("{type_name}?_count=1000")).await.expect(200).resources()
}

fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}

/// All pages of a search, and back again from the last one, which must give the same.
async fn all_pages(server: &TestServer, url: &str) -> Vec<String> {
    let mut pages = Vec::new();
    let mut page = server.get(url).await.expect(200);
    loop {
        pages.push(page.matches());
        let Some(next) = page.link("next") else { break };
        page = server.get(&next).await.expect(200);
    }
    let mut place = pages.len() - 1;
    while let Some(previous) = page.link("previous") {
        page = server.get(&previous).await.expect(200);
        place -= 1;
        assert_eq!(page.matches(), pages[place], "{url}: page {place} on the way back");
    }
    assert_eq!(place, 0, "{url}");
    pages.concat()
}

async fn what_begins_so_comes_in_order_and_once(server: &TestServer, way: usize) {
    let mut random = Random::new(way as u64);
    let patients = fill(server, 60, || a_patient(&mut random)).await;
    let mut wanted: Vec<(Option<String>, String)> = patients
        .iter()
        .filter(|patient| !beginnings(patient).is_empty())
        .map(|patient| (beginnings(patient).into_iter().min().filter(|_| way > 0), id(patient)))
        .collect();

    let found = all_pages(server, "Patient?name=Ad&_count=7").await;

    // Equal texts come as they are written, which this does not know.
    let texts: Vec<&Option<String>> =
        found.iter().map(|found| &wanted.iter().find(|(_, id)| id == found).unwrap().0).collect();
    assert!(texts.is_sorted(), "{texts:?}");
    if way == 0 {
        assert_eq!(found, wanted.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>());
    }
    let (mut found, total) = (found.clone(), found.len());
    found.sort();
    wanted.sort_by(|left, right| left.1.cmp(&right.1));
    assert!(total > 20);
    assert_eq!(found, wanted.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
}

async fn a_month_comes_in_order(server: &TestServer, way: usize) {
    let mut random = Random::new(way as u64);
    let observations = fill(server, 60, || an_observation(&mut random)).await;
    // With the one that begins before, all dates are in the order of their beginnings only where none is aside.
    let is_match = |observation: &&Value| {
        observation["status"] == "final" && observation["effectiveDateTime"].as_str().unwrap().starts_with("2020-03")
    };
    let mut wanted: Vec<&Value> = observations.iter().filter(is_match).collect();
    if way > 0 {
        wanted.sort_by_key(|observation| observation["effectiveDateTime"].as_str());
    }

    let found = all_pages(server, "Observation?date=2020-03&status=final&_count=4").await;

    assert!(found.len() > 8);
    assert_eq!(found, wanted.into_iter().map(id).collect::<Vec<_>>());
}

async fn matches_come_once_while_others_write(server: &TestServer, way: usize) {
    let mut random = Random::new(10 + way as u64);
    let is_match = |patient: &Value| !beginnings(patient).is_empty();
    for _ in 0..6 {
        let patients = fill(server, 20, || a_patient(&mut random)).await;
        let matching = patients.iter().filter(|patient| is_match(patient)).map(id);
        // What matches all the time, what matched at some time, and what is there.
        let mut always: BTreeSet<String> = matching.collect();
        let mut ever = always.clone();
        let mut names: Vec<String> = patients.iter().map(id).collect();

        let mut found = Vec::new();
        let mut page = server.get("Patient?name=Ad&_count=6").await.expect(200);
        loop {
            found.extend(page.matches());
            let Some(next) = page.link("next") else { break };
            for _ in 0..4 {
                let name = names[random.below(names.len())].clone();
                let mut patient = a_patient(&mut random);
                match random.below(5) {
                    0 => {
                        server.create(&patient).await;
                    }
                    1 => {
                        server.delete(&format!("Patient/{name}")).await.expect(204);
                        names.retain(|known| *known != name);
                        always.remove(&name);
                    }
                    _ => {
                        patient["id"] = json!(name);
                        server.put(&format!("Patient/{name}"), &patient).await.expect(200);
                        if is_match(&patient) {
                            ever.insert(name);
                        } else {
                            always.remove(&name);
                        }
                    }
                }
            }
            page = server.get(&next).await.expect(200);
        }

        let distinct: BTreeSet<String> = found.iter().cloned().collect();
        assert_eq!(distinct.len(), found.len(), "a match came twice: {found:?}");
        assert!(always.is_subset(&distinct), "missing: {:?}", always.difference(&distinct));
        assert!(distinct.is_subset(&ever), "too much: {:?}", distinct.difference(&ever));
        assert!(always.len() > 6);
    }
}

async fn what_is_contained_does_not_come(server: &TestServer, _: usize) {
    let within = json!({ "resourceType": "Patient", "id": "p", "name": [{ "family": "Adler" }] });
    let observation = json!({
        "resourceType": "Observation", "status": "final", "code": { "text": "x" }, "contained": [within],
        "subject": { "reference": "#p" }
    });
    let mut wanted = Vec::new();
    for _ in 0..6 {
        wanted.push(server.create(&json!({ "resourceType": "Patient", "name": [{ "family": "Adler" }] })).await);
        server.create(&observation).await;
    }

    assert_eq!(all_pages(server, "Patient?name=Adl&_count=4").await, wanted);
}

async fn pages_do_not_end_when_much_was_updated(server: &TestServer, way: usize) {
    let mut random = Random::new(way as u64);
    let patients = fill(server, 12, || json!({ "resourceType": "Patient", "name": [{ "family": "Adler" }] })).await;
    let plan = PlanSettings { changed: 1, few: 0, ..ways()[way] };
    let narrow = server.beside(|settings| settings.limits.plan = plan).await;

    let first = narrow.get("Patient?name=Adler&_count=5").await.expect(200);
    for patient in &patients[..10] {
        let mut changed = patient.clone();
        changed["gender"] = json!(random.of(&["male", "female"]));
        narrow.put(&format!("Patient/{}", id(patient)), &changed).await.expect(200);
    }
    let mut found = first.matches();
    let mut next = first.link("next");
    while let Some(link) = next {
        let page = narrow.get(&link).await.expect(200);
        found.extend(page.matches());
        next = page.link("next");
    }

    assert_eq!(found, patients.iter().map(id).collect::<Vec<_>>());
    narrow.stop().await;
}
