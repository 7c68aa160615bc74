//! Random Consents, judged by the server and by a plain reading of their JSON.
//!
//! `EMBERWELL_TEST_CONSENTS` says how many decisions are compared on each database, `EMBERWELL_TEST_SEED` which.

use std::io::Write;

use emberwell::fhir::PartialDate;
use emberwell::store::{GrantLevel, Labels};
use http::Method;
use serde_json::{Value, json};

use crate::search_oracle::random::Random;
use crate::support::holders::{self, Granted};
use crate::support::{TestServer, bundle, on_both};

on_both!(closed: what_random_consents_keep_back_is_what_their_text_says);

/// So many Patients share a server.
const PATIENTS: usize = 24;
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const SENSITIVITY: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// Somebody who asks.
struct Caller {
    name: &'static str,
    token: String,
    /// Every reference that is theirs.
    references: Vec<&'static str>,
    client: Option<String>,
    is_own_custodian: bool,
}

fn callers(server: &TestServer) -> Vec<Caller> {
    let on_all = |user: Option<&'static str>, level| Granted {
        record: None,
        labels: Labels::VeryRestricted,
        fhir_user: user,
        level,
        ..Granted::on("")
    };
    let view = |user| [on_all(Some(user), GrantLevel::Modify)];
    let caller = |name, held: holders::Held, references: &[&'static str], is_own_custodian| Caller {
        name,
        token: held.token,
        references: references.to_vec(),
        client: held.client,
        is_own_custodian,
    };
    let custody = [on_all(Some("RelatedPerson/parent"), GrantLevel::Custodian)];
    // One record at a time, as most have it.
    let each: Vec<Granted> = (0..PATIENTS)
        .map(|number| Granted {
            record: Some(Box::leak(format!("p{number}").into_boxed_str())),
            ..on_all(Some("RelatedPerson/kin"), GrantLevel::Modify)
        })
        .collect();
    let system = Granted { scopes: "system/*.cruds", ..on_all(None, GrantLevel::OwnChoice) };
    let role: &[&str] = &["PractitionerRole/role", "Practitioner/doc"];
    vec![
        caller(
            "doctor",
            holders::app(server, "user/*.cruds", None, &view("Practitioner/doc")),
            &["Practitioner/doc"],
            false,
        ),
        caller("relative", holders::app(server, "user/*.cruds", None, &each), &["RelatedPerson/kin"], false),
        caller("role", holders::app(server, "user/*.cruds", None, &view("PractitionerRole/role")), role, false),
        caller("person", holders::person(server, "user/*.cruds", &view("Patient/p1")), &["Patient/p1"], false),
        caller("system", holders::system(server, "system/*.cruds", &[system]), &[], false),
        caller("custodian", holders::person(server, "user/*.cruds", &custody), &["RelatedPerson/parent"], true),
        caller("app", holders::app(server, "user/*.cruds", None, &custody), &["RelatedPerson/parent"], false),
    ]
}

/// What is in the records: of each Patient, and of two together.
fn resources() -> Vec<Value> {
    let label = |system: &str, code: &str| json!({ "security": [{ "system": system, "code": code }] });
    let mut all = vec![
        json!({ "resourceType": "Practitioner", "id": "doc" }),
        json!({ "resourceType": "PractitionerRole", "id": "role", "practitioner": { "reference": "Practitioner/doc" } }),
    ];
    for number in 0..PATIENTS {
        let patient = format!("p{number}");
        let about = |of: &str, name: &str, meta: Value| {
            json!({ "resourceType": of, "id": format!("{patient}-{name}"), "meta": meta, "status": "final",
                "code": { "text": "x" }, "subject": { "reference": format!("Patient/{patient}") } })
        };
        let mut condition = about("Condition", "problem", label(CONFIDENTIALITY, "V"));
        condition.as_object_mut().unwrap().remove("status");
        let mut both = about("Observation", "mind", label(SENSITIVITY, "PSY"));
        both["meta"]["security"].as_array_mut().unwrap().push(json!({ "system": CONFIDENTIALITY, "code": "R" }));
        all.push(json!({ "resourceType": "Patient", "id": patient }));
        all.push(about("Observation", "weight", json!({ "tag": [{ "code": "x" }] })));
        all.push(about("Observation", "secret", label(CONFIDENTIALITY, "R")));
        all.push(about("Observation", "sober", label(SENSITIVITY, "ETH")));
        all.push(both);
        all.push(condition);
        let part = |number: usize| {
            json!({ "status": "accepted",
            "actor": { "reference": format!("Patient/p{}", number % PATIENTS) } })
        };
        all.push(json!({ "resourceType": "Appointment", "id": format!("{patient}-visit"), "status": "proposed",
            "participant": [part(number), part(number + 1)] }));
    }
    all
}

