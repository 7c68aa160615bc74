//! Places of which there are so many and no more: what finds none is turned away before it takes any memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
}
