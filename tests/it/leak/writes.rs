//! What is asked that changes something, or would.

use http::Method;
use serde_json::{Value, json};

use crate::leak::judge::Sent;
use crate::leak::people::observation;

/// All of them, in the order in which they are sent.
pub fn writes() -> Vec<Sent> {
    let mut all = updates();
    all.extend(patches());
    all.extend(deletions());
    all.extend(conditions());
    all.extend(creates());
    all.extend(self_granting());
    all.extend(operations());
    all.extend(bundles());
    all.extend(headers());
    all
}

fn own() -> Value {
    observation("Patient/a", "laboratory", "sent")
}

fn with_id(mut resource: Value, name: &str) -> Value {
    resource["id"] = json!(format!("@{name}@"));
    resource
}

fn put(path: &str, body: &Value) -> Sent {
    Sent::of(Method::PUT, path).json(body)
}

fn post(path: &str, body: &Value) -> Sent {
    Sent::of(Method::POST, path).json(body)
}

fn patch(path: &str, operations: &str) -> Sent {
    Sent::of(Method::PATCH, path).body("application/json-patch+json", operations)
}

/// A taken id, somebody else's, one's own made somebody else's.
fn updates() -> Vec<Sent> {
    let mut all = Vec::new();
    for name in ["b-lab", "b-vital", "b-gone", "moved-out", "a-personal", "a-restricted", "m-lab", "led-to", "free"] {
        let path = format!("Observation/@{name}@");
        let body = with_id(own(), name);
        all.push(put(&path, &body));
        all.push(put(&path, &body).header("If-Match", "W/\"1\""));
        all.push(put(&path, &body).header("If-Match", "W/\"77\""));
        all.push(put(&path, &body).header("If-None-Match", "*"));
        all.push(put(&path, &with_id(observation("Patient/b", "laboratory", "sent"), name)));
    }
    for name in ["b", "linked", "m", "free"] {
        let body = with_id(json!({ "resourceType": "Patient", "name": [{ "family": "Taken" }] }), name);
        all.push(put(&format!("Patient/@{name}@"), &body));
    }
    for name in ["b-text", "gone-text", "lone-text", "owned-text", "free"] {
        let body = with_id(
            json!({ "resourceType": "Binary", "contentType": "text/plain", "data": "b3du",
            "securityContext": { "reference": "Patient/a" } }),
            name,
        );
        all.push(put(&format!("Binary/@{name}@"), &body));
        all.push(Sent::of(Method::PUT, &format!("Binary/@{name}@")).body("text/plain", "own"));
    }
    all.push(put("Observation/@a-lab@", &with_id(observation("Patient/b", "laboratory", "sent"), "a-lab")));
    all.push(put("Observation/@a-lab@", &with_id(own(), "b-lab")));
    all.push(put("Observation/@moved-in@", &with_id(observation("Patient/b", "laboratory", "sent"), "moved-in")));
    all
}