/// The Patients whose record a resource is part of.
fn owners(resource: &Value) -> Vec<String> {
    let reference = |value: &Value| value["reference"].as_str().map(str::to_owned);
    match resource["resourceType"].as_str().unwrap() {
        "Patient" => vec![format!("Patient/{}", resource["id"].as_str().unwrap())],
        "Appointment" => {
            resource["participant"].as_array().unwrap().iter().filter_map(|part| reference(&part["actor"])).collect()
        }
        _ => reference(&resource["subject"]).into_iter().collect(),
    }
}

// ---- random Consents

fn maybe(random: &mut Random, chance: usize, into: &mut Value, name: &str, make: impl FnOnce(&mut Random) -> Value) {
    if random.percent(chance) {
        into[name] = make(random);
    }
}

fn list(random: &mut Random, make: impl Fn(&mut Random) -> Value) -> Value {
    let length = 1 + random.below(2);
    Value::Array((0..length).map(|_| make(random)).collect())
}

fn provision(random: &mut Random, patient: usize, depth: usize, clients: &[String]) -> Value {
    let mut provision = json!({});
    maybe(random, 92, &mut provision, "type", |random| json!(random.of(&["permit", "deny"])));
    maybe(random, 50, &mut provision, "actor", |random| list(random, |random| actor(random, clients)));
    maybe(random, 25, &mut provision, "period", |random| {
        let (past, future) =
            (random.of(&["2001", "2019-05", "2020-02-29T10:00:00Z"]), random.of(&["2101", "2120-01-01"]));
        let all = [
            json!({ "start": past }),
            json!({ "end": past }),
            json!({ "start": future }),
            json!({ "end": future }),
            json!({ "start": past, "end": future }),
            json!({ "start": "2000", "end": past }),
        ];
        random.pick(&all).clone()
    });
    maybe(random, 35, &mut provision, "class", |random| {
        list(random, |random| {
            let system = random.of(&["http://hl7.org/fhir/resource-types"; 5].map(|x| x)).to_owned();
            let code = random.of(&[
                "Observation",
                "Condition",
                "Patient",
                "Appointment",
                "Observation",
                "http://x.example/profile",
            ]);
            json!({ "system": system, "code": code })
        })
    });
    maybe(random, 25, &mut provision, "data", |random| {
        list(random, |random| {
            let kind = random.of(&[
                "Observation/p#-weight",
                "Observation/p#-secret",
                "Condition/p#-problem",
                "Patient/p#",
                "Appointment/p#-visit",
                "Observation/elsewhere",
                "https://other.example/Observation/1",
            ]);
            json!({ "meaning": random.of(&["instance", "instance", "instance", "related"]),
                "reference": { "reference": kind.replace('#', &patient.to_string()) } })
        })
    });
    maybe(random, 35, &mut provision, "securityLabel", |random| {
        list(random, |random| {
            let (system, code) = random.pick(&[
                (CONFIDENTIALITY, "R"),
                (CONFIDENTIALITY, "V"),
                (CONFIDENTIALITY, "N"),
                (CONFIDENTIALITY, "L"),
                (SENSITIVITY, "PSY"),
                (SENSITIVITY, "ETH"),
            ]);
            json!({ "system": system, "code": code })
        })
    });
    maybe(random, 30, &mut provision, "action", |random| {
        list(random, |random| {
            let code = random.of(&["access", "use", "disclose", "collect", "correct", "access", "correct", "sing"]);
            json!({ "coding": [{ "code": code }] })
        })
    });
    maybe(random, 6, &mut provision, "purpose", |_| json!([{ "code": "TREAT" }]));
    maybe(random, 4, &mut provision, "code", |_| json!([{ "text": "x" }]));
    maybe(random, 4, &mut provision, "dataPeriod", |_| json!({ "start": "2020" }));
    if provision == json!({}) {
        provision["type"] = json!("deny");
    }
    if depth < 3 && random.percent(65) {
        provision["provision"] = list(random, |random| self::provision(random, patient, depth + 1, clients));
    }
    provision
}

