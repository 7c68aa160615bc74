//! Search by value sets and hierarchies of codes: `:in`, `:not-in`, `:below` and `:above` of tokens.
//!
//! Spec: R4 search.html#token

use serde_json::{Value, json};

use crate::support::{TestServer, bundle, on_both, patient, statuses};

on_both!(
    value_sets_are_found_by_url_and_by_address,
    each_form_of_a_value_set_counts,
    hierarchies_lead_down_and_up,
    a_change_of_a_definition_counts_at_once,
    the_newest_active_definition_is_meant,
    whatever_searches_takes_value_sets,
    conditions_take_value_sets,
    what_is_missing_is_named,
    hostile_definitions_are_refused,
    thousands_of_codes_are_as_good_as_one,
);

const LOINC: &str = "http://loinc.org";
const ANIMALS: &str = "urn:emberwell.example:animals";

fn animals() -> Value {
    json!({
        "resourceType": "CodeSystem", "id": "animals", "url": ANIMALS, "status": "active", "content": "complete",
        "hierarchyMeaning": "is-a", "property": [{ "code": "legs", "type": "integer" }],
        "concept": [{ "code": "animal", "concept": [
            { "code": "mammal", "concept": [
                { "code": "Cat", "property": [{ "code": "legs", "valueInteger": 4 }] },
                { "code": "bat", "property": [{ "code": "legs", "valueInteger": 2 }] }
            ] },
            { "code": "fish" }
        ] }]
    })
}

fn value_set(id: &str, compose: Value) -> Value {
    json!({
        "resourceType": "ValueSet", "id": id, "url": format!("http://emberwell.example/{id}"), "status": "active",
        "compose": compose
    })
}

/// A value set of these codes of one system.
fn listing(id: &str, system: &str, codes: &[&str]) -> Value {
    let codes: Vec<Value> = codes.iter().map(|code| json!({ "code": code })).collect();
    value_set(id, json!({ "include": [{ "system": system, "concept": codes }] }))
}

fn observation(id: &str, codings: Value) -> Value {
    json!({ "resourceType": "Observation", "id": id, "status": "final", "code": { "coding": codings, "text": "?" } })
}

