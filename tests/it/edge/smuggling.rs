//! Requests whose end is in doubt: two servers in a row could see two different ones in them.
//!
//! Spec: RFC 9112 sections 3.2, 5.1, 6.1, 6.3

use crate::support::raw::Raw;
use crate::support::{TestServer, on_both};

on_both!(
    a_request_whose_end_is_in_doubt_is_refused_with_all_that_follows,
    a_method_that_would_be_echoed_or_tunneled_is_refused,
);

/// What would be hidden in the body, or behind it.
const HIDDEN: &str = "PUT /fhir/Patient/hidden HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\n\
    Content-Length: 40\r\n\r\n{\"resourceType\":\"Patient\",\"id\":\"hidden\"}";

async fn a_request_whose_end_is_in_doubt_is_refused_with_all_that_follows(server: &TestServer) {
    let heads = [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length : 5\r\n",
        " Content-Length: 5\r\n",
        "X: 1\r\n Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n",
        "Host: other\r\n",
        "no header at all\r\n",
    ];
    for head in heads {
        let mut raw = Raw::connect(server).await;
        let start = "POST /fhir/Patient/_search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        raw.send(&format!("{start}{head}\r\n0\r\n\r\n{HIDDEN}")).await;

        let answer = raw.rest().await;

        assert!(answer.starts_with("HTTP/1.1 400"), "{head}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head}: {answer}");
    }
    for request in [
        "POST /fhir/Patient/_search HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /fhir/Patient HTTP/1.1\r\n\r\n",
        "GET /fhir/Patient HTTP/2.0\r\nHost: localhost\r\n\r\n",
        "GET /fhir/Patient\r\n\r\n",
        "GET  /fhir/Patient HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /fhir/Pat\u{1}ient HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut raw = Raw::connect(server).await;
        raw.send(&format!("{request}{HIDDEN}")).await;
        let answer = raw.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.0 400"), "{request}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{request}: {answer}");
    }

    server.get("Patient/hidden").await.refused(404);
}

async fn a_method_that_would_be_echoed_or_tunneled_is_refused(server: &TestServer) {
    for address in ["/", "/health", "/fhir", "/fhir/Patient", "/fhir/Patient/1", "/fhir/metadata", "/auth/token"] {
        let mut raw = Raw::connect(server).await;
        raw.send(&format!(
            "TRACE {address} HTTP/1.1\r\nHost: localhost\r\nX-Secret: s3cr3t\r\nConnection: close\r\n\r\n"
        ))
        .await;
        let answer = raw.rest().await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{address}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("\r\nallow: ") && !answer.contains("s3cr3t"), "{answer}");
    }
    for target in ["localhost:5432", "/fhir/Patient", "*"] {
        let mut raw = Raw::connect(server).await;
        raw.send(&format!("CONNECT {target} HTTP/1.1\r\nHost: localhost\r\n\r\n{HIDDEN}")).await;
        let answer = raw.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{target}: {answer}");
    }
    let mut raw = Raw::connect(server).await;
    let upgrade = "GET /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    raw.send(&format!("{upgrade}{HIDDEN}")).await;
    assert!(!raw.until("\r\n\r\n").await.starts_with("HTTP/1.1 101"));

    server.get("Patient/hidden").await.refused(404);
}
