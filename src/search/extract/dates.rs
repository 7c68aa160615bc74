//! Rows of date parameters: every value is a span, a missing side of a Period is open.
//!
//! Spec: R4 search.html#date

use serde_json::Value;

use crate::fhir::{Interval, PartialDate};
use crate::search::ExtractContext;
use crate::search::extract::{Element, Shape};
use crate::store::{DateRow, Edge};

const OPEN_LO: i64 = i64::MIN;
const OPEN_HI: i64 = i64::MAX;

pub(super) fn index(param: i16, element: &Element<'_>, context: &ExtractContext<'_>, rows: &mut Vec<DateRow>) {
    let Some(element) = element.unwrapped() else { return };
    let interval = match element.shape {
        Shape::Date => date(Some(element.value), context),
        Shape::Period => period(element.value, context),
        Shape::Timing => timing(element.value, context),
        _ => None,
    };
    if let Some(Interval { lo_us, hi_us }) = interval {
        rows.push(DateRow { param, lo_us, hi_us, edge: Edge::Both });
    }
}

fn date(value: Option<&Value>, context: &ExtractContext<'_>) -> Option<Interval> {
    let date = PartialDate::parse(value?.as_str()?).ok()?;
    Some(date.interval(context.zone_minutes))
}

/// From the first moment that the start may mean to the last that the end may mean; a Period without both gives none.
fn period(value: &Value, context: &ExtractContext<'_>) -> Option<Interval> {
    let start = date(value.get("start"), context);
    let end = date(value.get("end"), context);
    let (lo_us, hi_us) = match (start, end) {
        (None, None) => return None,
        (start, end) => (start.map_or(OPEN_LO, |start| start.lo_us), end.map_or(OPEN_HI, |end| end.hi_us)),
    };
    (lo_us < hi_us).then_some(Interval { lo_us, hi_us })
}

/// "the specified scheduling details are ignored and only the outer limits matter".
fn timing(value: &Value, context: &ExtractContext<'_>) -> Option<Interval> {
    let events = value.get("event").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let bounds = value.get("repeat").and_then(|repeat| repeat.get("boundsPeriod"));
    let spans = events.iter().map(|event| date(Some(event), context));
    spans
        .chain([bounds.and_then(|bounds| period(bounds, context))])
        .flatten()
        .reduce(|left, right| Interval { lo_us: left.lo_us.min(right.lo_us), hi_us: left.hi_us.max(right.hi_us) })
}
