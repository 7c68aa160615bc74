//! Binaries without a securityContext: seen by whoever created them until something has them as an attachment.

use emberwell::store::GrantLevel;
use http::Method;
use serde_json::{Value, json};

use crate::access::family::fill;
use crate::support::holders::{self, Granted, Held, Issue, issue};
use crate::support::program::run;
use crate::support::{Answer, TestServer, bundle, on_both};

on_both!(closed:
    whoever_creates_a_binary_does_with_it_as_scopes_allow,
    a_binary_is_hidden_from_all_but_its_creator,
    a_document_of_its_creator_takes_a_binary_over,
    a_document_of_another_takes_nothing,
    a_document_of_an_operator_takes_a_binary_over,
    a_binary_and_its_document_come_in_one_transaction,
    a_binary_can_not_be_put_into_another_record,
    old_versions_are_seen_where_grants_show_history,
    a_system_client_sees_what_it_created,
    a_reindex_leaves_creators_as_they_are,
    labels_and_searches_of_scopes_count_for_its_creator,
);

async fn send(server: &TestServer, token: &str, method: Method, path: &str, body: &Value) -> Answer {
    server.request_as(token, method, path).json(body).send().await
}

fn text(data: &str) -> Value {
    json!({ "resourceType": "Binary", "contentType": "text/plain", "data": data })
}

fn letter(patient: &str, url: &str) -> Value {
    json!({ "resourceType": "DocumentReference", "status": "current",
        "subject": { "reference": format!("Patient/{patient}") }, "content": [{ "attachment": { "url": url } }] })
}

/// A resource of the type in the record of A that has what is at `url` as an attachment.
fn holder(of: &str, url: &str) -> Value {
    match of {
        "DiagnosticReport" => json!({ "resourceType": of, "status": "final", "code": { "text": "x" },
            "subject": { "reference": "Patient/a" }, "presentedForm": [{ "url": url }] }),
        "Media" => json!({ "resourceType": of, "status": "completed", "subject": { "reference": "Patient/a" },
            "content": { "url": url } }),
        _ => letter("a", url),
    }
}

/// Creates a Binary and gives its path.
async fn created(server: &TestServer, token: &str) -> String {
    let answer = send(server, token, Method::POST, "Binary", &text("b3du")).await.expect(201);
    let path = format!("Binary/{}", answer.json()["id"].as_str().unwrap());
    assert!(answer.header("location").contains(&format!("/{path}/_history/1")), "{path}");
    path
}

async fn update(server: &TestServer, token: &str, path: &str, data: &str) -> Answer {
    let mut body = text(data);
    body["id"] = json!(path.strip_prefix("Binary/").unwrap());
    send(server, token, Method::PUT, path, &body).await
}

/// That to this caller the Binary is as one that was never there.
async fn assert_unknown(server: &TestServer, token: &str, path: &str) {
    server.get_as(token, path).await.refused(404);
    server.get_as(token, &format!("{path}/_history/1")).await.refused(404);
    server.get_as(token, &format!("{path}/_history")).await.refused(404);
    update(server, token, path, "YW5vdGhlcg==").await.refused(404);
    let id = path.strip_prefix("Binary/").unwrap();
    let found = server.get_as(token, &format!("Binary?_id={id}")).await.expect(200).json();
    assert_eq!(found["total"], 0, "{found}");
    let all = server.get_as(token, "?_type=Binary,Provenance&_count=200").await.expect(200).text();
    assert!(!all.contains(id), "{all}");
    server.request_as(token, Method::DELETE, path).send().await.expect(204);
}

/// A token of another app of the same person.
fn other_app(server: &TestServer, of: &Held, scopes: &'static str, granted: &[Granted]) -> String {
    let other = holders::app(server, scopes, None, granted);
    let issued = Issue { client: other.client.as_deref(), account: of.account, grant: None, patient: None, scopes };
    issue(server, issued)
}

