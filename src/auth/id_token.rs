//! Who signed in, as the app is told it.
//!
//! Spec: OpenID Connect Core 1.0 section 2; SMART App Launch 2.2 scopes-and-launch-context.html#scopes-for-requesting-identity-data

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::auth::{Endpoints, SigningKeys};
use crate::store::{Account, Client, Store, StoreError};

/// How long an id_token counts.
const SECONDS: i64 = 3600;

/// By what a client knows an account: another client knows it by another, so that two can't tell that they serve the same person.
///
/// Spec: OpenID Connect Core 1.0 section 8.1 (pairwise identifiers)
pub fn subject(store: &Store, client: &str, account: i64) -> String {
    URL_SAFE_NO_PAD.encode(store.seal().derive("subject", format!("{client} {account}").as_bytes()))
}

/// Who the account is as a resource, as an absolute address.
pub fn fhir_user(endpoints: &Endpoints, account: &Account) -> Option<String> {
    account.fhir_user.as_ref().map(|user| format!("{}/{user}", endpoints.base))
}

/// What goes in an id_token.
pub struct Identity<'a> {
    pub client: &'a Client,
    pub account: &'a Account,
    /// Whether the app may know who the person is as a resource.
    pub tells_user: bool,
    pub nonce: Option<&'a str>,
    pub auth_time_us: i64,
}

/// An id_token, signed.
pub fn id_token(
    store: &Store,
    keys: &SigningKeys,
    endpoints: &Endpoints,
    identity: &Identity<'_>,
    now_us: i64,
) -> Result<String, StoreError> {
    let Identity { client, account, tells_user, nonce, auth_time_us } = identity;
    let seconds = now_us / 1_000_000;
    let mut claims = json!({
        "iss": endpoints.issuer,
        "sub": subject(store, &client.id, account.id),
        "aud": client.id,
        "exp": seconds + SECONDS,
        "iat": seconds,
        "auth_time": auth_time_us / 1_000_000,
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    if let Some(user) = fhir_user(endpoints, account).filter(|_| *tells_user) {
        claims["fhirUser"] = Value::String(user);
    }
    keys.sign(store, &claims, now_us)
}
