//! What a record's custodians are told of searches: not whom else they were for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use emberwell::fhir::{Id, ResourceKey, ResourceType};
use emberwell::store::{AuditBlock, GrantLevel, Labels, StoreError};
use http::Method;
use serde_json::{Value, json};

use crate::access::family::fill;
use crate::audit::{get, request, told};
use crate::support::holders::{self, Granted, Held};
use crate::support::program::run;
use crate::support::{TestServer, bundle, on_both};

on_both!(closed:
    a_custodian_is_not_told_for_whom_else_somebody_searched,
    a_search_within_one_record_is_told_as_it_was_asked,
    what_older_blocks_tell_of_searches_is_told_by_names,
);

fn custodian(server: &TestServer, record: &'static str) -> Held {
    let granted = Granted { level: GrantLevel::Custodian, labels: Labels::VeryRestricted, ..Granted::on(record) };
    holders::person(server, "user/*.cruds", &[granted])
}

/// What the event tells of its query, and whether it says that something is left out.
fn query(event: &Value) -> Option<(String, bool)> {
    let entities = event["entity"].as_array().unwrap();
    let entity = entities.iter().find(|entity| entity["query"].is_string())?;
    let text = STANDARD.decode(entity["query"].as_str().unwrap()).unwrap();
    Some((String::from_utf8(text).unwrap(), entity["securityLabel"][0]["code"] == "REDACTED"))
}

/// What the events of a request tell of their queries.
async fn queries(server: &TestServer, token: &str, id: &str) -> Vec<(String, bool)> {
    let answer = server.get_as(token, &format!("AuditEvent?entity:identifier={id}")).await.expect(200);
    answer.resources().iter().filter_map(query).collect()
}

async fn a_custodian_is_not_told_for_whom_else_somebody_searched(server: &TestServer) {
    let operator = fill(server).await.token;
    let cases = [
        ("Patient?name=Birch,Ash", "Patient?name=…"),
        ("Observation?patient=a,b&_count=9", "Observation?patient=…&_count=…"),
        ("Observation?subject:Patient.family:exact=Ash,Birch", "Observation?subject:Patient.family:exact=…"),
        ("Coverage?beneficiary=b&_include=Coverage:payor", "Coverage?beneficiary=…&_include=…"),
        ("Patient/a/Observation?code=29463-7", "Patient/a/Observation?code=…"),
        ("_history?_since=2020-01-01", "_history?_since=…"),
        ("Observation/a-lab/_history", "Observation/a-lab/_history"),
    ];
    let keeper = custodian(server, "a").token;

    for (place, (asked, shown)) in cases.iter().enumerate() {
        let id = format!("case-{place}");
        get(server, &operator, &id, asked).await.expect(200);
        told(server, &id, 1).await;
        let is_less = asked != shown;
        assert_eq!(queries(server, &keeper, &id).await, [((*shown).to_owned(), is_less)], "{asked}");
        let whole = queries(server, &operator, &id).await;
        assert!(!whole.is_empty() && whole.iter().all(|told| *told == ((*asked).to_owned(), false)), "{whole:?}");
    }
    // By a form, and in a batch.
    let form = request(server, &operator, "form", Method::POST, "Patient/_search");
    form.body("application/x-www-form-urlencoded", "name=Birch,Ash").send().await.expect(200);
    let entry = json!({ "request": { "method": "GET", "url": "Patient?name=Birch,Ash" } });
    let batch = request(server, &operator, "batch", Method::POST, "");
    batch.json(&bundle("batch", &[entry])).send().await.expect(200);
    // What is refused names more than what it is about.
    let narrow = holders::app(server, "user/Patient.rs", None, &[Granted::on("a"), Granted::on("b")]).token;
    get(server, &narrow, "refused", "Observation/a-lab?name=Birch&Birch").await.expect(403);
    told(server, "batch", 3).await;
    told(server, "refused", 1).await;
    for (id, shown) in
        [("form", "Patient?name=…"), ("batch", "Patient?name=…"), ("refused", "Observation/a-lab?name=…&…=…")]
    {
        assert_eq!(queries(server, &keeper, id).await, [(shown.to_owned(), true)], "{id}");
    }
    let read = server.get_as(&keeper, "AuditEvent?entity:identifier=case-0").await.expect(200).resources();
    let address = format!("AuditEvent/{}", read[0]["id"].as_str().unwrap());
    let alone = server.get_as(&keeper, &address).await.expect(200).json();
    assert_eq!(alone, read[0]);
    let checked = server.request_as(&operator, Method::POST, "AuditEvent/$validate").json(&alone);
    let outcome = checked.send().await.expect(200).json();
    assert!(outcome["issue"].as_array().unwrap().iter().all(|issue| issue["severity"] != "error"), "{outcome}");
    let printed = |arguments: &[&str]| -> Vec<(String, bool)> {
        let lines = run(server, "audit", arguments).stdout;
        lines.lines().filter_map(|line| query(&serde_json::from_str(line).unwrap())).collect()
    };
    let of_record = printed(&["--record", "Patient/a"]);
    assert!(of_record.len() >= 10 && of_record.iter().all(|(told, _)| !told.contains("Birch")), "{of_record:?}");
    assert!(of_record.contains(&("Patient?name=…".to_owned(), true)), "{of_record:?}");
    assert!(printed(&[]).contains(&("Patient?name=Birch,Ash".to_owned(), false)));
}

