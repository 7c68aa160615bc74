//! Transactions: all entries or none.
//!
//! Spec: R4 http.html#trules

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, bundle, identifier, observation, on_both, patient, patient_called, statuses};

on_both!(
    links_between_the_entries_become_links_to_what_was_created,
    a_bad_entry_undoes_the_transaction_and_is_named,
    an_entry_that_fails_while_writing_undoes_the_transaction,
    two_entries_for_one_resource_are_refused,
    two_entries_of_one_full_url_are_refused,
    a_link_to_an_entry_that_is_not_there_is_refused,
    a_conditional_reference_is_replaced_by_what_it_finds,
    a_conditional_reference_that_finds_nothing_or_several_is_refused,
    entries_are_done_as_delete_post_put_get_whatever_their_order,
    a_conditional_create_in_a_transaction_links_to_what_was_there,
    a_transaction_with_a_bad_read_writes_nothing,
    a_transaction_of_5000_entries_is_done_and_one_more_is_refused_with_the_limit,
    a_bundle_just_under_32_mib_is_done_and_one_over_it_is_refused_with_the_limit,
);

const PERSON: &str = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a";
const OTHER: &str = "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059";

async fn transact(server: &TestServer, entries: &[Value]) -> Answer {
    server.post("", &bundle("transaction", entries)).await
}

fn entry(method: &str, url: &str, resource: &Value) -> Value {
    json!({ "resource": resource, "request": { "method": method, "url": url } })
}

fn called(full_url: &str, resource: &Value) -> Value {
    json!({ "fullUrl": full_url, "resource": resource,
        "request": { "method": "POST", "url": resource["resourceType"] } })
}

/// What an answer's `location` names, as `Type/id`.
fn located(entry: &Value) -> String {
    let location = entry["response"]["location"].as_str().unwrap();
    let (resource, _) = location.split_once("/_history/").unwrap();
    let mut pieces = resource.rsplit('/');
    let (id, type_name) = (pieces.next().unwrap(), pieces.next().unwrap());
    format!("{type_name}/{id}")
}

async fn links_between_the_entries_become_links_to_what_was_created(server: &TestServer) {
    let mut weight = observation(PERSON, "70");
    weight["extension"] = json!([
        { "url": "https://nobody.example/about", "valueReference": { "reference": PERSON } },
        { "url": "https://nobody.example/where", "valueUri": PERSON },
    ]);
    weight["text"] = json!({
        "status": "generated",
        "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{PERSON}\">somebody</a></div>"),
    });
    let entries = [called(OTHER, &weight), called(PERSON, &patient("1"))];
    let answer = transact(server, &entries).await.expect(200);

    assert_eq!(answer.json()["type"], "transaction-response");
    assert_eq!(statuses(&answer.entries()), ["201", "201"]);
    let (weight, person) = (located(&answer.entries()[0]), located(&answer.entries()[1]));
    let stored = server.get(&weight).await.expect(200);
    assert_eq!(stored.json()["subject"]["reference"], person);
    assert_eq!(stored.json()["extension"][0]["valueReference"]["reference"], person);
    assert!(!stored.text().contains(PERSON), "{}", stored.text());
    assert!(stored.json()["text"]["div"].as_str().unwrap().contains(&person), "{}", stored.text());
    let found = server.found(&format!("Observation?subject={person}")).await;
    assert_eq!(found.len(), 1);
}

async fn a_bad_entry_undoes_the_transaction_and_is_named(server: &TestServer) {
    let broken = json!({ "resourceType": "Patient", "birthDate": "yesterday" });
    let entries = [entry("POST", "Patient", &patient("1")), entry("POST", "Patient", &broken)];
    let issue = transact(server, &entries).await.refused(400);

    let place = issue["expression"][0].as_str().unwrap();
    assert!(place.starts_with("Bundle.entry[1].resource") && place.ends_with("birthDate"), "{place}");
    assert_eq!(server.count("Patient").await, 0);
}

async fn an_entry_that_fails_while_writing_undoes_the_transaction(server: &TestServer) {
    let id = server.create(&patient_called("Stays")).await;
    let mut changed = patient_called("Changed");
    changed["id"] = json!(id);
    let stale = json!({ "resource": changed,
        "request": { "method": "PUT", "url": format!("Patient/{id}"), "ifMatch": "W/\"9\"" } });
    let issue = transact(server, &[entry("POST", "Patient", &patient("1")), stale]).await.refused(412);

    assert!(issue["expression"][0].as_str().unwrap().starts_with("Bundle.entry[1]"), "{issue}");
    assert_eq!(server.count("Patient").await, 1);
    assert_eq!(server.get(&format!("Patient/{id}")).await.json()["name"][0]["family"], "Stays");
}

async fn two_entries_for_one_resource_are_refused(server: &TestServer) {
    let id = server.create(&patient_called("One")).await;
    let address = format!("Patient/{id}");
    let mut two = patient_called("Two");
    two["id"] = json!(id);
    let delete = json!({ "request": { "method": "DELETE", "url": address } });
    transact(server, &[entry("PUT", &address, &two), entry("PUT", &address, &two)]).await.refused(400);
    transact(server, &[entry("PUT", &address, &two), delete]).await.refused(400);

    assert_eq!(server.get(&address).await.json()["meta"]["versionId"], "1");
}

async fn two_entries_of_one_full_url_are_refused(server: &TestServer) {
    transact(server, &[called(PERSON, &patient("1")), called(PERSON, &patient("2"))]).await.refused(400);

    assert_eq!(server.count("Patient").await, 0);
}

