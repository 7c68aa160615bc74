//! Search across resources, by composites, and by what tokens and references say besides their values.
//!
//! Spec: R4 search.html#chaining, #has, #list, #composite, #modifiers

use serde_json::{Value, json};

use crate::support::{TestServer, on_both};

on_both!(
    chains_and_their_reverse_go_through_any_number_of_references,
    composites_match_within_one_repetition,
    tokens_and_references_are_found_by_what_people_read_and_by_identifiers,
    types_that_are_searched_together_are_each_asked_by_their_own_parameter,
    names_that_lead_nowhere_are_refused,
);

async fn fill(server: &TestServer) {
    let quantity =
        |value: f64| json!({ "value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]" });
    let code =
        |code: &str, text: &str| json!({ "coding": [{ "system": "http://loinc.org", "code": code, "display": text }] });
    let component = |of: Value, value: f64| json!({ "code": of, "valueQuantity": quantity(value) });
    let (systolic, diastolic) = (code("8480-6", "Systolic blood pressure"), code("8462-4", "Diastolic blood pressure"));
    let pressure = |id: &str, patient: &str, high: f64, low: f64| {
        json!({
            "resourceType": "Observation", "id": id, "status": "final", "code": code("85354-9", "Blood pressure panel"),
            "subject": { "reference": format!("Patient/{patient}") },
            "performer": [{ "reference": "Practitioner/dora" }],
            "component": [component(systolic.clone(), high), component(diastolic.clone(), low)]
        })
    };
    let resources = [
        json!({ "resourceType": "Organization", "id": "clinic", "name": "Harbour Clinic" }),
        json!({ "resourceType": "Practitioner", "id": "dora", "name": [{ "family": "Quill" }] }),
        json!({
            "resourceType": "Patient", "id": "eve", "gender": "female", "name": [{ "family": "Moor" }],
            "managingOrganization": { "reference": "Organization/clinic" },
            "identifier": [{
                "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR" }], "text": "Record number" },
                "system": "urn:mrn", "value": "77"
            }]
        }),
        json!({ "resourceType": "Patient", "id": "max", "gender": "male", "name": [{ "family": "Moor" }] }),
        pressure("o1", "eve", 150.0, 80.0),
        pressure("o2", "max", 80.0, 150.0),
        json!({
            "resourceType": "Observation", "id": "o3", "status": "final", "code": code("8867-4", "Heart rate"),
            "subject": { "type": "Patient", "identifier": { "system": "urn:mrn", "value": "77" } }, "valueQuantity": { "value": 60 }
        }),
        json!({
            "resourceType": "Condition", "id": "c1", "subject": { "reference": "Patient/eve" },
            "code": { "coding": [{ "system": "urn:c", "code": "x" }], "text": "Sore throat" }
        }),
        json!({
            "resourceType": "List", "id": "l", "status": "current", "mode": "working",
            "entry": [{ "item": { "reference": "Patient/max" } }, { "item": { "reference": "Condition/c1" } }]
        }),
    ];
    for resource in resources {
        let (type_name, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        server.put(&format!("{type_name}/{id}"), &resource).await.expect(201);
    }
}

/// Checks which ids each search finds, in the order of the alphabet.
async fn check(server: &TestServer, cases: &[(&str, &[&str])]) {
    for (search, wanted) in cases {
        let mut found = server.found(search).await;
        found.sort();
        assert_eq!(found, *wanted, "{search}");
    }
}

