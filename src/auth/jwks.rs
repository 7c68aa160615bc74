//! The public keys of a client, and which of them an assertion was signed by.
//!
//! Spec: RFC 7517, RFC 7518; SMART App Launch 2.2 client-confidential-asymmetric.html#registering-a-client-communicating-public-keys

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde::de::IgnoredAny;
use thiserror::Error;

/// How a client may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningAlgorithm {
    Rs384,
    Es384,
}

/// The keys of one client.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// The text is no JWK Set.
#[derive(Debug, Error)]
#[error("this is no JWK Set: a JSON object whose member keys is an array of keys")]
pub struct NotAKeySet;

/// Why no key of the set will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoKey {
    #[error("no key of the client has this kid and fits the algorithm")]
    Unknown,
    #[error("several keys of the client have this kid: give each its own")]
    Several,
    /// The text says what is wrong with it.
    #[error("{0}")]
    Unfit(&'static str),
}

/// The members that matter.
#[derive(Clone, Debug, Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    /// Of a private key.
    d: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Written {
    keys: Vec<serde_json::Value>,
}

impl SigningAlgorithm {
    pub const ALL: [SigningAlgorithm; 2] = [SigningAlgorithm::Rs384, SigningAlgorithm::Es384];

    pub fn name(self) -> &'static str {
        match self {
            SigningAlgorithm::Rs384 => "RS384",
            SigningAlgorithm::Es384 => "ES384",
        }
    }

    fn key_type(self) -> &'static str {
        match self {
            SigningAlgorithm::Rs384 => "RSA",
            SigningAlgorithm::Es384 => "EC",
        }
    }
}

impl KeySet {
    /// Reads a JWK Set. A key of which a member is not as it should be is left out, as RFC 7517 section 5 asks.
    pub fn parse(text: &[u8]) -> Result<KeySet, NotAKeySet> {
        let written: Written = serde_json::from_slice(text).map_err(|_| NotAKeySet)?;
        let keys = written.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        Ok(KeySet { keys })
    }

    /// Whether a key could be the one that is meant.
    pub fn has(&self, kid: &str, algorithm: SigningAlgorithm) -> bool {
        self.named(kid, algorithm).next().is_some()
    }

    /// Whether `signature`, in base64url, is that of `message` by the key of this name.
    pub fn verify(
        &self,
        kid: &str,
        algorithm: SigningAlgorithm,
        message: &str,
        signature: &str,
    ) -> Result<bool, NoKey> {
        let mut named = self.named(kid, algorithm);
        let key = named.next().ok_or(NoKey::Unknown)?;
        if named.next().is_some() {
            return Err(NoKey::Several);
        }
        let (key, algorithm) = (
            key.decoding(algorithm)?,
            match algorithm {
                SigningAlgorithm::Rs384 => Algorithm::RS384,
                SigningAlgorithm::Es384 => Algorithm::ES384,
            },
        );
        Ok(crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap_or(false))
    }

    fn named<'k>(&'k self, kid: &'k str, algorithm: SigningAlgorithm) -> impl Iterator<Item = &'k Key> {
        self.keys.iter().filter(move |key| key.kid.as_deref() == Some(kid) && key.kty == algorithm.key_type())
    }
}

