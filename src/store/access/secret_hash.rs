//! What is kept of a secret: its hash.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::store::StoreError;

/// SHA-256 of a secret that nobody can guess, such as a token of 256 random bits: who reads the database can't use it.
///
/// Not for passwords, which people choose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of `secret`.
    pub fn of(secret: &[u8]) -> SecretHash {
        SecretHash(Sha256::digest(secret).into())
    }

    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn from_column(bytes: &[u8]) -> Result<SecretHash, StoreError> {
        let damaged = |_| StoreError::Damaged("a hash in the tables of access".to_owned());
        bytes.try_into().map(SecretHash).map_err(damaged)
    }
}

impl fmt::Debug for SecretHash {
    /// The first bytes, enough to tell two apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, fourth, ..] = self.0;
        write!(f, "SecretHash({first:02x}{second:02x}{third:02x}{fourth:02x}..)")
    }
}
