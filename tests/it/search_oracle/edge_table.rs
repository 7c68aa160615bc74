//! Single cases that a search once got wrong.
//!
//! Spec: R4 search.html

use serde_json::{Value, json};

use crate::search_oracle::{encoded, fill};
use crate::support::{TestServer, on_both};

on_both!(each_case_is_found, partial_matches_of_urns_are_refused);

const URN: &str = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";

/// Parameter and value, and the ids that it finds among the resources of [`resources`].
const CASES: &[(&str, &str, &[&str])] = &[
    // "searching either "Carreno" or "Quinones" should match a family name of "Carreno Quinones""
    ("Patient?family", "Quinones", &["p1"]),
    ("Patient?family", "carreño", &["p1"]),
    ("Patient?family", "uinones", &[]),
    ("Patient?family:exact", "Quinones", &[]),
    ("Patient?name", "quinones", &["p1"]),
    // A reference without a target is there.
    ("Condition?encounter:missing", "false", &["by-contained", "by-display", "by-identifier", "by-urn"]),
    ("Condition?encounter:missing", "true", &["by-extension", "none"]),
    ("Condition?encounter", URN, &["by-urn"]),
    // So is a code of which there is only the text.
    ("Condition?code:missing", "false", &["by-display", "by-identifier"]),
    ("Condition?code:missing", "true", &["by-contained", "by-extension", "by-urn", "none"]),
    ("Condition?code:not", "x", &["by-contained", "by-display", "by-extension", "by-identifier", "by-urn", "none"]),
    ("ValueSet?url", "urn:oid:1.2.3", &["v1"]),
    ("ValueSet?url:below", "http://x.example/", &["v2"]),
    // A parameter of all types, asked of the one that a chain names.
    ("List?subject:Patient._tag", "t", &["of-patient"]),
    ("List?subject:Group._tag", "t", &["of-group"]),
    ("List?subject._tag", "t", &["of-group", "of-patient"]),
    ("List?subject:Group._has:List:subject:_tag", "t", &[]),
    // Figures that the page prints.
    ("RiskAssessment?probability", "1e2", &["r100", "r95"]),
    ("RiskAssessment?probability", "100", &["r100"]),
    ("RiskAssessment?probability", "1.00e2", &["r100"]),
    ("RiskAssessment?probability", "ne1e2", &["r105", "r94"]),
    ("RiskAssessment?probability", "gt1e2", &["r105"]),
];

fn resources() -> Vec<Value> {
    let condition = |id: &str, encounter: Value, code: Value| {
        let mut resource = json!({ "resourceType": "Condition", "id": id, "subject": { "reference": "Patient/p1" } });
        for (name, value) in [("encounter", encounter), ("code", code)] {
            if !value.is_null() {
                resource[name] = value;
            }
        }
        resource
    };
    let risk = |number: u32| {
        json!({ "resourceType": "RiskAssessment", "id": format!("r{number}"), "status": "final",
            "subject": { "reference": "Patient/p1" }, "prediction": [{ "probabilityDecimal": number }] })
    };
    let mut contained = condition("by-contained", json!({ "reference": "#e" }), Value::Null);
    contained["contained"] =
        json!([{ "resourceType": "Encounter", "id": "e", "status": "planned", "class": { "code": "x" } }]);
    let unknown = json!({ "extension": [{
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown" }] });
    let mut all = vec![
        json!({ "resourceType": "Patient", "id": "p1", "name": [{ "family": "Carreno Quinones" }] }),
        json!({ "resourceType": "ValueSet", "id": "v1", "status": "draft", "url": "urn:oid:1.2.3" }),
        json!({ "resourceType": "ValueSet", "id": "v2", "status": "draft", "url": "http://x.example/fhir" }),
        condition("none", Value::Null, Value::Null),
        condition("by-display", json!({ "display": "ward" }), json!({ "coding": [{ "display": "cough" }] })),
        condition("by-identifier", json!({ "identifier": { "value": "1" } }), json!({ "text": "cough" })),
        condition("by-urn", json!({ "reference": URN }), Value::Null),
        condition("by-extension", unknown.clone(), unknown),
        contained,
    ];
    let tagged = |type_name: &str, id: &str| json!({ "resourceType": type_name, "id": id, "meta": { "tag": [{ "code": "t" }] } });
    let mut group = tagged("Group", "g1");
    (group["type"], group["actual"]) = (json!("person"), json!(true));
    all.extend([tagged("Patient", "p2"), group]);
    all.extend([("of-patient", "Patient/p2"), ("of-group", "Group/g1")].map(|(id, subject)| {
        json!({ "resourceType": "List", "id": id, "status": "current", "mode": "working",
            "subject": { "reference": subject } })
    }));
    all.extend([94, 95, 100, 105].map(risk));
    all
}

async fn each_case_is_found(server: &TestServer) {
    fill(server, &resources()).await;

    for (parameter, value, wanted) in CASES {
        let mut found = server.found(&format!("{parameter}={}", encoded(value))).await;
        found.sort();
        assert_eq!(&found, wanted, "{parameter}={value}");
    }
}

/// "The :above and :below modifiers only apply to URLs, and not URNS such as OIDs"
async fn partial_matches_of_urns_are_refused(server: &TestServer) {
    for name in ["url:below", "url:above", "_source:below", "_profile:above"] {
        let issue = server.get(&format!("ValueSet?{name}=urn:oid:1.2.3")).await.refused(400);

        let text = issue["details"]["text"].as_str().unwrap();
        assert!(text.contains(name) && text.contains("compare URLs"), "{text}");
    }
}
