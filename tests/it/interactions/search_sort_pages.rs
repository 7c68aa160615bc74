//! Sorted searches, compared page by page with a sort of all resources in memory, while others write or not.
//!
//! Spec: R4 search.html#sort

use std::cmp::Ordering;

use emberwell::config::PlanSettings;
use serde_json::{Value, json};

use crate::search_oracle::random::Random;
use crate::support::server::run_with;
use crate::support::{Database, TestServer, bundle};

/// Each way to a page, at sizes that a test reaches.
const WAYS: [PlanSettings; 4] = [
    // All that match are few.
    PlanSettings {
        counted: 3_000,
        few: 5_000,
        near: 4_000,
        steps: 20_000,
        chunk: 8_192,
        aside: 1_000,
        changed: 10_000,
    },
    // Nothing is few: tables are read in order, by small steps.
    PlanSettings { counted: 0, few: 0, near: usize::MAX, steps: usize::MAX, chunk: 3, aside: 1_000, changed: 10_000 },
    // The reading in order is given up early.
    PlanSettings { counted: 3, few: 2, near: 0, steps: 0, chunk: 5, aside: 0, changed: 10_000 },
    PlanSettings { counted: 30, few: 30, near: 12, steps: 20, chunk: 64, aside: 3, changed: 10_000 },
];

/// Makes a test of each way on each database.
macro_rules! in_each_way {
    ($($behaviour:ident: $($way:ident = $place:literal),+;)+) => {$(
        mod $behaviour {
            use crate::support::Database;
            $(
                mod $way {
                    #[test]
                    fn sqlite() {
                        super::super::run(super::Database::Sqlite, $place, super::super::$behaviour);
                    }

                    #[test]
                    fn postgres() {
                        super::super::run(super::Database::Postgres, $place, super::super::$behaviour);
                    }
                }
            )+
        }
    )+};
}

in_each_way! {
    pages_agree_with_a_sort_in_memory: few = 0, steps = 1, given_up = 2, mixed = 3;
    pages_keep_their_order_while_others_write: few = 0, steps = 1, given_up = 2, mixed = 3;
    what_has_several_dates_has_its_place_in_a_part_of_time: few = 0, steps = 1, mixed = 3;
}

fn run(database: Database, way: usize, behaviour: impl AsyncFn(&TestServer, u64)) {
    let plan = WAYS[way];
    run_with(database, |settings| settings.limits.plan = plan, async |server| behaviour(server, way as u64).await);
}

const FAMILIES: [&str; 6] = ["Adler", "Baum", "Clerk", "Dorn", "Adlerauge", "Émile"];
const DATES: [&str; 6] = ["2020", "2020-01", "2020-01-01", "2020-06-15", "2021-02-03T04:05:06Z", "1999-12-31"];
const CODES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "8867-4"];

fn a_patient(random: &mut Random) -> Value {
    let mut patient = json!({ "resourceType": "Patient" });
    if random.percent(80) {
        let given: Vec<&str> = (0..random.below(4)).map(|_| random.of(&FAMILIES)).collect();
        patient["name"] = json!([{ "family": random.of(&FAMILIES) }]);
        if !given.is_empty() {
            patient["name"][0]["given"] = json!(given);
        }
    }
    if random.percent(70) {
        patient["gender"] = json!(random.of(&["male", "female", "other"]));
    }
    if random.percent(70) {
        patient["birthDate"] = json!(random.of(&DATES[..4]));
    }
    if random.percent(40) {
        patient["meta"] = json!({ "source": random.of(&["urn:a", "urn:b", "http://x.example/c"]) });
    }
    patient
}

