//! Changes to samples: of their bytes, and of their structure.

use serde_json::{Value, json};

use crate::search_oracle::random::Random;

/// Pieces that readers have stumbled over.
const PIECES: &[&str] = &[
    "\0",
    "\u{feff}",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\udc00\\ud800",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-",
    "-0",
    "1e999999999",
    "1e-999999999",
    "0.00000000000000000000000000000000001",
    "99999999999999999999999999",
    "1.",
    "01",
    "NaN",
    "%",
    "%zz",
    "%00",
    "%ff",
    "&",
    "=",
    "==",
    "|",
    "||",
    "\\|",
    "\\,",
    "$",
    ",,",
    "(",
    ")",
    "((((((((((",
    "'",
    "''",
    "`",
    "/*",
    "//",
    "..",
    "../",
    ".",
    "@",
    "@2020-02-30T25:61",
    "#",
    "urn:uuid:",
    "http://[",
    "Patient/",
    "Patient/1/_history/",
    "é",
    "e\u{301}",
    "\u{202e}",
    "\u{10ffff}",
    "ﬁ",
    "İ",
    "ß",
    "\r\n",
    "\n",
    "\t",
    " ",
    "0000-00-00",
    "9999-12-31T23:59:60Z",
    "-0001",
    "24:00",
    "+99:99",
    "_",
    ":not",
    ":missing=maybe",
    "_has:",
    "_filter=",
    " and ",
    " or ",
    "not(",
    "*",
    "**",
    "?",
    "+",
    "~",
    "^",
    "<script>",
    "<!DOCTYPE x>",
    "&#x0;",
    "'; DROP TABLE resource; --",
    "%s%n",
    "${jndi:ldap://x}",
    "iif(",
    "repeat(",
    "matches('(a+)+$')",
    "{}",
    ".where(",
    "%resource",
];

/// `sample` with a few of its bytes changed.
pub fn bytes(random: &mut Random, sample: &[u8], other: &[u8]) -> Vec<u8> {
    let mut changed = sample.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(changed.len() + 1);
        let until = (at + random.below(40)).min(changed.len());
        match random.below(8) {
            0 if at < changed.len() => changed[at] ^= 1 << random.below(8),
            1 if at < changed.len() => changed[at] = random.below(256) as u8,
            2 => drop(changed.drain(at..until)),
            3 => {
                let again = changed[at..until].repeat(1 + random.below(30));
                changed.splice(at..at, again);
            }
            4 => changed.truncate(at),
            5 => {
                let from = random.below(other.len() + 1);
                let part = other[from..(from + random.below(60)).min(other.len())].to_vec();
                changed.splice(at..until, part);
            }
            _ => {
                let piece = random.of(PIECES).as_bytes().repeat(if random.percent(5) { 300 } else { 1 });
                changed.splice(at..until.min(at + random.below(6)).max(at), piece);
            }
        }
    }
    changed
}

/// The same of a text, which stays one.
pub fn text(random: &mut Random, sample: &str, other: &str) -> String {
    String::from_utf8_lossy(&bytes(random, sample.as_bytes(), other.as_bytes())).into_owned()
}

/// `sample` with a few of its values changed, moved, doubled, buried or gone.
pub fn value(random: &mut Random, sample: &Value, other: &Value) -> Value {
    let mut changed = sample.clone();
    for _ in 0..1 + random.below(3) {
        let new = match random.below(4) {
            0 => scalar(random),
            1 => part(random, other).clone(),
            2 => part(random, &changed).clone(),
            _ => {
                let part = part(random, sample).clone();
                buried(random, part)
            }
        };
        let place = somewhere(random, &mut changed);
        match (random.below(5), place) {
            (0, Value::Object(members)) if !members.is_empty() => {
                let name = members.keys().nth(random.below(members.len())).cloned().unwrap_or_default();
                members.remove(&name);
            }
            (1, Value::Object(members)) => {
                let name = ["extension", "id", "resourceType", "_value", "contained", "value", "url", "", "__proto__"];
                members.insert(random.of(&name).to_owned(), new);
            }
            (2, Value::Array(items)) => items.push(new),
            (3, place) => *place = json!([place.clone(), new]),
            (_, place) => *place = new,
        }
    }
    changed
}

fn scalar(random: &mut Random) -> Value {
    match random.below(6) {
        0 => Value::Null,
        1 => json!(random.percent(50)),
        2 => json!(random.below(1 << 40)),
        3 => json!(""),
        4 => json!(random.of(PIECES).repeat(1 + random.below(100))),
        _ => serde_json::from_str(random.of(&["1e400", "-0.0", "0.10", "1E+2", "123456789012345678901234567890"]))
            .unwrap_or_default(),
    }
}

fn buried(random: &mut Random, mut value: Value) -> Value {
    for _ in 0..random.below(130) {
        value = if random.percent(50) { json!([value]) } else { json!({ "extension": value }) };
    }
    value
}

fn part<'a>(random: &mut Random, value: &'a Value) -> &'a Value {
    let mut at = value;
    loop {
        let next = match at {
            Value::Object(members) if !members.is_empty() => members.values().nth(random.below(members.len())),
            Value::Array(items) if !items.is_empty() => items.get(random.below(items.len())),
            _ => None,
        };
        match next {
            Some(next) if random.percent(75) => at = next,
            _ => return at,
        }
    }
}

fn somewhere<'a>(random: &mut Random, value: &'a mut Value) -> &'a mut Value {
    let length = match value {
        Value::Object(members) => members.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    if length == 0 || !random.percent(80) {
        return value;
    }
    let at = random.below(length);
    let next = match value {
        Value::Object(members) => members.values_mut().nth(at),
        Value::Array(items) => items.get_mut(at),
        _ => None,
    };
    somewhere(random, next.expect("it has as many"))
}
