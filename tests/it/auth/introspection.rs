//! What a token is worth.

use emberwell::store::{AccessToken, ClientFacts, SecretHash, TokenKind};
use http::Method;
use serde_json::json;

use super::backend::{ASSERTION_TYPE, backend, confidential, introspected, post, post_as, refused, register, token};
use super::keys::{Key, jwks};
use super::signed::{Unsigned, now};
use super::{ISSUER, closed};
use crate::support::holders::change;
use crate::support::{TestServer, on_both};

on_both!(
    a_live_token_is_told_of,
    a_token_that_is_worth_nothing_is_only_not_active,
    only_a_client_that_shows_who_it_is_may_ask,
);

async fn a_live_token_is_told_of(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let new = || ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs system/Observation.c") };
    let (client, grant) = register(&server, new(), "system/*.cruds");
    let (asking, _) = register(&server, new(), "");
    let sent = token(&server, &client, &key, "system/Patient.rs system/Observation.c").await;

    let told = introspected(&server, &asking, &key, &sent).await;

    let (issued, expires) = (told["iat"].as_i64().unwrap(), told["exp"].as_i64().unwrap());
    assert_eq!(expires - issued, 300);
    assert!((now() - 60..=now()).contains(&issued), "{told}");
    assert_eq!(
        told,
        json!({
            "active": true,
            "scope": "system/Patient.rs system/Observation.c",
            "client_id": client.id,
            "token_type": "Bearer",
            "iss": ISSUER,
            "iat": issued,
            "exp": expires,
        })
    );

    // The grant is another by now: so is what the token is worth.
    change(&server, move |tx| {
        tx.add_grant(&emberwell::store::NewGrant {
            patient: None,
            to: grant.to.clone(),
            level: grant.level,
            scopes: "system/Patient.r".to_owned(),
            labels: grant.labels,
            sees_history: grant.sees_history,
            until_us: None,
            reason: None,
            origin: grant.origin.clone(),
            granted_by: None,
        })?;
        tx.end_grant(grant.id)
    });
    assert_eq!(introspected(&server, &asking, &key, &sent).await["scope"], "system/Patient.r");
    server.stop().await;
}

async fn a_token_that_is_worth_nothing_is_only_not_active(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let new = || ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs") };
    let (client, grant) = register(&server, new(), "system/*.rs");
    let (suspended, _) = register(&server, new(), "system/*.rs");
    let (asking, _) = register(&server, new(), "");
    let without_grant = token(&server, &client, &key, "system/*.rs").await;
    let of_suspended = token(&server, &suspended, &key, "system/*.rs").await;
    let row = AccessToken {
        hash: SecretHash::of(b"expired"),
        kind: TokenKind::Access,
        client: Some(client.id.clone()),
        account: None,
        grant: None,
        patient: None,
        encounter: None,
        scopes: "system/*.rs".to_owned(),
        issued_us: 0,
        expires_us: emberwell::clock::now_us() - 1,
        revoked_us: None,
        family: None,
        session: None,
        context: None,
        auth_time_us: None,
    };
    let far_us = emberwell::clock::now_us() + 3_600_000_000;
    change(&server, move |tx| {
        tx.add_token(&row)?;
        let live = AccessToken { expires_us: far_us, ..row.clone() };
        let refresh = SecretHash::of(b"refresh");
        tx.add_token(&AccessToken { hash: refresh, kind: TokenKind::Refresh, ..live.clone() })?;
        tx.add_token(&AccessToken { hash: SecretHash::of(b"revoked"), revoked_us: Some(1), ..live })?;
        tx.end_grant(grant.id)?;
        tx.suspend_client(&suspended.id)
    });

    let assertion = Unsigned::of(&client.id, &key).signed(&key);
    for worthless in [&without_grant, &of_suspended, "expired", "refresh", "revoked", "unknown", &assertion] {
        assert_eq!(introspected(&server, &asking, &key, worthless).await, json!({ "active": false }), "{worthless}");
    }
    server.stop().await;
}

async fn only_a_client_that_shows_who_it_is_may_ask(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let new = ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs") };
    let (client, _) = register(&server, new, "system/*.rs");
    let (app, _) = register(&server, confidential("secret"), "");
    let sent = token(&server, &client, &key, "system/*.rs").await;
    let path = "/auth/introspect";
    let token = ("token", sent.as_str());

    let id = ("client_id", app.id.as_str());
    let posted = post(&server, path, &[token, id, ("client_secret", "secret")]).await.expect(200);
    assert_eq!(posted.json()["active"], true);
    assert_eq!(posted.header("Cache-Control"), "no-store");
    let basic = |pair: String| {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    };
    let good = basic(format!("{}:secret", app.id));
    assert_eq!(post_as(&server, path, Some(&good), &[token]).await.expect(200).json()["active"], true);

    refused(&post(&server, path, &[token]).await, 401, "invalid_client");
    refused(&post(&server, path, &[token, id]).await, 401, "invalid_client");
    refused(&post(&server, path, &[token, id, ("client_secret", "Secret")]).await, 401, "invalid_client");
    refused(&post_as(&server, path, Some(&basic(format!("{}:", app.id))), &[token]).await, 401, "invalid_client");
    refused(
        &post_as(&server, path, Some(&basic(format!("{}:secret", client.id))), &[token]).await,
        401,
        "invalid_client",
    );
    refused(
        &post_as(&server, path, Some(&good), &[token, id, ("client_secret", "secret")]).await,
        400,
        "invalid_request",
    );
    refused(&post_as(&server, path, Some(&good), &[]).await, 400, "invalid_request");
    let used = Unsigned::of(&client.id, &key).signed(&key);
    let asserted = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", used.as_str()), token];
    post(&server, path, &asserted).await.expect(200);
    refused(&post(&server, path, &asserted).await, 401, "invalid_client");
    let by_get = format!("{}{path}?token={sent}", server.url);
    assert_eq!(server.request(Method::GET, &by_get).send().await.status, 405);
    server.stop().await;
}
