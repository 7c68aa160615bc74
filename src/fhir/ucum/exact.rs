//! Fractions: a written number and the factor of a unit without any rounding.

use std::cmp::Ordering;

use super::natural::Natural;

/// A fraction of whole numbers.
#[derive(Clone, Debug)]
pub struct Exact {
    is_negative: bool,
    over: Natural,
    /// Never zero.
    under: Natural,
}

/// Digits beyond these are left out: they tell nothing that a double could.
const MAX_DIGITS: usize = 1000;
/// What is scaled further is zero or infinite as a double, whatever the unit.
const MAX_EXPONENT: i32 = 2000;
/// The most binary digits that either side of a unit's factor may have.
const MAX_FACTOR_BITS: usize = 2048;

impl Exact {
    pub(super) fn fraction(over: u64, under: u64) -> Option<Exact> {
        let (over, under) = (Natural::from_u64(over), Natural::from_u64(under));
        (!under.is_zero()).then_some(Exact { is_negative: false, over, under })
    }

    pub fn one() -> Exact {
        Exact { is_negative: false, over: Natural::from_u64(1), under: Natural::from_u64(1) }
    }

    /// Reads a number as JSON, search and SampledData write it (`.5` stands in the latter); `None` when it is none.
    pub fn parse(text: &str) -> Option<Exact> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, written_exponent(exponent)?),
            None => (text, 0),
        };
        let (is_negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        if fraction.is_empty() && (whole.is_empty() || unsigned.contains('.')) {
            return None;
        }
        let mut digits = Natural::from_u64(0);
        let mut dropped = 0_i32;
        let mut count = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            if count == MAX_DIGITS {
                dropped = dropped.saturating_add(1);
                continue;
            }
            digits.multiply_add(10, u64::from(byte - b'0'));
            // Zeros in front are no digits yet.
            count += usize::from(!digits.is_zero());
        }
        let place = exponent.saturating_sub(i32::try_from(fraction.len()).unwrap_or(i32::MAX));
        Some(Exact::scaled(is_negative, digits, place.saturating_add(dropped)))
    }

    /// Half of ten to the power of `place`: what a number whose last digit stands there leaves open.
    ///
    /// Spec: R4 search.html#number
    pub fn half_step(place: i32) -> Exact {
        Exact::scaled(false, Natural::from_u64(5), place.saturating_sub(1))
    }

    /// `digits` times ten to the power of `place`.
    fn scaled(is_negative: bool, digits: Natural, place: i32) -> Exact {
        let power = Natural::power_of_ten(place.unsigned_abs().min(MAX_EXPONENT.unsigned_abs()));
        let (over, under) = if place < 0 { (digits, power) } else { (digits.times(&power), Natural::from_u64(1)) };
        Exact { is_negative, over, under }
    }

    pub fn times(&self, other: &Exact) -> Exact {
        Exact {
            is_negative: self.is_negative != other.is_negative,
            over: self.over.times(&other.over),
            under: self.under.times(&other.under),
        }
    }

    pub fn plus(&self, other: &Exact) -> Exact {
        let (left, right) = (self.over.times(&other.under), other.over.times(&self.under));
        let under = self.under.times(&other.under);
        if self.is_negative == other.is_negative {
            return Exact { is_negative: self.is_negative, over: left.plus(&right), under };
        }
        let (is_negative, mut over, less) =
            if left < right { (other.is_negative, right, left) } else { (self.is_negative, left, right) };
        over.subtract(&less);
        Exact { is_negative, over, under }
    }

    pub fn minus(&self, other: &Exact) -> Exact {
        self.plus(&other.negated())
    }

    fn negated(&self) -> Exact {
        Exact { is_negative: !self.is_negative, ..self.clone() }
    }

    /// A tenth of it, without its sign.
    pub fn tenth(&self) -> Exact {
        Exact { is_negative: false, over: self.over.clone(), under: self.under.times(&Natural::from_u64(10)) }
    }

    /// The product with the factor of a unit; `None` when the result is longer than a factor may be.
    pub(super) fn factor_times(&self, other: &Exact) -> Option<Exact> {
        let product = self.times(other);
        (product.over.bits().max(product.under.bits()) <= MAX_FACTOR_BITS).then_some(product)
    }

    /// One divided by itself, which must not be zero.
    pub(super) fn inverted(self) -> Exact {
        Exact { over: self.under, under: self.over, ..self }
    }

    /// Itself to the power of `exponent`; `None` when the result is longer than a factor may be.
    pub(super) fn power(&self, exponent: u16) -> Option<Exact> {
        if self.over.is_one() && self.under.is_one() {
            return Some(self.clone());
        }
        let mut power = Exact::one();
        for _ in 0..exponent {
            power = power.factor_times(self)?;
        }
        Some(power)
    }

    /// The nearest double, the even one of two that are equally near; infinite when it is beyond all doubles.
    pub fn to_f64(&self) -> f64 {
        // Enough binary digits that the last one only tells whether anything follows.
        const DIGITS: i64 = 66;
        if self.over.is_zero() {
            return 0.0;
        }
        let length = |of: &Natural| i64::try_from(of.bits()).unwrap_or(i64::MAX / 2);
        let shift = DIGITS - (length(&self.over) - length(&self.under));
        let places = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
        let divided = if shift >= 0 {
            self.over.shifted(places).quotient(&self.under)
        } else {
            self.over.clone().quotient(&self.under.shifted(places))
        };
        // The lengths differ by the digits asked for, so that there always is a quotient.
        let Some((quotient, is_whole)) = divided else { return f64::NAN };
        let magnitude = scaled_by_two((quotient | u128::from(!is_whole)) as f64, -shift);
        if self.is_negative { -magnitude } else { magnitude }
    }

    /// Both sides without common divisors; `None` when one does not fit.
    pub(super) fn reduced(&self) -> Option<(i128, i128)> {
        if self.over.is_zero() {
            return Some((0, 1));
        }
        let common = self.over.common_divisor(&self.under);
        let side = |of: &Natural| i128::try_from(of.clone().quotient(&common)?.0).ok();
        let over = side(&self.over)?;
        Some((if self.is_negative { -over } else { over }, side(&self.under)?))
    }
}

