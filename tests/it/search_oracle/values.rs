//! One stored value against one sought value, by their kinds, read anew for the oracle.
//!
//! Spec: R4 search.html#ptypes

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::search_oracle::decimals::{Decimal, split_prefix};
use crate::search_oracle::parameters::Shape;
use crate::search_oracle::spans::Span;
use crate::search_oracle::units;

/// System (outside: not told; inside: none) and code of a stored token.
type Token = (Option<String>, Option<String>);

pub fn tokens(shape: Shape, element: &Value) -> Vec<Token> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let pair = |code: &Value| (text(&element["system"]), text(code));
    match shape {
        Shape::Code(system) => vec![(Some(system.to_owned()).filter(|system| !system.is_empty()), text(element))],
        Shape::Coding => vec![pair(&element["code"])],
        Shape::Identifier => vec![pair(&element["value"])],
        Shape::Contact => vec![(None, text(&element["value"]))],
        Shape::Concept => {
            let codings = element["coding"].as_array().map_or(&[][..], Vec::as_slice);
            codings.iter().flat_map(|coding| tokens(Shape::Coding, coding)).collect()
        }
        _ => Vec::new(),
    }
}

pub fn token_meets((of_system, of_code): &Token, value: &str) -> bool {
    let (system, code) = match split(value, '|') {
        Some((system, code)) => (Some(unescaped(system)), unescaped(code)),
        None => (None, unescaped(value)),
    };
    let has_system = system.is_none_or(|system| system == of_system.as_deref().unwrap_or_default());
    let has_code = code.is_empty() || of_code.as_ref().is_some_and(|of| of.to_lowercase() == code.to_lowercase());
    has_system && has_code
}

/// The texts of an element, each of which may be found.
pub fn texts(shape: Shape, element: &Value) -> Vec<&str> {
    let members: &[&str] = match shape {
        Shape::Name => &["text", "family", "given", "prefix", "suffix"],
        Shape::Address => &["text", "line", "city", "district", "state", "postalCode", "country"],
        _ => return element.as_str().into_iter().collect(),
    };
    let values = members.iter().filter_map(|name| element.get(name));
    values
        .flat_map(|value| value.as_array().map_or_else(|| vec![value], |items| items.iter().collect()))
        .filter_map(Value::as_str)
        .collect()
}

/// All texts that may begin as a criterion asks. "servers should search the parts of a family name independently"
pub fn texts_and_words(shape: Shape, element: &Value) -> Vec<&str> {
    let family = match shape {
        Shape::Family => element.as_str(),
        Shape::Name => element["family"].as_str(),
        _ => None,
    };
    // The first is where the whole begins.
    let words = family.into_iter().flat_map(|family| family.split([' ', '-']).skip(1));
    texts(shape, element).into_iter().chain(words).collect()
}

pub fn text_meets(shape: Shape, element: &Value, modifier: &str, value: &str) -> bool {
    let value = unescaped(value);
    let wanted = fold(&value);
    match modifier {
        "exact" => texts(shape, element).contains(&&*value),
        "contains" => texts(shape, element).iter().any(|text| fold(text).contains(&wanted)),
        _ => texts_and_words(shape, element).into_iter().any(|text| fold(text).starts_with(&wanted)),
    }
}

/// What people read of a token.
pub fn readings(shape: Shape, element: &Value) -> Vec<&str> {
    match shape {
        Shape::Coding => element["display"].as_str().into_iter().collect(),
        Shape::Identifier => element["type"]["text"].as_str().into_iter().collect(),
        Shape::Concept => {
            let codings = element["coding"].as_array().map_or(&[][..], Vec::as_slice);
            let displays = codings.iter().filter_map(|coding| coding["display"].as_str());
            displays.chain(element["text"].as_str()).collect()
        }
        _ => Vec::new(),
    }
}

