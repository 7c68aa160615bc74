//! Who wrote what, by which app and on whose behalf, as the Provenances say that the server keeps.

use emberwell::config::Settings;
use http::Method;
use serde_json::{Value, json};

use crate::access::family::{fill, weight};
use crate::support::holders::{self, Granted, Held};
use crate::support::program::run;
use crate::support::{Answer, Database, TestServer, bundle, on_both};

on_both!(closed:
    each_kind_of_write_tells_who_wrote,
    people_apps_and_systems_are_told_apart,
    what_writes_nothing_tells_nothing,
    a_transaction_tells_of_each_resource_by_itself,
    a_label_hides_what_is_told_of_its_resource_alone,
    it_stays_as_the_server_recorded_it,
    the_database_agrees_with_itself,
);

on_both!(an_open_server_tells_of_nobody);

on_both!(by crate::access::provenance::started: it_is_there_after_a_restart_and_can_be_switched_off);

fn started(database: Database, behaviour: impl AsyncFn(Database)) {
    actix_web::rt::System::new().block_on(behaviour(database));
}

pub async fn send(server: &TestServer, token: &str, method: Method, path: &str, body: &Value) -> Answer {
    server.request_as(token, method, path).json(body).send().await
}

/// The Provenances about `target` that the holder of `token` sees, in the order in which they were written.
pub async fn told_of(server: &TestServer, token: &str, target: &str) -> Vec<Value> {
    server.get_as(token, &format!("Provenance?target={target}")).await.expect(200).resources()
}

/// What each of them is about, as `Type/id/_history/version activity`.
fn summaries(told: &[Value]) -> Vec<String> {
    let summary = |told: &Value| {
        assert_eq!(told["target"].as_array().unwrap().len(), 1, "{told}");
        let activity = &told["activity"]["coding"][0];
        assert_eq!(activity["system"], "http://terminology.hl7.org/CodeSystem/v3-DataOperation");
        format!("{} {}", told["target"][0]["reference"].as_str().unwrap(), activity["code"].as_str().unwrap())
    };
    told.iter().map(summary).collect()
}

pub async fn count(server: &TestServer, token: &str) -> u64 {
    server.get_as(token, "Provenance?_summary=count").await.expect(200).json()["total"].as_u64().unwrap()
}

pub fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn app_of_a(server: &TestServer) -> Held {
    holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")])
}

pub fn own(id: &str) -> Value {
    weight(id, "a", "Practitioner/doc", "laboratory")
}

pub fn post(resource: Value) -> Value {
    json!({ "request": { "method": "POST", "url": resource["resourceType"] }, "resource": resource })
}

