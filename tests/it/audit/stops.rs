//! What is left of the trail when the server stops, or is stopped.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;

use crate::audit::told;
use crate::support::program::serve_with;
use crate::support::{TestServer, on_both};

on_both!(
    a_server_that_is_killed_has_told_all_writes_and_what_was_read_a_second_ago,
    a_server_that_is_asked_to_stop_tells_all,
);

async fn read(server: &TestServer, url: &str, id: &str, path: &str) {
    let request = server.request(Method::GET, &format!("{url}/fhir/{path}")).header("X-Request-Id", id);
    request.send().await.expect(200);
}

async fn a_server_that_is_killed_has_told_all_writes_and_what_was_read_a_second_ago(server: &TestServer) {
    let (mut child, url) = serve_with(server, &["--audit"]);
    let create = server.request(Method::POST, &format!("{url}/fhir/Patient")).header("X-Request-Id", "read");
    let id = create.json(&json!({ "resourceType": "Patient" })).send().await.expect(201).json()["id"].clone();
    let path = format!("Patient/{}", id.as_str().unwrap());
    read(server, &url, "early", &path).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
    }
    let late = server.request(Method::POST, &format!("{url}/fhir/Patient")).header("X-Request-Id", "late");
    late.json(&json!({ "resourceType": "Patient" })).send().await.expect(201);
    end(&mut child, "KILL");

    assert_eq!(told(server, "early", 0).await.len(), 1);
    assert_eq!(told(server, "late", 0).await.len(), 1);
}

async fn a_server_that_is_asked_to_stop_tells_all(server: &TestServer) {
    let id = server.create(&json!({ "resourceType": "Patient" })).await;
    let (mut child, url) = serve_with(server, &["--audit"]);
    for number in 0..20 {
        read(server, &url, &format!("read-{number}"), &format!("Patient/{id}")).await;
    }
    end(&mut child, "TERM");

    for number in 0..20 {
        assert_eq!(told(server, &format!("read-{number}"), 0).await, [format!("read {id}")]);
    }
}

fn end(child: &mut Child, signal: &str) {
    let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    child.wait().unwrap();
}
