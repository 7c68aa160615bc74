//! The values of a criterion, by kind of parameter. Problems are told as what would be right.
//!
//! Spec: R4 search.html#ptypes

use crate::fhir::ucum::{self, Exact};
use crate::fhir::{Decimal, Id, PartialDate, Reference, ResourceKey, ResourceType};
use crate::search::fold::fold;
use crate::search::near;
use crate::search::parse::ParseContext;
use crate::search::query_text::{split, split_once, unescape};
use crate::search::{
    CanonicalQuantity, CodeQuery, DateValue, Modifier, Parameter, ParameterKind, Prefix, QuantityValue, ReferenceValue,
    Subject, TokenValue, TypedIdentifier, Values, words,
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
    context: &ParseContext<'_>,
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
        Subject::LastUpdated => return Ok(Values::Dates(each(parts, prefixed_date)?)),
        Subject::Near => return Ok(Values::Near(near::parse(parts)?)),
        Subject::Text | Subject::Content => return Ok(Values::Words(words::parse(parts)?)),
        Subject::Index(parameter) => parameter,
    };
    match modifier {
        Some(Modifier::Text) => return Ok(Values::Strings(each(parts, |part| text(part, modifier))?)),
        Some(Modifier::OfType) => return Ok(Values::TypedIdentifiers(each(parts, typed_identifier)?)),
        Some(Modifier::Identifier) => return Ok(Values::Tokens(each(parts, token)?)),
        Some(Modifier::In | Modifier::NotIn) => {
            return Ok(Values::CodeQueries(each(parts, |part| value_set(part, context.bases))?));
        }
        Some(Modifier::Below | Modifier::Above) if kind.kind == ParameterKind::Token => {
            return Ok(Values::CodeQueries(each(parts, |part| kin(part, kind, modifier))?));
        }
        _ => {}
    }
    Ok(match kind.kind {
        ParameterKind::Token => Values::Tokens(each(parts, token)?),
        ParameterKind::String => Values::Strings(each(parts, |part| text(part, modifier))?),
        ParameterKind::Reference if matches!(modifier, Some(Modifier::Below | Modifier::Above)) => {
            Values::References(each(parts, |part| in_hierarchy(part, kind, context.bases))?)
        }
        ParameterKind::Reference => {
            Values::References(each(parts, |part| reference(part, kind, modifier, context.bases))?)
        }
        ParameterKind::Date => Values::Dates(each(parts, prefixed_date)?),
        ParameterKind::Number => Values::Quantities(each(parts, |part| prefixed(part, number))?),
        ParameterKind::Quantity => Values::Quantities(each(parts, |part| prefixed(part, quantity))?),
        ParameterKind::Uri => Values::Uris(each(parts, |part| uri(part, modifier))?),
        ParameterKind::Composite => Values::Composites(each(parts, |part| composite(of, kind, part, context))?),
        ParameterKind::Special => return Err("this parameter takes no value".to_owned()),
    })
}

fn each<T>(parts: &[&str], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    parts.iter().map(|part| read(part)).collect()
}

fn plain(part: &str) -> Result<String, String> {
    unescape(part).ok_or_else(|| ESCAPES.to_owned())
}