fn an_observation(random: &mut Random, patients: usize) -> Value {
    let code = random.of(&CODES);
    let mut observation = json!({
        "resourceType": "Observation", "status": random.of(&["final", "amended"]),
        "code": { "coding": [{ "system": format!("http://{code}.example"), "code": code }] }
    });
    if random.percent(10) {
        observation["effectiveTiming"] = json!({ "event": [random.of(&DATES), random.of(&DATES)] });
    } else if random.percent(80) {
        observation["effectiveDateTime"] = json!(random.of(&DATES));
    } else if random.percent(50) {
        observation["effectivePeriod"] = json!({ "start": random.of(&DATES[..4]) });
    }
    if random.percent(60) {
        observation["valueQuantity"] = json!({ "value": random.below(6) as f64 / 2.0 - 1.0 });
    }
    if random.percent(85) {
        let number = random.below(patients + 2);
        let reference = match random.below(8) {
            0 => format!("https://elsewhere.example/fhir/Patient/p{number}"),
            _ => format!("Patient/p{number}"),
        };
        observation["subject"] = json!({ "reference": reference });
    }
    observation
}

/// What is sorted by, as texts that compare as the values do.
fn values(resource: &Value, key: &str, patients: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>();
    let folded = |value: &Value| value.as_str().map(|name| name.to_lowercase().replace('é', "e"));
    match key {
        "_id" => text(&resource["id"]),
        "_lastUpdated" => text(&resource["meta"]["lastUpdated"]),
        "_source" => text(&resource["meta"]["source"]),
        "family" => folded(&resource["name"][0]["family"]).into_iter().collect(),
        "given" => resource["name"][0]["given"].as_array().into_iter().flatten().filter_map(folded).collect(),
        "gender" => text(&resource["gender"]),
        "birthdate" => resource["birthDate"].as_str().map(span).into_iter().collect(),
        "date" => dates(resource),
        "status" => text(&resource["status"]),
        "code" => text(&resource["code"]["coding"][0]["code"]),
        "value-quantity" => resource["valueQuantity"]["value"]
            .as_f64()
            .map(|value| format!("{:08.3}", value + 100.0))
            .into_iter()
            .collect(),
        "subject" => text(&resource["subject"]["reference"]),
        "patient" => text(&resource["subject"]["reference"]),
        _ => {
            let Some(key) = key.strip_prefix("patient.").or(key.strip_prefix("subject:Patient.")) else {
                panic!("no reading of {key}")
            };
            let target = resource["subject"]["reference"].as_str().and_then(|text| text.strip_prefix("Patient/"));
            let found = patients.iter().find(|patient| target.is_some() && patient["id"].as_str() == target);
            found.map(|patient| values(patient, key, &[])).unwrap_or_default()
        }
    }
}

/// The spans of an Observation.
fn dates(observation: &Value) -> Vec<String> {
    let period = observation["effectivePeriod"]["start"].as_str().map(|start| open(&span(start)));
    let events = observation["effectiveTiming"]["event"].as_array().into_iter().flatten();
    let events: Vec<String> = events.filter_map(Value::as_str).map(span).collect();
    // "Only the outer limits matter."
    let first = events.iter().map(|span| &span[..19]).min();
    let last = events.iter().map(|span| &span[20..]).max();
    let timing = first.zip(last).map(|(first, last)| format!("{first}|{last}"));
    observation["effectiveDateTime"].as_str().map(span).or(period).or(timing).into_iter().collect()
}

/// First moment and the one after, as texts of one length.
fn span(date: &str) -> String {
    let (lo, hi) = match date {
        "2020" => ("2020-01-01", "2021-01-01"),
        "2020-01" => ("2020-01-01", "2020-02-01"),
        "2020-01-01" => ("2020-01-01", "2020-01-02"),
        "2020-06-15" => ("2020-06-15", "2020-06-16"),
        "2021-02-03T04:05:06Z" => ("2021-02-03T04:05:06", "2021-02-03T04:05:07"),
        "1999-12-31" => ("1999-12-31", "2000-01-01"),
        _ => panic!("{date}"),
    };
    format!("{lo:<19}|{hi:<19}")
}

/// The same without an end.
fn open(span: &str) -> String {
    format!("{}|9999", &span[..19])
}