async fn a_search_within_one_record_is_told_as_it_was_asked(server: &TestServer) {
    fill(server).await;
    let keeper = custodian(server, "a").token;
    let both = [Granted::on("a"), Granted::on("b")];
    let launched = holders::app(server, "patient/*.rs", Some("a"), &both).token;
    let granted = holders::app(server, "user/*.rs", None, &[Granted::on("a")]).token;
    let of_two = holders::app(server, "user/*.rs", None, &both).token;
    let of_another = holders::app(server, "patient/*.rs", Some("b"), &both).token;

    for (id, token) in [("launched", &launched), ("granted", &granted), ("two", &of_two)] {
        get(server, token, id, "Condition?code=73211009").await.expect(200);
    }
    // A read of what is A's, by whom only B's record is open to.
    get(server, &of_another, "another", "Observation/a-lab?x=1").await.expect(404);
    told(server, "another", 1).await;

    for (id, shown, is_less) in [
        ("launched", "Condition?code=73211009", false),
        ("granted", "Condition?code=73211009", false),
        ("two", "Condition?code=…", true),
        ("another", "Observation/a-lab?…=…", true),
    ] {
        assert_eq!(queries(server, &keeper, id).await, [(shown.to_owned(), is_less)], "{id}");
    }
}

async fn what_older_blocks_tell_of_searches_is_told_by_names(server: &TestServer) {
    let operator = fill(server).await.token;
    let keeper = custodian(server, "a").token;
    get(server, &operator, "now", "Patient/a").await.expect(200);
    told(server, "now", 1).await;
    let at_us = emberwell::clock::now_us();

    holders::change(server, move |tx| {
        let id = Id::parse("a").unwrap();
        let patient = tx.hasher().key(&ResourceKey { resource_type: ResourceType::PATIENT, id });
        let event = format!(
            "\x02{{\"a\":[{{\"c\":\"app\",\"k\":\"x\"}}],\"e\":[{{\"t\":{at_us},\"d\":\"search\",\"p\":{patient},\
             \"q\":\"Patient?name=Birch,Ash\",\"r\":\"old\"}}]}}"
        );
        tx.append_audit(&AuditBlock { at_us, events: event.into_bytes(), patients: vec![patient] })?;
        Ok::<_, StoreError>(())
    });

    assert_eq!(queries(server, &keeper, "old").await, [("Patient?name=…".to_owned(), true)]);
    assert_eq!(queries(server, &operator, "old").await, [("Patient?name=Birch,Ash".to_owned(), false)]);
}
