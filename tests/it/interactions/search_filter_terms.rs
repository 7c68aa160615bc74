//! `_filter` by value sets and hierarchies of codes: `ss`, `sb`, `in` and `ni`.
//!
//! Spec: R4 search_filter.html#ops

use serde_json::{Value, json};

use crate::search_oracle::{encoded, fill};
use crate::support::{TestServer, on_both};

on_both!(operators_ask_terminology, what_is_not_known_is_named);

const ANIMALS: &str = "urn:emberwell.example:animals";

fn seen(id: &str, codes: &[&str]) -> Value {
    let codings: Vec<Value> = codes.iter().map(|code| json!({ "system": ANIMALS, "code": code })).collect();
    let mut seen = json!({
        "resourceType": "Observation", "id": id, "status": "final", "code": { "text": "what was seen" },
        "valueCodeableConcept": { "coding": codings }, "subject": { "reference": "Patient/ada" }
    });
    if codes.is_empty() {
        seen.as_object_mut().unwrap().remove("valueCodeableConcept");
    }
    seen
}

fn world() -> Vec<Value> {
    let mut words = seen("words", &[]);
    words["valueCodeableConcept"] = json!({ "text": "something furry" });
    vec![
        json!({
            "resourceType": "CodeSystem", "id": "animals", "url": ANIMALS, "status": "active", "content": "complete",
            "hierarchyMeaning": "is-a",
            "concept": [{ "code": "animal", "concept": [
                { "code": "mammal", "concept": [{ "code": "cat" }, { "code": "bat" }] }, { "code": "fish" }
            ] }]
        }),
        json!({
            "resourceType": "ValueSet", "id": "wings", "url": "http://emberwell.example/wings", "status": "active",
            "compose": { "include": [{ "system": ANIMALS, "concept": [{ "code": "bat" }, { "code": "bird" }] }] }
        }),
        json!({ "resourceType": "Patient", "id": "ada", "gender": "female" }),
        seen("cat", &["cat"]),
        seen("mammal", &["mammal"]),
        seen("fish", &["fish"]),
        seen("fight", &["cat", "bat"]),
        seen("nothing", &[]),
        words,
    ]
}

async fn operators_ask_terminology(server: &TestServer) {
    fill(server, &world()).await;
    let literal = format!("value-concept in {}/ValueSet/wings", server.base);
    let cases: [(&str, &[&str]); 16] = [
        // The value subsumes a concept, or is subsumed by one.
        ("value-concept ss urn:emberwell.example:animals|mammal", &["cat", "fight", "mammal"]),
        ("value-concept ss urn:emberwell.example:animals|bat", &["fight"]),
        ("value-concept sb urn:emberwell.example:animals|bat", &["fight", "mammal"]),
        ("value-concept sb urn:emberwell.example:animals|animal", &[]),
        ("value-concept in http://emberwell.example/wings", &["fight"]),
        ("value-concept in ValueSet/wings", &["fight"]),
        (&literal, &["fight"]),
        // None of the concepts that there are; what has no value has none.
        ("value-concept ni ValueSet/wings", &["cat", "fish", "mammal", "words"]),
        ("not (value-concept ni ValueSet/wings)", &["fight", "nothing"]),
        ("not (value-concept in ValueSet/wings)", &["cat", "fish", "mammal", "nothing", "words"]),
        ("not (value-concept ss urn:emberwell.example:animals|mammal)", &["fish", "nothing", "words"]),
        (
            "value-concept ni ValueSet/wings and value-concept ss urn:emberwell.example:animals|mammal",
            &["cat", "mammal"],
        ),
        ("value-concept in ValueSet/wings or value-concept sb urn:emberwell.example:animals|fish", &["fight", "fish"]),
        (
            "patient.gender in http://hl7.org/fhir/ValueSet/administrative-gender and value-concept pr false",
            &["nothing"],
        ),
        ("patient[gender ni http://hl7.org/fhir/ValueSet/administrative-gender]._id eq ada", &[]),
        ("status ss final and value-concept in ValueSet/wings", &["fight"]),
    ];
    for (filter, wanted) in cases {
        let search = format!("Observation?_filter={}", encoded(filter));
        let mut found = server.found(&search).await;
        found.sort();
        assert_eq!(found, wanted, "{filter}");
        let beside = server.found(&format!("{search}&subject=Patient/ada&_total=accurate")).await;
        assert_eq!(beside.len(), wanted.len(), "{filter}");
    }
    let by_patients = format!(
        "Patient?_has:Observation:patient:_filter={}",
        encoded("value-concept ni ValueSet/wings and value-concept ss urn:emberwell.example:animals|fish")
    );
    assert_eq!(server.found(&by_patients).await, ["ada"]);
    let condition = format!("Observation?_filter={}", encoded("value-concept in ValueSet/wings"));
    server.delete(&condition).await.expect(204);
    assert_eq!(server.found(&condition).await, [""; 0]);
}

async fn what_is_not_known_is_named(server: &TestServer) {
    let cases = [
        ("code in http://emberwell.example/teapot", "what '_filter' means is not known: the ValueSet"),
        ("code ni ValueSet/teapot", "what '_filter' means is not known: the ValueSet"),
        ("code ss http://snomed.info/sct|1", "the CodeSystem 'http://snomed.info/sct' is not known here"),
        ("code sb snomed|1", "the CodeSystem 'http://snomed.info/sct' is not known here"),
    ];
    for (filter, problem) in cases {
        let refused = server.get(&format!("Observation?_filter={}", encoded(filter))).await.refused(400);
        let text = refused["details"]["text"].as_str().unwrap();
        assert!(text.contains(problem), "{filter}: {text}");
    }
}
