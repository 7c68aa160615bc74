//! What a page carries from one step of a sign-in to the next: sealed, for five minutes, once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::auth::sign_in::SignInError;
use crate::store::{Seal, SecretHash, StoreError, Tx};

/// How long a step may take.
const LASTS_US: i64 = 5 * 60 * 1_000_000;

#[derive(Serialize, Deserialize)]
struct Kept {
    until_us: i64,
    /// As JSON of its own: numbers within would not come through a struct that is generic.
    content: String,
}

/// What was sealed, opened again.
pub(super) struct Opened<T> {
    pub(super) content: T,
    ticket: SecretHash,
    until_us: i64,
}

/// Seals `content` for `step`, in the hand of `holder` alone: whoever has the same session or visitor's cookie.
pub(super) fn close(
    seal: Seal,
    step: &str,
    holder: &str,
    content: &impl Serialize,
    now_us: i64,
) -> Result<String, SignInError> {
    let unfit = |error: serde_json::Error| StoreError::Damaged(format!("a step of a sign-in: {error}"));
    let content = serde_json::to_string(content).map_err(unfit)?;
    let kept = serde_json::to_vec(&Kept { until_us: now_us + LASTS_US, content }).map_err(unfit)?;
    Ok(URL_SAFE_NO_PAD.encode(seal.close(&purpose(step, holder), &kept)))
}

/// Opens what `close` made for the same step and holder, if it is not too old.
pub(super) fn open<T: DeserializeOwned>(
    seal: Seal,
    step: &str,
    holder: &str,
    text: &str,
    now_us: i64,
) -> Result<Opened<T>, SignInError> {
    let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| SignInError::Expired)?;
    let kept = seal.open(&purpose(step, holder), &sealed).ok_or(SignInError::Expired)?;
    let Kept { until_us, content } = serde_json::from_slice(&kept).map_err(|_| SignInError::Expired)?;
    if now_us >= until_us {
        return Err(SignInError::Expired);
    }
    let content = serde_json::from_str(&content).map_err(|_| SignInError::Expired)?;
    Ok(Opened { content, ticket: SecretHash::of(&sealed), until_us })
}

impl<T> Opened<T> {
    /// Uses it up: a second time it is too late.
    pub(super) fn use_up(&self, tx: &mut Tx<'_>) -> Result<(), SignInError> {
        if tx.use_jwt(&self.ticket, self.until_us)? { Ok(()) } else { Err(SignInError::Expired) }
    }
}

fn purpose(step: &str, holder: &str) -> Vec<u8> {
    format!("sign-in\n{step}\n{holder}").into_bytes()
}
