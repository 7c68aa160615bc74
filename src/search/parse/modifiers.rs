//! How a parameter may be modified.
//!
//! Spec: R4 search.html#modifiers

use std::fmt::Write as _;

use crate::fhir::ResourceType;
use crate::search::{Modifier, Parameter, ParameterKind, SearchError, Subject};

pub(super) fn read_modifier(subject: Subject, code: &str, modifier: &str) -> Result<Modifier, SearchError> {
    if modifier == "missing" {
        return Ok(Modifier::Missing);
    }
    let named = || format!("{code}:{}", modifier.chars().take(80).collect::<String>());
    let unsupported = |what| Err(SearchError::Unsupported { parameter: named(), what });
    let allowed = match subject {
        Subject::LastUpdated | Subject::Near | Subject::Text | Subject::Content => "':missing' only".to_owned(),
        Subject::Id => match modifier {
            "not" => return Ok(Modifier::Not),
            _ => "':missing' or ':not'".to_owned(),
        },
        Subject::Index(parameter) => match (parameter.kind, modifier) {
            (ParameterKind::Token, "not") => return Ok(Modifier::Not),
            (ParameterKind::Token, "text") => return Ok(Modifier::Text),
            (ParameterKind::Token, "of-type") if parameter.tokens.may_be_identifiers => return Ok(Modifier::OfType),
            (ParameterKind::Token, "in") if parameter.tokens.are_of_systems => return Ok(Modifier::In),
            (ParameterKind::Token, "not-in") if parameter.tokens.are_of_systems => return Ok(Modifier::NotIn),
            (ParameterKind::Token, "below") if parameter.tokens.are_of_systems => return Ok(Modifier::Below),
            (ParameterKind::Token, "above") if parameter.tokens.are_of_systems => return Ok(Modifier::Above),
            (ParameterKind::Token, _) => match (parameter.tokens.may_be_identifiers, parameter.tokens.are_of_systems) {
                (true, false) => "':missing', ':not', ':text' or ':of-type'",
                (false, true) => "':missing', ':not', ':text', ':in', ':not-in', ':below' or ':above'",
                (true, true) => "':missing', ':not', ':text', ':of-type', ':in', ':not-in', ':below' or ':above'",
                (false, false) => "':missing', ':not' or ':text'",
            }
            .to_owned(),
            (ParameterKind::String, "exact") => return Ok(Modifier::Exact),
            (ParameterKind::String, "contains") => return Ok(Modifier::Contains),
            (ParameterKind::String, "text") => return unsupported("this modifier of a string"),
            (ParameterKind::String, _) => "':missing', ':exact' or ':contains'".to_owned(),
            (ParameterKind::Uri, "below") => return Ok(Modifier::Below),
            (ParameterKind::Uri, "above") => return Ok(Modifier::Above),
            (ParameterKind::Uri, "contains") => return Ok(Modifier::Contains),
            (ParameterKind::Uri, _) => "':missing', ':below', ':above' or ':contains'".to_owned(),
            (ParameterKind::Reference, "identifier") => return Ok(Modifier::Identifier),
            (ParameterKind::Reference, "above" | "below") if parameter.has_canonicals() => {
                return unsupported("comparing the versions of canonical references");
            }
            (ParameterKind::Reference, "below") if !parameter.hierarchies().is_empty() => return Ok(Modifier::Below),
            (ParameterKind::Reference, "above") if !parameter.hierarchies().is_empty() => return Ok(Modifier::Above),
            (ParameterKind::Reference, "above" | "below") => format!(
                "{}; ':above' and ':below' are for references into a hierarchy, such as Location.partOf",
                reference_modifiers(parameter)
            ),
            (ParameterKind::Reference, _) => match ResourceType::parse(modifier) {
                Ok(named) if parameter.targets.is_empty() || parameter.targets.contains(&named) => {
                    return Ok(Modifier::Type(named));
                }
                _ => reference_modifiers(parameter),
            },
            _ => "':missing' only".to_owned(),
        },
    };
    let modifier = modifier.chars().take(80).collect();
    Err(SearchError::UnknownModifier { parameter: code.to_owned(), modifier, allowed })
}

fn reference_modifiers(parameter: &Parameter) -> String {
    let mut allowed = "':missing', ':identifier'".to_owned();
    if !parameter.hierarchies().is_empty() {
        allowed.push_str(", ':below', ':above'");
    }
    if parameter.targets.is_empty() {
        allowed.push_str(" or the name of a resource type");
    }
    for target in &parameter.targets {
        let _ = write!(allowed, ", ':{target}'");
    }
    allowed
}