async fn whoever_creates_a_binary_does_with_it_as_scopes_allow(server: &TestServer) {
    fill(server).await;
    let apps = [
        holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]),
        holders::app(server, "user/*.cruds", None, &[Granted::on("a"), Granted::on("m")]),
        holders::person(server, "user/*.cruds", &[Granted::on("a")]),
    ];
    for held in apps {
        let token = &held.token;
        let path = created(server, token).await;
        assert_eq!(server.get_as(token, &path).await.expect(200).json()["data"], "b3du");
        server.get_as(token, &format!("{path}/_history/1")).await.expect(200);
        let id = path.strip_prefix("Binary/").unwrap();
        let found = server.get_as(token, &format!("Binary?_id={id}")).await.expect(200).json();
        assert_eq!(found["total"], 1, "{found}");

        update(server, token, &path, "YWdhaW4=").await.expect(200);
        assert_eq!(server.get_as(token, &path).await.expect(200).json()["data"], "YWdhaW4=");
        let patch = server.request_as(token, Method::PATCH, &path);
        let patch = patch.body("application/json-patch+json", r#"[{"op":"test","path":"/data","value":"YWdhaW4="}]"#);
        patch.send().await.expect(200);
        server.request_as(token, Method::DELETE, &path).send().await.expect(204);
        server.get_as(token, &path).await.refused(404);
        update(server, token, &path, "YWdhaW4=").await.refused(404);
    }
    let writes = holders::app(server, "patient/Binary.c patient/Patient.r", Some("a"), &[Granted::on("a")]).token;
    let path = created(server, &writes).await;
    server.get_as(&writes, &path).await.refused(403);
    server.request_as(&writes, Method::DELETE, &path).send().await.refused(403);
    let reads = holders::app(server, "patient/*.rs", Some("a"), &[Granted::on("a")]).token;
    send(server, &reads, Method::POST, "Binary", &text("b3du")).await.refused(403);
}

async fn a_binary_is_hidden_from_all_but_its_creator(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "user/*.cruds", None, &[Granted::on("a")]);
    let path = created(server, &app.token).await;
    let again = Issue {
        client: app.client.as_deref(),
        account: app.account,
        grant: None,
        patient: None,
        scopes: "user/*.cruds",
    };

    let custodian = Granted { level: GrantLevel::Custodian, sees_history: true, ..Granted::on("a") };
    for token in [
        other_app(server, &app, "user/*.cruds", &[Granted::on("a")]),
        issue(server, Issue { client: None, ..again }),
        holders::person(server, "user/*.cruds", &[custodian]).token,
        holders::app(server, "patient/*.cruds", Some("b"), &[Granted::on("b")]).token,
        holders::system(server, "system/*.cruds", &[Granted { scopes: "system/*.cruds", ..Granted::on("a") }]).token,
    ] {
        assert_unknown(server, &token, &path).await;
    }
    server.get_as(&operator, &path).await.expect(200);
    // It is not the token that counts, and the refused deletes did nothing.
    server.get_as(&issue(server, again), &path).await.expect(200);
}

async fn a_document_of_its_creator_takes_a_binary_over(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "user/*.cruds", None, &[Granted::on("a"), Granted::on("m")]);
    let person = holders::person(server, "user/*.rs", &[Granted::on("a")]).token;
    for of in ["DocumentReference", "DiagnosticReport", "Media"] {
        let path = created(server, &app.token).await;
        server.get_as(&person, &path).await.refused(404);
        let holder = send(server, &app.token, Method::POST, of, &holder(of, &path)).await.expect(201).json();

        for token in [&person, &app.token, &other_app(server, &app, "user/*.cruds", &[Granted::on("a")])] {
            assert_eq!(server.get_as(token, &path).await.expect(200).json()["data"], "b3du", "{of}");
        }
        // What has become part of a record is no longer its creator's.
        update(server, &app.token, &path, "YWdhaW4=").await.refused(404);
        let holder = format!("{of}/{}", holder["id"].as_str().unwrap());
        server.request_as(&app.token, Method::DELETE, &holder).send().await.expect(204);
        server.get_as(&app.token, &path).await.refused(404);
    }
    // An update that comes to have one does the same.
    let path = created(server, &app.token).await;
    let mut again = letter("a", &path);
    again["id"] = json!("a-letter");
    again["content"].as_array_mut().unwrap().push(json!({ "attachment": { "url": "Binary/a-text" } }));
    send(server, &app.token, Method::PUT, "DocumentReference/a-letter", &again).await.expect(200);
    server.get_as(&person, &path).await.expect(200);
    update(server, &app.token, &path, "YWdhaW4=").await.refused(404);
}

