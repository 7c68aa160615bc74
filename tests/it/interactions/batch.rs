//! Batches: each entry for itself.
//!
//! Spec: R4 http.html#brules, bundle.html#bundle-unique

use std::sync::Arc;

use emberwell::access::Caller;
use emberwell::config::Settings;
use emberwell::fhir::Resource;
use emberwell::interactions::bundle::{EntryAnswer, Rider, process_with};
use emberwell::store::{StoreError, Tx};
use serde_json::{Value, json};

use crate::support::{TestServer, bundle, identifier, on_both, patient, patient_called, statuses};

on_both!(
    a_bad_entry_of_a_batch_leaves_the_others_standing,
    an_entry_of_a_batch_that_can_not_be_understood_fails_alone,
    the_entries_of_a_batch_are_answered_in_their_order,
    a_batch_reads_searches_and_shows_histories,
    an_empty_batch_is_answered_with_an_empty_one,
    only_batches_and_transactions_are_taken_at_the_base,
    a_failure_in_the_middle_of_a_batch_does_not_hide_what_was_stored_before,
);

fn get(url: &str) -> Value {
    json!({ "request": { "method": "GET", "url": url } })
}

fn post(resource: &Value) -> Value {
    json!({ "resource": resource, "request": { "method": "POST", "url": resource["resourceType"] } })
}

async fn a_bad_entry_of_a_batch_leaves_the_others_standing(server: &TestServer) {
    let broken = json!({ "resourceType": "Patient", "birthDate": "yesterday" });
    let entries = [post(&patient("1")), post(&broken), post(&patient("2")), get("Patient/never")];
    let answer = server.post("", &bundle("batch", &entries)).await.expect(200);

    assert_eq!(answer.json()["type"], "batch-response");
    assert_eq!(statuses(&answer.entries()), ["201", "400", "201", "404"]);
    assert_eq!(answer.entries()[1]["response"]["outcome"]["resourceType"], "OperationOutcome");
    assert_eq!(answer.entries()[1]["response"]["outcome"]["issue"][0]["expression"][0], "Patient.birthDate");
    assert_eq!(server.count("Patient").await, 2);
}

async fn an_entry_of_a_batch_that_can_not_be_understood_fails_alone(server: &TestServer) {
    let bad = [
        get("Nonsense/1"),
        get("Patient/a_b"),
        get("http://nobody.example/fhir/Patient/1"),
        get("../Patient/1"),
        get("Patient/$everything"),
        json!({ "resource": { "resourceType": "Nonsense" }, "request": { "method": "POST", "url": "Patient" } }),
        json!({ "resource": patient("1"), "request": { "method": "POST", "url": "Observation" } }),
        json!({ "request": { "method": "POST", "url": "Patient" } }),
        json!({ "resource": patient("1"), "request": { "method": "PUT", "url": "Patient/1", "ifMatch": "a b" } }),
    ];
    for entry in &bad {
        let entries = [post(&patient("1")), entry.clone(), post(&patient("2"))];
        let answer = server.post("", &bundle("batch", &entries)).await.expect(200);
        assert_eq!(statuses(&answer.entries()), ["201", "400", "201"], "{entry}");
        let issue = &answer.entries()[1]["response"]["outcome"]["issue"][0];
        assert!(issue["expression"][0].as_str().unwrap().starts_with("Bundle.entry[1]."), "{issue}");
        server.post("", &bundle("transaction", &entries)).await.refused(400);
    }

    assert_eq!(server.count("Patient").await, 2 * bad.len() as u64);
}

async fn the_entries_of_a_batch_are_answered_in_their_order(server: &TestServer) {
    let id = server.create(&patient_called("Old")).await;
    let mut new = patient_called("New");
    new["id"] = json!(id);
    let gone = server.create(&patient_called("Gone")).await;
    let entries = [
        json!({ "resource": new, "request": { "method": "PUT", "url": format!("Patient/{id}") } }),
        json!({ "request": { "method": "DELETE", "url": format!("Patient/{gone}") } }),
        json!({ "resource": patient("1"),
            "request": { "method": "POST", "url": "Patient", "ifNoneExist": identifier("1") } }),
        get("Patient?name=new"),
        json!({ "resource": new, "request": { "method": "PUT", "url": format!("Patient/{id}"), "ifMatch": "W/\"9\"" } }),
    ];
    let answer = server.post("", &bundle("batch", &entries)).await.expect(200);

    assert_eq!(statuses(&answer.entries()), ["200", "204", "201", "200", "412"]);
    assert_eq!(answer.entries()[0]["response"]["etag"], "W/\"2\"");
    assert_eq!(answer.resources()[3]["entry"][0]["resource"]["id"], id);
}

async fn a_batch_reads_searches_and_shows_histories(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let entries = [
        get(&format!("Patient/{id}")),
        get(&format!("Patient/{id}/_history/1")),
        get(&format!("Patient/{id}/_history")),
        get(&format!("Patient?{}", identifier("1"))),
        json!({ "request": { "method": "GET", "url": format!("Patient/{id}"), "ifNoneMatch": "W/\"1\"" } }),
        get("Patient?nonsense=1"),
    ];
    let answer = server.post("", &bundle("batch", &entries)).await.expect(200);

    assert_eq!(statuses(&answer.entries()), ["200", "200", "200", "200", "304", "400"]);
    let resources = answer.resources();
    assert_eq!((&resources[0]["id"], &resources[1]["id"]), (&json!(id), &json!(id)));
    assert_eq!((&resources[2]["type"], &resources[3]["type"]), (&json!("history"), &json!("searchset")));
}

async fn an_empty_batch_is_answered_with_an_empty_one(server: &TestServer) {
    for kind in ["batch", "transaction"] {
        let answer = server.post("", &json!({ "resourceType": "Bundle", "type": kind })).await.expect(200);
        assert_eq!(answer.json()["type"], format!("{kind}-response"));
        assert_eq!(answer.json().get("entry"), None);
    }
}

async fn only_batches_and_transactions_are_taken_at_the_base(server: &TestServer) {
    server.post("", &patient("1")).await.refused(400);
    server.post("", &bundle("collection", &[json!({ "resource": patient("1") })])).await.refused(400);
    server.post("", &bundle("batch", &[json!({ "resource": patient("1") })])).await.refused(400);

    assert_eq!(server.count("Patient").await, 0);
}

async fn a_failure_in_the_middle_of_a_batch_does_not_hide_what_was_stored_before(server: &TestServer) {
    let mut settings = Settings::default();
    settings.server.database = server.database().to_owned();
    let entries: Vec<Value> = (0..250).map(|number| post(&patient(&number.to_string()))).collect();
    let batch = Resource::from_value(bundle("batch", &entries)).unwrap();
    let answer = actix_web::rt::task::spawn_blocking(move || {
        let engine = emberwell::server::open_engine(&settings, "http://127.0.0.1/fhir", 1).unwrap();
        fn busy_from_entry_150(_: &mut Tx<'_>, entries: &[usize]) -> Result<(), StoreError> {
            if entries.contains(&150) { Err(StoreError::Busy) } else { Ok(()) }
        }
        let rider: Rider = Arc::new(busy_from_entry_150);
        process_with(&engine, &Caller::system("test"), batch, &rider).unwrap()
    });
    let entries = answer.await.unwrap().entries;

    let stored = entries.iter().filter(|entry| matches!(entry, EntryAnswer::Written(_))).count();
    let failed = entries.iter().filter(|entry| matches!(entry, EntryAnswer::Failed(_))).count();
    assert_eq!((stored, failed), (100, 150));
    assert_eq!(server.count("Patient").await, 100);
}