async fn a_link_to_an_entry_that_is_not_there_is_refused(server: &TestServer) {
    let issue = transact(server, &[called(OTHER, &observation(PERSON, "70"))]).await.refused(400);

    let place = issue["expression"][0].as_str().unwrap();
    assert!(place.starts_with("Bundle.entry[0]") && place.contains("subject"), "{place}");
    assert_eq!(server.count("Observation").await, 0);
}

async fn a_conditional_reference_is_replaced_by_what_it_finds(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let weight = observation(&format!("Patient?{}", identifier("1")), "70");
    let answer = transact(server, &[entry("POST", "Observation", &weight)]).await.expect(200);

    let stored = server.get(&located(&answer.entries()[0])).await.expect(200).json();
    assert_eq!(stored["subject"]["reference"], format!("Patient/{id}"));
}

async fn a_conditional_reference_that_finds_nothing_or_several_is_refused(server: &TestServer) {
    server.create(&patient("twice")).await;
    server.create(&patient("twice")).await;
    for number in ["none", "twice"] {
        let weight = observation(&format!("Patient?{}", identifier(number)), "70");
        let refused = transact(server, &[entry("POST", "Observation", &weight)]).await;
        let issue = refused.refused(400);
        assert_eq!(issue["expression"][0], "Bundle.entry[0].resource.subject.reference");
    }
    for reference in
        ["Patient?nonsense=1", "Patient?_count=1", "Nonsense?_id=1", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"]
    {
        let entries =
            [entry("POST", "Patient", &patient("1")), entry("POST", "Observation", &observation(reference, "70"))];
        let issue = transact(server, &entries).await.refused(400);
        assert_eq!(issue["expression"][0], "Bundle.entry[1].resource.subject.reference", "{reference}: {issue}");
    }

    assert_eq!(server.count("Observation").await, 0);
}

async fn entries_are_done_as_delete_post_put_get_whatever_their_order(server: &TestServer) {
    let old = server.create(&patient("1")).await;
    let changed = server.create(&patient_called("Before")).await;
    let mut after = patient_called("After");
    after["id"] = json!(changed);
    // The read sees the update, and the create finds nothing that matches because the delete comes first.
    let entries = [
        json!({ "request": { "method": "GET", "url": format!("Patient/{changed}") } }),
        entry("PUT", &format!("Patient/{changed}"), &after),
        json!({ "resource": patient("1"),
            "request": { "method": "POST", "url": "Patient", "ifNoneExist": identifier("1") } }),
        json!({ "request": { "method": "DELETE", "url": format!("Patient/{old}") } }),
    ];
    let answer = transact(server, &entries).await.expect(200);

    assert_eq!(statuses(&answer.entries()), ["200", "200", "201", "204"]);
    assert_eq!(answer.resources()[0]["name"][0]["family"], "After");
    assert_ne!(located(&answer.entries()[2]), format!("Patient/{old}"));
}

async fn a_conditional_create_in_a_transaction_links_to_what_was_there(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let mut person = called(PERSON, &patient("1"));
    person["request"]["ifNoneExist"] = json!(identifier("1"));
    let answer = transact(server, &[person, called(OTHER, &observation(PERSON, "70"))]).await.expect(200);

    assert_eq!(statuses(&answer.entries()), ["200", "201"]);
    let stored = server.get(&located(&answer.entries()[1])).await.json();
    assert_eq!(stored["subject"]["reference"], format!("Patient/{id}"));
    assert_eq!(server.count("Patient").await, 1);
}

async fn a_transaction_with_a_bad_read_writes_nothing(server: &TestServer) {
    let read = json!({ "request": { "method": "GET", "url": "Patient/never" } });
    transact(server, &[entry("POST", "Patient", &patient("1")), read]).await.refused(404);

    assert_eq!(server.count("Patient").await, 0);
}

async fn a_transaction_of_5000_entries_is_done_and_one_more_is_refused_with_the_limit(server: &TestServer) {
    let mut entries: Vec<Value> =
        (0..5000).map(|number| entry("POST", "Patient", &patient(&number.to_string()))).collect();
    let done = transact(server, &entries).await.expect(200);
    entries.push(entry("POST", "Patient", &patient("5000")));
    let issue = transact(server, &entries).await.refused(400);

    assert_eq!(done.entries().len(), 5000);
    assert!(statuses(&done.entries()).iter().all(|status| status == "201"));
    assert_eq!(issue["code"], "too-costly");
    assert_eq!(issue["details"]["text"], "the Bundle has 5001 entries; at most 5000 are allowed");
    assert_eq!(server.count("Patient").await, 5000);
}

async fn a_bundle_just_under_32_mib_is_done_and_one_over_it_is_refused_with_the_limit(server: &TestServer) {
    let limit = 32 << 20;
    let document = |bytes: usize| json!({ "resourceType": "Basic", "code": { "text": "x".repeat(bytes) } });
    // 31 of 1 MiB, and one that fills up to a few bytes under the limit.
    let large = |rest: usize| {
        let sizes = std::iter::repeat_n(1 << 20, 31).chain([rest]);
        bundle("transaction", &sizes.map(|bytes| entry("POST", "Basic", &document(bytes))).collect::<Vec<_>>())
            .to_string()
    };
    let frame = large(0).len();
    let send = |rest: usize| server.request(Method::POST, "").body("application/fhir+json", large(rest)).send();
    let done = send(limit - frame - 1).await.expect(200);
    let issue = send(limit - frame + 1).await.refused(413);

    assert_eq!(done.entries().len(), 32);
    assert_eq!(issue["code"], "too-long");
    assert!(issue["details"]["text"].as_str().unwrap().contains("33554432 bytes"), "{issue}");
    assert_eq!(server.count("Basic").await, 32);
}
