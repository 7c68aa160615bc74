//! The prefixes of dates and numbers as ranges that an index row lies in.
//!
//! Spec: R4 search.html#prefix, #date, #number

use crate::fhir::Interval;
use crate::search::{DateValue, Prefix, QuantityValue};

/// What a date row must meet: `lo_from <= lo < lo_to` and `hi_from < hi <= hi_to`. The widest bounds ask for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateBox {
    pub lo_from: i64,
    pub lo_to: i64,
    pub hi_from: i64,
    pub hi_to: i64,
}

impl DateBox {
    const ALL: DateBox = DateBox { lo_from: i64::MIN, lo_to: i64::MAX, hi_from: i64::MIN, hi_to: i64::MAX };

    /// Whether a row lies in it.
    pub(super) fn has(&self, lo: i64, hi: i64) -> bool {
        (self.lo_from == i64::MIN || lo >= self.lo_from)
            && (self.lo_to == i64::MAX || lo < self.lo_to)
            && (self.hi_from == i64::MIN || hi > self.hi_from)
            && (self.hi_to == i64::MAX || hi <= self.hi_to)
    }
}

/// The boxes in which a row for `value` may lie; one of them is enough.
///
/// An empty side of a Period stands in the row as the end of time, so that it is beyond any date.
pub(super) fn date_boxes(value: &DateValue, now_us: i64, zone_minutes: i16, boxes: &mut Vec<DateBox>) {
    let Interval { lo_us: lo, hi_us: hi } = value.interval(zone_minutes);
    let all = DateBox::ALL;
    match value.prefix {
        // A row is never empty, so that one which ends by `hi` begins before it: a range for the index.
        Prefix::Eq => boxes.push(DateBox { lo_from: lo, lo_to: hi, hi_to: hi, ..all }),
        Prefix::Ne => boxes.extend([DateBox { lo_to: lo, ..all }, DateBox { hi_from: hi, ..all }]),
        Prefix::Gt => boxes.push(DateBox { hi_from: hi, ..all }),
        Prefix::Lt => boxes.push(DateBox { lo_to: lo, ..all }),
        // "the range above .. intersects, or the range of the search value fully contains": what begins within and
        // ends within is left once those that end beyond are taken.
        Prefix::Ge => boxes.extend([DateBox { lo_from: lo, ..all }, DateBox { hi_from: hi, ..all }]),
        Prefix::Le => boxes.extend([DateBox { lo_to: lo, ..all }, DateBox { lo_to: hi, hi_to: hi, ..all }]),
        Prefix::Sa => boxes.push(DateBox { lo_from: hi, ..all }),
        Prefix::Eb => boxes.push(DateBox { lo_to: lo, hi_to: lo, ..all }),
        Prefix::Ap => {
            let gap = if now_us < lo { lo.saturating_sub(now_us) } else { now_us.saturating_sub(hi).max(0) };
            let slack = gap / 10;
            boxes.push(DateBox { lo_to: hi.saturating_add(slack), hi_from: lo.saturating_sub(slack), ..all });
        }
    }
}

/// The box of rows that hold all of the span of `value`.
pub(super) fn covering(value: &DateValue, zone_minutes: i16) -> DateBox {
    let Interval { lo_us: lo, hi_us: hi } = value.interval(zone_minutes);
    DateBox { lo_to: lo.saturating_add(1), hi_from: hi.saturating_sub(1), ..DateBox::ALL }
}

/// The box of rows that have an instant in common with the span of `value`.
pub(super) fn overlapping(value: &DateValue, zone_minutes: i16) -> DateBox {
    let Interval { lo_us: lo, hi_us: hi } = value.interval(zone_minutes);
    DateBox { lo_to: hi, hi_from: lo, ..DateBox::ALL }
}

/// A range of values: `from <= value < to`; `None` asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ValueRange {
    pub from: Option<f64>,
    pub to: Option<f64>,
}

/// The ranges in which a number for `value` may lie; one of them is enough.
///
/// Only `eq`, `ne` and `ap` take the written precision into account; "if a comparison prefix .. is provided, the
/// implicit precision of the number is ignored". They are ranges of the unit of the index, if the code has one.
///
/// Rows and bounds are exact numbers, each rounded once to the nearest double. That keeps their order, so that an amount
/// on a bound is on it in whatever unit; only what differs by less than a double can tell counts as the same.
pub(super) fn value_ranges(quantity: &QuantityValue) -> Vec<ValueRange> {
    let (value, (low, high), (near_low, near_high)) = match &quantity.canonical {
        Some(canonical) => (canonical.value, canonical.implicit, canonical.near),
        None => {
            let slack = quantity.value.abs() / 10.0;
            (quantity.value, quantity.implicit, (quantity.value - slack, quantity.value + slack))
        }
    };
    let range = |from, to| ValueRange { from, to };
    // More digits than a double has leave no room between the two: the value itself is always within.
    let high = high.max(value.next_up());
    match quantity.prefix {
        Prefix::Eq => vec![range(Some(low), Some(high))],
        Prefix::Ne => vec![range(None, Some(low)), range(Some(high), None)],
        Prefix::Gt | Prefix::Sa => vec![range(Some(value.next_up()), None)],
        Prefix::Lt | Prefix::Eb => vec![range(None, Some(value))],
        Prefix::Ge => vec![range(Some(value), None)],
        Prefix::Le => vec![range(None, Some(value.next_up()))],
        Prefix::Ap => vec![range(Some(low.min(near_low)), Some(high.max(near_high.next_up())))],
    }
}