async fn a_document_of_another_takes_nothing(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "user/*.cruds", None, &[Granted::on("a")]);
    let path = created(server, &app.token).await;

    for (patient, token) in [
        ("b", holders::app(server, "patient/*.cruds", Some("b"), &[Granted::on("b")]).token),
        ("a", holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token),
        ("a", other_app(server, &app, "user/*.cruds", &[Granted::on("a")])),
    ] {
        let letter = letter(patient, &path);
        let issue = send(server, &token, Method::POST, "DocumentReference", &letter).await.refused(403);
        assert!(issue["diagnostics"].as_str().unwrap().starts_with("a Binary is attached by"), "{issue}");
        let entry = json!({ "request": { "method": "POST", "url": "DocumentReference" }, "resource": letter });
        send(server, &token, Method::POST, "", &bundle("transaction", &[entry])).await.refused(403);
        server.get_as(&token, &path).await.refused(404);
    }
    // Also a refused document of its creator leaves it alone.
    send(server, &app.token, Method::POST, "DocumentReference", &letter("b", &path)).await.refused(403);
    update(server, &app.token, &path, "YWdhaW4=").await.expect(200);
    send(server, &app.token, Method::POST, "DocumentReference", &letter("a", &path)).await.expect(201);
}

async fn a_document_of_an_operator_takes_a_binary_over(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "user/*.cruds", None, &[Granted::on("a")]);
    let path = created(server, &app.token).await;

    send(server, &operator, Method::POST, "DocumentReference", &letter("b", &path)).await.expect(201);

    server.get_as(&app.token, &path).await.refused(404);
    send(server, &app.token, Method::POST, "DocumentReference", &letter("a", &path)).await.refused(403);
}

async fn a_binary_and_its_document_come_in_one_transaction(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let person = holders::person(server, "user/*.rs", &[Granted::on("a")]).token;
    let blind = "patient/Binary.c patient/DocumentReference.cr";
    let blind = holders::app(server, blind, Some("a"), &[Granted::on("a")]).token;
    let post = |number: u8, of: &str, resource: Value| {
        json!({ "fullUrl": format!("urn:uuid:6b0c1d52-0b0e-4b38-9d1e-00000000000{number}"),
            "request": { "method": "POST", "url": of }, "resource": resource })
    };
    let first = "urn:uuid:6b0c1d52-0b0e-4b38-9d1e-000000000001";
    let binary = || post(1, "Binary", text("b3du"));
    let document = |number, patient| post(number, "DocumentReference", letter(patient, first));

    for token in [&app, &blind] {
        for entries in [[binary(), document(2, "a"), document(3, "a")], [document(2, "a"), document(3, "a"), binary()]]
        {
            let answer = send(server, token, Method::POST, "", &bundle("transaction", &entries)).await.expect(200);
            let locations: Vec<String> = answer
                .entries()
                .iter()
                .map(|entry| entry["response"]["location"].as_str().unwrap().to_owned())
                .collect();
            let location = locations.iter().find(|location| location.contains("Binary/")).unwrap();
            let path = &location[location.find("Binary/").unwrap()..location.find("/_history").unwrap()];
            server.get_as(&person, path).await.expect(200);
            // It is an attachment from the start.
            update(server, &app, path, "YWdhaW4=").await.refused(404);
        }
    }
    let foreign = bundle("transaction", &[binary(), document(2, "b")]);
    send(server, &app, Method::POST, "", &foreign).await.refused(403);
    assert_eq!(
        server.get_as(&app, "Binary").await.expect(200).json()["total"],
        5,
        "a refused transaction left something"
    );
}

async fn a_binary_can_not_be_put_into_another_record(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "user/*.cruds", None, &[Granted::on("a")]).token;
    let reader = holders::person(server, "user/*.rs", &[Granted::on("a")]).token;
    let path = created(server, &app).await;
    let placed = |context: &str| {
        let mut body = text("b3du");
        body["id"] = json!(path.strip_prefix("Binary/").unwrap());
        body["securityContext"] = json!({ "reference": context });
        body
    };

    for foreign in ["Patient/b", "Patient/absent", "Observation/b-lab", "https://other.example/fhir/Patient/a"] {
        send(server, &app, Method::PUT, &path, &placed(foreign)).await.refused(403);
        let mut new = placed(foreign);
        new.as_object_mut().unwrap().remove("id");
        send(server, &app, Method::POST, "Binary", &new).await.refused(403);
    }
    server.get_as(&app, &path).await.expect(200);
    send(server, &app, Method::PUT, &path, &placed("Patient/a")).await.expect(200);
    server.get_as(&reader, &path).await.expect(200);
    // The record's from then on, and nobody's besides.
    update(server, &app, &path, "YWdhaW4=").await.refused(403);
}

