//! Required bindings: codes that must come from a value set.
//!
//! Other strengths leave the choice to the sender, so they are not checked here.
//!
//! Spec: R4 terminologies.html#required

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::findings::Findings;
use super::path::Path;
use super::schema::{CODES_LISTED, not_in_list};
use crate::fhir::IssueCode;
use crate::fhir::definitions;

type Codes = HashMap<Box<str>, HashSet<Box<str>>>;

/// Checks a `code` whose definition binds it to the value set `url`; the system is implied.
pub(super) fn check_code(code: &str, url: &str, path: &Path, findings: &mut Findings) {
    let Some(set) = definitions::value_set(url) else { return };
    if !set.values().any(|codes| codes.contains(code)) {
        findings.add(IssueCode::CodeInvalid, path, not_in_list(path.name(), short_list(set)));
    }
}

/// Checks a Coding, Quantity or CodeableConcept whose definition binds it to the value set `url`.
pub(super) fn check_coded(
    type_code: &str,
    object: &Map<String, Value>,
    url: &str,
    path: &Path,
    findings: &mut Findings,
) {
    let Some(set) = definitions::value_set(url) else { return };
    // An extension in place of the content, such as a reason for its absence, is content that no set lists.
    let says_nothing = object.keys().all(|name| matches!(name.as_str(), "id" | "extension"));
    let fits = match type_code {
        "Coding" | "Quantity" => is_in(set, object),
        // "one of the coding values SHALL be from the specified value set": a text alone doesn't do.
        "CodeableConcept" => match object.get("coding") {
            Some(Value::Array(codings)) => codings.iter().filter_map(Value::as_object).any(|coding| is_in(set, coding)),
            _ => false,
        },
        _ => true,
    };
    if !fits && !says_nothing {
        let name = path.name();
        let text = match type_code {
            "CodeableConcept" => format!("at least one coding of {name} must be from {url}"),
            _ => format!("system and code of {name} must be from {url}"),
        };
        findings.add(IssueCode::CodeInvalid, path, text);
    }
}

fn is_in(set: &Codes, coding: &Map<String, Value>) -> bool {
    let text = |member: &str| coding.get(member).and_then(Value::as_str);
    let (Some(system), Some(code)) = (text("system"), text("code")) else { return false };
    set.get(system).is_some_and(|codes| codes.contains(code))
}

fn short_list(set: &'static Codes) -> Vec<&'static str> {
    let size: usize = set.values().map(HashSet::len).sum();
    if size > CODES_LISTED {
        return Vec::new();
    }
    set.values().flatten().map(|code| &**code).collect()
}