/// `system|code|value` of an identifier.
pub fn is_of_type(element: &Value, value: &str) -> bool {
    let parts: Vec<String> = parts(value, '|').into_iter().map(unescaped).collect();
    let [system, code, number] = &parts[..] else { return false };
    let codings = element["type"]["coding"].as_array().map_or(&[][..], Vec::as_slice);
    let alike =
        |stored: &Value, wanted: &str| stored.as_str().is_some_and(|of| of.to_lowercase() == wanted.to_lowercase());
    alike(&element["value"], number)
        && codings.iter().any(|coding| coding["system"] == **system && alike(&coding["code"], code))
}

/// Without case, accents and punctuation, with single spaces.
pub fn fold(text: &str) -> String {
    let bare = text.nfkd().filter(|letter| !is_combining_mark(*letter));
    let lower = bare.flat_map(char::to_lowercase).filter(|letter| !is_combining_mark(*letter));
    let kept: String = lower
        .filter(|letter| !letter.is_ascii_punctuation() || "$+<=>^`|~".contains(*letter))
        .filter(|letter| !"’‘“”–—‐«»¿¡".contains(*letter))
        .collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn span(shape: Shape, element: &Value) -> Option<Span> {
    if shape == Shape::Date {
        return Span::read(element.as_str()?);
    }
    if shape == Shape::Timing {
        let events = element["event"].as_array().map_or(&[][..], Vec::as_slice);
        let spans = events.iter().filter_map(|event| span(Shape::Date, event));
        let bounds = element["repeat"].get("boundsPeriod").and_then(|bounds| span(Shape::Period, bounds));
        let outer = |left: Span, right: Span| Span { from: left.from.min(right.from), to: left.to.max(right.to) };
        return spans.chain(bounds).reduce(outer);
    }
    let end = |name: &str| element[name].as_str().and_then(Span::read);
    Some(Span {
        from: end("start").map_or(i64::MIN, |span| span.from),
        to: end("end").map_or(i64::MAX, |span| span.to),
    })
}

pub fn number_meets(stored: &str, value: &str) -> bool {
    let (prefix, number) = split_prefix(value);
    Decimal::read(number).unwrap().admits(prefix, Decimal::read(stored).unwrap())
}

pub fn quantity_meets(element: &Value, value: &str) -> bool {
    let mut parts = value.split('|').map(|part| Some(part).filter(|part| !part.is_empty()));
    let number = parts.next().flatten().unwrap();
    let (system, code) = (parts.next().flatten(), parts.next().flatten());
    let has = |name: &str, wanted: &str| element[name] == wanted;
    if let (Some(system @ "http://unitsofmeasure.org"), Some(code)) = (system, code) {
        let (prefix, number) = split_prefix(number);
        let (Some(of), Some(stored)) = (element["code"].as_str(), element.get("value")) else { return false };
        let stored = Decimal::read(&stored.to_string()).unwrap();
        return has("system", system) && units::admits(prefix, (Decimal::read(number).unwrap(), code), (stored, of));
    }
    let has_unit = match (system, code) {
        (Some(system), Some(code)) => has("system", system) && has("code", code),
        (None, Some(code)) => has("code", code) || has("unit", code),
        _ => true,
    };
    has_unit && element.get("value").is_some_and(|stored| number_meets(&stored.to_string(), number))
}

/// Splits at the first `mark` that no backslash escapes.
pub fn split(value: &str, mark: char) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (at, letter) in value.char_indices() {
        if letter == mark && !is_escaped {
            return Some((&value[..at], &value[at + 1..]));
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    None
}

/// All that stands between marks that no backslash escapes.
pub fn parts(value: &str, mark: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = value;
    while let Some((part, next)) = split(rest, mark) {
        parts.push(part);
        rest = next;
    }
    parts.push(rest);
    parts
}

pub fn unescaped(value: &str) -> String {
    let mut letters = value.chars();
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        text.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    text
}

/// `text` as a query writes it, so that it is one value.
pub fn escaped(text: &str) -> String {
    text.chars().flat_map(|letter| ["\\,|$".contains(letter).then_some('\\'), Some(letter)]).flatten().collect()
}