async fn each_kind_of_write_tells_who_wrote(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = app_of_a(server).token;
    let changed = |id: &str, kilograms: u32| {
        let mut changed = own(id);
        changed["valueQuantity"]["value"] = json!(kilograms);
        changed
    };
    let put = |id: &str, resource: Value| json!({ "request": { "method": "PUT", "url": format!("Observation/{id}") }, "resource": resource });

    let created = send(server, &app, Method::POST, "Observation", &own("x")).await.expect(201);
    let id = id(&created);
    let path = format!("Observation/{id}");
    send(server, &app, Method::PUT, &path, &changed(&id, 71)).await.expect(200);
    let matching = server.request_as(&app, Method::PUT, &path).header("If-Match", "W/\"2\"");
    matching.json(&changed(&id, 72)).send().await.expect(200);
    let patch = server.request_as(&app, Method::PATCH, &path);
    let patch =
        patch.body("application/json-patch+json", r#"[{"op":"replace","path":"/valueQuantity/value","value":73}]"#);
    patch.send().await.expect(200);
    let by_criteria = format!("Observation?_id={id}");
    send(server, &app, Method::PUT, &by_criteria, &changed(&id, 74)).await.expect(200);
    let patch = server.request_as(&app, Method::PATCH, &by_criteria);
    let patch =
        patch.body("application/json-patch+json", r#"[{"op":"replace","path":"/valueQuantity/value","value":75}]"#);
    patch.send().await.expect(200);
    send(server, &app, Method::POST, "", &bundle("batch", &[put(&id, changed(&id, 76))])).await.expect(200);
    send(server, &app, Method::POST, "", &bundle("transaction", &[put(&id, changed(&id, 77))])).await.expect(200);

    let told = told_of(server, &app, &path).await;
    let wanted: Vec<String> = (1..=8)
        .map(|version| format!("{path}/_history/{version} {}", if version == 1 { "CREATE" } else { "UPDATE" }))
        .collect();
    assert_eq!(summaries(&told), wanted);
    for told in &told {
        let checked = send(server, &app, Method::POST, "Provenance/$validate?mode=create", told).await.expect(200);
        assert!(!checked.text().contains("\"error\""), "{}", checked.text());
    }
    let found = server.get_as(&app, &format!("{by_criteria}&_revinclude=Provenance:target")).await.expect(200);
    assert_eq!(found.entries().len(), 9, "{}", found.text());
    let history = format!("Provenance/{}/_history", told[0]["id"].as_str().unwrap());
    assert_eq!(server.get_as(&operator, &history).await.expect(200).entries().len(), 1);

    // A deletion is told by the trail alone, and takes what is told of the resource out of sight.
    let before = count(server, &operator).await;
    server.request_as(&app, Method::DELETE, &path).send().await.expect(204);
    assert_eq!(count(server, &operator).await, before);
    assert_eq!(told_of(server, &app, &path).await.len(), 0);
    // What is made anew at its place is created.
    send(server, &operator, Method::PUT, &path, &changed(&id, 78)).await.expect(201);
    assert_eq!(summaries(&told_of(server, &app, &path).await).last(), Some(&format!("{path}/_history/10 CREATE")));
    send(server, &operator, Method::PUT, "Observation/chosen", &own("chosen")).await.expect(201);
    assert_eq!(summaries(&told_of(server, &app, "Observation/chosen").await), ["Observation/chosen/_history/1 CREATE"]);
    let conditional = server.request_as(&app, Method::POST, "Observation").header("If-None-Exist", "_id=nothing");
    let conditional = conditional.json(&own("x")).send().await.expect(201).json();
    let path = format!("Observation/{}", conditional["id"].as_str().unwrap());
    assert_eq!(summaries(&told_of(server, &app, &path).await), [format!("{path}/_history/1 CREATE")]);
    let mut without_id = own("x");
    without_id.as_object_mut().unwrap().remove("id");
    let fresh = send(server, &app, Method::PUT, "Observation?_id=nothing", &without_id).await.expect(201).json();
    let path = format!("Observation/{}", fresh["id"].as_str().unwrap());
    assert_eq!(summaries(&told_of(server, &app, &path).await), [format!("{path}/_history/1 CREATE")]);
}

async fn people_apps_and_systems_are_told_apart(server: &TestServer) {
    fill(server).await;
    let custodian = [Granted::on("a")];
    let app = app_of_a(server);
    let person = holders::person(server, "user/*.cruds", &custodian);
    let doctor = holders::app_of(server, "user/*.cruds", &custodian, "Practitioner/doc");
    let as_person = holders::app_of(server, "user/*.cruds", &custodian, "Person/doc");
    let all = Granted { record: None, scopes: "system/*.cruds", ..Granted::on("") };
    let system = holders::system(server, "system/*.cruds", &[all]);
    let of_type = |code: &str, who: Value| {
        json!({ "type": { "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": code }] }, "who": who })
    };
    let account = |held: &Held| {
        let number = held.account.unwrap().to_string();
        json!({ "identifier": { "system": "urn:emberwell:account", "value": number } })
    };
    let client = |held: &Held| json!({ "identifier": { "system": "urn:emberwell:client", "value": held.client.clone().unwrap() } });
    let composed = |held: &Held, person: &Value| {
        let mut composer = of_type("composer", client(held));
        composer["onBehalfOf"] = person.clone();
        json!([of_type("enterer", person.clone()), composer])
    };
    let mut doc = account(&doctor);
    doc["reference"] = json!("Practitioner/doc");

    for (held, wanted) in [
        (&app, composed(&app, &account(&app))),
        (&person, json!([of_type("enterer", account(&person))])),
        (&doctor, composed(&doctor, &doc)),
        // No agent of a Provenance is a Person.
        (&as_person, composed(&as_person, &account(&as_person))),
        (&system, json!([of_type("assembler", client(&system))])),
    ] {
        let created = send(server, &held.token, Method::POST, "Observation", &own("x")).await.expect(201).json();
        let told = told_of(server, &held.token, &format!("Observation/{}", created["id"].as_str().unwrap())).await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["agent"], wanted);
        assert_eq!(told[0]["meta"]["tag"][0]["code"], "recorded");
        let (recorded, updated) = (&told[0]["recorded"], &created["meta"]["lastUpdated"]);
        assert!(recorded.as_str() <= updated.as_str(), "{recorded} {updated}");
    }
    let by_doctor = server.get_as(&doctor.token, "Provenance?agent=Practitioner/doc&_tag=recorded").await.expect(200);
    assert_eq!(by_doctor.matches().len(), 1, "{}", by_doctor.text());
}

