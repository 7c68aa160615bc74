//! Equality of JSON values as `test` means it: members in any order, numbers by their value.
//!
//! Spec: RFC 6902 section 4.6

use serde_json::Value;

/// True when both values are the same JSON; `1`, `1.0` and `10e-1` are one number.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => same_number(left.as_str(), right.as_str()),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

fn same_number(left: &str, right: &str) -> bool {
    if left == right {
        return true;
    }
    match (Scientific::read(left), Scientific::read(right)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

/// A number without the freedoms of its spelling: digits without zeros at either end, times ten to `exponent`.
#[derive(PartialEq)]
struct Scientific {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Scientific {
    /// `None` for an exponent beyond 64 bits: such numbers are equal only when written alike.
    fn read(text: &str) -> Option<Scientific> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).skip_while(|&digit| digit == b'0').collect();
        let mut exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let significant = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        exponent = exponent.checked_add(i64::try_from(digits.len() - significant).ok()?)?;
        digits.truncate(significant);
        if digits.is_empty() {
            return Some(Scientific { negative: false, digits, exponent: 0 });
        }
        Some(Scientific { negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_equal_by_value_not_by_spelling() {
        for (left, right) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("1e+2", "1E2"),
            ("0.10", "1e-1"),
            ("0", "-0.0"),
            ("0e7", "0"),
            ("-5", "-5.00"),
        ] {
            assert!(same(&read(left), &read(right)), "{left} {right}");
        }
        for (left, right) in [("1", "-1"), ("1", "10"), ("1.01", "1.1"), ("12", "1.2"), ("1", "\"1\""), ("0", "false")]
        {
            assert!(!same(&read(left), &read(right)), "{left} {right}");
        }
    }

    #[test]
    fn numbers_with_exponents_beyond_measure_are_compared_without_being_computed() {
        assert!(same(&read("1e999999999"), &read("10e999999998")));
        assert!(same(&read("1e99999999999999999999"), &read("1e99999999999999999999")));
        assert!(!same(&read("1e99999999999999999999"), &read("10e99999999999999999998")));
    }

    #[test]
    fn the_order_of_members_is_no_difference_but_that_of_items_is() {
        assert!(same(&read(r#"{"a":1,"b":[2.0]}"#), &read(r#"{"b":[2],"a":1.0}"#)));
        assert!(!same(&read("[1,2]"), &read("[2,1]")));
        assert!(!same(&read(r#"{"a":1}"#), &read(r#"{"a":1,"b":null}"#)));
    }
}
