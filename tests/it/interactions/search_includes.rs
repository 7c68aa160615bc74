//! `_include` and `_revinclude`.
//!
//! Spec: R4 search.html#include, #revinclude

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, bundle, observation, on_both};

on_both!(
    references_are_included_once_after_the_matches,
    a_target_type_narrows_what_is_included,
    what_refers_to_a_match_is_included,
    included_resources_are_followed_only_with_iterate,
    iteration_ends_where_references_go_in_a_circle,
    what_is_already_there_is_not_repeated,
    deleted_and_foreign_resources_are_left_out,
    a_reference_to_a_version_includes_the_current_one,
    canonical_references_are_resolved_by_url_and_version,
    what_refers_by_canonical_url_is_included,
    included_resources_count_neither_for_pages_nor_for_the_total,
    elements_shape_matches_and_summaries_shape_all,
    includes_work_over_all_types_posted_and_in_bundles,
    a_page_that_would_include_too_much_says_so,
    what_can_not_be_included_is_refused,
);

async fn fill(server: &TestServer, resources: &[Value]) {
    let entry = |resource: &Value| {
        let url = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        json!({ "resource": resource, "request": { "method": "PUT", "url": url } })
    };
    let entries: Vec<Value> = resources.iter().map(entry).collect();
    server.post("", &bundle("transaction", &entries)).await.expect(200);
}

fn person(id: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "gender": "female", "name": [{ "family": "Ash" }] })
}

fn about(id: &str, subject: &str) -> Value {
    let mut weight = observation(subject, "70");
    weight["id"] = json!(id);
    weight
}

/// `Type/id` of the entries with this mode, sorted.
fn with_mode(answer: &Answer, mode: &str) -> Vec<String> {
    let entries = answer.entries().into_iter().filter(|entry| entry["search"]["mode"] == mode);
    let key = |entry: Value| {
        let part = |name: &str| entry["resource"][name].as_str().unwrap().to_owned();
        format!("{}/{}", part("resourceType"), part("id"))
    };
    let mut keys: Vec<String> = entries.map(key).collect();
    keys.sort();
    keys
}

async fn included(server: &TestServer, search: &str) -> Vec<String> {
    with_mode(&server.get(search).await.expect(200), "include")
}

async fn references_are_included_once_after_the_matches(server: &TestServer) {
    fill(server, &[person("p1"), person("p2"), about("a", "Patient/p1"), about("b", "Patient/p1")]).await;

    let answer = server.get("Observation?_include=Observation:subject").await.expect(200);

    assert_eq!(answer.matches(), ["a", "b"]);
    let entries = answer.entries();
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[2]["search"]["mode"], "include");
    assert_eq!(entries[2]["fullUrl"], format!("{}/Patient/p1", server.base));
    assert_eq!(entries[2]["resource"]["name"][0]["family"], "Ash");
    assert!(answer.link("self").unwrap().ends_with("/Observation?_include=Observation:subject"));
}

async fn a_target_type_narrows_what_is_included(server: &TestServer) {
    let group = json!({ "resourceType": "Group", "id": "g", "type": "person", "actual": true });
    fill(server, &[person("p1"), group, about("a", "Patient/p1"), about("b", "Group/g")]).await;

    assert_eq!(included(server, "Observation?_include=Observation:subject").await, ["Group/g", "Patient/p1"]);
    assert_eq!(included(server, "Observation?_include=Observation:subject:Group").await, ["Group/g"]);
    assert_eq!(included(server, "Observation?_include=Observation:patient").await, ["Patient/p1"]);
    assert_eq!(included(server, "Observation?_include=Observation:*").await, ["Group/g", "Patient/p1"]);
    assert_eq!(included(server, "Observation?_include=Observation:*:Patient").await, ["Patient/p1"]);
    assert_eq!(included(server, "Observation?_include=*").await, ["Group/g", "Patient/p1"]);
}

