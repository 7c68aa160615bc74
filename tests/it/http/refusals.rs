//! Every refusal is an OperationOutcome with the right status.
//!
//! Spec: R4 http.html#Status-Codes

use http::Method;
use serde_json::json;

use crate::support::{TestServer, on_both, patient};

on_both!(
    an_address_that_is_not_there_is_not_found,
    a_method_that_an_address_does_not_take_is_named_with_those_it_takes,
    a_media_type_that_cannot_be_read_is_refused,
    a_body_that_is_too_large_is_refused,
    an_address_that_is_too_long_is_refused,
    headers_that_are_too_long_are_refused,
    a_missing_body_is_refused,
    an_id_that_none_can_be_is_named_as_such,
    a_method_that_nobody_knows_is_refused_everywhere,
    a_parameter_that_shapes_the_answer_wrongly_is_refused,
    a_condition_that_is_malformed_changes_nothing,
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
    server.get(&format!("Patient/{}", "a".repeat(65))).await.refused(404);
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

async fn headers_that_are_too_long_are_refused(server: &TestServer) {
    let half = "a".repeat(40_000);
    server.request(Method::GET, "Patient").header("X-One", &half).send().await.expect(200);
    let both = server.request(Method::GET, "Patient").header("X-One", &half).header("X-Two", &half);
    both.send().await.refused(431);
}

async fn a_missing_body_is_refused(server: &TestServer) {
    server.request(Method::POST, "Patient").send().await.refused(400);
    server.request(Method::PUT, "Patient/1").send().await.refused(400);
    server.request(Method::POST, "").send().await.refused(400);
}

async fn an_id_that_none_can_be_is_named_as_such(server: &TestServer) {
    for id in ["a_b", "a%20b", "%00", "a%2Fb", "%F0%9F%98%80", "1;x", "~"] {
        // Where nothing can be, nothing is found; and nothing can be put there.
        for (method, status) in [(Method::GET, 404), (Method::DELETE, 404), (Method::PUT, 400), (Method::PATCH, 400)] {
            let answer = server.request(method, &format!("Patient/{id}")).json(&patient("1")).send().await;
            let issue = answer.refused(status);
            assert!(issue["diagnostics"].as_str().unwrap().contains("1 to 64 characters"), "{id}: {issue}");
        }
    }
    server.get("Nonsense/a_b").await.refused(404);

    assert_eq!(server.count("Patient").await, 0);
}

async fn a_method_that_nobody_knows_is_refused_everywhere(server: &TestServer) {
    let addresses = ["", "Patient", "Patient/1", "Patient/1/_history/1", "Patient/_search", "metadata", "_history"];
    for address in addresses {
        for method in [Method::TRACE, Method::OPTIONS, Method::from_bytes(b"BREW").unwrap()] {
            let answer = server.request(method.clone(), address).send().await;
            answer.refused(405);
            assert!(!answer.header("Allow").is_empty(), "{method} {address}");
        }
    }
    for address in ["$nothing", "Patient/$nothing", "Patient/1/$nothing"] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            server.request(method, address).json(&patient("1")).send().await.refused(404);
        }
    }
}

async fn a_parameter_that_shapes_the_answer_wrongly_is_refused(server: &TestServer) {
    let bad = [
        "_count=-1",
        "_count=many",
        "_count=",
        "_count=1.5",
        "_count=1&_count=2",
        "_summary=all",
        "_summary=",
        "_elements=",
        "_elements=$x",
        "_total=some",
        "_total=",
        "_sort=",
        "_sort=nonsense",
        "_sort=-",
        "_cursor=x",
        "_contained=maybe",
    ];
    for query in bad {
        let issue = server.get(&format!("Patient?{query}")).await.refused(400);
        assert!(!issue["diagnostics"].as_str().unwrap().contains(":missing"), "{query}: {issue}");
    }
    for query in ["_format=nonsense", "_format=", "_format=xml"] {
        server.get(&format!("Patient?{query}")).await.refused(406);
    }
    for query in ["_count=-1", "_count=x", "_since=never", "_at=", "_since=2020&_since=2021", "nonsense=1"] {
        server.get(&format!("Patient/_history?{query}")).await.refused(400);
    }
}

async fn a_condition_that_is_malformed_changes_nothing(server: &TestServer) {
    let id = server.create(&patient("1")).await;
    let address = format!("Patient/{id}");
    let mut body = patient("2");
    body["id"] = json!(id);
    for tag in ["garbage", "W/\"1", "\"", "W/\"\"", "1", "W/\"1\", garbage"] {
        let put = server.request(Method::PUT, &address).header("If-Match", tag).json(&body).send().await;
        put.refused(400);
        server.request(Method::DELETE, &address).header("If-Match", tag).send().await.refused(400);
    }
    server.request(Method::PUT, &address).header("If-None-Match", "*").json(&body).send().await.refused(412);
    server.request(Method::PUT, &address).header("If-None-Match", "W/\"1\"").json(&body).send().await.refused(400);

    assert_eq!(server.get(&address).await.expect(200).header("ETag"), "W/\"1\"");
}

async fn the_server_says_that_it_is_alive_and_ready(server: &TestServer) {
    assert_eq!(server.get(&format!("{}/health", server.url)).await.expect(200).text(), "ok\n");
    assert_eq!(server.get(&format!("{}/ready", server.url)).await.expect(200).text(), "ready\n");
    let front = server.get(&format!("{}/", server.url)).await.expect(200);
    assert!(front.text().contains("/fhir/metadata"));
}
