//! Keys of clients, made when they are first needed.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PKCS1_SHA384, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub enum Key {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    /// For ES384.
    pub fn p384() -> Key {
        ec(&ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    /// For what this server does not take.
    pub fn p256() -> Key {
        ec(&ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    /// For RS384; always the same, for it takes long to make.
    pub fn rsa() -> &'static Key {
        static KEY: OnceLock<Key> = OnceLock::new();
        KEY.get_or_init(|| Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    /// The public half.
    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Key::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at((key.public_key().as_ref().len() - 1) / 2);
                let curve = if x.len() == 48 { "P-384" } else { "P-256" };
                json!({ "kty": "EC", "kid": kid, "crv": curve, "x": encoded(x), "y": encoded(y) })
            }
            Key::Rsa(key) => {
                let n = encoded(key.public_key().modulus().big_endian_without_leading_zero());
                let e = encoded(key.public_key().exponent().big_endian_without_leading_zero());
                json!({ "kty": "RSA", "kid": kid, "n": n, "e": e })
            }
        }
    }

    /// What it signs by.
    pub fn alg(&self) -> &'static str {
        match self {
            Key::Ec(key) if key.public_key().as_ref().len() == 97 => "ES384",
            Key::Ec(_) => "ES256",
            Key::Rsa(_) => "RS384",
        }
    }

    pub fn sign(&self, message: &str) -> String {
        let random = SystemRandom::new();
        match self {
            Key::Ec(key) => encoded(key.sign(&random, message.as_bytes()).unwrap().as_ref()),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA384, &random, message.as_bytes(), &mut signature).unwrap();
                encoded(&signature)
            }
        }
    }
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> Key {
    Key::Ec(EcdsaKeyPair::generate(algorithm).unwrap())
}

/// A signature by a key that both sides would have to share.
pub fn hmac_sha384(secret: &[u8], message: &str) -> String {
    encoded(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA384, secret), message.as_bytes()))
}

pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A JWK Set.
pub fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// As the scheme `Basic` writes it.
pub fn encoded_padded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}