fn actor(random: &mut Random, clients: &[String]) -> Value {
    let role = if random.percent(6) { json!({ "coding": [{ "code": "AUT" }] }) } else { json!({ "text": "x" }) };
    let all = [
        json!({ "reference": "Practitioner/doc" }),
        json!({ "reference": "Practitioner/doc" }),
        json!({ "reference": "RelatedPerson/kin" }),
        json!({ "reference": "RelatedPerson/kin" }),
        json!({ "reference": "PractitionerRole/role" }),
        json!({ "reference": "RelatedPerson/parent" }),
        json!({ "reference": "Patient/p1" }),
        json!({ "reference": "Practitioner/another" }),
        json!({ "reference": "Organization/house" }),
        json!({ "display": "somebody" }),
        json!({ "type": "Device", "identifier": { "value": random.pick(clients) } }),
        json!({ "identifier": { "value": random.pick(clients) } }),
        json!({ "identifier": { "system": "urn:x", "value": random.pick(clients) } }),
    ];
    json!({ "role": role, "reference": random.pick(&all) })
}

fn consent(random: &mut Random, patient: usize, number: usize, clients: &[String]) -> Value {
    let mut consent = json!({ "resourceType": "Consent", "id": format!("p{patient}-consent{number}"),
        "status": random.of(&["active", "active", "active", "active", "active", "active", "inactive", "draft"]),
        "scope": { "coding": [{ "code": random.of(&["patient-privacy"; 9]) }] },
        "category": [{ "text": "x" }], "patient": { "reference": format!("Patient/p{patient}") },
        "policyRule": { "coding": [{ "code": random.of(&["OPTIN", "OPTOUT", "OPTINR"]) }] } });
    if random.percent(6) {
        consent["scope"] = json!({ "coding": [{ "code": "research" }] });
    }
    if random.percent(97) {
        consent["provision"] = provision(random, patient, 0, clients);
    }
    consent
}

// ---- the plain reading

/// A decision that is asked for.
struct Asked<'a> {
    caller: &'a Caller,
    resource: &'a Value,
    is_write: bool,
    now_us: i64,
}

/// Whether one of the Consents hides the resource.
fn is_hidden(consents: &[Value], asked: &Asked<'_>) -> bool {
    let owners = owners(asked.resource);
    !asked.caller.is_own_custodian
        && consents.iter().any(|consent| {
            let is_about = owners.iter().any(|owner| consent["patient"]["reference"] == *owner);
            let scopes = items(&consent["scope"], "coding");
            let counts = consent["status"] == "active" && scopes.iter().any(|scope| scope["code"] == "patient-privacy");
            let policy = items(&consent["policyRule"], "coding");
            let permits = policy.iter().any(|code| code["code"] == "OPTIN" || code["code"] == "OPTINR");
            let root = &consent["provision"];
            let denies = root["type"].as_str().map_or(!permits, |effect| effect == "deny");
            is_about && counts && denied(root, denies, true, true, asked)
        })
}

fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Whether the provision, or one within it, denies what is asked. `who` and `labelled` are what those around it say of the caller and
/// the labels.
fn denied(provision: &Value, denies: bool, who: bool, labelled: bool, asked: &Asked<'_>) -> bool {
    let who = at_most(items(provision, "actor"), |actor| is_actor(actor, asked)).unwrap_or(who);
    let labelled =
        at_most(items(provision, "securityLabel"), |label| is_label_or_higher(label, asked)).unwrap_or(labelled);
    let rest = [
        at_most(items(provision, "class"), |class| is_class(class, asked)),
        at_most(items(provision, "data"), |data| is_instance(data, asked)),
        at_most(items(provision, "action"), |action| is_action(action, asked)),
        is_time(&provision["period"], asked),
    ];
    if rest.contains(&Some(false)) {
        return false;
    }
    let within = items(provision, "provision");
    let is_permit = |inner: &&Value| inner["type"] == "permit";
    let own = denies && who && labelled && !within.iter().filter(is_permit).any(|inner| excepted(inner, asked));
    own || within.iter().any(|inner| denied(inner, inner["type"] != "permit", who, labelled, asked))
}

