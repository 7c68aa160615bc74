//! The values of a criterion, by kind of parameter. Problems are told as what would be right.
//!
//! Spec: R4 search.html#ptypes

use crate::fhir::{Decimal, Id, PartialDate, Reference, ResourceKey, ResourceType};
use crate::search::fold::fold;
use crate::search::near;
use crate::search::query_text::{split, split_once, unescape};
use crate::search::{
    DateValue, Modifier, Parameter, ParameterKind, Prefix, QuantityValue, ReferenceValue, Registry, Subject,
    TokenValue, TypedIdentifier, Values, words,
};

const ESCAPES: &str = "a backslash stands only before ',', '|', '$' or another backslash";

/// Reads the parts of a value, which are still escaped and not empty.
///
/// `of` is the type that the parameter is of.
pub(super) fn read(
    of: Option<ResourceType>,
    subject: Subject,
    modifier: Option<Modifier>,
    parts: &[&str],
    bases: &[String],
) -> Result<Values, String> {
    if modifier == Some(Modifier::Missing) {
        return match parts {
            ["true"] => Ok(Values::Missing(true)),
            ["false"] => Ok(Values::Missing(false)),
            _ => Err("':missing' takes true or false".to_owned()),
        };
    }
    let kind = match subject {
        Subject::Id => return Ok(Values::Ids(each(parts, plain)?)),
        Subject::LastUpdated => return Ok(Values::Dates(each(parts, date)?)),
        Subject::Near => return Ok(Values::Near(near::parse(parts)?)),
        Subject::Text | Subject::Content => return Ok(Values::Words(words::parse(parts)?)),
        Subject::Index(parameter) => parameter,
    };
    match modifier {
        Some(Modifier::Text) => return Ok(Values::Strings(each(parts, |part| text(part, modifier))?)),
        Some(Modifier::OfType) => return Ok(Values::TypedIdentifiers(each(parts, typed_identifier)?)),
        Some(Modifier::Identifier) => return Ok(Values::Tokens(each(parts, token)?)),
        _ => {}
    }
    Ok(match kind.kind {
        ParameterKind::Token => Values::Tokens(each(parts, token)?),
        ParameterKind::String => Values::Strings(each(parts, |part| text(part, modifier))?),
        ParameterKind::Reference => Values::References(each(parts, |part| reference(part, kind, modifier, bases))?),
        ParameterKind::Date => Values::Dates(each(parts, date)?),
        ParameterKind::Number => Values::Quantities(each(parts, number)?),
        ParameterKind::Quantity => Values::Quantities(each(parts, quantity)?),
        ParameterKind::Uri => Values::Uris(each(parts, plain)?),
        ParameterKind::Composite => Values::Composites(each(parts, |part| composite(of, kind, part, bases))?),
        ParameterKind::Special => return Err("this parameter takes no value".to_owned()),
    })
}

fn each<T>(parts: &[&str], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    parts.iter().map(|part| read(part)).collect()
}

fn plain(part: &str) -> Result<String, String> {
    unescape(part).ok_or_else(|| ESCAPES.to_owned())
}

fn filled(part: &str) -> Result<Option<String>, String> {
    if part.is_empty() { Ok(None) } else { plain(part).map(Some) }
}

fn token(part: &str) -> Result<TokenValue, String> {
    let Some((system, code)) = split_once(part, '|') else {
        return Ok(TokenValue { system: None, code: Some(plain(part)?) });
    };
    if system.is_empty() && code.is_empty() {
        return Err("give a code, a system, or both as system|code".to_owned());
    }
    Ok(TokenValue { system: Some(plain(system)?), code: filled(code)? })
}

/// `system|code|value`
fn typed_identifier(part: &str) -> Result<TypedIdentifier, String> {
    let mut pieces = split(part, '|');
    match (pieces.next(), pieces.next(), pieces.next(), pieces.next()) {
        (Some(system), Some(code), Some(value), None) if !code.is_empty() && !value.is_empty() => {
            Ok(TypedIdentifier { system: plain(system)?, code: plain(code)?, value: plain(value)? })
        }
        _ => Err("give system|code|value: the type of the identifier, and what it is".to_owned()),
    }
}

