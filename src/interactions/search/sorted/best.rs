//! The first matches after a position, out of many that come in any order.

use std::cmp::Ordering;

use crate::search::{Order, Place, SortValue};

/// So many more than are wanted are held before the last ones are dropped.
const SLACK: usize = 1000;

/// The places that a page is made of.
pub(super) struct Best<'a> {
    pub(super) order: Order<'a>,
    after: Option<Place>,
    limit: usize,
    places: Vec<Place>,
}

impl<'a> Best<'a> {
    /// The first `limit` places behind `after`.
    pub(super) fn new(order: Order<'a>, after: Option<Place>, limit: usize) -> Best<'a> {
        Best { order, after, limit, places: Vec::new() }
    }

    /// The place behind which the page begins.
    pub(super) fn after(&self) -> Option<&Place> {
        self.after.as_ref()
    }

    /// How many places are wanted.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How many more places would fill the page.
    pub(super) fn missing(&self) -> usize {
        self.limit.saturating_sub(self.places.len())
    }

    pub(super) fn push(&mut self, place: Place) {
        if self.after.as_ref().is_none_or(|after| self.order.compare(&place, after).is_gt()) {
            self.places.push(place);
            if self.places.len() >= self.limit + SLACK {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        self.places.sort_unstable_by(|left, right| self.order.compare(left, right));
        self.places.truncate(self.limit);
    }

    /// The last place that is wanted, when there are as many as that.
    fn last(&mut self) -> Option<&Place> {
        self.cut();
        self.places.last().filter(|_| self.places.len() == self.limit)
    }

    /// Whether nothing behind `place` can be wanted any more.
    pub(super) fn is_full_up_to(&mut self, place: &Place) -> bool {
        let order = self.order;
        self.last().is_some_and(|last| order.compare(last, place).is_le())
    }

    /// Whether nothing can be wanted any more but what has a smaller first value than `value`.
    pub(super) fn is_full_before(&mut self, value: &SortValue) -> bool {
        let order = self.order;
        let is_before = |last: &Place| {
            order.compare_first(last.values.first().and_then(Option::as_ref), Some(value)) == Ordering::Less
        };
        self.last().is_some_and(is_before)
    }

    /// The numbers of the resources, in order.
    pub(super) fn into_rids(mut self) -> Vec<i64> {
        self.cut();
        self.places.into_iter().map(|place| place.rid).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{SortBy, SortKey};

    fn place(rid: i64, value: Option<i64>) -> Place {
        Place { rid, values: vec![value.map(SortValue::Instant)] }
    }

    #[test]
    fn of_many_places_the_first_after_the_position_stay() {
        let keys = [SortKey { by: SortBy::LastUpdated, is_descending: false }];
        let order = Order { keys: &keys, is_backward: false };
        let mut best = Best::new(order, Some(place(7, Some(7))), 3);
        for rid in (0..5000).rev() {
            best.push(place(rid, Some(rid)));
        }

        assert!(best.is_full_up_to(&place(10, Some(10))));
        assert!(!best.is_full_up_to(&place(9, Some(9))));
        assert!(best.is_full_before(&SortValue::Instant(11)));
        assert!(!best.is_full_before(&SortValue::Instant(10)));
        assert_eq!(best.into_rids(), [8, 9, 10]);
    }

    #[test]
    fn fewer_than_are_wanted_are_never_full() {
        let keys = [SortKey { by: SortBy::LastUpdated, is_descending: false }];
        let mut best = Best::new(Order { keys: &keys, is_backward: false }, None, 3);
        best.push(place(1, None));

        assert!(!best.is_full_up_to(&place(9, None)));
        assert_eq!(best.into_rids(), [1]);
    }
}