async fn put(server: &TestServer, resource: &Value) {
    let (type_name, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    let answer = server.put(&format!("{type_name}/{id}"), resource).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
}

async fn fill(server: &TestServer) {
    let coding = |system: &str, code: &str| json!({ "system": system, "code": code });
    let mut bare = observation("text", json!([]));
    bare["code"].as_object_mut().unwrap().remove("coding");
    for resource in [
        observation("pulse", json!([coding(LOINC, "8867-4")])),
        observation("weight", json!([coding(LOINC, "29463-7"), coding("urn:other", "w")])),
        observation("cat", json!([coding(ANIMALS, "Cat")])),
        observation("bat", json!([coding(ANIMALS, "bat")])),
        observation("mammal", json!([coding(ANIMALS, "mammal")])),
        observation("system", json!([{ "system": LOINC, "display": "a system is no code" }])),
        observation("code", json!([{ "code": "8867-4" }])),
        bare,
        animals(),
        listing("vitals", LOINC, &["8867-4", "8480-6"]),
    ] {
        put(server, &resource).await;
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

async fn value_sets_are_found_by_url_and_by_address(server: &TestServer) {
    fill(server).await;
    put(server, &json!({ "resourceType": "Patient", "id": "eve", "gender": "female" })).await;
    put(server, &json!({ "resourceType": "Patient", "id": "nobody" })).await;
    let literal = format!("Observation?code:in={}/ValueSet/vitals", server.base);
    let both = "Observation?code:in=ValueSet/vitals,http://hl7.org/fhir/ValueSet/observation-codes";

    check(
        server,
        &[
            ("Observation?code:in=http://emberwell.example/vitals", &["pulse"]),
            ("Observation?code:in=ValueSet/vitals", &["pulse"]),
            (&literal, &["pulse"]),
            ("Observation?code:not-in=ValueSet/vitals", &["bat", "cat", "code", "mammal", "system", "text", "weight"]),
            ("Observation?code:in=http://hl7.org/fhir/ValueSet/observation-codes", &["pulse", "weight"]),
            ("Observation?code:in=http://loinc.org/vs", &["pulse", "weight"]),
            ("Observation?code:not-in=http://loinc.org/vs", &["bat", "cat", "code", "mammal", "system", "text"]),
            (both, &["pulse", "weight"]),
            ("Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", &["eve"]),
            ("Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1", &["eve"]),
            ("Patient?gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender", &["nobody"]),
            ("Observation?status:in=http://hl7.org/fhir/ValueSet/administrative-gender", &[]),
        ],
    )
    .await;
    let total = server.get("Observation?code:in=ValueSet/vitals&_summary=count").await.expect(200);
    assert_eq!(total.json()["total"], 1);
}

async fn each_form_of_a_value_set_counts(server: &TestServer) {
    fill(server).await;
    let filtered = |id: &str, property: &str, op: &str, value: &str| {
        let filter = json!([{ "property": property, "op": op, "value": value }]);
        value_set(id, json!({ "include": [{ "system": ANIMALS, "filter": filter }] }))
    };
    let expanded = json!({
        "resourceType": "ValueSet", "id": "expanded", "status": "draft",
        "expansion": { "timestamp": "2026-01-01", "contains": [{ "system": ANIMALS, "code": "bat" }] }
    });
    for resource in [
        filtered("is-a", "concept", "is-a", "mammal"),
        filtered("below", "concept", "descendent-of", "mammal"),
        filtered("legs", "legs", "=", "4"),
        filtered("regex", "code", "regex", "b.*"),
        value_set("whole", json!({ "include": [{ "system": "urn:other" }, { "system": ANIMALS }] })),
        value_set(
            "but",
            json!({
                "include": [{ "system": LOINC }],
                "exclude": [{ "system": LOINC, "concept": [{ "code": "29463-7" }] }]
            }),
        ),
        value_set(
            "nested",
            json!({ "include": [{ "valueSet": ["http://emberwell.example/legs"] }, { "valueSet": ["http://emberwell.example/but"] }] }),
        ),
        expanded,
    ] {
        put(server, &resource).await;
    }

    check(
        server,
        &[
            ("Observation?code:in=ValueSet/is-a", &["bat", "cat", "mammal"]),
            ("Observation?code:in=ValueSet/below", &["bat", "cat"]),
            ("Observation?code:in=ValueSet/legs", &["cat"]),
            ("Observation?code:in=ValueSet/regex", &["bat"]),
            ("Observation?code:in=ValueSet/whole", &["bat", "cat", "mammal", "weight"]),
            ("Observation?code:in=ValueSet/but", &["pulse"]),
            ("Observation?code:not-in=ValueSet/but", &["bat", "cat", "code", "mammal", "system", "text", "weight"]),
            ("Observation?code:in=ValueSet/nested", &["cat", "pulse"]),
            ("Observation?code:in=ValueSet/expanded", &["bat"]),
        ],
    )
    .await;
}

async fn hierarchies_lead_down_and_up(server: &TestServer) {
    fill(server).await;
    let condition = |id: &str, status: &str| {
        let system = "http://terminology.hl7.org/CodeSystem/condition-clinical";
        let status = json!({ "coding": [{ "system": system, "code": status }] });
        json!({ "resourceType": "Condition", "id": id, "subject": { "display": "x" }, "clinicalStatus": status })
    };
    put(server, &condition("again", "relapse")).await;
    put(server, &condition("gone", "resolved")).await;
    let below = format!("Observation?code:below={ANIMALS}|mammal");
    let several = format!("Observation?code:below={ANIMALS}|Cat,{ANIMALS}|bat");
    let above = format!("Observation?code:above={ANIMALS}|bat");
    let top = format!("Observation?code:above={ANIMALS}|animal");

    check(
        server,
        &[
            (&below, &["bat", "cat", "mammal"]),
            (&several, &["bat", "cat"]),
            (&above, &["bat", "mammal"]),
            (&top, &[]),
            (
                "Condition?clinical-status:below=http://terminology.hl7.org/CodeSystem/condition-clinical|active",
                &["again"],
            ),
            (
                "Condition?clinical-status:above=http://terminology.hl7.org/CodeSystem/condition-clinical|relapse",
                &["again"],
            ),
            ("Observation?status:below=final&code:in=ValueSet/vitals", &["pulse"]),
        ],
    )
    .await;
}

async fn a_change_of_a_definition_counts_at_once(server: &TestServer) {
    fill(server).await;
    check(server, &[("Observation?code:in=http://emberwell.example/vitals", &["pulse"])]).await;

    put(server, &listing("vitals", LOINC, &["29463-7"])).await;
    check(server, &[("Observation?code:in=http://emberwell.example/vitals", &["weight"])]).await;

    put(server, &value_set("vitals", json!({ "include": [{ "system": ANIMALS }] }))).await;
    check(server, &[("Observation?code:in=http://emberwell.example/vitals", &["bat", "cat", "mammal"])]).await;

    let mut fewer = animals();
    fewer["concept"] = json!([{ "code": "bat" }]);
    put(server, &fewer).await;
    check(server, &[("Observation?code:in=http://emberwell.example/vitals", &["bat"])]).await;

    server.delete("ValueSet/vitals").await.expect(204);
    for search in ["Observation?code:in=http://emberwell.example/vitals", "Observation?code:in=ValueSet/vitals"] {
        let issue = server.get(search).await.refused(400);
        assert_eq!(issue["code"], "not-found", "{issue}");
    }
}

async fn the_newest_active_definition_is_meant(server: &TestServer) {
    fill(server).await;
    let version = |id: &str, version: &str, status: &str, code: &str| {
        let mut value_set = listing(id, LOINC, &[code]);
        value_set["url"] = json!("http://emberwell.example/x");
        value_set["version"] = json!(version);
        value_set["status"] = json!(status);
        value_set
    };
    put(server, &version("v3", "3", "draft", "none")).await;
    put(server, &version("v10", "1.10", "active", "8867-4")).await;
    put(server, &version("v9", "1.9", "active", "29463-7")).await;
    put(server, &version("beta", "1.10-B", "retired", "29463-7")).await;

    check(
        server,
        &[
            ("Observation?code:in=http://emberwell.example/x", &["pulse"]),
            ("Observation?code:in=http://emberwell.example/x|1.9", &["weight"]),
            ("Observation?code:in=http://emberwell.example/x|3", &[]),
            ("Observation?code:in=http://emberwell.example/x|1.10-B", &["weight"]),
        ],
    )
    .await;
    for unknown in ["2", "1.10-b"] {
        let search = format!("Observation?code:in=http://emberwell.example/x|{unknown}");
        assert_eq!(server.get(&search).await.refused(400)["code"], "not-found");
    }
    // What R4 defines gives way to an active resource, and to no other.
    let mut own = listing("genders", "http://hl7.org/fhir/administrative-gender", &["other"]);
    own["url"] = json!("http://hl7.org/fhir/ValueSet/administrative-gender");
    put(server, &json!({ "resourceType": "Patient", "id": "eve", "gender": "female" })).await;
    let search = "Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender";
    own["status"] = json!("draft");
    put(server, &own).await;
    check(server, &[(search, &["eve"])]).await;
    own["status"] = json!("active");
    put(server, &own).await;
    check(server, &[(search, &[])]).await;
}

async fn whatever_searches_takes_value_sets(server: &TestServer) {
    fill(server).await;
    put(server, &json!({ "resourceType": "Patient", "id": "eve", "gender": "female" })).await;
    put(server, &json!({ "resourceType": "Patient", "id": "max", "gender": "male" })).await;
    for (id, patient) in [("pulse", "eve"), ("weight", "max")] {
        let mut observation = server.get(&format!("Observation/{id}")).await.json();
        observation["subject"] = json!({ "reference": format!("Patient/{patient}") });
        put(server, &observation).await;
    }
    put(server, &listing("women", "http://hl7.org/fhir/administrative-gender", &["female"])).await;
    let tagged = json!({ "resourceType": "Basic", "id": "tagged", "code": { "text": "x" }, "meta": { "tag": [{ "system": ANIMALS, "code": "bat" }] } });
    put(server, &tagged).await;
    let tag = format!("?_tag:below={ANIMALS}|mammal");

    check(
        server,
        &[
            ("Observation?patient.gender:in=ValueSet/women", &["pulse"]),
            ("Observation?patient.gender:not-in=ValueSet/women", &["weight"]),
            ("Patient?_has:Observation:patient:code:in=ValueSet/vitals", &["eve"]),
            ("Patient/eve/Observation?code:in=ValueSet/vitals", &["pulse"]),
            ("Patient/max/Observation?code:in=ValueSet/vitals", &[]),
            ("?_type=Observation,Condition&code:in=ValueSet/vitals", &["pulse"]),
            (&tag, &["tagged"]),
            (
                "Observation?code:in=ValueSet/vitals&patient.gender:in=ValueSet/women&_include=Observation:patient",
                &["pulse"],
            ),
        ],
    )
    .await;

    let get = |url: &str| json!({ "request": { "method": "GET", "url": url } });
    let entries = [
        get("Observation?code:in=ValueSet/vitals"),
        get("Patient/max/Observation?code:not-in=ValueSet/vitals"),
        get("Observation?code:in=ValueSet/unknown"),
    ];
    let batch = server.post("", &bundle("batch", &entries)).await.expect(200);
    assert_eq!(statuses(&batch.entries()), ["200", "200", "400"]);
    assert_eq!(batch.entries()[0]["resource"]["entry"][0]["resource"]["id"], "pulse");
    assert_eq!(batch.entries()[1]["resource"]["entry"][0]["resource"]["id"], "weight");
    // What the transaction writes counts for what it reads.
    let women = listing("women", "http://hl7.org/fhir/administrative-gender", &["male"]);
    let change = json!({ "resource": women, "request": { "method": "PUT", "url": "ValueSet/women" } });
    let entries = [change, get("Patient?gender:in=ValueSet/women")];
    let transaction = server.post("", &bundle("transaction", &entries)).await.expect(200);
    assert_eq!(transaction.entries()[1]["resource"]["entry"][0]["resource"]["id"], "max");

    let pages = server.get("Observation?code:not-in=ValueSet/vitals&_count=4").await.expect(200);
    let next = server.get(&pages.link("next").unwrap()).await.expect(200);
    assert_eq!((pages.matches().len(), next.matches().len()), (4, 3));
}

async fn conditions_take_value_sets(server: &TestServer) {
    fill(server).await;
    let fresh = || {
        let mut observation = observation("x", json!([{ "system": LOINC, "code": "8480-6" }]));
        observation.as_object_mut().unwrap().remove("id");
        observation
    };
    let create = async |condition: &str| {
        let request = server.request(http::Method::POST, "Observation").header("If-None-Exist", condition);
        request.json(&fresh()).send().await
    };
    put(server, &listing("none", LOINC, &["none"])).await;

    create("code:in=ValueSet/vitals").await.expect(200);
    create("code:in=ValueSet/none").await.expect(201);
    create("code:in=ValueSet/vitals").await.refused(412);
    create("code:in=ValueSet/unknown").await.refused(400);
    create("code:in=http://hl7.org/fhir/ValueSet/condition-code").await.refused(400);
    let patch = json!([{ "op": "replace", "path": "/status", "value": "amended" }]);
    let patch = server
        .request(http::Method::PATCH, &format!("Observation?code:below={ANIMALS}|Cat"))
        .body("application/json-patch+json", patch.to_string());
    assert_eq!(patch.send().await.expect(200).json()["id"], "cat");
    let update = server.put(&format!("Observation?code:below={ANIMALS}|bat"), &fresh()).await.expect(200);
    assert_eq!(update.json()["id"], "bat");
    server.delete(&format!("Observation?code:above={ANIMALS}|mammal")).await.expect(204);
    server.get("Observation/mammal").await.refused(410);

    let mut referring = patient("1");
    put(server, &json!({ "resourceType": "Organization", "id": "o", "type": [{ "coding": [{ "system": ANIMALS, "code": "fish" }] }] })).await;
    referring["managingOrganization"] = json!({ "reference": format!("Organization?type:below={ANIMALS}|animal") });
    let entry = json!({ "resource": referring, "request": { "method": "POST", "url": "Patient" } });
    server.post("", &bundle("transaction", &[entry])).await.expect(200);
    check(
        server,
        &[(
            "Patient?organization=o&_elements=id&_count=1",
            &server.found("Patient").await.iter().map(String::as_str).collect::<Vec<_>>(),
        )],
    )
    .await;
}

async fn what_is_missing_is_named(server: &TestServer) {
    fill(server).await;
    let is_a = json!([{ "property": "concept", "op": "is-a", "value": "1" }]);
    put(server, &value_set("snomed", json!({ "include": [{ "system": "http://snomed.info/sct", "filter": is_a }] })))
        .await;
    let part = json!({ "resourceType": "CodeSystem", "id": "part", "url": "urn:part", "status": "active", "content": "not-present" });
    put(server, &part).await;
    put(server, &value_set("version", json!({ "include": [{ "system": ANIMALS, "version": "9" }] }))).await;
    let unicorn = format!("Observation?code:below={ANIMALS}|unicorn");
    let cases = [
        ("Observation?code:in=http://nobody.example/x", "the ValueSet 'http://nobody.example/x' is not known here"),
        ("Observation?code:in=ValueSet/nothing", "the ValueSet 'ValueSet/nothing' is not known here"),
        ("Observation?code:in=ValueSet/snomed", "the CodeSystem 'http://snomed.info/sct' is not known here"),
        ("Observation?code:not-in=ValueSet/snomed", "the CodeSystem 'http://snomed.info/sct' is not known here"),
        ("Observation?code:in=ValueSet/version", "version '9' of the CodeSystem"),
        ("Observation?code:below=http://loinc.org|8867-4", "the CodeSystem 'http://loinc.org' is not known here"),
        ("Observation?code:below=urn:part|x", "its content is 'not-present'"),
        (&unicorn, "has no such code"),
        ("Observation?patient.maritalStatus:in=x", "'maritalStatus' is not a search parameter"),
    ];

    for (search, text) in cases {
        let issue = server.get(search).await.refused(400);
        assert!(issue["details"]["text"].as_str().unwrap().contains(text), "{search}: {issue}");
        assert!(!issue.to_string().contains("unicorn"), "{issue}");
    }
    for search in [
        "Patient?identifier:in=ValueSet/vitals",
        "Patient?active:in=ValueSet/vitals",
        "Patient?phone:in=ValueSet/vitals",
        "Observation?code:in=vitals",
        "Observation?code:in=Patient/1",
        "Observation?code:in=http://%00",
        "Observation?code:below=a%00|b",
        "Observation?code:below=8867-4",
    ] {
        server.get(search).await.refused(400);
    }
}

async fn hostile_definitions_are_refused(server: &TestServer) {
    fill(server).await;
    let import = |id: &str, urls: &[String]| {
        let includes: Vec<Value> = urls.iter().map(|url| json!({ "valueSet": [url] })).collect();
        value_set(id, json!({ "include": includes }))
    };
    let url = |id: &str| format!("http://emberwell.example/{id}");
    let mut entries = vec![
        import("self", &[url("self")]),
        import("left", &[url("right")]),
        import("right", &[url("left")]),
        value_set(
            "regex",
            json!({ "include": [{ "system": ANIMALS, "filter": [
                { "property": "code", "op": "regex", "value": "((a{1000}){1000}){1000}" }
            ] }] }),
        ),
        value_set("many-systems", {
            let includes: Vec<Value> = (0..1500).map(|n| json!({ "system": format!("urn:s:{n}") })).collect();
            json!({ "include": includes })
        }),
    ];
    entries.extend((0..40).map(|n| import(&format!("deep{n}"), &[url(&format!("deep{}", n + 1))])));
    entries.extend((0..17).map(|n| {
        let mut alike = listing(&format!("alike{n}"), LOINC, &["8867-4"]);
        alike["url"] = json!(url("alike"));
        alike
    }));
    for large in ["large1", "large2"] {
        let codes: Vec<String> = (0..30_000).map(|n| format!("{large}-{n}")).collect();
        entries.push(listing(large, "urn:large", &codes.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    for resource in &entries {
        put(server, resource).await;
    }
    let cases = [
        ("self", "imports itself", "not-found"),
        ("left", "imports itself", "not-found"),
        ("regex", "that is not supported", "not-found"),
        ("deep0", "is imported through more than 32 others", "too-costly"),
        ("many-systems", "more than 1000 ValueSets and CodeSystems", "too-costly"),
        ("alike", "more than 16 resources of type ValueSet", "too-costly"),
        ("large1,http://emberwell.example/large2", "more than 50000 codes", "too-costly"),
    ];

    for (id, text, code) in cases {
        let issue = server.get(&format!("Observation?code:in={}", url(id))).await.refused(400);
        assert!(issue["details"]["text"].as_str().unwrap().contains(text), "{id}: {issue}");
        assert_eq!(issue["code"], code, "{id}");
    }
    check(server, &[("Observation?code:in=ValueSet/vitals", &["pulse"])]).await;
}

async fn thousands_of_codes_are_as_good_as_one(server: &TestServer) {
    fill(server).await;
    let codes: Vec<String> = (0..40_000).map(|n| format!("Code-{n}")).collect();
    put(server, &listing("large", "urn:large", &codes.iter().map(String::as_str).collect::<Vec<_>>())).await;
    put(server, &observation("last", json!([{ "system": "urn:large", "code": "CODE-39999" }]))).await;
    put(server, &observation("other", json!([{ "system": "urn:larger", "code": "Code-1" }]))).await;
    let everything_but = "Observation?code:not-in=ValueSet/large&code:not-in=http://loinc.org/vs";

    check(
        server,
        &[
            ("Observation?code:in=ValueSet/large", &["last"]),
            ("Observation?code:in=ValueSet/large&status=final&_total=accurate", &["last"]),
            (everything_but, &["bat", "cat", "code", "mammal", "other", "system", "text"]),
        ],
    )
    .await;
}
