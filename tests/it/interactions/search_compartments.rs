//! Searches within compartments.
//!
//! Spec: R4 compartmentdefinition.html

use http::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, bundle, observation, on_both};

on_both!(
    a_patients_compartment_holds_what_refers_to_the_patient,
    the_other_compartments_follow_their_definitions,
    parameters_narrow_a_compartment_and_pages_go_on_in_it,
    includes_may_lead_out_of_a_compartment,
    compartments_are_searched_by_post_and_in_bundles,
    what_is_unknown_is_empty_and_what_is_no_compartment_is_refused,
);

async fn fill(server: &TestServer) {
    let about = |id: &str, subject: &str, encounter: &str, performer: &str| {
        let mut weight = observation(subject, "70");
        weight["id"] = json!(id);
        weight["encounter"] = json!({ "reference": encounter });
        weight["performer"] = json!([{ "reference": performer }]);
        weight["device"] = json!({ "reference": "Device/scale" });
        weight
    };
    let visit = |id: &str, subject: &str| {
        json!({ "resourceType": "Encounter", "id": id, "status": "finished", "class": { "code": "AMB" },
            "subject": { "reference": subject },
            "participant": [{ "individual": { "reference": "Practitioner/d" } }] })
    };
    let resources = [
        json!({ "resourceType": "Patient", "id": "p1" }),
        json!({ "resourceType": "Patient", "id": "p2" }),
        json!({ "resourceType": "Practitioner", "id": "d" }),
        json!({ "resourceType": "Device", "id": "scale" }),
        json!({ "resourceType": "RelatedPerson", "id": "m", "patient": { "reference": "Patient/p1" } }),
        visit("e1", "Patient/p1"),
        visit("e2", "Patient/p2"),
        about("a", "Patient/p1", "Encounter/e1", "Practitioner/d"),
        about("b", "Patient/p1", "Encounter/e1", "RelatedPerson/m"),
        about("c", "Patient/p2", "Encounter/e2", "Practitioner/d"),
    ];
    for resource in &resources {
        let address = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        server.put(&address, resource).await.expect(201);
    }
}

async fn check(server: &TestServer, cases: &[(&str, &[&str])]) {
    for (search, wanted) in cases {
        let mut found = server.found(search).await;
        found.sort();
        assert_eq!(found, *wanted, "{search}");
        let count = server.get(&format!("{search}?_summary=count").replace("?status=final?", "?status=final&")).await;
        assert_eq!(count.expect(200).json()["total"], wanted.len(), "{search}");
    }
}

async fn a_patients_compartment_holds_what_refers_to_the_patient(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            ("Patient/p1/Observation", &["a", "b"]),
            ("Patient/p2/Observation", &["c"]),
            ("Patient/p1/Encounter", &["e1"]),
            ("Patient/p1/RelatedPerson", &["m"]),
            ("Patient/p1/Condition", &[]),
            ("Patient/p1/Patient", &["p1"]),
            ("Patient/p1/*", &["a", "b", "e1", "m", "p1"]),
        ],
    )
    .await;
    let answer = server.get("Patient/p1/*?_type=Encounter,Patient").await.expect(200);
    assert_eq!(answer.matches(), ["p1", "e1"]);
    assert!(answer.link("self").unwrap().ends_with("/Patient/p1/*?_type=Encounter,Patient"));
}

async fn the_other_compartments_follow_their_definitions(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            ("Encounter/e1/Observation", &["a", "b"]),
            ("Encounter/e1/Encounter", &["e1"]),
            ("Encounter/e1/*", &["a", "b", "e1"]),
            ("Practitioner/d/Observation", &["a", "c"]),
            ("Practitioner/d/*", &["a", "c", "d", "e1", "e2"]),
            ("RelatedPerson/m/Observation", &["b"]),
            ("RelatedPerson/m/RelatedPerson", &["m"]),
            ("RelatedPerson/m/*", &["b", "m"]),
            ("Device/scale/Observation?status=final", &["a", "b", "c"]),
            ("Device/scale/Device", &["scale"]),
            ("Device/scale/*", &["a", "b", "c", "scale"]),
        ],
    )
    .await;
}

