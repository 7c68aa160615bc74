//! Units of measure: from a UCUM code to its canonical unit, by which amounts are compared, and the exact way there.
//!
//! Spec: UCUM 2.2 (ucum.org/ucum); R4 search.html#quantity

mod atoms;
mod exact;
mod natural;
mod parse;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use exact::Exact;

use atoms::Atoms;

/// The system of UCUM codes.
pub const SYSTEM: &str = "http://unitsofmeasure.org";

static ATOMS: LazyLock<Atoms> = LazyLock::new(Atoms::load);

/// The units that records of health mostly have, one of a dimension.
const USUAL: &[&str] = &[
    "%", "/min", "Cel", "U/L", "[diop]", "cm", "dB", "fL", "kg", "kg/m2", "m[IU]/L", "mL/min", "mV", "mg/dL", "mm/h",
    "mm[Hg]", "mmol/L", "mosm/kg",
];

/// The usual units with their conversions, by canonical unit.
static USUAL_WAYS: LazyLock<HashMap<String, (&'static str, Conversion)>> = LazyLock::new(|| {
    let ways = USUAL.iter().filter_map(|code| canonical(code).map(|way| (way.unit.clone(), (*code, way))));
    ways.collect()
});

/// The way from a unit to the canonical unit of its dimension.
#[derive(Clone, Debug)]
pub struct Conversion {
    unit: String,
    /// Above zero.
    factor: Exact,
    /// What is added after the factor; only scales with a zero of their own, such as degrees Celsius, have it.
    offset: Option<Exact>,
}

/// The conversion for a case sensitive code; `None` when it is no UCUM, or longer or deeper than any unit in use.
///
/// Arbitrary units (`[iU]`) and levels (`[pH]`, `dB`) are dimensions of their own. Units of a scale that has no ratios
/// (degrees, levels) take no part in products, as UCUM says: `W/Cel` is not understood.
pub fn canonical(code: &str) -> Option<Conversion> {
    let unit = parse::unit(code, &ATOMS)?;
    Some(Conversion { unit: unit.text(), factor: unit.factor, offset: unit.offset })
}

/// The conversion into the unit that amounts of the dimension mostly have, such as `mm[Hg]` of pressures; into the
/// canonical unit where no unit is usual. Amounts with the same [`Conversion::unit`] can be compared here, too.
///
/// An amount that has this unit already stays the number that it is.
pub fn usual(code: &str) -> Option<Conversion> {
    let conversion = canonical(code)?;
    Some(match USUAL_WAYS.get(&conversion.unit) {
        Some((unit, way)) => conversion.back(way, unit),
        None => conversion,
    })
}

impl Conversion {
    /// From the unit to the canonical one, and from there the way back of `other`, which comes from `unit`.
    fn back(self, other: &Conversion, unit: &str) -> Conversion {
        let divisor = other.factor.clone().inverted();
        let offset = match (self.offset, &other.offset) {
            (None, None) => None,
            (here, there) => {
                let zero = || Exact::parse("0");
                let difference = here.or_else(zero).zip(there.clone().or_else(zero)).map(|(a, b)| a.minus(&b));
                difference.map(|difference| difference.times(&divisor))
            }
        };
        Conversion { unit: unit.to_owned(), factor: self.factor.times(&divisor), offset }
    }

    /// The unit that amounts are converted into, the same text for all units of a dimension. The canonical one is made
    /// of base units in the order of bytes, such as `g.m-1.s-2`; it is `1` for plain numbers.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// An amount in that unit.
    pub fn exact(&self, value: &Exact) -> Exact {
        let scaled = value.times(&self.factor);
        self.offset.as_ref().map_or_else(|| scaled.clone(), |offset| scaled.plus(offset))
    }

    /// An amount in that unit, rounded once to the nearest double: equal amounts in different units give the
    /// same. Infinite when it is beyond all doubles.
    pub fn apply(&self, value: &Exact) -> f64 {
        self.exact(value).to_f64()
    }

    /// What one of this unit is in `other`, as numerator and denominator. `None` when they measure different things,
    /// when one counts from a zero of its own, or when the fraction does not fit.
    pub fn ratio_to(&self, other: &Conversion) -> Option<(i128, i128)> {
        if self.unit != other.unit || self.offset.is_some() || other.offset.is_some() {
            return None;
        }
        self.factor.times(&other.factor.clone().inverted()).reduced()
    }
}

#[cfg(test)]
mod tests;