/// `resources` stand in the order of their creation.
fn sorted<'a>(resources: &'a [Value], sort: &[String], patients: &[Value]) -> Vec<&'a Value> {
    let mut order: Vec<usize> = (0..resources.len()).collect();
    let is_reversed = sort[0].starts_with('-');
    let compare = |left: &usize, right: &usize| {
        for key in sort {
            let (is_descending, name) = key.strip_prefix('-').map_or((false, key.as_str()), |name| (true, name));
            let one = |place: usize| {
                let values = values(&resources[place], name, patients).into_iter();
                if is_descending { values.max() } else { values.min() }
            };
            let by_key = match (one(*left), one(*right)) {
                (Some(left), Some(right)) if is_descending => right.cmp(&left),
                (Some(left), Some(right)) => left.cmp(&right),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            if by_key.is_ne() {
                return by_key;
            }
        }
        if is_reversed { right.cmp(left) } else { left.cmp(right) }
    };
    order.sort_by(compare);
    order.into_iter().map(|place| &resources[place]).collect()
}

/// A filter, and whether a resource meets it.
type Filter = (&'static str, fn(&Value) -> bool);

const OF_PATIENTS: [Filter; 4] = [
    ("", |_| true),
    ("gender=female&", |patient| patient["gender"] == "female"),
    ("birthdate:missing=false&", |patient| patient["birthDate"].is_string()),
    ("family:missing=false&gender:not=male&", |patient| patient["name"].is_array() && patient["gender"] != "male"),
];

const OF_OBSERVATIONS: [Filter; 9] = [
    ("", |_| true),
    ("code=alpha&", |observation| observation["code"]["coding"][0]["code"] == "alpha"),
    ("status=final&code=beta,gamma&", |observation| {
        let code = observation["code"]["coding"][0]["code"].as_str();
        observation["status"] == "final" && matches!(code, Some("beta" | "gamma"))
    }),
    ("patient=Patient/p1,Patient/p2,Patient/p3&", |observation| {
        let patient = observation["subject"]["reference"].as_str();
        matches!(patient, Some("Patient/p1" | "Patient/p2" | "Patient/p3"))
    }),
    ("value-quantity=gt0&", |observation| {
        observation["valueQuantity"]["value"].as_f64().is_some_and(|value| value > 0.0)
    }),
    ("date=lt2020-06-01&", |observation| dates(observation).iter().any(|span| span.as_str() < "2020-06-01")),
    ("date=gt2019-12-31&", |observation| dates(observation).iter().any(|span| &span[20..] > "2020-01-01         ")),
    ("date=sa2019-12-31&date=lt2020-06-15&", |observation| {
        let dates = dates(observation);
        dates.iter().any(|span| span.as_str() >= "2020-01-01") && dates.iter().any(|span| span.as_str() < "2020-06-15")
    }),
    ("code=alpha,beta&date=eq2020&", |observation| {
        let code = observation["code"]["coding"][0]["code"].as_str();
        let is_within = |span: &String| span.as_str() >= "2020-01-01" && &span[20..] <= "2021-01-01         ";
        matches!(code, Some("alpha" | "beta")) && dates(observation).iter().any(is_within)
    }),
];

const PATIENT_KEYS: [&str; 7] = ["family", "given", "gender", "birthdate", "_lastUpdated", "_id", "_source"];
const OBSERVATION_KEYS: [&str; 9] = [
    "date",
    "code",
    "status",
    "value-quantity",
    "subject",
    "patient.family",
    "subject:Patient.birthdate",
    "_lastUpdated",
    "patient.gender",
];

struct Search {
    type_name: &'static str,
    filter: Filter,
    sort: Vec<String>,
    count: usize,
}

impl Search {
    fn random(random: &mut Random) -> Search {
        let is_patient = random.percent(50);
        let filter = if is_patient { *random.pick(&OF_PATIENTS) } else { *random.pick(&OF_OBSERVATIONS) };
        let keys: &[&str] = if is_patient { &PATIENT_KEYS } else { &OBSERVATION_KEYS };
        let sort = (0..1 + random.below(3))
            .map(|_| format!("{}{}", if random.percent(50) { "-" } else { "" }, random.of(keys)))
            .collect();
        let type_name = if is_patient { "Patient" } else { "Observation" };
        Search { type_name, filter, sort, count: 1 + random.below(9) }
    }

    fn url(&self) -> String {
        format!("{}?{}_sort={}&_count={}", self.type_name, self.filter.0, self.sort.join(","), self.count)
    }
}

fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}

