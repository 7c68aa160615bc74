//! `load --server`: the same files, the same outcome, but through a server.

use serde_json::{Value, json};

use crate::load::scratch::Scratch;
use crate::load::stub::{Stub, done};
use crate::support::{TestServer, bundle, identifier, observation, on_both, patient};

on_both!(
    files_loaded_over_http_are_stored_as_they_would_be_in_the_database,
    a_transaction_waits_for_what_it_refers_to_by_condition,
    the_root_of_a_server_stands_for_its_fhir_base,
);

fn post(full_url: &str, resource: &Value) -> Value {
    json!({ "fullUrl": full_url, "resource": resource,
        "request": { "method": "POST", "url": resource["resourceType"] } })
}

fn with_id(mut resource: Value, id: &str) -> Value {
    resource["id"] = json!(id);
    resource
}

/// A transaction that creates a patient and an observation of them.
fn family(number: u32) -> Value {
    let person = format!("urn:uuid:00000000-0000-4000-8000-{number:012}");
    let weight = format!("urn:uuid:00000000-0000-4000-9000-{number:012}");
    let entries = [post(&weight, &observation(&person, "70.50")), post(&person, &patient(&number.to_string()))];
    bundle("transaction", &entries)
}

fn inputs() -> Scratch {
    let scratch = Scratch::make();
    scratch.json("family.json", &family(1));
    let bad = json!({ "resourceType": "Patient", "birthDate": "yesterday" });
    scratch.json("half.json", &bundle("transaction", &[post("urn:a:1", &patient("9")), post("urn:a:2", &bad)]));
    let mut once = post("urn:a:3", &patient("1"));
    once["request"]["ifNoneExist"] = json!(identifier("1"));
    let gone = json!({ "request": { "method": "DELETE", "url": "Patient/b" } });
    let read = json!({ "request": { "method": "GET", "url": "Patient?_summary=count" } });
    scratch.json("what-each.json", &bundle("batch", &[once, gone, read, post("urn:a:4", &bad)]));
    let lines = [with_id(patient("2"), "b"), patient("3"), bad, patient("4")];
    scratch.lines("lines.ndjson", &lines);
    let collection = bundle("collection", &[json!({ "resource": with_id(patient("5"), "c") })]);
    let members =
        [("one.json", family(6).to_string()), ("two.json", collection.to_string()), ("no.json", "{".to_owned())];
    scratch.archive("packed.tar.gz", &members);
    scratch
}

async fn files_loaded_over_http_are_stored_as_they_would_be_in_the_database(server: &TestServer) {
    let scratch = inputs();
    let over_http = scratch.load_beside(&["--server", &server.base]).await;
    let stored = (server.count("Patient").await, server.count("Observation").await);
    let directly = scratch.load_beside(&[]).await;

    assert_eq!((over_http.code, directly.code), (1, 1), "{}", over_http.told);
    for name in ["documents", "resources", "types", "matched", "deleted", "skipped", "refusals", "refused"] {
        assert_eq!(over_http.summary[name], directly.summary[name], "{name}");
    }
    assert_eq!(stored, (5, 2));
    assert_eq!(over_http.summary["types"], json!({ "Observation": 2, "Patient": 6 }));
    assert_eq!((&over_http.summary["matched"], &over_http.summary["deleted"]), (&json!(1), &json!(1)));
    let refused = over_http.summary["refused"].as_array().unwrap();
    let places: Vec<(&str, &Value, &Value)> = refused
        .iter()
        .map(|it| (it["input"].as_str().unwrap(), &it["entry"], &it["reasons"][0]["expression"]))
        .collect();
    assert_eq!(
        places,
        [
            ("input/half.json", &json!(1), &json!("Bundle.entry[1].resource.birthDate")),
            ("input/lines.ndjson line 3", &json!(null), &json!("Patient.birthDate")),
            ("input/packed.tar.gz!2:no.json", &json!(null), &json!(null)),
            ("input/what-each.json", &json!(3), &json!("Patient.birthDate")),
        ]
    );
    assert!(refused.iter().all(|it| it["reasons"][0]["text"].as_str().is_some_and(|text| !text.is_empty())));
}

async fn a_transaction_waits_for_what_it_refers_to_by_condition(server: &TestServer) {
    let scratch = Scratch::make();
    let early = observation(&format!("Patient?{}", identifier("7")), "70");
    scratch.json("a.json", &bundle("transaction", &[post("urn:a:1", &early)]));
    scratch.json("b.json", &patient("7"));
    let never = observation(&format!("Patient?{}", identifier("8")), "70");
    scratch.json("c.json", &bundle("transaction", &[post("urn:a:1", &never)]));
    let run = scratch.load_beside(&["--server", &server.base]).await;

    assert_eq!(run.code, 1);
    assert_eq!((server.count("Patient").await, server.count("Observation").await), (1, 1));
    assert_eq!((&run.summary["documents"], &run.summary["refusals"]), (&json!(3), &json!(1)));
    assert_eq!(run.summary["refused"][0]["input"], "input/c.json");
    assert_eq!(run.summary["refused"][0]["reasons"][0]["text"], "no Patient matches the criteria");
}

async fn the_root_of_a_server_stands_for_its_fhir_base(server: &TestServer) {
    let scratch = Scratch::make();
    scratch.json("a.json", &patient("1"));
    for address in [server.url.clone(), format!("{}/", server.url), format!("{}/", server.base)] {
        assert_eq!(scratch.load_beside(&["--server", &address]).await.code, 0, "{address}");
    }

    assert_eq!(server.count("Patient").await, 3);
}

#[test]
fn a_token_is_sent_with_each_request_and_never_printed() {
    for (arguments, variables) in [(&["--token", "s3cret"][..], &[][..]), (&[], &[("EMBERWELL_TOKEN", "s3cret")])] {
        let scratch = Scratch::make();
        scratch.json("a.json", &patient("1"));
        let stub = Stub::start(vec![done(1, "201 Created")]);
        let arguments: Vec<&str> =
            ["--server", stub.base.as_str()].into_iter().chain(arguments.iter().copied()).collect();
        let run = scratch.load_with(&arguments, variables);

        assert_eq!(run.code, 0, "{}", run.told);
        assert!(stub.asked()[0].head.contains("\r\nauthorization: bearer s3cret\r\n"), "{}", stub.asked()[0].head);
        assert!(!run.told.contains("s3cret"), "{}", run.told);
    }
}

#[test]
fn a_token_that_cannot_be_sent_is_wrong_usage_and_not_repeated() {
    let scratch = Scratch::make();
    scratch.json("a.json", &patient("1"));
    let run = scratch.load(&["--server", "http://127.0.0.1:9", "--token", "s3c\nret"]);

    assert_eq!(run.code, 2);
    assert!(!run.told.contains("s3c"), "{}", run.told);
}

#[test]
fn nothing_of_an_answer_but_counts_is_asked_for() {
    let scratch = Scratch::make();
    scratch.json("a.json", &patient("1"));
    let stub = Stub::start(vec![done(1, "201 Created")]);
    scratch.load(&["--server", &stub.base]);

    let asked = &stub.asked()[0];
    assert!(asked.head.contains("\r\nprefer: return=minimal\r\n"), "{}", asked.head);
    assert!(asked.head.contains("\r\ncontent-type: application/fhir+json\r\n"), "{}", asked.head);
    assert_eq!(asked.body["entry"][0]["resource"], patient("1"));
}
