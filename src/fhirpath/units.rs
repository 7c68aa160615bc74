//! Units of quantities: calendar words and UCUM codes.
//!
//! Spec: FHIRPath N1 #quantity, #time-valued-quantities

use std::sync::Arc;

use super::decimal::Decimal;
use super::temporal::CalendarUnit;

/// What a quantity counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// `day` or `days`, without quotes.
    Calendar(CalendarUnit),
    /// A UCUM code; `1` for plain numbers.
    Code(Arc<str>),
}

impl CalendarUnit {
    /// The unit that a keyword stands for, singular or plural.
    pub(super) fn named(word: &str) -> Option<CalendarUnit> {
        Some(match word {
            "year" | "years" => CalendarUnit::Year,
            "month" | "months" => CalendarUnit::Month,
            "week" | "weeks" => CalendarUnit::Week,
            "day" | "days" => CalendarUnit::Day,
            "hour" | "hours" => CalendarUnit::Hour,
            "minute" | "minutes" => CalendarUnit::Minute,
            "second" | "seconds" => CalendarUnit::Second,
            "millisecond" | "milliseconds" => CalendarUnit::Millisecond,
            _ => return None,
        })
    }

    /// In the singular.
    pub(super) fn word(self) -> &'static str {
        match self {
            CalendarUnit::Year => "year",
            CalendarUnit::Month => "month",
            CalendarUnit::Week => "week",
            CalendarUnit::Day => "day",
            CalendarUnit::Hour => "hour",
            CalendarUnit::Minute => "minute",
            CalendarUnit::Second => "second",
            CalendarUnit::Millisecond => "millisecond",
        }
    }

    /// The UCUM code of the same span; years and months differ from UCUM's means.
    pub(super) fn code(self) -> Option<&'static str> {
        Some(match self {
            CalendarUnit::Year | CalendarUnit::Month => return None,
            CalendarUnit::Week => "wk",
            CalendarUnit::Day => "d",
            CalendarUnit::Hour => "h",
            CalendarUnit::Minute => "min",
            CalendarUnit::Second => "s",
            CalendarUnit::Millisecond => "ms",
        })
    }
}

impl Unit {
    /// The unit of a plain number.
    pub(super) fn one() -> Unit {
        Unit::Code("1".into())
    }

    /// The unit for adding to dates; `None` for codes whose length is no calendar span.
    pub(super) fn calendar(&self) -> Option<CalendarUnit> {
        match self {
            Unit::Calendar(unit) => Some(*unit),
            Unit::Code(code) => match &**code {
                "wk" => Some(CalendarUnit::Week),
                "d" => Some(CalendarUnit::Day),
                "h" => Some(CalendarUnit::Hour),
                "min" => Some(CalendarUnit::Minute),
                "s" => Some(CalendarUnit::Second),
                "ms" => Some(CalendarUnit::Millisecond),
                word => CalendarUnit::named(word),
            },
        }
    }

    /// The UCUM code; `None` for calendar years and months.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Unit::Calendar(unit) => unit.code(),
            Unit::Code(code) => Some(code),
        }
    }
}

/// A unit in terms of base units: a factor, kept as a fraction so that nothing is rounded, and the powers of metre,
/// second, gram, kelvin, coulomb, candela, radian and mole.
#[derive(Clone, Copy)]
struct Measure {
    over: Decimal,
    under: Decimal,
    powers: [i8; 8],
}

const ONE: Measure = Measure { over: Decimal::integer(1), under: Decimal::integer(1), powers: [0; 8] };

/// How deep brackets of a unit may nest, and how many parts it may have.
const MAX_PARTS: usize = 16;

/// The values of both in one unit; `None` when the units measure different things or are not known.
pub(super) fn aligned(left: &(Decimal, Unit), right: &(Decimal, Unit)) -> Option<(Decimal, Decimal)> {
    if left.1 == right.1 {
        return Some((left.0, right.0));
    }
    let (code, other) = (left.1.code()?, right.1.code()?);
    if code == other {
        return Some((left.0, right.0));
    }
    let (measure, other) = (measure(code)?, measure(other)?);
    if measure.powers != other.powers {
        return None;
    }
    let left = left.0.multiply(measure.over)?.multiply(other.under)?;
    Some((left, right.0.multiply(other.over)?.multiply(measure.under)?))
}

/// Whether both are the same when the more precise one is rounded to the precision of the other, in that one's unit.
pub(super) fn similar(left: &(Decimal, Unit), right: &(Decimal, Unit)) -> bool {
    let rounded_as = |model: &(Decimal, Unit), other: &(Decimal, Unit)| {
        let (factor, other_factor) = aligned(&(Decimal::integer(1), model.1.clone()), &(other.0, other.1.clone()))?;
        Some(other_factor.divide(factor)?.rounded(model.0.trimmed().scale()) == model.0)
    };
    rounded_as(left, right) == Some(true) || rounded_as(right, left) == Some(true)
}

