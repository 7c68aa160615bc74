//! Recovery codes: ten that stand in for an authenticator app, once each.
//!
//! Spec: NIST SP 800-63B-4 section 3.1.2 (look-up secrets)

use std::fmt;

use crate::auth::sign_in::{SignInError, Whence, base32, told};
use crate::records::random_bytes;
use crate::store::{Account, Happening, SecretHash, Store, Tx};

const COUNT: usize = 10;
/// 80 bits, which nobody guesses: SHA-256 is enough to keep them.
const BYTES: usize = 10;
const LETTERS: usize = 16;

/// New recovery codes, to be shown once. No log shows them.
pub struct RecoveryCodes(Vec<String>);

impl RecoveryCodes {
    pub(super) fn random() -> Result<RecoveryCodes, SignInError> {
        let codes = (0..COUNT).map(|_| Ok(base32::encode(&random_bytes::<BYTES>()?)));
        codes.collect::<Result<Vec<_>, SignInError>>().map(RecoveryCodes)
    }

    pub(super) fn hashes(&self) -> Vec<SecretHash> {
        self.0.iter().map(|code| SecretHash::of(code.as_bytes())).collect()
    }

    /// As they are shown: small letters and digits in groups of four.
    pub fn shown(&self) -> Vec<String> {
        let shown = |code: &String| {
            let groups: Vec<&str> = (0..LETTERS).step_by(4).map(|at| &code[at..at + 4]).collect();
            groups.join("-").to_lowercase()
        };
        self.0.iter().map(shown).collect()
    }
}

impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCodes(..)")
    }
}

/// Whether `text`, in capitals and without what is between groups, has the form of a recovery code.
pub(super) fn is_code(text: &str) -> bool {
    text.len() == LETTERS && base32::is_encoded(text)
}

/// Uses one up.
pub(super) fn use_code(tx: &mut Tx<'_>, account: &Account, code: &str, whence: &Whence) -> Result<(), SignInError> {
    if !tx.use_recovery_code(account.id, &SecretHash::of(code.as_bytes()))? {
        return Err(SignInError::WrongCode);
    }
    Ok(told::changed(tx, account, Happening::RecoveryCodeUsed, None, whence)?)
}

/// Gives the owner of an account new ones; those before count no more.
pub fn new_recovery_codes(store: &Store, account: &Account, whence: &Whence) -> Result<RecoveryCodes, SignInError> {
    let codes = RecoveryCodes::random()?;
    let (account, hashes, whence) = (account.clone(), codes.hashes(), whence.clone());
    store.write(move |tx| {
        if tx.authenticator(account.id)?.is_none_or(|app| app.confirmed_us.is_none()) {
            return Err(SignInError::NoAuthenticator);
        }
        tx.replace_recovery_codes(account.id, &hashes)?;
        told::changed(tx, &account, Happening::RecoveryCodesMade, None, &whence).map_err(SignInError::from)
    })?;
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ten_that_differ_and_are_typed_in_groups() {
        let codes = RecoveryCodes::random().ok().unwrap();

        let mut shown = codes.shown();
        assert!(
            shown.iter().all(|code| code.len() == 19 && is_code(&code.replace('-', "").to_uppercase())),
            "{shown:?}"
        );
        shown.sort();
        shown.dedup();
        assert_eq!(shown.len(), 10);
        assert_eq!(codes.hashes()[0], SecretHash::of(codes.shown()[0].replace('-', "").to_uppercase().as_bytes()));
        assert_eq!(format!("{codes:?}"), "RecoveryCodes(..)");
        assert!(!is_code("123456") && !is_code("ABCDEFGHIJKLMNO1"));
    }
}
