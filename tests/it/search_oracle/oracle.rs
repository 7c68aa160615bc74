//! What a search finds, by asking every resource every question.
//!
//! Where the specification leaves it open, this reads as docs/conformance.md says.
//!
//! Spec: R4 search.html

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::search_oracle::decimals::{Decimal, split_prefix};
use crate::search_oracle::parameters::{Parameter, Shape, parameter};
use crate::search_oracle::spans::Span;

/// All resources of a server.
pub struct World {
    pub resources: Vec<Value>,
    /// The server's FHIR base.
    pub base: String,
    /// Microseconds since 1970, for `ap` of dates.
    pub now: i64,
}

/// One criterion: `name` with its modifier, and values of which one is enough, escaped as in a query.
#[derive(Clone, Debug)]
pub struct Criterion {
    pub name: String,
    pub values: Vec<String>,
}

impl World {
    /// The resources that meet all criteria, as sorted `Type/id`. No type stands for all of them.
    pub fn found(&self, types: &[String], criteria: &[Criterion]) -> Vec<String> {
        let is_asked =
            |resource: &Value| types.is_empty() || types.iter().any(|name| resource["resourceType"] == **name);
        let meets = |resource: &&Value| criteria.iter().all(|criterion| self.meets(resource, criterion));
        let mut found: Vec<String> = self.resources.iter().filter(|one| is_asked(one)).filter(meets).map(key).collect();
        found.sort();
        found
    }

    /// The year that it is, in UTC.
    pub fn year(&self) -> String {
        chrono::DateTime::from_timestamp_micros(self.now).expect("a time near now").format("%Y").to_string()
    }

    fn meets(&self, resource: &Value, criterion: &Criterion) -> bool {
        let (code, modifier) = criterion.name.split_once(':').unwrap_or((&criterion.name, ""));
        let any = |test: &dyn Fn(&str) -> bool| criterion.values.iter().any(|value| test(value));
        match code {
            "_id" if modifier == "not" => return !any(&|value| resource["id"] == value),
            "_id" => return any(&|value| resource["id"] == value),
            "_lastUpdated" => {
                let stored = Span::read(resource["meta"]["lastUpdated"].as_str().unwrap()).unwrap();
                return any(&|value| self.date(value, stored));
            }
            _ => {}
        }
        let parameter = parameter(resource["resourceType"].as_str().unwrap(), code);
        let elements = elements(resource, parameter);
        if modifier == "missing" {
            return elements.is_empty() == (criterion.values[0] == "true");
        }
        let found = any(&|value| self.one_meets(&elements, parameter, modifier, value));
        found != (modifier == "not")
    }

    fn one_meets(&self, elements: &[(Shape, &Value)], parameter: &Parameter, modifier: &str, value: &str) -> bool {
        if let Some((_, Shape::Presence)) = parameter.paths.first() {
            let is_there = elements.iter().any(|(_, element)| **element != Value::Bool(false));
            return is_there == (value == "true");
        }
        elements.iter().any(|(shape, element)| match shape {
            Shape::Boolean => element.as_bool() == Some(value == "true"),
            Shape::Code(_) | Shape::Concept | Shape::Coding | Shape::Identifier | Shape::Contact => {
                tokens(*shape, element).iter().any(|stored| token_meets(stored, value))
            }
            Shape::Text | Shape::Family | Shape::Name | Shape::Address => text_meets(*shape, element, modifier, value),
            Shape::Date | Shape::Period => span(*shape, element).is_some_and(|stored| self.date(value, stored)),
            Shape::Number => number_meets(&element.to_string(), value),
            Shape::Quantity => quantity_meets(element, value),
            Shape::Reference => self.reference_meets(element, parameter, modifier, value),
            Shape::Uri => {
                let (stored, value) = (element.as_str().unwrap(), &*unescaped(value));
                match modifier {
                    "below" => stored.starts_with(value),
                    "above" => value
                        .strip_prefix(stored)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || stored.ends_with('/')),
                    _ => stored == value,
                }
            }
            Shape::Presence => unreachable!("judged above"),
        })
    }

    fn date(&self, value: &str, stored: Span) -> bool {
        let (prefix, date) = split_prefix(value);
        Span::read(date).unwrap().admits(prefix, stored, self.now)
    }

    fn reference_meets(&self, element: &Value, parameter: &Parameter, modifier: &str, value: &str) -> bool {
        let Some(stored) = element["reference"].as_str().filter(|text| !text.starts_with('#')) else { return false };
        let stored = self.target(stored);
        let value = unescaped(value);
        if value.contains(['/', ':']) {
            return stored == self.target(&value);
        }
        let types: &[&str] = if modifier.is_empty() { parameter.targets } else { &[modifier] };
        types.iter().any(|name| stored == format!("{name}/{value}"))
    }

    /// What a reference says without its version, and relative when it is to this server.
    fn target(&self, text: &str) -> String {
        let text = text.split("/_history/").next().unwrap();
        let own = text.strip_prefix(&self.base).and_then(|rest| rest.strip_prefix('/'));
        own.unwrap_or(text).to_owned()
    }
}

