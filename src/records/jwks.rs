//! The public keys that a client registers.
//!
//! Spec: RFC 7517, RFC 7518 section 6, SMART App Launch 2.2 client-confidential-asymmetric.html#registering-a-client-communicating-public-keys

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::records::RecordError;

const MOST_BYTES: usize = 64 * 1024;
const MOST_KEYS: usize = 50;
/// RFC 7518 section 3.3: the least that RS384 takes.
const RSA_BYTES: usize = 2048 / 8;
/// Members that only a private or a shared key has.
const SECRET_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// The JWK Set in `text` as it is to be kept: RSA and P-384 keys, public, each known by a `kid` of its own.
pub(super) fn checked_jwks(text: &str) -> Result<String, RecordError> {
    let unfit = |problem: &str| RecordError::UnfitJwks(problem.to_owned());
    if text.len() > MOST_BYTES {
        return Err(unfit("it has more than 65536 bytes"));
    }
    let set: Value = serde_json::from_str(text).map_err(|_| unfit("it is not JSON"))?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or_else(|| unfit("it must be {\"keys\": [..]}"))?;
    if keys.is_empty() || keys.len() > MOST_KEYS {
        return Err(unfit("it must have 1 to 50 keys"));
    }
    let mut names = BTreeSet::new();
    for (index, key) in keys.iter().enumerate() {
        let problem = |problem: &str| RecordError::UnfitJwks(format!("keys[{index}]: {problem}"));
        let name = key.as_object().ok_or("it must be an object").and_then(name_of).map_err(problem)?;
        if !names.insert(name) {
            return Err(problem("another key has the same kid: give each its own"));
        }
    }
    Ok(set.to_string())
}

/// The `kid` of a key that signatures can be checked with.
fn name_of(key: &Map<String, Value>) -> Result<&str, &'static str> {
    let text = |name: &str| key.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if SECRET_MEMBERS.iter().any(|member| key.contains_key(*member)) {
        return Err("it has a secret part: send the public key only, and make a new pair, for this one has been shown");
    }
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return Err("it is not for signatures: \"use\" must be \"sig\", or left out");
    }
    let bytes = |name: &str| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    match text("kty") {
        Some("RSA") => {
            let modulus = bytes("n").ok_or("an RSA key has \"n\" in base64url")?;
            bytes("e").ok_or("an RSA key has \"e\" in base64url")?;
            if modulus.iter().skip_while(|byte| **byte == 0).count() < RSA_BYTES {
                return Err("an RSA key has at least 2048 bits");
            }
        }
        Some("EC") if text("crv") == Some("P-384") => {
            let has_point = ["x", "y"].iter().all(|name| bytes(name).is_some_and(|bytes| bytes.len() == 48));
            if !has_point {
                return Err("a P-384 key has \"x\" and \"y\" of 48 bytes in base64url");
            }
        }
        Some("EC") => return Err("use the curve P-384, for ES384"),
        _ => return Err("use a key with \"kty\" RSA, for RS384, or EC, for ES384"),
    }
    text("kid").ok_or("it has no \"kid\", by which it is found: add one")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rsa(kid: &str) -> Value {
        json!({ "kty": "RSA", "kid": kid, "n": URL_SAFE_NO_PAD.encode([200; 256]), "e": "AQAB", "use": "sig" })
    }

    fn ec(kid: &str) -> Value {
        let coordinate = URL_SAFE_NO_PAD.encode([7; 48]);
        json!({ "kty": "EC", "crv": "P-384", "kid": kid, "x": coordinate, "y": coordinate })
    }

    fn with(mut key: Value, member: &str, value: Value) -> Value {
        key[member] = value;
        key
    }

    #[test]
    fn public_keys_are_kept_as_they_came() {
        let set = json!({ "keys": [rsa("a"), ec("b")] }).to_string();

        assert_eq!(checked_jwks(&set).unwrap(), set);
    }

    #[test]
    fn what_is_no_set_of_public_keys_is_refused() {
        let short = URL_SAFE_NO_PAD.encode([[0; 1].as_slice(), &[200; 255]].concat());
        let table = [
            (json!([rsa("a")]), "must be {"),
            (json!({ "keys": [] }), "1 to 50 keys"),
            (json!({ "keys": ["a"] }), "keys[0]: it must be an object"),
            (json!({ "keys": [rsa("a"), rsa("a")] }), "keys[1]: another key"),
            (json!({ "keys": [with(rsa("a"), "d", json!("AQAB"))] }), "secret part"),
            (json!({ "keys": [{ "kty": "oct", "kid": "a", "k": "AQAB" }] }), "secret part"),
            (json!({ "keys": [{ "kty": "oct", "kid": "a" }] }), "kty"),
            (json!({ "keys": [with(rsa("a"), "use", json!("enc"))] }), "for signatures"),
            (json!({ "keys": [with(rsa("a"), "n", json!(short))] }), "2048"),
            (json!({ "keys": [with(rsa("a"), "e", json!(""))] }), "\"e\""),
            (json!({ "keys": [with(ec("a"), "crv", json!("P-256"))] }), "P-384"),
            (json!({ "keys": [with(ec("a"), "x", json!("AQAB"))] }), "48 bytes"),
            (json!({ "keys": [with(rsa("a"), "kid", json!(null))] }), "no \"kid\""),
        ];
        for (set, wanted) in table {
            let told = checked_jwks(&set.to_string()).unwrap_err().to_string();
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
        assert!(checked_jwks("{").unwrap_err().to_string().contains("not JSON"));
        assert!(checked_jwks(&" ".repeat(65_537)).unwrap_err().to_string().contains("65536"));
    }
}
