//! Sessions of people in a browser: how one begins, counts and ends.
//!
//! Spec: OWASP ASVS 5.0 chapter 7

use crate::auth::AuthError;
use crate::auth::sign_in::{Proven, Whence, signed_in};
use crate::records::{RecordError, Secret};
use crate::store::{Account, SecretHash, Session, Store, StoreError};

/// A session that is not used ends after so long.
const IDLE_US: i64 = 30 * 60 * 1_000_000;
/// Every session ends after so long.
const WHOLE_US: i64 = 12 * 3_600 * 1_000_000;
/// That a session is used is noted no more often than this.
const NOTED_US: i64 = 60 * 1_000_000;
/// What matters is done only so long after the person has shown who they are.
const VERIFIED_US: i64 = 10 * 60 * 1_000_000;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub account: Account,
    pub session: Session,
}

impl SignedIn {
    /// Whether the person has shown lately enough who they are, for what matters.
    pub fn is_fresh(&self, now_us: i64) -> bool {
        now_us < self.session.verified_us.saturating_add(VERIFIED_US)
    }
}

/// Whether a session counts at this moment.
pub fn is_live(session: &Session, now_us: i64) -> bool {
    now_us < session.expires_us && now_us < session.seen_us.saturating_add(IDLE_US)
}

/// Who is signed in by the cookie with this hash. That the session is used is noted by that.
pub fn current(store: &Store, cookie: &SecretHash, now_us: i64) -> Result<Option<SignedIn>, StoreError> {
    let found = store.read(|reader| {
        let Some(session) = reader.session(cookie)?.filter(|session| is_live(session, now_us)) else {
            return Ok(None);
        };
        let account = reader.account(session.account)?.filter(|account| account.disabled_us.is_none());
        Ok::<_, StoreError>(account.map(|account| SignedIn { account, session }))
    })?;
    if let Some(SignedIn { session, .. }) = &found
        && now_us >= session.seen_us + NOTED_US
    {
        let hash = session.hash;
        store.write(move |tx| tx.see_session(&hash, now_us))?;
    }
    Ok(found)
}

/// Begins a session of somebody who has shown who they are, tells of it, and ends the one that the browser had. Gives what goes in
/// the cookie.
pub fn begin(
    store: &Store,
    proven: &Proven,
    whence: &Whence,
    before: Option<SecretHash>,
    now_us: i64,
) -> Result<Secret, AuthError> {
    let secret = Secret::random().map_err(no_randomness)?;
    let session = Session {
        hash: secret.hash(),
        account: proven.account.id,
        created_us: now_us,
        seen_us: now_us,
        verified_us: now_us,
        expires_us: now_us + WHOLE_US,
        factors: proven.factors.clone(),
        agent: whence.agent.clone(),
    };
    let (account, whence) = (proven.account.clone(), whence.clone());
    store.write(move |tx| {
        if let Some(before) = &before {
            tx.end_session(before)?;
        }
        tx.add_session(&session)?;
        signed_in(tx, &account, &session.factors, &whence).map_err(AuthError::from)
    })?;
    Ok(secret)
}

/// Goes on with a session under a new name, after the person has shown anew who they are by `factors`. What was issued for as
/// long as it lasts goes on, too. Gives what goes in the cookie.
pub fn renew(store: &Store, session: &Session, factors: &str, now_us: i64) -> Result<Secret, AuthError> {
    let secret = Secret::random().map_err(no_randomness)?;
    let (old, new, factors) = (session.hash, secret.hash(), factors.to_owned());
    store.write(move |tx| tx.renew_session(&old, &new, now_us, &factors).map_err(AuthError::from))?;
    Ok(secret)
}

fn no_randomness(error: RecordError) -> StoreError {
    StoreError::Unreachable(error.to_string())
}

/// Ends a session, and the access of apps that lasts only as long.
pub fn end(store: &Store, hash: SecretHash) -> Result<bool, StoreError> {
    store.write(move |tx| tx.end_session(&hash))
}
