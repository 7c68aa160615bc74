//! The rules that a Bundle keeps as a whole.
//!
//! Spec: R4 bundle.html (bdl-1 to bdl-12)

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::findings::Findings;
use super::path::Path;
use crate::fhir::IssueCode;

/// True when the entries are requests, so that their references may be searches.
pub(super) fn is_transaction(bundle: &Map<String, Value>) -> bool {
    matches!(kind(bundle), "transaction" | "batch")
}

fn kind(bundle: &Map<String, Value>) -> &str {
    bundle.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// Checks the invariants of Bundle and of its entries.
pub(super) fn check(bundle: &Map<String, Value>, path: &Path, findings: &mut Findings) {
    let kind = kind(bundle);
    let empty = Vec::new();
    let entries = bundle.get("entry").and_then(Value::as_array).unwrap_or(&empty);
    if bundle.contains_key("total") && !matches!(kind, "searchset" | "history") {
        let text = "total is for search results and histories only (bdl-1)";
        findings.add(IssueCode::Invariant, Path::Member(path, "total"), text);
    }
    let list = Path::Member(path, "entry");
    let mut urls = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let Value::Object(entry) = entry else { continue };
        let here = Path::Item(&list, index);
        check_entry(entry, kind, &here, findings);
        let url = entry.get("fullUrl").and_then(Value::as_str);
        let version = entry.get("resource").and_then(|resource| resource.get("meta")?.get("versionId")?.as_str());
        if let Some(url) = url
            && kind != "history"
            && !urls.insert((url, version))
        {
            let text = "fullUrl must be unique in the bundle, unless the versionId of the resources differs (bdl-7)";
            findings.add(IssueCode::Invariant, Path::Member(&here, "fullUrl"), text);
        }
    }
    check_document_or_message(bundle, kind, entries.first(), path, findings);
}

fn check_entry(entry: &Map<String, Value>, kind: &str, path: &Path, findings: &mut Findings) {
    let mut say = |member, text: String| findings.add(IssueCode::Invariant, Path::Member(path, member), text);
    if entry.contains_key("search") && kind != "searchset" {
        say("search", "search is for search results only (bdl-2)".to_owned());
    }
    let sides = [
        ("request", matches!(kind, "batch" | "transaction" | "history"), "bdl-3"),
        ("response", matches!(kind, "batch-response" | "transaction-response" | "history"), "bdl-4"),
    ];
    for (member, is_wanted, rule) in sides {
        match (is_wanted, entry.contains_key(member)) {
            (true, false) => say(member, format!("{member} is required in a bundle of this type ({rule})")),
            (false, true) => say(member, format!("{member} is not allowed in a bundle of this type ({rule})")),
            _ => {}
        }
    }
    if entry.get("fullUrl").and_then(Value::as_str).is_some_and(|url| url.contains("/_history/")) {
        say("fullUrl", "fullUrl must not name a version (bdl-8)".to_owned());
    }
    if !["resource", "request", "response"].iter().any(|member| entry.contains_key(*member)) {
        let text = "an entry must have a resource, a request or a response (bdl-5)";
        findings.add(IssueCode::Invariant, path, text);
    }
}

fn check_document_or_message(
    bundle: &Map<String, Value>,
    kind: &str,
    first: Option<&Value>,
    path: &Path,
    findings: &mut Findings,
) {
    let (leading, rule) = match kind {
        "document" => ("Composition", "bdl-11"),
        "message" => ("MessageHeader", "bdl-12"),
        _ => return,
    };
    let type_name = first.and_then(|entry| entry.get("resource")?.get("resourceType")?.as_str());
    // bdl-11 and bdl-12 are empty, so not broken, when there is no first resource; such a bundle is none of the kind.
    if type_name != Some(leading) {
        let text = format!("the first resource of a {kind} must be a {leading} ({rule})");
        findings.add(IssueCode::Invariant, Path::Member(path, "entry"), text);
    }
    if kind == "document" {
        let identifier = bundle.get("identifier");
        let has = |member: &str| identifier.and_then(|identifier| identifier.get(member)).is_some();
        if !has("system") || !has("value") {
            let text = "a document must have an identifier with system and value (bdl-9)";
            findings.add(IssueCode::Invariant, Path::Member(path, "identifier"), text);
        }
        if !bundle.contains_key("timestamp") {
            let text = "a document must have a timestamp (bdl-10)";
            findings.add(IssueCode::Invariant, Path::Member(path, "timestamp"), text);
        }
    }
}
