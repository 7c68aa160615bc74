//! Each limit on input, at the limit and one beyond.

use emberwell::config::Settings;
use http::Method;
use serde_json::{Value, json};

use crate::support::raw::Raw;
use crate::support::server::run_with;
use crate::support::{Database, TestServer, on_both, patient};

on_both!(by crate::edge::bounds::narrow:
    an_address_may_have_16_kib,
    all_headers_may_have_64_kib,
    a_resource_may_have_as_many_bytes_as_the_settings_say,
    a_bundle_may_have_as_many_bytes_and_entries_as_the_settings_say,
    json_may_be_100_levels_deep,
    a_search_may_have_64_parameters_and_2000_values_of_one,
    a_token_request_may_have_64_kib,
);

const RESOURCE_BYTES: usize = 20_000;
const BUNDLE_BYTES: usize = 40_000;

fn narrow(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    let narrow = |settings: &mut Settings| {
        settings.limits.resource_bytes = RESOURCE_BYTES;
        settings.limits.bundle_bytes = BUNDLE_BYTES;
        settings.limits.bundle_entries = 7;
    };
    run_with(database, narrow, behaviour);
}

/// Spaces around JSON change nothing but its size.
fn padded(value: &Value, bytes: usize) -> String {
    let text = value.to_string();
    let padding = " ".repeat(bytes - text.len());
    text + &padding
}

async fn an_address_may_have_16_kib(server: &TestServer) {
    let address = |bytes: usize| {
        let start = "/fhir/Patient?_id=";
        let values = ["a"; 3].join(",");
        let path = format!("{start}{values}");
        // Each value of 64 letters at most.
        let mut path = path;
        while path.len() < bytes {
            let room = bytes - path.len();
            path.push(',');
            path.push_str(&"b".repeat(room.saturating_sub(1).min(64)));
        }
        format!("{}{path}", server.url)
    };
    server.get(&address(16 * 1024)).await.expect(200);
    assert_eq!(server.get(&address(16 * 1024 + 1)).await.refused(414)["code"], "too-long");
}

async fn all_headers_may_have_64_kib(server: &TestServer) {
    let ask = async |bytes: usize| {
        let request = server.request(Method::GET, "Patient").header("X-One", &"a".repeat(30_000));
        request.header("X-Two", &"a".repeat(bytes)).send().await
    };
    // What the client adds of its own is not known to the byte here, but is less than 1,000.
    ask(64 * 1024 - 31_000).await.expect(200);
    ask(64 * 1024 - 29_999).await.refused(431);
}

async fn a_resource_may_have_as_many_bytes_as_the_settings_say(server: &TestServer) {
    let create = async |bytes: usize| {
        let request = server.request(Method::POST, "Patient");
        request.body("application/fhir+json", padded(&patient("1"), bytes)).send().await
    };
    create(RESOURCE_BYTES).await.expect(201);
    assert_eq!(create(RESOURCE_BYTES + 1).await.refused(413)["code"], "too-long");
    assert_eq!(server.count("Patient").await, 1);
}

async fn a_bundle_may_have_as_many_bytes_and_entries_as_the_settings_say(server: &TestServer) {
    let bundle = |entries: usize| {
        let entry = json!({ "resource": patient("1"), "request": { "method": "POST", "url": "Patient" } });
        json!({ "resourceType": "Bundle", "type": "batch", "entry": vec![entry; entries] })
    };
    let send = async |entries: usize, bytes: usize| {
        let request = server.request(Method::POST, "");
        request.body("application/fhir+json", padded(&bundle(entries), bytes)).send().await
    };
    send(7, BUNDLE_BYTES).await.expect(200);
    send(7, BUNDLE_BYTES + 1).await.refused(413);
    assert_eq!(send(8, BUNDLE_BYTES).await.refused(400)["code"], "too-costly");
    assert_eq!(server.count("Patient").await, 7);
}

async fn json_may_be_100_levels_deep(server: &TestServer) {
    // `levels` extensions within each other, each of which is an object in a list, in a resource.
    let nested = |levels: usize| {
        let open = r#"{"url":"https://nobody.example/x","extension":["#.repeat(levels - 1);
        let inner = r#"{"url":"https://nobody.example/x","valueBoolean":true}"#;
        format!(r#"{{"resourceType":"Patient","extension":[{open}{inner}{}}}"#, "]}".repeat(levels - 1) + "]")
    };
    let create = async |levels: usize| {
        server.request(Method::POST, "Patient").body("application/fhir+json", nested(levels)).send().await
    };
    create(49).await.expect(201);
    let issue = create(50).await.refused(400);
    assert!(issue["diagnostics"].as_str().unwrap().contains("100"), "{issue}");
}

async fn a_search_may_have_64_parameters_and_2000_values_of_one(server: &TestServer) {
    let post = async |form: String| {
        let request = server.request(Method::POST, "Patient/_search");
        request.body("application/x-www-form-urlencoded", form).send().await
    };
    let parameters = |count: usize| vec!["active=true"; count].join("&");
    let values = |count: usize| format!("_id={}", vec!["a"; count].join(","));
    post(parameters(64)).await.expect(200);
    post(parameters(65)).await.refused(400);
    post(values(2000)).await.expect(200);
    post(values(2001)).await.refused(400);
}

async fn a_token_request_may_have_64_kib(server: &TestServer) {
    let ask = async |bytes: usize| {
        let form = format!("grant_type={}", "a".repeat(bytes - "grant_type=".len()));
        let request = server.request(Method::POST, &format!("{}/auth/token", server.url));
        request.body("application/x-www-form-urlencoded", form).send().await
    };
    assert_eq!(ask(64 * 1024).await.expect(400).json()["error"], "unsupported_grant_type");
    ask(64 * 1024 + 1).await.expect(413);
}

on_both!(by crate::edge::bounds::short: heads_may_have_as_many_bytes_as_the_settings_say);

fn short(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    let short = |settings: &mut Settings| {
        settings.limits.address_bytes = 40;
        settings.limits.head_bytes = 1000;
    };
    run_with(database, short, behaviour);
}

async fn heads_may_have_as_many_bytes_as_the_settings_say(server: &TestServer) {
    let address = |bytes: usize| format!("{}/fhir/Patient?_id={}", server.url, "a".repeat(bytes - 18));
    server.get(&address(40)).await.expect(200);
    assert_eq!(server.get(&address(41)).await.refused(414)["code"], "too-long");
    let ask = async |bytes: usize| {
        let mut raw = Raw::connect(server).await;
        let rest = "a".repeat(bytes - "hostlocalhostx-rest".len());
        raw.send(&format!("GET /fhir/Patient HTTP/1.1\r\nhost: localhost\r\nx-rest: {rest}\r\n\r\n")).await;
        raw.until("\r\n\r\n").await
    };
    assert!(ask(1000).await.starts_with("HTTP/1.1 200"));
    assert!(ask(1001).await.starts_with("HTTP/1.1 431"));
}
