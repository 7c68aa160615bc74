//! What the holder of a token may write.

use emberwell::store::GrantLevel;
use http::Method;
use serde_json::{Value, json};

use crate::access::family::{fill, weight};
use crate::support::holders::{self, Granted};
use crate::support::{TestServer, bundle, on_both, statuses};

on_both!(closed:
    only_what_is_part_of_the_record_is_written,
    what_is_hidden_can_not_be_written_nor_told_from_what_is_absent,
    nothing_changes_hands,
    labels_stay,
    what_gives_access_is_for_custodians,
    what_gives_access_is_deleted_by_custodians,
    a_record_is_deleted_by_its_custodians,
    conditions_match_what_is_seen_alone,
    a_granular_scope_bounds_what_is_written,
    transactions_are_refused_as_a_whole,
    a_binary_is_attached_by_whoever_may_read_it,
    a_party_is_added_by_whoever_may_write_in_its_record,
    a_party_that_was_there_stays,
);

async fn send(server: &TestServer, token: &str, method: Method, path: &str, body: &Value) -> crate::support::Answer {
    server.request_as(token, method, path).json(body).send().await
}

async fn only_what_is_part_of_the_record_is_written(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let mut about_nobody = weight("x", "a", "Practitioner/doc", "laboratory");
    about_nobody.as_object_mut().unwrap().remove("subject");

    send(server, &app, Method::POST, "Observation", &weight("x", "a", "Practitioner/doc", "laboratory"))
        .await
        .expect(201);
    for refused in [
        weight("x", "b", "Patient/a", "laboratory"),
        weight("x", "absent", "Patient/a", "laboratory"),
        about_nobody,
        json!({ "resourceType": "Practitioner", "name": [{ "family": "Own" }] }),
        json!({ "resourceType": "Patient", "name": [{ "family": "Other" }] }),
        json!({ "resourceType": "Basic", "code": { "text": "x" } }),
        json!({ "resourceType": "AuditEvent", "type": { "code": "rest" }, "recorded": "2026-01-01T00:00:00Z",
            "agent": [{ "requestor": true }], "source": { "observer": { "display": "x" } },
            "entity": [{ "what": { "reference": "Patient/a" } }] }),
        json!({ "resourceType": "Provenance", "target": [{ "reference": "Observation/b-lab" }],
            "recorded": "2026-01-01T00:00:00Z", "agent": [{ "who": { "display": "x" } }] }),
    ] {
        let of = refused["resourceType"].as_str().unwrap();
        let issue = send(server, &app, Method::POST, of, &refused).await.refused(403);
        assert_eq!(issue["code"], "forbidden", "{refused}");
    }
    let operator = holders::operator(server).token;
    let all = server.get_as(&operator, "Observation?_summary=count").await.expect(200).json();
    assert_eq!(all["total"], 6, "a refused write left something");
}

