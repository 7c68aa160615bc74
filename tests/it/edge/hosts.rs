//! Under which names the server is asked for.
//!
//! Spec: RFC 9110 section 7.4

use emberwell::config::Settings;

use crate::support::raw::Raw;
use crate::support::server::run_with;
use crate::support::{Database, TestServer, on_both};

on_both!(by crate::edge::hosts::named: a_request_by_a_foreign_name_is_misdirected);

fn named(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    let named = |settings: &mut Settings| {
        settings.server.base_url = Some("https://ehr.example/fhir".to_owned());
        settings.server.hosts = vec!["inner.example".to_owned()];
    };
    run_with(database, named, behaviour);
}

async fn answer(server: &TestServer, target: &str, host: &str) -> String {
    let mut raw = Raw::connect(server).await;
    raw.send(&format!("GET {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n")).await;
    raw.rest().await
}

async fn a_request_by_a_foreign_name_is_misdirected(server: &TestServer) {
    for host in ["ehr.example", "EHR.example:443", "inner.example:8080", "localhost:9", "127.0.0.1", "[::1]:1"] {
        let answer = answer(server, "/fhir/Patient", &format!("Host: {host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    for host in ["evil.example", "ehr.example.evil.example", "", "203.0.113.1", "\u{e9}.example"] {
        for target in ["/fhir/Patient", "/fhir/metadata", "/auth/token", "/"] {
            let answer = answer(server, target, &format!("Host: {host}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 421"), "{host} {target}: {answer}");
            assert!(answer.contains("OperationOutcome") && answer.contains("the setting hosts"), "{answer}");
            assert!(!answer.contains("ehr.example"), "{answer}");
        }
    }
    // The host of an absolute address counts as well.
    let absolute = answer(server, "http://evil.example/fhir/Patient", "Host: localhost\r\n").await;
    assert!(absolute.starts_with("HTTP/1.1 421"), "{absolute}");
    let absolute = answer(server, "http://ehr.example/fhir/Patient", "Host: localhost\r\n").await;
    assert!(absolute.starts_with("HTTP/1.1 200"), "{absolute}");
    // What watches the server may ask by any name.
    let health = answer(server, "/health", "Host: 203.0.113.1\r\n").await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
}
