//! Assertions as a client makes them.

use emberwell::clock;
use serde_json::{Value, json};

use super::TOKEN_ENDPOINT;
use super::keys::{Key, encoded};

/// An assertion before it is signed: a test changes what it is about.
#[derive(Clone, Debug)]
pub struct Unsigned {
    pub header: Value,
    pub claims: Value,
}

impl Unsigned {
    /// What is in order, and never the same.
    pub fn of(client_id: &str, key: &Key) -> Unsigned {
        Unsigned {
            header: json!({ "typ": "JWT", "alg": key.alg(), "kid": "k1" }),
            claims: json!({
                "iss": client_id,
                "sub": client_id,
                "aud": TOKEN_ENDPOINT,
                "exp": now() + 240,
                "jti": uuid::Uuid::new_v4().to_string(),
            }),
        }
    }

    pub fn header(mut self, member: &str, value: Value) -> Unsigned {
        set(&mut self.header, member, value);
        self
    }

    pub fn claim(mut self, member: &str, value: Value) -> Unsigned {
        set(&mut self.claims, member, value);
        self
    }

    pub fn message(&self) -> String {
        format!("{}.{}", encoded(self.header.to_string()), encoded(self.claims.to_string()))
    }

    pub fn signed(&self, key: &Key) -> String {
        let message = self.message();
        format!("{message}.{}", key.sign(&message))
    }
}

/// `null` takes the member away.
fn set(object: &mut Value, member: &str, value: Value) {
    match value {
        Value::Null => drop(object.as_object_mut().unwrap().remove(member)),
        value => object[member] = value,
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    clock::now_us() / 1_000_000
}
