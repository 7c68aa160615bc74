//! Signing in by a password, and changing it.
//!
//! An address without an account, an account that is disabled and one without a password are answered alike, and after the same
//! time: a hash is computed and an event written in each case.
//!
//! Spec: NIST SP 800-63B-4 section 3.1.1; OWASP ASVS 5.0 sections 6.2 and 6.3

use crate::auth::sign_in::{Proven, SignInError, SignIns, Whence, told};
use crate::records::{Email, Password, hash_anew, verify_password};
use crate::store::{Account, Happening, SecretHash, Store};

/// RFC 8176
pub(super) const PASSWORD: &str = "pwd";

impl SignIns {
    /// Who has this address and this password.
    pub fn by_password(
        &self,
        store: &Store,
        email: &str,
        password: &str,
        whence: &Whence,
    ) -> Result<Proven, SignInError> {
        let network = whence.network_mark(store.hasher());
        let email = email.parse::<Email>().ok();
        // What is no address is looked up, too.
        let name = email.as_ref().map_or("", Email::as_str);
        let (account, is_known) = store.read(|reader| -> Result<_, SignInError> {
            let account = reader.account_by_email(name)?;
            let is_known = reader.knows_place(account.as_ref().map(|account| account.id), network)?;
            Ok((account, is_known))
        })?;
        let counted = self.attempts.password(name, whence.household, is_known);
        let counted = counted.map_err(|wait_s| SignInError::TooMany { wait_s })?;
        let able = account.as_ref().filter(|account| account.disabled_us.is_none());
        if !verify_password(password, able.and_then(|account| account.password.as_ref())) {
            refuse(store, account.map(|account| account.id), whence)?;
            return Err(SignInError::Wrong);
        }
        counted.give_back();
        let account = account.ok_or(SignInError::Wrong)?;
        keep_strong(store, &account, password)?;
        proven(store, account)
    }

    /// The owner of an account, who is signed in and knows its password.
    pub fn again_by_password(
        &self,
        store: &Store,
        account: &Account,
        password: &str,
        whence: &Whence,
    ) -> Result<Proven, SignInError> {
        // Who is signed in is no stranger, so that others who guess don't hold them up.
        let counted = self.attempts.password(&account.email, whence.household, true);
        let counted = counted.map_err(|wait_s| SignInError::TooMany { wait_s })?;
        if !verify_password(password, account.password.as_ref()) {
            refuse(store, Some(account.id), whence)?;
            return Err(SignInError::WrongPassword);
        }
        counted.give_back();
        proven(store, account.clone())
    }
}

/// Who has shown the password of `account`, which is not enough where an authenticator app is set up.
fn proven(store: &Store, account: Account) -> Result<Proven, SignInError> {
    let authenticator = store.read_one(|reader| reader.authenticator(account.id))?;
    let needs_code = authenticator.is_some_and(|authenticator| authenticator.confirmed_us.is_some());
    Ok(Proven { account, factors: PASSWORD.to_owned(), needs_code })
}

fn refuse(store: &Store, account: Option<i64>, whence: &Whence) -> Result<(), SignInError> {
    let whence = whence.clone();
    store.write(move |tx| Ok(told::refused(tx, account, Happening::SignInRefused, PASSWORD, &whence)?))
}

/// Keeps a better hash of a password that was just right, if there is one.
fn keep_strong(store: &Store, account: &Account, password: &str) -> Result<(), SignInError> {
    let Some(kept) = account.password.clone() else { return Ok(()) };
    let Some(better) = hash_anew(password, &kept)? else { return Ok(()) };
    let id = account.id;
    store.write(move |tx| tx.rehash_password(id, &kept, &better).map(drop).map_err(SignInError::from))
}

/// Gives the owner of an account another password, and ends their sessions but `keep`.
pub fn change_password(
    store: &Store,
    account: &Account,
    password: &str,
    keep: SecretHash,
    whence: &Whence,
) -> Result<(), SignInError> {
    let hash = Password::chosen(password, &[&account.name, &account.email])?.hash()?;
    let (account, whence) = (account.clone(), whence.clone());
    store.write(move |tx| {
        tx.set_password(account.id, &hash)?;
        tx.end_other_sessions(account.id, Some(&keep))?;
        told::changed(tx, &account, Happening::PasswordChanged, None, &whence).map_err(SignInError::from)
    })
}
