//! A backend client gets a token.

use emberwell::store::{ClientFacts, ClientKind};
use http::Method;
use serde_json::json;

use super::backend::{ASSERTION_TYPE, ask, backend, confidential, post, post_as, refused, register, token};
use super::keys::{Key, jwks};
use super::signed::{Unsigned, now};
use super::{ISSUER, closed};
use crate::support::holders::change;
use crate::support::{TestServer, on_both, patient};

on_both!(
    a_token_opens_what_was_granted_until_it_is_revoked,
    a_client_gets_a_token_by_either_algorithm,
    an_assertion_is_taken_once_even_after_a_restart,
    scopes_are_those_that_are_asked_registered_and_granted,
    requests_that_are_not_in_order_are_refused,
    other_clients_get_no_token_for_themselves,
);

async fn a_token_opens_what_was_granted_until_it_is_revoked(open: &TestServer) {
    let id = open.create(&patient("1")).await;
    let server = closed(open, &[]).await;
    let key = Key::p384();
    let new = ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/Patient.read") };
    let (client, _) = register(&server, new, "system/*.cruds");
    let sent = token(&server, &client, &key, "system/*.read").await;
    let asked = async |method: Method, path: &str, token: &str| {
        server.request(method, path).header("Authorization", &format!("Bearer {token}")).send().await
    };

    assert_eq!(asked(Method::GET, &format!("Patient/{id}"), &sent).await.expect(200).json()["id"], id);
    assert_eq!(asked(Method::GET, "Patient", &sent).await.matches(), [id.as_str()]);
    asked(Method::GET, "Observation", &sent).await.refused(403);
    asked(Method::DELETE, &format!("Patient/{id}"), &sent).await.refused(403);
    let assertion = Unsigned::of(&client.id, &key).signed(&key);
    asked(Method::GET, "Patient", &assertion).await.refused(401);

    let assertion = Unsigned::of(&client.id, &key).signed(&key);
    let pairs = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion), ("token", &sent)];
    post(&server, "/auth/revoke", &pairs).await.expect(200);
    let refused = asked(Method::GET, "Patient", &sent).await;
    refused.refused(401);
    assert!(refused.header("WWW-Authenticate").starts_with("Bearer"));
    server.stop().await;
}

/// The parameters of a request.
type Pairs<'v> = &'v [(&'v str, &'v str)];

async fn a_client_gets_a_token_by_either_algorithm(server: &TestServer) {
    let server = closed(server, &[]).await;
    let ec = Key::p384();
    let keys = jwks(&[Key::p384().jwk("other"), ec.jwk("k1"), Key::rsa().jwk("k1")]);
    let (client, _) = register(&server, ClientFacts { jwks: Some(keys), ..backend("system/*.rs") }, "system/*.cruds");

    let mut tokens = Vec::new();
    for (key, audience) in [(&ec, super::TOKEN_ENDPOINT), (&ec, ISSUER), (Key::rsa(), super::TOKEN_ENDPOINT)] {
        let assertion = Unsigned::of(&client.id, key).claim("aud", json!(audience)).claim("exp", json!(now() + 299));
        let answer = ask(&server, &assertion.signed(key), "system/*.rs").await.expect(200);

        assert_eq!(answer.header("Content-Type"), "application/json");
        assert_eq!(answer.header("Cache-Control"), "no-store");
        assert_eq!(answer.header("Pragma"), "no-cache");
        let told = answer.json();
        assert_eq!((&told["token_type"], &told["expires_in"]), (&json!("Bearer"), &json!(300)));
        assert_eq!(told["scope"], "system/*.rs");
        assert!(told.get("refresh_token").is_none());
        let token = told["access_token"].as_str().unwrap().to_owned();
        assert_eq!(token.len(), 43, "256 bits in base64url");
        tokens.push(token);
    }

    tokens.dedup();
    assert_eq!(tokens.len(), 3);
    server.stop().await;
}

