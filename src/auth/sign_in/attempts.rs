//! How often it may be tried to sign in.
//!
//! Three buckets: one for each account and address together, one for each address, and a wide one for each account, which
//! slows down whoever guesses from many addresses. The wide one does not count for an address from which the owner has signed in
//! before: nobody is locked out by others who guess. What succeeds is given back.
//!
//! Spec: OWASP ASVS 5.0 section 6.3.1; NIST SP 800-63B-4 section 3.2.2

use std::hash::BuildHasher as _;
use std::hash::{Hash, RandomState};
use std::net::IpAddr;
use std::time::Instant;

use crate::access::{Buckets, Measure};

const MINUTE_NS: u64 = 60_000_000_000;
/// With eight buckets in each there is room for 32,768 buckets.
const SETS: usize = 4096;

/// What is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// Tries for one account from one address.
    Pair,
    /// Tries for one account, from wherever it is not known.
    Account,
    /// Tries from one address.
    Address,
    /// Codes for one account.
    Code,
    /// Codes for one account from one address.
    CodePair,
}

impl Kind {
    fn measure(self) -> Measure {
        let (at_once, step_ns) = match self {
            Kind::Pair => (10, MINUTE_NS),
            Kind::Account => (50, MINUTE_NS / 2),
            Kind::Address => (100, MINUTE_NS / 10),
            // Of a million codes three are right at a time: that many tries come to 16 % in a year, and are shown to the owner.
            Kind::Code => (10, 10 * MINUTE_NS),
            Kind::CodePair => (10, 2 * MINUTE_NS),
        };
        Measure { step_ns, full_ns: at_once * step_ns }
    }
}

/// Who has tried how often.
pub(super) struct Attempts {
    buckets: Buckets,
    /// Of this run alone, so that nobody knows who shares a place with whom.
    keys: RandomState,
    begun: Instant,
}

/// A try that was counted.
#[must_use]
pub struct Counted<'a> {
    attempts: &'a Attempts,
    taken: Vec<(Kind, u64)>,
}

impl Counted<'_> {
    /// It was right, and counts no more.
    pub fn give_back(self) {
        for (kind, key) in self.taken {
            self.attempts.buckets.give_back(key, kind.measure());
        }
    }
}

impl Attempts {
    pub(super) fn new() -> Attempts {
        Attempts { buckets: Buckets::new(SETS), keys: RandomState::new(), begun: Instant::now() }
    }

