//! Keys that have to be asked for.

use emberwell::store::{Client, ClientFacts};
use serde_json::json;

use super::backend::{ask, backend, refused, register};
use super::closed;
use super::key_server::KeyServer;
use super::keys::{Key, hmac_sha384, jwks};
use super::signed::Unsigned;
use crate::support::{TestServer, on_both};

on_both!(
    keys_are_asked_for_once_and_again_for_one_that_is_missing,
    keys_are_asked_for_each_time_when_they_are_not_to_be_kept,
    what_is_no_plain_answer_gives_no_keys,
    only_listed_origins_are_asked_off_the_internet,
    keys_that_are_still_good_outlast_an_outage_and_no_others,
    no_key_of_a_document_is_taken_for_another,
);

/// Names and values.
type Headers<'v> = &'v [(&'static str, &'v str)];

fn with_keys_at(server: &TestServer, jwks_uri: String) -> Client {
    register(server, ClientFacts { jwks_uri: Some(jwks_uri), ..backend("system/*.rs") }, "system/*.rs").0
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

async fn keys_that_are_still_good_outlast_an_outage_and_no_others(server: &TestServer) {
    let key = Key::p384();
    let document = jwks(&[key.jwk("k1")]);
    let keys = KeyServer::start(String::new());
    let server = closed(server, &[&keys.origin]).await;
    let client = with_keys_at(&server, keys.jwks_uri());
    let signed = |kid: &str| Unsigned::of(&client.id, &key).header("kid", json!(kid)).signed(&key);

    keys.answers(200, &[("Cache-Control", "public, max-age=600")], document.clone());
    ask(&server, &signed("k1"), "system/*.rs").await.expect(200);
    keys.answers(500, &[], document.clone());
    for (kid, status, asked) in [("k1", 200, 1), ("k2", 401, 1), ("k1", 200, 0), ("k2", 401, 0)] {
        assert_eq!(ask(&server, &signed(kid), "system/*.rs").await.status, status, "{kid}");
        assert_eq!(keys.asked(), asked, "{kid}");
    }

    // What was not to be kept is not used again.
    let other = KeyServer::start(String::new());
    let beside = closed(&server, &[&other.origin]).await;
    let client = with_keys_at(&beside, other.jwks_uri());
    let signed = || Unsigned::of(&client.id, &key).signed(&key);
    other.answers(200, &[("Cache-Control", "max-age=0")], document.clone());
    ask(&beside, &signed(), "system/*.rs").await.expect(200);
    other.answers(500, &[], document);
    let told = refused(&ask(&beside, &signed(), "system/*.rs").await, 401, "invalid_client");
    assert!(told.contains("can't be had"), "{told}");
    beside.stop().await;
    server.stop().await;
    keys.stop().await;
    other.stop().await;
}

async fn no_key_of_a_document_is_taken_for_another(server: &TestServer) {
    let (key, twin) = (Key::p384(), Key::p384());
    // What can't be registered by a command may still stand in a document.
    let shared = json!({ "kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS384" });
    let mut private = key.jwk("private");
    private["d"] = json!("AAAA");
    let odd = json!({ "kty": "OKP", "kid": "k1", "crv": "Ed25519", "x": "AAAA" });
    let document = [key.jwk("k1"), Key::rsa().jwk("k1"), odd, shared, private, key.jwk("twins"), twin.jwk("twins")];
    let keys = KeyServer::start(jwks(&document));
    let server = closed(server, &[&keys.origin]).await;
    let client = with_keys_at(&server, keys.jwks_uri());
    let of = |key: &Key, kid: &str| Unsigned::of(&client.id, key).header("kid", json!(kid));

    // One key of this kid and this type.
    for signer in [&key, Key::rsa()] {
        ask(&server, &of(signer, "k1").signed(signer), "system/*.rs").await.expect(200);
    }
    let by_secret = of(&key, "shared").header("alg", json!("HS384")).message();
    let table = [
        (format!("{by_secret}.{}", hmac_sha384(b"secret", &by_secret)), "RS384 or ES384"),
        (of(&key, "shared").signed(&key), "no key"),
        (of(&key, "private").signed(&key), "private"),
        (of(&key, "twins").signed(&key), "several keys"),
        (of(&key, "twins").signed(&twin), "several keys"),
        (of(&twin, "k1").signed(&twin), "signature"),
        (of(&key, "k1").header("alg", json!("RS384")).signed(&key), "signature"),
    ];
    for (assertion, why) in table {
        let told = refused(&ask(&server, &assertion, "system/*.rs").await, 401, "invalid_client");
        assert!(told.contains(why), "{why}: {told}");
    }
    server.stop().await;
    keys.stop().await;
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
