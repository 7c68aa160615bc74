//! Create, read, vread, update and delete of one resource.
//!
//! Spec: R4 http.html#read, #vread, #create, #update, #delete

use http::Method;
use serde_json::json;

use crate::support::{TestServer, on_both, patient, patient_called};

on_both!(
    a_created_resource_is_read_back_under_the_id_that_the_server_gave,
    a_create_ignores_the_id_in_the_body,
    an_update_makes_the_next_version_and_the_old_one_stays_readable,
    an_update_that_changes_nothing_makes_no_version,
    an_update_of_an_unknown_id_creates_the_resource,
    an_update_without_an_id_is_refused_and_changes_nothing,
    an_update_with_another_id_is_refused,
    a_deleted_resource_is_gone_and_its_versions_are_not,
    a_delete_can_be_repeated,
    an_update_brings_a_deleted_resource_back,
    what_never_was_is_not_found,
    a_body_of_another_type_than_the_address_is_refused,
    digits_order_and_unknown_extensions_are_kept,
    bytes_written_are_there_for_a_server_that_starts_later,
);

async fn a_created_resource_is_read_back_under_the_id_that_the_server_gave(server: &TestServer) {
    let created = server.post("Patient", &patient_called("Ember")).await.expect(201);
    let body = created.json();
    let id = body["id"].as_str().unwrap();

    assert_eq!(created.header("Location"), format!("{}/Patient/{id}/_history/1", server.base));
    assert_eq!(created.header("ETag"), "W/\"1\"");
    assert_eq!(body["meta"]["versionId"], "1");
    let read = server.get(&format!("Patient/{id}")).await.expect(200);
    assert_eq!(read.json(), body);
    assert_eq!(read.json()["name"][0]["family"], "Ember");
}

async fn a_create_ignores_the_id_in_the_body(server: &TestServer) {
    let mut mine = patient("1");
    mine["id"] = json!("mine");
    let id = server.create(&mine).await;

    assert_ne!(id, "mine");
    server.get("Patient/mine").await.refused(404);
}

async fn an_update_makes_the_next_version_and_the_old_one_stays_readable(server: &TestServer) {
    let id = server.create(&patient_called("Before")).await;
    let mut after = patient_called("After");
    after["id"] = json!(id);
    let updated = server.put(&format!("Patient/{id}"), &after).await.expect(200);

    assert_eq!(updated.header("ETag"), "W/\"2\"");
    assert_eq!(updated.header("Location"), "");
    assert_eq!(server.get(&format!("Patient/{id}")).await.json()["name"][0]["family"], "After");
    let old = server.get(&format!("Patient/{id}/_history/1")).await.expect(200);
    assert_eq!((old.json()["name"][0]["family"].as_str(), old.header("ETag").as_str()), (Some("Before"), "W/\"1\""));
    server.get(&format!("Patient/{id}/_history/3")).await.refused(404);
    server.get(&format!("Patient/{id}/_history/one")).await.refused(404);
}

async fn an_update_that_changes_nothing_makes_no_version(server: &TestServer) {
    let id = server.create(&patient_called("Same")).await;
    let mut same = patient_called("Same");
    same["id"] = json!(id);
    let updated = server.put(&format!("Patient/{id}"), &same).await.expect(200);

    assert_eq!(updated.header("ETag"), "W/\"1\"");
}

async fn an_update_of_an_unknown_id_creates_the_resource(server: &TestServer) {
    let chosen = json!({ "resourceType": "Patient", "id": "chosen" });
    let created = server.put("Patient/chosen", &chosen).await.expect(201);

    assert_eq!(created.header("Location"), format!("{}/Patient/chosen/_history/1", server.base));
    server.get("Patient/chosen").await.expect(200);
}

async fn an_update_without_an_id_is_refused_and_changes_nothing(server: &TestServer) {
    let id = server.create(&patient_called("Before")).await;
    let issue = server.put(&format!("Patient/{id}"), &patient_called("After")).await.refused(400);

    assert_eq!(issue["expression"][0], "Patient.id");
    assert_eq!(server.get(&format!("Patient/{id}")).await.json()["name"][0]["family"], "Before");
}

async fn an_update_with_another_id_is_refused(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let mut other = patient("2");
    other["id"] = json!("other");
    server.put(&format!("Patient/{id}"), &other).await.refused(400);

    server.get("Patient/other").await.refused(404);
}