async fn chains_and_their_reverse_go_through_any_number_of_references(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            ("Observation?patient.name=moor", &["o1", "o2"]),
            ("Observation?subject:Patient.gender=female", &["o1"]),
            ("Observation?subject.gender=male", &["o2"]),
            ("Observation?patient.gender:not=male", &["o1"]),
            ("Observation?patient.organization.name=harbour", &["o1"]),
            ("Observation?patient.organization.name:contains=clinic&performer:Practitioner.name=quill", &["o1"]),
            ("Observation?patient.organization:missing=true", &["o2"]),
            ("Observation?patient._id=eve,max", &["o1", "o2"]),
            ("Observation?patient.name=nobody", &[]),
            ("Patient?_has:Observation:patient:code=85354-9", &["eve", "max"]),
            ("Patient?_has:Observation:patient:code=8867-4", &[]),
            ("Patient?_has:Observation:patient:_id=o2", &["max"]),
            ("Patient?_has:Observation:subject:performer:Practitioner.name=quill&gender=male", &["max"]),
            ("Organization?_has:Patient:organization:_has:Observation:patient:code=85354-9", &["clinic"]),
            ("Observation?patient._has:Condition:subject:code=x", &["o1"]),
            ("Practitioner?_has:Observation:performer:status=final", &["dora"]),
            ("Patient?_list=l", &["max"]),
            ("Condition?_list=List/l,nothing", &["c1"]),
            ("Observation?patient._list=l", &["o2"]),
        ],
    )
    .await;
    server.delete("Observation/o1").await.expect(204);
    check(server, &[("Patient?_has:Observation:patient:code=85354-9", &["max"])]).await;
}

async fn composites_match_within_one_repetition(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            ("Observation?component-code-value-quantity=8480-6$gt140", &["o1"]),
            ("Observation?component-code-value-quantity=http://loinc.org|8462-4$gt140", &["o2"]),
            ("Observation?combo-code-value-quantity=8480-6$80,8867-4$60", &["o2", "o3"]),
            ("Observation?code-value-quantity=8867-4$lt61", &["o3"]),
            ("Observation?code-value-quantity=8867-4$gt61", &[]),
            ("Observation?component-code-value-quantity:missing=true", &["o3"]),
        ],
    )
    .await;
}

async fn tokens_and_references_are_found_by_what_people_read_and_by_identifiers(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            ("Observation?code:text=blood", &["o1", "o2"]),
            ("Observation?combo-code:text=SYSTOLIC", &["o1", "o2"]),
            ("Condition?code:text=sore,nothing", &["c1"]),
            ("Condition?code:text=throat", &[]),
            ("Patient?identifier:text=record", &["eve"]),
            ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|77", &["eve"]),
            ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|SS|77", &[]),
            ("Observation?subject:identifier=urn:mrn|77", &["o3"]),
            ("Observation?patient:identifier=77", &["o3"]),
            ("Observation?subject:identifier=urn:other|77", &[]),
        ],
    )
    .await;
}

async fn types_that_are_searched_together_are_each_asked_by_their_own_parameter(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            ("?_type=Observation,Condition&subject=Patient/eve", &["c1", "o1"]),
            ("?_type=Observation,Condition&code:not=x", &["o1", "o2", "o3"]),
            ("?_type=Observation,Condition&patient.name=moor", &["c1", "o1", "o2"]),
            ("?_type=Patient,Organization&_id=eve,clinic", &["clinic", "eve"]),
        ],
    )
    .await;
    server.get("?_type=Observation,Organization&subject=Patient/eve").await.refused(400);
}

async fn names_that_lead_nowhere_are_refused(server: &TestServer) {
    for search in [
        "Observation?patient.teapot=1",
        "Observation?code.name=x",
        "Observation?patient:Teapot.name=x",
        "Patient?_has:Observation:patient=1",
        "Patient?_has:Teapot:patient:code=1",
        "Patient?_has:Observation:code:code=1",
        "Observation?component-code-value-quantity=8480-6",
        "Observation?component-code-value-quantity=a$b$c",
        "Patient?identifier:of-type=77",
        "Patient?gender:of-type=a|b|c",
        "Patient?_list=$current-problems",
        "Organization?partof.partof.partof.partof.partof.partof.partof.partof.partof.name=x",
    ] {
        server.get(search).await.refused(400);
    }
}
