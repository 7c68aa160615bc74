//! The compact writer, which keeps every digit and the order of members.
//!
//! Spec: R4 json.html

use serde_json::Value;

/// Writes `value` compactly, key order and digits kept.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
        Value::String(text) => write_text(text, out),
        Value::Array(entries) => {
            out.push(b'[');
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(entry, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

/// Writes `text` as a JSON string, with quotes; only what JSON requires is escaped.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut start = 0;
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    loop {
        let end = run_end(bytes, start);
        out.extend_from_slice(&bytes[start..end]);
        let Some(special) = bytes.get(end) else { break };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(DIGITS[usize::from(control >> 4)]);
                out.push(DIGITS[usize::from(control & 15)]);
            }
        }
        start = end + 1;
    }
    out.push(b'"');
}

/// Where the run of characters that a JSON string holds as they are ends: at a quote, a backslash, a control character
/// or the end of `bytes`.
pub(super) fn run_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        if let Some(place) = first_special(chunk) {
            return at + place;
        }
        at += 8;
    }
    if at > start {
        // The last eight bytes once more as a whole: those before `at` are known to be plain.
        return bytes.last_chunk::<8>().and_then(first_special).map_or(bytes.len(), |place| bytes.len() - 8 + place);
    }
    while bytes.get(at).is_some_and(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\') {
        at += 1;
    }
    at
}

/// Position of the first quote, backslash or control character among eight bytes, looked at all at once.
fn first_special(chunk: &[u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES * 0x80;
    // A byte below n sets its high bit in (word - n) & !word; a borrow can only spoil the bytes above a hit, so the
    // lowest hit is a true one.
    let word = u64::from_le_bytes(*chunk);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let hits = (control | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash)) & HIGHS;
    (hits != 0).then_some(hits.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json::parse;

    #[test]
    fn an_escape_is_found_at_every_place_of_a_text() {
        for length in 1..=25 {
            for place in 0..length {
                for special in ['"', '\\', '\n', '\u{1f}', 'é', '\u{7f}', ' '] {
                    let mut text = "x".repeat(length);
                    text.replace_range(place..=place, &special.to_string());
                    let value = Value::Array(vec![Value::String(text)]);
                    let mut out = Vec::new();

                    write(&value, &mut out);

                    assert_eq!(out, serde_json::to_vec(&value).unwrap());
                    assert_eq!(parse(&out).unwrap(), value);
                }
            }
        }
    }

    #[test]
    fn only_what_json_requires_is_escaped() {
        let mut out = Vec::new();

        write_text("a/b <é> \u{7f} \u{2028}\" \\ \u{1}\u{8}\u{c}\n\r\t", &mut out);

        assert_eq!(out, "\"a/b <é> \u{7f} \u{2028}\\\" \\\\ \\u0001\\b\\f\\n\\r\\t\"".as_bytes());
    }
}
