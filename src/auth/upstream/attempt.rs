//! An attempt to sign in by a provider, while the person is there.
//!
//! It is kept by the browser, in a cookie that it can neither read nor change, so that nothing is stored for whoever begins and
//! never comes back. What is stored is that an attempt was used up, until it would be over anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::auth::upstream::UpstreamError;
use crate::store::{Seal, SecretHash, Store};

/// How long an attempt may take.
pub const ATTEMPT_SECONDS: i64 = 600;
/// What the seal is for.
const SEALED_FOR: &[u8] = b"sign-in by a provider";

/// What for somebody is sent to a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// To sign in.
    SignIn,
    /// To link what the provider knows to the account of this number, which is signed in.
    Link { account: i64 },
    /// To show that whoever is signed in to this account is still there.
    Again { account: i64 },
}

/// What is known of an attempt until the provider answers.
#[derive(Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// By its name in the settings.
    pub provider: String,
    pub purpose: Purpose,
    /// Where to go afterwards: a path of this server.
    pub next: String,
    pub begun_us: i64,
    pub(super) state: String,
    pub(super) nonce: String,
    /// The verifier of PKCE.
    pub(super) verifier: String,
}

impl Attempt {
    /// As the browser keeps it. It holds for the browser whose visit is `visit`.
    pub fn sealed(&self, seal: Seal, visit: &str) -> String {
        let text = serde_json::to_vec(self).expect("texts and whole numbers can be written");
        URL_SAFE_NO_PAD.encode(seal.close(&purpose(visit), &text))
    }

    /// The attempt that this browser began, to which `state` answers.
    pub fn opened(
        seal: Seal,
        visit: &str,
        sealed: Option<&str>,
        provider: &str,
        state: Option<&str>,
        now_us: i64,
    ) -> Result<Attempt, UpstreamError> {
        let bytes = sealed.and_then(|sealed| URL_SAFE_NO_PAD.decode(sealed).ok());
        let text = bytes.and_then(|bytes| seal.open(&purpose(visit), &bytes));
        let attempt: Option<Attempt> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let attempt = attempt.filter(|attempt| now_us < attempt.expires_us() && attempt.provider == provider);
        let attempt = attempt.ok_or(UpstreamError::NoAttempt)?;
        // Compared by their hashes: how long that takes tells nothing of the state.
        let told = state.map(|state| SecretHash::of(state.as_bytes()));
        if told != Some(SecretHash::of(attempt.state.as_bytes())) {
            return Err(UpstreamError::OtherState);
        }
        Ok(attempt)
    }

    /// Uses it up: an answer of a provider is worth something once.
    pub fn use_up(&self, store: &Store) -> Result<(), UpstreamError> {
        use_up(store, self.hash(), self.expires_us())
    }

    fn hash(&self) -> SecretHash {
        SecretHash::of(format!("upstream attempt:{}", self.state).as_bytes())
    }

    fn expires_us(&self) -> i64 {
        self.begun_us + ATTEMPT_SECONDS * 1_000_000
    }
}

fn purpose(visit: &str) -> Vec<u8> {
    [SEALED_FOR, b" ", visit.as_bytes()].concat()
}

/// Uses up what has this hash and is over at `expires_us` anyway.
pub(super) fn use_up(store: &Store, hash: SecretHash, expires_us: i64) -> Result<(), UpstreamError> {
    let is_new = store.write(move |tx| tx.use_jwt(&hash, expires_us))?;
    if is_new { Ok(()) } else { Err(UpstreamError::Replayed) }
}
