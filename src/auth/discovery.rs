//! What clients read before they ask for a token.
//!
//! Spec: SMART App Launch 2.2 conformance.html#using-well-known; RFC 8414; OpenID Connect Discovery 1.0

use serde_json::{Value, json};

use crate::auth::jwks::SigningAlgorithm;
use crate::auth::{Endpoints, brands, device};
use crate::config::{AppSettings, RegistrationPolicy};

/// How a client shows who it is where it asks for a token; a public one can't.
const TOKEN: [&str; 4] = ["private_key_jwt", "client_secret_basic", "client_secret_post", "none"];
/// Who may ask what a token is worth: a client that shows who it is, or, as RFC 8414 has it, a type of token.
const INTROSPECTION: [&str; 4] = ["private_key_jwt", "client_secret_basic", "client_secret_post", "Bearer"];
/// Examples of what may be asked for; any type can stand in the place of `*`.
const SCOPES: [&str; 18] = [
    "openid",
    "fhirUser",
    "launch",
    "launch/patient",
    "launch/encounter",
    "offline_access",
    "online_access",
    "patient/*.cruds",
    "patient/*.rs",
    "patient/*.read",
    "patient/*.*",
    "user/*.cruds",
    "user/*.rs",
    "user/*.read",
    "user/*.*",
    "system/*.cruds",
    "system/*.rs",
    "system/*.read",
];
const CAPABILITIES: [&str; 20] = [
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "context-standalone-encounter",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
    "smart-app-state",
];

/// The document, the same at all of its addresses. An endpoint that is not there is not in it, nor is what only that needs.
pub fn document(endpoints: &Endpoints, apps: &AppSettings) -> Value {
    let algorithms = SigningAlgorithm::ALL.map(SigningAlgorithm::name);
    let mut document = json!({
        "issuer": endpoints.issuer,
        "jwks_uri": endpoints.keys(),
        "authorization_endpoint": endpoints.authorization(),
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint": endpoints.token(),
        "token_endpoint_auth_methods_supported": TOKEN,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", device::GRANT],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser"],
        "scopes_supported": SCOPES,
        "device_authorization_endpoint": endpoints.device_authorization(),
        "introspection_endpoint": endpoints.introspection(),
        "introspection_endpoint_auth_methods_supported": INTROSPECTION,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": endpoints.revocation(),
        "revocation_endpoint_auth_methods_supported": TOKEN,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "launch_endpoint": endpoints.launch(),
        "management_endpoint": endpoints.management(),
        "capabilities": CAPABILITIES,
    });
    if apps.registration != RegistrationPolicy::Off {
        document["registration_endpoint"] = endpoints.registration().into();
    }
    if let Some(brand) = &apps.brand {
        document["user_access_brand_bundle"] = endpoints.brands().into();
        document["user_access_brand_identifier"] = brands::identifier(brand);
    }
    document
}