async fn what_is_hidden_can_not_be_written_nor_told_from_what_is_absent(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let before = server.get_as(&operator, "Observation/b-lab").await.expect(200).text();

    for id in ["b-lab", "absent"] {
        let path = format!("Observation/{id}");
        let own = weight(id, "a", "Practitioner/doc", "laboratory");
        send(server, &app, Method::PUT, &path, &own).await.refused(404);
        let matching = server.request_as(&app, Method::PUT, &path).header("If-Match", "W/\"1\"").json(&own);
        matching.send().await.refused(412);
        let none = server.request_as(&app, Method::PUT, &path).header("If-None-Match", "*").json(&own);
        none.send().await.refused(404);
        let patch = server.request_as(&app, Method::PATCH, &path);
        let patch = patch.body("application/json-patch+json", r#"[{"op":"test","path":"/status","value":"final"}]"#);
        patch.send().await.refused(404);
        server.request_as(&app, Method::DELETE, &path).send().await.expect(204);
        send(server, &app, Method::POST, &format!("{path}/$validate?mode=update"), &own).await.refused(404);
    }
    assert_eq!(server.get_as(&operator, "Observation/b-lab").await.expect(200).text(), before);
    server.get_as(&operator, "Observation/absent").await.refused(404);
}

async fn nothing_changes_hands(server: &TestServer) {
    fill(server).await;
    let granted = [Granted::on("a"), Granted::on("m")];
    let app = holders::app(server, "user/*.cruds", None, &granted).token;

    let to_m = weight("a-lab", "m", "Practitioner/doc", "laboratory");
    let issue = send(server, &app, Method::PUT, "Observation/a-lab", &to_m).await.refused(403);
    assert!(issue["diagnostics"].as_str().unwrap().contains("from one person's record to another's"), "{issue}");
    let patch = server.request_as(&app, Method::PATCH, "Observation/a-lab");
    let patch = patch
        .body("application/json-patch+json", r#"[{"op":"replace","path":"/subject/reference","value":"Patient/m"}]"#);
    patch.send().await.refused(403);
}

async fn labels_stay(server: &TestServer) {
    fill(server).await;
    let custodian = Granted { level: GrantLevel::Custodian, ..Granted::on("a") };
    let app = holders::app(server, "patient/*.cruds", Some("a"), std::slice::from_ref(&custodian)).token;
    let own = holders::person(server, "user/*.cruds", &[custodian]).token;
    let without = weight("a-restricted", "a", "Practitioner/doc", "laboratory");

    send(server, &app, Method::PUT, "Observation/a-restricted", &without).await.refused(403);
    send(server, &own, Method::PUT, "Observation/a-restricted", &without).await.expect(200);
}

async fn what_gives_access_is_for_custodians(server: &TestServer) {
    fill(server).await;
    let custodian = Granted { level: GrantLevel::Custodian, ..Granted::on("a") };
    let app = holders::app(server, "patient/*.cruds", Some("a"), std::slice::from_ref(&custodian)).token;
    let own = holders::person(server, "user/*.cruds", &[custodian]).token;
    let team = json!({ "resourceType": "CareTeam", "subject": { "reference": "Patient/a" },
        "participant": [{ "member": { "reference": "Practitioner/doc" } }] });
    let linked = json!({ "resourceType": "Patient", "id": "a",
        "link": [{ "other": { "reference": "Patient/b" }, "type": "seealso" }] });

    send(server, &app, Method::POST, "CareTeam", &team).await.refused(403);
    send(server, &own, Method::POST, "CareTeam", &team).await.expect(201);
    send(server, &app, Method::PUT, "Patient/a", &linked).await.refused(403);
}

/// What may give access, all of it part of A's record, with its ids.
fn what_confers() -> Vec<Value> {
    let a = json!({ "reference": "Patient/a" });
    vec![
        json!({ "resourceType": "CareTeam", "id": "a-team", "subject": a,
            "participant": [{ "member": { "reference": "Practitioner/doc" } }] }),
        json!({ "resourceType": "Consent", "id": "a-consent", "status": "active", "patient": a,
            "scope": { "coding": [{ "code": "patient-privacy" }] }, "category": [{ "text": "x" }],
            "policyRule": { "coding": [{ "code": "OPTIN" }] },
            "provision": { "type": "permit", "provision": [{ "type": "deny", "class": [{
                "system": "http://hl7.org/fhir/resource-types", "code": "Condition" }] }] } }),
        json!({ "resourceType": "Group", "id": "a-group", "type": "person", "actual": true,
            "member": [{ "entity": a }] }),
        json!({ "resourceType": "RelatedPerson", "id": "a-kin", "patient": a }),
    ]
}

async fn what_gives_access_is_deleted_by_custodians(server: &TestServer) {
    let operator = fill(server).await.token;
    let custodian = Granted { level: GrantLevel::Custodian, ..Granted::on("a") };
    let app = holders::app(server, "patient/*.cruds", Some("a"), std::slice::from_ref(&custodian)).token;
    let guest = holders::person(server, "user/*.cruds", &[Granted::on("a")]).token;
    let own = holders::person(server, "user/*.cruds", &[custodian]).token;
    let all = Granted { record: None, scopes: "system/*.cruds", ..Granted::on("") };
    let teams = holders::system(server, "system/CareTeam.cruds", &[all]).token;
    let delete = async |token: &str, path: &str| server.request_as(token, Method::DELETE, path).send().await;
    let entry = |path: &str| json!({ "request": { "method": "DELETE", "url": path } });

    for resource in what_confers() {
        let of = resource["resourceType"].as_str().unwrap();
        let path = format!("{of}/{}", resource["id"].as_str().unwrap());
        let criteria = format!("{of}?_id={}", resource["id"].as_str().unwrap());
        send(server, &operator, Method::PUT, &path, &resource).await.expect(201);
        for token in [&app, &guest] {
            for url in [&path, &criteria] {
                let issue = delete(token, url).await.refused(403);
                assert_eq!(issue["code"], "forbidden", "{url}");
                assert!(issue["diagnostics"].as_str().unwrap().contains("custodian"), "{issue}");
                let batch = send(server, token, Method::POST, "", &bundle("batch", &[entry(url)])).await.expect(200);
                assert_eq!(statuses(&batch.entries()), ["403"], "{url}: {}", batch.text());
                send(server, token, Method::POST, "", &bundle("transaction", &[entry(url)])).await.refused(403);
            }
            // Nor is it changed by any way.
            let mut unnamed = resource.clone();
            unnamed.as_object_mut().unwrap().remove("id");
            unnamed["language"] = json!("en");
            send(server, token, Method::PUT, &criteria, &unnamed).await.refused(403);
            for url in [&path, &criteria] {
                let patch = server.request_as(token, Method::PATCH, url);
                let operations = r#"[{"op":"add","path":"/language","value":"en"}]"#;
                patch.body("application/json-patch+json", operations).send().await.refused(403);
            }
        }
        assert_eq!(server.get_as(&operator, &path).await.expect(200).json()["meta"]["versionId"], "1", "{path}");
        delete(&own, &criteria).await.expect(204);
        server.get_as(&operator, &path).await.refused(410);
    }
    // What is hidden is as if it were not there, and stays.
    for hidden in ["Group/cohort", "Group/absent", "Person/absent", "Subscription/absent"] {
        delete(&app, hidden).await.expect(204);
    }
    server.get_as(&operator, "Group/cohort").await.expect(200);
    let team = what_confers().remove(0);
    send(server, &operator, Method::PUT, "CareTeam/other-team", &{
        let mut other = team;
        other["id"] = json!("other-team");
        other
    })
    .await
    .expect(201);
    delete(&teams, "CareTeam/other-team").await.expect(204);
}

async fn a_record_is_deleted_by_its_custodians(server: &TestServer) {
    let operator = fill(server).await.token;
    let custodian = Granted { level: GrantLevel::Custodian, ..Granted::on("a") };
    let app = holders::app(server, "patient/*.cruds", Some("a"), std::slice::from_ref(&custodian)).token;
    let guest = holders::person(server, "user/*.cruds", &[Granted::on("a")]).token;
    let own = holders::person(server, "user/*.cruds", &[custodian]).token;
    let entry = json!({ "request": { "method": "DELETE", "url": "Patient/a" } });

    for token in [&app, &guest] {
        for path in ["Patient/a", "Patient?_id=a"] {
            let issue = server.request_as(token, Method::DELETE, path).send().await.refused(403);
            assert!(issue["diagnostics"].as_str().unwrap().contains("custodian"), "{issue}");
        }
        send(server, token, Method::POST, "", &bundle("transaction", std::slice::from_ref(&entry))).await.refused(403);
        server.request_as(token, Method::DELETE, "Patient/b").send().await.expect(204);
    }
    server.get_as(&operator, "Patient/a").await.expect(200);
    server.request_as(&own, Method::DELETE, "Patient/a").send().await.expect(204);
    server.request_as(&operator, Method::DELETE, "Patient/b").send().await.expect(204);
    server.get_as(&operator, "Patient/b").await.refused(410);
}

async fn conditions_match_what_is_seen_alone(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let own = weight("x", "a", "Practitioner/doc", "laboratory");

    let create = server.request_as(&app, Method::POST, "Observation").header("If-None-Exist", "_id=b-lab").json(&own);
    create.send().await.expect(201);
    let mut without_id = own.clone();
    without_id.as_object_mut().unwrap().remove("id");
    send(server, &app, Method::PUT, "Observation?_id=b-lab", &without_id).await.expect(201);
    server.request_as(&app, Method::DELETE, "Observation?_id=b-lab").send().await.expect(204);
    let reference = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
        "subject": { "reference": "Patient/a" }, "encounter": { "reference": "Encounter?_id=x" },
        "hasMember": [{ "reference": "Observation?_id=b-lab" }] });
    let entry = json!({ "request": { "method": "POST", "url": "Observation" }, "resource": reference });
    let refused = send(server, &app, Method::POST, "", &bundle("transaction", &[entry])).await;
    assert!(refused.status >= 400 && !refused.text().contains("Observation/b-lab"), "{}", refused.text());
    server.get_as(&operator, "Observation/b-lab").await.expect(200);
}