async fn an_assertion_is_taken_once_even_after_a_restart(first: &TestServer) {
    let server = closed(first, &[]).await;
    let key = Key::p384();
    let keys = jwks(&[key.jwk("k1")]);
    let (client, _) =
        register(&server, ClientFacts { jwks: Some(keys.clone()), ..backend("system/*.rs") }, "system/*.rs");
    let (other, _) = register(&server, ClientFacts { jwks: Some(keys), ..backend("system/*.rs") }, "system/*.rs");
    let assertion = Unsigned::of(&client.id, &key).claim("jti", json!("once"));

    ask(&server, &assertion.signed(&key), "system/*.rs").await.expect(200);
    let told = refused(&ask(&server, &assertion.signed(&key), "system/*.rs").await, 401, "invalid_client");
    assert!(told.contains("used before"), "{told}");
    // Another text with the same name is no other assertion; the same name of another client is.
    let later = assertion.clone().claim("exp", json!(now() + 200));
    refused(&ask(&server, &later.signed(&key), "system/*.rs").await, 401, "invalid_client");
    let others = Unsigned::of(&other.id, &key).claim("jti", json!("once"));
    ask(&server, &others.signed(&key), "system/*.rs").await.expect(200);

    server.stop().await;
    let server = closed(first, &[]).await;
    let told = refused(&ask(&server, &assertion.signed(&key), "system/*.rs").await, 401, "invalid_client");
    assert!(told.contains("used before"), "{told}");
    server.stop().await;
}

async fn scopes_are_those_that_are_asked_registered_and_granted(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let registered = "system/Observation.cruds system/Patient.rs system/Encounter.rs";
    let new = ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend(registered) };
    let (client, grant) = register(&server, new, "system/*.rs system/Observation.c");
    let asked = |scope: &'static str| {
        let assertion = Unsigned::of(&client.id, &key).signed(&key);
        let server = &server;
        async move { ask(server, &assertion, scope).await }
    };

    let table = [
        ("system/Patient.rs", "system/Patient.rs"),
        ("system/Observation.cruds", "system/Observation.crs"),
        ("system/Patient.read system/Condition.read", "system/Patient.read"),
        ("system/*.rs", "system/Observation.rs system/Patient.rs system/Encounter.rs"),
        ("system/Observation.rs?category=laboratory", "system/Observation.rs?category=laboratory"),
        ("system/Patient.rs nonsense system/Patient.sr openid", "system/Patient.rs"),
    ];
    for (scope, granted) in table {
        assert_eq!(asked(scope).await.expect(200).json()["scope"], granted, "{scope}");
    }
    for scope in ["system/Condition.rs", "system/Patient.u", "patient/Patient.rs", "user/*.rs", "openid", "x", ""] {
        refused(&asked(scope).await, 400, "invalid_scope");
    }

    change(&server, move |tx| tx.end_grant(grant.id));
    refused(&asked("system/Patient.rs").await, 400, "invalid_scope");
    server.stop().await;
}

