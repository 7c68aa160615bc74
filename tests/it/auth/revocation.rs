//! A token ends before its time.

use emberwell::store::{AccessToken, NewClient, SecretHash, Store, TokenKind};
use serde_json::json;

use super::backend::{ASSERTION_TYPE, backend, confidential, introspected, post, refused, register, token};
use super::closed;
use super::keys::{Key, jwks};
use super::signed::Unsigned;
use crate::support::holders::change;
use crate::support::{Answer, TestServer, on_both};

on_both!(
    a_client_ends_its_own_tokens_and_no_others,
    a_refresh_token_takes_its_family_along,
    only_a_client_that_shows_who_it_is_may_revoke,
);

async fn revoke(server: &TestServer, client_id: &str, key: &Key, token: &str) -> Answer {
    let assertion = Unsigned::of(client_id, key).signed(key);
    let pairs = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion), ("token", token)];
    post(server, "/auth/revoke", &pairs).await
}

async fn a_client_ends_its_own_tokens_and_no_others(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let new = || NewClient { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs") };
    let (client, _) = register(&server, new(), "system/*.rs");
    let (other, _) = register(&server, new(), "system/*.rs");
    let mine = token(&server, &client, &key, "system/*.rs").await;
    let mine_too = token(&server, &client, &key, "system/*.rs").await;
    let others = token(&server, &other, &key, "system/*.rs").await;
    let store = Store::open(server.database(), 1, None).unwrap();
    let generation = || store.read_one(|reader| reader.access_generation()).unwrap();
    let before = generation();

    for ended in [&others, "unknown", &mine, &mine] {
        revoke(&server, &client.id, &key, ended).await.expect(200);
    }

    assert_eq!(generation() - before, 1, "caches are told");
    assert_eq!(introspected(&server, &other, &key, &mine).await, json!({ "active": false }));
    assert_eq!(introspected(&server, &other, &key, &mine_too).await["active"], true);
    assert_eq!(introspected(&server, &client, &key, &others).await["active"], true);
    server.stop().await;
}

async fn a_refresh_token_takes_its_family_along(server: &TestServer) {
    let server = closed(server, &[]).await;
    let (app, _) = register(&server, confidential("secret"), "");
    let row = AccessToken {
        hash: SecretHash::of(b"refresh"),
        kind: TokenKind::Refresh,
        client: Some(app.id.clone()),
        account: None,
        grant: None,
        patient: None,
        encounter: None,
        scopes: "patient/*.rs".to_owned(),
        issued_us: 0,
        expires_us: emberwell::clock::now_us() + 3_600_000_000,
        revoked_us: None,
        family: Some(SecretHash::of(b"family")),
    };
    change(&server, move |tx| {
        tx.add_token(&row)?;
        tx.add_token(&AccessToken { hash: SecretHash::of(b"access"), kind: TokenKind::Access, ..row.clone() })
    });

    let secret = [("client_id", app.id.as_str()), ("client_secret", "secret")];
    post(&server, "/auth/revoke", &[secret[0], secret[1], ("token", "refresh")]).await.expect(200);

    let store = Store::open(server.database(), 1, None).unwrap();
    for name in ["refresh", "access"] {
        let hash = SecretHash::of(name.as_bytes());
        let kept = store.read_one(|reader| reader.access_token(&hash)).unwrap().unwrap();
        assert!(kept.revoked_us.is_some(), "{name}");
    }
    server.stop().await;
}

async fn only_a_client_that_shows_who_it_is_may_revoke(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let new = NewClient { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs") };
    let (client, _) = register(&server, new, "system/*.rs");
    let sent = token(&server, &client, &key, "system/*.rs").await;

    refused(&post(&server, "/auth/revoke", &[("token", &sent)]).await, 401, "invalid_client");
    refused(&revoke(&server, &client.id, &Key::p384(), &sent).await, 401, "invalid_client");
    let by_id = [("token", sent.as_str()), ("client_id", client.id.as_str())];
    refused(&post(&server, "/auth/revoke", &by_id).await, 401, "invalid_client");
    refused(&revoke(&server, &client.id, &key, "").await, 400, "invalid_request");

    assert_eq!(introspected(&server, &client, &key, &sent).await["active"], true);
    server.stop().await;
}
