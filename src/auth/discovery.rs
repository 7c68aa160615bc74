//! What clients read before they ask for a token.
//!
//! Spec: SMART App Launch 2.2 conformance.html#using-well-known; RFC 8414

use serde_json::{Value, json};

use crate::auth::Endpoints;
use crate::auth::jwks::SigningAlgorithm;

/// How a client shows who it is at introspection and revocation.
const METHODS: [&str; 3] = ["private_key_jwt", "client_secret_basic", "client_secret_post"];

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
        "introspection_endpoint_auth_methods_supported": METHODS,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": endpoints.revocation(),
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    })
}
