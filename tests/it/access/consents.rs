//! What Consents keep from whom.

use emberwell::store::{GrantLevel, Labels};
use http::Method;
use serde_json::{Value, json};

use crate::access::family::{fill, weight};
use crate::support::holders::{self, Granted};
use crate::support::{TestServer, bundle, on_both};

on_both!(closed:
    each_level_keeps_back_what_it_says,
    what_is_not_understood_keeps_back_more,
    several_consents_must_agree,
    nothing_is_written_that_a_consent_denies,
    no_search_tells_what_a_consent_keeps_back,
    an_old_version_is_judged_by_what_it_says,
);

pub const ITEMS: [&str; 8] = [
    "Patient/a",
    "Observation/a-weight",
    "Observation/a-lab",
    "Observation/a-restricted",
    "Condition/a-diabetes",
    "DocumentReference/a-letter",
    "Binary/a-text",
    "Provenance/a-proof",
];
pub const WEIGHT: &str = "Observation/a-weight";
pub const LAB: &str = "Observation/a-lab";
pub const RESTRICTED: &str = "Observation/a-restricted";
pub const DIABETES: &str = "Condition/a-diabetes";
const LETTER: &str = "DocumentReference/a-letter";
const TEXT: &str = "Binary/a-text";
pub const PROOF: &str = "Provenance/a-proof";

/// Everybody to whom something of A is granted, with all labels but what is personal.
pub struct Callers {
    pub doctor: String,
    pub relative: String,
    pub system: String,
    pub custodian: String,
    pub custodians_app: String,
    pub doctors_client: String,
}

impl Callers {
    pub async fn on(server: &TestServer) -> Callers {
        let system = fill(server).await.token;
        let granted = |user| Granted {
            labels: Labels::VeryRestricted,
            sees_history: true,
            fhir_user: Some(user),
            ..Granted::on("a")
        };
        let custody = Granted { level: GrantLevel::Custodian, ..granted("RelatedPerson/parent") };
        let doctor = holders::app(server, "user/*.cruds", None, &[granted("Practitioner/doc")]);
        let all = Granted { record: None, scopes: "system/*.cruds", labels: Labels::VeryRestricted, ..Granted::on("") };
        server.get_as(&system, "Patient/a").await.expect(200);
        Callers {
            doctors_client: doctor.client.clone().unwrap(),
            doctor: doctor.token,
            relative: holders::app(server, "user/*.cruds", None, &[granted("RelatedPerson/kin")]).token,
            system: holders::system(server, "system/*.cruds", &[all]).token,
            custodian: holders::person(server, "user/*.cruds", std::slice::from_ref(&custody)).token,
            custodians_app: holders::app(server, "user/*.cruds", None, &[custody]).token,
        }
    }
}

pub fn consent(id: &str, provision: Value) -> Value {
    json!({ "resourceType": "Consent", "id": id, "status": "active",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
        "category": [{ "coding": [{ "system": "http://loinc.org", "code": "59284-0" }] }],
        "patient": { "reference": "Patient/a" },
        "policyRule": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN" }] },
        "provision": provision })
}

pub fn doctor() -> Value {
    person("Practitioner/doc")
}

pub fn person(reference: &str) -> Value {
    json!([{ "role": { "text": "x" }, "reference": { "reference": reference } }])
}

pub fn class(code: &str) -> Value {
    json!([{ "system": "http://hl7.org/fhir/resource-types", "code": code }])
}

pub fn label(code: &str) -> Value {
    json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code }])
}

