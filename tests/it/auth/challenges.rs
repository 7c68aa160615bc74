//! What an answer of 401 or 403 says of the token that would do, and where no token is looked for.

use std::time::{Duration, Instant};

use emberwell::store::{AccessToken, SecretHash, TokenKind};
use http::Method;
use serde_json::json;

use super::closed;
use crate::access::family::fill;
use crate::audit::all;
use crate::support::holders::{self, Granted, change};
use crate::support::{TestServer, bundle, on_both};

on_both!(
    a_refusal_says_which_token_would_do,
    a_refusal_says_which_scope_was_lacking,
    a_token_is_read_from_the_header_alone,
    a_misplaced_token_is_not_kept_in_the_trail,
    nothing_else_is_taken_for_an_access_token,
);

const NEEDED: &str = "Bearer realm=\"emberwell\"";
const INVALID: &str = "Bearer realm=\"emberwell\", error=\"invalid_token\"";
const INSUFFICIENT: &str = "Bearer realm=\"emberwell\", error=\"insufficient_scope\"";

async fn a_refusal_says_which_token_would_do(server: &TestServer) {
    let server = closed(server, &[]).await;
    fill(&server).await;
    let revoked = holders::app(&server, "patient/*.rs", Some("a"), &[Granted::on("a")]).token;
    let hash = SecretHash::of(revoked.as_bytes());
    change(&server, move |tx| tx.revoke_token(&hash));
    let expired = holders::expired(&server);

    for (method, path) in [
        (Method::GET, "Patient/a"),
        (Method::HEAD, "Patient/a"),
        (Method::GET, "Patient"),
        (Method::DELETE, "Patient/a"),
        (Method::POST, ""),
        (Method::GET, "_history"),
    ] {
        let answer = server.request(method.clone(), path).send().await.expect(401);
        assert_eq!(answer.header("WWW-Authenticate"), NEEDED, "{method} {path}");
        for token in ["unknown", &revoked, &expired] {
            let answer = server.request_as(token, method.clone(), path).send().await.expect(401);
            assert_eq!(answer.header("WWW-Authenticate"), INVALID, "{method} {path}");
        }
    }
    // There is nothing to be had with a token.
    assert_eq!(server.get("metadata").await.expect(200).header("WWW-Authenticate"), "");
    let absent = server.get(&format!("{}/nowhere", server.url)).await.expect(404);
    assert_eq!(absent.header("WWW-Authenticate"), "");
    // At the endpoints of OAuth it is the client who is unknown.
    for endpoint in ["token", "introspect", "revoke"] {
        let url = format!("{}/auth/{endpoint}", server.url);
        let form = "token=x&grant_type=client_credentials";
        let answer = server.request(Method::POST, &url).body("application/x-www-form-urlencoded", form).send().await;
        assert_eq!((answer.status, answer.header("WWW-Authenticate").as_str()), (401, "Basic realm=\"emberwell\""));
    }
    server.stop().await;
}

async fn a_refusal_says_which_scope_was_lacking(server: &TestServer) {
    let server = closed(server, &[]).await;
    fill(&server).await;
    let of_patient = holders::app(&server, "patient/Observation.rs", Some("a"), &[Granted::on("a")]).token;
    let of_user = holders::app(&server, "user/Observation.rs", None, &[Granted::on("a")]).token;
    let all = Granted { record: None, scopes: "system/Observation.rs", ..Granted::on("") };
    let of_system = holders::system(&server, "system/Observation.rs", &[all]).token;

    for (context, token) in [("patient", &of_patient), ("user", &of_user), ("system", &of_system)] {
        let table = [
            (Method::GET, "Condition/a-diabetes", "Condition.r"),
            (Method::GET, "Condition", "Condition.s"),
            (Method::DELETE, "Observation/a-weight", "Observation.d"),
            (Method::GET, "?_type=Patient,Condition", "Patient.s"),
        ];
        for (method, path, wanted) in table {
            let answer = server.request_as(token, method, path).send().await;
            answer.refused(403);
            let challenge = answer.header("WWW-Authenticate");
            assert_eq!(challenge, format!("{INSUFFICIENT}, scope=\"{context}/{wanted}\""), "{path}");
        }
        let created = server.request_as(token, Method::POST, "Basic").json(&json!({ "resourceType": "Basic" }));
        let answer = created.send().await;
        answer.refused(403);
        assert_eq!(answer.header("WWW-Authenticate"), format!("{INSUFFICIENT}, scope=\"{context}/Basic.c\""));
        let entry = json!({ "request": { "method": "GET", "url": "Condition/a-diabetes" } });
        let posted = server.request_as(token, Method::POST, "").json(&bundle("transaction", &[entry])).send().await;
        posted.refused(403);
        assert_eq!(posted.header("WWW-Authenticate"), format!("{INSUFFICIENT}, scope=\"{context}/Condition.r\""));
        // What only an operator may do needs the same of everybody.
        let reindex = server.request_as(token, Method::POST, "$reindex");
        let answer = reindex.json(&json!({ "resourceType": "Parameters" })).send().await;
        answer.refused(403);
        assert_eq!(answer.header("WWW-Authenticate"), format!("{INSUFFICIENT}, scope=\"system/*.cruds\""));
    }
    // Where no scope is lacking, none is named.
    let without = holders::app(&server, "patient/*.rs", None, &[Granted::on("a")]).token;
    let answer = server.get_as(&without, "Patient/a").await;
    answer.refused(403);
    assert_eq!(answer.header("WWW-Authenticate"), INSUFFICIENT);
    server.stop().await;
}

