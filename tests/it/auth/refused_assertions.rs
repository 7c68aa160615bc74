//! Assertions that must not be believed.

use emberwell::store::ClientFacts;
use serde_json::{Value, json};

use super::backend::{ASSERTION_TYPE, ask, backend, post, refused, register};
use super::keys::{Key, encoded, hmac_sha384, jwks};
use super::signed::{Unsigned, now};
use super::{ISSUER, TOKEN_ENDPOINT, closed};
use crate::support::{TestServer, on_both};

on_both!(what_a_client_could_not_have_signed_is_refused, a_refused_assertion_uses_nothing_up);

async fn what_a_client_could_not_have_signed_is_refused(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let (twin, short, stranger) = (Key::p384(), Key::p256(), Key::p384());
    let mut private = Key::p384().jwk("private");
    private["d"] = json!("AAAA");
    let mut encrypting = key.jwk("enc");
    encrypting["use"] = json!("enc");
    let keys = jwks(&[
        key.jwk("k1"),
        twin.jwk("twins"),
        Key::p384().jwk("twins"),
        short.jwk("short"),
        private,
        encrypting,
        Key::rsa().jwk("rsa"),
    ]);
    let (client, _) = register(&server, ClientFacts { jwks: Some(keys), ..backend("system/*.rs") }, "system/*.rs");
    let (other, _) = {
        let keys = jwks(&[stranger.jwk("k1")]);
        register(&server, ClientFacts { jwks: Some(keys), ..backend("system/*.rs") }, "system/*.rs")
    };
    let good = || Unsigned::of(&client.id, &key);
    let header = |member: &str, value: Value| good().header(member, value).signed(&key);
    let claim = |member: &str, value: Value| good().claim(member, value).signed(&key);
    let message = good().message();
    let signature = key.sign(&message);
    let moved = format!("{}.{}", good().message(), signature);
    let mut flipped = signature.clone().into_bytes();
    flipped[20] = if flipped[20] == b'A' { b'B' } else { b'A' };

    let table: Vec<(&str, &str, String)> = vec![
        // Who signed.
        ("signed by a stranger", "signature", good().signed(&stranger)),
        ("signed by a stranger for another client", "signature", Unsigned::of(&other.id, &key).signed(&key)),
        ("a signature of another assertion", "signature", moved),
        ("a changed signature", "signature", format!("{message}.{}", String::from_utf8(flipped).unwrap())),
        ("no signature", "signature", format!("{message}.")),
        ("alg none", "RS384 or ES384", format!("{}.", good().header("alg", json!("none")).message())),
        ("alg none, signed", "RS384 or ES384", header("alg", json!("none"))),
        // Were the public key taken for a shared one, everybody could sign.
        ("HS384 by the public key", "RS384 or ES384", by_hmac(&good(), key.jwk("k1").to_string().as_bytes())),
        ("HS384 by the modulus", "RS384 or ES384", {
            let modulus = Key::rsa().jwk("rsa")["n"].as_str().unwrap().to_owned();
            by_hmac(&good().header("kid", json!("rsa")), modulus.as_bytes())
        }),
        ("an HMAC that says ES384", "signature", {
            let message = good().message();
            format!("{message}.{}", hmac_sha384(key.jwk("k1").to_string().as_bytes(), &message))
        }),
        ("HS256", "RS384 or ES384", header("alg", json!("HS256"))),
        ("HS512", "RS384 or ES384", header("alg", json!("HS512"))),
        ("PS384", "RS384 or ES384", header("alg", json!("PS384"))),
        ("ES512", "RS384 or ES384", header("alg", json!("ES512"))),
        ("EdDSA", "RS384 or ES384", header("alg", json!("EdDSA"))),
        ("another spelling of alg", "RS384 or ES384", header("alg", json!("es384"))),
        ("another spelling of none", "RS384 or ES384", format!("{}.", good().header("alg", json!("nOnE")).message())),
        ("RS384 with a key on a curve", "no key", header("alg", json!("RS384"))),
        (
            "ES384 with an RSA key",
            "no key",
            good().header("kid", json!("rsa")).header("alg", json!("ES384")).signed(Key::rsa()),
        ),
        (
            "RS256",
            "RS384 or ES384",
            good().header("kid", json!("rsa")).header("alg", json!("RS256")).signed(Key::rsa()),
        ),
        ("ES256", "RS384 or ES384", Unsigned::of(&client.id, &short).header("kid", json!("short")).signed(&short)),
        ("ES384 with a key on P-256", "P-384", good().header("kid", json!("short")).signed(&short)),
        ("no alg", "RS384 or ES384", header("alg", Value::Null)),
        ("no typ", "typ", header("typ", Value::Null)),
        ("another typ", "typ", header("typ", json!("at+jwt"))),
        ("no kid", "kid", header("kid", Value::Null)),
        ("an unknown kid", "no key", header("kid", json!("k2"))),
        ("a kid that is no text", "no signed JWT", header("kid", json!(1))),
        ("a kid that is too long", "kid", header("kid", json!("k".repeat(300)))),
        ("its own key, which is registered", "its own key", header("jwk", key.jwk("k1"))),
        ("a jku where keys are registered inline", "jku", header("jku", json!(format!("{ISSUER}/jwks")))),
        ("a typ in small letters", "typ", header("typ", json!("jwt"))),
        ("a kid that two keys have", "several keys", good().header("kid", json!("twins")).signed(&twin)),
        ("a key whose private half is registered", "private", header("kid", json!("private"))),
        ("a key for encryption", "something else", header("kid", json!("enc"))),
        ("its own key", "its own key", good().header("jwk", stranger.jwk("k1")).signed(&stranger)),
        ("its own certificate", "its own key", header("x5c", json!(["AAAA"]))),
        ("an address of certificates", "its own key", header("x5u", json!("https://attacker.example/cert"))),
        ("an address of keys that is not registered", "jku", header("jku", json!("https://attacker.example/jwks"))),
        ("an extension that must be understood", "crit", header("crit", json!(["b64"]))),
        // What it says.
        ("no iss", "iss and sub", claim("iss", Value::Null)),
        ("no sub", "iss and sub", claim("sub", Value::Null)),
        ("iss is not sub", "iss and sub", claim("sub", json!(other.id))),
        (
            "an unknown client",
            "no client",
            good().claim("iss", json!("nobody")).claim("sub", json!("nobody")).signed(&key),
        ),
        ("no aud", "aud", claim("aud", Value::Null)),
        ("the FHIR base as aud", "aud", claim("aud", json!(super::BASE))),
        ("another server as aud", "aud", claim("aud", json!("https://ehr.example.org/auth/token"))),
        ("an aud with more behind it", "aud", claim("aud", json!(format!("{TOKEN_ENDPOINT}/")))),
        ("the endpoint of introspection as aud", "aud", claim("aud", json!(format!("{ISSUER}/auth/introspect")))),
        ("another spelling of aud", "aud", claim("aud", json!("HTTPS://ehr.example/auth/token"))),
        ("an issuer with a slash as aud", "aud", claim("aud", json!(format!("{ISSUER}/")))),
        ("the token endpoint in a list", "aud", claim("aud", json!([TOKEN_ENDPOINT]))),
        ("two aud", "aud", claim("aud", json!([TOKEN_ENDPOINT, "https://other.example"]))),
        ("aud in a list", "aud", claim("aud", json!([ISSUER]))),
        ("no exp", "an exp", claim("exp", Value::Null)),
        ("an exp that is over", "expired", claim("exp", json!(now() - 1))),
        ("an exp too far ahead", "300 seconds", claim("exp", json!(now() + 310))),
        ("an exp of now", "expired", claim("exp", json!(now()))),
        ("an exp before 1970", "expired", claim("exp", json!(-1))),
        ("an exp that is a text", "no signed JWT", claim("exp", json!((now() + 60).to_string()))),
        ("an exp in milliseconds", "300 seconds", claim("exp", json!((now() + 60) * 1000))),
        ("not yet", "nbf", claim("nbf", json!(now() + 120))),
        ("no jti", "jti", claim("jti", Value::Null)),
        ("a jti that is no text", "no signed JWT", claim("jti", json!(7))),
        ("a jti that is too long", "jti", claim("jti", json!("j".repeat(300)))),
        ("the client_id of another as iss", "iss and sub", claim("iss", json!(other.id))),
        ("an empty jti", "jti", claim("jti", json!(""))),
        // What is no JWT.
        ("nothing in it", "no signed JWT", "..".to_owned()),
        ("a word", "no signed JWT", "assertion".to_owned()),
        ("padding", "no signed JWT", format!("{}=.{}", encoded(good().header.to_string()), "e30.AAAA")),
        ("a part too many", "no signed JWT", format!("{}.AAAA", good().signed(&key))),
        ("an encrypted one", "no signed JWT", "eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA".to_owned()),
    ];
    assert!(table.len() >= 65);
    for (what, why, assertion) in &table {
        let answer = ask(&server, assertion, "system/*.rs").await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        let told = refused(&answer, 401, "invalid_client");
        assert!(told.contains(why), "{what}: {told}");
    }
    // What they all began from is in order.
    ask(&server, &good().signed(&key), "system/*.rs").await.expect(200);
    server.stop().await;
}