async fn a_granular_scope_bounds_what_is_written(server: &TestServer) {
    fill(server).await;
    let scopes = "patient/Observation.cruds?category=laboratory";
    let app = holders::app(server, scopes, Some("a"), &[Granted::on("a")]).token;

    send(server, &app, Method::POST, "Observation", &weight("x", "a", "Practitioner/doc", "laboratory"))
        .await
        .expect(201);
    send(server, &app, Method::POST, "Observation", &weight("x", "a", "Practitioner/doc", "vital-signs"))
        .await
        .refused(403);
    let turned = weight("a-lab", "a", "Practitioner/doc", "vital-signs");
    send(server, &app, Method::PUT, "Observation/a-lab", &turned).await.refused(403);
    let hidden = weight("a-weight", "a", "Practitioner/doc", "laboratory");
    send(server, &app, Method::PUT, "Observation/a-weight", &hidden).await.refused(404);
    let seen = server.get_as(&app, "Observation/a-lab").await.expect(200).json();
    assert_eq!(seen["meta"]["versionId"], "1");
}

async fn transactions_are_refused_as_a_whole(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let post = |resource: Value| {
        let url = resource["resourceType"].as_str().unwrap().to_owned();
        json!({ "request": { "method": "POST", "url": url }, "resource": resource })
    };
    let put = |id: &str| {
        json!({ "request": { "method": "PUT", "url": format!("Observation/{id}") },
            "resource": weight(id, "a", "Practitioner/doc", "laboratory") })
    };
    let good = || post(weight("x", "a", "Practitioner/doc", "laboratory"));

    let foreign = || post(weight("x", "b", "Practitioner/doc", "laboratory"));
    send(server, &app, Method::POST, "", &bundle("transaction", &[good(), foreign()])).await.refused(403);
    send(server, &app, Method::POST, "", &bundle("transaction", &[good(), put("b-lab")])).await.refused(404);
    send(server, &app, Method::POST, "", &bundle("transaction", &[good(), put("absent")])).await.refused(404);
    let all = server.get_as(&operator, "Observation?_summary=count").await.expect(200).json();
    assert_eq!(all["total"], 5);
    let batch =
        send(server, &app, Method::POST, "", &bundle("batch", &[good(), foreign(), put("b-lab")])).await.expect(200);
    assert_eq!(statuses(&batch.entries()), ["201", "403", "404"], "{}", batch.text());
    send(server, &app, Method::POST, "", &bundle("transaction", &[good(), put("a-lab")])).await.expect(200);
}

