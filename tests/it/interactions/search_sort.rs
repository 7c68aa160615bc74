//! What searches can be sorted by, and what goes together with it.
//!
//! Spec: R4 search.html#sort

use emberwell::config::PlanSettings;
use serde_json::{Value, json};

use crate::support::{Database, TestServer, bundle, on_both, patient_called};

on_both!(
    equal_values_are_read_as_one_whatever_their_spelling,
    what_has_no_code_is_not_sorted_by_its_system,
    several_types_are_sorted_by_what_they_share,
    a_sorted_page_takes_all_that_a_page_takes,
    a_sort_that_means_nothing_is_refused,
    a_batch_holds_sorted_searches,
);

async fn equal_values_are_read_as_one_whatever_their_spelling(server: &TestServer) {
    let mut ids = Vec::new();
    for (family, given) in [("MÜLLER", "C"), ("Muller", "A"), ("müller", "B"), ("Abel", "Z"), ("Muller", "D")] {
        let mut patient = patient_called(family);
        patient["name"][0]["given"] = json!([given]);
        ids.push(server.create(&patient).await);
    }

    let by_two = server.found("Patient?_sort=family,given").await;
    assert_eq!(by_two, [&ids[3], &ids[1], &ids[2], &ids[0], &ids[4]].map(String::clone));
    let by_one = server.found("Patient?_sort=-family").await;
    assert_eq!(by_one[4], ids[3]);
    // Those that are written alike stand together, the newest first.
    let places: Vec<usize> = ids.iter().map(|id| by_one.iter().position(|found| found == id).unwrap()).collect();
    assert_eq!(places[4] + 1, places[1]);
}

async fn what_has_no_code_is_not_sorted_by_its_system(server: &TestServer) {
    let code =
        |coding: Value| json!({ "resourceType": "Observation", "status": "final", "code": { "coding": coding } });
    let none = server.create(&code(json!([{ "system": "http://a.example", "display": "A" }]))).await;
    let both = server
        .create(&code(json!([{ "system": "http://a.example" }, { "system": "http://b.example", "code": "x" }])))
        .await;
    let upper = server.create(&code(json!([{ "system": "http://b.example", "code": "W" }]))).await;

    assert_eq!(server.found("Observation?_sort=code").await, [&*upper, &*both, &*none]);
    assert_eq!(server.found("Observation?_sort=-code").await, [&*both, &*upper, &*none]);
}

async fn several_types_are_sorted_by_what_they_share(server: &TestServer) {
    let named = |type_name: &str, family: &str| json!({ "resourceType": type_name, "name": [{ "family": family }] });
    let b = server.create(&named("Patient", "Baum")).await;
    let a = server.create(&named("Practitioner", "Adler")).await;
    let mut tagged = named("Patient", "Clerk");
    tagged["meta"] = json!({ "tag": [{ "code": "t" }] });
    let c = server.create(&tagged).await;
    let mut other = json!({ "resourceType": "Basic", "code": { "text": "x" } });
    other["meta"] = json!({ "tag": [{ "code": "s" }] });
    let basic = server.create(&other).await;

    assert_eq!(server.found("?_type=Patient,Practitioner&_sort=family").await, [&*a, &*b, &*c]);
    assert_eq!(server.found("?_sort=-_lastUpdated&_count=3").await, [&*basic, &*c, &*a]);
    assert_eq!(server.found("?_type=Patient&_sort=-_lastUpdated").await, [&*c, &*b]);
    assert_eq!(server.found("?_sort=_tag").await, [&*basic, &*c, &*b, &*a]);
    assert_eq!(server.found("Patient?_sort=_tag").await, [&*c, &*b]);
    assert_eq!(server.found("?_sort=-_id").await.len(), 4);
    let mut seen = Vec::new();
    let mut page = server.get("?_sort=_lastUpdated&_count=1").await.expect(200);
    while let Some(next) = page.link("next") {
        seen.extend(page.matches());
        server
            .put(&format!("Patient/{b}"), &{
                let mut changed = named("Patient", &format!("Baum{}", seen.len()));
                changed["id"] = json!(b);
                changed
            })
            .await
            .expect(200);
        page = server.get(&next).await.expect(200);
    }
    seen.extend(page.matches());
    assert_eq!(seen, [&*b, &*a, &*c, &*basic]);
}