fn patches() -> Vec<Sent> {
    let mut all = Vec::new();
    for name in ["b-lab", "b-gone", "a-personal", "led-to", "free"] {
        let path = format!("Observation/@{name}@");
        for operations in [
            r#"[{"op":"test","path":"/status","value":"final"}]"#,
            r#"[{"op":"test","path":"/status","value":"amended"}]"#,
            r#"[{"op":"test","path":"/valueQuantity/value","value":4242.5}]"#,
            r#"[{"op":"replace","path":"/subject/reference","value":"Patient/@a@"}]"#,
            r#"[{"op":"copy","from":"/note","path":"/component/0/note"}]"#,
            r#"[{"op":"nonsense"}]"#,
        ] {
            all.push(patch(&path, operations));
        }
        all.push(patch(&path, "[]").header("If-Match", "W/\"1\""));
    }
    all.push(patch("Observation/@a-lab@", r#"[{"op":"replace","path":"/subject/reference","value":"Patient/@b@"}]"#));
    all.push(patch("Observation/@a-lab@", r#"[{"op":"add","path":"/focus","value":[{"reference":"Patient/@b@"}]}]"#));
    all.push(patch("Observation?identifier=@!b-lab@", r#"[{"op":"test","path":"/status","value":"final"}]"#));
    all.push(patch("Observation?subject=Patient/@b@", r#"[{"op":"test","path":"/status","value":"final"}]"#));
    all.push(patch("Observation?subject:Patient.family=@!b@", r#"[{"op":"test","path":"/status","value":"final"}]"#));
    all.push(patch("Patient/@b@", r#"[{"op":"test","path":"/gender","value":"female"}]"#));
    all
}

fn deletions() -> Vec<Sent> {
    let paths = [
        "Observation/@b-lab@",
        "Observation/@b-gone@",
        "Observation/@a-personal@",
        "Observation/@free@",
        "Patient/@b@",
        "Binary/@b-text@",
        "Binary/@lone-text@",
        "Provenance/@mixed-proof@",
        "Group/@cohort@",
        "List/@b-list@",
        "Observation?_id=@b-lab@",
        "Observation?identifier=@!b-lab@",
        "Observation?subject=Patient/@b@",
        "Observation?performer=Patient/@a@",
        "Observation?subject:Patient.family=@!b@",
        "Observation?value-quantity=4242.5",
        "Patient?identifier=@!b@",
        "Coverage?payor=Patient/@a@",
        // What gives access, of A, of B and of nobody.
        "CareTeam/@a-team@",
        "CareTeam?_id=@a-team@,@b-team@",
        "CareTeam?participant=Patient/@a@",
        "Consent/@a-wish@",
        "Consent/@a-refusal@",
        "Consent/@b-consent@",
        "Consent?patient=Patient/@a@",
        "Group/@a-group@",
        "RelatedPerson/@a-kin@",
        "RelatedPerson/@b-parent@",
        "Person/@person@",
        "Subscription/@b-watch@",
        "Patient/@a@",
        "Patient/@m@",
        "Patient/@linked@",
        "Patient?_id=@a@",
        "Patient?link=Patient/@a@",
    ];
    let mut all: Vec<Sent> = paths.iter().map(|path| Sent::of(Method::DELETE, path)).collect();
    all.push(Sent::of(Method::DELETE, "Observation/@b-lab@").header("If-Match", "W/\"1\""));
    all.push(Sent::of(Method::DELETE, "Observation/@b-lab@").header("If-Match", "W/\"9\""));
    all.push(Sent::of(Method::DELETE, "Observation/@free@").header("If-Match", "W/\"1\""));
    all
}

/// Conditions that somebody else's resources meet.
fn conditions() -> Vec<Sent> {
    let criteria = [
        "identifier=@!b-lab@",
        "_id=@b-lab@",
        "subject=Patient/@b@&value-quantity=4242.5",
        "subject:Patient.family=@!b@",
        "performer=Patient/@a@&value-quantity=70&subject:Patient.birthdate=1951-07-08",
        "_has:Provenance:target:_id=@b-proof@",
        "encounter=Encounter/@b-visit@",
    ];
    let mut all = Vec::new();
    for criteria in criteria {
        let path = format!("Observation?{criteria}");
        all.push(post("Observation", &own()).header("If-None-Exist", criteria));
        all.push(put(&path, &own()));
        all.push(put(&path, &with_id(own(), "b-lab")));
        all.push(put(&path, &with_id(own(), "free")));
    }
    all.push(
        post("Patient", &json!({ "resourceType": "Patient" })).header("If-None-Exist", "identifier=urn:x:number|@!b@"),
    );
    all.push(put("Patient?identifier=@!b@", &json!({ "resourceType": "Patient", "gender": "male" })));
    all
}

/// What would be about somebody else, or about nobody.
fn creates() -> Vec<Sent> {
    let mut all = vec![post("Observation", &own()), post("Observation", &with_id(own(), "b-lab"))];
    for subject in ["Patient/b", "Patient/linked", "Patient/m", "Patient/free", "Group/cohort", "Device/b-device"] {
        all.push(post("Observation", &observation(subject, "laboratory", "sent")));
    }
    for (name, value) in [
        ("focus", json!([{ "reference": "Patient/@b@" }])),
        ("hasMember", json!([{ "reference": "Observation/@b-lab@" }])),
        ("derivedFrom", json!([{ "reference": "DocumentReference/@b-letter@" }])),
        ("encounter", json!({ "reference": "Encounter/@b-visit@" })),
        ("hasMember", json!([{ "reference": "Observation/@b-vital@/_history/1" }])),
        ("subject", json!({ "reference": "Patient/@b@/_history/1" })),
        ("subject", json!({ "reference": "http://x.example/fhir/Patient/@a@" })),
        ("subject", json!({ "reference": "#p" })),
        ("subject", json!({ "identifier": { "system": "urn:x:number", "value": "@!b@" } })),
        ("subject", json!({ "reference": "Patient?identifier=urn:x:number|@!b@" })),
        ("subject", json!({ "reference": "./Patient/@a@" })),
        ("subject", json!({ "reference": "Patient/@a@/../@b@" })),
    ] {
        let mut resource = own();
        resource[name] = value;
        all.push(post("Observation", &resource));
    }
    // Into the record of somebody else, as a party.
    let with = |party: &str| json!({ "actor": { "reference": format!("Patient/@{party}@") }, "status": "accepted" });
    for party in ["b", "m", "free"] {
        let participants = [with("a"), with(party)];
        all.push(post(
            "Appointment",
            &json!({ "resourceType": "Appointment", "status": "booked", "participant": participants }),
        ));
        all.push(post(
            "Communication",
            &json!({ "resourceType": "Communication", "status": "completed",
            "sender": { "reference": "Patient/@a@" }, "recipient": [{ "reference": format!("Patient/@{party}@") }] }),
        ));
    }
    // What somebody names is not thereby seen.
    for binary in ["b-text", "gone-text", "lone-text", "owned-text", "free"] {
        let letter = |url: String| {
            json!({ "resourceType": "DocumentReference", "status": "current",
                "subject": { "reference": "Patient/@a@" }, "content": [{ "attachment": { "url": url } }] })
        };
        all.push(post("DocumentReference", &letter(format!("Binary/@{binary}@"))));
        all.push(post("DocumentReference", &letter(format!("Binary/@{binary}@/_history/1"))));
        all.push(post(
            "Media",
            &json!({ "resourceType": "Media", "status": "completed", "subject": { "reference": "Patient/@a@" },
                "content": { "url": format!("Binary/@{binary}@") } }),
        ));
        let letter = with_id(letter(format!("Binary/@{binary}@")), "a-letter");
        all.push(put("DocumentReference/@a-letter@", &letter));
        all.push(Sent::get(&format!("Binary/@{binary}@")));
        all.push(Sent::get(&format!("Binary/@{binary}@")).header("Accept", "text/plain"));
    }
    all.push(Sent::get("Binary"));
    all.push(Sent::get("DocumentReference?_include=*&_include:iterate=*"));
    for targets in [&["Observation/@b-lab@"][..], &["Observation/@a-lab@", "Observation/@b-lab@"], &["Patient/@free@"]]
    {
        let targets: Vec<Value> = targets.iter().map(|target| json!({ "reference": target })).collect();
        let proof = json!({ "resourceType": "Provenance", "target": targets, "recorded": "2026-01-01T00:00:00Z",
            "agent": [{ "who": { "display": "x" } }] });
        all.push(post("Provenance", &proof));
    }
    all.push(post(
        "List",
        &json!({ "resourceType": "List", "status": "current", "mode": "working",
        "subject": { "reference": "Patient/@a@" }, "entry": [{ "item": { "reference": "Observation/@b-lab@" } },
            { "item": { "reference": "Patient/@b@" } }] }),
    ));
    all.push(Sent::get("List?_include=*&_include:iterate=*"));
    all.push(Sent::get("Observation?_list=@a-list@&_include=*"));
    all.push(Sent::get("Observation?_include=*&_include:iterate=*&_revinclude=*"));
    all.push(Sent::get("Observation?_sort=has-member.value-quantity,-focus:Patient.family"));
    all.push(Sent::get("Observation?has-member.value-quantity=4242.5"));
    all
}

/// Objects that give access, or lead to another person.
fn self_granting() -> Vec<Sent> {
    let (a, b) = (json!({ "reference": "Patient/@a@" }), json!({ "reference": "Patient/@b@" }));
    let resources = [
        json!({ "resourceType": "Consent", "status": "active", "scope": { "text": "x" }, "category": [{ "text": "x" }],
            "patient": b, "policyRule": { "text": "x" }, "provision": { "type": "permit", "actor": [{
            "role": { "text": "x" }, "reference": a }] } }),
        json!({ "resourceType": "RelatedPerson", "patient": b, "identifier": [{ "value": "x" }] }),
        json!({ "resourceType": "RelatedPerson", "patient": a, "identifier": [{ "value": "x" }] }),
        json!({ "resourceType": "Person", "link": [{ "target": a }, { "target": b }] }),
        json!({ "resourceType": "Group", "type": "person", "actual": true, "member": [{ "entity": a }] }),
        json!({ "resourceType": "Group", "type": "person", "actual": true, "member": [{ "entity": a }, { "entity": b }] }),
        json!({ "resourceType": "CareTeam", "subject": a, "participant": [{ "member": b }] }),
        json!({ "resourceType": "CareTeam", "subject": b, "participant": [{ "member": a }] }),
        json!({ "resourceType": "Subscription", "status": "requested", "reason": "x",
            "criteria": "Observation?subject=Patient/@b@", "channel": { "type": "rest-hook",
            "endpoint": "http://x.example" } }),
        json!({ "resourceType": "Linkage", "active": true, "item": [{ "type": "source", "resource": a },
            { "type": "alternate", "resource": b }] }),
        json!({ "resourceType": "Coverage", "status": "active", "beneficiary": b, "payor": [a] }),
        json!({ "resourceType": "Basic", "code": { "text": "x" }, "subject": b, "author": a }),
        json!({ "resourceType": "AuditEvent", "type": { "code": "rest" }, "recorded": "2026-01-01T00:00:00Z",
            "agent": [{ "requestor": true }], "source": { "observer": { "display": "x" } }, "entity": [{ "what": a }] }),
        json!({ "resourceType": "SearchParameter", "url": "http://x.example/p", "name": "x", "status": "active",
            "description": "x", "code": "patient", "base": ["Basic"], "type": "reference", "target": ["Patient"],
            "expression": "Basic.author" }),
        json!({ "resourceType": "Practitioner", "name": [{ "family": "x" }] }),
    ];
    let mut all: Vec<Sent> =
        resources.iter().map(|resource| post(resource["resourceType"].as_str().unwrap(), resource)).collect();
    let linked = json!({ "resourceType": "Patient", "id": "@a@", "link": [{ "other": b, "type": "refer" }] });
    all.push(put("Patient/@a@", &linked));
    all.push(patch(
        "Patient/@a@",
        r#"[{"op":"add","path":"/link/-","value":{"other":{"reference":"Patient/@b@"},"type":"refer"}}]"#,
    ));
    // Labels stay.
    for name in ["a-personal", "a-restricted", "a-secret", "a-lower", "a-small", "a-upper"] {
        all.push(patch(&format!("Observation/@{name}@"), r#"[{"op":"remove","path":"/meta/security"}]"#));
        all.push(put(&format!("Observation/@{name}@"), &with_id(own(), name)));
    }
    all.push(Sent::get("Patient/@a@/*"));
    all.push(Sent::get("Patient/@b@"));
    all
}

fn operations() -> Vec<Sent> {
    let mut all = Vec::new();
    for name in ["b-lab", "b-gone", "free"] {
        for mode in ["update", "delete", "create"] {
            all.push(post(&format!("Observation/@{name}@/$validate?mode={mode}"), &with_id(own(), name)));
        }
    }
    all.push(post("Observation/$validate", &observation("Patient/b", "laboratory", "sent")));
    all.push(post("Patient/$validate?mode=create", &json!({ "resourceType": "Patient", "id": "@b@" })));
    for path in ["$reindex", "Observation/$reindex", "Patient/@b@/$everything", "$export", "Patient/$match"] {
        all.push(post(path, &json!({ "resourceType": "Parameters" })));
    }
    all.push(Sent::of(Method::DELETE, "$reindex-status/@b@"));
    let form = "application/x-www-form-urlencoded";
    for (path, body) in [
        ("Observation/_search", "patient=@b@"),
        ("Observation/_search?patient=@a@", "patient=@b@"),
        ("Patient/_search", "_id=@b@"),
        ("Patient/_search", "identifier=@!b@&_revinclude=Observation:patient"),
        ("_search", "_id=@b@,@a@"),
        ("Patient/@b@/Observation/_search", "code=29463-7"),
        ("Practitioner/_search", "_revinclude=*&_include:iterate=*"),
        ("Observation/_search", "_sort=has-member.value-quantity"),
        ("Observation/_search", "access_token=x"),
    ] {
        all.push(Sent::of(Method::POST, path).body(form, body));
    }
    all
}

/// What entries of Bundles reach for.
fn bundles() -> Vec<Sent> {
    let bundle = |kind: &str, entries: Vec<Value>| {
        post("", &json!({ "resourceType": "Bundle", "type": kind, "entry": entries }))
    };
    let entry = |method: &str, url: &str, resource: Option<Value>| {
        let mut entry = json!({ "request": { "method": method, "url": url } });
        if let Some(resource) = resource {
            entry["resource"] = resource;
        }
        entry
    };
    let mut all = Vec::new();
    for kind in ["batch", "transaction"] {
        let entries = [
            entry("GET", "Observation/@b-lab@", None),
            entry("PUT", "Observation/@b-lab@", Some(with_id(own(), "b-lab"))),
            entry("PUT", "Patient/../Observation/@b-lab@", Some(with_id(own(), "b-lab"))),
            entry("DELETE", "Observation/@b-lab@", None),
            entry("DELETE", "Observation?identifier=@!b-lab@", None),
            entry("DELETE", "CareTeam/@a-team@", None),
            entry("DELETE", "CareTeam/@b-team@", None),
            entry("DELETE", "Patient/@a@", None),
            entry("DELETE", "Patient?_id=@a@,@b@", None),
            entry("PUT", "Observation?identifier=@!b-lab@", Some(own())),
            entry("POST", "Observation", Some(observation("Patient/b", "laboratory", "sent"))),
            entry("POST", "Patient/@b@/Observation", Some(own())),
            entry("PATCH", "Observation/@b-lab@", Some(json!({ "resourceType": "Parameters" }))),
        ];
        all.extend(entries.iter().map(|one| bundle(kind, vec![one.clone()])));
        let mut if_absent = entry("POST", "Observation", Some(own()));
        if_absent["request"]["ifNoneExist"] = json!("identifier=@!b-lab@");
        all.push(bundle(kind, vec![if_absent]));
        let mut matching = entry("PUT", "Observation/@b-lab@", Some(with_id(own(), "b-lab")));
        matching["request"]["ifMatch"] = json!("W/\"1\"");
        all.push(bundle(kind, vec![matching]));
        // Which of two is named first.
        for pair in [["free", "b-lab"], ["b-lab", "free"], ["b-vital", "b-gone"], ["free", "m-lab"]] {
            let both = pair.map(|name| entry("PUT", &format!("Observation/@{name}@"), Some(with_id(own(), name))));
            all.push(bundle(kind, both.to_vec()));
        }
        // Conditional references, to what is hidden, and by what is hidden.
        for target in ["Patient?identifier=@!b@", "Patient?_id=@b@", "Patient?identifier=@!a@", "Patient?name=Birch"] {
            let mut resource = own();
            resource["focus"] = json!([{ "reference": target }]);
            all.push(bundle(kind, vec![entry("POST", "Observation", Some(resource))]));
        }
        all.push(bundle(
            kind,
            vec![
                entry("POST", "Observation", Some(own())),
                entry("GET", "Patient/@b@", None),
                entry("GET", "Observation?patient=@b@", None),
            ],
        ));
    }
    all.extend(crate::leak::reads::IN_BUNDLES.iter().map(|url| bundle("batch", vec![entry("GET", url, None)])));
    all.extend(crate::leak::reads::IN_BUNDLES.iter().map(|url| bundle("transaction", vec![entry("GET", url, None)])));
    all
}

/// Headers that might open something.
fn headers() -> Vec<Sent> {
    let get = || Sent::get("Observation/@b-lab@");
    vec![
        get().header("X-HTTP-Method-Override", "DELETE"),
        get().header("X-Original-URL", "/fhir/Patient/@b@"),
        get().header("X-Rewrite-URL", "/fhir/Patient/@b@"),
        get().header("X-Forwarded-For", "127.0.0.1"),
        get().header("X-Security-Context", "Patient/@b@"),
        get().header("Prefer", "handling=lenient"),
        get().header("If-None-Match", "W/\"1\""),
        get().header("If-Modified-Since", "Wed, 01 Jan 2020 00:00:00 GMT"),
        get().header("Accept", "application/fhir+xml"),
        get().header("Cookie", "session=x"),
        Sent::get("Binary/@b-text@").header("Accept", "text/plain"),
        Sent::get("Binary/@b-text@").header("Range", "bytes=0-3"),
        Sent::get("Observation?nonsense=1&patient=@b@").header("Prefer", "handling=lenient"),
        Sent::get("Observation?nonsense=1&patient=@b@").header("Prefer", "handling=strict"),
        Sent::of(Method::OPTIONS, "Patient/@b@"),
        Sent::of(Method::TRACE, "Patient/@b@"),
        Sent::of(Method::POST, "Patient/@b@").header("X-HTTP-Method-Override", "GET"),
        post("Observation", &own()).header("Prefer", "return=representation"),
        put("Observation/@b-lab@", &with_id(own(), "b-lab")).header("Prefer", "return=representation"),
        post("Binary", &json!({ "resourceType": "Binary", "contentType": "text/plain", "data": "b3du" }))
            .header("X-Security-Context", "Patient/@b@"),
        Sent::of(Method::POST, "Binary").body("text/plain", "own").header("X-Security-Context", "Patient/@b@"),
        Sent::of(Method::POST, "Binary").body("text/plain", "own").header("X-Security-Context", "Patient/@a@"),
    ]
}
