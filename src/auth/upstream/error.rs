//! Why somebody could not be signed in by a provider.

use openidconnect::{ClaimsVerificationError, SignatureVerificationError};
use thiserror::Error;

use crate::outbound::OutboundError;
use crate::records::RecordError;
use crate::store::{StoreError, WorkError};

/// Why an attempt to sign in by a provider came to nothing. The texts are for the log; what people read is for the pages.
#[derive(Debug, Error)]
pub enum UpstreamError {
    /// Nothing was begun in this browser, or too long ago.
    #[error("no attempt was begun in this browser, or it is over")]
    NoAttempt,
    /// The answer is to something that another browser began, or it was made up.
    #[error("the state is not that of the attempt of this browser")]
    OtherState,
    #[error("the attempt was used up before")]
    Replayed,
    #[error("the provider can't be asked: {0}")]
    Unreachable(#[from] OutboundError),
    /// It was asked in vain a moment ago.
    #[error("the provider could not be asked a moment ago, and is not asked again yet")]
    Resting,
    #[error("the provider gave no answer that can be used: {0}")]
    Unreadable(String),
    /// Its documents, or its answer, name another issuer than the settings.
    #[error("the provider names another issuer than the settings")]
    OtherIssuer,
    /// The person said no there.
    #[error("access was denied at the provider")]
    Denied,
    /// The provider refused by this code.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// It does not take its own code.
    #[error("the provider refused the code: {0}")]
    CodeRefused(String),
    #[error("the id token is not accepted: {0}")]
    IdToken(#[from] BadIdToken),
    /// The provider knows who it is, and this server does not.
    #[error("no account is linked to this identity")]
    NoAccount,
    /// There would be an account if the provider had verified the address.
    #[error("the provider has not verified an e-mail address")]
    NotVerified,
    /// There would be a new account if its address were free.
    #[error("there is an account with this address already")]
    AddressTaken,
    #[error("the account is disabled")]
    Disabled,
    #[error("the identity is linked to another account")]
    LinkedElsewhere,
    /// A link is removed that is the only way in.
    #[error("the account has no other way to sign in")]
    OnlyWay,
    /// An account that is to be linked is not the one that began it.
    #[error("the session is not that which began it")]
    OtherSession,
    /// Somebody else signed in at the provider than was to show that they are still there.
    #[error("this identity is not linked to the account of the session")]
    OtherPerson,
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an id token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadIdToken {
    #[error("there is none")]
    Missing,
    #[error("it has no signature")]
    Unsigned,
    #[error("it is signed by an algorithm that is not accepted")]
    Algorithm,
    #[error("the provider has no key by which it could be signed")]
    NoKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("iss")]
    Issuer,
    #[error("aud or azp")]
    Audience,
    #[error("exp or iat")]
    Time,
    #[error("nonce")]
    Nonce,
    #[error("at_hash")]
    AccessToken,
    #[error("sub is empty or longer than 255 characters")]
    Subject,
    /// The person was to sign in anew there, and has not.
    #[error("auth_time")]
    NotFresh,
    #[error("{0}")]
    Other(String),
}

impl From<ClaimsVerificationError> for BadIdToken {
    fn from(error: ClaimsVerificationError) -> BadIdToken {
        match error {
            ClaimsVerificationError::Expired(_) => BadIdToken::Time,
            ClaimsVerificationError::InvalidAudience(_) => BadIdToken::Audience,
            ClaimsVerificationError::InvalidIssuer(_) => BadIdToken::Issuer,
            ClaimsVerificationError::InvalidNonce(_) => BadIdToken::Nonce,
            ClaimsVerificationError::InvalidAuthTime(_) => BadIdToken::NotFresh,
            ClaimsVerificationError::SignatureVerification(error) => error.into(),
            other => BadIdToken::Other(other.to_string()),
        }
    }
}

impl From<SignatureVerificationError> for BadIdToken {
    fn from(error: SignatureVerificationError) -> BadIdToken {
        match error {
            SignatureVerificationError::NoSignature => BadIdToken::Unsigned,
            SignatureVerificationError::DisallowedAlg(_) | SignatureVerificationError::UnsupportedAlg(_) => {
                BadIdToken::Algorithm
            }
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::AmbiguousKeyId(_) => {
                BadIdToken::NoKey
            }
            SignatureVerificationError::CryptoError(_) => BadIdToken::Signature,
            other => BadIdToken::Other(other.to_string()),
        }
    }
}

impl WorkError for UpstreamError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            UpstreamError::Store(error) => Some(error),
            UpstreamError::Record(error) => error.store_error(),
            _ => None,
        }
    }
}
