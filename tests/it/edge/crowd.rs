//! What is too much at once is turned away, and what is under way goes on.

use http::Method;
use serde_json::json;

use crate::support::raw::Raw;
use crate::support::server::run_with;
use crate::support::{Database, TestServer, on_both, patient};

on_both!(by crate::edge::crowd::crowded: requests_beyond_those_that_may_be_under_way_are_turned_away);

const MOST: usize = 3;

fn crowded(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    run_with(database, |settings| settings.limits.requests = MOST, behaviour);
}

async fn requests_beyond_those_that_may_be_under_way_are_turned_away(server: &TestServer) {
    // The first search of a process reads definitions, which takes longer than a body may.
    server.get("Patient").await.expect(200);
    let body = patient("slow").to_string();
    let (first, second) = body.split_at(10);
    let mut waiting = Vec::new();
    for _ in 0..MOST {
        let mut raw = Raw::connect(server).await;
        let length = body.len();
        let head = format!(
            "POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        );
        raw.send(&(head + first)).await;
        // It says so when the request has begun.
        raw.until("100 Continue\r\n\r\n").await;
        waiting.push(raw);
    }

    let turned_away = server.request(Method::POST, "Patient").json(&json!({})).send().await;
    assert_eq!(turned_away.refused(503)["code"], "transient");
    assert_eq!(turned_away.header("Retry-After"), "2");
    for address in ["/health", "/ready"] {
        server.get(&format!("{}{address}", server.url)).await.expect(200);
    }
    for raw in &mut waiting {
        raw.send(second).await;
        assert!(raw.until("\r\n\r\n").await.starts_with("HTTP/1.1 201"), "what was let in is done");
    }
    assert_eq!(server.get("Patient?_summary=count").await.expect(200).json()["total"], MOST);
}
