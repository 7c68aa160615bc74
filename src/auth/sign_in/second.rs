//! The second factor: between the first, such as a password that was right, and a session.

use serde::{Deserialize, Serialize};

use crate::auth::sign_in::{Proven, SignInError, SignIns, Whence, sealed};
use crate::clock;
use crate::store::Store;

const STEP: &str = "second factor";
/// RFC 8176: a one-time code, and with it more than one factor.
const SECOND: &str = "otp mfa";

/// Who has shown the first factor.
#[derive(Debug, Serialize, Deserialize)]
struct Half {
    account: i64,
    /// What that was, as RFC 8176 names it.
    factors: String,
}

/// What the page for the code carries, in the hand of the visitor with the token `holder`.
pub fn half(store: &Store, proven: &Proven, holder: &str) -> Result<String, SignInError> {
    let half = Half { account: proven.account.id, factors: proven.factors.clone() };
    sealed::close(store.seal(), STEP, holder, &half, clock::now_us())
}

impl SignIns {
    /// Who has shown both a first factor, as `half` tells, and a code of their app or a recovery code.
    pub fn by_code(
        &self,
        store: &Store,
        half: &str,
        code: &str,
        holder: &str,
        whence: &Whence,
    ) -> Result<Proven, SignInError> {
        let opened = sealed::open::<Half>(store.seal(), STEP, holder, half, clock::now_us())?;
        let account = store.read_one(|reader| reader.account(opened.content.account))?;
        let account = account.filter(|account| account.disabled_us.is_none()).ok_or(SignInError::Expired)?;
        self.code(store, &account, code, whence)?;
        let factors = format!("{} {SECOND}", opened.content.factors);
        store.write(move |tx| opened.use_up(tx))?;
        Ok(Proven { account, factors, needs_code: false })
    }
}