/// "The :above and :below modifiers only apply to URLs, and not URNS such as OIDs"
///
/// Spec: R4 search.html#uri
fn uri(part: &str, modifier: Option<Modifier>) -> Result<String, String> {
    let text = plain(part)?;
    if matches!(modifier, Some(Modifier::Above | Modifier::Below)) && !text.contains("://") {
        return Err(
            "':above' and ':below' compare URLs such as http://acme.org/fhir; leave them out to find a URN".to_owned()
        );
    }
    Ok(text)
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

/// The value set of `:in`: its address on this server, relative or absolute, or its canonical URL.
fn value_set(part: &str, bases: &[String]) -> Result<CodeQuery, String> {
    let text = plain(part)?;
    let form = "give the canonical URL of a ValueSet, perhaps with |version, or ValueSet/id for one of this server";
    let is_absolute = text.contains(':');
    match Reference::parse(&text, bases) {
        Reference::Local { key, version: None } if key.resource_type == ResourceType::VALUE_SET => {
            Ok(match is_absolute {
                true => CodeQuery::ValueSet { canonical: text, address: Some(key) },
                false => CodeQuery::StoredValueSet(key),
            })
        }
        Reference::Urn(_) | Reference::Absolute(_) => Ok(CodeQuery::ValueSet { canonical: text, address: None }),
        Reference::Local { .. } | Reference::Contained(_) | Reference::Conditional { .. } | Reference::Malformed => {
            Err(form.to_owned())
        }
    }
}

/// `system|code` of `:below` and `:above`; the code alone where all codes of the element are of one system.
fn kin(part: &str, parameter: &Parameter, modifier: Option<Modifier>) -> Result<CodeQuery, String> {
    let TokenValue { system, code } = token(part)?;
    let system = system.filter(|system| !system.is_empty()).or_else(|| parameter.tokens.system.map(str::to_owned));
    let (Some(system), Some(code)) = (system, code) else {
        return Err("give system|code: only a code system tells which code is above which".to_owned());
    };
    Ok(match modifier {
        Some(Modifier::Above) => CodeQuery::Above { system, code },
        _ => CodeQuery::Below { system, code },
    })
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
    context: &ParseContext<'_>,
) -> Result<Vec<Values>, String> {
    let components = of.and_then(|of| context.registry.components(of, parameter));
    let components = components.ok_or("its components can't be compared here")?;
    let pieces: Vec<&str> = split(part, '$').collect();
    if pieces.len() != components.len() || pieces.iter().any(|piece| piece.trim().is_empty()) {
        let names: Vec<&str> = components.iter().map(|component| component.code()).collect();
        return Err(format!("give a value for each of its components, as {}", names.join("$")));
    }
    let value = |(component, piece): (&&'static Parameter, &&str)| {
        read(of, Subject::Index(component), None, &[piece], context)
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
                Err(format!("':{named}' asks for {}, the value names another type", named.with_article()))
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

/// A resource that may be above or below others.
fn in_hierarchy(part: &str, parameter: &Parameter, bases: &[String]) -> Result<ReferenceValue, String> {
    let allowed = parameter.types_in_hierarchies();
    match reference(part, parameter, None, bases)? {
        ReferenceValue::Id(id, mut types) => {
            types.retain(|of| allowed.contains(of));
            Ok(ReferenceValue::Id(id, types))
        }
        ReferenceValue::Local(key) if !allowed.contains(&key.resource_type) => {
            let names: Vec<&str> = allowed.iter().map(|of| of.name()).collect();
            Err(format!(
                "{} is in no hierarchy here; give one of {}",
                key.resource_type.with_article(),
                names.join(", ")
            ))
        }
        value => Ok(value),
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

/// Reads what follows the prefix, and names the prefixes where that is wrong.
fn prefixed<T>(part: &str, read: impl Fn(Prefix, &str) -> Result<T, String>) -> Result<T, String> {
    let (prefix, rest) = prefix(part);
    read(prefix, rest).map_err(|form| with_prefixes(&form))
}

fn prefixed_date(part: &str) -> Result<DateValue, String> {
    // The plus sign of a zone arrives as a space when the client forgot to write it as %2B.
    prefixed(&part.replace(' ', "+"), date)
}

/// A date that is compared as `prefix` says.
pub(super) fn date(prefix: Prefix, text: &str) -> Result<DateValue, String> {
    let date = PartialDate::parse_search(text).map_err(|error| error.to_string())?;
    Ok(DateValue { prefix, date })
}

/// A number that is compared as `prefix` says.
pub(super) fn number(prefix: Prefix, text: &str) -> Result<QuantityValue, String> {
    let decimal = decimal(text)?;
    let (value, implicit) = (decimal.value(), decimal.implicit_range());
    Ok(QuantityValue { prefix, value, implicit, system: None, code: None, canonical: None })
}

fn decimal(text: &str) -> Result<Decimal, String> {
    Decimal::parse(text).map_err(|error| error.to_string())
}

/// A number, perhaps with its unit, that is compared as `prefix` says.
pub(super) fn quantity(prefix: Prefix, text: &str) -> Result<QuantityValue, String> {
    let mut pieces = split(text, '|');
    let first = pieces.next().unwrap_or_default();
    let mut value = number(prefix, first)?;
    match (pieces.next(), pieces.next(), pieces.next()) {
        (None, ..) => {}
        (Some(system), Some(code), None) => {
            value.system = filled(system)?;
            value.code = filled(code)?;
            if value.system.as_deref() == Some(ucum::SYSTEM)
                && let Some(code) = &value.code
            {
                value.canonical = canonical(first, code)?;
            }
        }
        _ => return Err("give number, number|system|code or number||code".to_owned()),
    }
    Ok(value)
}

/// The number in the unit that the index has it in; `None` when the code is not understood.
fn canonical(number: &str, code: &str) -> Result<Option<CanonicalQuantity>, String> {
    let Some((conversion, value)) = ucum::usual(code).zip(Exact::parse(number)) else { return Ok(None) };
    let around = |distance: &Exact| (conversion.apply(&value.minus(distance)), conversion.apply(&value.plus(distance)));
    let implicit = around(&Exact::half_step(decimal(number)?.last_place()));
    let near = around(&value.tenth());
    Ok(Some(CanonicalQuantity { unit: conversion.unit().to_owned(), value: conversion.apply(&value), implicit, near }))
}

fn with_prefixes(form: &str) -> String {
    format!("{form}; before it may stand one of eq, ne, gt, lt, ge, le, sa, eb, ap")
}
