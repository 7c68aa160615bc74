//! Signing in: by what a person shows who they are.
//!
//! Spec: OWASP ASVS 5.0 chapter 6

use std::sync::OnceLock;

use crate::records::{Email, Password, verify_password};
use crate::store::{Account, PasswordHash, Store, StoreError};

/// The account of which this is the password; `None` without a word on why not, and after the same time.
pub fn by_password(store: &Store, email: &str, password: &str) -> Result<Option<Account>, StoreError> {
    let account = match email.parse::<Email>() {
        Ok(email) => store.read_one(|reader| reader.account_by_email(email.as_str()))?,
        Err(_) => None,
    };
    let account = account.filter(|account| account.disabled_us.is_none());
    let hash = account.as_ref().and_then(|account| account.password.as_ref());
    // What nobody has takes as long to compare with.
    let is_right = verify_password(password, hash.or(nobodys()).unwrap_or(&PasswordHash(String::new())));
    Ok(account.filter(|account| account.password.is_some() && is_right))
}

/// The hash of a password that no account has.
fn nobodys() -> Option<&'static PasswordHash> {
    static HASH: OnceLock<Option<PasswordHash>> = OnceLock::new();
    HASH.get_or_init(|| "nobody has this one".parse::<Password>().ok()?.hash().ok()).as_ref()
}
