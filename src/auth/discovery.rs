//! What clients read before they ask for a token.
//!
//! Spec: SMART App Launch 2.2 conformance.html#using-well-known; RFC 8414

use serde_json::{Value, json};

use crate::auth::Endpoints;
use crate::auth::jwks::SigningAlgorithm;

/// Who may ask what a token is worth: a client that shows who it is, or, as RFC 8414 has it, a type of token.
const INTROSPECTION: [&str; 4] = ["private_key_jwt", "client_secret_basic", "client_secret_post", "Bearer"];
/// Who may end a token: its client, also one that can't show who it is.
const REVOCATION: [&str; 4] = ["private_key_jwt", "client_secret_basic", "client_secret_post", "none"];

/// The document, the same at both of its addresses. An endpoint that is not there is not in it, nor is what only that needs.
pub fn document(endpoints: &Endpoints) -> Value {
    let algorithms = SigningAlgorithm::ALL.map(SigningAlgorithm::name);
    json!({
        "issuer": endpoints.issuer,
        "token_endpoint": endpoints.token(),
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": ["system/*.cruds", "system/*.rs", "system/*.read", "system/*.write", "system/*.*"],
        "introspection_endpoint": endpoints.introspection(),
        "introspection_endpoint_auth_methods_supported": INTROSPECTION,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": endpoints.revocation(),
        "revocation_endpoint_auth_methods_supported": REVOCATION,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    })
}
