//! Two people and a child whose records have much to do with each other, so that every way from one to another is there.

use http::Method;
use serde_json::{Value, json};

use crate::support::holders::{self, Held};
use crate::support::{TestServer, bundle};

/// Fills the server, and gives the operator's token that did so.
///
/// `a` and `b` are two Patients, `m` a child. What is named `a-..` is part of the record of `a`, and so on. `a` performed
/// `b-weight`, both are at the practice of `doc`, and both are members of `cohort`.
pub async fn fill(server: &TestServer) -> Held {
    let operator = holders::operator(server);
    let entries: Vec<Value> = resources().into_iter().map(entry).collect();
    let request = server.request_as(&operator.token, Method::POST, "").json(&bundle("transaction", &entries));
    request.send().await.expect(200);
    operator
}

fn entry(resource: Value) -> Value {
    let url = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    json!({ "request": { "method": "PUT", "url": url }, "resource": resource })
}

pub fn weight(id: &str, patient: &str, performer: &str, category: &str) -> Value {
    json!({ "resourceType": "Observation", "id": id, "status": "final",
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category }] }],
        "code": { "coding": [{ "system": "http://loinc.org", "code": "29463-7" }] },
        "subject": { "reference": format!("Patient/{patient}") },
        "performer": [{ "reference": performer }],
        "valueQuantity": { "value": 70, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg" } })
}

fn resources() -> Vec<Value> {
    let person = |id: &str, family: &str| {
        json!({ "resourceType": "Patient", "id": id, "name": [{ "family": family }],
            "generalPractitioner": [{ "reference": "Practitioner/doc" }] })
    };
    let condition = |id: &str, patient: &str| {
        json!({ "resourceType": "Condition", "id": id, "subject": { "reference": format!("Patient/{patient}") },
            "code": { "coding": [{ "system": "http://snomed.info/sct", "code": "73211009" }] } })
    };
    let document = |id: &str, patient: &str, binary: &str| {
        json!({ "resourceType": "DocumentReference", "id": id, "status": "current",
            "subject": { "reference": format!("Patient/{patient}") },
            "content": [{ "attachment": { "contentType": "text/plain", "url": format!("Binary/{binary}") } }] })
    };
    let binary =
        |id: &str| json!({ "resourceType": "Binary", "id": id, "contentType": "text/plain", "data": "bWFya2Vy" });
    let provenance = |id: &str, targets: &[&str]| {
        let targets: Vec<Value> = targets.iter().map(|target| json!({ "reference": target })).collect();
        json!({ "resourceType": "Provenance", "id": id, "target": targets, "recorded": "2026-01-01T00:00:00Z",
            "agent": [{ "who": { "reference": "Practitioner/doc" } }] })
    };
    let mut personal = weight("a-personal", "a", "Practitioner/doc", "laboratory");
    personal["meta"] = json!({ "security": [{
        "system": "https://emberwell.example/CodeSystem/security-label", "code": "personal" }] });
    let mut restricted = weight("a-restricted", "a", "Practitioner/doc", "laboratory");
    restricted["meta"] = json!({ "security": [{
        "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R" }] });
    vec![
        json!({ "resourceType": "Practitioner", "id": "doc", "name": [{ "family": "Doc" }] }),
        person("a", "Ash"),
        person("b", "Birch"),
        person("m", "Ash"),
        weight("a-weight", "a", "Practitioner/doc", "vital-signs"),
        weight("a-lab", "a", "Practitioner/doc", "laboratory"),
        personal,
        restricted,
        weight("b-weight", "b", "Patient/a", "vital-signs"),
        weight("b-lab", "b", "Practitioner/doc", "laboratory"),
        weight("m-lab", "m", "Practitioner/doc", "laboratory"),
        condition("a-diabetes", "a"),
        condition("b-diabetes", "b"),
        document("a-letter", "a", "a-text"),
        document("b-letter", "b", "b-text"),
        binary("a-text"),
        binary("b-text"),
        binary("nobodys-text"),
        provenance("a-proof", &["Observation/a-weight"]),
        provenance("b-proof", &["Observation/b-weight"]),
        provenance("mixed-proof", &["Observation/a-weight", "Observation/b-weight"]),
        json!({ "resourceType": "Group", "id": "cohort", "type": "person", "actual": true,
            "member": [{ "entity": { "reference": "Patient/a" } }, { "entity": { "reference": "Patient/b" } }] }),
        json!({ "resourceType": "List", "id": "b-list", "status": "current", "mode": "working",
            "subject": { "reference": "Patient/b" }, "entry": [{ "item": { "reference": "Observation/a-weight" } }] }),
        json!({ "resourceType": "Basic", "id": "nobodys", "code": { "text": "x" } }),
        json!({ "resourceType": "Coverage", "id": "b-cover", "status": "active",
            "beneficiary": { "reference": "Patient/b" }, "payor": [{ "reference": "Patient/a" }] }),
    ]
}