async fn what_writes_nothing_tells_nothing(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = app_of_a(server).token;
    let before = count(server, &operator).await;

    send(server, &app, Method::PUT, "Observation/a-lab", &own("a-lab")).await.expect(200);
    let late = server.request_as(&app, Method::PUT, "Observation/a-lab").header("If-Match", "W/\"7\"");
    late.json(&weight("a-lab", "a", "Practitioner/doc", "other")).send().await.expect(412);
    let known = server.request_as(&app, Method::POST, "Observation").header("If-None-Exist", "_id=a-lab");
    known.json(&own("x")).send().await.expect(200);
    send(server, &app, Method::POST, "Observation", &weight("x", "b", "Patient/a", "laboratory")).await.expect(403);
    let foreign = post(weight("x", "b", "Patient/a", "laboratory"));
    let failing = bundle("transaction", &[post(own("x")), foreign.clone()]);
    send(server, &app, Method::POST, "", &failing).await.expect(403);
    assert_eq!(count(server, &operator).await, before);
    // In a batch what is done has its own, and no more.
    send(server, &app, Method::POST, "", &bundle("batch", &[post(own("x")), foreign])).await.expect(200);
    assert_eq!(count(server, &operator).await, before + 1);
    // Nor does what tells of others' doings.
    let proof = json!({ "resourceType": "Provenance", "target": [{ "reference": "Observation/a-lab" }],
        "recorded": "2026-01-01T00:00:00Z", "agent": [{ "who": { "display": "x" } }] });
    send(server, &app, Method::POST, "Provenance", &proof).await.expect(201);
    assert_eq!(count(server, &operator).await, before + 2);
}

async fn a_transaction_tells_of_each_resource_by_itself(server: &TestServer) {
    fill(server).await;
    let both = holders::app(server, "user/*.cruds", None, &[Granted::on("a"), Granted::on("m")]).token;
    let one = app_of_a(server).token;
    let of_child = weight("x", "m", "Practitioner/doc", "laboratory");

    let done = bundle("transaction", &[post(own("x")), post(of_child)]);
    let done = send(server, &both, Method::POST, "", &done).await.expect(200);
    let paths: Vec<String> = done
        .entries()
        .iter()
        .map(|entry| entry["response"]["location"].as_str().unwrap().replace(&format!("{}/", server.base), ""))
        .map(|location| location.split_once("/_history").unwrap().0.to_owned())
        .collect();

    for path in &paths {
        let told = told_of(server, &both, path).await;
        assert_eq!(summaries(&told), [format!("{path}/_history/1 CREATE")]);
    }
    assert_eq!(told_of(server, &one, &paths[0]).await.len(), 1);
    assert_eq!(told_of(server, &one, &paths[1]).await.len(), 0);
}

async fn a_label_hides_what_is_told_of_its_resource_alone(server: &TestServer) {
    fill(server).await;
    let app = app_of_a(server).token;
    let done = bundle("transaction", &[post(own("x")), post(own("y"))]);
    let done = send(server, &app, Method::POST, "", &done).await.expect(200);
    let ids: Vec<String> = done
        .entries()
        .iter()
        .map(|entry| entry["response"]["location"].as_str().unwrap().split('/').rev().nth(2).unwrap().to_owned())
        .collect();
    let mut labelled = own(&ids[1]);
    labelled["meta"] = json!({ "security": [{
        "system": "https://emberwell.example/CodeSystem/security-label", "code": "personal" }] });

    send(server, &app, Method::PUT, &format!("Observation/{}", ids[1]), &labelled).await.expect(200);

    // Those who see all records, but not what is personal, see no more; nor do they once it is deleted.
    let all = Granted { record: None, scopes: "system/*.cruds", ..Granted::on("") };
    let system = holders::system(server, "system/*.cruds", &[all]).token;
    let custodian = Granted { level: emberwell::store::GrantLevel::Custodian, ..Granted::on("a") };
    let person = holders::person(server, "user/*.cruds", &[custodian]).token;
    let hidden = format!("Observation/{}", ids[1]);
    for token in [&app, &system] {
        assert_eq!(told_of(server, token, &format!("Observation/{}", ids[0])).await.len(), 1);
        assert_eq!(told_of(server, token, &hidden).await.len(), 0);
        let of_all = server.get_as(token, "?_tag=recorded&_count=100").await.expect(200).text();
        assert!(of_all.contains(&ids[0]) && !of_all.contains(&ids[1]), "{of_all}");
    }
    let told = told_of(server, &person, &hidden).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[1]["meta"]["security"], labelled["meta"]["security"]);
    let path = format!("Provenance/{}", told[0]["id"].as_str().unwrap());
    server.get_as(&system, &path).await.refused(404);
    server.get_as(&system, &format!("{path}/_history")).await.refused(404);
    server.request_as(&person, Method::DELETE, &hidden).send().await.expect(204);
    assert!(
        !server
            .get_as(&system, "Provenance?_count=100")
            .await
            .expect(200)
            .text()
            .contains(&format!("{hidden}/_history/2"))
    );
}