/// Years and months of the calendar as those of UCUM; other units as they are.
pub(super) fn loosened(unit: &Unit) -> Unit {
    match unit {
        Unit::Calendar(CalendarUnit::Year) => Unit::Code("a".into()),
        Unit::Calendar(CalendarUnit::Month) => Unit::Code("mo".into()),
        other => other.clone(),
    }
}

/// The unit of a product or quotient; `None` for calendar years and months.
pub(super) fn combined(left: &Unit, right: &Unit, is_quotient: bool) -> Option<Unit> {
    let (left, right) = (left.code()?, right.code()?);
    let code = match (left, right, is_quotient) {
        (left, "1", _) => left.to_owned(),
        ("1", right, false) => right.to_owned(),
        (left, right, true) if left == right => "1".to_owned(),
        (left, right, false) => format!("{left}.({right})"),
        (left, right, true) => format!("{left}/({right})"),
    };
    (code.len() <= 200).then(|| Unit::Code(code.into()))
}

fn measure(code: &str) -> Option<Measure> {
    let mut parts = 0;
    let (measure, rest) = product(code, &mut parts)?;
    rest.is_empty().then_some(measure)
}

/// Terms joined by `.` and `/`, up to a closing bracket or the end.
fn product<'t>(text: &'t str, parts: &mut usize) -> Option<(Measure, &'t str)> {
    let mut result = ONE;
    let (mut rest, mut is_divided) = match text.strip_prefix('/') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    loop {
        *parts += 1;
        if *parts > MAX_PARTS {
            return None;
        }
        let term;
        (term, rest) = match rest.strip_prefix('(') {
            Some(inner) => {
                let (measure, after) = product(inner, parts)?;
                (measure, after.strip_prefix(')')?)
            }
            None => {
                let length = rest.find(['.', '/', ')', '(']).unwrap_or(rest.len());
                (component(&rest[..length])?, &rest[length..])
            }
        };
        let (over, under) = if is_divided { (term.under, term.over) } else { (term.over, term.under) };
        (result.over, result.under) = (result.over.multiply(over)?, result.under.multiply(under)?);
        for (power, change) in result.powers.iter_mut().zip(term.powers) {
            *power = if is_divided { power.checked_sub(change)? } else { power.checked_add(change)? };
        }
        (rest, is_divided) = match rest.as_bytes().first() {
            Some(b'.') => (&rest[1..], false),
            Some(b'/') => (&rest[1..], true),
            _ => return Some((result, rest)),
        };
    }
}

/// An atom with or without prefix and exponent, such as `cm`, `m2`, `10*3`.
fn component(text: &str) -> Option<Measure> {
    // An annotation in braces counts nothing.
    let text = match text.split_once('{') {
        Some(("", _)) => "1",
        Some((unit, _)) => unit,
        None => text,
    };
    if let Some(power) = text.strip_prefix("10*").or_else(|| text.strip_prefix("10^")) {
        let factor = Decimal::parse(&format!("1e{}", power.parse::<i8>().ok()?))?;
        return Some(Measure { over: factor, ..ONE });
    }
    if let Ok(factor) = text.parse::<u32>() {
        return Some(Measure { over: Decimal::integer(i64::from(factor)), ..ONE });
    }
    let name = text.trim_end_matches(|last: char| last.is_ascii_digit());
    let exponent = &text[name.len()..];
    let (name, is_negative) = match name.strip_suffix(['-', '+']) {
        Some(shorter) => (shorter, name.ends_with('-')),
        None => (name, false),
    };
    let exponent: i8 = if exponent.is_empty() { 1 } else { exponent.parse().ok().filter(|power| *power <= 9)? };
    let base = atom(name).or_else(|| prefixed(name))?;
    let (mut over, mut under) = (Decimal::integer(1), Decimal::integer(1));
    for _ in 0..exponent {
        (over, under) = (over.multiply(base.over)?, under.multiply(base.under)?);
    }
    if is_negative {
        std::mem::swap(&mut over, &mut under);
    }
    let mut powers = [0; 8];
    for (power, one) in powers.iter_mut().zip(base.powers) {
        *power = one.checked_mul(if is_negative { -exponent } else { exponent })?;
    }
    Some(Measure { over, under, powers })
}

fn prefixed(name: &str) -> Option<Measure> {
    let (prefix, rest) = if let Some(rest) = name.strip_prefix("da") {
        ("1e1", rest)
    } else {
        let mut letters = name.chars();
        let factor = match letters.next()? {
            'T' => "1e12",
            'G' => "1e9",
            'M' => "1e6",
            'k' => "1e3",
            'h' => "1e2",
            'd' => "1e-1",
            'c' => "1e-2",
            'm' => "1e-3",
            'u' => "1e-6",
            'n' => "1e-9",
            'p' => "1e-12",
            'f' => "1e-15",
            _ => return None,
        };
        (factor, letters.as_str())
    };
    if !matches!(
        rest,
        "m" | "s"
            | "g"
            | "K"
            | "C"
            | "L"
            | "l"
            | "mol"
            | "eq"
            | "Pa"
            | "N"
            | "J"
            | "W"
            | "Hz"
            | "m[Hg]"
            | "kat"
            | "cal"
            | "bar"
            | "t"
            | "V"
            | "A"
            | "cd"
    ) {
        return None;
    }
    let base = atom(rest)?;
    Some(Measure { over: Decimal::parse(prefix)?.multiply(base.over)?, ..base })
}

