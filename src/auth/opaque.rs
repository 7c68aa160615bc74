//! Tokens that say nothing: random bits, of which only a hash is kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::AuthError;
use crate::store::{SecretHash, StoreError};

const RANDOM_BYTES: usize = 32;

/// A token as it is sent. No log shows it.
#[derive(Clone)]
pub struct OpaqueToken(String);

impl OpaqueToken {
    /// A new one, of 256 random bits.
    pub fn random() -> Result<OpaqueToken, AuthError> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| StoreError::Unreachable(format!("the source of randomness: {error}")))?;
        Ok(OpaqueToken(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// A token that a client sent.
    pub fn sent(text: &str) -> OpaqueToken {
        OpaqueToken(text.to_owned())
    }

    /// Under which it is kept.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.0.as_bytes())
    }

    /// For the client to which it is issued, and for nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_256_bits_and_is_never_the_same() {
        let (one, other) = (OpaqueToken::random().unwrap(), OpaqueToken::random().unwrap());

        assert_eq!(URL_SAFE_NO_PAD.decode(one.reveal()).unwrap().len(), 32);
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(OpaqueToken::sent(one.reveal()).hash(), one.hash());
        assert!(!format!("{one:?}").contains(one.reveal()));
    }
}
