//! The primitive types: what their text or number must look like.
//!
//! Spec: R4 datatypes.html#primitive

use serde_json::Value;

use crate::fhir::{PartialDate, Precision};

/// Strings may be this long, in characters.
const LONGEST_STRING: usize = 1024 * 1024;

/// A primitive type of R4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

impl Primitive {
    /// The primitive type called `name`; `None` for all other types, which start with a capital letter.
    pub(super) fn of(name: &str) -> Option<Primitive> {
        Some(match name {
            "string" => Primitive::String,
            "code" => Primitive::Code,
            "uri" => Primitive::Uri,
            "boolean" => Primitive::Boolean,
            "dateTime" => Primitive::DateTime,
            "decimal" => Primitive::Decimal,
            "id" => Primitive::Id,
            "instant" => Primitive::Instant,
            "date" => Primitive::Date,
            "canonical" => Primitive::Canonical,
            "markdown" => Primitive::Markdown,
            "xhtml" => Primitive::Xhtml,
            "integer" => Primitive::Integer,
            "positiveInt" => Primitive::PositiveInt,
            "unsignedInt" => Primitive::UnsignedInt,
            "url" => Primitive::Url,
            "base64Binary" => Primitive::Base64Binary,
            "time" => Primitive::Time,
            "oid" => Primitive::Oid,
            "uuid" => Primitive::Uuid,
            _ => return None,
        })
    }

    /// What would be right.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Primitive::Base64Binary => "base64 content has A-Z a-z 0-9 + / in groups of four, padded with =",
            Primitive::Boolean => "a boolean is true or false, without quotes",
            Primitive::Canonical => "a canonical is a URL without spaces, with |version behind it if need be",
            Primitive::Code => "a code is not empty and has no spaces but single ones between its words",
            Primitive::Date => "a date is written YYYY, YYYY-MM or YYYY-MM-DD and exists in the calendar",
            Primitive::DateTime => {
                "a dateTime is written YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone, and exists in the calendar"
            }
            Primitive::Decimal => "a decimal is a JSON number, without quotes",
            Primitive::Id => "an id has 1 to 64 characters of A-Z, a-z, 0-9, '-' and '.'",
            Primitive::Instant => {
                "an instant is written YYYY-MM-DDThh:mm:ss.sss with a zone (Z or +hh:mm) and exists in the calendar"
            }
            Primitive::Integer => {
                "an integer is a JSON number from -2147483648 to 2147483647, without fraction or exponent"
            }
            Primitive::Markdown | Primitive::String => {
                "a string is not empty, not only spaces, at most 1048576 characters and free of control characters"
            }
            Primitive::Oid => "an oid is written urn:oid:1.2.3",
            Primitive::PositiveInt => {
                "a positiveInt is a JSON number from 1 to 2147483647, without fraction or exponent"
            }
            Primitive::Time => "a time is written hh:mm:ss",
            Primitive::UnsignedInt => {
                "an unsignedInt is a JSON number from 0 to 2147483647, without fraction or exponent"
            }
            Primitive::Uri => "a uri is not empty and has no spaces",
            Primitive::Url => "a url is not empty and has no spaces",
            Primitive::Uuid => "a uuid is written urn:uuid: and then 8-4-4-4-12 hexadecimal digits in lower case",
            Primitive::Xhtml => "xhtml is a string that holds one <div>",
        }
    }

    /// True when `value` is a value of this type. The content of xhtml is checked elsewhere.
    pub(super) fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Primitive::Boolean, Value::Bool(_)) => true,
            (Primitive::Decimal, Value::Number(_)) => true,
            (Primitive::Integer, Value::Number(number)) => number.as_str().parse::<i32>().is_ok(),
            (Primitive::UnsignedInt, Value::Number(number)) => whole_from(number.as_str(), 0),
            (Primitive::PositiveInt, Value::Number(number)) => whole_from(number.as_str(), 1),
            (_, Value::String(text)) => self.admits_text(text),
            _ => false,
        }
    }

    fn admits_text(self, text: &str) -> bool {
        match self {
            Primitive::Boolean | Primitive::Decimal => false,
            Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt => false,
            Primitive::String | Primitive::Markdown => is_string(text),
            Primitive::Code => is_code(text),
            Primitive::Uri | Primitive::Url | Primitive::Canonical => is_uri(text),
            Primitive::Id => is_id(text),
            Primitive::Date => PartialDate::parse(text).is_ok_and(|date| date.precision <= Precision::Day),
            Primitive::DateTime => PartialDate::parse(text).is_ok(),
            Primitive::Instant => PartialDate::parse(text)
                .is_ok_and(|date| date.precision >= Precision::Second && date.offset_minutes.is_some()),
            Primitive::Time => is_time(text),
            Primitive::Oid => is_oid(text),
            Primitive::Uuid => is_uuid(text),
            Primitive::Base64Binary => is_base64(text),
            Primitive::Xhtml => !text.trim().is_empty(),
        }
    }
}

