//! Exact decimal arithmetic.
//!
//! Spec: FHIRPath N1 #decimal (at least 18 significant digits, 8 of them after the point)

use std::cmp::Ordering;
use std::fmt;

/// How many digits after the point a division may yield.
const DIVISION_SCALE: u8 = 16;
/// Digits after the point beyond this are refused.
const MAX_SCALE: u8 = 28;

/// `digits` divided by ten to the `scale`; the scale is kept as written, so that `1.50` prints as `1.50`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    digits: i128,
    scale: u8,
}

fn power_of_ten(exponent: u8) -> Option<i128> {
    10i128.checked_pow(u32::from(exponent))
}

impl Decimal {
    /// Reads a number as JSON or FHIRPath write it; `None` when it is none or has more digits than fit.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (is_negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        if whole.is_empty() || (fraction.is_empty() && unsigned.contains('.')) {
            return None;
        }
        let mut digits: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            digits = digits.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        }
        let digits = if is_negative { -digits } else { digits };
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        if scale < 0 {
            let factor = power_of_ten(u8::try_from(scale.unsigned_abs()).ok()?)?;
            return Some(Decimal { digits: digits.checked_mul(factor)?, scale: 0 });
        }
        let scale = u8::try_from(scale).ok().filter(|scale| *scale <= MAX_SCALE)?;
        Some(Decimal { digits, scale })
    }

    pub(super) const fn integer(value: i64) -> Decimal {
        Decimal { digits: value as i128, scale: 0 }
    }

    /// The nearest decimal to a result of floating point; `None` for infinities and what is not a number.
    pub(super) fn from_f64(value: f64) -> Option<Decimal> {
        // Fifteen significant digits are what a double is sure of.
        if !value.is_finite() {
            return None;
        }
        Decimal::parse(&format!("{value:.14e}"))
            .map(Decimal::trimmed)
            .or_else(|| Decimal::parse(&format!("{value:.8}")))
    }

    pub(super) fn to_f64(self) -> f64 {
        self.digits as f64 / 10f64.powi(i32::from(self.scale))
    }

    /// Digits after the point, as written.
    pub(super) fn scale(self) -> u8 {
        self.scale
    }

    /// The digits without the point.
    pub(super) fn digits(self) -> i128 {
        self.digits
    }

    /// `digits` with the point before the last `scale` of them.
    pub(super) fn new(digits: i128, scale: u8) -> Decimal {
        Decimal { digits, scale }
    }

    /// Without zeros at the end of the fraction.
    pub(super) fn trimmed(mut self) -> Decimal {
        while self.scale > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale -= 1;
        }
        self
    }

    fn aligned(self, other: Decimal) -> Option<(i128, i128, u8)> {
        let scale = self.scale.max(other.scale);
        let left = self.digits.checked_mul(power_of_ten(scale - self.scale)?)?;
        let right = other.digits.checked_mul(power_of_ten(scale - other.scale)?)?;
        Some((left, right, scale))
    }

    /// `None` here and below when the result does not fit.
    pub(super) fn add(self, other: Decimal) -> Option<Decimal> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Decimal { digits: left.checked_add(right)?, scale })
    }

    pub(super) fn negated(self) -> Decimal {
        Decimal { digits: self.digits.saturating_neg(), scale: self.scale }
    }

    pub(super) fn multiply(self, other: Decimal) -> Option<Decimal> {
        let (left, right) = (self.trimmed(), other.trimmed());
        let product = Decimal { digits: left.digits.checked_mul(right.digits)?, scale: left.scale + right.scale };
        Some(if product.scale > MAX_SCALE { product.rounded(MAX_SCALE) } else { product })
    }

    /// `None` also when `other` is zero.
    pub(super) fn divide(self, other: Decimal) -> Option<Decimal> {
        if other.digits == 0 {
            return None;
        }
        let (left, right) = (self.trimmed(), other.trimmed());
        for scale in [DIVISION_SCALE, 8, 0] {
            // left / 10^a / (right / 10^b) = left * 10^(scale + b - a) / right / 10^scale
            let shift = i32::from(scale) + i32::from(right.scale) - i32::from(left.scale);
            let factor = power_of_ten(u8::try_from(shift.unsigned_abs()).ok()?);
            let parts = if shift >= 0 {
                factor.and_then(|factor| Some((left.digits.checked_mul(factor)?, right.digits)))
            } else {
                factor.and_then(|factor| Some((left.digits, right.digits.checked_mul(factor)?)))
            };
            if let Some((numerator, denominator)) = parts {
                return Some(Decimal { digits: divided_half_up(numerator, denominator), scale }.trimmed());
            }
        }
        None
    }

    /// Quotient towards zero, and the rest.
    pub(super) fn divide_whole(self, other: Decimal) -> Option<(Decimal, Decimal)> {
        let (left, right, scale) = self.aligned(other)?;
        let quotient = left.checked_div(right)?;
        Some((Decimal { digits: quotient, scale: 0 }, Decimal { digits: left.checked_rem(right)?, scale }))
    }

    /// To at most `scale` digits after the point, halves away from zero.
    pub(super) fn rounded(self, scale: u8) -> Decimal {
        if scale >= self.scale {
            return self;
        }
        match power_of_ten(self.scale - scale) {
            Some(factor) => Decimal { digits: divided_half_up(self.digits, factor), scale },
            None => Decimal { digits: 0, scale },
        }
    }

    /// The whole number next to this one downwards.
    pub(super) fn floor(self) -> Decimal {
        match power_of_ten(self.scale) {
            Some(factor) => Decimal { digits: self.digits.div_euclid(factor), scale: 0 },
            None => Decimal { digits: if self.digits < 0 { -1 } else { 0 }, scale: 0 },
        }
    }

    pub(super) fn ceiling(self) -> Decimal {
        self.negated().floor().negated()
    }

    /// Towards zero.
    pub(super) fn truncated(self) -> Decimal {
        if self.digits < 0 { self.ceiling() } else { self.floor() }
    }

    /// The value as a whole number; `None` when it has a fraction or does not fit.
    pub(super) fn to_i64(self) -> Option<i64> {
        let trimmed = self.trimmed();
        (trimmed.scale == 0).then(|| i64::try_from(trimmed.digits).ok()).flatten()
    }
}

