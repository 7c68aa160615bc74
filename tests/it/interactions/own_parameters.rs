//! Search parameters that clients define: from the definition to the deletion.

use emberwell::config::Settings;
use emberwell::server::start;
use http::Method;
use serde_json::{Value, json};

use crate::support::client::{Request, client};
use crate::support::{TestServer, bundle, on_both, statuses};

on_both!(
    a_definition_waits_for_a_reindex_and_then_finds_old_and_new_resources,
    values_of_each_kind_are_found_in_extensions,
    components_match_within_one_repetition,
    a_choice_may_be_named_as_in_json,
    own_references_lead_chains_includes_and_has,
    a_changed_expression_waits_again_and_a_deleted_definition_is_unknown,
    what_is_wrong_with_a_definition_is_told_with_its_position,
    only_one_definition_has_a_code_or_a_url,
    another_process_follows_at_once,
);

pub fn definition(code: &str, kind: &str, expression: &str) -> Value {
    json!({
        "resourceType": "SearchParameter", "url": format!("http://own/{code}"), "name": "Own", "status": "active",
        "description": "own", "code": code, "base": ["Patient"], "type": kind, "expression": expression,
    })
}

fn with(extension: &str, value: &Value) -> Value {
    let mut extension = json!({ "url": format!("http://own/{extension}") });
    extension.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    json!({ "resourceType": "Patient", "extension": [extension] })
}

/// Asks at the address of a job until it is done.
pub async fn finished(server: &TestServer, job: &str) -> Value {
    loop {
        let answer = server.get(job).await;
        if answer.status != 202 {
            return answer.expect(200).json();
        }
    }
}

pub async fn reindex(server: &TestServer, path: &str) -> Value {
    let begun = server.request(Method::POST, path).send().await.expect(202);
    finished(server, &begun.header("Content-Location")).await
}

async fn a_definition_waits_for_a_reindex_and_then_finds_old_and_new_resources(server: &TestServer) {
    let eyes = |colour: &str| with("eyes", &json!({ "valueCode": colour }));
    let old = server.create(&eyes("blue")).await;
    server.get("Patient?eyes=blue").await.refused(400);
    server.create(&definition("eyes", "token", "Patient.extension('http://own/eyes').value")).await;

    let issue = server.get("Patient?eyes=blue").await.refused(409);
    let new = server.create(&eyes("blue")).await;
    server.get("Patient?_has:Observation:subject:code=x&eyes=blue").await.refused(409);
    assert!(issue["diagnostics"].as_str().unwrap().contains("POST [base]/$reindex"), "{issue}");
    assert!(!server.get("metadata").await.text().contains("http://own/eyes"));

    let report = reindex(server, "$reindex").await;

    assert_eq!(report["parameter"][0], json!({ "name": "resources", "valueInteger": 3 }));
    assert_eq!(server.found("Patient?eyes=blue").await, [old, new]);
    let other = server.create(&eyes("green")).await;
    assert_eq!(server.found("Patient?eyes:not=blue").await, [other.as_str()]);
    assert_eq!(server.found("Patient?eyes=green").await, [other]);
    assert_eq!(server.found("Patient?eyes:missing=true").await, [""; 0]);
    assert!(server.get("metadata").await.text().contains("http://own/eyes"));
}