async fn what_refers_to_a_match_is_included(server: &TestServer) {
    let origin = json!({ "resourceType": "Provenance", "id": "o", "recorded": "2026-03-02T08:00:00Z",
        "target": [{ "reference": "Observation/a" }], "agent": [{ "who": { "reference": "Patient/p1" } }] });
    fill(server, &[person("p1"), person("p2"), about("a", "Patient/p1"), about("b", "Patient/p2"), origin]).await;

    let search = "Patient?_id=p1&_revinclude=Observation:subject&_revinclude=Provenance:agent";
    assert_eq!(included(server, search).await, ["Observation/a", "Provenance/o"]);
    assert_eq!(included(server, "Observation?_revinclude=Provenance:target").await, ["Provenance/o"]);
    assert_eq!(included(server, "Patient?_id=p1&_revinclude=Provenance:*").await, ["Provenance/o"]);
    assert_eq!(included(server, "Patient?_id=p1&_revinclude=Observation:subject:Patient").await, ["Observation/a"]);
}

async fn included_resources_are_followed_only_with_iterate(server: &TestServer) {
    let mut doctored = person("p1");
    doctored["generalPractitioner"] = json!([{ "reference": "PractitionerRole/r" }]);
    let role =
        json!({ "resourceType": "PractitionerRole", "id": "r", "practitioner": { "reference": "Practitioner/d" } });
    let doctor = json!({ "resourceType": "Practitioner", "id": "d" });
    fill(server, &[doctored, role, doctor, about("a", "Patient/p1")]).await;
    let first = "Observation?_include=Observation:subject";
    let iterated = |of: &str| format!("{first}&_include:iterate={of}");

    assert_eq!(included(server, first).await, ["Patient/p1"]);
    server.get(&format!("{first}&_include=Patient:general-practitioner")).await.refused(400);
    let one = iterated("Patient:general-practitioner");
    assert_eq!(included(server, &one).await, ["Patient/p1", "PractitionerRole/r"]);
    let two = format!("{one}&_include:iterate=PractitionerRole:practitioner");
    assert_eq!(included(server, &two).await, ["Patient/p1", "Practitioner/d", "PractitionerRole/r"]);
    let all = "Observation?_include:iterate=*";
    assert_eq!(included(server, all).await, ["Patient/p1", "Practitioner/d", "PractitionerRole/r"]);
    let back = "Practitioner?_revinclude:iterate=PractitionerRole:practitioner&_revinclude:iterate=Patient:*&\
                _revinclude:iterate=Observation:subject";
    assert_eq!(included(server, back).await, ["Observation/a", "Patient/p1", "PractitionerRole/r"]);
}

async fn iteration_ends_where_references_go_in_a_circle(server: &TestServer) {
    let part = |id: &str, of: &str| json!({ "resourceType": "Organization", "id": id, "name": id, "partOf": { "reference": format!("Organization/{of}") } });
    fill(server, &[part("a", "b"), part("b", "c"), part("c", "a")]).await;

    let answer = server.get("Organization?_id=a&_include:iterate=Organization:partof").await.expect(200);
    assert_eq!(with_mode(&answer, "include"), ["Organization/b", "Organization/c"]);
    assert!(with_mode_outcome(&answer).is_none());

    // A chain that is longer than what is followed.
    let chain: Vec<Value> = (0..8).map(|place| part(&format!("l{place}"), &format!("l{}", place + 1))).collect();
    fill(server, &chain).await;
    let answer = server.get("Organization?_id=l0&_include:iterate=Organization:partof").await.expect(200);
    assert_eq!(with_mode(&answer, "include").len(), 5);
    assert_eq!(with_mode_outcome(&answer).unwrap()["issue"][0]["code"], "too-costly");
    let answer = server.get("Organization?_id=l2&_include:iterate=Organization:partof").await.expect(200);
    assert_eq!(with_mode(&answer, "include").len(), 5);
    assert!(with_mode_outcome(&answer).is_none());
}

fn with_mode_outcome(answer: &Answer) -> Option<Value> {
    let outcome = answer.entries().into_iter().find(|entry| entry["search"]["mode"] == "outcome")?;
    Some(outcome["resource"].clone())
}

async fn what_is_already_there_is_not_repeated(server: &TestServer) {
    fill(server, &[person("p1"), about("a", "Patient/p1")]).await;
    let search = "?_type=Patient,Observation&_include=Observation:subject&_revinclude=Observation:subject\
                  &_include=Observation:patient&_include=*";

    let answer = server.get(search).await.expect(200);

    assert_eq!(answer.entries().len(), 2);
    assert_eq!(with_mode(&answer, "match"), ["Observation/a", "Patient/p1"]);
}