async fn a_sorted_page_takes_all_that_a_page_takes(server: &TestServer) {
    let patient = server.create(&patient_called("Baum")).await;
    for day in [3, 1, 2] {
        let observation = json!({
            "resourceType": "Observation", "status": "final", "code": { "text": "x" },
            "subject": { "reference": format!("Patient/{patient}") },
            "effectiveDateTime": format!("2020-01-0{day}")
        });
        server.create(&observation).await;
    }

    let url = "Observation?_sort=-date&_count=2&_total=accurate&_include=Observation:subject&_elements=effective";
    let page = server.get(url).await.expect(200);
    let dates = |answer: &crate::support::Answer| {
        answer
            .resources()
            .iter()
            .filter_map(|found| found["effectiveDateTime"].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(dates(&page), ["2020-01-03", "2020-01-02"]);
    assert_eq!(page.json()["total"], 3);
    assert!(page.entries().iter().any(|entry| entry["search"]["mode"] == "include"));
    let next = server.get(&page.link("next").unwrap()).await.expect(200);
    assert_eq!(dates(&next), ["2020-01-01"]);
    assert_eq!(
        server.get(&format!("Patient/{patient}/Observation?_sort=date&_count=1")).await.expect(200).matches().len(),
        1
    );
    let count = server.get("Observation?_sort=date&_summary=count").await.expect(200).json();
    assert_eq!(count["total"], 3);
    // A cursor belongs to its sort.
    let foreign = page.link("next").unwrap().replace("-date", "date");
    server.get(&foreign).await.refused(400);
}

async fn a_sort_that_means_nothing_is_refused(server: &TestServer) {
    for query in [
        "_sort=nothing",
        "_sort=",
        "_sort=-",
        "_sort=date,",
        "_sort=date&_sort=code",
        "_sort=code-value-quantity",
        "_sort=_text",
        "_sort=_content",
        "_sort=date:asc",
        "_sort=subject.nothing",
        "_sort=subject:Device",
        "_sort=code.family",
        "_sort=_id,_id,_id,_id,_id,_id,_id,nothing",
    ] {
        let issue = server.get(&format!("Observation?{query}")).await.refused(400);
        assert!(issue.to_string().contains("_sort"), "{query}: {issue}");
    }
}

async fn a_batch_holds_sorted_searches(server: &TestServer) {
    let ids = [server.create(&patient_called("Baum")).await, server.create(&patient_called("Adler")).await];
    let entry = json!({ "request": { "method": "GET", "url": "Patient?_sort=family" } });
    let answer = server.post("", &bundle("batch", &[entry])).await.expect(200).json();

    let inner = &answer["entry"][0]["resource"]["entry"];
    assert_eq!([&inner[0]["resource"]["id"], &inner[1]["resource"]["id"]], [&json!(ids[1]), &json!(ids[0])]);
}

#[test]
fn pages_end_when_too_much_was_updated() {
    actix_web::rt::System::new().block_on(async {
        let change = |settings: &mut emberwell::config::Settings| {
            settings.limits.plan = PlanSettings { few: 0, changed: 1, ..PlanSettings::default() };
        };
        let Some(server) = TestServer::start_with(Database::Sqlite, change).await else { return };
        let mut patients = Vec::new();
        for number in 0..4 {
            let mut patient = patient_called(&format!("Oak{number}"));
            patient["id"] = json!(format!("p{number}"));
            server.put(&format!("Patient/p{number}"), &patient).await.expect(201);
            patients.push(patient);
        }
        let next = server.get("Patient?_sort=family&_count=2").await.expect(200).link("next").unwrap();
        for (number, patient) in patients.iter_mut().enumerate().take(2) {
            assert_eq!(server.get(&next).await.expect(200).matches(), ["p2", "p3"]);
            patient["active"] = json!(true);
            server.put(&format!("Patient/p{number}"), patient).await.expect(200);
        }

        let issue = server.get(&next).await.refused(410);
        assert!(issue.to_string().contains("search again"), "{issue}");
        server.stop().await;
    });
}