async fn values_of_each_kind_are_found_in_extensions(server: &TestServer) {
    let kilograms = json!({ "value": 5.4, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg" });
    let cases = [
        ("string", json!({ "valueString": "Zürich West" }), "zurich"),
        (
            "token",
            json!({ "valueCodeableConcept": { "coding": [{ "system": "http://s", "code": "a" }] } }),
            "http://s|a",
        ),
        ("date", json!({ "valueDateTime": "2020-03-01T10:00:00Z" }), "2020-03"),
        ("reference", json!({ "valueReference": { "reference": "Organization/1" } }), "Organization/1"),
        ("quantity", json!({ "valueQuantity": kilograms }), "5.4|http://unitsofmeasure.org|kg"),
        ("number", json!({ "valueDecimal": 7.25 }), "gt7"),
        ("uri", json!({ "valueUri": "http://a/b" }), "http://a/b"),
    ];
    let mut ids = Vec::new();
    for (kind, value, _) in &cases {
        let code = format!("own-{kind}");
        ids.push(server.create(&with(&code, value)).await);
        let expression = format!("Patient.extension('http://own/{code}').value");
        server.create(&definition(&code, kind, &expression)).await;
    }

    reindex(server, "Patient/$reindex").await;

    for ((kind, _, value), id) in cases.iter().zip(ids) {
        assert_eq!(server.found(&format!("Patient?own-{kind}={value}")).await, [id], "{kind}");
    }
}

async fn components_match_within_one_repetition(server: &TestServer) {
    let encounter = |attends: &str, assists: &str| {
        let participant = |role: &str, who: &str| {
            let role = json!([{ "coding": [{ "system": "http://roles", "code": role }] }]);
            json!({ "type": role, "individual": { "reference": format!("Practitioner/{who}") }, "period": { "start": "2020" } })
        };
        let class = json!({ "system": "http://classes", "code": "AMB" });
        let participants = json!([participant("ATND", attends), participant("SPRF", assists)]);
        json!({ "resourceType": "Encounter", "status": "finished", "class": class, "participant": participants })
    };
    let component = |code: &str, expression: &str| json!({ "definition": format!("http://hl7.org/fhir/SearchParameter/{code}"), "expression": expression });
    let old = server.create(&encounter("ana", "ben")).await;
    let mut role = definition("role", "composite", "Encounter.participant");
    role["base"] = json!(["Encounter"]);
    role["component"] =
        json!([component("Encounter-participant-type", "type"), component("Encounter-participant", "individual")]);
    let id = server.create(&role).await;
    server.get("Encounter?role=ATND$Practitioner/ana").await.refused(409);

    reindex(server, "Encounter/$reindex").await;

    let new = server.create(&encounter("ben", "ana")).await;
    for (value, expected) in [
        ("ATND$Practitioner/ana", vec![old.as_str()]),
        ("http://roles|ATND$Practitioner/ben", vec![&new]),
        ("SPRF$Practitioner/ana,SPRF$Practitioner/ben", vec![&old, &new]),
        ("ATND$Practitioner/eve", vec![]),
    ] {
        assert_eq!(server.found(&format!("Encounter?role={value}")).await, expected, "{value}");
    }
    assert_eq!(server.found("Encounter?role:missing=true").await, [""; 0]);
    server.get("Encounter?role=ATND").await.refused(400);
    assert!(server.get("metadata").await.text().contains("http://own/role"));

    // Another component is another definition.
    role["id"] = json!(id);
    role["component"][1] = component("clinical-date", "period");
    server.put(&format!("SearchParameter/{id}"), &role).await.expect(200);
    server.get("Encounter?role=ATND$2020").await.refused(409);
    reindex(server, "$reindex").await;
    assert_eq!(server.found("Encounter?role=ATND$ge2020").await.len(), 2);
    assert_eq!(server.found("Encounter?role=ATND$lt2019").await, [""; 0]);
    role["component"][1]["expression"] = json!("period.start.first()");
    let issue = server.put(&format!("SearchParameter/{id}"), &role).await.refused(422);
    assert_eq!(issue["expression"][0], "SearchParameter.component[1].expression");
}

/// As US Core defines `asserted-date`.
async fn a_choice_may_be_named_as_in_json(server: &TestServer) {
    let seen = server.create(&with("seen", &json!({ "valueDateTime": "2020-03-01T10:00:00Z" }))).await;
    server.create(&with("seen", &json!({ "valueString": "2020-03-01" }))).await;
    server.create(&with("other", &json!({ "valueDateTime": "2020-03-01T10:00:00Z" }))).await;
    let mut dead = json!({ "resourceType": "Patient", "deceasedDateTime": "2021-05" });
    let dead_id = server.create(&dead).await;
    let expression = "Patient.extension.where(url = 'http://own/seen').valueDateTime";
    server.create(&definition("seen", "date", expression)).await;
    server.create(&definition("died", "date", "Patient.deceasedDateTime")).await;

    reindex(server, "$reindex").await;

    assert_eq!(server.found("Patient?seen=2020-03").await, [seen]);
    assert_eq!(server.found("Patient?died=2021").await, [dead_id.as_str()]);
    dead["deceasedDateTime"] = json!("2021-06-07");
    let later = server.create(&dead).await;
    assert_eq!(server.found("Patient?died=2021").await, [dead_id.as_str(), later.as_str()]);
}

async fn own_references_lead_chains_includes_and_has(server: &TestServer) {
    let house = server.create(&json!({ "resourceType": "Organization", "name": "Rosenhof" })).await;
    let home = json!({ "valueReference": { "reference": format!("Organization/{house}") } });
    let mut patient = with("home", &home);
    patient["birthDate"] = json!("2000-01-01");
    let patient = server.create(&patient).await;
    let mut home = definition("home", "reference", "Patient.extension('http://own/home').value");
    home["target"] = json!(["Organization"]);
    server.create(&home).await;
    server.get("Patient?_include=Patient:home").await.refused(409);
    server.get("Patient?_include=*").await.refused(409);
    reindex(server, "$reindex").await;

    assert_eq!(server.found("Patient?home.name=rosen").await, [patient.as_str()]);
    assert_eq!(server.found("Organization?_has:Patient:home:birthdate=2000").await, [house.as_str()]);
    let types = |answer: crate::support::Answer| answer.resources().len();
    assert_eq!(types(server.get("Patient?_include=Patient:home").await), 2);
    assert_eq!(types(server.get("Patient?_include=*").await), 2);
    assert_eq!(types(server.get("Organization?_revinclude=Patient:home").await), 2);
}

async fn a_changed_expression_waits_again_and_a_deleted_definition_is_unknown(server: &TestServer) {
    let patient = json!({ "resourceType": "Patient", "name": [{ "family": "Zweig", "given": ["Ana"] }] });
    let patient = server.create(&patient).await;
    let mut called = definition("called", "string", "Patient.name.family");
    let id = server.create(&called).await;
    reindex(server, "$reindex").await;
    assert_eq!(server.found("Patient?called=zweig").await, [patient.as_str()]);

    called["id"] = json!(id);
    called["description"] = json!("said otherwise");
    server.put(&format!("SearchParameter/{id}"), &called).await.expect(200);
    assert_eq!(server.found("Patient?called=zweig").await, [patient.as_str()]);
    called["expression"] = json!("Patient.name.given.first()");
    server.put(&format!("SearchParameter/{id}"), &called).await.expect(200);
    server.get("Patient?called=ana").await.refused(409);
    reindex(server, "$reindex").await;
    assert_eq!(server.found("Patient?called=ana").await, [patient]);
    assert_eq!(server.found("Patient?called=zweig").await, [""; 0]);

    let patch = json!([{ "op": "replace", "path": "/status", "value": "retired" }]);
    let request = server.request(Method::PATCH, &format!("SearchParameter/{id}"));
    request.body("application/json-patch+json", patch.to_string()).send().await.expect(200);
    server.get("Patient?called=ana").await.refused(400);
    called["status"] = json!("active");
    server.put(&format!("SearchParameter/{id}"), &called).await.expect(200);
    server.get("Patient?called=ana").await.refused(409);
    server.delete(&format!("SearchParameter/{id}")).await.expect(204);
    server.get("Patient?called=ana").await.refused(400);
}

async fn what_is_wrong_with_a_definition_is_told_with_its_position(server: &TestServer) {
    let refused = async |definition: Value| {
        let issue = server.post("SearchParameter", &definition).await.refused(422);
        (issue["expression"][0].as_str().unwrap().to_owned(), issue["diagnostics"].as_str().unwrap().to_owned())
    };

    let (place, text) = refused(definition("a", "token", "Patient.name.where(")).await;
    assert_eq!(place, "SearchParameter.expression");
    assert!(text.contains("at character 19"), "{text}");
    let (place, text) = refused(definition("name", "string", "Patient.name")).await;
    assert_eq!(place, "SearchParameter.code");
    assert!(text.contains("Patient has a search parameter of this code already"), "{text}");
    let (place, _) = refused(definition("a", "special", "Patient.name")).await;
    assert_eq!(place, "SearchParameter.type");
    let entry = |code: &str, expression: &str| {
        json!({
            "resource": definition(code, "token", expression),
            "request": { "method": "POST", "url": "SearchParameter" },
        })
    };
    let answer = server.post("", &bundle("batch", &[entry("b", "Patient.active"), entry("c", "((")])).await.expect(200);
    assert_eq!(statuses(&answer.entries()), ["201", "422"]);
    server.post("", &bundle("transaction", &[entry("d", "Patient.active"), entry("e", "((")])).await.refused(422);
    server.get("Patient?b=true").await.refused(409);
    server.get("Patient?d=true").await.refused(400);
}

async fn only_one_definition_has_a_code_or_a_url(server: &TestServer) {
    let first = definition("a", "token", "Patient.active");
    server.create(&first).await;
    let mut same_code = first.clone();
    same_code["url"] = json!("http://own/other");
    let entry = |code: &str| json!({ "resource": definition(code, "token", "Patient.active"), "request": { "method": "POST", "url": "SearchParameter" } });

    server.post("SearchParameter", &first).await.refused(422);
    server.post("SearchParameter", &same_code).await.refused(422);
    server.post("", &bundle("transaction", &[entry("b"), entry("b")])).await.refused(422);
    let batch = server.post("", &bundle("batch", &[entry("c"), entry("c")])).await.expect(200);
    assert_eq!(statuses(&batch.entries()), ["201", "422"]);
    same_code["base"] = json!(["Group"]);
    server.create(&same_code).await;
}

async fn another_process_follows_at_once(server: &TestServer) {
    let mut settings = Settings::default();
    settings.server.listen = "127.0.0.1:0".to_owned();
    settings.server.database = server.database().to_owned();
    settings.server.open = true;
    let other = start(settings).await.unwrap();
    let own = client();
    let get = async |path: &str| Request::new(&own, Method::GET, &format!("{}/fhir/{path}", other.url)).send().await;
    let post = async |body: &Value| {
        Request::new(&own, Method::POST, &format!("{}/fhir/Patient", other.url)).json(body).send().await.expect(201)
    };
    get("Patient?eyes=blue").await.refused(400);

    server.create(&definition("eyes", "token", "Patient.extension('http://own/eyes').value")).await;
    get("Patient?eyes=blue").await.refused(409);
    reindex(server, "$reindex").await;
    let eyes = with("eyes", &json!({ "valueCode": "blue" }));
    post(&eyes).await;
    assert_eq!(get("Patient?eyes=blue").await.matches().len(), 1);
    assert_eq!(server.found("Patient?eyes=blue").await.len(), 1);
    server.create(&definition("hair", "token", "Patient.extension('http://own/hair').value")).await;
    // It has not heard of it when it writes.
    post(&with("hair", &json!({ "valueCode": "red" }))).await;
    reindex(server, "$reindex").await;
    assert_eq!(get("Patient?hair=red").await.matches().len(), 1);

    drop(own);
    other.stop().await.unwrap();
}
