//! Authenticator apps: six digits that change every half minute.
//!
//! Spec: RFC 6238; otpauth URIs as in Google Authenticator's Key-Uri-Format

use totp_rs::{Builder, Totp};
use url::form_urlencoded::byte_serialize;

use crate::auth::sign_in::recovery::{self, RecoveryCodes};
use crate::auth::sign_in::{SignInError, SignIns, Whence, base32, told};
use crate::clock;
use crate::records::random_bytes;
use crate::store::{Account, Happening, Seal, Store, StoreError, StoredAuthenticator, Tx};

/// RFC 4226 section 4: the length that is recommended.
const SECRET_BYTES: usize = 20;
const ISSUER: &str = "Emberwell";

/// What a person puts in their app.
#[derive(Clone, PartialEq, Eq)]
pub struct AppSecret {
    /// For apps that are typed into, in groups of four.
    pub text: String,
    /// For the picture.
    pub uri: String,
}

/// Offers the owner of an account a new secret. It counts from the first code on (`confirm_authenticator`).
pub fn offer_authenticator(store: &Store, account: &Account) -> Result<AppSecret, SignInError> {
    let secret = random_bytes::<SECRET_BYTES>()?;
    let sealed = store.seal().close(&purpose(account.id), &secret);
    let id = account.id;
    if !store.write(move |tx| tx.offer_authenticator(id, &sealed).map_err(SignInError::from))? {
        return Err(SignInError::AuthenticatorThere);
    }
    Ok(shown(account, &secret))
}

/// The secret that was offered, once more.
pub fn offered_authenticator(store: &Store, account: &Account) -> Result<AppSecret, SignInError> {
    let kept = store.read_one(|reader| reader.authenticator(account.id))?;
    match kept {
        Some(kept) if kept.confirmed_us.is_none() => Ok(shown(account, &opened(store.seal(), account.id, &kept)?)),
        Some(_) => Err(SignInError::AuthenticatorThere),
        None => Err(SignInError::NoAuthenticator),
    }
}

/// Asks for codes no more.
pub fn remove_authenticator(store: &Store, account: &Account, whence: &Whence) -> Result<(), SignInError> {
    let (account, whence) = (account.clone(), whence.clone());
    store.write(move |tx| {
        if !tx.remove_authenticator(account.id)? {
            return Err(SignInError::NoAuthenticator);
        }
        told::changed(tx, &account, Happening::AuthenticatorOff, None, &whence).map_err(SignInError::from)
    })
}

impl SignIns {
    /// Asks for codes from now on, if `code` is the one that the app shows. Gives recovery codes.
    pub fn confirm_authenticator(
        &self,
        store: &Store,
        account: &Account,
        code: &str,
        whence: &Whence,
    ) -> Result<RecoveryCodes, SignInError> {
        let counted = self.attempts.code(account.id, whence.household);
        let counted = counted.map_err(|wait_s| SignInError::TooMany { wait_s })?;
        let (seal, codes) = (store.seal(), RecoveryCodes::random()?);
        let (owner, code, whence, hashes) = (account.clone(), plain(code), whence.clone(), codes.hashes());
        store.write(move |tx| {
            use_code(tx, seal, owner.id, &code)?;
            if !tx.confirm_authenticator(owner.id)? {
                return Err(SignInError::AuthenticatorThere);
            }
            tx.replace_recovery_codes(owner.id, &hashes)?;
            told::changed(tx, &owner, Happening::AuthenticatorOn, None, &whence).map_err(SignInError::from)
        })?;
        counted.give_back();
        Ok(codes)
    }

