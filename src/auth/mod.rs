//! The OAuth 2 authorization server: who a client is, what tokens it gets, who holds one, and what the documents of discovery say
//! of it.
//!
//! Spec: SMART App Launch 2.2; OpenID Connect Core 1.0; RFC 6749, 6750, 7009, 7523, 7636, 7662, 8414, 9207, 9700

pub mod apps;
mod asking;
mod assertion;
mod authorize;
pub mod brands;
mod callers;
mod code;
pub mod consent;
mod credentials;
pub mod device;
mod discovery;
mod endpoints;
mod error;
mod form;
mod holder;
mod id_token;
mod introspection;
mod issue;
mod jwks;
mod key_cache;
mod launch;
mod origins;
mod picking;
mod refresh;
pub mod registration;
mod revocation;
pub mod sessions;
pub mod sign_in;
mod signing;
mod token;
pub mod upstream;
mod words;

use std::sync::Arc;

pub use asking::{Answer, Desk, Question, Step, Unanswered};
pub use assertion::Assertion;
pub use authorize::{AuthorizeRefused, AuthorizeRequest, Back, read as read_authorize};
pub use callers::Callers;
pub use code::{new_code, redeem};
pub use credentials::{
    Credentials, SecretCredentials, client_by_assertion, client_by_id, client_by_secret, use_assertion,
};
pub use discovery::document;
pub use endpoints::Endpoints;
pub use error::AuthError;
pub use form::Form;
pub use holder::{TokenRefused, Tokens};
pub use id_token::{fhir_user, subject};
pub use introspection::{Asker, introspect};
pub use issue::Issued;
pub use jwks::KeySet;
pub use key_cache::KeyCache;
pub use launch::{LaunchContext, begin as begin_launch, keep as keep_launch};
pub use origins::Origins;
pub use picking::{MOST_RECORDS, MOST_SOUGHT, RecordChoice, Records};
pub use refresh::{client_by_refresh_token, refresh};
pub use revocation::revoke;
pub use sessions::SignedIn;
pub use signing::SigningKeys;
pub use token::{IssuedToken, TOKEN_SECONDS, client_credentials};

use crate::auth::sign_in::SignIns;
use crate::auth::upstream::Upstream;
use crate::config::SignInSettings;
use crate::outbound::Outbound;

/// What the endpoints share.
pub struct AuthServer {
    pub endpoints: Endpoints,
    pub keys: KeyCache,
    pub origins: Origins,
    pub sign_ins: SignIns,
    pub signing: SigningKeys,
    /// Asks other servers.
    pub outbound: Arc<Outbound>,
    /// The providers by which people may sign in.
    pub upstream: Upstream,
}

impl AuthServer {
    /// The authorization server of the FHIR server whose base clients see as `base_url`.
    pub fn new(base_url: &str, outbound: Arc<Outbound>, sign_in: &SignInSettings) -> AuthServer {
        let endpoints = Endpoints::of(base_url);
        AuthServer {
            signing: SigningKeys::default(),
            upstream: Upstream::new(sign_in, &endpoints.issuer, &outbound),
            keys: KeyCache::new(Arc::clone(&outbound)),
            origins: Origins::default(),
            sign_ins: SignIns::new(base_url),
            outbound,
            endpoints,
        }
    }
}