fn action(code: &str) -> Value {
    json!([{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": code }] }])
}

pub async fn put(server: &TestServer, token: &str, resource: &Value) {
    let path = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    let answer = server.request_as(token, Method::PUT, &path).json(resource).send().await;
    assert!(matches!(answer.status, 200 | 201), "{resource}: {}", answer.text());
}

/// What of A's the holder of the token can't read.
pub async fn hidden(server: &TestServer, token: &str) -> Vec<&'static str> {
    let mut hidden = Vec::new();
    for item in ITEMS {
        match server.get_as(token, item).await.status {
            200 => {}
            404 => hidden.push(item),
            other => panic!("{item}: {other}"),
        }
    }
    hidden
}

/// Puts each provision in force, and looks what is hidden from the doctor, a relative and the system client then.
async fn check(server: &TestServer, cases: &[(&str, Value, [&[&str]; 3])]) {
    let callers = Callers::on(server).await;
    for (name, provision, wanted) in cases {
        put(server, &callers.system, &consent("c", provision.clone())).await;
        let holders = [&callers.doctor, &callers.relative, &callers.system, &callers.custodians_app];
        // The custodian's app is nobody that a Consent names.
        for (place, (token, wanted)) in holders.iter().zip(wanted.iter().chain([&wanted[1]])).enumerate() {
            assert_eq!(hidden(server, token).await, **wanted, "{name}: caller {place}");
        }
        assert_eq!(hidden(server, &callers.custodian).await, Vec::<&str>::new(), "{name}: custodian");
    }
}

async fn each_level_keeps_back_what_it_says(server: &TestServer) {
    let none: &[&str] = &[];
    let all: &[&str] = &ITEMS;
    let observations: &[&str] = &[WEIGHT, LAB, RESTRICTED, PROOF];
    let but = |shown: &[&str]| ITEMS.into_iter().filter(|item| !shown.contains(item)).collect::<Vec<_>>();
    let but_diabetes = but(&[DIABETES]);
    let but_letter = but(&[LETTER, TEXT]);
    check(
        server,
        &[
            ("basic: permit", json!({ "type": "permit" }), [none, none, none]),
            ("basic: deny", json!({ "type": "deny" }), [all, all, all]),
            ("basic: what the policy says", json!({ "period": { "start": "2001" } }), [none, none, none]),
            (
                "intermediate: all but one are denied",
                json!({ "type": "deny", "provision": [{ "type": "permit", "actor": doctor() }] }),
                [none, all, all],
            ),
            (
                "intermediate: one is denied",
                json!({ "type": "permit", "provision": [{ "type": "deny", "actor": doctor() }] }),
                [all, none, none],
            ),
            (
                "intermediate: a class is denied",
                json!({ "type": "permit", "provision": [{ "type": "deny", "class": class("Observation") }] }),
                [observations, observations, observations],
            ),
            (
                "intermediate: a class is permitted to one",
                json!({ "type": "deny", "provision": [{ "type": "permit", "actor": doctor(), "class": class("Condition") }] }),
                [&but_diabetes, all, all],
            ),
            (
                "intermediate: an instance is denied, and what hangs on it",
                json!({ "type": "permit", "provision": [{ "type": "deny",
                    "data": [{ "meaning": "instance", "reference": { "reference": LETTER } }] }] }),
                [&[LETTER, TEXT], &[LETTER, TEXT], &[LETTER, TEXT]],
            ),
            (
                "intermediate: an instance is permitted",
                json!({ "type": "deny", "provision": [{ "type": "permit",
                    "data": [{ "meaning": "instance", "reference": { "reference": LETTER } }] }] }),
                [&but_letter, &but_letter, &but_letter],
            ),
            (
                "intermediate: the time is over",
                json!({ "type": "deny", "period": { "end": "2020-12-31" } }),
                [none, none, none],
            ),
            (
                "intermediate: the time of an exception is over",
                json!({ "type": "deny", "provision": [{ "type": "permit", "period": { "end": "2020-12-31" } }] }),
                [all, all, all],
            ),
            (
                "intermediate: the time is to come",
                json!({ "type": "deny", "period": { "start": "2120" } }),
                [none, none, none],
            ),
            (
                "advanced: a label is denied",
                json!({ "type": "permit", "provision": [{ "type": "deny", "securityLabel": label("R") }] }),
                [&[RESTRICTED], &[RESTRICTED], &[RESTRICTED]],
            ),
            (
                "advanced: what is very restricted is denied",
                json!({ "type": "permit", "provision": [{ "type": "deny", "securityLabel": label("V") }] }),
                [none, none, none],
            ),
            (
                "advanced: what is no more than normal is permitted",
                json!({ "type": "deny", "provision": [{ "type": "permit", "securityLabel": label("N") }] }),
                [&[RESTRICTED], &[RESTRICTED], &[RESTRICTED]],
            ),
            (
                "advanced: what is no more than restricted is permitted",
                json!({ "type": "deny", "provision": [{ "type": "permit", "securityLabel": label("R") }] }),
                [none, none, none],
            ),
            (
                "three levels: deny but for one, from whom labels are kept",
                json!({ "type": "deny", "provision": [{ "type": "permit", "actor": doctor(), "provision": [
                    { "type": "deny", "securityLabel": label("R") }] }] }),
                [&[RESTRICTED], all, all],
            ),
            (
                "four levels: but not this one",
                json!({ "type": "deny", "provision": [{ "type": "permit", "actor": doctor(), "provision": [
                    { "type": "deny", "class": class("Observation"), "provision": [
                        { "type": "permit", "data": [{ "meaning": "instance", "reference": { "reference": RESTRICTED } }] }] }] }] }),
                [&[WEIGHT, LAB, PROOF], all, all],
            ),
            ("reading is denied", json!({ "type": "deny", "action": action("access") }), [all, all, all]),
            ("writing is denied", json!({ "type": "deny", "action": action("correct") }), [none, none, none]),
            (
                "deny beats permit",
                json!({ "type": "permit", "provision": [{ "type": "permit", "actor": doctor() },
                    { "type": "deny", "class": class("Condition") }] }),
                [&[DIABETES], &[DIABETES], &[DIABETES]],
            ),
        ],
    )
    .await;
}

async fn what_is_not_understood_keeps_back_more(server: &TestServer) {
    let none: &[&str] = &[];
    let all: &[&str] = &ITEMS;
    let treatment = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT" }]);
    let mut cases = Vec::new();
    let unknown = [
        json!({ "purpose": treatment }),
        json!({ "code": [{ "text": "x" }] }),
        json!({ "dataPeriod": { "start": "2026" } }),
        json!({ "actor": person("Organization/house") }),
        json!({ "actor": person("CareTeam/team") }),
        json!({ "actor": [{ "role": { "text": "x" }, "reference": { "display": "somebody" } }] }),
        json!({ "actor": [{ "role": { "coding": [{ "code": "AUT" }] }, "reference": { "reference": "Practitioner/doc" } }] }),
        json!({ "class": [{ "system": "http://hl7.org/fhir/StructureDefinition", "code": "Observation" }] }),
        json!({ "data": [{ "meaning": "related", "reference": { "reference": LAB } }] }),
        json!({ "data": [{ "meaning": "instance", "reference": { "reference": "https://other.example/Observation/1" } }] }),
        json!({ "securityLabel": label("L") }),
        json!({ "action": [{ "text": "look" }] }),
    ];
    for part in unknown {
        let of = |effect: &str, part: &Value| {
            let mut provision = part.clone();
            provision["type"] = json!(effect);
            provision
        };
        let denied = json!({ "type": "permit", "provision": [of("deny", &part)] });
        let permitted = json!({ "type": "deny", "provision": [of("permit", &part)] });
        cases.push(("as a denial", denied, [all, all, all]));
        cases.push(("as an exception", permitted, [all, all, all]));
    }
    // What is understood beside it still counts.
    cases.push((
        "one of two actors",
        json!({ "type": "deny", "provision": [{ "type": "permit", "actor": [doctor()[0], person("Group/g")[0]] }] }),
        [none, all, all],
    ));
    cases.push((
        "a denial for a purpose",
        json!({ "type": "permit", "provision": [{ "type": "deny", "actor": doctor(), "purpose": treatment }] }),
        [all, none, none],
    ));
    check(server, &cases).await;
}

async fn several_consents_must_agree(server: &TestServer) {
    let callers = Callers::on(server).await;
    let client = json!([{ "role": { "text": "x" }, "reference": { "type": "Device",
        "identifier": { "value": callers.doctors_client } } }]);

    put(
        server,
        &callers.system,
        &consent("c1", json!({ "type": "deny", "provision": [{ "type": "permit", "actor": doctor() }] })),
    )
    .await;
    assert_eq!(hidden(server, &callers.doctor).await, Vec::<&str>::new());
    put(
        server,
        &callers.system,
        &consent(
            "c2",
            json!({ "type": "permit", "provision": [{ "type": "deny", "actor": client,
        "class": class("Condition") }] }),
        ),
    )
    .await;
    assert_eq!(hidden(server, &callers.doctor).await, [DIABETES]);
    put(server, &callers.system, &consent("c1", json!({ "type": "deny" }))).await;
    assert_eq!(hidden(server, &callers.doctor).await, ITEMS);
    // What is no Consent of this kind says nothing.
    for change in [
        json!({ "status": "draft" }),
        json!({ "status": "rejected" }),
        json!({ "scope": { "coding": [{ "code": "research" }] } }),
        json!({ "patient": { "reference": "Patient/m" } }),
        json!({ "patient": { "display": "A" } }),
    ] {
        let mut other = consent("c1", json!({ "type": "deny" }));
        change.as_object().unwrap().iter().for_each(|(name, value)| other[name] = value.clone());
        // A Consent keeps its patient: it is another one.
        other["id"] = json!(format!("c1-{}", change.to_string().len()));
        put(server, &callers.system, &other).await;
    }
    let ended = server.request_as(&callers.custodian, Method::DELETE, "Consent/c1").send().await;
    assert_eq!(ended.status, 204, "{}", ended.text());
    assert_eq!(hidden(server, &callers.doctor).await, [DIABETES]);
    // Whoever may write Consents of all records sees them, whatever they say; nobody else does.
    put(server, &callers.system, &consent("c3", json!({ "type": "deny" }))).await;
    server.get_as(&callers.system, "Consent/c3").await.expect(200);
    server.get_as(&callers.doctor, "Consent/c3").await.refused(404);
}

async fn nothing_is_written_that_a_consent_denies(server: &TestServer) {
    let callers = Callers::on(server).await;
    let new = weight("x", "a", "Practitioner/doc", "laboratory");
    let lab = weight("a-lab", "a", "Practitioner/doc", "laboratory");
    let put_lab = async || server.request_as(&callers.doctor, Method::PUT, LAB).json(&lab).send().await.status;
    let post = async || server.request_as(&callers.doctor, Method::POST, "Observation").json(&new).send().await.status;
    let deny = |code: &str| json!({ "type": "deny", "actor": doctor(), "action": action(code) });

    assert_eq!((put_lab().await, post().await), (200, 201));
    put(server, &callers.system, &consent("c", deny("correct"))).await;
    assert_eq!((put_lab().await, post().await), (404, 403));
    server.get_as(&callers.doctor, LAB).await.expect(200);
    server.request_as(&callers.doctor, Method::DELETE, LAB).send().await.expect(204);
    let entry = json!({ "request": { "method": "POST", "url": "Observation" }, "resource": new });
    let condition = json!({ "request": { "method": "DELETE", "url": "Observation?_id=a-lab" } });
    for entries in [vec![entry.clone()], vec![condition, entry]] {
        let refused = server.request_as(&callers.doctor, Method::POST, "").json(&bundle("transaction", &entries));
        refused.send().await.refused(403);
    }
    server.get_as(&callers.system, LAB).await.expect(200);
    // Who may not read can't change what stands, but may add to it.
    put(server, &callers.system, &consent("c", deny("access"))).await;
    assert_eq!((put_lab().await, post().await), (404, 201));
    let patch = server.request_as(&callers.doctor, Method::PATCH, LAB);
    patch
        .body("application/json-patch+json", r#"[{"op":"test","path":"/status","value":"final"}]"#)
        .send()
        .await
        .refused(404);
    put(server, &callers.system, &consent("c", json!({ "type": "permit" }))).await;
    assert_eq!((put_lab().await, post().await), (200, 201));
}

async fn no_search_tells_what_a_consent_keeps_back(server: &TestServer) {
    let callers = Callers::on(server).await;
    let (doctor, system) = (&callers.doctor, &callers.system);
    let found = async |token: &str, search: &str| {
        let answer = server.get_as(token, search).await.expect(200);
        let mut found: Vec<String> =
            answer.resources().iter().map(|resource| resource["id"].as_str().unwrap().to_owned()).collect();
        found.sort();
        found
    };
    let searches = [
        ("Condition", "a-diabetes"),
        ("Condition?_sort=-recorded-date", "a-diabetes"),
        ("Condition?patient=a", "a-diabetes"),
        ("Patient/a/Condition", "a-diabetes"),
        ("?_type=Condition,Encounter", "a-diabetes"),
        ("?_id=a-diabetes", "a-diabetes"),
        ("Condition?code=73211009", "a-diabetes"),
        ("Condition?subject.family=Ash", "a-diabetes"),
        ("Patient?_has:Condition:subject:code=73211009", "a"),
        ("Patient?_id=a&_revinclude=Condition:subject", "a-diabetes"),
        ("Practitioner?_revinclude=Patient:general-practitioner&_revinclude:iterate=Condition:patient", "a-diabetes"),
        ("Condition?_filter=code%20eq%2073211009", "a-diabetes"),
        ("Binary", "a-text"),
        ("Binary?_id=a-text", "a-text"),
        ("Provenance", "a-proof"),
        ("Provenance?target=Observation/a-weight", "a-proof"),
        ("DocumentReference?subject:Patient.family=Ash", "a-letter"),
    ];
    let provision = json!({ "type": "permit", "provision": [
        { "type": "deny", "class": class("Condition") }, { "type": "deny", "class": class("DocumentReference") },
        { "type": "deny", "data": [{ "meaning": "instance", "reference": { "reference": WEIGHT } }] }] });
    for (is_denied, provision) in [(false, json!({ "type": "permit" })), (true, provision)] {
        put(server, system, &consent("c", provision)).await;
        for (search, id) in searches {
            for token in [doctor, system] {
                let all = found(token, search).await;
                assert_eq!(all.iter().any(|found| found == id), !is_denied, "{search}: {all:?}");
            }
        }
        for (search, shown, rest) in [("Condition?patient=a", 1, 0), ("Observation?patient=a", 3, 2)] {
            let wanted = if is_denied { rest } else { shown };
            for token in [doctor, system] {
                let counted = server.get_as(token, &format!("{search}&_summary=count")).await.expect(200).json();
                assert_eq!(counted["total"], wanted, "{search}");
                let page = server.get_as(token, &format!("{search}&_count=1&_total=accurate")).await.expect(200).json();
                assert_eq!(page["total"], wanted, "{search}");
            }
        }
        let history = server.get_as(doctor, "_history?_count=200").await.expect(200).text();
        assert_eq!(history.contains("a-diabetes"), !is_denied);
        assert_eq!(
            server.get_as(doctor, "Condition/a-diabetes/_history").await.status,
            if is_denied { 404 } else { 200 }
        );
    }
    // A chain does not look through the Patient.
    put(
        server,
        system,
        &consent("c", json!({ "type": "permit", "provision": [{ "type": "deny", "class": class("Patient") }] })),
    )
    .await;
    assert_eq!(found(doctor, "Condition?subject.family=Ash").await, Vec::<String>::new());
    assert_eq!(found(doctor, "Condition?patient=a").await, ["a-diabetes"]);
}

async fn an_old_version_is_judged_by_what_it_says(server: &TestServer) {
    let callers = Callers::on(server).await;
    let versions = async |token: &str, path: &str| {
        let answer = server.get_as(token, &format!("{path}/_history")).await.expect(200);
        let of = |resource: &Value| resource["meta"]["versionId"].as_str().unwrap().to_owned();
        answer.resources().iter().map(of).collect::<Vec<_>>()
    };
    // The label goes.
    put(server, &callers.custodian, &weight("a-restricted", "a", "Practitioner/doc", "laboratory")).await;
    assert_eq!(versions(&callers.doctor, RESTRICTED).await, ["2", "1"]);

    for (provision, restricted) in [
        (json!({ "type": "permit", "provision": [{ "type": "deny", "securityLabel": label("R") }] }), &["2"][..]),
        (json!({ "type": "deny", "provision": [{ "type": "permit", "securityLabel": label("N") }] }), &["2"]),
        (json!({ "type": "deny", "provision": [{ "type": "permit", "securityLabel": label("R") }] }), &["2", "1"]),
        (json!({ "type": "permit", "provision": [{ "type": "deny", "class": class("Condition") }] }), &["2", "1"]),
    ] {
        put(server, &callers.system, &consent("c", provision.clone())).await;
        assert_eq!(versions(&callers.doctor, RESTRICTED).await, restricted, "{provision}");
        assert_eq!(versions(&callers.doctor, LAB).await, ["1"], "{provision}");
        let old = server.get_as(&callers.doctor, &format!("{RESTRICTED}/_history/1")).await.status;
        assert_eq!(old, if restricted.len() == 2 { 200 } else { 404 }, "{provision}");
        assert_eq!(versions(&callers.custodian, RESTRICTED).await, ["2", "1"], "{provision}");
    }
}
