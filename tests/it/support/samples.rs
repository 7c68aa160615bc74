//! Small resources about nobody.

use serde_json::{Value, json};

pub const SYSTEM: &str = "https://emberwell.example/mrn";

/// A Patient with an identifier.
pub fn patient(number: &str) -> Value {
    json!({ "resourceType": "Patient", "identifier": [{ "system": SYSTEM, "value": number }] })
}

pub fn patient_called(family: &str) -> Value {
    json!({ "resourceType": "Patient", "name": [{ "family": family }] })
}

/// The search that finds the patient with this number.
pub fn identifier(number: &str) -> String {
    format!("identifier={SYSTEM}|{number}")
}

/// A final Observation about `subject`, such as `Patient/1`.
pub fn observation(subject: &str, kilograms: &str) -> Value {
    let quantity = format!(r#"{{"value":{kilograms},"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}"#);
    json!({
        "resourceType": "Observation",
        "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "29463-7" }] },
        "subject": { "reference": subject },
        "valueQuantity": serde_json::from_str::<Value>(&quantity).unwrap(),
    })
}

/// A Bundle of `kind`, such as `transaction`.
pub fn bundle(kind: &str, entries: &[Value]) -> Value {
    json!({ "resourceType": "Bundle", "type": kind, "entry": entries })
}

/// The statuses of the entries, without their reasons.
pub fn statuses(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|entry| entry["response"]["status"].as_str().unwrap()[..3].to_owned()).collect()
}
