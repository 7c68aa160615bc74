//! Those of the cast who are not to be seen by A: what is B's, what Consents keep back, and where A has a part that gives nothing.

use serde_json::json;

use crate::leak::people::{Item, about, diabetes, item, observation, patient, proof, to, with};

/// What is B's, and that to which something of A leads.
pub fn strangers() -> Vec<Item> {
    let vital = |word: &str| observation("Patient/b", "vital-signs", word);
    let letter = |word: &str, binary: &str| {
        about(
            "DocumentReference",
            "subject",
            "Patient/b",
            word,
            json!({ "status": "current",
            "author": [to("Patient/a")], "description": format!("@!{word}@"),
            "content": [{ "attachment": { "title": format!("@!{word}@"), "url": format!("Binary/@{binary}@") } }] }),
        )
    };
    let binary = |word: &str| {
        json!({ "resourceType": "Binary", "contentType": "text/plain",
        "data": "enFzZWNyZXQ=", "securityContext": { "display": format!("@!{word}@") } })
    };
    let mut all = vec![
        item("b", "s", with(patient("b"), json!({ "link": [{ "other": to("Patient/a"), "type": "seealso" }] }))),
        item("linked", "s", patient("linked")),
        item(
            "hushed",
            "",
            with(
                patient("hushed"),
                json!({ "meta": { "security": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R" }] } }),
            ),
        ),
        item("b-vital", "", with(vital("b-vital"), json!({ "performer": [to("Patient/a")] })))
            .before(vital("b-vital.2"))
            .before(vital("b-vital.1")),
        item(
            "b-lab",
            "",
            with(
                observation("Patient/b", "laboratory", "b-lab"),
                json!({
            "performer": [to("Practitioner/doc")], "encounter": to("Encounter/b-visit"), "valueQuantity": {
                "value": 4242.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg" } }),
            ),
        ),
        item("b-gone", "", vital("b-gone")).deleted(),
        item("led-to", "", with(vital("led-to"), json!({ "performer": [to("Practitioner/doc")] }))),
        item(
            "b-holds",
            "",
            with(
                vital("b-holds"),
                json!({ "contained": [{ "resourceType": "Patient", "id": "p",
            "name": [{ "family": "@!b-holds@" }] }], "focus": [{ "reference": "#p" }] }),
            ),
        ),
        item(
            "b-names-a",
            "",
            with(
                vital("b-names-a"),
                json!({ "hasMember": [to("Observation/a-vital")],
            "focus": [to("Patient/a")] }),
            ),
        ),
        item(
            "b-diabetes",
            "",
            about(
                "Condition",
                "subject",
                "Patient/b",
                "b-diabetes",
                json!({ "code": diabetes(),
            "asserter": to("Patient/a"), "note": [{ "text": "@!b-diabetes@" }] }),
            ),
        ),
        item(
            "b-visit",
            "",
            about(
                "Encounter",
                "subject",
                "Patient/b",
                "b-visit",
                json!({ "status": "finished",
            "class": { "code": "AMB" }, "participant": [{ "individual": to("Practitioner/doc") }],
            "location": [{ "location": to("Location/ward") }] }),
            ),
        ),
        item(
            "led-to-visit",
            "",
            about(
                "Encounter",
                "subject",
                "Patient/linked",
                "led-to-visit",
                json!({
            "status": "finished", "class": { "code": "AMB" } }),
            ),
        ),
        item("led-to-device", "", about("Device", "patient", "Patient/b", "led-to-device", json!({}))),
        item("b-text", "", binary("b-text")),
        item("b-letter", "", letter("b-letter", "b-text")),
        item("led-to-letter", "", letter("led-to-letter", "b-text")),
        item("gone-text", "", binary("gone-text")),
        item("gone-letter", "", letter("gone-letter", "gone-text")).deleted(),
        item("lone-text", "", binary("lone-text")),
        item(
            "owned-text",
            "",
            json!({ "resourceType": "Binary", "contentType": "text/plain", "data": "enFzZWNyZXQ=",
            "securityContext": to("Patient/b") }),
        ),
        item(
            "b-report",
            "",
            about(
                "DiagnosticReport",
                "subject",
                "Patient/b",
                "b-report",
                json!({ "status": "final",
            "code": { "text": "@!b-report@" }, "result": [to("Observation/b-lab"), to("Observation/a-lab")],
            "performer": [to("Practitioner/doc")] }),
            ),
        ),
        item(
            "b-order",
            "",
            about(
                "MedicationRequest",
                "subject",
                "Patient/b",
                "b-order",
                json!({ "status": "active",
            "intent": "order", "medicationReference": to("Medication/drug"), "requester": to("Patient/a") }),
            ),
        ),
        item(
            "b-wish",
            "",
            about(
                "ServiceRequest",
                "subject",
                "Patient/b",
                "b-wish",
                json!({ "status": "active",
            "intent": "order", "requester": to("Patient/a"), "code": { "text": "@!b-wish@" } }),
            ),
        ),
        item(
            "b-answers",
            "",
            json!({ "resourceType": "QuestionnaireResponse", "status": "completed",
            "questionnaire": "http://x.example/q", "subject": to("Patient/b"), "author": to("Patient/a"),
            "source": to("Patient/a"), "item": [{ "linkId": "1", "answer": [{ "valueString": "@!b-answers@" }] }] }),
        ),
        item(
            "b-note",
            "",
            json!({ "resourceType": "Composition", "status": "final", "type": { "text": "@!b-note@" },
            "subject": to("Patient/b"), "author": [to("Patient/a")], "date": "2026-01-01", "title": "@!b-note@",
            "section": [{ "title": "@!b-note@", "entry": [to("Observation/a-vital")] }] }),
        ),
    ];
    all.extend(parts_of_a());
    all.extend(kept_by_a_consent());
    all
}

/// What is A's own, but kept from all by a Consent, and with it this Consent and what is about it.
fn kept_by_a_consent() -> Vec<Item> {
    let instance = |target: &str| json!({ "meaning": "instance", "reference": to(target) });
    vec![
        item(
            "a-kept",
            "",
            with(
                observation("Patient/a", "laboratory", "a-kept"),
                json!({ "performer": [to("Practitioner/doc")], "hasMember": [to("Observation/a-vital")] }),
            ),
        )
        .before(observation("Patient/a", "laboratory", "a-kept.1")),
        item(
            "a-kept-text",
            "",
            json!({ "resourceType": "Binary", "contentType": "text/plain", "data": "enFzZWNyZXQ=" }),
        ),
        item(
            "a-kept-letter",
            "",
            about(
                "DocumentReference",
                "subject",
                "Patient/a",
                "a-kept-letter",
                json!({ "status": "current", "description": "@!a-kept-letter@",
                "content": [{ "attachment": { "url": "Binary/@a-kept-text@" } }] }),
            ),
        ),
        item(
            "a-refusal",
            "",
            about(
                "Consent",
                "patient",
                "Patient/a",
                "a-refusal",
                json!({ "status": "active", "scope": { "coding": [{ "code": "patient-privacy" }] },
                "category": [{ "text": "@!a-refusal@" }], "policyRule": { "text": "x" },
                "provision": { "type": "permit", "provision": [{ "type": "deny", "data": [
                    instance("Observation/a-kept"), instance("DocumentReference/a-kept-letter"),
                    instance("Consent/a-refusal")] }] } }),
            ),
        ),
        item("kept-proof", "", proof(&["Observation/a-kept"], "kept-proof")),
    ]
}

/// What is B's or nobody's, where A has a part that gives nothing.
fn parts_of_a() -> Vec<Item> {
    vec![
        item(
            "b-cover",
            "",
            json!({ "resourceType": "Coverage", "status": "active", "beneficiary": to("Patient/b"),
            "payor": [to("Patient/a")], "dependent": "@!b-cover@" }),
        ),
        item(
            "b-claim",
            "",
            about(
                "Claim",
                "patient",
                "Patient/b",
                "b-claim",
                json!({ "status": "active",
            "use": "claim", "type": { "text": "@!b-claim@" }, "created": "2026-01-01",
            "provider": to("Practitioner/doc"), "priority": { "text": "x" },
            "payee": { "type": { "text": "x" }, "party": to("Patient/a") },
            "insurance": [{ "sequence": 1, "focal": true, "coverage": to("Coverage/b-cover") }] }),
            ),
        ),
        item(
            "b-consent",
            "",
            about(
                "Consent",
                "patient",
                "Patient/b",
                "b-consent",
                json!({ "status": "active",
            "scope": { "text": "@!b-consent@" }, "category": [{ "text": "x" }], "performer": [to("Patient/a")],
            "policyRule": { "text": "x" }, "provision": { "actor": [{ "role": { "text": "x" },
            "reference": to("Patient/a") }] } }),
            ),
        ),
        item(
            "b-parent",
            "",
            about(
                "RelatedPerson",
                "patient",
                "Patient/b",
                "b-parent",
                json!({
            "name": [{ "family": "@!b-parent@" }] }),
            ),
        ),
        item(
            "person",
            "",
            json!({ "resourceType": "Person", "name": [{ "family": "@!person@" }],
            "link": [{ "target": to("Patient/a") }, { "target": to("Patient/b") }] }),
        ),
        item(
            "b-team",
            "",
            about(
                "CareTeam",
                "subject",
                "Patient/b",
                "b-team",
                json!({ "name": "@!b-team@",
            "participant": [{ "member": to("Patient/a") }] }),
            ),
        ),
        item(
            "b-flag",
            "",
            about(
                "Flag",
                "subject",
                "Patient/b",
                "b-flag",
                json!({ "status": "active",
            "code": { "text": "@!b-flag@" }, "author": to("Patient/a") }),
            ),
        ),
        item(
            "b-device",
            "",
            about("Device", "patient", "Patient/b", "b-device", json!({ "note": [{ "text": "@!b-device@" }] })),
        ),
        item(
            "b-basic",
            "",
            about(
                "Basic",
                "subject",
                "Patient/b",
                "b-basic",
                json!({ "code": { "text": "@!b-basic@" },
            "author": to("Patient/a") }),
            ),
        ),
        item(
            "nobodys",
            "",
            json!({ "resourceType": "Basic", "code": { "text": "@!nobodys@" }, "author": to("Patient/a") }),
        ),
    ]
}
