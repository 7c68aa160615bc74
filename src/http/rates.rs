//! How often somebody may ask.
//!
//! Spec: RFC 6585 section 4

use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Instant;

use actix_web::http::Method;

use crate::access::{Buckets, Measure};
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
        let Some(measure) = self.measure(kind) else { return Ok(()) };
        match self.buckets.take(self.keys.hash_one((kind, who)), measure, self.now_ns()) {
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
        if let Some(measure) = self.measure(kind) {
            self.buckets.give_back(self.keys.hash_one((kind, who)), measure);
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

    /// `None` without a limit.
    fn measure(&self, kind: Kind) -> Option<Measure> {
        let step_ns = FULL_NS.checked_div(u64::from(self.per_minute(kind)))?;
        Some(Measure { step_ns, full_ns: FULL_NS })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
    }
}

/// An empty bucket is full again after so long.
const FULL_NS: u64 = 60_000_000_000;
/// With eight buckets in each there is room for 32,768 buckets, in half a mebibyte.
const SETS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

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
    fn nothing_is_counted_without_a_limit() {
        assert!(Rates::new(RateSettings::OFF).is_none());
        let rates = Rates::new(RateSettings { writes: 1, ..RateSettings::OFF }).unwrap();

        assert!((0..1000).all(|_| rates.take(Kind::Read, "a").is_ok()));
        assert!(rates.take(Kind::Write, "a").is_ok() && rates.take(Kind::Write, "b").is_ok());
        let refused = rates.take(Kind::Write, "a");
        assert!(matches!(refused, Err(HttpError::TooManyRequests { per_minute: 1, wait_s: 60, .. })), "{refused:?}");
    }
}
