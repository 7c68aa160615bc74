//! Why the authorization server says no.

use thiserror::Error;

use crate::records::RecordError;
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
    /// A code or a refresh token that counts no more, is another client's, or goes with something else.
    #[error("{0}")]
    InvalidGrant(&'static str),
    #[error(
        "this server knows the grant types authorization_code, refresh_token, client_credentials and that of device codes"
    )]
    UnsupportedGrantType,
    #[error("{0}")]
    InvalidScope(String),
    /// RFC 7591 section 3.2.2
    #[error("{0}")]
    InvalidRedirectUri(String),
    /// RFC 7591 section 3.2.2
    #[error("{0}")]
    InvalidClientMetadata(String),
    /// RFC 8628 section 3.5, here and below.
    #[error("nobody has let the device in yet: ask again in some seconds")]
    AuthorizationPending,
    #[error("the device asks too often: wait five seconds longer each time")]
    SlowDown,
    #[error("the person did not let the device in")]
    AccessDenied,
    #[error("the code of the device is over: begin anew")]
    ExpiredToken,
    /// A rule on who may have what.
    #[error(transparent)]
    Record(RecordError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RecordError> for AuthError {
    fn from(error: RecordError) -> AuthError {
        match error {
            RecordError::Store(error) => AuthError::Store(error),
            error => AuthError::Record(error),
        }
    }
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
