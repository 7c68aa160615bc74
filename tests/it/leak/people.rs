//! The cast: A, who looks; B, who is not to be seen; M, a child of whom A sees only some; and what leads from one to another.
//!
//! In each text `@name@` is the id of what has this name, and `@!name@` a word that it alone bears.

use serde_json::{Value, json};

use crate::leak::strangers::strangers;
use crate::leak::world::Kind;

/// A resource, with its versions in their order.
pub struct Item {
    pub name: &'static str,
    pub resource_type: String,
    /// The letters of the tokens that see its last version.
    pub seen: &'static str,
    /// As JSON.
    pub versions: Vec<String>,
    pub is_deleted: bool,
}

impl Item {
    pub fn is_seen_by(&self, kind: Kind) -> bool {
        let letter = match kind {
            Kind::Whole => 'w',
            Kind::Observations => 'o',
            Kind::Laboratory => 'l',
            Kind::Family => 'f',
            Kind::Patients => 's',
        };
        self.seen.contains(letter)
    }

    /// A version of which nothing can be told.
    pub fn blank(&self) -> String {
        let last: Value = serde_json::from_str(self.versions.last().unwrap()).unwrap();
        json!({ "resourceType": last["resourceType"], "id": last["id"], "status": "unknown",
            "code": { "text": "blank" } })
        .to_string()
    }

    pub fn before(mut self, version: Value) -> Item {
        self.versions.insert(0, with_id(self.name, version));
        self
    }

    pub fn deleted(self) -> Item {
        Item { is_deleted: true, ..self }
    }
}

fn with_id(name: &str, mut resource: Value) -> String {
    resource["id"] = json!(format!("@{name}@"));
    resource.to_string()
}

pub fn item(name: &'static str, seen: &'static str, resource: Value) -> Item {
    let resource_type = resource["resourceType"].as_str().unwrap().to_owned();
    Item { name, resource_type, seen, versions: vec![with_id(name, resource)], is_deleted: false }
}

/// A reference to `Type/name`, of the cast.
pub fn to(target: &str) -> Value {
    let (of, name) = target.split_once('/').unwrap();
    json!({ "reference": format!("{of}/@{name}@") })
}

/// All of them.
pub fn items() -> Vec<Item> {
    let mut all = shared();
    all.extend(own());
    all.extend(strangers());
    all.extend(between());
    all
}