async fn it_stays_as_the_server_recorded_it(server: &TestServer) {
    let operator = fill(server).await.token;
    let custodian = Granted { level: emberwell::store::GrantLevel::Custodian, ..Granted::on("a") };
    let app = holders::app(server, "patient/*.cruds", Some("a"), std::slice::from_ref(&custodian)).token;
    let person = holders::person(server, "user/*.cruds", &[custodian]).token;
    let created = send(server, &app, Method::POST, "Observation", &own("x")).await.expect(201);
    let target = format!("Observation/{}", id(&created));
    let told = told_of(server, &app, &target).await.remove(0);
    let path = format!("Provenance/{}", told["id"].as_str().unwrap());
    let mut forged = told.clone();
    forged["agent"] = json!([{ "who": { "display": "somebody else" } }]);
    let mut untagged = forged.clone();
    untagged["meta"].as_object_mut().unwrap().remove("tag");

    for token in [&app, &person] {
        for body in [&forged, &untagged] {
            send(server, token, Method::PUT, &path, body).await.refused(403);
        }
        send(server, token, Method::POST, "Provenance", &forged).await.refused(403);
        let patch = server.request_as(token, Method::PATCH, &path);
        let patch = patch.body("application/json-patch+json", r#"[{"op":"remove","path":"/agent/0"}]"#);
        patch.send().await.refused(403);
        server.request_as(token, Method::DELETE, &path).send().await.refused(403);
        server.request_as(token, Method::DELETE, &format!("Provenance?target={target}")).send().await.refused(403);
        let delete = json!({ "request": { "method": "DELETE", "url": path } });
        send(server, token, Method::POST, "", &bundle("transaction", &[delete])).await.refused(403);
    }
    assert_eq!(told_of(server, &app, &target).await, [told]);
    send(server, &app, Method::POST, "Provenance", &untagged).await.expect(201);
    server.request_as(&operator, Method::DELETE, &path).send().await.expect(204);
}

async fn the_database_agrees_with_itself(server: &TestServer) {
    let operator = fill(server).await.token;
    // It sees the number of the version, which is known in the transaction alone.
    let by_version = json!({ "resourceType": "SearchParameter", "url": "http://x.example/version", "name": "version",
        "status": "active", "description": "x", "code": "target-text", "base": ["Provenance"], "type": "string",
        "expression": "Provenance.target.reference" });
    send(server, &operator, Method::POST, "SearchParameter", &by_version).await.expect(201);

    for kilograms in 71..75 {
        let mut changed = own("a-lab");
        changed["valueQuantity"]["value"] = json!(kilograms);
        send(server, &operator, Method::PUT, "Observation/a-lab", &changed).await.expect(200);
    }
    send(server, &operator, Method::PUT, "Patient/new", &json!({ "resourceType": "Patient", "id": "new" }))
        .await
        .expect(201);

    let verified = run(server, "verify", &[]);
    assert_eq!(verified.code, Some(0), "{} {}", verified.stdout, verified.told);
}

async fn an_open_server_tells_of_nobody(server: &TestServer) {
    server.create(&json!({ "resourceType": "Patient" })).await;

    assert_eq!(server.count("Provenance").await, 0);
}

async fn it_is_there_after_a_restart_and_can_be_switched_off(database: Database) {
    let closed = |settings: &mut Settings| settings.server.open = false;
    let Some(server) = TestServer::start_with(database, closed).await else { return };
    fill(&server).await;
    let app = app_of_a(&server).token;
    let created = send(&server, &app, Method::POST, "Observation", &own("x")).await.expect(201);
    let target = format!("Observation/{}", id(&created));
    let before = told_of(&server, &app, &target).await;

    let server = server
        .again(|settings| {
            closed(settings);
            settings.fhir.provenance = false;
        })
        .await;

    assert_eq!(told_of(&server, &app, &target).await, before);
    assert_eq!(before.len(), 1);
    let created = send(&server, &app, Method::POST, "Observation", &own("x")).await.expect(201);
    assert_eq!(told_of(&server, &app, &format!("Observation/{}", id(&created))).await.len(), 0);
    server.stop().await;
}