async fn parameters_narrow_a_compartment_and_pages_go_on_in_it(server: &TestServer) {
    fill(server).await;

    check(server, &[("Practitioner/d/Observation?status=final", &["a", "c"])]).await;
    assert_eq!(server.found("Practitioner/d/Observation?patient=p2").await, ["c"]);
    assert_eq!(server.found("Patient/p1/Observation?performer=RelatedPerson/m").await, ["b"]);
    assert_eq!(server.found("Encounter/e1/*?_id=b").await, ["b"]);
    assert!(server.found("Encounter/e1/*?_id=c").await.is_empty());
    assert_eq!(server.found("Device/scale/Observation?_sort=-_id").await, ["c", "b", "a"]);
    for compartment in ["Device/scale/*", "Patient/p1/*", "Patient/p1/Observation", "Encounter/e1/Observation"] {
        let whole = server.found(compartment).await;
        let mut address = format!("{compartment}?_count=1");
        let mut found = Vec::new();
        loop {
            let answer = server.get(&address).await.expect(200);
            found.extend(answer.matches());
            match answer.link("next") {
                Some(next) => address = next,
                None => break,
            }
        }
        assert_eq!(found, whole, "{compartment}");
    }
}

async fn includes_may_lead_out_of_a_compartment(server: &TestServer) {
    fill(server).await;

    let answer = server.get("Patient/p1/Observation?_include=Observation:performer").await.expect(200);

    assert_eq!(answer.matches(), ["a", "b"]);
    let ids: Vec<Value> = answer.resources().iter().map(|resource| resource["id"].clone()).collect();
    assert_eq!(ids, ["a", "b", "d", "m"]);
}

async fn compartments_are_searched_by_post_and_in_bundles(server: &TestServer) {
    fill(server).await;
    for (address, wanted) in [("Encounter/e1/Observation/_search", 1), ("Patient/p1/*/_search", 1)] {
        let request = server.request(Method::POST, address);
        let answer = request.body("application/x-www-form-urlencoded", "_id=a").send().await.expect(200);
        assert_eq!(answer.matches().len(), wanted, "{address}");
    }
    let urls = ["Patient/p1/Observation?_id=a", "Encounter/e1/*?_id=a,c", "Device/scale/Observation?_id=a"];
    let entries: Vec<Value> = urls.iter().map(|url| json!({ "request": { "method": "GET", "url": url } })).collect();
    let answer = server.post("", &bundle("batch", &entries)).await.expect(200).json();
    for entry in answer["entry"].as_array().unwrap() {
        assert_eq!(entry["resource"]["entry"].as_array().unwrap().len(), 1, "{entry}");
        assert_eq!(entry["resource"]["entry"][0]["resource"]["id"], "a");
    }
}

async fn what_is_unknown_is_empty_and_what_is_no_compartment_is_refused(server: &TestServer) {
    fill(server).await;

    assert!(server.found("Patient/never/Observation").await.is_empty());
    assert!(server.found("Encounter/never/*").await.is_empty());
    for address in ["Location/1/Observation", "Patient/p1/Location", "Patient/p1/Teapot", "Teapot/1/Patient"] {
        server.get(address).await.refused(404);
    }
    let issue = server.get("Patient/p1/Location").await.refused(404);
    assert!(issue["diagnostics"].as_str().unwrap().contains("never in the compartment of a Patient"), "{issue}");
    server.get("Patient/p1/Observation?teapot=1").await.refused(400);
    server.post("Patient/p1/Observation", &json!({ "resourceType": "Observation" })).await.refused(405);
    let entry = json!({ "request": { "method": "GET", "url": "Patient/p1/Location" } });
    let answer = server.post("", &bundle("batch", &[entry])).await.expect(200).json();
    assert!(answer["entry"][0]["response"]["status"].as_str().unwrap().starts_with("404"), "{answer}");
}