async fn requests_that_are_not_in_order_are_refused(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let new = ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs") };
    let (client, _) = register(&server, new, "system/*.rs");
    let signed = || Unsigned::of(&client.id, &key).signed(&key);
    let grant = ("grant_type", "client_credentials");
    let kind = ("client_assertion_type", ASSERTION_TYPE);
    let scope = ("scope", "system/*.rs");
    let (one, two, three, four) = (signed(), signed(), signed(), signed());
    let table: [(Pairs<'_>, u16, &str); 14] = [
        (&[], 400, "invalid_request"),
        (&[("grant_type", "password"), kind, ("client_assertion", &one), scope], 400, "unsupported_grant_type"),
        (&[("grant_type", "authorization_code"), ("code", "x")], 401, "invalid_client"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "x")], 401, "invalid_client"),
        (&[("grant_type", "refresh_token")], 400, "invalid_request"),
        (&[("grant_type", ""), kind, ("client_assertion", &one), scope], 400, "invalid_request"),
        (&[grant, scope], 401, "invalid_client"),
        (&[grant, kind, scope], 400, "invalid_request"),
        (&[grant, ("client_assertion", &one), scope], 400, "invalid_request"),
        (&[grant, ("client_assertion_type", "jwt"), ("client_assertion", &one), scope], 400, "invalid_request"),
        (&[grant, grant, kind, ("client_assertion", &one), scope], 400, "invalid_request"),
        (&[grant, kind, ("client_assertion", &one), scope, scope], 400, "invalid_request"),
        (&[grant, kind, ("client_assertion", &two), scope, ("client_id", "other")], 401, "invalid_client"),
        (&[grant, kind, ("client_assertion", &three)], 400, "invalid_scope"),
    ];
    for (pairs, status, error) in table {
        refused(&post(&server, "/auth/token", pairs).await, status, error);
    }
    let url = format!("{}/auth/token", server.url);
    let body = |media: &str, body: &str| server.request(Method::POST, &url).body(media, body.to_owned());
    refused(&body("application/json", r#"{"grant_type":"client_credentials"}"#).send().await, 400, "invalid_request");
    refused(&body("application/x-www-form-urlencoded", "grant_type=%ff").send().await, 400, "invalid_request");
    let long = format!("grant_type={}", "x".repeat(70_000));
    refused(&body("application/x-www-form-urlencoded", &long).send().await, 413, "invalid_request");
    for path in ["token", "introspect", "revoke"] {
        let wrong = server.get(&format!("{}/auth/{path}", server.url)).await;
        refused(&wrong, 405, "invalid_request");
        assert_eq!(wrong.header("Allow"), "POST");
    }
    // Nothing of the above has used up the last one, nor does its client_id harm.
    let pairs = [grant, kind, ("client_assertion", four.as_str()), scope, ("client_id", client.id.as_str())];
    post(&server, "/auth/token", &pairs).await.expect(200);
    server.stop().await;
}

async fn other_clients_get_no_token_for_themselves(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let keys = || Some(jwks(&[key.jwk("k1")]));
    let (app, _) =
        register(&server, ClientFacts { jwks: keys(), secret_hash: None, ..confidential("s") }, "system/*.rs");
    let (with_secret, _) = register(&server, confidential("secret"), "system/*.rs");
    let public = ClientFacts { kind: ClientKind::Public, jwks: keys(), secret_hash: None, ..confidential("s") };
    let (public, _) = register(&server, public, "system/*.rs");
    let (suspended, _) = register(&server, ClientFacts { jwks: keys(), ..backend("system/*.rs") }, "system/*.rs");
    let id = suspended.id.clone();
    change(&server, move |tx| tx.suspend_client(&id));

    let signed = |id: &str| Unsigned::of(id, &key).signed(&key);
    refused(&ask(&server, &signed(&app.id), "system/*.rs").await, 400, "unauthorized_client");
    let basic = format!("Basic {}", base64_text(&format!("{}:secret", with_secret.id)));
    let pairs = [("grant_type", "client_credentials"), ("scope", "system/*.rs")];
    refused(&post_as(&server, "/auth/token", Some(&basic), &pairs).await, 400, "unauthorized_client");
    for id in [&public.id, &suspended.id, "nobody"] {
        refused(&ask(&server, &signed(id), "system/*.rs").await, 401, "invalid_client");
    }
    let wrong = format!("Basic {}", base64_text(&format!("{}:wrong", with_secret.id)));
    let answer = post_as(&server, "/auth/token", Some(&wrong), &pairs).await;
    refused(&answer, 401, "invalid_client");
    assert_eq!(answer.header("WWW-Authenticate"), "Basic realm=\"emberwell\"");
    server.stop().await;
}

fn base64_text(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
