//! What a provider said of somebody who is signed in, until they have confirmed that it is to be linked to their account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::auth::upstream::attempt::{ATTEMPT_SECONDS, use_up};
use crate::auth::upstream::{Contact, UpstreamError, Verified};
use crate::store::{NewIdentity, Seal, SecretHash, Store};

const SEALED_FOR: &[u8] = b"link to a provider";

/// An identity that can be linked to an account, as a form carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkOffer {
    pub account: i64,
    pub issuer: String,
    pub subject: String,
    /// What its owner knows it by.
    pub label: Option<String>,
    /// Where to go afterwards: a path of this server.
    pub next: String,
    made_us: i64,
}

impl LinkOffer {
    /// The offer to link what was verified to `account`.
    pub fn new(account: i64, verified: &Verified, contact: &Contact, next: &str, now_us: i64) -> LinkOffer {
        LinkOffer {
            account,
            issuer: verified.issuer.clone(),
            subject: verified.subject.clone(),
            label: contact.label(),
            next: next.to_owned(),
            made_us: now_us,
        }
    }

    /// As a form carries it: nobody else can make one.
    pub fn sealed(&self, seal: Seal) -> String {
        let text = serde_json::to_vec(self).expect("texts and whole numbers can be written");
        URL_SAFE_NO_PAD.encode(seal.close(SEALED_FOR, &text))
    }

    /// What [`LinkOffer::sealed`] made for this account a short while ago.
    pub fn opened(seal: Seal, sealed: &str, account: i64, now_us: i64) -> Result<LinkOffer, UpstreamError> {
        let text = URL_SAFE_NO_PAD.decode(sealed).ok().and_then(|bytes| seal.open(SEALED_FOR, &bytes));
        let offer: Option<LinkOffer> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let offer = offer.filter(|offer| now_us < offer.expires_us()).ok_or(UpstreamError::NoAttempt)?;
        if offer.account == account { Ok(offer) } else { Err(UpstreamError::OtherSession) }
    }

    /// Uses it up, so that a form which is sent again links nothing that was unlinked since.
    pub fn use_up(&self, store: &Store) -> Result<(), UpstreamError> {
        let text = format!("upstream offer:{}:{}:{}:{}", self.account, self.made_us, self.issuer.len(), self.issuer);
        use_up(store, SecretHash::of(format!("{text}:{}", self.subject).as_bytes()), self.expires_us())
    }

    /// What is to be linked.
    pub fn identity(&self) -> NewIdentity {
        NewIdentity {
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            account: self.account,
            label: self.label.clone(),
        }
    }

    fn expires_us(&self) -> i64 {
        self.made_us + ATTEMPT_SECONDS * 1_000_000
    }
}
