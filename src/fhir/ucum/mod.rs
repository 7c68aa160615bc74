//! Units of measure: from a UCUM code to its canonical unit, by which amounts are compared, and the exact way there.
//!
//! Spec: UCUM 2.1 (ucum.org/ucum), with the mole and the atomic mass unit of 2.2; R4 search.html#quantity

mod atoms;
mod exact;
mod natural;
mod parse;

use std::sync::LazyLock;

pub use exact::Exact;

use atoms::Atoms;

/// The system of UCUM codes.
pub const SYSTEM: &str = "http://unitsofmeasure.org";

static ATOMS: LazyLock<Atoms> = LazyLock::new(Atoms::load);

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

impl Conversion {
    /// The canonical unit, the same text for all units of a dimension: base units in the order of bytes, such as
    /// `g.m-1.s-2`; `1` for plain numbers.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// An amount in the canonical unit.
    pub fn exact(&self, value: &Exact) -> Exact {
        let scaled = value.times(&self.factor);
        self.offset.as_ref().map_or_else(|| scaled.clone(), |offset| scaled.plus(offset))
    }

    /// An amount in the canonical unit, rounded once to the nearest double: equal amounts in different units give the
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
