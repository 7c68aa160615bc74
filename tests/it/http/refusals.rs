//! Every refusal is an OperationOutcome with the right status.
//!
//! Spec: R4 http.html#Status-Codes

use awc::http::Method;
use serde_json::json;

use crate::support::{TestServer, on_both, patient};

on_both!(
    an_address_that_is_not_there_is_not_found,
    a_method_that_an_address_does_not_take_is_named_with_those_it_takes,
    a_media_type_that_cannot_be_read_is_refused,
    a_body_that_is_too_large_is_refused,
    an_address_that_is_too_long_is_refused,
    a_missing_body_is_refused,
    the_server_says_that_it_is_alive_and_ready,
);

async fn an_address_that_is_not_there_is_not_found(server: &TestServer) {
    for path in
        ["Nonsense", "Nonsense/1", "patient/1", "Patient/1/2/3", "$nothing", "Patient/$nothing", "Patient/1/$nothing"]
    {
        server.get(path).await.refused(404);
    }
    let outside = server.get(&format!("{}/nowhere", server.url)).await;
    outside.refused(404);
    server.get(&format!("Patient/{}", "a".repeat(65))).await.refused(400);
}

async fn a_method_that_an_address_does_not_take_is_named_with_those_it_takes(server: &TestServer) {
    let cases = [
        (Method::POST, "Patient/1", "GET"),
        (Method::DELETE, "metadata", "GET"),
        (Method::PUT, "Patient/1/_history/1", "GET"),
        (Method::PUT, "", "POST"),
        (Method::GET, "Patient/_search", "POST"),
    ];
    for (method, path, allowed) in cases {
        let answer = server.request(method.clone(), path).json(&patient("1")).send().await;
        answer.refused(405);
        assert!(answer.header("Allow").contains(allowed), "{method} {path}: {}", answer.header("Allow"));
    }
}

async fn a_media_type_that_cannot_be_read_is_refused(server: &TestServer) {
    for media in ["text/plain", "application/fhir+xml", "application/json-patch+json", "nonsense", "image/png"] {
        let request = server.request(Method::POST, "Patient").body(media, patient("1").to_string());
        request.send().await.refused(415);
    }
    let id = server.create(&patient("1")).await;
    let request = server.request(Method::PATCH, &format!("Patient/{id}"));
    request.body("application/xml-patch+xml", "<diff/>").send().await.refused(415);

    assert_eq!(server.count("Patient").await, 1);
}

async fn a_body_that_is_too_large_is_refused(server: &TestServer) {
    let large = json!({ "resourceType": "Basic", "code": { "text": "x".repeat(5 << 20) } });
    let issue = server.post("Basic", &large).await.refused(413);

    assert_eq!(issue["code"], "too-long");
    assert_eq!(server.count("Basic").await, 0);
}

async fn an_address_that_is_too_long_is_refused(server: &TestServer) {
    server.get(&format!("Patient?_id={}", "a,".repeat(9000))).await.refused(414);
}

async fn a_missing_body_is_refused(server: &TestServer) {
    server.request(Method::POST, "Patient").send().await.refused(400);
    server.request(Method::PUT, "Patient/1").send().await.refused(400);
    server.request(Method::POST, "").send().await.refused(400);
}

async fn the_server_says_that_it_is_alive_and_ready(server: &TestServer) {
    assert_eq!(server.get(&format!("{}/health", server.url)).await.expect(200).text(), "ok\n");
    assert_eq!(server.get(&format!("{}/ready", server.url)).await.expect(200).text(), "ready\n");
    let front = server.get(&format!("{}/", server.url)).await.expect(200);
    assert!(front.text().contains("/fhir/metadata"));
}