async fn deleted_and_foreign_resources_are_left_out(server: &TestServer) {
    let foreign = about("b", "https://elsewhere.example/fhir/Patient/p1");
    fill(server, &[person("p1"), about("a", "Patient/p1"), foreign, about("c", "Patient/never")]).await;
    server.delete("Patient/p1").await.expect(204);

    let answer = server.get("Observation?_include=Observation:subject").await.expect(200);

    assert_eq!((answer.matches().len(), answer.entries().len()), (3, 3));
}

async fn a_reference_to_a_version_includes_the_current_one(server: &TestServer) {
    fill(server, &[person("p1"), about("a", "Patient/p1/_history/1")]).await;
    let mut changed = person("p1");
    changed["active"] = json!(true);
    server.put("Patient/p1", &changed).await.expect(200);

    let answer = server.get("Observation?_include=Observation:subject").await.expect(200);

    let versions: Vec<Value> =
        answer.resources().iter().map(|resource| resource["meta"]["versionId"].clone()).collect();
    assert_eq!(versions, ["1", "2"]);
}

async fn forms(server: &TestServer) {
    let form = |id: &str, version: Option<&str>| {
        let mut form = json!({ "resourceType": "Questionnaire", "id": id, "status": "active", "url": "https://forms.example/sleep" });
        if let Some(version) = version {
            form["version"] = json!(version);
        }
        form
    };
    let answers = |id: &str, canonical: &str| json!({ "resourceType": "QuestionnaireResponse", "id": id, "status": "completed", "questionnaire": canonical });
    fill(
        server,
        &[
            form("q1", Some("1")),
            form("q2", Some("2")),
            answers("any", "https://forms.example/sleep"),
            answers("one", "https://forms.example/sleep|1"),
            answers("three", "https://forms.example/sleep|3"),
            answers("other", "https://forms.example/food"),
            answers("here", &format!("{}/Questionnaire/q2", server.base)),
        ],
    )
    .await;
}

async fn canonical_references_are_resolved_by_url_and_version(server: &TestServer) {
    forms(server).await;
    let of = async |id: &str, include: &str| {
        included(server, &format!("QuestionnaireResponse?_id={id}&_include={include}")).await
    };
    let named = "QuestionnaireResponse:questionnaire";

    assert_eq!(of("any", named).await, ["Questionnaire/q1", "Questionnaire/q2"]);
    assert_eq!(of("one", named).await, ["Questionnaire/q1"]);
    assert!(of("three", named).await.is_empty());
    assert!(of("other", named).await.is_empty());
    assert_eq!(of("here", named).await, ["Questionnaire/q2"]);
    assert_eq!(of("one", "*").await, ["Questionnaire/q1"]);
    assert_eq!(of("one", "QuestionnaireResponse:*").await, ["Questionnaire/q1"]);
    assert!(of("one", "QuestionnaireResponse:*:Patient").await.is_empty());
}

async fn what_refers_by_canonical_url_is_included(server: &TestServer) {
    forms(server).await;
    let of = async |id: &str| {
        let search = format!("Questionnaire?_id={id}&_revinclude=QuestionnaireResponse:questionnaire");
        included(server, &search).await
    };

    assert_eq!(of("q1").await, ["QuestionnaireResponse/any", "QuestionnaireResponse/one"]);
    assert_eq!(of("q2").await, ["QuestionnaireResponse/any", "QuestionnaireResponse/here"]);
}