async fn old_versions_are_seen_where_grants_show_history(server: &TestServer) {
    fill(server).await;
    for (sees_history, status, versions) in [(true, 200, 2), (false, 404, 1)] {
        let granted = Granted { sees_history, ..Granted::on("a") };
        let app = holders::app(server, "user/*.cruds", None, &[granted]).token;
        let path = created(server, &app).await;
        update(server, &app, &path, "YWdhaW4=").await.expect(200);

        assert_eq!(server.get_as(&app, &format!("{path}/_history/1")).await.status, status);
        let history = server.get_as(&app, &format!("{path}/_history")).await.expect(200);
        assert_eq!(history.entries().len(), versions, "{}", history.text());
        let history = server.get_as(&app, "Binary/_history").await.expect(200);
        let id = path.strip_prefix("Binary/").unwrap();
        let own = history.entries().iter().filter(|entry| entry["resource"]["id"] == id).count();
        assert_eq!(own, versions, "{}", history.text());
    }
}

async fn a_system_client_sees_what_it_created(server: &TestServer) {
    fill(server).await;
    let on_a = || Granted { scopes: "system/*.cruds", ..Granted::on("a") };
    let system = holders::system(server, "system/*.cruds", &[on_a()]);
    let other = holders::system(server, "system/*.cruds", &[on_a()]).token;
    let path = created(server, &system.token).await;

    server.get_as(&system.token, &path).await.expect(200);
    assert_unknown(server, &other, &path).await;
    send(server, &system.token, Method::POST, "DocumentReference", &letter("a", &path)).await.expect(201);
    server.get_as(&other, &path).await.expect(200);
}

async fn a_reindex_leaves_creators_as_they_are(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "user/*.cruds", None, &[Granted::on("a")]).token;
    let (lone, attached, deleted) =
        (created(server, &app).await, created(server, &app).await, created(server, &app).await);
    send(server, &app, Method::POST, "DocumentReference", &letter("b", &attached)).await.refused(403);
    send(server, &app, Method::POST, "DocumentReference", &letter("a", &attached)).await.expect(201);
    server.request_as(&app, Method::DELETE, &deleted).send().await.expect(204);

    assert_eq!(run(server, "verify", &[]).code, Some(0));
    assert_eq!(run(server, "reindex", &[]).code, Some(0));

    update(server, &app, &lone, "YWdhaW4=").await.expect(200);
    server.get_as(&app, &attached).await.expect(200);
    update(server, &app, &attached, "YWdhaW4=").await.refused(404);
    server.get_as(&app, &deleted).await.refused(404);
    assert_eq!(run(server, "verify", &[]).code, Some(0));
}

async fn labels_and_searches_of_scopes_count_for_its_creator(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "user/*.cruds", None, &[Granted::on("a")]).token;
    let mut restricted = text("b3du");
    restricted["meta"] = json!({ "security": [{
        "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R" }] });
    let answer = send(server, &app, Method::POST, "Binary", &restricted).await.expect(201).json();
    server.get_as(&app, &format!("Binary/{}", answer["id"].as_str().unwrap())).await.refused(404);

    let scopes = "user/Binary.cruds?_tag=own user/Patient.r";
    let narrow = holders::app(server, scopes, None, &[Granted::on("a")]).token;
    send(server, &narrow, Method::POST, "Binary", &text("b3du")).await.refused(403);
    let mut tagged = text("b3du");
    tagged["meta"] = json!({ "tag": [{ "code": "own" }] });
    let answer = send(server, &narrow, Method::POST, "Binary", &tagged).await.expect(201).json();
    server.get_as(&narrow, &format!("Binary/{}", answer["id"].as_str().unwrap())).await.expect(200);
}
