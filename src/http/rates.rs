//! How often somebody may ask: a bucket for each, from which requests take and which time fills again.
//!
//! Of a bucket only the moment is kept when it will be full, so that all of them are a table of fixed size. Where a new one
//! finds no place, the one that is nearest to being full is forgotten: that gives least away.
//!
//! Spec: RFC 6585 section 4

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use actix_web::http::Method;

use crate::config::RateSettings;
use crate::http::HttpError;

/// What is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Read,
    /// A search, a history or an operation.
    Search,
    Write,
    /// A change by a system client that may change any record.
    SystemWrite,
    /// A request that was refused for want of a token or of a client that shows who it is.
    Refused,
    /// A client that could not show who it is.
    Failure,
    /// An app that registers itself.
    Registration,
    /// A device that begins to wait for somebody to let it in.
    Device,
    /// Somebody types a code that no device shows.
    UserCode,
}

impl Kind {
    /// What a request to `/fhir` is.
    pub fn of(method: &Method, path: &str) -> Kind {
        let rest = path.strip_prefix("/fhir").unwrap_or(path).trim_start_matches('/');
        if rest.contains('$') || rest.ends_with("_search") {
            return Kind::Search;
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Kind::Write;
        }
        let mut parts = rest.split('/').skip(1);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(id), None, None) if !id.starts_with('_') => Kind::Read,
            (Some(_), Some("_history"), Some(_)) => Kind::Read,
            _ => Kind::Search,
        }
    }

    /// The same, when it is asked by a system client that may change any record.
    pub fn of_system(self) -> Kind {
        if self == Kind::Write { Kind::SystemWrite } else { self }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Read => "reads by this caller",
            Kind::Search => "searches and operations by this caller",
            Kind::Write | Kind::SystemWrite => "changes by this caller",
            Kind::Refused => "refused requests from this address",
            Kind::Failure => "attempts by this client to show who it is",
            Kind::Registration => "registrations from this address",
            Kind::Device => "devices from this address",
            Kind::UserCode => "codes that no device shows",
        }
    }
}

/// The limits, and who has used how much of them.
pub struct Rates {
    settings: RateSettings,
    buckets: Buckets,
    /// Of this run alone, so that nobody knows who shares a place with whom.
    keys: RandomState,
    begun: Instant,
}

impl Rates {
    /// `None` when nothing is limited.
    pub fn new(settings: RateSettings) -> Option<Rates> {
        let RateSettings {
            reads,
            searches,
            writes,
            system_writes,
            refused,
            failures,
            registrations,
            devices,
            user_codes,
        } = settings;
        let any = [reads, searches, writes, system_writes, refused, failures, registrations, devices, user_codes]
            .iter()
            .any(|per_minute| *per_minute > 0);
        any.then(|| Rates { settings, buckets: Buckets::new(SETS), keys: RandomState::new(), begun: Instant::now() })
    }

    /// Counts one of `who`, unless there have been too many.
    pub fn take(&self, kind: Kind, who: impl Hash) -> Result<(), HttpError> {
        let Some(step_ns) = self.step_ns(kind) else { return Ok(()) };
        match self.buckets.take(self.keys.hash_one((kind, who)), step_ns, self.now_ns()) {
            Ok(()) => Ok(()),
            Err(wait_ns) => Err(HttpError::TooManyRequests {
                what: kind.name(),
                per_minute: self.per_minute(kind),
                wait_s: wait_ns.div_ceil(1_000_000_000).max(1),
            }),
        }
    }

    /// Takes back that one of `who` was counted.
    pub fn give_back(&self, kind: Kind, who: impl Hash) {
        if let Some(step_ns) = self.step_ns(kind) {
            self.buckets.give_back(self.keys.hash_one((kind, who)), step_ns);
        }
    }

    fn per_minute(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Read => self.settings.reads,
            Kind::Search => self.settings.searches,
            Kind::Write => self.settings.writes,
            Kind::SystemWrite => self.settings.system_writes,
            Kind::Refused => self.settings.refused,
            Kind::Failure => self.settings.failures,
            Kind::Registration => self.settings.registrations,
            Kind::Device => self.settings.devices,
            Kind::UserCode => self.settings.user_codes,
        }
    }

    /// How long it takes until there is room for one more; `None` without a limit.
    fn step_ns(&self, kind: Kind) -> Option<u64> {
        FULL_NS.checked_div(u64::from(self.per_minute(kind)))
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
    }
}

/// An empty bucket is full again after so long.
const FULL_NS: u64 = 60_000_000_000;
/// With `WAYS` in each there is room for 32,768 buckets, in half a mebibyte.
const SETS: usize = 4096;
/// Buckets that are looked through for one.
const WAYS: usize = 8;

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// Whose it is; 0 is nobody's.
    key: u64,
    full_ns: u64,
}

struct Buckets(Box<[Mutex<[Bucket; WAYS]>]>);

impl Buckets {
    fn new(sets: usize) -> Buckets {
        Buckets((0..sets).map(|_| Mutex::default()).collect())
    }

