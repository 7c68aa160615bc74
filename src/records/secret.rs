//! Secrets that nobody can guess.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::records::RecordError;
use crate::store::SecretHash;

/// 256 random bits as base64url without padding. Shown once to whom it is for; only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub fn random() -> Result<Secret, RecordError> {
        Ok(Secret(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?)))
    }

    /// One that is made of what nobody can guess.
    pub fn of(bytes: &[u8; 32]) -> Secret {
        Secret(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// For whom it is for.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// An id of 128 random bits. It has letters and digits alone: one that begins with `-` would look like a flag to commands.
pub(super) fn random_id() -> Result<String, RecordError> {
    Ok(random_bytes::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// So many random bytes.
pub fn random_bytes<const COUNT: usize>() -> Result<[u8; COUNT], RecordError> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).map_err(|error| RecordError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_256_bits_and_is_not_shown() {
        let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());

        assert_eq!(URL_SAFE_NO_PAD.decode(one.as_str()).unwrap().len(), 32);
        assert_ne!(one, other);
        assert_ne!(one.hash(), other.hash());
        assert!(!format!("{one:?}").contains(one.as_str()));
        let id = random_id().unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    }
}