fn divided_half_up(numerator: i128, denominator: i128) -> i128 {
    let (quotient, rest) = (numerator.wrapping_div(denominator), numerator.wrapping_rem(denominator));
    let away = if (numerator < 0) == (denominator < 0) { 1 } else { -1 };
    if rest.unsigned_abs() >= denominator.unsigned_abs() - rest.unsigned_abs() { quotient + away } else { quotient }
}

impl PartialEq for Decimal {
    /// By value: `1.50` equals `1.5`.
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        match self.aligned(*other) {
            Some((left, right, _)) => left.cmp(&right),
            // So far apart that one of them overflows the other's scale.
            None => self.to_f64().total_cmp(&other.to_f64()),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(formatter, "{}", self.digits);
        }
        let sign = if self.digits < 0 { "-" } else { "" };
        let width = usize::from(self.scale) + 1;
        let text = format!("{:0>width$}", self.digits.unsigned_abs());
        let (whole, fraction) = text.split_at(text.len() - usize::from(self.scale));
        write!(formatter, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn digits_are_kept_as_written() {
        for (text, printed) in
            [("1.50", "1.50"), ("-0.003", "-0.003"), ("12e2", "1200"), ("1.5E-3", "0.0015"), ("7", "7")]
        {
            assert_eq!(decimal(text).to_string(), printed);
        }
        for text in ["", "-", "1.", ".5", "1e400", "1e-400", "1,5", "NaN", "1e", &"9".repeat(60)] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(decimal("1.8").add(decimal("-1.2")), Some(decimal("0.6")));
        assert_eq!(decimal("1.2").multiply(decimal("1.8")), Some(decimal("2.16")));
        assert_eq!(decimal("1").divide(decimal("8")), Some(decimal("0.125")));
        assert_eq!(decimal("1.2").divide(decimal("1.8")).unwrap().to_string(), "0.6666666666666667");
        assert_eq!(decimal("1").divide(decimal("0.00")), None);
        let (quotient, rest) = decimal("2.2").divide_whole(decimal("1.8")).unwrap();
        assert_eq!((quotient, rest), (decimal("1"), decimal("0.4")));
        let huge = decimal(&"9".repeat(38));
        assert_eq!(huge.multiply(huge), None);
    }

    #[test]
    fn rounding_goes_the_way_that_its_name_says() {
        let cases = [("2.1", "2", "3", "2"), ("-2.1", "-3", "-2", "-2"), ("4", "4", "4", "4")];
        for (text, floor, ceiling, truncated) in cases {
            assert_eq!(decimal(text).floor(), decimal(floor));
            assert_eq!(decimal(text).ceiling(), decimal(ceiling));
            assert_eq!(decimal(text).truncated(), decimal(truncated));
        }
        for (text, scale, rounded) in [("3.14159", 3, "3.142"), ("-0.5", 0, "-1"), ("0.49", 0, "0"), ("1.5", 4, "1.5")]
        {
            assert_eq!(decimal(text).rounded(scale), decimal(rounded), "{text}");
        }
    }
}
