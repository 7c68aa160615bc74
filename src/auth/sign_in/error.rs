//! Why somebody is not signed in, or a credential not changed.

use thiserror::Error;

use crate::records::{NotUsable, RecordError};
use crate::store::{StoreError, WorkError};

/// Why somebody is not signed in, or a credential not changed.
#[derive(Debug, Error)]
pub enum SignInError {
    #[error("there have been too many attempts: try again in {wait_s} seconds")]
    TooMany { wait_s: u64 },
    /// Not a word on whether there is an account.
    #[error("there is no account with this address and this password")]
    Wrong,
    #[error("this is not the password of your account")]
    WrongPassword,
    #[error("this code is not right, or was used before: take the one that your app shows now, or a recovery code")]
    WrongCode,
    #[error("this took longer than five minutes, or was sent twice: begin again")]
    Expired,
    #[error("this passkey is not known here, or was removed: use another one, or your password")]
    PasskeyNotAccepted,
    #[error("this device is known already: it has one of your passkeys")]
    PasskeyThere,
    #[error("this passkey is your only way to sign in: choose a password, or add another passkey, first")]
    LastWay,
    #[error("passkeys need a server with a name: they don't work at a bare address")]
    NoPasskeys,
    #[error("an authenticator app is set up already: remove it first")]
    AuthenticatorThere,
    #[error("no authenticator app is set up")]
    NoAuthenticator,
    #[error("this link is not valid any more: a restart of the server prints a new one as long as there is no account")]
    NoSetUp,
    #[error(transparent)]
    NotUsable(#[from] NotUsable),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WorkError for SignInError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            SignInError::Store(error) => Some(error),
            SignInError::Record(error) => error.store_error(),
            _ => None,
        }
    }
}