async fn a_binary_is_attached_by_whoever_may_read_it(server: &TestServer) {
    fill(server).await;
    let app = holders::app(server, "patient/*.cruds", Some("a"), &[Granted::on("a")]).token;
    let letter = |url: &str| {
        json!({ "resourceType": "DocumentReference", "status": "current", "subject": { "reference": "Patient/a" },
            "content": [{ "attachment": { "url": url } }] })
    };
    let text = json!({ "resourceType": "Binary", "contentType": "text/plain", "data": "b3du",
        "securityContext": { "reference": "Patient/a" } });

    for hidden in ["b-text", "nobodys-text", "absent"] {
        let letter = letter(&format!("Binary/{hidden}"));
        let issue = send(server, &app, Method::POST, "DocumentReference", &letter).await.refused(403);
        assert!(issue["diagnostics"].as_str().unwrap().starts_with("a Binary is attached by"), "{issue}");
        server.get_as(&app, &format!("Binary/{hidden}")).await.refused(404);
    }
    // What a document of the record has already can be had by another, and stays with this one.
    send(server, &app, Method::POST, "DocumentReference", &letter("Binary/a-text")).await.expect(201);
    let mut again = letter("Binary/a-text");
    again["id"] = json!("a-letter");
    send(server, &app, Method::PUT, "DocumentReference/a-letter", &again).await.expect(200);
    let stored = send(server, &app, Method::POST, "Binary", &text).await.expect(201).json();
    let url = format!("Binary/{}", stored["id"].as_str().unwrap());
    send(server, &app, Method::POST, "DocumentReference", &letter(&url)).await.expect(201);
    let post = |url: &str, resource: Value| {
        json!({ "fullUrl": "urn:uuid:6b0c1d52-0b0e-4b38-9d1e-000000000001",
        "request": { "method": "POST", "url": url }, "resource": resource })
    };
    let mut linked = post("DocumentReference", letter("urn:uuid:6b0c1d52-0b0e-4b38-9d1e-000000000001"));
    linked["fullUrl"] = json!("urn:uuid:6b0c1d52-0b0e-4b38-9d1e-000000000002");
    let both = bundle("transaction", &[post("Binary", text), linked]);
    send(server, &app, Method::POST, "", &both).await.expect(200);
    assert_eq!(server.get_as(&app, "Binary").await.expect(200).json()["total"], 3);
}

