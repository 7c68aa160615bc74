//! The server's own keys: made when they are needed, renewed in time, published so long as anything they signed counts.
//!
//! A new key is published an hour before it signs, so that whoever keeps the key set has it by then.
//!
//! Spec: RFC 7515, 7517; OpenID Connect Core section 10.1.1

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::fhir::Id;
use crate::store::{SigningKey, Store, StoreError};

const DAY_US: i64 = 24 * 3_600 * 1_000_000;
/// A key signs so long.
const SIGNS_US: i64 = 30 * DAY_US;
/// A key is known so long; what it signed last counts for an hour.
const KNOWN_US: i64 = 32 * DAY_US;
/// A new key waits so long until it signs, unless it is the only one.
const WAITS_US: i64 = 3_600 * 1_000_000;
/// The keys are looked up anew after so long: another process may have made one.
const FRESH_US: i64 = 60 * 1_000_000;

/// A key that can sign.
struct Key {
    kid: String,
    created_us: i64,
    pair: KeyPair,
}

/// The keys of the server.
#[derive(Default)]
pub struct SigningKeys {
    kept: Mutex<Option<(i64, Arc<Vec<Key>>)>>,
}

impl SigningKeys {
    /// `claims` as a signed JWT.
    pub fn sign(&self, store: &Store, claims: &Value, now_us: i64) -> Result<String, StoreError> {
        let keys = self.keys(store, now_us)?;
        let waited = keys.iter().find(|key| now_us >= key.created_us + WAITS_US);
        let key = waited.or(keys.last()).ok_or_else(|| no_key("there is none"))?;
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": key.kid });
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let text = format!("{header}.{claims}");
        let mut signature = vec![0; key.pair.public_modulus_len()];
        let signed = key.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.map_err(|_| no_key("it can't sign"))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The public halves as a JWK Set.
    pub fn published(&self, store: &Store, now_us: i64) -> Result<Value, StoreError> {
        let keys = self.keys(store, now_us)?;
        let jwk = |key: &Key| {
            let public = key.pair.public_key();
            let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            json!({
                "kty": "RSA",
                "use": "sig",
                "alg": "RS256",
                "kid": key.kid,
                "n": number(public.modulus().big_endian_without_leading_zero()),
                "e": number(public.exponent().big_endian_without_leading_zero()),
            })
        };
        Ok(json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() }))
    }

    /// The keys that are known, the newest first. Makes one where the newest has signed long enough.
    fn keys(&self, store: &Store, now_us: i64) -> Result<Arc<Vec<Key>>, StoreError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((looked_us, keys)) = &*kept
            && now_us < looked_us + FRESH_US
        {
            return Ok(Arc::clone(keys));
        }
        let mut stored = store.read_one(|reader| reader.signing_keys())?;
        if stored.first().is_none_or(|newest| now_us >= newest.created_us + SIGNS_US) {
            stored = renewed(store, now_us)?;
        }
        let key = |stored: SigningKey| {
            let pair = KeyPair::from_pkcs8(&stored.pkcs8).map_err(|_| no_key("it can't be read"))?;
            Ok(Key { kid: stored.kid, created_us: stored.created_us, pair })
        };
        let keys: Arc<Vec<Key>> = Arc::new(stored.into_iter().map(key).collect::<Result<_, StoreError>>()?);
        *kept = Some((now_us, Arc::clone(&keys)));
        Ok(keys)
    }
}

/// The keys with a new one, unless another process has made it meanwhile.
fn renewed(store: &Store, now_us: i64) -> Result<Vec<SigningKey>, StoreError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| no_key("it can't be made"))?;
    let der = pair.as_der().map_err(|_| no_key("it can't be written"))?;
    let kid = Id::random().to_string();
    let new = SigningKey { kid, pkcs8: der.as_ref().to_vec(), created_us: now_us };
    store.write(move |tx| {
        tx.lock_text("signing key")?;
        let newest = tx.signing_keys()?.first().map(|newest| newest.created_us);
        if newest.is_none_or(|created_us| now_us >= created_us + SIGNS_US) {
            tx.add_signing_key(&new)?;
            tx.forget_signing_keys(now_us - KNOWN_US)?;
        }
        tx.signing_keys()
    })
}

fn no_key(problem: &str) -> StoreError {
    StoreError::Damaged(format!("the signing key: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kids(keys: &SigningKeys, store: &Store, now_us: i64) -> Vec<String> {
        let published = keys.published(store, now_us).unwrap();
        let keys = published["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    fn signer(keys: &SigningKeys, store: &Store, now_us: i64) -> String {
        let token = keys.sign(store, &json!({}), now_us).unwrap();
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_after_it_signed() {
        let folder = std::env::temp_dir().join(format!("emberwell-keys-{}", Id::random()));
        std::fs::create_dir(&folder).unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.join("keys.db").display()), 1, None).unwrap();
        let (keys, begin_us) = (SigningKeys::default(), 1_800_000_000_000_000);

        let first = signer(&keys, &store, begin_us);
        let later_us = begin_us + SIGNS_US;
        let both = kids(&keys, &store, later_us);

        assert_eq!(both.len(), 2);
        assert_eq!(both[1], first);
        assert_eq!(signer(&keys, &store, later_us), first, "the new one waits");
        assert_eq!(signer(&keys, &store, later_us + WAITS_US), both[0]);
        assert_eq!(kids(&SigningKeys::default(), &store, later_us), both, "they are kept");
        drop(store);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