    /// Uses up `code`, which is the app's or a recovery code of the owner of `account`.
    pub(super) fn code(
        &self,
        store: &Store,
        account: &Account,
        code: &str,
        whence: &Whence,
    ) -> Result<(), SignInError> {
        let code = plain(code);
        let is_recovery = recovery::is_code(&code);
        let counted = match is_recovery {
            true => self.attempts.recovery_code(whence.household),
            false => self.attempts.code(account.id, whence.household),
        };
        let counted = counted.map_err(|wait_s| SignInError::TooMany { wait_s })?;
        let (seal, owner, of_code) = (store.seal(), account.clone(), whence.clone());
        let used = store.write(move |tx| match is_recovery {
            true => recovery::use_code(tx, &owner, &code, &of_code),
            false => use_code(tx, seal, owner.id, &code),
        });
        match used {
            Ok(()) => counted.give_back(),
            Err(SignInError::WrongCode) => {
                let (id, whence) = (account.id, whence.clone());
                store.write(move |tx| {
                    told::refused(tx, Some(id), Happening::SecondFactorRefused, "otp", &whence)
                        .map_err(SignInError::from)
                })?;
                return Err(SignInError::WrongCode);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Uses up a code of the app: it and all before it are taken no more.
fn use_code(tx: &mut Tx<'_>, seal: Seal, account: i64, code: &str) -> Result<(), SignInError> {
    let kept = tx.authenticator(account)?.ok_or(SignInError::NoAuthenticator)?;
    let totp = totp(opened(seal, account, &kept)?)?;
    let now_s = u64::try_from(clock::now_us() / 1_000_000).unwrap_or_default();
    let step = totp.check(code, now_s).and_then(|step| i64::try_from(step).ok()).ok_or(SignInError::WrongCode)?;
    if tx.use_authenticator_step(account, step)? { Ok(()) } else { Err(SignInError::WrongCode) }
}

/// Six digits, half a minute each, SHA-1, one step early or late: what all apps do.
fn totp(secret: [u8; SECRET_BYTES]) -> Result<Totp, SignInError> {
    let built = Builder::new().with_secret(secret).build();
    Ok(built.map_err(|error| StoreError::Damaged(format!("the secret of an authenticator app: {error}")))?)
}

fn purpose(account: i64) -> Vec<u8> {
    format!("authenticator of {account}").into_bytes()
}

fn opened(seal: Seal, account: i64, kept: &StoredAuthenticator) -> Result<[u8; SECRET_BYTES], SignInError> {
    let opened = seal.open(&purpose(account), &kept.secret).and_then(|secret| secret.try_into().ok());
    Ok(opened.ok_or_else(|| StoreError::Damaged(format!("the authenticator app of account {account}")))?)
}

fn shown(account: &Account, secret: &[u8]) -> AppSecret {
    let whole = base32::encode(secret);
    let groups: Vec<&str> = whole.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    // Spaces are `%20` there: apps show a plus as what it is.
    let email: String = byte_serialize(account.email.as_bytes()).collect::<String>().replace('+', "%20");
    AppSecret { text: groups.join(" "), uri: format!("otpauth://totp/{ISSUER}:{email}?secret={whole}&issuer={ISSUER}") }
}

/// As people type it, without what they put between groups.
fn plain(code: &str) -> String {
    code.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect::<String>().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Role;

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238 appendix B, of which the last six digits.
        let totp = totp(*b"12345678901234567890").ok().unwrap();

        for (at_s, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(totp.check(code, at_s), Some(at_s / 30));
            assert_eq!(totp.check(code, at_s + 30), Some(at_s / 30), "one step late");
            assert_eq!(totp.check(code, at_s - 30), Some(at_s / 30), "one step early");
            assert_eq!(totp.check(code, at_s + 60), None);
        }
        assert_eq!(totp.check("28708", 59), None);
        assert_eq!(totp.check("", 59), None);
    }

    #[test]
    fn an_app_reads_the_account_from_the_uri() {
        let account = Account {
            id: 7,
            email: "anna+1@example.org".to_owned(),
            name: "Anna".to_owned(),
            role: Role::Person,
            password: None,
            fhir_user: None,
            created_us: 0,
            disabled_us: None,
        };

        let shown = shown(&account, b"12345678901234567890");

        assert_eq!(shown.text, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(
            shown.uri,
            "otpauth://totp/Emberwell:anna%2B1%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Emberwell"
        );
    }

    #[test]
    fn a_code_may_be_typed_in_groups() {
        assert_eq!(plain(" 123 456 "), "123456");
        assert_eq!(plain("abcd-efgh ijkl-mnop"), "ABCDEFGHIJKLMNOP");
    }
}
