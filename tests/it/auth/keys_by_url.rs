//! Keys that have to be asked for.

use emberwell::store::{Client, NewClient};
use serde_json::json;

use super::backend::{ask, backend, refused, register};
use super::closed;
use super::key_server::KeyServer;
use super::keys::{Key, jwks};
use super::signed::Unsigned;
use crate::support::{TestServer, on_both};

on_both!(
    keys_are_asked_for_once_and_again_for_one_that_is_missing,
    keys_are_asked_for_each_time_when_they_are_not_to_be_kept,
    what_is_no_plain_answer_gives_no_keys,
    only_listed_origins_are_asked_off_the_internet,
);

/// Names and values.
type Headers<'v> = &'v [(&'static str, &'v str)];

fn with_keys_at(server: &TestServer, jwks_uri: String) -> Client {
    register(server, NewClient { jwks_uri: Some(jwks_uri), ..backend("system/*.rs") }, "system/*.rs").0
}

async fn keys_are_asked_for_once_and_again_for_one_that_is_missing(server: &TestServer) {
    let (old, new) = (Key::p384(), Key::p384());
    let keys = KeyServer::start(jwks(&[old.jwk("old")]));
    let server = closed(server, &[&keys.origin]).await;
    let client = with_keys_at(&server, keys.jwks_uri());
    let signed = |key: &Key, kid: &str| Unsigned::of(&client.id, key).header("kid", json!(kid)).signed(key);

    let at_once = [signed(&old, "old"), signed(&old, "old")];
    let (one, other) = both_at_once(&server, &at_once).await;
    assert_eq!((one, other), (200, 200));
    assert_eq!(keys.asked(), 1, "the second waits for the first, or comes after it");
    let with_jku = Unsigned::of(&client.id, &old).header("kid", json!("old")).header("jku", json!(keys.jwks_uri()));
    ask(&server, &with_jku.signed(&old), "system/*.rs").await.expect(200);
    let elsewhere = with_jku.claim("jti", json!("2")).header("jku", json!(format!("{}/other", keys.origin)));
    refused(&ask(&server, &elsewhere.signed(&old), "system/*.rs").await, 401, "invalid_client");
    assert_eq!(keys.asked(), 0);

    // The client changes its key.
    keys.answers(200, &[], jwks(&[new.jwk("new")]));
    ask(&server, &signed(&new, "new"), "system/*.rs").await.expect(200);
    assert_eq!(keys.asked(), 1);
    // The old one is gone; nor does asking for what was never there make this server ask again and again.
    for kid in ["old", "never", "never"] {
        refused(&ask(&server, &signed(&old, kid), "system/*.rs").await, 401, "invalid_client");
    }
    assert_eq!(keys.asked(), 0);
    server.stop().await;
    keys.stop().await;
}

/// The statuses of two requests that are under way together.
async fn both_at_once(server: &TestServer, assertions: &[String; 2]) -> (u16, u16) {
    let [one, other] = assertions;
    let (mut one, mut other) = (Box::pin(ask(server, one, "system/*.rs")), Box::pin(ask(server, other, "system/*.rs")));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|context| {
        if first.is_none()
            && let std::task::Poll::Ready(answer) = one.as_mut().poll(context)
        {
            first = Some(answer.status);
        }
        if second.is_none()
            && let std::task::Poll::Ready(answer) = other.as_mut().poll(context)
        {
            second = Some(answer.status);
        }
        if let (Some(first), Some(second)) = (first, second) {
            return std::task::Poll::Ready((first, second));
        }
        std::task::Poll::Pending
    })
    .await
}

async fn keys_are_asked_for_each_time_when_they_are_not_to_be_kept(server: &TestServer) {
    let key = Key::p384();
    let keys = KeyServer::start(String::new());
    keys.answers(200, &[("Cache-Control", "no-store")], jwks(&[key.jwk("k1")]));
    let server = closed(server, &[&keys.origin]).await;
    let client = with_keys_at(&server, keys.jwks_uri());
    let signed = || Unsigned::of(&client.id, &key).signed(&key);

    for _ in 0..10 {
        ask(&server, &signed(), "system/*.rs").await.expect(200);
    }
    assert_eq!(keys.asked(), 10);
    let told = refused(&ask(&server, &signed(), "system/*.rs").await, 401, "invalid_client");
    assert!(told.contains("too often"), "{told}");
    assert_eq!(keys.asked(), 0, "but not more often than that in a minute");
    server.stop().await;
    keys.stop().await;
}

async fn what_is_no_plain_answer_gives_no_keys(server: &TestServer) {
    let key = Key::p384();
    let good = jwks(&[key.jwk("k1")]);
    let (keys, target) = (KeyServer::start(good.clone()), KeyServer::start(good.clone()));
    let server = closed(server, &[&keys.origin, &target.origin]).await;
    let client = with_keys_at(&server, keys.jwks_uri());
    let long = format!("{}{good}", " ".repeat(1 << 20));
    let location = target.jwks_uri();
    let table: [(u16, Headers<'_>, String); 6] = [
        (302, &[("Location", &location)], good.clone()),
        (307, &[("Location", &location)], String::new()),
        (500, &[], good.clone()),
        (404, &[], good.clone()),
        (200, &[], "<html></html>".to_owned()),
        (200, &[], long),
    ];
    for (status, headers, body) in table {
        keys.answers(status, headers, body);

        let answer = ask(&server, &Unsigned::of(&client.id, &key).signed(&key), "system/*.rs").await;

        let told = refused(&answer, 401, "invalid_client");
        assert!(told.contains("can't be had"), "{status} {headers:?}: {told}");
        assert_eq!(keys.asked(), 1);
    }
    assert_eq!(target.asked(), 0, "no redirect is followed");
    keys.answers(200, &[], good);
    ask(&server, &Unsigned::of(&client.id, &key).signed(&key), "system/*.rs").await.expect(200);
    server.stop().await;
    keys.stop().await;
    target.stop().await;
}

async fn only_listed_origins_are_asked_off_the_internet(server: &TestServer) {
    let key = Key::p384();
    let keys = KeyServer::start(jwks(&[key.jwk("k1")]));
    let other = KeyServer::start(jwks(&[key.jwk("k1")]));
    let server = closed(server, &[&other.origin]).await;
    let https = keys.jwks_uri().replace("http://", "https://");
    let named = https.replace("127.0.0.1", "localhost");
    for jwks_uri in [keys.jwks_uri(), https, named] {
        let client = with_keys_at(&server, jwks_uri.clone());

        let answer = ask(&server, &Unsigned::of(&client.id, &key).signed(&key), "system/*.rs").await;

        let told = refused(&answer, 401, "invalid_client");
        assert!(told.contains("can't be had"), "{jwks_uri}: {told}");
    }
    assert_eq!(keys.asked(), 0);
    server.stop().await;
    keys.stop().await;
    other.stop().await;
}
