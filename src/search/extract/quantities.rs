//! Rows of number and quantity parameters.
//!
//! A Range stands as its two ends, an open end as infinity: the comparisons then hold for it, but for `sa` and `eb`,
//! which see it as `gt` and `lt` do.
//!
//! What has a UCUM code stands once more in the canonical unit, so that it is found by amounts in other units.
//!
//! Spec: R4 search.html#number, #quantity

use serde_json::Value;

use crate::fhir::ucum::{self, Exact};
use crate::search::ExtractContext;
use crate::search::extract::{Element, Shape};
use crate::store::{Edge, QuantityRow};

/// The system of currency codes, implied by Money.
const CURRENCIES: &str = "urn:iso:std:iso:4217";

/// The system of rows in canonical units. It is no URL, so that no resource and no search can name it by chance.
pub(in crate::search) const CANONICAL_SYSTEM: &str = "ucum canonical";

pub(super) fn index(param: i16, element: &Element<'_>, context: &ExtractContext<'_>, rows: &mut Vec<QuantityRow>) {
    let Some(element) = element.unwrapped() else { return };
    let mut writer = Writer { param, context, rows };
    match element.shape {
        Shape::Number => writer.bare(number(Some(element.value))),
        Shape::Quantity => {
            let value = element.value.get("value");
            writer.quantity(&element, number(value));
            if let Some(exact) = exact(value) {
                writer.canonical(&element, |conversion| conversion.apply(&exact));
            }
        }
        Shape::Money => writer.money(&element),
        Shape::Range => {
            let end =
                |name| element.value.get(name).map(|value| Element { shape: Shape::Quantity, value_set: None, value });
            let (low, high) = (end("low"), end("high"));
            let value = |end: &Option<Element<'_>>| end.and_then(|end| number(end.value.get("value")));
            let Some(unit) = low.or(high) else { return };
            match (value(&low), value(&high)) {
                (None, None) => {}
                (from, to) => {
                    writer.quantity(&unit, Some(from.unwrap_or(f64::NEG_INFINITY)));
                    writer.quantity(&unit, Some(to.unwrap_or(f64::INFINITY)));
                    for (end, other, open) in [(low, high, f64::NEG_INFINITY), (high, low, f64::INFINITY)] {
                        let has_code = |end: &Element<'_>| end.text("code").is_some();
                        let Some(unit) = end.filter(has_code).or(other) else { continue };
                        let exact = end.and_then(|end| exact(end.value.get("value")));
                        writer.canonical(&unit, |conversion| exact.map_or(open, |exact| conversion.apply(&exact)));
                    }
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
        writer.quantity(&origin, Some(zero + sample * factor));
        if let (Some(zero), Some(sample)) = (&exact_zero, Exact::parse(text)) {
            let scaled = exact_factor.as_ref().map_or_else(|| sample.clone(), |factor| sample.times(factor));
            writer.canonical(&origin, |conversion| conversion.apply(&zero.plus(&scaled)));
        }
    }
}

fn number(value: Option<&Value>) -> Option<f64> {
    value?.as_f64().filter(|number| number.is_finite())
}

/// The number as written; `None` where [`number`] has none.
fn exact(value: Option<&Value>) -> Option<Exact> {
    number(value)?;
    Exact::parse(value?.as_number()?.as_str())
}

struct Writer<'a> {
    param: i16,
    context: &'a ExtractContext<'a>,
    rows: &'a mut Vec<QuantityRow>,
}

impl Writer<'_> {
    fn bare(&mut self, value: Option<f64>) {
        self.row(value, None, None);
    }

    /// Under its code, and under the unit for people where that is another text: "`5.4||mg` .. either the code or the
    /// stated human unit".
    fn quantity(&mut self, unit: &Element<'_>, value: Option<f64>) {
        let (code, system, display) = (unit.text("code"), unit.text("system"), unit.text("unit"));
        self.row(value, code, system);
        if display.is_some() && display != code {
            self.row(value, display, None);
        }
    }

    /// In the canonical unit, if `unit` has a UCUM code that is understood. Nothing is sorted by this row.
    fn canonical(&mut self, unit: &Element<'_>, amount: impl FnOnce(&ucum::Conversion) -> f64) {
        if unit.text("system") != Some(ucum::SYSTEM) {
            return;
        }
        let Some(conversion) = unit.text("code").and_then(ucum::canonical) else { return };
        let hash = |text| self.context.hasher.text(text);
        let (code, system) = (hash(conversion.unit()), hash(CANONICAL_SYSTEM));
        let value = amount(&conversion);
        self.rows.push(QuantityRow { param: self.param, value, code, system, edge: Edge::Neither });
    }

    fn money(&mut self, element: &Element<'_>) {
        let currency = element.text("currency");
        self.row(number(element.value.get("value")), currency, currency.map(|_| CURRENCIES));
    }

    fn row(&mut self, value: Option<f64>, code: Option<&str>, system: Option<&str>) {
        let hash = |text: Option<&str>| text.map_or(0, |text| self.context.hasher.text(text));
        // Adding 0 turns -0 into 0, so that the two are one key.
        let Some(value) = value.filter(|value| !value.is_nan()).map(|value| value + 0.0) else { return };
        let (code, system) = (hash(code), hash(system));
        self.rows.push(QuantityRow { param: self.param, value, code, system, edge: Edge::Both });
    }
}