/// The units that health data uses, as factor and powers of base units.
fn atom(name: &str) -> Option<Measure> {
    let (factor, powers) = match name {
        "m" => ("1", [1, 0, 0, 0, 0, 0, 0, 0]),
        "[in_i]" => ("0.0254", [1, 0, 0, 0, 0, 0, 0, 0]),
        "[ft_i]" => ("0.3048", [1, 0, 0, 0, 0, 0, 0, 0]),
        "[mi_i]" => ("1609.344", [1, 0, 0, 0, 0, 0, 0, 0]),
        "L" | "l" => ("0.001", [3, 0, 0, 0, 0, 0, 0, 0]),
        "s" => ("1", [0, 1, 0, 0, 0, 0, 0, 0]),
        "min" => ("60", [0, 1, 0, 0, 0, 0, 0, 0]),
        "h" => ("3600", [0, 1, 0, 0, 0, 0, 0, 0]),
        "d" => ("86400", [0, 1, 0, 0, 0, 0, 0, 0]),
        "wk" => ("604800", [0, 1, 0, 0, 0, 0, 0, 0]),
        "mo" => ("2629800", [0, 1, 0, 0, 0, 0, 0, 0]),
        "a" => ("31557600", [0, 1, 0, 0, 0, 0, 0, 0]),
        "Hz" => ("1", [0, -1, 0, 0, 0, 0, 0, 0]),
        "g" => ("1", [0, 0, 1, 0, 0, 0, 0, 0]),
        "t" => ("1000000", [0, 0, 1, 0, 0, 0, 0, 0]),
        "[lb_av]" => ("453.59237", [0, 0, 1, 0, 0, 0, 0, 0]),
        "[oz_av]" => ("28.349523125", [0, 0, 1, 0, 0, 0, 0, 0]),
        "K" => ("1", [0, 0, 0, 1, 0, 0, 0, 0]),
        "C" => ("1", [0, 0, 0, 0, 1, 0, 0, 0]),
        "A" => ("1", [0, -1, 0, 0, 1, 0, 0, 0]),
        "V" => ("1000", [2, -2, 1, 0, -1, 0, 0, 0]),
        "cd" => ("1", [0, 0, 0, 0, 0, 1, 0, 0]),
        "rad" => ("1", [0, 0, 0, 0, 0, 0, 1, 0]),
        "mol" | "eq" => ("1", [0, 0, 0, 0, 0, 0, 0, 1]),
        "kat" => ("1", [0, -1, 0, 0, 0, 0, 0, 1]),
        "N" => ("1000", [1, -2, 1, 0, 0, 0, 0, 0]),
        "Pa" => ("1000", [-1, -2, 1, 0, 0, 0, 0, 0]),
        "bar" => ("100000000", [-1, -2, 1, 0, 0, 0, 0, 0]),
        "m[Hg]" => ("133322000", [-1, -2, 1, 0, 0, 0, 0, 0]),
        "J" => ("1000", [2, -2, 1, 0, 0, 0, 0, 0]),
        "cal" => ("4184", [2, -2, 1, 0, 0, 0, 0, 0]),
        "W" => ("1000", [2, -3, 1, 0, 0, 0, 0, 0]),
        "%" => ("0.01", [0; 8]),
        "1" => ("1", [0; 8]),
        _ => return None,
    };
    Some(Measure { over: Decimal::parse(factor)?, powers, ..ONE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(value: &str, code: &str) -> (Decimal, Unit) {
        (Decimal::parse(value).unwrap(), Unit::Code(code.into()))
    }

    #[test]
    fn units_of_one_dimension_are_aligned() {
        let cases = [
            (("4", "g"), ("4000", "mg"), true),
            (("1", "[in_i]"), ("2.54", "cm"), true),
            (("0.04", "m2"), ("4", "cm.(m)"), true),
            (("1", "mmol/L"), ("1", "umol/mL"), true),
            (("60", "/min"), ("1", "s-1"), true),
            (("1", "kg"), ("1", "[lb_av]"), false),
        ];

        for ((value, code), (other, other_code), are_equal) in cases {
            let aligned = aligned(&quantity(value, code), &quantity(other, other_code)).unwrap();
            assert_eq!(aligned.0 == aligned.1, are_equal, "{value} {code} and {other} {other_code}");
        }
    }

    #[test]
    fn what_is_unknown_or_of_another_dimension_is_not_comparable() {
        let nested = format!("{}m{}", "(".repeat(1000), ")".repeat(1000));
        for (code, other) in [("g", "m"), ("Cel", "K"), ("furlong", "m"), (&*nested, "m"), ("m/", "m"), ("10*999", "1")]
        {
            assert!(aligned(&quantity("1", code), &quantity("1", other)).is_none(), "{code} and {other}");
        }
    }
}