/// `Type/id`
pub fn key(resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap())
}

/// The elements of a parameter that say something which can be searched for.
pub fn elements<'a>(resource: &'a Value, parameter: &Parameter) -> Vec<(Shape, &'a Value)> {
    let mut found = Vec::new();
    for (path, shape) in parameter.paths {
        let mut level = vec![resource];
        for step in path.split('.') {
            let (name, filter) = step.split_once('[').unwrap_or((step, ""));
            let filter = filter.trim_end_matches(']').split_once('=');
            let all = level.iter().filter_map(|value| value.get(name));
            let items =
                all.flat_map(|value| value.as_array().map_or_else(|| vec![value], |items| items.iter().collect()));
            level = items.filter(|item| filter.is_none_or(|(name, wanted)| item[name] == wanted)).collect();
        }
        found.extend(level.into_iter().map(|value| (*shape, value)));
    }
    found
}

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

fn token_meets((of_system, of_code): &Token, value: &str) -> bool {
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

fn text_meets(shape: Shape, element: &Value, modifier: &str, value: &str) -> bool {
    let value = unescaped(value);
    let wanted = fold(&value);
    let family = match shape {
        Shape::Family => element.as_str(),
        Shape::Name => element["family"].as_str(),
        _ => None,
    };
    match modifier {
        "exact" => texts(shape, element).contains(&&*value),
        "contains" => texts(shape, element).iter().any(|text| fold(text).contains(&wanted)),
        _ => {
            // "servers should search the parts of a family name independently"
            let words = family.into_iter().flat_map(|family| family.split([' ', '-']));
            texts(shape, element).into_iter().chain(words).any(|text| fold(text).starts_with(&wanted))
        }
    }
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

fn span(shape: Shape, element: &Value) -> Option<Span> {
    if shape == Shape::Date {
        return Span::read(element.as_str()?);
    }
    let end = |name: &str| element[name].as_str().and_then(Span::read);
    Some(Span {
        from: end("start").map_or(i64::MIN, |span| span.from),
        to: end("end").map_or(i64::MAX, |span| span.to),
    })
}

fn number_meets(stored: &str, value: &str) -> bool {
    let (prefix, number) = split_prefix(value);
    Decimal::read(number).unwrap().admits(prefix, Decimal::read(stored).unwrap())
}

fn quantity_meets(element: &Value, value: &str) -> bool {
    let mut parts = value.split('|').map(|part| Some(part).filter(|part| !part.is_empty()));
    let number = parts.next().flatten().unwrap();
    let (system, code) = (parts.next().flatten(), parts.next().flatten());
    let has = |name: &str, wanted: &str| element[name] == wanted;
    let has_unit = match (system, code) {
        (Some(system), Some(code)) => has("system", system) && has("code", code),
        (None, Some(code)) => has("code", code) || has("unit", code),
        _ => true,
    };
    has_unit && element.get("value").is_some_and(|stored| number_meets(&stored.to_string(), number))
}

/// Splits at the first `mark` that no backslash escapes.
fn split(value: &str, mark: char) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (at, letter) in value.char_indices() {
        if letter == mark && !is_escaped {
            return Some((&value[..at], &value[at + 1..]));
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    None
}

fn unescaped(value: &str) -> String {
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
