//! Create, update, patch and delete by search criteria, and writes that depend on a version.
//!
//! Spec: R4 http.html#ccreate, #cond-update, #cdelete, #concurrency

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, identifier, on_both, patient, patient_called};

on_both!(
    a_conditional_create_creates_when_nothing_matches,
    a_conditional_create_gives_the_one_that_matches,
    a_conditional_create_is_refused_when_several_match,
    a_conditional_create_with_criteria_that_say_nothing_is_refused,
    a_conditional_update_creates_updates_or_refuses,
    a_conditional_update_that_names_another_id_is_refused,
    a_conditional_patch_changes_the_one_that_matches,
    a_conditional_delete_deletes_one_but_not_several,
    a_conditional_delete_without_criteria_deletes_nothing,
    an_update_for_an_older_version_is_refused,
    a_delete_for_an_older_version_is_refused,
    an_update_only_if_absent_is_refused_when_present,
    a_version_that_is_no_tag_is_a_bad_request,
);

async fn create_unless(server: &TestServer, criteria: &str, body: &Value) -> Answer {
    server.request(Method::POST, "Patient").header("If-None-Exist", criteria).json(body).send().await
}

async fn a_conditional_create_creates_when_nothing_matches(server: &TestServer) {
    server.create(&patient("other")).await;
    create_unless(server, &identifier("1"), &patient("1")).await.expect(201);

    assert_eq!(server.count("Patient").await, 2);
}

async fn a_conditional_create_gives_the_one_that_matches(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let matched = create_unless(server, &identifier("1"), &patient("1")).await.expect(200);

    assert_eq!(matched.header("Location"), format!("{}/Patient/{id}/_history/1", server.base));
    assert_eq!(matched.json()["id"], id);
    assert_eq!(server.count("Patient").await, 1);
}

async fn a_conditional_create_is_refused_when_several_match(server: &TestServer) {
    server.create(&patient("1")).await;
    server.create(&patient("1")).await;
    let issue = create_unless(server, &identifier("1"), &patient("1")).await.refused(412);

    assert_eq!(issue["code"], "multiple-matches");
    assert_eq!(server.count("Patient").await, 2);
}

async fn a_conditional_create_with_criteria_that_say_nothing_is_refused(server: &TestServer) {
    for criteria in ["", "_count=1", "nonsense=1", "identifier="] {
        create_unless(server, criteria, &patient("1")).await.refused(400);
    }
    assert_eq!(server.count("Patient").await, 0);
}

async fn a_conditional_update_creates_updates_or_refuses(server: &TestServer) {
    let address = format!("Patient?{}", identifier("1"));
    let created = server.put(&address, &patient("1")).await.expect(201);
    let mut changed = patient("1");
    changed["active"] = json!(true);
    let updated = server.put(&address, &changed).await.expect(200);

    assert_eq!(updated.json()["id"], created.json()["id"]);
    assert_eq!(updated.header("ETag"), "W/\"2\"");
    server.create(&patient("1")).await;
    server.put(&address, &changed).await.refused(412);
    assert_eq!(server.count("Patient").await, 2);
}

async fn a_conditional_update_that_names_another_id_is_refused(server: &TestServer) {
    server.create(&patient("1")).await;
    let mut other = patient("1");
    other["id"] = json!("other");
    server.put(&format!("Patient?{}", identifier("1")), &other).await.refused(400);

    assert_eq!(server.count("Patient").await, 1);
}

async fn a_conditional_patch_changes_the_one_that_matches(server: &TestServer) {
    let patch = br#"[{"op":"add","path":"/active","value":true}]"#.to_vec();
    let send = async || {
        let request = server.request(Method::PATCH, &format!("Patient?{}", identifier("1")));
        request.body("application/json-patch+json", patch.clone()).send().await
    };
    send().await.refused(404);
    let id = server.create(&patient("1")).await;
    send().await.expect(200);

    assert_eq!(server.get(&format!("Patient/{id}")).await.json()["active"], true);
    server.create(&patient("1")).await;
    send().await.refused(412);
}

async fn a_conditional_delete_deletes_one_but_not_several(server: &TestServer) {
    server.create(&patient("1")).await;
    server.create(&patient("2")).await;
    server.create(&patient("2")).await;
    server.delete(&format!("Patient?{}", identifier("1"))).await.expect(204);
    assert_eq!(server.count("Patient").await, 2);

    server.delete(&format!("Patient?{}", identifier("2"))).await.refused(412);
    server.delete(&format!("Patient?{}", identifier("3"))).await.expect(204);
    assert_eq!(server.count("Patient").await, 2);
}

async fn a_conditional_delete_without_criteria_deletes_nothing(server: &TestServer) {
    server.create(&patient("1")).await;
    for address in ["Patient", "Patient?", "Patient?_count=5", "Patient?nmae=x"] {
        server.delete(address).await.refused(400);
    }

    assert_eq!(server.count("Patient").await, 1);
}

async fn an_update_for_an_older_version_is_refused(server: &TestServer) {
    let id = server.create(&patient_called("One")).await;
    let address = format!("Patient/{id}");
    let update = async |family: &str, version: &str| {
        let mut body = patient_called(family);
        body["id"] = json!(id);
        server.request(Method::PUT, &address).header("If-Match", version).json(&body).send().await
    };
    update("Two", "W/\"1\"").await.expect(200);
    update("Three", "W/\"1\"").await.refused(412);
    update("Three", "W/\"1\", W/\"2\"").await.expect(200);
    update("Four", "\"3\"").await.expect(200);
    update("Five", "*").await.expect(200);

    assert_eq!(server.get(&address).await.json()["meta"]["versionId"], "5");
    let absent = json!({ "resourceType": "Patient", "id": "absent" });
    server.request(Method::PUT, "Patient/absent").header("If-Match", "*").json(&absent).send().await.refused(412);
}

async fn a_delete_for_an_older_version_is_refused(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let address = format!("Patient/{id}");
    let delete =
        async |version: &str| server.request(Method::DELETE, &address).header("If-Match", version).send().await;
    delete("W/\"7\"").await.refused(412);
    server.get(&address).await.expect(200);
    delete("W/\"1\"").await.expect(204);

    server.get(&address).await.refused(410);
}

async fn an_update_only_if_absent_is_refused_when_present(server: &TestServer) {
    let body = json!({ "resourceType": "Patient", "id": "one" });
    let put = async || server.request(Method::PUT, "Patient/one").header("If-None-Match", "*").json(&body).send().await;
    put().await.expect(201);
    put().await.refused(412);
}

async fn a_version_that_is_no_tag_is_a_bad_request(server: &TestServer) {
    let body = json!({ "resourceType": "Patient", "id": "one" });
    for tag in ["1", "W/1", "", "W/\"\"", "W/\"1", "x"] {
        let request = server.request(Method::PUT, "Patient/one").header("If-Match", tag);
        request.json(&body).send().await.refused(400);
    }
    server.get("Patient/one").await.refused(404);
}
