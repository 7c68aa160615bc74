//! Units of quantities: calendar words and UCUM codes.
//!
//! Spec: FHIRPath N1 #quantity, #time-valued-quantities

use std::cmp::Ordering;
use std::sync::Arc;

use super::decimal::Decimal;
use super::temporal::CalendarUnit;
use crate::fhir::ucum::{self, Exact};

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

/// The values of both in one unit; `None` when the units measure different things, are not known, or count from zeros of
/// their own (degrees Celsius and kelvin), so that none is a multiple of the other.
pub(super) fn aligned(left: &(Decimal, Unit), right: &(Decimal, Unit)) -> Option<(Decimal, Decimal)> {
    if left.1 == right.1 {
        return Some((left.0, right.0));
    }
    let (code, other) = (left.1.code()?, right.1.code()?);
    if code == other {
        return Some((left.0, right.0));
    }
    let (over, under) = ucum::canonical(code)?.ratio_to(&ucum::canonical(other)?)?;
    Some((left.0.multiply(Decimal::new(over, 0))?, right.0.multiply(Decimal::new(under, 0))?))
}

/// Which amount is larger; `None` when the units measure different things or are not known.
pub(super) fn compare(left: &(Decimal, Unit), right: &(Decimal, Unit)) -> Option<Ordering> {
    if left.1 == right.1 {
        return Some(left.0.cmp(&right.0));
    }
    let (code, other) = (left.1.code()?, right.1.code()?);
    if code == other {
        return Some(left.0.cmp(&right.0));
    }
    let (conversion, other) = (ucum::canonical(code)?, ucum::canonical(other)?);
    if conversion.unit() != other.unit() {
        return None;
    }
    let exact = |value: Decimal| Exact::parse(&value.to_string());
    Some(conversion.exact(&exact(left.0)?).cmp(&other.exact(&exact(right.0)?)))
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
            let order = compare(&quantity(value, code), &quantity(other, other_code));
            assert_eq!(order == Some(Ordering::Equal), are_equal, "{value} {code} and {other} {other_code}");
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

    #[test]
    fn degrees_are_compared_though_they_are_no_multiples() {
        let (body, fever) = (quantity("37.0", "Cel"), quantity("102.2", "[degF]"));

        assert_eq!(compare(&body, &quantity("98.6", "[degF]")), Some(Ordering::Equal));
        assert_eq!(compare(&body, &fever), Some(Ordering::Less));
        assert_eq!(compare(&body, &quantity("310", "K")), Some(Ordering::Greater));
        assert_eq!(compare(&body, &quantity("310", "g")), None);
        assert!(aligned(&body, &fever).is_none());
    }
}