/// Whether the provision permits what is asked, beyond doubt.
fn excepted(provision: &Value, asked: &Asked<'_>) -> bool {
    let is_plain = ["purpose", "code", "dataPeriod"].iter().all(|name| provision.get(name).is_none());
    is_plain
        && at_least(items(provision, "actor"), |actor| is_actor(actor, asked))
        && at_least(items(provision, "class"), |class| is_class(class, asked))
        && at_least(items(provision, "data"), |data| is_instance(data, asked))
        && at_least(items(provision, "action"), |action| is_action(action, asked))
        && is_time(&provision["period"], asked) != Some(false)
        && is_low_enough(items(provision, "securityLabel"), asked)
}

/// One of the list applies; `None` where it bounds nothing, or something of it is not understood.
fn at_most(list: &[Value], applies: impl Fn(&Value) -> Option<bool>) -> Option<bool> {
    let all: Option<Vec<bool>> = list.iter().map(applies).collect();
    all.filter(|all| !all.is_empty()).map(|all| all.contains(&true))
}

/// One of the list applies that is understood, or there is none.
fn at_least(list: &[Value], applies: impl Fn(&Value) -> Option<bool>) -> bool {
    list.is_empty() || list.iter().any(|one| applies(one) == Some(true))
}

fn is_actor(actor: &Value, asked: &Asked<'_>) -> Option<bool> {
    let who = &actor["reference"];
    if items(&actor["role"], "coding").iter().any(|role| role["code"] == "AUT") {
        return None;
    }
    match who["reference"].as_str() {
        Some(text) if text.starts_with("Organization/") => None,
        Some(text) => Some(asked.caller.references.contains(&text)),
        None if who["identifier"]["system"].is_null() => {
            let id = who["identifier"]["value"].as_str()?;
            Some(asked.caller.client.as_deref() == Some(id))
        }
        None => None,
    }
}

fn is_class(class: &Value, asked: &Asked<'_>) -> Option<bool> {
    let code = class["code"].as_str().unwrap();
    (!code.contains('/')).then(|| asked.resource["resourceType"] == code)
}

fn is_instance(data: &Value, asked: &Asked<'_>) -> Option<bool> {
    let text = data["reference"]["reference"].as_str().unwrap();
    let is_known = data["meaning"] == "instance" && !text.starts_with("https:");
    is_known.then(|| text == path(asked.resource))
}

fn is_action(action: &Value, asked: &Asked<'_>) -> Option<bool> {
    match action["coding"][0]["code"].as_str().unwrap() {
        "access" | "use" | "disclose" => Some(!asked.is_write),
        "collect" | "correct" => Some(asked.is_write),
        _ => None,
    }
}

fn is_time(period: &Value, asked: &Asked<'_>) -> Option<bool> {
    let at = |name: &str| period[name].as_str().map(|text| PartialDate::parse(text).unwrap().interval(0));
    let has_begun = at("start").is_none_or(|start| start.lo_us <= asked.now_us);
    let is_over = at("end").is_some_and(|end| end.hi_us <= asked.now_us);
    Some(has_begun && !is_over)
}

fn has_label(resource: &Value, system: &str, code: &str) -> bool {
    items(&resource["meta"], "security").iter().any(|label| label["system"] == system && label["code"] == code)
}

fn level(resource: &Value) -> usize {
    ["R", "V"].iter().rposition(|code| has_label(resource, CONFIDENTIALITY, code)).map_or(0, |place| place + 1)
}

fn is_label_or_higher(label: &Value, asked: &Asked<'_>) -> Option<bool> {
    let (system, code) = (label["system"].as_str().unwrap(), label["code"].as_str().unwrap());
    match (system, code) {
        (CONFIDENTIALITY, "R") => Some(level(asked.resource) >= 1),
        (CONFIDENTIALITY, "V") => Some(level(asked.resource) >= 2),
        (CONFIDENTIALITY, _) => None,
        _ => Some(has_label(asked.resource, system, code)),
    }
}