/// The digits after `e`, as far as they matter.
fn written_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Too many digits for the type are far beyond any bound.
    let exponent = digits.parse().unwrap_or(i32::MAX / 2).min(i32::MAX / 2);
    Some(if text.starts_with('-') { -exponent } else { exponent })
}

/// `value` times two to the power of `exponent`, in steps that themselves are doubles.
fn scaled_by_two(mut value: f64, mut exponent: i64) -> f64 {
    /// Two to this power, and one divided by it, are exact.
    const STEP: i64 = 1000;
    let power = |exponent: i64| f64::from_bits(((1023 + exponent) as u64) << 52);
    while exponent.abs() > STEP && value != 0.0 && value.is_finite() {
        let step = STEP * exponent.signum();
        value *= power(step);
        exponent -= step;
    }
    if exponent.abs() > STEP { value } else { value * power(exponent) }
}

impl PartialEq for Exact {
    /// By value, as in `1/2 = 2/4`.
    fn eq(&self, other: &Exact) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Exact) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Exact) -> Ordering {
        let difference = self.minus(other);
        match (difference.over.is_zero(), difference.is_negative) {
            (true, _) => Ordering::Equal,
            (false, true) => Ordering::Less,
            (false, false) => Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_written_number_becomes_the_double_that_the_standard_library_reads() {
        let texts = [
            "0",
            "-0.0",
            "1",
            "0.1",
            "-5.40",
            "1e23",
            "8.5e22",
            "9007199254740993",
            "9007199254740992.5",
            "9007199254740993.00000000000000000001",
            "123456789012345678901234567890.5",
            "1e-320",
            "4.9e-324",
            "1e-400",
            "1.7976931348623157e308",
            "1e309",
            "-1e309",
            "1e999999999999",
            "1e-999999999999",
            "0e999999999999",
            "2.2250738585072014e-308",
            "0.30000000000000004",
            "1E+2",
            "-.5",
            "0.000000000000000000000000001",
        ];
        for text in texts {
            assert_eq!(exact(text).to_f64(), text.parse::<f64>().unwrap(), "{text}");
        }
        let long = format!("0.{}", "123456789".repeat(500));
        assert_eq!(exact(&long).to_f64(), long.parse::<f64>().unwrap());
        assert_eq!(exact(&"9".repeat(5000)).to_f64(), f64::INFINITY);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1.", "1e", "1e+", "1e1.5", "e5", "1,5", "NaN", "inf", "0x1", "--1", "1e++1", "٣"] {
            assert!(Exact::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(exact("0.1").plus(&exact("0.2")), exact("0.3"));
        assert_eq!(exact("1").minus(&exact("1.5")), exact("-0.5"));
        assert_eq!(exact("-0.5").times(&exact("-4")), exact("2"));
        assert!(exact("-2") < exact("-1.9") && exact("-1") < exact("0") && exact("0.1") < exact("0.10000000000000001"));
        assert_eq!(exact("0.5").inverted().reduced(), Some((2, 1)));
        assert_eq!(exact("-0.75").reduced(), Some((-3, 4)));
        assert_eq!(exact("1e60").reduced(), None);
        assert_eq!((exact("-37").tenth(), exact("0").tenth()), (exact("3.7"), exact("0")));
        assert_eq!((Exact::half_step(0), Exact::half_step(-2)), (exact("0.5"), exact("0.005")));
    }

    #[test]
    fn factors_stay_short() {
        assert!(exact("10").power(600).is_some());
        assert!(exact("10").power(700).is_none());
        assert!(Exact::one().power(u16::MAX).is_some());
    }
}
