//! Passwords: what may be one, and how it is kept.
//!
//! Argon2id with 19 MiB and two passes, the least that OWASP's Password Storage Cheat Sheet names.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use crate::records::{NotUsable, RecordError};
use crate::store::PasswordHash;

const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// A password that somebody chose: 8 to 256 characters, whichever. No log shows it.
pub struct Password(String);

impl FromStr for Password {
    type Err = NotUsable;

    fn from_str(text: &str) -> Result<Password, NotUsable> {
        if LENGTH.contains(&text.chars().count()) {
            Ok(Password(text.to_owned()))
        } else {
            Err(NotUsable("a password has 8 to 256 characters"))
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl Password {
    /// What is kept of it. Takes some ten milliseconds and 19 MiB, on purpose: never inside a transaction.
    pub fn hash(&self) -> Result<PasswordHash, RecordError> {
        let hash = argon2()?.hash_password(self.0.as_bytes()).map_err(not_hashed)?;
        Ok(PasswordHash(hash.to_string()))
    }
}

/// Whether `text` is the password that `hash` was made of. Takes as long as [`Password::hash`].
pub fn verify_password(text: &str, hash: &PasswordHash) -> bool {
    let Ok(hash) = phc::PasswordHash::new(&hash.0) else { return false };
    // The parameters are those of the hash.
    Argon2::default().verify_password(text.as_bytes(), &hash).is_ok()
}

fn argon2() -> Result<Argon2<'static>, RecordError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(not_hashed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn not_hashed(error: impl fmt::Display) -> RecordError {
    RecordError::PasswordNotHashed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_by_its_hash() {
        let password: Password = "correct horse".parse().unwrap();
        let (one, other) = (password.hash().unwrap(), password.hash().unwrap());

        assert!(one.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.0);
        assert_ne!(one, other, "each has its own salt");
        assert!(verify_password("correct horse", &one) && verify_password("correct horse", &other));
        assert!(!verify_password("correct horse ", &one));
        assert!(!verify_password("correct horse", &PasswordHash("correct horse".to_owned())));
        assert_eq!(format!("{password:?}"), "Password(..)");
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        for right in ["12345678", &"é".repeat(256), "        "] {
            assert!(right.parse::<Password>().is_ok(), "{right}");
        }
        for wrong in ["", "1234567", "ééééééé", &"a".repeat(257)] {
            assert!(wrong.parse::<Password>().is_err(), "{wrong}");
        }
    }
}