/// Says `word` wherever an Observation can say it.
pub fn observation(subject: &str, category: &str, word: &str) -> Value {
    json!({ "resourceType": "Observation", "status": "final",
        "text": { "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">@!{word}@</div>") },
        "identifier": [{ "system": "urn:x:number", "value": format!("@!{word}@") }],
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": category, "display": format!("@!{word}@") }] }],
        "code": { "coding": [{ "system": "http://loinc.org", "code": "29463-7" }], "text": format!("@!{word}@") },
        "subject": to(subject), "effectiveDateTime": "2026-02-03",
        "valueQuantity": { "value": 70, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg" },
        "component": [{ "code": { "coding": [{ "system": "http://loinc.org", "code": "8480-6" }] },
            "valueQuantity": { "value": 120, "unit": "mm[Hg]", "system": "http://unitsofmeasure.org", "code": "mm[Hg]" } }],
        "note": [{ "text": format!("@!{word}@") }] })
}

pub fn with(mut resource: Value, parts: Value) -> Value {
    for (name, part) in parts.as_object().unwrap() {
        resource[name] = part.clone();
    }
    resource
}

pub fn patient(word: &str) -> Value {
    json!({ "resourceType": "Patient", "identifier": [{ "system": "urn:x:number", "value": format!("@!{word}@") }],
        "name": [{ "family": format!("@!{word}@"), "given": ["Birch"] }], "gender": "female", "birthDate": "1951-07-08",
        "address": [{ "city": format!("@!{word}@") }], "telecom": [{ "system": "email", "value": format!("@!{word}@") }],
        "generalPractitioner": [to("Practitioner/doc")], "managingOrganization": to("Organization/org") })
}

pub fn about(resource_type: &str, by: &str, subject: &str, word: &str, parts: Value) -> Value {
    let mut resource = json!({ "resourceType": resource_type,
        "identifier": [{ "system": "urn:x:number", "value": format!("@!{word}@") }] });
    resource[by] = to(subject);
    with(resource, parts)
}

pub fn diabetes() -> Value {
    json!({ "coding": [{ "system": "http://snomed.info/sct", "code": "73211009" }] })
}

/// What belongs to nobody's record.
fn shared() -> Vec<Item> {
    vec![
        item("org", "wf", json!({ "resourceType": "Organization", "name": "House" })),
        item("doc", "wf", json!({ "resourceType": "Practitioner", "name": [{ "family": "Doc" }] })),
        item(
            "role",
            "wf",
            json!({ "resourceType": "PractitionerRole", "practitioner": to("Practitioner/doc"),
            "organization": to("Organization/org") }),
        ),
        item(
            "ward",
            "wf",
            json!({ "resourceType": "Location", "name": "Ward",
            "position": { "latitude": 47.2, "longitude": 9.4 } }),
        ),
        item("drug", "wf", json!({ "resourceType": "Medication", "code": { "text": "Drug" } })),
        item("quiz", "wf", json!({ "resourceType": "Questionnaire", "url": "http://x.example/q", "status": "active" })),
        item(
            "codes",
            "wf",
            json!({ "resourceType": "ValueSet", "url": "http://x.example/codes", "status": "active",
            "compose": { "include": [{ "system": "http://loinc.org", "concept": [{ "code": "29463-7" }] }] } }),
        ),
    ]
}

/// What A sees, and what A's apps do not.
fn own() -> Vec<Item> {
    let lab = |word: &str| observation("Patient/a", "laboratory", word);
    let labelled = |word: &str, system: &str, code: &str| {
        with(lab(word), json!({ "meta": { "security": [{ "system": system, "code": code }] } }))
    };
    let personal = "https://emberwell.example/CodeSystem/security-label";
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    vec![
        item(
            "a",
            "wfs",
            with(
                patient("a"),
                json!({ "name": [{ "family": "Ash" }],
            "link": [{ "other": to("Patient/linked"), "type": "seealso" }] }),
            ),
        ),
        item("m", "fs", with(patient("m"), json!({ "name": [{ "family": "Ash" }] }))),
        item(
            "a-vital",
            "wof",
            with(
                observation("Patient/a", "vital-signs", "a-vital"),
                json!({ "performer": [to("Practitioner/doc")], "encounter": to("Encounter/a-visit") }),
            ),
        ),
        item("a-lab", "wolf", with(lab("a-lab"), json!({ "performer": [to("Practitioner/doc")] }))),
        item("a-personal", "", labelled("a-personal", personal, "personal")),
        item("a-restricted", "", labelled("a-restricted", confidentiality, "R")),
        item("a-secret", "", labelled("a-secret", confidentiality, "V")),
        item("moved-in", "wolf", lab("moved-in")).before(observation("Patient/b", "laboratory", "moved-in.1")),
        item("moved-out", "", observation("Patient/b", "laboratory", "moved-out")).before(lab("moved-out.1")),
        // It leads to all kinds of things of B.
        item(
            "a-leads",
            "wof",
            with(
                observation("Patient/a", "vital-signs", "a-leads"),
                json!({
            "focus": [to("Patient/linked"), { "reference": "Observation/@led-to@/_history/1" }],
            "hasMember": [to("Observation/led-to")], "derivedFrom": [to("DocumentReference/led-to-letter")],
            "encounter": to("Encounter/led-to-visit"), "device": to("Device/led-to-device"),
            "performer": [to("Patient/linked")] }),
            ),
        ),
        item(
            "a-holds",
            "wof",
            with(
                observation("Patient/a", "vital-signs", "a-holds"),
                json!({
            "contained": [{ "resourceType": "Practitioner", "id": "p", "name": [{ "family": "Inside" }] },
                { "resourceType": "Observation", "id": "o", "status": "final", "code": { "text": "inside" },
                  "subject": to("Patient/linked") }],
            "performer": [{ "reference": "#p" }], "hasMember": [{ "reference": "#o" }] }),
            ),
        ),
        item(
            "a-diabetes",
            "wf",
            about("Condition", "subject", "Patient/a", "a-diabetes", json!({ "code": diabetes() })),
        ),
        item(
            "a-visit",
            "wf",
            about(
                "Encounter",
                "subject",
                "Patient/a",
                "a-visit",
                json!({ "status": "finished",
            "class": { "code": "AMB" }, "participant": [{ "individual": to("Practitioner/doc") }] }),
            ),
        ),
        item("a-text", "wf", json!({ "resourceType": "Binary", "contentType": "text/plain", "data": "b3du" })),
        item(
            "a-letter",
            "wf",
            about(
                "DocumentReference",
                "subject",
                "Patient/a",
                "a-letter",
                json!({
            "status": "current", "content": [{ "attachment": { "url": "Binary/@a-text@" } }] }),
            ),
        ),
        item(
            "a-list",
            "wf",
            about(
                "List",
                "subject",
                "Patient/a",
                "a-list",
                json!({ "status": "current",
            "mode": "working", "entry": [{ "item": to("Observation/a-vital") }, { "item": to("Observation/led-to") }] }),
            ),
        ),
        item("a-device", "wf", about("Device", "patient", "Patient/a", "a-device", json!({}))),
        item(
            "a-order",
            "wf",
            about(
                "MedicationRequest",
                "subject",
                "Patient/a",
                "a-order",
                json!({ "status": "active",
            "intent": "order", "medicationReference": to("Medication/drug"), "requester": to("Practitioner/doc") }),
            ),
        ),
        item("a-proof", "wf", proof(&["Observation/a-vital"], "a-proof")),
        item("m-lab", "f", observation("Patient/m", "laboratory", "m-lab")),
        item("m-diabetes", "", about("Condition", "subject", "Patient/m", "m-diabetes", json!({ "code": diabetes() }))),
    ]
}

pub fn proof(targets: &[&str], word: &str) -> Value {
    json!({ "resourceType": "Provenance", "target": targets.iter().map(|target| to(target)).collect::<Vec<_>>(),
        "recorded": "2026-01-01T00:00:00Z", "reason": [{ "text": format!("@!{word}@") }],
        "agent": [{ "who": to("Practitioner/doc"), "onBehalfOf": to("Organization/org") }] })
}

/// What leads from one to another.
fn between() -> Vec<Item> {
    vec![
        item(
            "cohort",
            "",
            json!({ "resourceType": "Group", "type": "person", "actual": true, "name": "@!cohort@",
            "member": [{ "entity": to("Patient/a") }, { "entity": to("Patient/b") }] }),
        ),
        item(
            "b-list",
            "",
            about(
                "List",
                "subject",
                "Patient/b",
                "b-list",
                json!({ "status": "current",
            "mode": "working", "title": "@!b-list@", "source": to("Patient/a"),
            "entry": [{ "item": to("Observation/a-vital") }, { "item": to("Observation/b-lab") }] }),
            ),
        ),
        item("b-proof", "", proof(&["Observation/b-vital"], "b-proof")),
        item("mixed-proof", "", proof(&["Observation/a-vital", "Observation/b-vital"], "mixed-proof")),
        item("gone-proof", "", proof(&["Observation/a-vital", "Observation/b-gone"], "gone-proof")),
        item(
            "b-audit",
            "",
            json!({ "resourceType": "AuditEvent", "type": { "code": "rest", "display": "@!b-audit@" },
            "recorded": "2026-01-01T00:00:00Z", "agent": [{ "requestor": true, "who": to("Patient/a") }],
            "source": { "observer": { "display": "x" } }, "entity": [{ "what": to("Patient/b") }] }),
        ),
        item(
            "b-document",
            "",
            json!({ "resourceType": "Bundle", "type": "document", "timestamp": "2026-01-01T00:00:00Z",
            "identifier": { "system": "urn:x:number", "value": "@!b-document@" },
            "entry": [{ "fullUrl": "urn:uuid:6b0c1d52-0b0e-4b38-9d1e-111111111111", "resource": {
                "resourceType": "Composition", "status": "final", "type": { "text": "@!b-document@" },
                "subject": to("Patient/b"), "author": [to("Patient/a")], "date": "2026-01-01", "title": "x" } }] }),
        ),
        item(
            "b-watch",
            "",
            json!({ "resourceType": "Subscription", "status": "off", "reason": "@!b-watch@",
            "criteria": "Observation?subject=Patient/@a@", "channel": { "type": "rest-hook" } }),
        ),
    ]
}