    /// Counts a try for the account with this address of mail, from a network address where its owner is `known` or not. If
    /// there have been too many, tells for how many seconds.
    pub(super) fn password(&self, email: &str, from: Option<IpAddr>, known: bool) -> Result<Counted<'_>, u64> {
        let mut wanted = vec![self.key(Kind::Address, from), self.key(Kind::Pair, (email, from))];
        if !known {
            wanted.push(self.key(Kind::Account, email));
        }
        self.take(wanted)
    }

    /// Counts a try by a passkey.
    pub(super) fn passkey(&self, from: Option<IpAddr>) -> Result<Counted<'_>, u64> {
        self.take(vec![self.key(Kind::Address, from)])
    }

    /// Counts an answer of a provider: nobody guesses one, but each lets this server ask.
    pub(super) fn answer(&self, from: Option<IpAddr>) -> Result<Counted<'_>, u64> {
        self.take(vec![self.key(Kind::Address, from)])
    }

    /// Counts a try of a code.
    pub(super) fn code(&self, account: i64, from: Option<IpAddr>) -> Result<Counted<'_>, u64> {
        let pair = self.key(Kind::CodePair, (account, from));
        self.take(vec![self.key(Kind::Address, from), pair, self.key(Kind::Code, account)])
    }

    /// Counts a try of a recovery code: nobody guesses one, so that the owner of the account is not held up by those who try.
    pub(super) fn recovery_code(&self, from: Option<IpAddr>) -> Result<Counted<'_>, u64> {
        self.take(vec![self.key(Kind::Address, from)])
    }

    fn key(&self, kind: Kind, who: impl Hash) -> (Kind, u64) {
        (kind, self.keys.hash_one((kind, who)))
    }

    fn take(&self, wanted: Vec<(Kind, u64)>) -> Result<Counted<'_>, u64> {
        let now_ns = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX / 2);
        self.take_at(wanted, now_ns)
    }

    /// All of them, or none.
    fn take_at(&self, wanted: Vec<(Kind, u64)>, now_ns: u64) -> Result<Counted<'_>, u64> {
        let mut counted = Counted { attempts: self, taken: Vec::with_capacity(wanted.len()) };
        for (kind, key) in wanted {
            if let Err(wait_ns) = self.buckets.take(key, kind.measure(), now_ns) {
                counted.give_back();
                return Err(wait_ns.div_ceil(1_000_000_000).max(1));
            }
            counted.taken.push((kind, key));
        }
        Ok(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn ten_wrong_passwords_from_one_address_are_enough_for_an_account() {
        let attempts = Attempts::new();

        for _ in 0..10 {
            assert!(attempts.password("anna@example.org", address(1), true).is_ok());
        }

        let wait_s = attempts.password("anna@example.org", address(1), true).err().unwrap();
        assert!((1..=60).contains(&wait_s), "{wait_s}");
        assert!(attempts.password("anna@example.org", address(2), true).is_ok());
        assert!(attempts.password("bert@example.org", address(1), true).is_ok());
    }

    #[test]
    fn what_was_right_does_not_count() {
        let attempts = Attempts::new();

        for _ in 0..1000 {
            attempts.password("anna@example.org", address(1), false).ok().unwrap().give_back();
        }
        for _ in 0..10 {
            assert!(attempts.password("anna@example.org", address(1), false).is_ok());
        }
        assert!(attempts.password("anna@example.org", address(1), false).is_err());
    }

    #[test]
    fn guessing_from_many_addresses_slows_down_all_but_those_that_the_owner_has_used() {
        let attempts = Attempts::new();

        let tries = (0..=255).filter(|last| attempts.password("anna@example.org", address(*last), false).is_ok());

        assert_eq!(tries.count(), 50);
        assert!(attempts.password("anna@example.org", Some(IpAddr::from([198, 51, 100, 7])), false).is_err());
        assert!(attempts.password("anna@example.org", Some(IpAddr::from([198, 51, 100, 7])), true).is_ok());
        assert!(attempts.password("bert@example.org", address(1), false).is_ok());
    }

    #[test]
    fn one_address_can_not_try_everybody() {
        let attempts = Attempts::new();

        let tries = (0..1000).filter(|who| attempts.password(&format!("{who}@example.org"), address(1), false).is_ok());

        assert_eq!(tries.count(), 100);
        assert!(attempts.passkey(address(1)).is_err());
        assert!(attempts.passkey(address(2)).is_ok());
    }

    #[test]
    fn codes_are_few_and_recovery_codes_are_not_among_them() {
        let attempts = Attempts::new();

        let tries = (0..100).filter(|last| attempts.code(7, address(*last)).is_ok());

        assert_eq!(tries.count(), 10);
        assert!(attempts.recovery_code(address(1)).is_ok());
        assert!(attempts.code(8, address(1)).is_ok());
    }

    #[test]
    fn what_is_refused_by_one_bucket_takes_from_no_other() {
        let attempts = Attempts::new();
        let (narrow, wide) = ((Kind::Pair, 1), (Kind::Address, 2));
        while attempts.take_at(vec![narrow], 0).is_ok() {}

        for _ in 0..1000 {
            assert!(attempts.take_at(vec![wide, narrow], 0).is_err());
        }

        assert!(attempts.take_at(vec![wide], 0).is_ok());
        assert!(attempts.take_at(vec![narrow], MINUTE_NS).is_ok(), "a minute later there is room for one");
        assert!(attempts.take_at(vec![narrow], MINUTE_NS).is_err());
    }
}