impl Key {
    fn decoding(&self, algorithm: SigningAlgorithm) -> Result<DecodingKey, NoKey> {
        if self.d.is_some() {
            return Err(NoKey::Unfit(
                "the key is registered together with its private part, so that it proves nothing",
            ));
        }
        let is_for_signing = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|it| it == "verify"));
        if !is_for_signing || !verifies {
            return Err(NoKey::Unfit("the key is registered for something else than signatures"));
        }
        if self.alg.as_deref().is_some_and(|alg| alg != algorithm.name()) {
            return Err(NoKey::Unfit("the key is registered for another algorithm"));
        }
        let unreadable = |_| NoKey::Unfit("the registered key can't be read");
        match (algorithm, &self.n, &self.e, &self.x, &self.y) {
            (SigningAlgorithm::Rs384, Some(n), Some(e), ..) => {
                if bits(n).is_none_or(|bits| bits < 2048) {
                    return Err(NoKey::Unfit("the registered RSA key has less than 2048 bits"));
                }
                DecodingKey::from_rsa_components(n, e).map_err(unreadable)
            }
            (SigningAlgorithm::Es384, _, _, Some(x), Some(y)) => {
                if self.crv.as_deref() != Some("P-384") {
                    return Err(NoKey::Unfit("ES384 needs a key on the curve P-384"));
                }
                DecodingKey::from_ec_components(x, y).map_err(unreadable)
            }
            _ => Err(NoKey::Unfit("the registered key lacks a member")),
        }
    }
}

/// How many bits the number has.
fn bits(text: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    Some((bytes.len() - first) * 8 - bytes[first].leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn set(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn ec() -> Value {
        let number = URL_SAFE_NO_PAD.encode([7; 48]);
        json!({ "kty": "EC", "kid": "a", "crv": "P-384", "x": number, "y": number })
    }

    fn changed(mut key: Value, member: &str, value: Value) -> Value {
        key[member] = value;
        key
    }

    fn outcome(keys: &[Value]) -> Result<bool, NoKey> {
        set(keys).verify("a", SigningAlgorithm::Es384, "message", "c2lnbmF0dXJl")
    }

    #[test]
    fn exactly_one_key_of_the_kid_and_type_will_do() {
        let rsa = json!({ "kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB" });

        assert_eq!(outcome(&[]), Err(NoKey::Unknown));
        assert_eq!(outcome(&[changed(ec(), "kid", json!("b"))]), Err(NoKey::Unknown));
        assert_eq!(outcome(std::slice::from_ref(&rsa)), Err(NoKey::Unknown));
        assert_eq!(outcome(&[ec(), ec()]), Err(NoKey::Several));
        // Of another type: no doubt which is meant.
        assert_eq!(outcome(&[rsa, ec()]), Ok(false));
    }

    #[test]
    fn a_key_that_is_not_for_this_is_refused() {
        let table = [
            ("d", json!("AQAB")),
            ("use", json!("enc")),
            ("key_ops", json!(["sign"])),
            ("alg", json!("ES256")),
            ("crv", json!("P-256")),
            ("x", Value::Null),
            ("x", json!("*")),
        ];
        for (member, value) in table {
            let outcome = outcome(&[changed(ec(), member, value)]);

            assert!(matches!(outcome, Err(NoKey::Unfit(_))), "{member}: {outcome:?}");
        }
        for (member, value) in [("use", json!("sig")), ("key_ops", json!(["verify"])), ("alg", json!("ES384"))] {
            assert_eq!(outcome(&[changed(ec(), member, value)]), Ok(false), "{member}");
        }
    }

    #[test]
    fn a_short_rsa_key_is_refused() {
        let key = |bytes: usize| {
            let n = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
            set(&[json!({ "kty": "RSA", "kid": "a", "n": n, "e": "AQAB" })])
        };
        let outcome = |bytes| key(bytes).verify("a", SigningAlgorithm::Rs384, "message", "c2lnbmF0dXJl");

        assert!(matches!(outcome(128), Err(NoKey::Unfit(_))));
        assert!(matches!(outcome(255), Err(NoKey::Unfit(_))));
        assert_eq!(outcome(256), Ok(false));
    }

    #[test]
    fn a_set_is_an_object_with_keys_and_odd_ones_are_left_out() {
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
        let odd = json!({ "keys": [7, { "kty": 1 }, { "kid": "a" }, { "kty": "new", "kid": "a" }, ec()] });

        assert!(KeySet::parse(odd.to_string().as_bytes()).unwrap().has("a", SigningAlgorithm::Es384));
    }
}