/// All resources of a type in the order of their creation.
async fn all(server: &TestServer, type_name: &str) -> Vec<Value> {
    server.get(&format!("{type_name}?_count=1000")).await.expect(200).resources()
}

const PATIENTS: usize = 30;
const OBSERVATIONS: usize = 70;

async fn fill(server: &TestServer, random: &mut Random) {
    let mut entries = Vec::new();
    for number in 0..PATIENTS {
        let mut patient = a_patient(random);
        patient["id"] = json!(format!("p{number}"));
        entries
            .push(json!({ "resource": patient, "request": { "method": "PUT", "url": format!("Patient/p{number}") } }));
    }
    for _ in 0..OBSERVATIONS {
        let observation = an_observation(random, PATIENTS);
        entries.push(json!({ "resource": observation, "request": { "method": "POST", "url": "Observation" } }));
    }
    // Some at a time, so that they differ in when they were written.
    for some in entries.chunks(25) {
        server.post("", &bundle("transaction", some)).await.expect(200);
    }
}

async fn pages_agree_with_a_sort_in_memory(server: &TestServer, seed: u64) {
    let mut random = Random::new(seed);
    fill(server, &mut random).await;
    let (patients, observations) = (all(server, "Patient").await, all(server, "Observation").await);
    for _ in 0..40 {
        let search = Search::random(&mut random);
        let url = search.url();
        let resources = if search.type_name == "Patient" { &patients } else { &observations };
        let matches = sorted(resources, &search.sort, &patients);
        let expected: Vec<String> = matches.into_iter().filter(|found| (search.filter.1)(found)).map(id).collect();

        let mut pages = Vec::new();
        let mut page = server.get(&url).await.expect(200);
        loop {
            pages.push(page.matches());
            let Some(next) = page.link("next") else { break };
            page = server.get(&next).await.expect(200);
        }
        assert_eq!(pages.concat(), expected, "{url}");
        let mut place = pages.len() - 1;
        while let Some(previous) = page.link("previous") {
            page = server.get(&previous).await.expect(200);
            place -= 1;
            assert_eq!(page.matches(), pages[place], "{url}: page {place} on the way back");
        }
        assert_eq!(place, 0, "{url}");
    }
}

async fn what_has_several_dates_has_its_place_in_a_part_of_time(server: &TestServer, seed: u64) {
    let mut random = Random::new(seed);
    let day = |random: &mut Random| format!("2020-{:02}-{:02}", 1 + random.below(12), 1 + random.below(28));
    let mut plans = Vec::new();
    for _ in 0..40 {
        let days: Vec<String> = (0..if random.percent(90) { 1 } else { 3 }).map(|_| day(&mut random)).collect();
        let activity = |start: &String| json!({ "detail": { "status": "scheduled", "scheduledPeriod": { "start": start, "end": start } } });
        let plan = json!({
            "resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": { "reference": "Patient/p" },
            "activity": days.iter().map(activity).collect::<Vec<_>>()
        });
        plans.push((server.create(&plan).await, days));
    }
    let is_within = |days: &[String]| {
        days.iter().any(|day| day.as_str() >= "2020-03-02") && days.iter().any(|day| day.as_str() < "2020-07-01")
    };

    for is_descending in [false, true] {
        let mut expected: Vec<(&String, usize, &String)> = plans
            .iter()
            .enumerate()
            .filter(|(_, (_, days))| is_within(days))
            .map(|(place, (id, days))| {
                ((if is_descending { days.iter().max() } else { days.iter().min() }).unwrap(), place, id)
            })
            .collect();
        expected.sort();
        if is_descending {
            expected.reverse();
        }
        let sign = if is_descending { "-" } else { "" };
        let url = format!(
            "CarePlan?activity-date=ge2020-03-02&activity-date=lt2020-07-01&_sort={sign}activity-date&_count=4"
        );
        let mut found = Vec::new();
        let mut next = Some(url.clone());
        while let Some(url) = next {
            let page = server.get(&url).await.expect(200);
            found.extend(page.matches());
            next = page.link("next");
        }
        let expected: Vec<String> = expected.into_iter().map(|(_, _, id)| id.clone()).collect();
        assert_eq!(found, expected, "{url}");
    }
}