/// As if the public key were shared.
fn by_hmac(unsigned: &Unsigned, secret: &[u8]) -> String {
    let message = unsigned.clone().header("alg", json!("HS384")).message();
    format!("{message}.{}", hmac_sha384(secret, &message))
}

async fn a_refused_assertion_uses_nothing_up(server: &TestServer) {
    let server = closed(server, &[]).await;
    let (key, stranger) = (Key::p384(), Key::p384());
    let keys = jwks(&[key.jwk("k1")]);
    let (client, _) = register(&server, ClientFacts { jwks: Some(keys), ..backend("system/*.rs") }, "system/*.rs");
    let named = Unsigned::of(&client.id, &key).claim("jti", json!("known to others"));

    for forged in [named.signed(&stranger), format!("{}.", named.message()), by_hmac(&named, b"k1")] {
        refused(&ask(&server, &forged, "system/*.rs").await, 401, "invalid_client");
    }
    let late = named.clone().claim("exp", json!(now() - 1)).signed(&key);
    refused(&ask(&server, &late, "system/*.rs").await, 401, "invalid_client");

    ask(&server, &named.signed(&key), "system/*.rs").await.expect(200);

    // Once used, it is used up at every endpoint.
    let pairs = [("client_assertion_type", ASSERTION_TYPE), ("token", "x")];
    for path in ["/auth/introspect", "/auth/revoke", "/auth/token"] {
        let assertion = named.signed(&key);
        let more = [("client_assertion", assertion.as_str()), ("grant_type", "client_credentials")];
        let told = refused(&post(&server, path, &[pairs, more].concat()).await, 401, "invalid_client");
        assert!(told.contains("used before"), "{path}: {told}");
    }
    server.stop().await;
}
