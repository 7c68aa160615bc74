//! An authenticator in software: it answers as a browser does for a phone or a security key.
//!
//! Spec: Web Authentication Level 3 section 6.1 and 6.5; RFC 9053 section 7.1.1

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const HAS_KEY: u8 = 0x40;

/// One passkey.
pub struct SoftwareKey {
    pair: EcdsaKeyPair,
    pub credential: Vec<u8>,
    pub handle: Vec<u8>,
    pub counter: u32,
    /// Where the browser is.
    pub origin: String,
    /// Whether it makes sure who holds it.
    pub verifies: bool,
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

impl SoftwareKey {
    /// Makes one as a page asked by `options`, and the browser's answer.
    pub fn made(options: &str, origin: &str, verifies: bool) -> (SoftwareKey, Value) {
        let options: Value = serde_json::from_str(options).unwrap();
        let key = SoftwareKey {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            credential: uuid::Uuid::new_v4().into_bytes().repeat(2),
            handle: URL_SAFE_NO_PAD.decode(options["user"]["id"].as_str().unwrap()).unwrap(),
            counter: 1,
            origin: origin.to_owned(),
            verifies,
        };
        let mut data = key.data(options["rp"]["id"].as_str().unwrap(), HAS_KEY);
        data.extend([0; 16]);
        data.extend(u16::try_from(key.credential.len()).unwrap().to_be_bytes());
        data.extend(&key.credential);
        data.extend(key.public_key());
        // A CBOR map: fmt "none", attStmt empty, authData.
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        attestation.push(u8::try_from(data.len()).unwrap());
        attestation.extend(&data);
        let client = key.client_data("webauthn.create", &options);
        let answer = json!({
            "id": base64url(&key.credential),
            "rawId": base64url(&key.credential),
            "type": "public-key",
            "response": { "attestationObject": base64url(attestation), "clientDataJSON": base64url(client) },
        });
        (key, answer)
    }

    /// The browser's answer to a page that asks for a passkey by `options`.
    pub fn answer(&mut self, options: &str) -> Value {
        let options: Value = serde_json::from_str(options).unwrap();
        self.counter += 1;
        let data = self.data(options["rpId"].as_str().unwrap(), 0);
        let client = self.client_data("webauthn.get", &options);
        let signed = [data.clone(), sha256(client.as_bytes())].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": base64url(&self.credential),
            "rawId": base64url(&self.credential),
            "type": "public-key",
            "response": {
                "authenticatorData": base64url(data),
                "clientDataJSON": base64url(client),
                "signature": base64url(signature.as_ref()),
                "userHandle": base64url(&self.handle),
            },
        })
    }

    fn data(&self, host: &str, flags: u8) -> Vec<u8> {
        let verified = if self.verifies { USER_VERIFIED } else { 0 };
        let mut data = sha256(host.as_bytes());
        data.push(flags | USER_PRESENT | verified);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// A COSE key: EC2, ES256, P-256, x and y.
    fn public_key(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        [&b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"[..], x, b"\x22\x58\x20", y].concat()
    }

    /// As browsers write it, with what later ones may add.
    fn client_data(&self, kind: &str, options: &Value) -> String {
        json!({
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
            "other_keys_can_be_added_here": 7,
        })
        .to_string()
    }
}
