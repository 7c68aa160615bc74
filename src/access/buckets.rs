//! How often somebody may do something: a bucket for each, from which each time takes one and which time fills again.
//!
//! Of a bucket only the moment is kept when it will be full, so that all of them are a table of fixed size. Where a new one
//! finds no place, the one that is nearest to being full is forgotten: that gives least away.

use std::sync::{Mutex, PoisonError};

/// Buckets that are looked through for one.
const WAYS: usize = 8;

/// How much a bucket holds, and how soon it is full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// After so many nanoseconds there is room for one more.
    pub step_ns: u64,
    /// An empty bucket is full again after so many.
    pub full_ns: u64,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// Whose it is; 0 is nobody's.
    key: u64,
    full_ns: u64,
}

/// A table of buckets, by hashes of those whose they are.
pub struct Buckets(Box<[Mutex<[Bucket; WAYS]>]>);

impl Buckets {
    /// Room for eight times as many as `sets`.
    pub fn new(sets: usize) -> Buckets {
        Buckets((0..sets).map(|_| Mutex::default()).collect())
    }

    /// Takes one from the bucket of `key`; if that is empty, tells for how many nanoseconds it is.
    pub fn take(&self, key: u64, measure: Measure, now_ns: u64) -> Result<(), u64> {
        self.with(key, |bucket| {
            let full_ns = bucket.full_ns.max(now_ns) + measure.step_ns;
            match (full_ns - now_ns).checked_sub(measure.full_ns) {
                Some(wait_ns) if wait_ns > 0 => Err(wait_ns),
                _ => {
                    bucket.full_ns = full_ns;
                    Ok(())
                }
            }
        })
    }

    /// Puts one back.
    pub fn give_back(&self, key: u64, measure: Measure) {
        self.with(key, |bucket| bucket.full_ns = bucket.full_ns.saturating_sub(measure.step_ns));
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
    /// Sixty a minute.
    const MEASURE: Measure = Measure { step_ns: SECOND, full_ns: 60 * SECOND };

    #[test]
    fn a_bucketful_may_come_at_once_and_the_rest_as_time_passes() {
        let buckets = Buckets::new(1);

        assert!((0..60).all(|_| buckets.take(7, MEASURE, SECOND).is_ok()));
        assert_eq!(buckets.take(7, MEASURE, SECOND), Err(SECOND));
        assert_eq!(buckets.take(7, MEASURE, SECOND + SECOND / 2), Err(SECOND / 2));
        assert_eq!(buckets.take(7, MEASURE, 2 * SECOND), Ok(()));
        assert!(buckets.take(7, MEASURE, 2 * SECOND).is_err());
        assert_eq!(buckets.take(8, MEASURE, 2 * SECOND), Ok(()), "another's is full");
        buckets.give_back(7, MEASURE);
        assert_eq!(buckets.take(7, MEASURE, 2 * SECOND), Ok(()));
        assert!((0..60).all(|_| buckets.take(7, MEASURE, 1000 * SECOND).is_ok()), "full again, and no fuller");
        assert!(buckets.take(7, MEASURE, 1000 * SECOND).is_err());
    }

    #[test]
    fn the_table_does_not_grow_and_forgets_the_fullest_first() {
        let buckets = Buckets::new(1);
        while buckets.take(1, MEASURE, 0).is_ok() {}

        for key in 2..1000 {
            assert_eq!(buckets.take(key, MEASURE, 0), Ok(()));
        }

        assert_eq!(buckets.0.len(), 1);
        assert!(buckets.take(1, MEASURE, 0).is_err(), "whoever has used up all is remembered longest");
    }
}