async fn a_deleted_resource_is_gone_and_its_versions_are_not(server: &TestServer) {
    let id = server.create(&patient("gone")).await;
    let deleted = server.delete(&format!("Patient/{id}")).await.expect(204);

    assert_eq!((deleted.header("ETag").as_str(), deleted.body.len()), ("W/\"2\"", 0));
    let issue = server.get(&format!("Patient/{id}")).await.refused(410);
    assert_eq!(issue["code"], "deleted");
    server.get(&format!("Patient/{id}/_history/1")).await.expect(200);
    server.get(&format!("Patient/{id}/_history/2")).await.refused(410);
    assert!(server.found("Patient").await.is_empty());
}

async fn a_delete_can_be_repeated(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    server.delete(&format!("Patient/{id}")).await.expect(204);
    server.delete(&format!("Patient/{id}")).await.expect(204);
    server.delete("Patient/never-there").await.expect(204);

    let history = server.get(&format!("Patient/{id}/_history")).await;
    assert_eq!(history.json()["total"], 2);
}

async fn an_update_brings_a_deleted_resource_back(server: &TestServer) {
    let mut body = patient("1");
    body["id"] = json!("phoenix");
    server.put("Patient/phoenix", &body).await.expect(201);
    server.delete("Patient/phoenix").await.expect(204);
    let back = server.put("Patient/phoenix", &body).await.expect(201);

    assert_eq!(back.header("ETag"), "W/\"3\"");
    assert_eq!(server.found("Patient").await, ["phoenix"]);
}

async fn what_never_was_is_not_found(server: &TestServer) {
    assert_eq!(server.get("Patient/never").await.refused(404)["code"], "not-found");
    server.get("Patient/never/_history").await.refused(404);
    server.get("Patient/never/_history/1").await.refused(404);
}

async fn a_body_of_another_type_than_the_address_is_refused(server: &TestServer) {
    server.post("Observation", &patient("1")).await.refused(400);

    assert_eq!((server.count("Patient").await, server.count("Observation").await), (0, 0));
}

async fn digits_order_and_unknown_extensions_are_kept(server: &TestServer) {
    // The order is not that of the specification, and the extensions belong to nobody.
    let body = concat!(
        r#"{"valueQuantity":{"value":1.00,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"},"#,
        r#""resourceType":"Observation","status":"final","#,
        r#""extension":[{"valueDecimal":-0.0010,"url":"https://nobody.example/a"},"#,
        r#"{"url":"https://nobody.example/b","extension":[{"url":"c","valueString":"ünï \"😀\" \\ "}]}],"#,
        r#""code":{"text":"x","_text":{"id":"t1"}},"#,
        r#""component":[{"code":{"text":"y"},"valueQuantity":{"value":12345678901234567890.123456789}},"#,
        r#"{"code":{"text":"z"},"valueQuantity":{"value":1E+3}}]}"#
    );
    let created = server.request(Method::POST, "Observation").body("application/fhir+json", body).send().await;
    let id = created.expect(201).json()["id"].as_str().unwrap().to_owned();
    let read = server.get(&format!("Observation/{id}")).await.expect(200).text();

    for part in [
        r#""valueQuantity":{"value":1.00,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}"#,
        r#""extension":[{"valueDecimal":-0.0010,"url":"https://nobody.example/a"}"#,
        r#"{"url":"c","valueString":"ünï \"😀\" \\ "}"#,
        r#""code":{"text":"x","_text":{"id":"t1"}}"#,
        "12345678901234567890.123456789",
    ] {
        assert!(read.contains(part), "{part} is not in {read}");
    }
    assert!(read.contains("1E+3") || read.contains("1e+3"), "{read}");
    let place = |name: &str| read.find(&format!("\"{name}\":")).unwrap();
    assert!(place("valueQuantity") < place("status"));
    assert!(place("status") < place("extension"));
    assert!(place("extension") < place("component"));
}

async fn bytes_written_are_there_for_a_server_that_starts_later(server: &TestServer) {
    let id = server.create(&patient("stays")).await;
    let mut settings = emberwell::config::Settings::default();
    settings.server.listen = "127.0.0.1:0".to_owned();
    settings.server.database = server.database().to_owned();
    settings.server.open = true;
    let second = emberwell::server::start(settings).await.unwrap();

    let read = server.get(&format!("{}/fhir/Patient/{id}", second.url)).await.expect(200);
    assert_eq!(read.json()["identifier"][0]["value"], "stays");
    second.stop().await.unwrap();
}
