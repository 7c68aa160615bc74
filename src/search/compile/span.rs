//! Where in the order of dates the matches of a search must lie, so that a walk reads no others.
//!
//! A row of a date is a span, and a resource may have several rows, so that in the order of beginnings the matches of
//! `ge2024` may lie anywhere. But nearly all rows are the only one of their resource and last no longer than a month: the
//! few others are known by an index of their own, and looked at one by one.
//!
//! Spec: R4 search.html#date

use crate::search::compile::boxes::DateBox;
use crate::search::compile::rows::{MAX_OR, boxes_of, in_boxes};
use crate::search::compile::{CompileContext, Walk};
use crate::search::{Condition, Criterion, Modifier, Parameter, ParameterKind, SearchRequest, Subject, Values};
use crate::store::Query;

/// A row that is longer stands in the index of those aside; the literal of the same value in [`ASIDE`] and in the
/// definition of that index.
const LONGEST_US: i64 = 31 * 86_400_000_000;
const ASIDE: &str = " AND i.rid > 0 AND (i.edge <> 0 OR i.lo_us < i.hi_us - 2678400000000) LIMIT ";

/// The beginnings of rows: from the first moment up to the second, which is beyond. Microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

/// What the criteria of a search ask of the parameter of a walk.
#[derive(Clone, Debug)]
pub struct DateBounds {
    /// Where the rows of all matches begin, but for those [`aside`].
    pub span: Span,
    /// Which of the demands these criteria are.
    pub places: Vec<usize>,
    /// For each of them where a row must lie.
    boxes: Vec<Vec<DateBox>>,
}

impl DateBounds {
    /// What the criteria of `request` ask of this parameter.
    pub fn of(request: &SearchRequest, parameter: &Parameter, context: &CompileContext<'_>) -> DateBounds {
        let (mut places, mut all) = (Vec::new(), Vec::new());
        for (place, demand) in request.demands.iter().enumerate() {
            if let Condition::Criterion(Criterion { subject: Subject::Index(of), modifier, values, .. }) =
                &demand.condition
                && of.id() == parameter.id()
                && *modifier != Some(Modifier::Missing)
                && let Values::Dates(dates) = values
            {
                places.push(place);
                all.push(boxes_of(dates, *modifier, context));
            }
        }
        let mut bounds = DateBounds { span: Span { from: i64::MIN, to: i64::MAX }, places, boxes: all };
        bounds.span = bounds.beginnings(LONGEST_US);
        bounds
    }

    /// Writes ` AND ..`: what [`admit`](Self::admit) tells, of a row `d`. `None` when that would be too long for a statement.
    pub(super) fn write(&self, query: &mut Query) -> Option<()> {
        for boxes in &self.boxes {
            if boxes.len() > MAX_OR {
                return None;
            }
            query.sql(" AND ");
            in_boxes(query, boxes, "d.lo_us", "d.hi_us");
        }
        Some(())
    }

    /// Where rows begin that meet the criteria and are no longer than this.
    pub fn beginnings(&self, longest_us: i64) -> Span {
        let mut span = Span { from: i64::MIN, to: i64::MAX };
        for boxes in &self.boxes {
            span.from = span.from.max(boxes.iter().map(|bounds| first(bounds, longest_us)).min().unwrap_or(i64::MIN));
            span.to = span.to.min(boxes.iter().map(end).max().unwrap_or(i64::MAX));
        }
        span
    }

    /// Whether a resource that has this row alone meets the criteria.
    pub fn admit(&self, lo_us: i64, hi_us: i64) -> bool {
        self.boxes.iter().all(|boxes| boxes.iter().any(|bounds| bounds.has(lo_us, hi_us)))
    }
}

/// What bounds the walk; `None` when its rows may begin anywhere.
pub fn bounds(request: &SearchRequest, walk: Walk<'_>, context: &CompileContext<'_>) -> Option<DateBounds> {
    let Walk::Parameter(parameter) = walk else { return None };
    if parameter.kind != ParameterKind::Date {
        return None;
    }
    let bounds = DateBounds::of(request, parameter, context);
    let span = bounds.span;
    let is_bounded = span.from != i64::MIN || span.to != i64::MAX;
    is_bounded.then_some(bounds)
}

/// The earliest beginning of a row that lies in the box and is no longer than `longest_us`.
fn first(bounds: &DateBox, longest_us: i64) -> i64 {
    bounds.lo_from.max(bounds.hi_from.saturating_sub(longest_us))
}

/// The first moment at which no row of the box begins: none is empty.
fn end(bounds: &DateBox) -> i64 {
    bounds.lo_to.min(bounds.hi_to)
}

/// The numbers of the resources that have several rows for the parameter, or a long one; no more than `limit`, some of them
/// several times.
pub fn aside(parameter: &Parameter, limit: usize) -> Query {
    let mut query = Query::new();
    query.sql("SELECT i.rid FROM index_date i WHERE i.param = ").integer(i64::from(parameter.id()));
    query.sql(ASIDE).integer(limit as i64);
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literal_is_the_longest_span() {
        assert!(ASIDE.contains(&format!("i.hi_us - {LONGEST_US})")));
    }

    #[test]
    fn a_row_that_may_have_begun_before_is_within() {
        let all = DateBox { lo_from: i64::MIN, lo_to: i64::MAX, hi_from: i64::MIN, hi_to: i64::MAX };

        assert_eq!(first(&DateBox { hi_from: 0, ..all }, LONGEST_US), -LONGEST_US);
        assert_eq!(first(&DateBox { lo_from: 5, hi_from: 0, ..all }, LONGEST_US), 5);
        assert_eq!(end(&DateBox { lo_to: 9, hi_to: 7, ..all }), 7);
        assert_eq!((first(&all, LONGEST_US), end(&all)), (i64::MIN, i64::MAX));
    }
}
