//! Decimals as written: `1.00` is not `1.0`.
//!
//! Spec: R4 datatypes.html#decimal, search.html#number

use thiserror::Error;

/// A decimal, its digits kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Decimal {
    value: f64,
    /// Half of the last written digit's unit: 0.05 for `5.4`, 0.005 for `5.40`, 0.5 for `100`, 50 for `1e2`.
    half_step: f64,
}

/// The text is no decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a number is written like 5.40, -3 or 1.2e-3")]
pub struct NotADecimal;

impl Decimal {
    /// Parses `text` as FHIR and search write numbers; infinities and NaN are refused.
    pub fn parse(text: &str) -> Result<Decimal, NotADecimal> {
        let _ = text;
        todo!()
    }

    /// The nearest double.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The span of values that the written precision stands for, lower bound included, upper excluded.
    pub fn implicit_range(&self) -> (f64, f64) {
        (self.value - self.half_step, self.value + self.half_step)
    }
}