/// `first$second`: a value for each component.
///
/// Spec: R4 search.html#composite
fn composite(
    of: Option<ResourceType>,
    parameter: &'static Parameter,
    part: &str,
    bases: &[String],
) -> Result<Vec<Values>, String> {
    let components = of.and_then(|of| Registry::bundled().components(of, parameter));
    let components = components.ok_or("its components can't be compared here")?;
    let pieces: Vec<&str> = split(part, '$').collect();
    if pieces.len() != components.len() || pieces.iter().any(|piece| piece.trim().is_empty()) {
        let names: Vec<&str> = components.iter().map(|component| component.code()).collect();
        return Err(format!("give a value for each of its components, as {}", names.join("$")));
    }
    let value = |(component, piece): (&&'static Parameter, &&str)| {
        read(of, Subject::Index(component), None, &[piece], bases)
            .map_err(|problem| format!("'{}' in it: {problem}", component.code()))
    };
    components.iter().zip(&pieces).map(value).collect()
}

fn text(part: &str, modifier: Option<Modifier>) -> Result<String, String> {
    let text = plain(part)?;
    if modifier != Some(Modifier::Exact) && fold(&text).is_empty() {
        return Err("it needs a letter or a digit: case, accents and punctuation are not compared".to_owned());
    }
    Ok(text)
}

fn reference(
    part: &str,
    parameter: &Parameter,
    modifier: Option<Modifier>,
    bases: &[String],
) -> Result<ReferenceValue, String> {
    let text = plain(part)?;
    let named = match modifier {
        Some(Modifier::Type(named)) => Some(named),
        _ => None,
    };
    if let Ok(id) = Id::parse(&text) {
        return Ok(match (named, parameter.targets.as_slice()) {
            (Some(only), _) => ReferenceValue::Local(ResourceKey { resource_type: only, id }),
            (None, [only]) => ReferenceValue::Local(ResourceKey { resource_type: *only, id }),
            (None, []) => ReferenceValue::Id(text, ResourceType::all().collect()),
            (None, targets) => ReferenceValue::Id(text, targets.to_vec()),
        });
    }
    match Reference::parse(&text, bases) {
        Reference::Local { key, .. } => match named {
            Some(named) if named != key.resource_type => {
                Err(format!("':{named}' asks for a {named}, the value names another type"))
            }
            _ => Ok(ReferenceValue::Local(key)),
        },
        // The index holds what is referred to, not which version of it.
        Reference::Absolute(url) if named.is_none() => {
            Ok(ReferenceValue::Url(url.split_once("/_history/").map_or(url, |(url, _)| url).to_owned()))
        }
        Reference::Urn(urn) if named.is_none() => Ok(ReferenceValue::Url(urn.to_owned())),
        Reference::Absolute(_) | Reference::Urn(_) => {
            Err("the type of a resource on another server is not known; leave the modifier out".to_owned())
        }
        Reference::Contained(_) | Reference::Conditional { .. } | Reference::Malformed => {
            Err("give an id, Type/id or an absolute URL".to_owned())
        }
    }
}

/// Takes the prefix off; two letters in front of anything but a digit or sign are told apart from it later.
fn prefix(part: &str) -> (Prefix, &str) {
    let prefix = match part.get(..2) {
        Some("eq") => Prefix::Eq,
        Some("ne") => Prefix::Ne,
        Some("gt") => Prefix::Gt,
        Some("lt") => Prefix::Lt,
        Some("ge") => Prefix::Ge,
        Some("le") => Prefix::Le,
        Some("sa") => Prefix::Sa,
        Some("eb") => Prefix::Eb,
        Some("ap") => Prefix::Ap,
        _ => return (Prefix::Eq, part),
    };
    (prefix, &part[2..])
}

fn date(part: &str) -> Result<DateValue, String> {
    let (prefix, rest) = prefix(part);
    // The plus sign of a zone arrives as a space when the client forgot to write it as %2B.
    let rest = rest.replace(' ', "+");
    let date = PartialDate::parse_search(&rest).map_err(|error| with_prefixes(&error.to_string()))?;
    Ok(DateValue { prefix, date })
}

fn number(part: &str) -> Result<QuantityValue, String> {
    let (prefix, rest) = prefix(part);
    let decimal = Decimal::parse(rest).map_err(|error| with_prefixes(&error.to_string()))?;
    Ok(QuantityValue { prefix, value: decimal.value(), implicit: decimal.implicit_range(), system: None, code: None })
}

fn quantity(part: &str) -> Result<QuantityValue, String> {
    let mut pieces = split(part, '|');
    let mut value = number(pieces.next().unwrap_or_default())?;
    match (pieces.next(), pieces.next(), pieces.next()) {
        (None, ..) => {}
        (Some(system), Some(code), None) => {
            value.system = filled(system)?;
            value.code = filled(code)?;
        }
        _ => return Err("give number, number|system|code or number||code".to_owned()),
    }
    Ok(value)
}

fn with_prefixes(form: &str) -> String {
    format!("{form}; before it may stand one of eq, ne, gt, lt, ge, le, sa, eb, ap")
}
