//! Rows of number and quantity parameters.
//!
//! A Range stands as its two ends, an open end as infinity, each marked as what it is: `gt` and `lt` ask for an end beyond
//! the value, `sa` for a low end beyond it, `eb` for a high one.
//!
//! What has a UCUM code is found by amounts in other units: all of a dimension are compared in one unit, that which
//! records mostly have. What is written in another stands once more in that one; see decision 24.
//!
//! Spec: R4 search.html#number, #quantity

use serde_json::Value;

use crate::fhir::ucum::{self, Conversion, Exact};
use crate::search::ExtractContext;
use crate::search::extract::{Element, Shape};
use crate::store::{Edge, QuantityRow, Side};

/// The system of currency codes, implied by Money.
const CURRENCIES: &str = "urn:iso:std:iso:4217";

/// The system of the rows that no record has written. It is no URL, so that no record and no search names it by chance.
pub(in crate::search) const CANONICAL_SYSTEM: &str = "ucum canonical";

pub(super) fn index(param: i16, element: &Element<'_>, context: &ExtractContext<'_>, rows: &mut Vec<QuantityRow>) {
    let Some(element) = element.unwrapped() else { return };
    let mut writer = Writer { param, side: Side::Whole, context, rows };
    match element.shape {
        Shape::Number => writer.bare(number(Some(element.value))),
        Shape::Quantity => {
            let value = element.value.get("value");
            writer.quantity(&element, number(value), || exact(value));
        }
        Shape::Money => writer.money(&element),
        Shape::Range => {
            let end =
                |name| element.value.get(name).map(|value| Element { shape: Shape::Quantity, value_set: None, value });
            let (low, high) = (end("low"), end("high"));
            let value = |end: &Option<Element<'_>>| end.and_then(|end| number(end.value.get("value")));
            if value(&low).is_none() && value(&high).is_none() {
                return;
            }
            let ends = [(low, high, f64::NEG_INFINITY, Side::Low), (high, low, f64::INFINITY, Side::High)];
            for (end, other, open, side) in ends {
                writer.side = side;
                // Both have the same unit, says the specification; it may be that only one says which.
                let has_code = |end: &Element<'_>| end.text("code").is_some();
                let Some(unit) = end.filter(has_code).or(other.filter(has_code)).or(end).or(other) else { continue };
                match end.map(|end| end.value.get("value")) {
                    Some(written) if value(&end).is_some() => {
                        writer.quantity(&unit, number(written), || exact(written));
                    }
                    _ => writer.open_end(&unit, open),
                }
            }
        }
        Shape::SampledData => sampled(&element, &mut writer),
        _ => {}
    }
}

/// A series stands as its lowest and its highest sample.
fn sampled(element: &Element<'_>, writer: &mut Writer<'_>) {
    let Some(origin) = element.value.get("origin") else { return };
    let origin = Element { shape: Shape::Quantity, value_set: None, value: origin };
    let Some(zero) = number(origin.value.get("value")) else { return };
    let factor = number(element.value.get("factor")).unwrap_or(1.0);
    // E (error), U (above what can be measured) and L (below) stand for no number.
    let samples = element.text("data").unwrap_or_default().split_ascii_whitespace();
    let ends = samples
        .filter_map(|text| Some((text.parse::<f64>().ok().filter(|sample| sample.is_finite())?, text)))
        .map(|sample| (sample, sample))
        .reduce(|(low, high), (sample, _)| {
            (if sample.0 < low.0 { sample } else { low }, if sample.0 > high.0 { sample } else { high })
        });
    let Some((low, high)) = ends else { return };
    let exact_zero = exact(origin.value.get("value"));
    let exact_factor = exact(element.value.get("factor"));
    for (sample, text) in [low, high] {
        let exact = exact_zero.as_ref().zip(Exact::parse(text)).map(|(zero, sample)| {
            zero.plus(&exact_factor.as_ref().map_or_else(|| sample.clone(), |factor| sample.times(factor)))
        });
        let value = exact.as_ref().map_or_else(|| zero + sample * factor, Exact::to_f64);
        writer.quantity(&origin, Some(value), || exact);
    }
}

