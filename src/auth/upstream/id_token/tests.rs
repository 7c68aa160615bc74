use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;

const NOW_US: i64 = 1_800_000_000_000_000;
const NOW: i64 = NOW_US / 1_000_000;
const ISSUER: &str = "https://id.example";

struct Signer {
    key: EcdsaKeyPair,
    alg: &'static str,
    curve: &'static str,
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm, alg: &'static str, curve: &'static str) -> Signer {
    Signer { key: EcdsaKeyPair::generate(algorithm).unwrap(), alg, curve }
}

fn p256() -> Signer {
    ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "ES256", "P-256")
}

impl Signer {
    fn jwk(&self, kid: &str) -> Value {
        let point = &self.key.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        json!({ "kty": "EC", "use": "sig", "kid": kid, "crv": self.curve, "x": encoded(x), "y": encoded(y) })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", encoded(signature))
    }

    fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": self.alg, "kid": "k" })
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn set(keys: &[Value]) -> CoreJsonWebKeySet {
    usable(&serde_json::from_value(json!({ "keys": keys })).unwrap())
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "4711", "aud": "emberwell", "exp": NOW + 300, "iat": NOW, "nonce": "n-1",
        "auth_time": NOW - 5, "amr": ["pwd", "otp"], "email": "Ana@Example.org", "email_verified": true, "name": "Ana",
        "updated_at": NOW, "own": 1.5, "groups": [1, { "a": 2 }],
    })
}

fn with(mut value: Value, member: &str, new: Value) -> Value {
    match new {
        Value::Null => drop(value.as_object_mut().unwrap().remove(member)),
        new => value[member] = new,
    }
    value
}

fn outcome_when(text: &str, keys: &CoreJsonWebKeySet, is_fresh: bool) -> Result<Verified, BadIdToken> {
    let issuer = IssuerUrl::new(ISSUER.to_owned()).unwrap();
    let expected = Expected {
        issuer: &issuer,
        client_id: "emberwell",
        nonce: "n-1",
        begun_us: NOW_US - 10_000_000,
        is_fresh,
        now_us: NOW_US,
    };
    let token: CoreIdToken = text.parse().map_err(|error| BadIdToken::Other(format!("{error}")))?;
    verify(&token, &AccessToken::new("token".to_owned()), keys, &expected)
}

fn outcome(text: &str, keys: &CoreJsonWebKeySet) -> Result<Verified, BadIdToken> {
    outcome_when(text, keys, false)
}

#[test]
fn what_is_in_order_is_believed_with_numbers_and_members_of_any_kind() {
    for signer in [p256(), ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "ES384", "P-384")] {
        let verified = outcome(&signer.sign(&signer.header(), &claims()), &set(&[signer.jwk("k")])).unwrap();

        assert_eq!((verified.issuer.as_str(), verified.subject.as_str()), (ISSUER, "4711"));
        assert_eq!(verified.amr, ["pwd", "otp"]);
        assert_eq!(verified.authenticated_us, Some(NOW_US - 5_000_000));
        assert_eq!(verified.contact.verified_email().unwrap().as_str(), "ana@example.org");
        assert_eq!(verified.contact.label().as_deref(), Some("ana@example.org"));
    }
}

#[test]
fn what_providers_write_differently_is_believed_too() {
    let signer = p256();
    let keys = set(&[signer.jwk("k")]);
    let at_hash = encoded(&Sha256::digest(b"token")[..16]);
    for (member, value) in [
        ("aud", json!(["emberwell"])),
        ("azp", json!("emberwell")),
        ("exp", json!(NOW as f64 + 299.5)),
        ("iat", json!(NOW as f64 - 0.25)),
        ("updated_at", json!("2026-11-29T00:00:00.000Z")),
        ("email_verified", json!("true")),
        ("at_hash", json!(at_hash)),
        ("auth_time", Value::Null),
        ("amr", Value::Null),
        ("name#de", json!("Anna")),
    ] {
        let found = outcome(&signer.sign(&signer.header(), &with(claims(), member, value)), &keys);

        assert!(found.is_ok(), "{member}: {found:?}");
    }
    for header in [with(signer.header(), "kid", Value::Null), with(signer.header(), "typ", Value::Null)] {
        assert!(outcome(&signer.sign(&header, &claims()), &keys).is_ok(), "{header}");
    }
}

#[test]
fn each_claim_that_is_wrong_is_refused_for_what_it_is() {
    let signer = p256();
    let keys = set(&[signer.jwk("k")]);
    for (member, value, wanted) in [
        ("iss", json!("https://id.example/"), BadIdToken::Issuer),
        ("iss", json!("https://other.example"), BadIdToken::Issuer),
        ("aud", json!("another"), BadIdToken::Audience),
        ("aud", json!([]), BadIdToken::Audience),
        ("aud", json!(["emberwell", "another"]), BadIdToken::Audience),
        ("aud", json!(["emberwell", "emberwell"]), BadIdToken::Audience),
        ("azp", json!("another"), BadIdToken::Audience),
        ("exp", json!(NOW), BadIdToken::Time),
        ("exp", json!(NOW - 3600), BadIdToken::Time),
        ("iat", json!(NOW + 61), BadIdToken::Time),
        ("iat", json!(NOW - 71), BadIdToken::Time),
        ("nonce", json!("n-2"), BadIdToken::Nonce),
        ("nonce", Value::Null, BadIdToken::Nonce),
        ("at_hash", json!("c29tZXRoaW5nIGVsc2U"), BadIdToken::AccessToken),
        ("sub", json!(""), BadIdToken::Subject),
        ("sub", json!("a".repeat(256)), BadIdToken::Subject),
        ("sub", json!("a\nb"), BadIdToken::Subject),
    ] {
        let found = outcome(&signer.sign(&signer.header(), &with(claims(), member, value.clone())), &keys);

        assert_eq!(found.map(|_| ()), Err(wanted), "{member} {value}");
    }
    for member in ["iss", "sub", "aud", "exp", "iat"] {
        assert!(
            outcome(&signer.sign(&signer.header(), &with(claims(), member, Value::Null)), &keys).is_err(),
            "{member}"
        );
    }
}

