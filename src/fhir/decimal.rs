//! Decimals as written: `1.00` is not `1.0`.
//!
//! Spec: R4 datatypes.html#decimal, search.html#number

use thiserror::Error;

/// A decimal with the precision that it was written in.
#[derive(Clone, Debug, PartialEq)]
pub struct Decimal {
    value: f64,
    /// Half a unit of the last written digit below `value`: 5.35 for `5.4`, 5.395 for `5.40`, 99.5 for `100`.
    low: f64,
    /// Half a unit of the last written digit above `value`.
    high: f64,
    last_place: i32,
}

/// The text is no decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a number is written like 5.40, -3 or 1.2e-3")]
pub struct NotADecimal;

impl Decimal {
    /// Parses `text` as FHIR and search write numbers; infinities and NaN are refused.
    ///
    /// An exponent counts as written precision: `1.0e2` stands for 95 to 105, `100` and `1.00e2` for 99.5 to 100.5. A
    /// lone digit with an exponent is read with one digit more: R4 prints 95 to 105 for `1e2`, where its own rule
    /// would give 50 to 150.
    pub fn parse(text: &str) -> Result<Decimal, NotADecimal> {
        let (digits, last_place) = scan(text.as_bytes()).ok_or(NotADecimal)?;
        let value: f64 = text.parse().map_err(|_| NotADecimal)?;
        if !value.is_finite() {
            return Err(NotADecimal);
        }
        // One more digit makes the halves whole numbers, so that 5.4 begins at 5.35 and not just above it.
        let widened = digits.map(|digits| (digits * 10, last_place - 1));
        let (low, high) = match widened {
            Some((digits, place)) => (scaled(digits - 5, place)?, scaled(digits + 5, place)?),
            None => {
                let half_step = scaled(5, last_place - 1)?;
                (value - half_step, value + half_step)
            }
        };
        if low.is_finite() && high.is_finite() {
            Ok(Decimal { value, low, high, last_place })
        } else {
            Err(NotADecimal)
        }
    }

    /// The nearest double.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The power of ten that the last written digit stands for: -2 for `5.40`.
    pub fn last_place(&self) -> i32 {
        self.last_place
    }

    /// The span of values that the written precision stands for, lower bound included, upper excluded.
    pub fn implicit_range(&self) -> (f64, f64) {
        (self.value.min(self.low), self.value.max(self.high))
    }
}

/// Checks the grammar; answers all digits as one signed whole number (`None` when it is too large) and the power of
/// ten that the last digit stands for, both as widened for a lone digit with an exponent.
fn scan(bytes: &[u8]) -> Option<(Option<i64>, i32)> {
    let negative = bytes.first() == Some(&b'-');
    let mut at = usize::from(negative);
    let mut digits = Some(0_i64);
    let mut run = |at: &mut usize| {
        let start = *at;
        while let Some(digit) = bytes.get(*at).filter(|byte| byte.is_ascii_digit()) {
            let digit = i64::from(digit - b'0');
            // Two digits are kept in reserve for the bounds.
            digits = digits.filter(|digits| *digits < i64::MAX / 1000).map(|digits| digits * 10 + digit);
            *at += 1;
        }
        *at - start
    };

    let whole = run(&mut at);
    let leading_zero = whole > 1 && bytes[at - whole] == b'0';
    if whole == 0 || leading_zero {
        return None;
    }
    let mut fraction = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        fraction = run(&mut at);
        if fraction == 0 {
            return None;
        }
    }
    let mut exponent = 0_i32;
    let has_exponent = matches!(bytes.get(at), Some(b'e' | b'E'));
    if has_exponent {
        at += 1;
        let downwards = bytes.get(at) == Some(&b'-');
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        let start = at;
        while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            // Far beyond what a double can hold, and far from an overflow below.
            exponent = exponent.saturating_mul(10).saturating_add(i32::from(digit - b'0')).min(1_000_000);
            at += 1;
        }
        if at == start {
            return None;
        }
        if downwards {
            exponent = -exponent;
        }
    }
    if at != bytes.len() {
        return None;
    }
    let mut last_place = exponent.saturating_sub(i32::try_from(fraction).ok()?).max(-1_000_000_000);
    if has_exponent && whole + fraction == 1 {
        digits = digits.map(|digits| digits * 10);
        last_place -= 1;
    }
    let digits = if negative { digits.map(|digits| -digits) } else { digits };
    Some((digits, last_place))
}

/// `digits` times ten to the power of `place`, rounded once.
fn scaled(digits: i64, place: i32) -> Result<f64, NotADecimal> {
    const EXACT: u64 = 1 << 53;
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ];
    match POWERS.get(place.unsigned_abs() as usize) {
        // Both operands are exact, so the one operation rounds once.
        Some(power) if digits.unsigned_abs() <= EXACT => {
            Ok(if place < 0 { digits as f64 / power } else { digits as f64 * power })
        }
        _ => format!("{digits}e{place}").parse().map_err(|_| NotADecimal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_precision_sets_the_implicit_range() {
        let cases = [
            ("5.4", 5.4, 5.35, 5.45),
            ("5.40", 5.4, 5.395, 5.405),
            ("100", 100.0, 99.5, 100.5),
            ("1e2", 100.0, 95.0, 105.0),
            ("1.0e2", 100.0, 95.0, 105.0),
            ("8e-1", 0.8, 0.795, 0.805),
            ("1.00E+2", 100.0, 99.5, 100.5),
            ("-3", -3.0, -3.5, -2.5),
            ("0", 0.0, -0.5, 0.5),
            ("-0.0", 0.0, -0.05, 0.05),
            ("1.2e-3", 0.0012, 0.00115, 0.00125),
            ("0.1", 0.1, 0.05, 0.15),
            ("185", 185.0, 184.5, 185.5),
            ("1e30", 1e30, 9.5e29, 1.05e30),
        ];
        for (text, value, low, high) in cases {
            let decimal = Decimal::parse(text).unwrap();

            assert_eq!(decimal.value(), value, "{text}");
            assert_eq!(decimal.implicit_range(), (low, high), "{text}");
            assert_eq!((high - low).log10().round() as i32, decimal.last_place(), "{text}");
        }
    }

    #[test]
    fn a_range_always_contains_its_value() {
        for text in ["123456789012345678901234567890.5", "9007199254740993", "1e-320", "0.00000000000000000000000001"] {
            let decimal = Decimal::parse(text).unwrap();

            let (low, high) = decimal.implicit_range();

            assert!(low <= decimal.value() && decimal.value() <= high, "{text}");
        }
    }

    #[test]
    fn what_json_calls_no_number_is_refused() {
        let cases = [
            "", "-", "+1", "01", "-01", ".5", "5.", "1e", "1e+", "1.e2", "1,5", " 1", "1 ", "0x10", "NaN", "inf",
            "Infinity", "1e999", "-1e999", "0e999999", "1_000", "1.2.3", "--1", "٣",
        ];
        for text in cases {
            assert_eq!(Decimal::parse(text), Err(NotADecimal), "{text}");
        }
    }
}
