//! Who signed in, as apps are told it.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use emberwell::store::ClientFacts;
use serde_json::{Value, json};

use super::{home, let_in, public, register, text};
use crate::support::{TestServer, on_both};

on_both!(closed:
    an_id_token_is_signed_by_a_published_key,
    two_apps_do_not_know_that_it_is_the_same_person,
    who_the_person_is_can_be_read_by_that_and_nothing_else,
);

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn an_id_token_is_signed_by_a_published_key(server: &TestServer) {
    home(server, &["a"]).await;
    let client = register(server, public());

    let answer = let_in(server, &client, "openid fhirUser launch/patient patient/Condition.rs", Some("a")).await;
    let token = text(&answer, "id_token");
    let keys = server.get(&format!("{}/auth/jwks", server.url)).await.expect(200).json();

    let (header, claims) = (part(token, 0), part(token, 1));
    assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert!(key.get("d").is_none() && key["use"] == "sig", "{key}");
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public_key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public_key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).unwrap();
    assert_eq!(claims["iss"], server.url);
    assert_eq!(claims["aud"], "growth");
    assert_eq!(claims["nonce"], "once");
    assert_eq!(claims["fhirUser"], format!("{}/Practitioner/doc", server.base));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    assert!(claims["auth_time"].as_i64().unwrap() <= claims["iat"].as_i64().unwrap());
    assert!(claims["sub"].as_str().unwrap().len() <= 255);
    assert!(!claims.to_string().contains("ana@"), "{claims}");
}

async fn two_apps_do_not_know_that_it_is_the_same_person(server: &TestServer) {
    home(server, &["a"]).await;
    let one = register(server, public());
    let other = register(server, ClientFacts { id: "other".to_owned(), ..public() });
    let sub = async |client| {
        let answer = let_in(server, client, "openid launch/patient patient/Condition.rs", Some("a")).await;
        part(text(&answer, "id_token"), 1)["sub"].clone()
    };

    let subs = [sub(&one).await, sub(&one).await, sub(&other).await];

    assert_eq!(subs[0], subs[1]);
    assert_ne!(subs[0], subs[2]);
}

async fn who_the_person_is_can_be_read_by_that_and_nothing_else(server: &TestServer) {
    let home = home(server, &["a"]).await;
    let client = register(server, public());
    let other = json!({ "resourceType": "Practitioner", "id": "other", "name": [{ "family": "Other" }] });
    server.request_as(&home.operator, http::Method::PUT, "Practitioner/other").json(&other).send().await.expect(201);

    let with = let_in(server, &client, "openid fhirUser launch/patient patient/Condition.rs", Some("a")).await;
    let without = let_in(server, &client, "openid launch/patient patient/Condition.rs", Some("a")).await;

    let token = text(&with, "access_token");
    let doc = server.get_as(token, "Practitioner/doc").await.expect(200).json();
    assert_eq!(doc["id"], "doc");
    server.get_as(token, "Practitioner/other").await.refused(404);
    server.get_as(token, "Practitioner").await.refused(403);
    server.request_as(token, http::Method::DELETE, "Practitioner/doc").send().await.refused(403);
    server.get_as(text(&without, "access_token"), "Practitioner/doc").await.refused(403);
}