#[test]
fn only_a_signature_by_a_key_of_the_provider_counts() {
    let (signer, other) = (p256(), p256());
    let keys = set(&[signer.jwk("k")]);
    let good = signer.sign(&signer.header(), &claims());
    let (message, _) = good.rsplit_once('.').unwrap();
    let none = |alg: &str| {
        let header = with(signer.header(), "alg", json!(alg));
        format!("{}.{}.", encoded(header.to_string()), encoded(claims().to_string()))
    };
    let forged = |secret: &[u8]| {
        let header = with(signer.header(), "alg", json!("HS256"));
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", encoded(tag))
    };
    let changed = format!("{message}.{}", encoded([7; 64]));
    let swapped = {
        let (header, _) = message.split_once('.').unwrap();
        let (_, signature) = good.rsplit_once('.').unwrap();
        format!("{header}.{}.{signature}", encoded(with(claims(), "sub", json!("somebody else")).to_string()))
    };
    for (text, wanted) in [
        (none("none"), BadIdToken::Unsigned),
        (forged(b"the secret of the client"), BadIdToken::Algorithm),
        (forged(signer.key.public_key().as_ref()), BadIdToken::Algorithm),
        (other.sign(&other.header(), &claims()), BadIdToken::Signature),
        (changed, BadIdToken::Signature),
        (swapped, BadIdToken::Signature),
        (signer.sign(&with(signer.header(), "kid", json!("other")), &claims()), BadIdToken::NoKey),
    ] {
        assert_eq!(outcome(&text, &keys).map(|_| ()), Err(wanted), "{text}");
    }
    for text in [none("None"), none("NONE"), message.to_owned(), String::new(), "a.b.c".to_owned()] {
        assert!(outcome(&text, &keys).is_err(), "{text}");
    }
    let critical = with(signer.header(), "crit", json!(["exp"]));
    assert!(outcome(&signer.sign(&critical, &claims()), &keys).is_err());
}

#[test]
fn keys_that_prove_nothing_are_left_out() {
    let signer = p256();
    let text = signer.sign(&signer.header(), &claims());
    let short = json!({ "kty": "RSA", "kid": "k", "n": encoded(vec![0xff; 128]), "e": "AQAB" });

    assert!(outcome(&text, &set(&[signer.jwk("k")])).is_ok());
    for (member, value) in [("d", json!("AQAB")), ("use", json!("enc")), ("alg", json!("ES384"))] {
        let found = outcome(&text, &set(&[with(signer.jwk("k"), member, value)]));
        assert_eq!(found.map(|_| ()), Err(BadIdToken::NoKey), "{member}");
    }
    assert!(set(&[short, json!({ "kty": "oct", "kid": "k", "k": "AQAB" })]).keys().is_empty());
    // Of a type that the library does not know: no reason not to use the others.
    assert_eq!(set(&[json!({ "kty": "new", "kid": "x" }), signer.jwk("k")]).keys().len(), 1);
    // Without a kid it must be plain which key is meant.
    let nameless = signer.sign(&with(signer.header(), "kid", Value::Null), &claims());
    assert!(outcome(&nameless, &set(&[signer.jwk("k"), p256().jwk("other")])).is_err());
}

#[test]
fn ed25519_is_believed() {
    let key = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({ "kty": "OKP", "kid": "k", "crv": "Ed25519", "x": encoded(key.public_key().as_ref()) });
    let header = json!({ "alg": "EdDSA", "kid": "k" });
    let message = format!("{}.{}", encoded(header.to_string()), encoded(claims().to_string()));
    let text = format!("{message}.{}", encoded(key.sign(message.as_bytes()).as_ref()));

    assert!(outcome(&text, &set(&[jwk])).is_ok());
}

#[test]
fn who_is_to_sign_in_anew_has_done_so_since_it_was_asked() {
    let signer = p256();
    let keys = set(&[signer.jwk("k")]);
    let at = |auth_time: Value| {
        let claims = with(claims(), "auth_time", auth_time);
        outcome_when(&signer.sign(&signer.header(), &claims), &keys, true).map(|_| ())
    };

    assert_eq!(at(json!(NOW - 5)), Ok(()));
    assert_eq!(at(json!(NOW - 3600)), Err(BadIdToken::NotFresh));
    assert_eq!(at(Value::Null), Err(BadIdToken::NotFresh));
}

#[test]
fn an_address_counts_as_verified_only_when_the_provider_says_so() {
    let signer = p256();
    let keys = set(&[signer.jwk("k")]);
    let contact = |member: &str, value: Value| {
        let claims = with(claims(), member, value);
        outcome(&signer.sign(&signer.header(), &claims), &keys).unwrap().contact
    };

    for value in [json!(false), json!("false"), Value::Null] {
        assert_eq!(contact("email_verified", value.clone()).verified_email(), None, "{value}");
    }
    assert_eq!(contact("email", json!("no address")).verified_email(), None);
    assert_eq!(contact("email", Value::Null), Contact { name: "Ana".parse().ok(), ..Contact::default() });
    assert_eq!(contact("name", json!("a\u{1b}[31m")).name, None);
}
