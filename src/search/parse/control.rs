//! The parameters that say how the answer is to look.
//!
//! Spec: R4 search.html#return

use crate::fhir::ResourceType;
use crate::search::parse::ParseContext;
use crate::search::query_text::split;
use crate::search::{Containment, Include, MAX_COUNT, Returned, SearchError, SearchRequest, Summary, Total};

/// The types that `_type` names, as far as they are any.
pub(super) fn types(value: &str) -> Vec<ResourceType> {
    split(value, ',').filter_map(|name| ResourceType::parse(name).ok()).collect()
}

/// True when `name` selects nothing but shapes the answer.
pub(super) fn is_control(name: &str) -> bool {
    let code = name.split_once(':').map_or(name, |(code, _)| code);
    matches!(
        code,
        "_count"
            | "_cursor"
            | "_total"
            | "_summary"
            | "_elements"
            | "_sort"
            | "_type"
            | "_include"
            | "_revinclude"
            | "_contained"
            | "_containedType"
            | "_format"
            | "_pretty"
            | "_maxresults"
    )
}

/// What `_contained` and `_containedType` ask for; both have been read by [`read`].
pub(super) fn contained(query: &[(String, String)]) -> Option<Containment> {
    let value = |wanted: &str| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let is_both = match value("_contained") {
        None | Some("false") => return None,
        Some(value) => value == "both",
    };
    let returned = if value("_containedType") == Some("contained") { Returned::Contained } else { Returned::Container };
    Some(Containment { is_both, returned })
}

/// Takes one control parameter over into `request`; `seen` holds the names that have been given.
pub(super) fn read<'a>(
    request: &mut SearchRequest,
    seen: &mut Vec<&'a str>,
    name: &'a str,
    value: &str,
    context: &ParseContext<'_>,
) -> Result<(), SearchError> {
    if matches!(name, "_format" | "_pretty") {
        return Ok(());
    }
    let parameter = || name.chars().take(80).collect::<String>();
    let bad = |problem: &str| SearchError::BadValue { parameter: parameter(), problem: problem.to_owned() };
    if let Some(include) = Include::read(name, value, context.registry) {
        request.includes.push(include?);
        request.used.push((name.to_owned(), value.to_owned()));
        return Ok(());
    }
    if let Some((code, modifier)) = name.split_once(':') {
        return Err(SearchError::UnknownModifier {
            parameter: code.to_owned(),
            modifier: modifier.chars().take(80).collect(),
            allowed: "none".to_owned(),
        });
    }
    if value.trim().is_empty() {
        return Err(bad("it is empty: give a value, or leave the parameter out"));
    }
    if seen.contains(&name) {
        return Err(SearchError::Repeated { parameter: parameter() });
    }
    seen.push(name);

    let control = &mut request.control;
    let mut used = value.to_owned();
    match name {
        "_count" => {
            let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number {
                return Err(bad("give a whole number from 0"));
            }
            // More digits than a number holds is still a number above the limit.
            control.count = value.parse().unwrap_or(MAX_COUNT).min(MAX_COUNT);
            used = control.count.to_string();
        }
        "_maxresults" => {
            if !value.bytes().all(|byte| byte.is_ascii_digit()) || value.bytes().all(|byte| byte == b'0') {
                return Err(bad("give a whole number from 1"));
            }
            // No search has as many matches as what does not fit.
            control.max_results = Some(value.parse().unwrap_or(u32::MAX));
        }
        "_cursor" => {
            control.cursor = Some(value.to_owned());
            return Ok(());
        }
        "_total" => {
            control.total = Some(match value {
                "none" => Total::None,
                "estimate" => Total::Estimate,
                "accurate" => Total::Accurate,
                _ => return Err(bad("give none, estimate or accurate")),
            });
        }
        "_summary" => {
            control.summary = match value {
                "true" => Summary::True,
                "false" => Summary::False,
                "text" => Summary::Text,
                "data" => Summary::Data,
                "count" => Summary::Count,
                _ => return Err(bad("give true, false, text, data or count")),
            };
        }
        "_elements" => {
            let is_name = |element: &str| {
                (1..=128).contains(&element.len())
                    && element.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_')
            };
            for element in value.split(',').map(str::trim) {
                if !is_name(element) {
                    return Err(bad("give names of elements, separated by commas"));
                }
                if !control.elements.iter().any(|known| known == element) {
                    control.elements.push(element.to_owned());
                }
            }
        }
        // Read when all types are known.
        "_sort" => {}
        "_type" => {
            if request.resource_type.is_some() {
                return Err(bad("the address names the type already; leave it out"));
            }
            for type_name in split(value, ',') {
                let resource_type = ResourceType::parse(type_name)
                    .map_err(|_| bad("give names of resource types of FHIR R4, separated by commas"))?;
                if !request.types.contains(&resource_type) {
                    request.types.push(resource_type);
                }
            }
        }
        // Put together when both are known.
        "_contained" if matches!(value, "true" | "false" | "both") => {}
        "_containedType" if matches!(value, "container" | "contained") => {}
        "_contained" => return Err(bad("give true, false or both")),
        _ => return Err(bad("give container or contained")),
    }
    request.used.push((name.to_owned(), used));
    Ok(())
}
