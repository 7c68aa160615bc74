//! Why the authorization server says no.

use thiserror::Error;

use crate::store::{StoreError, WorkError};

/// A refusal, by the name that OAuth has for it. The texts are for whoever builds the client; they repeat nothing that was
/// sent.
///
/// Spec: RFC 6749 section 5.2
#[derive(Debug, Error)]
pub enum AuthError {
    /// Something is missing, comes twice, or can't be read.
    #[error("{0}")]
    InvalidRequest(String),
    /// Who the client is could not be shown.
    #[error("{0}")]
    InvalidClient(String),
    /// The token by which a request is made is no good for it.
    #[error("{0}")]
    InvalidToken(&'static str),
    /// The client is known, but not for this way to a token.
    #[error("{0}")]
    UnauthorizedClient(&'static str),
    #[error("this server knows the grant type client_credentials only")]
    UnsupportedGrantType,
    #[error("{0}")]
    InvalidScope(String),
    /// RFC 7591 section 3.2.2
    #[error("{0}")]
    InvalidRedirectUri(String),
    /// RFC 7591 section 3.2.2
    #[error("{0}")]
    InvalidClientMetadata(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuthError {
    /// The refusal of a client that shows nothing, where it must.
    pub fn shows_nothing() -> AuthError {
        AuthError::client("the client must show who it is, by an assertion or by its secret")
    }

    /// The refusal of a client, for this reason.
    pub(super) fn client(text: &str) -> AuthError {
        AuthError::InvalidClient(text.to_owned())
    }
}

impl WorkError for AuthError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            AuthError::Store(error) => Some(error),
            _ => None,
        }
    }
}