/// 32 bits, no sign, no fraction, no exponent.
fn whole_from(digits: &str, least: u32) -> bool {
    digits.parse::<u32>().is_ok_and(|number| number >= least && number <= i32::MAX as u32)
}

fn is_string(text: &str) -> bool {
    // Control characters can't be written in XML, and PostgreSQL text can't hold the first of them.
    let clean = text.bytes().all(|byte| byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r'));
    let short = text.len() <= LONGEST_STRING || text.chars().count() <= LONGEST_STRING;
    clean && short && !text.trim_start().is_empty()
}

fn is_code(text: &str) -> bool {
    let mut after_space = true;
    for letter in text.chars() {
        let space = letter.is_whitespace();
        if letter.is_control() || (space && after_space) {
            return false;
        }
        after_space = space;
    }
    !after_space
}

fn is_uri(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
}

fn is_id(text: &str) -> bool {
    let clean = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    (1..=64).contains(&text.len()) && clean
}

/// `hh:mm:ss` with fractions; the 60th second is one that a leap second adds.
fn is_time(text: &str) -> bool {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (text, None),
    };
    let two = |digits: &[u8], most: u8| {
        digits.iter().all(u8::is_ascii_digit) && (digits[0] - b'0') * 10 + (digits[1] - b'0') <= most
    };
    let clock = clock.as_bytes();
    let fits = clock.len() == 8 && clock[2] == b':' && clock[5] == b':';
    let whole = fits && two(&clock[..2], 23) && two(&clock[3..5], 59) && two(&clock[6..], 60);
    whole && fraction.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// True when a `urn:uuid:` or `urn:oid:` is followed by what it announces. Any case will do: `uuid` alone asks for lower.
pub(super) fn is_urn(text: &str) -> bool {
    is_oid(text) || is_uuid(&text.to_ascii_lowercase())
}

/// True when `text` may be the id of an element: unlike that of a resource it is any text without spaces.
///
/// Spec: R4 element.html#id
pub(super) fn is_element_id(text: &str) -> bool {
    is_string(text) && !text.contains(char::is_whitespace)
}

/// What would be right for the id of an element.
pub(super) const ELEMENT_ID_RULE: &str = "the id of an element is not empty and has no spaces";

fn is_oid(text: &str) -> bool {
    let Some(arcs) = text.strip_prefix("urn:oid:") else { return false };
    let number = |arc: &str| {
        !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'))
    };
    let mut parts = arcs.split('.');
    let starts_well = parts.next().is_some_and(|first| matches!(first, "0" | "1" | "2"));
    let mut more = 0;
    starts_well && parts.inspect(|_| more += 1).all(number) && more > 0
}

fn is_uuid(text: &str) -> bool {
    let Some(digits) = text.strip_prefix("urn:uuid:") else { return false };
    digits.len() == 36
        && digits.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
        })
}

