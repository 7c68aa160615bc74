//! What somebody asked for, told without what they asked it about.
//!
//! A query may name people whom it did not find, or find others too: "name=Somebody,Else". Whoever reads what was done with one
//! record is told by what it was searched, not for what.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::fhir::ResourceType;
use crate::search::{Registry, parse_query_string};

/// Stands for what is left out.
const LEFT_OUT: &str = "…";

/// What may stand in an address besides types and ids.
const ADDRESS: [&str; 4] = ["_history", "_search", "$validate", "*"];

/// Names and parts of names that the registry of parameters does not have: what shapes answers, what looks elsewhere, modifiers.
const NAMES: [&str; 38] = [
    "_at",
    "_contained",
    "_containedType",
    "_content",
    "_count",
    "_cursor",
    "_elements",
    "_explain",
    "_filter",
    "_format",
    "_has",
    "_include",
    "_list",
    "_maxresults",
    "_pretty",
    "_revinclude",
    "_since",
    "_sort",
    "_summary",
    "_text",
    "_total",
    "_type",
    "above",
    "below",
    "contains",
    "exact",
    "identifier",
    "in",
    "iterate",
    "missing",
    "mode",
    "not",
    "not-in",
    "of-type",
    "profile",
    "recurse",
    "resource",
    "text",
];

/// `query` without the values of its parameters, without names that are none of a parameter, and without ids, but for those of
/// resources that are in `named` (`Type/id`).
pub(super) fn without_values(query: &str, named: &[String]) -> String {
    let (address, parameters) = query.split_once('?').map_or((query, None), |(address, rest)| (address, Some(rest)));
    let mut told = without_ids(address, named);
    if let Some(parameters) = parameters {
        let each: Vec<String> = parameters.split('&').filter(|pair| !pair.is_empty()).map(name_of).collect();
        told.push('?');
        told.push_str(&each.join("&"));
    }
    told
}

fn without_ids(address: &str, named: &[String]) -> String {
    let parts: Vec<&str> = address.split('/').collect();
    let is_named = |at: usize| {
        let resource = at.checked_sub(1).and_then(|before| parts.get(before..=at)).map(|both| both.join("/"));
        resource.is_some_and(|resource| named.contains(&resource))
    };
    let is_version_of_named = |at: usize| at >= 2 && parts[at - 1] == "_history" && is_named(at - 2);
    let told = parts.iter().enumerate().map(|(at, part)| {
        let is_plain = part.is_empty() || ADDRESS.contains(part) || ResourceType::parse(part).is_ok();
        if is_plain || is_named(at) || is_version_of_named(at) { *part } else { LEFT_OUT }
    });
    told.collect::<Vec<_>>().join("/")
}

/// The name of a parameter as it is in a query: what is none of a known parameter is left out.
fn name_of(pair: &str) -> String {
    let decoded = parse_query_string(pair).unwrap_or_default();
    let name = decoded.first().map_or("", |(name, _)| name.as_str());
    let mut told = String::with_capacity(pair.len());
    for part in name.split_inclusive([':', '.']) {
        let word = part.trim_end_matches([':', '.']);
        told.push_str(if is_known(word) { word } else { LEFT_OUT });
        told.push_str(&part[word.len()..]);
    }
    if told.is_empty() {
        told.push_str(LEFT_OUT);
    }
    told + "=" + LEFT_OUT
}

fn is_known(word: &str) -> bool {
    static CODES: OnceLock<HashSet<&'static str>> = OnceLock::new();
    let codes = CODES.get_or_init(|| {
        let of_type = |of| Registry::bundled().parameters(of).into_iter().map(|parameter| parameter.code());
        ResourceType::all().flat_map(of_type).collect()
    });
    NAMES.contains(&word) || codes.contains(word) || ResourceType::parse(word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_told_by_its_names_alone() {
        let named = ["Patient/a", "Observation/1"].map(str::to_owned);
        for (query, told) in [
            ("Patient?name=SomebodyElse,Alpha", "Patient?name=…"),
            ("Observation?patient=pa,pb&_count=5", "Observation?patient=…&_count=…"),
            ("Observation?subject:Patient.family:exact=X", "Observation?subject:Patient.family:exact=…"),
            ("Observation?subject%3APatient.family=X", "Observation?subject:Patient.family=…"),
            ("Patient?_has:Observation:patient:code=1", "Patient?_has:Observation:patient:code=…"),
            ("Patient?_filter=name%20eq%20X", "Patient?_filter=…"),
            // What is no parameter may be a value.
            ("Patient?SomebodyElse", "Patient?…=…"),
            ("Patient?name:SomebodyElse=x&=y&%zz=1", "Patient?name:…=…&…=…&…=…"),
            ("Patient?family=a?name=b", "Patient?family=…"),
            // Whose id is told already, and whose is not.
            ("Patient/a/Observation?code=1", "Patient/a/Observation?code=…"),
            ("Patient/b/Observation?code=1", "Patient/…/Observation?code=…"),
            ("Observation/1/_history/2", "Observation/1/_history/2"),
            ("Observation/2/_history/2", "Observation/…/_history/…"),
            ("Patient/b/*", "Patient/…/*"),
            ("Patient/SomebodyElse/$validate", "Patient/…/$validate"),
            ("SomebodyElse", "…"),
            ("https://x.example/fhir/Patient?name=x", "…//…/…/Patient?name=…"),
            ("_history?_since=2026", "_history?_since=…"),
            ("", ""),
            ("?_type=Patient", "?_type=…"),
        ] {
            assert_eq!(without_values(query, &named), told, "{query}");
        }
    }

    #[test]
    fn each_name_is_told_once() {
        assert!(NAMES.is_sorted_by(|left, right| left < right));
    }
}
