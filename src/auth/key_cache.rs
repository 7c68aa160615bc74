//! The keys of clients, some of which have to be asked for.
//!
//! Whoever sends an assertion, signed or not, can make this server ask. So a document is kept as long as it says, one request
//! at a time asks for it, and there is a bound on how often.
//!
//! Spec: SMART App Launch 2.2 client-confidential-asymmetric.html#registering-a-client-communicating-public-keys

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::{Assertion, AuthError, KeySet};
use crate::outbound::{Fetched, Outbound};
use crate::store::Client;

const SECOND_US: i64 = 1_000_000;
/// A document that says nothing of it is kept so long ..
const USUAL_SECONDS: u64 = 3600;
/// .. and none longer than this.
const MOST_SECONDS: u64 = 24 * 3600;
/// A document that is still good is asked for again, for a key that it lacks, after this time at the earliest.
const REFETCH_US: i64 = 10 * SECOND_US;
/// A document is asked for so often at most ..
const MOST_ASKED: u32 = 10;
/// .. in this time.
const WINDOW_US: i64 = 60 * SECOND_US;
/// When there are more addresses than this, all are forgotten.
const MOST_ADDRESSES: usize = 1000;

/// Key sets by their addresses.
pub struct KeyCache {
    outbound: Arc<Outbound>,
    known: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Entry>>>>,
}

/// What is known of one address.
#[derive(Default)]
struct Entry {
    keys: Option<Arc<KeySet>>,
    /// First moment when the keys may not be used any more.
    expires_us: i64,
    /// When it was last asked for a key that was missing.
    sought_us: Option<i64>,
    window_us: i64,
    asked: u32,
}

/// What is to be done for an assertion.
#[derive(Debug)]
enum Next {
    Use(Arc<KeySet>),
    Ask,
    /// It was asked too often.
    Wait,
}

impl KeyCache {
    pub fn new(outbound: Arc<Outbound>) -> KeyCache {
        KeyCache { outbound, known: Mutex::default() }
    }

    /// The keys that `client` has registered, among which that of `assertion` may be.
    pub async fn keys(&self, client: &Client, assertion: &Assertion, now_us: i64) -> Result<Arc<KeySet>, AuthError> {
        if assertion.jku.is_some() && assertion.jku != client.jwks_uri {
            return Err(AuthError::client(
                "the jku of the assertion is not the address that the client has registered",
            ));
        }
        if let Some(jwks) = &client.jwks {
            let keys = KeySet::parse(jwks.as_bytes());
            return keys.map(Arc::new).map_err(|error| AuthError::InvalidClient(error.to_string()));
        }
        let address = client.jwks_uri.as_deref();
        let address = address.ok_or_else(|| AuthError::client("the client has registered no keys"))?;
        let entry = self.entry(address);
        // Held while the document is on its way: who comes meanwhile takes what it brings.
        let mut entry = entry.lock().await;
        match entry.next(now_us, |keys| keys.has(&assertion.kid, assertion.algorithm)) {
            Next::Use(keys) => Ok(keys),
            Next::Wait => Err(AuthError::client("the client's keys were asked for too often: try again in a minute")),
            Next::Ask => self.ask(client, address, &mut entry, now_us).await,
        }
    }

    async fn ask(
        &self,
        client: &Client,
        address: &str,
        entry: &mut Entry,
        now_us: i64,
    ) -> Result<Arc<KeySet>, AuthError> {
        let fetched = self.outbound.get(address).await.map_err(|error| error.to_string());
        let keys = fetched.and_then(|fetched| {
            let keys = KeySet::parse(&fetched.body).map_err(|error| error.to_string())?;
            Ok(entry.keep(keys, &fetched, now_us))
        });
        if let Err(problem) = &keys {
            tracing::warn!(client = client.id, problem, "The keys of a client can't be had");
        }
        let still_good = entry.good(now_us);
        keys.or_else(|_| {
            still_good.ok_or_else(|| AuthError::client("the client's keys can't be had from its jwks_uri"))
        })
    }

    fn entry(&self, address: &str) -> Arc<tokio::sync::Mutex<Entry>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_ADDRESSES && !known.contains_key(address) {
            known.clear();
        }
        Arc::clone(known.entry(address.to_owned()).or_default())
    }
}

impl Entry {
    /// The keys if they may still be used.
    fn good(&self, now_us: i64) -> Option<Arc<KeySet>> {
        self.keys.clone().filter(|_| now_us < self.expires_us)
    }

    fn next(&mut self, now_us: i64, has_key: impl FnOnce(&KeySet) -> bool) -> Next {
        if let Some(keys) = self.good(now_us) {
            let may_seek = self.sought_us.is_none_or(|sought_us| now_us - sought_us >= REFETCH_US);
            if has_key(&keys) || !may_seek {
                return Next::Use(keys);
            }
            self.sought_us = Some(now_us);
        }
        if now_us - self.window_us >= WINDOW_US {
            self.window_us = now_us;
            self.asked = 0;
        }
        if self.asked >= MOST_ASKED {
            return self.good(now_us).map_or(Next::Wait, Next::Use);
        }
        self.asked += 1;
        Next::Ask
    }

    fn keep(&mut self, keys: KeySet, fetched: &Fetched, now_us: i64) -> Arc<KeySet> {
        let seconds = fetched.max_age_s.unwrap_or(USUAL_SECONDS).min(MOST_SECONDS);
        self.expires_us = now_us + seconds as i64 * SECOND_US;
        let keys = Arc::new(keys);
        self.keys = Some(Arc::clone(&keys));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_800_000_000 * SECOND_US;

    fn kept(max_age_s: Option<u64>) -> Entry {
        let mut entry = Entry::default();
        assert!(matches!(entry.next(NOW_US, |_| true), Next::Ask));
        entry.keep(KeySet::default(), &Fetched { body: Vec::new(), max_age_s }, NOW_US);
        entry
    }

    fn asks(entry: &mut Entry, after_s: i64, has_key: bool) -> bool {
        matches!(entry.next(NOW_US + after_s * SECOND_US, |_| has_key), Next::Ask)
    }

    #[test]
    fn a_document_is_kept_as_long_as_it_says_but_not_longer_than_a_day() {
        for (max_age_s, kept_s) in [(Some(60), 60), (None, 3600), (Some(1_000_000), 86_400), (Some(0), 0)] {
            assert!(kept_s == 0 || !asks(&mut kept(max_age_s), kept_s - 1, true), "{max_age_s:?}");
            assert!(asks(&mut kept(max_age_s), kept_s, true), "{max_age_s:?}");
        }
    }

    #[test]
    fn a_missing_key_is_sought_once_and_then_not_for_a_while() {
        let mut entry = kept(Some(3600));

        assert!(asks(&mut entry, 1, false));
        assert!(!asks(&mut entry, 2, false));
        assert!(!asks(&mut entry, 10, false));
        assert!(asks(&mut entry, 11, false));
        assert!(!asks(&mut entry, 12, true));
    }

    #[test]
    fn a_document_is_not_asked_for_without_end() {
        let mut entry = kept(Some(0));
        let asked = (0..59).filter(|second| asks(&mut entry, *second, true)).count();

        assert_eq!(asked, 9, "and once before");
        assert!(matches!(entry.next(NOW_US + 59 * SECOND_US, |_| true), Next::Wait));
        assert!(asks(&mut entry, 60, true));
    }
}