    /// Takes one from the bucket of `key`; if that is empty, tells for how many nanoseconds it is.
    fn take(&self, key: u64, step_ns: u64, now_ns: u64) -> Result<(), u64> {
        self.with(key, |bucket| {
            let full_ns = bucket.full_ns.max(now_ns) + step_ns;
            match (full_ns - now_ns).checked_sub(FULL_NS) {
                Some(wait_ns) if wait_ns > 0 => Err(wait_ns),
                _ => {
                    bucket.full_ns = full_ns;
                    Ok(())
                }
            }
        })
    }

    fn give_back(&self, key: u64, step_ns: u64) {
        self.with(key, |bucket| bucket.full_ns = bucket.full_ns.saturating_sub(step_ns));
    }

    fn with<T>(&self, key: u64, work: impl FnOnce(&mut Bucket) -> T) -> T {
        let key = key.max(1);
        let place = usize::try_from(key % self.0.len() as u64).unwrap_or_default();
        let mut set = self.0[place].lock().unwrap_or_else(PoisonError::into_inner);
        let mut fullest = 0;
        for at in 0..WAYS {
            if set[at].key == key {
                return work(&mut set[at]);
            }
            if set[at].full_ns < set[fullest].full_ns {
                fullest = at;
            }
        }
        set[fullest] = Bucket { key, full_ns: 0 };
        work(&mut set[fullest])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_request_is_counted_as_what_it_is() {
        let table = [
            ("GET", "/fhir/Patient/1", Kind::Read),
            ("HEAD", "/fhir/Patient/1", Kind::Read),
            ("GET", "/fhir/Patient/1/_history/2", Kind::Read),
            ("GET", "/fhir/Patient", Kind::Search),
            ("GET", "/fhir", Kind::Search),
            ("GET", "/fhir/Patient/_history", Kind::Search),
            ("GET", "/fhir/Patient/1/_history", Kind::Search),
            ("GET", "/fhir/Patient/1/Observation", Kind::Search),
            ("POST", "/fhir/Patient/_search", Kind::Search),
            ("POST", "/fhir/Patient/$validate", Kind::Search),
            ("GET", "/fhir/$reindex-status/1", Kind::Search),
            ("POST", "/fhir/Patient", Kind::Write),
            ("POST", "/fhir", Kind::Write),
            ("PUT", "/fhir/Patient/1", Kind::Write),
            ("DELETE", "/fhir/Patient/1", Kind::Write),
        ];
        for (method, path, wanted) in table {
            assert_eq!(Kind::of(&Method::from_bytes(method.as_bytes()).unwrap(), path), wanted, "{method} {path}");
        }
    }

    #[test]
    fn a_minutes_worth_may_come_at_once_and_the_rest_as_time_passes() {
        let buckets = Buckets::new(1);
        let step_ns = FULL_NS / 60;

        assert!((0..60).all(|_| buckets.take(7, step_ns, SECOND).is_ok()));
        assert_eq!(buckets.take(7, step_ns, SECOND), Err(SECOND));
        assert_eq!(buckets.take(7, step_ns, SECOND + SECOND / 2), Err(SECOND / 2));
        assert_eq!(buckets.take(7, step_ns, 2 * SECOND), Ok(()));
        assert!(buckets.take(7, step_ns, 2 * SECOND).is_err());
        assert_eq!(buckets.take(8, step_ns, 2 * SECOND), Ok(()), "another's is full");
        buckets.give_back(7, step_ns);
        assert_eq!(buckets.take(7, step_ns, 2 * SECOND), Ok(()));
        assert!((0..60).all(|_| buckets.take(7, step_ns, 1000 * SECOND).is_ok()), "full again, and no fuller");
        assert!(buckets.take(7, step_ns, 1000 * SECOND).is_err());
    }

    #[test]
    fn the_table_does_not_grow_and_forgets_the_fullest_first() {
        let buckets = Buckets::new(1);
        while buckets.take(1, SECOND, 0).is_ok() {}

        for key in 2..1000 {
            assert_eq!(buckets.take(key, SECOND, 0), Ok(()));
        }

        assert_eq!(buckets.0.len(), 1);
        assert!(buckets.take(1, SECOND, 0).is_err(), "whoever has used up all is remembered longest");
    }

    #[test]
    fn nothing_is_counted_without_a_limit() {
        assert!(Rates::new(RateSettings::OFF).is_none());
        let rates = Rates::new(RateSettings { writes: 1, ..RateSettings::OFF }).unwrap();

        assert!((0..1000).all(|_| rates.take(Kind::Read, "a").is_ok()));
        assert!(rates.take(Kind::Write, "a").is_ok() && rates.take(Kind::Write, "b").is_ok());
        let refused = rates.take(Kind::Write, "a");
        assert!(matches!(refused, Err(HttpError::TooManyRequests { per_minute: 1, wait_s: 60, .. })), "{refused:?}");
    }
}