fn appointment(participants: &[&str]) -> Value {
    let participants: Vec<Value> = participants
        .iter()
        .map(|who| json!({ "actor": { "reference": format!("Patient/{who}") }, "status": "accepted" }))
        .collect();
    json!({ "resourceType": "Appointment", "status": "booked", "participant": participants })
}

async fn a_party_is_added_by_whoever_may_write_in_its_record(server: &TestServer) {
    fill(server).await;
    let views_b = Granted { scopes: "user/*.rs", ..Granted::on("b") };
    let app = holders::app(server, "user/*.cruds", None, &[Granted::on("a"), Granted::on("m"), views_b]).token;
    let to = |who: &str| json!({ "reference": format!("Patient/{who}") });
    let of = |who: &str| {
        let coverage = |by: &str| {
            let mut coverage = json!({ "resourceType": "Coverage", "status": "active", "beneficiary": to("a"),
                "payor": [to("a")] });
            coverage[by] = to(who);
            coverage
        };
        let request = json!({ "resourceType": "CommunicationRequest", "status": "active", "subject": to("a"),
            "requester": to(who) });
        let task = json!({ "resourceType": "Task", "status": "requested", "intent": "order", "for": to("a"),
            "owner": to(who) });
        [
            ("Appointment.participant.actor", appointment(&["a", who])),
            (
                "Communication.recipient",
                json!({ "resourceType": "Communication", "status": "completed", "sender": to("a"), "recipient": [to(who)] }),
            ),
            ("CommunicationRequest.requester", request),
            ("Schedule.actor", json!({ "resourceType": "Schedule", "actor": [to("a"), to(who)] })),
            ("Coverage.subscriber", coverage("subscriber")),
            ("Coverage.policyHolder", coverage("policyHolder")),
            ("Task.owner", task),
        ]
    };

    for ((element, with_b), (_, with_nobody)) in of("b").into_iter().zip(of("absent")) {
        let path = with_b["resourceType"].as_str().unwrap();
        let refused = send(server, &app, Method::POST, path, &with_b).await;
        let issue = refused.refused(403);
        assert!(issue["diagnostics"].as_str().unwrap().starts_with(&format!("{element} names a Patient")), "{issue}");
        let absent = send(server, &app, Method::POST, path, &with_nobody).await;
        assert_eq!(absent.status, 403);
        assert_eq!(refused.text(), absent.text());
        let entry = json!({ "request": { "method": "POST", "url": path }, "resource": with_b });
        send(server, &app, Method::POST, "", &bundle("transaction", &[entry])).await.refused(403);
    }
    for (_, with_m) in of("m") {
        send(server, &app, Method::POST, with_m["resourceType"].as_str().unwrap(), &with_m).await.expect(201);
    }
    let of_b = holders::app(server, "patient/*.rs", Some("b"), &[Granted::on("b")]).token;
    for path in ["Appointment", "Communication", "CommunicationRequest", "Schedule", "Task"] {
        let found = server.get_as(&of_b, path).await.expect(200).json();
        assert_eq!(found["total"].as_u64().unwrap_or_default(), 0, "{path}");
        assert!(found.get("entry").is_none_or(|entries| entries.as_array().unwrap().is_empty()), "{path}: {found}");
    }
}

async fn a_party_that_was_there_stays(server: &TestServer) {
    let operator = fill(server).await.token;
    let app = holders::app(server, "user/*.cruds", None, &[Granted::on("a"), Granted::on("m")]).token;
    let with = |participants: &[&str], status: &str| {
        let mut appointment = appointment(participants);
        appointment["id"] = json!("visit");
        appointment["status"] = json!(status);
        appointment
    };
    let put = async |appointment: &Value| send(server, &app, Method::PUT, "Appointment/visit", appointment).await;
    send(server, &operator, Method::PUT, "Appointment/visit", &with(&["a", "b"], "booked")).await.expect(201);

    put(&with(&["a", "b"], "arrived")).await.expect(200);
    put(&with(&["a"], "arrived")).await.refused(403);
    put(&with(&["a", "b", "absent"], "arrived")).await.refused(403);
    put(&with(&["a", "b", "m"], "arrived")).await.expect(200);
    let patch = server.request_as(&app, Method::PATCH, "Appointment/visit");
    let patch = patch.body(
        "application/json-patch+json",
        r#"[{"op":"add","path":"/participant/-","value":{"status":"accepted","actor":{"reference":"Patient/absent"}}}]"#,
    );
    patch.send().await.refused(403);
}