async fn included_resources_count_neither_for_pages_nor_for_the_total(server: &TestServer) {
    let observations = (0..5).map(|place| about(&format!("o{place}"), &format!("Patient/p{}", place % 2)));
    let resources: Vec<Value> = [person("p0"), person("p1")].into_iter().chain(observations).collect();
    fill(server, &resources).await;

    let first = server.get("Observation?_count=2&_total=accurate&_include=Observation:subject").await.expect(200);
    assert_eq!(first.json()["total"], 5);
    assert_eq!((first.matches().len(), with_mode(&first, "include").len()), (2, 2));
    let second = server.get(&first.link("next").unwrap()).await.expect(200);
    assert_eq!(with_mode(&second, "match"), ["Observation/o2", "Observation/o3"]);
    assert_eq!(with_mode(&second, "include"), ["Patient/p0", "Patient/p1"]);
    let third = server.get(&second.link("next").unwrap()).await.expect(200);
    assert_eq!((third.matches().len(), third.link("next")), (1, None));
    assert_eq!(with_mode(&third, "include"), ["Patient/p0"]);
    let count = server.get("Observation?_summary=count&_include=Observation:subject").await.expect(200);
    assert_eq!((count.json()["total"].clone(), count.entries().len()), (json!(5), 0));
}

async fn elements_shape_matches_and_summaries_shape_all(server: &TestServer) {
    let mut told = person("p1");
    told["maritalStatus"] = json!({ "text": "married" });
    fill(server, &[told, about("a", "Patient/p1")]).await;
    let shaped = async |shape: &str| {
        server.get(&format!("Observation?{shape}&_include=Observation:subject")).await.expect(200).resources()
    };

    let elements = shaped("_elements=status").await;
    assert!(elements[0]["subject"].is_null());
    assert!(elements[1]["maritalStatus"].is_object() && elements[1]["meta"]["tag"].is_null());
    let summary = shaped("_summary=true").await;
    assert!(summary[1]["maritalStatus"].is_null() && summary[1]["name"].is_array());
    server.get("Observation?_summary=text&_include=Observation:subject").await.refused(400);
}

async fn includes_work_over_all_types_posted_and_in_bundles(server: &TestServer) {
    fill(server, &[person("p1"), about("a", "Patient/p1")]).await;

    assert_eq!(included(server, "?_type=Observation&_include=Observation:subject").await, ["Patient/p1"]);
    let posted = server.request(Method::POST, "Observation/_search");
    let posted = posted.body("application/x-www-form-urlencoded", "_include=Observation:subject").send().await;
    assert_eq!(with_mode(&posted.expect(200), "include"), ["Patient/p1"]);
    for kind in ["batch", "transaction"] {
        let entry = json!({ "request": { "method": "GET", "url": "Observation?_include=Observation:subject" } });
        let answer = server.post("", &bundle(kind, &[entry])).await.expect(200).json();
        let found = &answer["entry"][0]["resource"]["entry"];
        assert_eq!(found[1]["search"]["mode"], "include", "{kind}: {answer}");
        assert_eq!(found[1]["resource"]["id"], "p1");
    }
}

async fn a_page_that_would_include_too_much_says_so(server: &TestServer) {
    fill(server, &[person("p1")]).await;
    let many: Vec<Value> = (0..2001).map(|place| about(&format!("o{place}"), "Patient/p1")).collect();
    fill(server, &many).await;
    let search = "Patient?_id=p1&_revinclude=Observation:subject";

    let answer = server.get(search).await.expect(200);
    assert_eq!(with_mode(&answer, "include").len(), 2000);
    let outcome = with_mode_outcome(&answer).unwrap();
    assert_eq!(outcome["issue"][0]["code"], "too-costly");
    assert!(outcome["issue"][0]["diagnostics"].as_str().unwrap().contains("2000"));

    server.delete("Observation/o7").await.expect(204);
    let answer = server.get(search).await.expect(200);
    assert_eq!(with_mode(&answer, "include").len(), 2000);
    assert!(with_mode_outcome(&answer).is_none());
}

async fn what_can_not_be_included_is_refused(server: &TestServer) {
    for search in [
        "Observation?_include:recurse=Observation:subject",
        "Observation?_include=Observation:subjct",
        "Observation?_include=Observation:code",
        "Observation?_include=Observation:patient:Group",
        "Observation?_include=Encounter:subject",
        "Observation?_revinclude=*",
        "Location?_revinclude=Observation:encounter",
    ] {
        server.get(search).await.refused(400);
        server.request(Method::GET, search).header("Prefer", "handling=lenient").send().await.refused(400);
    }
    let create = server.request(Method::POST, "Patient").header("If-None-Exist", "gender=male&_include=Patient:link");
    create.json(&json!({ "resourceType": "Patient" })).send().await.refused(400);
}
