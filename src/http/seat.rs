//! Places of which there are so many and no more: what finds none is turned away before it takes any memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::http::HttpError;

/// A place that is taken; given back when dropped.
pub struct Seat(Arc<AtomicUsize>);

impl Seat {
    /// Takes one of `most` places, of which `taken` are taken.
    pub fn take(taken: &Arc<AtomicUsize>, most: usize) -> Result<Seat, HttpError> {
        let seat = Seat(Arc::clone(taken));
        if seat.0.fetch_add(1, Ordering::AcqRel) < most { Ok(seat) } else { Err(HttpError::Overloaded) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Places for work. Who finds none waits for one, behind all who came before.
///
/// Waiting costs next to nothing, while to turn a request away costs about as much as to answer it: a crowd that asks again at
/// once would leave no time for anything else.
pub struct Places {
    free: Arc<Semaphore>,
    patience: Duration,
}

/// A place for work that is taken; given back when dropped.
pub type Place = OwnedSemaphorePermit;

impl Places {
    pub fn new(most: usize, patience: Duration) -> Places {
        Places { free: Arc::new(Semaphore::new(most)), patience }
    }

    /// A place, as soon as there is one.
    pub async fn take(&self) -> Result<Place, HttpError> {
        let free = Arc::clone(&self.free);
        match Arc::clone(&free).try_acquire_owned() {
            Ok(place) => Ok(place),
            // The semaphore is never closed, so that an error is the time being up.
            Err(_) => timeout(self.patience, free.acquire_owned())
                .await
                .ok()
                .and_then(Result::ok)
                .ok_or(HttpError::Overloaded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_run_out_and_come_back() {
        let taken = Arc::new(AtomicUsize::new(9));

        let last = Seat::take(&taken, 10);

        assert!(last.is_ok());
        assert!(matches!(Seat::take(&taken, 10), Err(HttpError::Overloaded)));
        drop(last);
        assert!(Seat::take(&taken, 10).is_ok());
        assert_eq!(taken.load(Ordering::Acquire), 9);
    }

    #[actix_web::test]
    async fn who_finds_no_place_waits_for_one_but_not_for_ever() {
        let hasty = Places::new(1, Duration::from_millis(20));
        let patient = Places::new(1, Duration::from_secs(60));
        let (_kept, given_back) = (hasty.take().await.unwrap(), patient.take().await.unwrap());

        let (refused, (waited, ())) =
            tokio::join!(hasty.take(), async { tokio::join!(patient.take(), async { drop(given_back) }) });

        assert!(matches!(refused, Err(HttpError::Overloaded)));
        assert!(waited.is_ok());
    }
}