fn is_low_enough(labels: &[Value], asked: &Asked<'_>) -> bool {
    let confidential = labels.iter().filter(|label| label["system"] == CONFIDENTIALITY);
    let ceiling = confidential.filter_map(|label| ["N", "R", "V"].iter().position(|code| label["code"] == *code)).max();
    let others: Vec<&Value> = labels.iter().filter(|label| label["system"] != CONFIDENTIALITY).collect();
    let has_one = others
        .iter()
        .any(|label| has_label(asked.resource, label["system"].as_str().unwrap(), label["code"].as_str().unwrap()));
    match (labels.is_empty(), ceiling, others.is_empty()) {
        (true, ..) => true,
        (_, None, true) => false,
        (_, ceiling, no_others) => {
            ceiling.is_none_or(|ceiling| level(asked.resource) <= ceiling) && (no_others || has_one)
        }
    }
}

fn path(resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap())
}

// ---- the comparison

async fn what_random_consents_keep_back_is_what_their_text_says(server: &TestServer) {
    let wanted: usize = match std::env::var("EMBERWELL_TEST_CONSENTS") {
        Ok(number) => number.parse().expect("EMBERWELL_TEST_CONSENTS is a whole number"),
        Err(_) => 1_000,
    };
    let seed = match std::env::var("EMBERWELL_TEST_SEED") {
        Ok(seed) => seed.parse().expect("EMBERWELL_TEST_SEED is a whole number"),
        Err(_) => emberwell::clock::now_us().unsigned_abs(),
    };
    let operator = holders::operator(server).token;
    let resources = resources();
    let entries = |all: &[Value]| -> Vec<Value> {
        all.iter()
            .map(|resource| json!({ "request": { "method": "PUT", "url": path(resource) }, "resource": resource }))
            .collect()
    };
    let written = server.request_as(&operator, Method::POST, "").json(&bundle("transaction", &entries(&resources)));
    written.send().await.expect(200);
    let callers = callers(server);
    let clients: Vec<String> = callers.iter().filter_map(|caller| caller.client.clone()).collect();
    let owned: Vec<&Value> = resources.iter().filter(|resource| !owners(resource).is_empty()).collect();

    let mut random = Random::new(seed);
    let (mut compared, mut hidden) = (0, 0);
    while compared < wanted {
        // Each round has other Consents, which take the place of those before.
        let consents: Vec<Value> = (0..PATIENTS)
            .flat_map(|patient| (0..2).map(move |number| (patient, number)))
            .map(|(patient, number)| consent(&mut random, patient, number, &clients))
            .collect();
        let written = server.request_as(&operator, Method::POST, "").json(&bundle("transaction", &entries(&consents)));
        written.send().await.expect(200);
        for _ in 0..1_000.min(wanted - compared) {
            let (caller, resource) = (random.pick(&callers), *random.pick(&owned));
            let is_write = random.percent(30);
            let now_us = emberwell::clock::now_us();
            let ask = |is_write| is_hidden(&consents, &Asked { caller, resource, is_write, now_us });
            let is_kept = ask(false) || is_write && ask(true);
            let answer = match is_write {
                true => server.request_as(&caller.token, Method::PUT, &path(resource)).json(resource).send().await,
                false if random.percent(50) => server.get_as(&caller.token, &path(resource)).await,
                false => {
                    let (of, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
                    server.get_as(&caller.token, &format!("{of}?_id={id}")).await.expect(200)
                }
            };
            let is_found = answer.status == 200
                && answer.text().contains(&format!("\"id\":\"{}\"", resource["id"].as_str().unwrap()));
            let about: Vec<&Value> = consents
                .iter()
                .filter(|consent| owners(resource).iter().any(|owner| consent["patient"]["reference"] == *owner))
                .collect();
            assert!(
                is_found != is_kept && matches!(answer.status, 200 | 404),
                "EMBERWELL_TEST_SEED={seed}, after {compared}: {} {} {}, write {is_write}, to be hidden {is_kept}: {}\n{}",
                caller.name,
                path(resource),
                answer.status,
                resource["meta"],
                about.iter().map(|consent| consent.to_string()).collect::<Vec<_>>().join("\n"),
            );
            compared += 1;
            hidden += usize::from(is_kept);
        }
    }
    assert!(
        hidden * 10 > compared && hidden * 10 < compared * 9,
        "{hidden} of {compared} are hidden: that tells little"
    );
    let _ = writeln!(std::io::stderr(), "consents: {compared} decisions compared, {hidden} hidden, seed {seed}");
}
