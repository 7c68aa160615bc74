//! Signing in: by what a person shows who they are, and how they change that.
//!
//! Spec: OWASP ASVS 5.0 chapter 6; NIST SP 800-63B-4

mod attempts;
mod authenticator;
mod base32;
mod error;
mod passkey;
mod password;
mod recovery;
mod sealed;
mod second;
mod set_up;
mod told;
mod whence;

pub use attempts::Counted;
pub use authenticator::{AppSecret, offer_authenticator, offered_authenticator, remove_authenticator};
pub use error::SignInError;
pub use passkey::{Challenge, remove_passkey};
pub use password::change_password;
pub use recovery::{RecoveryCodes, new_recovery_codes};
pub use second::half;
pub use set_up::{is_set_up_link, offer_set_up, set_up};
pub use told::{changed, signed_in};
pub use whence::Whence;

use crate::store::Account;
use attempts::Attempts;
use passkey::Passkeys;

/// Somebody who has shown who they are.
#[derive(Clone, Debug)]
pub struct Proven {
    pub account: Account,
    /// By what, as RFC 8176 names it, with spaces between.
    pub factors: String,
    /// Whether a code is to be asked for before a session begins.
    pub needs_code: bool,
}

/// What all sign-ins share.
pub struct SignIns {
    attempts: Attempts,
    passkeys: Option<Passkeys>,
}

impl SignIns {
    /// For pages below the FHIR base `base_url`.
    pub fn new(base_url: &str) -> SignIns {
        SignIns { attempts: Attempts::new(), passkeys: Passkeys::of(base_url) }
    }

    /// Counts an answer of a provider that comes from the network of `whence`. What succeeds is to be given back.
    pub fn answer(&self, whence: &Whence) -> Result<Counted<'_>, SignInError> {
        self.attempts.answer(whence.household).map_err(|wait_s| SignInError::TooMany { wait_s })
    }
}