/// Makes one row of those that differ by their sides alone: where one Range ends and another begins, or where a Range has
/// no extent, a value stands that is all of something. Sorted, as `IndexRows::normalize` leaves them.
pub(super) fn join_sides(rows: &mut Vec<QuantityRow>) {
    rows.dedup_by(|later, first| {
        let key = |row: &QuantityRow| (row.param, row.value.to_bits(), row.code, row.system);
        let is_same = key(later) == key(first);
        if is_same {
            (first.side, first.edge) = (Side::Whole, first.edge.min(later.edge));
        }
        is_same
    });
}

fn number(value: Option<&Value>) -> Option<f64> {
    value?.as_f64().filter(|number| number.is_finite())
}

/// The number as written; `None` where [`number`] has none.
fn exact(value: Option<&Value>) -> Option<Exact> {
    number(value)?;
    Exact::parse(value?.as_number()?.as_str())
}

/// The way into the unit of the index; `None` when `unit` is that unit, or no UCUM that is understood.
fn conversion(unit: &Element<'_>) -> Option<Conversion> {
    let code = unit.text("code").filter(|_| unit.text("system") == Some(ucum::SYSTEM))?;
    ucum::usual(code).filter(|conversion| conversion.unit() != code)
}

struct Writer<'a> {
    param: i16,
    side: Side,
    context: &'a ExtractContext<'a>,
    rows: &'a mut Vec<QuantityRow>,
}

impl Writer<'_> {
    fn bare(&mut self, value: Option<f64>) {
        self.row(value, None, None, Edge::Both);
    }

    /// Under its code, under the unit for people where that is another text ("`5.4||mg` .. either the code or the
    /// stated human unit"), and in the unit of the index, where it has a UCUM code of another one.
    fn quantity(&mut self, unit: &Element<'_>, value: Option<f64>, exact: impl FnOnce() -> Option<Exact>) {
        self.written(unit, value);
        if let Some(conversion) = conversion(unit)
            && let Some(exact) = exact()
        {
            self.canonical(&conversion, conversion.apply(&exact));
        }
    }

    /// An end of a Range that is not there is infinite in any unit.
    fn open_end(&mut self, unit: &Element<'_>, infinity: f64) {
        self.written(unit, Some(infinity));
        if let Some(conversion) = conversion(unit) {
            self.canonical(&conversion, infinity);
        }
    }

    fn written(&mut self, unit: &Element<'_>, value: Option<f64>) {
        let (code, system, display) = (unit.text("code"), unit.text("system"), unit.text("unit"));
        self.row(value, code, system, Edge::Both);
        if display.is_some() && display != code {
            self.row(value, display, None, Edge::Both);
        }
    }

    /// Nothing is sorted by such a row.
    fn canonical(&mut self, conversion: &Conversion, value: f64) {
        self.row(Some(value), Some(conversion.unit()), Some(CANONICAL_SYSTEM), Edge::Neither);
    }

    fn money(&mut self, element: &Element<'_>) {
        let currency = element.text("currency");
        self.row(number(element.value.get("value")), currency, currency.map(|_| CURRENCIES), Edge::Both);
    }

    fn row(&mut self, value: Option<f64>, code: Option<&str>, system: Option<&str>, edge: Edge) {
        let hash = |text: Option<&str>| text.map_or(0, |text| self.context.hasher.text(text));
        // Adding 0 turns -0 into 0, so that the two are one key.
        let Some(value) = value.filter(|value| !value.is_nan()).map(|value| value + 0.0) else { return };
        let (code, system) = (hash(code), hash(system));
        self.rows.push(QuantityRow { param: self.param, value, code, system, edge, side: self.side });
    }
}