fn is_base64(text: &str) -> bool {
    let (mut digits, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            _ => return false,
        }
    }
    digits > 0 && padding <= 2 && (digits + padding) % 4 == 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(primitive: Primitive, good: &[Value], bad: &[Value]) {
        for value in good {
            assert!(primitive.admits(value), "{primitive:?} refuses {value}");
        }
        for value in bad {
            assert!(!primitive.admits(value), "{primitive:?} admits {value}");
        }
    }

    fn number(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn integers_fit_32_bits_and_are_written_plainly() {
        let wild = [number("1.0"), number("1e2"), number("2147483648"), json!("1"), json!(true)];
        check(Primitive::Integer, &[json!(0), json!(-5), json!(2147483647), json!(-2147483648)], &wild);
        check(Primitive::UnsignedInt, &[json!(0), json!(2147483647)], &[&wild[..], &[json!(-1)]].concat());
        check(Primitive::PositiveInt, &[json!(1)], &[&wild[..], &[json!(0)]].concat());
    }

    #[test]
    fn decimals_and_booleans_stand_without_quotes() {
        check(Primitive::Decimal, &[json!(1.5), number("1.50e-7")], &[json!("1.5"), json!(true)]);
        check(Primitive::Boolean, &[json!(true)], &[json!("true"), json!(1)]);
    }

    #[test]
    fn strings_have_something_to_read() {
        let long = json!("a".repeat(LONGEST_STRING + 1));
        check(
            Primitive::String,
            &[json!("a"), json!(" a\n"), json!("ä".repeat(LONGEST_STRING))],
            &[json!(""), json!(" \t"), json!("\u{a0}"), json!("a\u{0}"), json!(5), long],
        );
    }

    #[test]
    fn codes_have_single_inner_spaces_only() {
        let bad = [json!(""), json!(" a"), json!("a "), json!("a  b"), json!("a\u{1}")];
        check(Primitive::Code, &[json!("a"), json!("a b c")], &bad);
    }

    #[test]
    fn uris_have_no_spaces() {
        check(Primitive::Uri, &[json!("urn:a"), json!("#"), json!("ü")], &[json!(""), json!("a b"), json!("a\n")]);
    }

    #[test]
    fn ids_oids_and_uuids_have_their_form() {
        let long = json!("a".repeat(65));
        check(Primitive::Id, &[json!("a-1.B")], &[json!(""), json!("a_b"), json!("a/b"), long]);
        let bad =
            [json!("1.2"), json!("urn:oid:3.1"), json!("urn:oid:1"), json!("urn:oid:1.02"), json!("urn:oid:1..2")];
        check(Primitive::Oid, &[json!("urn:oid:1.2.840.0.3")], &bad);
        let uuid = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520";
        check(Primitive::Uuid, &[json!(uuid)], &[json!(uuid.to_uppercase()), json!(&uuid[9..]), json!(&uuid[..40])]);
    }

    #[test]
    fn urns_hold_what_they_announce() {
        let uuid = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520";
        for good in [uuid, "urn:uuid:C757873D-EC9A-4326-A141-556F43239520", "urn:oid:1.2.3"] {
            assert!(is_urn(good), "{good}");
        }
        for bad in ["urn:uuid:", "urn:uuid:1", &format!("{uuid}0"), "urn:oid:", "urn:oid:9.9", "urn:oid:a"] {
            assert!(!is_urn(bad), "{bad}");
        }
    }

    #[test]
    fn times_are_real() {
        let bad = ["24:00:00", "12:60:00", "12:00", "12:00:61", "1:00:00", "12:00:00Z", "12:00:00.", "12-00-00"];
        let good = [json!("00:00:00"), json!("23:59:60"), json!("12:00:00.123")];
        check(Primitive::Time, &good, &bad.map(Value::from));
    }

    #[test]
    fn dates_exist_in_the_calendar() {
        let good = [json!("2024"), json!("2024-02"), json!("2024-02-29")];
        let bad = [json!("2023-02-29"), json!("1987-02-31"), json!("2024-13"), json!("2024-1-1"), json!("")];
        check(Primitive::Date, &good, &[&bad[..], &[json!("2024-01-01T00:00:00Z")]].concat());
        let moment = [json!("2024-01-01T00:00:00Z"), json!("2024-01-01T00:00:00.5+14:00")];
        let loose = [json!("2024-01-01T00:00:00"), json!("2024-01-01T24:00:00Z"), json!("2024-01-01T00:00Z")];
        check(Primitive::DateTime, &[&good[..], &moment].concat(), &[&bad[..], &loose].concat());
        check(Primitive::Instant, &moment, &[&bad[..], &loose, &good].concat());
    }

    #[test]
    fn base64_comes_in_groups_of_four() {
        let good = [json!("aGVs bG8="), json!("QQ=="), json!("QUJD\r\nQUJD")];
        check(Primitive::Base64Binary, &good, &[json!(""), json!("a"), json!("ab=c"), json!("ab*="), json!("Q===")]);
    }
}