async fn a_token_is_read_from_the_header_alone(server: &TestServer) {
    let server = closed(server, &[]).await;
    fill(&server).await;
    let wide = holders::app(&server, "patient/*.rs", Some("a"), &[Granted::on("a")]).token;
    let narrow = holders::app(&server, "patient/Observation.rs", Some("a"), &[Granted::on("a")]).token;
    let form = "application/x-www-form-urlencoded";
    let in_query = format!("access_token={wide}");

    for path in ["Patient/a", "Patient", "Patient/a/_history", "Patient/a/Observation", "_history"] {
        server.get(&format!("{path}?{in_query}")).await.refused(401);
    }
    for path in ["Patient/_search", "_search", "Patient/a/Observation/_search"] {
        let answer = server.request(Method::POST, path).body(form, in_query.clone()).send().await;
        answer.refused(401);
        assert_eq!(answer.header("WWW-Authenticate"), NEEDED);
    }
    // Nor does it add to the one in the header.
    let narrowly = |path: String| server.request_as(&narrow, Method::GET, &path).header("Prefer", "handling=lenient");
    narrowly(format!("Condition?{in_query}")).send().await.refused(403);
    narrowly(format!("Patient/a?{in_query}")).send().await.refused(403);
    let found = narrowly(format!("Observation?{in_query}&_id=a-weight")).send().await.expect(200);
    assert!(!found.text().contains(&wide), "no link says it: {}", found.text());
    // Two headers are none.
    let twice =
        server.request(Method::GET, "Patient/a").header("Authorization", &format!("Bearer {narrow}, Bearer {wide}"));
    twice.send().await.refused(401);
    server.get_as(&wide, "Patient/a").await.expect(200);
    server.stop().await;
}

async fn a_misplaced_token_is_not_kept_in_the_trail(server: &TestServer) {
    let server = closed(server, &[]).await;
    fill(&server).await;
    let held = holders::app(&server, "patient/*.rs", Some("a"), &[Granted::on("a")]).token;
    let request = |id: &str, path: &str| server.request(Method::GET, path).header("X-Request-Id", id);
    request("in-read", &format!("Patient/a?access_token={held}")).send().await.refused(401);
    request("in-search", &format!("Observation?patient=a&access_token={held}&_count=3")).send().await.refused(401);
    let form = format!("access_token={held}&patient=a");
    let posted = server.request_as(&held, Method::POST, "Observation/_search").header("X-Request-Id", "in-form");
    let posted = posted.header("Prefer", "handling=lenient").body("application/x-www-form-urlencoded", form);
    posted.send().await.expect(200);

    let begun = Instant::now();
    let mut queries: Vec<String> = Vec::new();
    while queries.len() < 3 && begun.elapsed() < Duration::from_secs(20) {
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        let events = all(&server).into_iter().map(|(event, _)| event);
        let of_these = events.filter(|event| event.request.starts_with("in-"));
        queries = of_these.map(|event| event.query.as_deref().unwrap_or_default().to_owned()).collect();
        queries.sort();
        queries.dedup();
    }

    assert_eq!(
        queries,
        ["Observation?access_token&patient=a", "Observation?patient=a&access_token&_count=3", "Patient/a?access_token"]
    );
    server.stop().await;
}

async fn nothing_else_is_taken_for_an_access_token(server: &TestServer) {
    let server = closed(server, &[]).await;
    fill(&server).await;
    let held = holders::app(&server, "patient/*.rs", Some("a"), &[Granted::on("a")]);
    let hash = SecretHash::of(held.token.as_bytes());
    let family = SecretHash::of(b"family");
    change(&server, move |tx| {
        let live = tx.access_token(&hash)?.unwrap();
        let hash = SecretHash::of(b"refresh");
        tx.add_token(&AccessToken { hash, kind: TokenKind::Refresh, family: Some(family), ..live })
    });
    let kept: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let upper = held.token.to_ascii_uppercase();
    let client = held.client.clone().unwrap();

    for token in ["refresh", &kept, &upper, &client, &format!("{}x", held.token), "family"] {
        let answer = server.get_as(token, "Patient/a").await;
        answer.refused(401);
        assert_eq!(answer.header("WWW-Authenticate"), INVALID, "{token}");
    }
    for scheme in ["Basic", "DPoP", "Token", "MAC"] {
        let request =
            server.request(Method::GET, "Patient/a").header("Authorization", &format!("{scheme} {}", held.token));
        assert_eq!(request.send().await.expect(401).header("WWW-Authenticate"), NEEDED, "{scheme}");
    }
    server.get_as(&held.token, "Patient/a").await.expect(200);
    server.stop().await;
}
