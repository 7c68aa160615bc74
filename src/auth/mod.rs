//! The OAuth 2 authorization server: who a client is, what tokens it gets, who holds one, and what the documents of discovery say
//! of it.
//!
//! Only what works is said: SMART Backend Services, introspection, revocation.
//!
//! Spec: SMART App Launch 2.2; RFC 6749, 6750, 7009, 7523, 7662, 8414

mod assertion;
mod callers;
mod credentials;
mod discovery;
mod endpoints;
mod error;
mod form;
mod holder;
mod introspection;
mod jwks;
mod key_cache;
mod origins;
mod revocation;
pub mod sessions;
pub mod sign_in;
mod token;

use std::sync::Arc;

pub use assertion::Assertion;
pub use callers::Callers;
pub use credentials::{
    Credentials, SecretCredentials, client_by_assertion, client_by_id, client_by_secret, use_assertion,
};
pub use discovery::document;
pub use endpoints::Endpoints;
pub use error::AuthError;
pub use form::Form;
pub use holder::{TokenRefused, Tokens};
pub use introspection::{Asker, introspect};
pub use jwks::KeySet;
pub use key_cache::KeyCache;
pub use origins::Origins;
pub use revocation::revoke;
pub use sessions::SignedIn;
pub use token::{IssuedToken, TOKEN_SECONDS, client_credentials};

use crate::outbound::Outbound;

/// What the endpoints share.
pub struct AuthServer {
    pub endpoints: Endpoints,
    pub keys: KeyCache,
    pub origins: Origins,
}

impl AuthServer {
    /// The authorization server of the FHIR server whose base clients see as `base_url`.
    pub fn new(base_url: &str, outbound: Arc<Outbound>) -> AuthServer {
        AuthServer { endpoints: Endpoints::of(base_url), keys: KeyCache::new(outbound), origins: Origins::default() }
    }
}