/// Changes, deletes or creates a resource.
async fn write(server: &TestServer, random: &mut Random, known: &[String], gone: &mut Vec<String>) {
    for _ in 0..random.below(4) {
        let name = known[random.below(known.len())].clone();
        let (type_name, own) = name.split_once('/').unwrap();
        let mut resource = match type_name {
            "Patient" => a_patient(random),
            _ => an_observation(random, PATIENTS),
        };
        match random.below(5) {
            0 => {
                server.create(&resource).await;
            }
            1 => {
                server.delete(&name).await.expect(204);
                gone.push(name);
            }
            _ => {
                resource["id"] = json!(own);
                let answer = server.put(&name, &resource).await;
                assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
            }
        }
    }
}

async fn pages_keep_their_order_while_others_write(server: &TestServer, seed: u64) {
    let mut random = Random::new(100 + seed);
    fill(server, &mut random).await;
    let (mut updated, mut deleted) = (0, 0);
    for _ in 0..15 {
        let search = Search::random(&mut random);
        let url = search.url();
        let (patients, observations) = (all(server, "Patient").await, all(server, "Observation").await);
        let names = patients.iter().chain(&observations);
        let known: Vec<String> =
            names.map(|known| format!("{}/{}", known["resourceType"].as_str().unwrap(), id(known))).collect();
        let resources = if search.type_name == "Patient" { &patients } else { &observations };
        // The order is that of now, whatever is written later.
        let order: Vec<String> = sorted(resources, &search.sort, &patients).into_iter().map(id).collect();
        let mut gone = Vec::new();
        let mut place = 0;
        let mut seen = Vec::new();
        let mut page = server.get(&url).await.expect(200);
        let mut steps = 0;
        loop {
            let standing = all(server, search.type_name).await;
            let is_match = |id: &&String| {
                standing.iter().any(|resource| resource["id"].as_str() == Some(id) && (search.filter.1)(resource))
            };
            let expected: Vec<&String> = order[place..].iter().filter(is_match).take(search.count).collect();
            let found = page.matches();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{url}, page {steps}, after {gone:?}");
            seen.extend(found.iter().cloned());
            if let Some(last) = found.last() {
                place = order.iter().position(|id| id == last).unwrap() + 1;
            }
            let Some(next) = page.link("next") else { break };
            write(server, &mut random, &known, &mut gone).await;
            page = server.get(&next).await.expect(200);
            steps += 1;
        }
        updated += all(server, search.type_name).await.iter().filter(|now| !resources.contains(now)).count();
        deleted += gone.len();
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{url}: a match came twice");
        // And back, to the page before what the last one began with.
        if let (Some(previous), Some(first)) = (page.link("previous"), page.matches().first()) {
            write(server, &mut random, &known, &mut gone).await;
            let standing = all(server, search.type_name).await;
            let before = order.iter().position(|id| id == first).unwrap();
            let is_match = |id: &&String| {
                standing.iter().any(|resource| resource["id"].as_str() == Some(id) && (search.filter.1)(resource))
            };
            let mut expected: Vec<&String> = order[..before].iter().rev().filter(is_match).take(search.count).collect();
            expected.reverse();
            let found = server.get(&previous).await.expect(200).matches();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{url}, back from page {steps}");
        }
    }
    assert!(updated > 20 && deleted > 5, "{updated} {deleted}");
}
