//! References and contained resources: what points where, and whether it may.
//!
//! Spec: R4 references.html, domainresource.html (dom-2 to dom-5)

use std::cell::Cell;

use serde_json::{Map, Value};

use super::findings::Findings;
use super::path::Path;
use super::primitives::is_urn;
use crate::fhir::definitions::ElementType;
use crate::fhir::{IssueCode, Reference, ResourceType};

/// Type names in `Reference.type` are relative to this.
const TYPE_BASE: &str = "http://hl7.org/fhir/StructureDefinition/";

/// A resource inside another.
struct Inner<'v> {
    id: &'v str,
    /// Position in `contained`.
    index: usize,
    /// `None` when it names none of R4.
    type_name: Option<&'static str>,
}

/// What `contained` of one resource holds, sorted by id so that each reference costs one search.
pub(super) struct Contained<'v> {
    inner: Vec<Inner<'v>>,
    /// By position in `contained`: true when something points to it, or it to the container.
    is_linked: Vec<Cell<bool>>,
}

/// What references in one resource may point to.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) contained: &'s Contained<'s>,
    /// Position in `contained` of the resource being checked; `None` for the container itself.
    pub(super) within: Option<usize>,
    /// True inside a transaction or batch, where `Type?criteria` is legal.
    pub(super) admits_conditional: bool,
}

impl<'v> Contained<'v> {
    /// Reads the ids in `resource.contained`.
    pub(super) fn of(resource: &'v Map<String, Value>) -> Contained<'v> {
        let Some(Value::Array(list)) = resource.get("contained") else {
            return Contained { inner: Vec::new(), is_linked: Vec::new() };
        };
        let text = |resource: &'v Value, member: &str| resource.get(member).and_then(Value::as_str);
        let mut inner: Vec<Inner> = list
            .iter()
            .enumerate()
            .filter_map(|(index, resource)| {
                let type_name = text(resource, "resourceType")
                    .and_then(|name| ResourceType::parse(name).ok())
                    .map(ResourceType::name);
                Some(Inner { id: text(resource, "id")?, index, type_name })
            })
            .collect();
        inner.sort_by_key(|resource| (resource.id, resource.index));
        Contained { inner, is_linked: vec![Cell::new(false); list.len()] }
    }

    fn find(&self, id: &str) -> Option<&Inner<'v>> {
        let first = self.inner.partition_point(|resource| resource.id < id);
        self.inner.get(first).filter(|resource| resource.id == id)
    }

    /// Reports ids that occur twice and resources that nothing points to; called when the whole resource was walked.
    ///
    /// Spec: dom-3
    pub(super) fn report(&self, path: &Path, findings: &mut Findings) {
        let mut previous = None;
        let list = Path::Member(path, "contained");
        for resource in &self.inner {
            let item = Path::Item(&list, resource.index);
            if previous == Some(resource.id) {
                let text = "a contained resource must have an id that no other contained resource has";
                findings.add(IssueCode::Duplicate, Path::Member(&item, "id"), text);
            } else if !self.is_linked[resource.index].get() {
                let text =
                    "a contained resource must be referred to from the resource that holds it, or refer to it (dom-3)";
                findings.add(IssueCode::Invariant, item, text);
            }
            previous = Some(resource.id);
        }
    }
}

impl Scope<'_> {
    /// Notes that `text` (a reference, uri, url or canonical) points into the container, if it does.
    pub(super) fn note(&self, text: &str) {
        let Some(id) = text.strip_prefix('#') else { return };
        let target = match (id, self.within) {
            ("", within) => within,
            _ => self.contained.find(id).map(|resource| resource.index),
        };
        if let Some(linked) = target.and_then(|index| self.contained.is_linked.get(index)) {
            linked.set(true);
        }
    }
}

/// Checks what only a contained resource must keep to: an id, nothing contained, no version, no security label.
///
/// Spec: dom-2, dom-4, dom-5
pub(super) fn check_contained(resource: &Map<String, Value>, path: &Path, findings: &mut Findings) {
    if !resource.contains_key("id") {
        let text = "a contained resource needs an id, so that it can be referred to";
        findings.add(IssueCode::Required, Path::Member(path, "id"), text);
    }
    if resource.contains_key("contained") {
        let text = "a contained resource must not contain resources itself (dom-2)";
        findings.add(IssueCode::Invariant, Path::Member(path, "contained"), text);
    }
    let Some(Value::Object(meta)) = resource.get("meta") else { return };
    let meta_path = Path::Member(path, "meta");
    for name in ["versionId", "lastUpdated"] {
        if meta.contains_key(name) {
            let text = format!("a contained resource must not have {name} (dom-4)");
            findings.add(IssueCode::Invariant, Path::Member(&meta_path, name), text);
        }
    }
    if meta.contains_key("security") {
        let text = "a contained resource must not have a security label of its own (dom-5)";
        findings.add(IssueCode::Invariant, Path::Member(&meta_path, "security"), text);
    }
}

/// Checks one Reference: its form, where it may point, and that it agrees with its own `type`.
pub(super) fn check(
    object: &Map<String, Value>,
    expected: &ElementType,
    bases: &[String],
    scope: Scope,
    path: &Path,
    findings: &mut Findings,
) {
    let text = object.get("reference").and_then(Value::as_str);
    let reached = text.and_then(|text| reached_type(text, bases, scope, &Path::Member(path, "reference"), findings));
    let said = object.get("type").and_then(Value::as_str).map(|uri| uri.strip_prefix(TYPE_BASE).unwrap_or(uri));
    if let Some(said) = said {
        let is_relative = !said.contains(':');
        if is_relative && ResourceType::parse(said).is_err() {
            let text = "type must be the name of a resource type, such as Patient";
            findings.add(IssueCode::CodeInvalid, Path::Member(path, "type"), text);
            return;
        }
        if is_relative && reached.is_some_and(|reached| reached != said) {
            let text = "type must name the type of the resource that the reference points to";
            findings.add(IssueCode::Value, Path::Member(path, "type"), text);
            return;
        }
    }
    let Some(target) = reached.or(said) else { return };
    // A definition that admits every type says so by `Resource`.
    let admits = |allowed: &str| allowed == target || allowed == "Resource";
    if !expected.targets.is_empty() && !expected.targets.iter().any(|allowed| admits(allowed)) {
        let text = format!("{} may refer to {} only", path.name(), listed(&expected.targets));
        findings.add(IssueCode::Value, path, text);
    }
}

/// Checks the form of a reference; answers the type that it points to, where that can be told from here.
fn reached_type<'t>(
    text: &'t str,
    bases: &[String],
    scope: Scope<'t>,
    path: &Path,
    findings: &mut Findings,
) -> Option<&'t str> {
    match Reference::parse(text, bases) {
        Reference::Local { key, .. } => Some(key.resource_type.name()),
        Reference::Urn(urn) => {
            if !is_urn(urn) {
                let text =
                    "urn:uuid: is followed by 8-4-4-4-12 hexadecimal digits, urn:oid: by numbers with dots between";
                findings.add(IssueCode::Value, path, text);
            }
            None
        }
        Reference::Absolute(url) => type_in_url(url),
        Reference::Contained(id) => {
            scope.note(text);
            // `#` alone is the container, whose type is rarely of interest to a definition.
            if id.is_empty() {
                return None;
            }
            match scope.contained.find(id) {
                Some(resource) => resource.type_name,
                None => {
                    let text = "there is no contained resource with this id (ref-1)";
                    findings.add(IssueCode::Invariant, path, text);
                    None
                }
            }
        }
        Reference::Conditional { type_name, .. } => {
            if !scope.admits_conditional {
                let text = "a search instead of an id is allowed inside a transaction only";
                findings.add(IssueCode::Value, path, text);
            }
            Some(type_name)
        }
        Reference::Malformed => {
            let text = match text.contains(char::is_whitespace) {
                true => "a reference holds no spaces: within the criteria of a search, write %20 for each",
                false => "a reference is written Type/id, #id, urn:uuid:.., urn:oid:.. or as an absolute URL",
            };
            findings.add(IssueCode::Value, path, text);
            None
        }
    }
}

/// The type in a URL of the form `http(s)://server/Type/id`, with or without a version.
///
/// Spec: R4 references.html#literal ("a consistent URL")
fn type_in_url(url: &str) -> Option<&'static str> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return None;
    }
    let mut parts = url.rsplit('/');
    let (last, before) = (parts.next()?, parts.next()?);
    let name = if before == "_history" { parts.nth(1)? } else { before };
    let is_plain = !last.contains(['?', '#', '|']);
    if is_plain { ResourceType::parse(name).ok().map(ResourceType::name) } else { None }
}

fn listed(targets: &[Box<str>]) -> String {
    match targets {
        [] => "any resource".to_owned(),
        [one] => one.to_string(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_is_read_from_restful_urls_only() {
        assert_eq!(type_in_url("https://a.example/fhir/Patient/1"), Some("Patient"));
        assert_eq!(type_in_url("https://a.example/fhir/Patient/1/_history/2"), Some("Patient"));
        assert_eq!(type_in_url("https://a.example/fhir/Patient"), None);
        assert_eq!(type_in_url("https://a.example/fhir/Patient/?name=a"), None);
        assert_eq!(type_in_url("urn:oid:1.2"), None);
        assert_eq!(type_in_url("https://a.example/people/1"), None);
    }

    #[test]
    fn targets_read_as_a_sentence() {
        let names: Vec<Box<str>> = ["Group", "Patient", "Device"].map(Box::from).to_vec();

        assert_eq!(listed(&names[..1]), "Group");
        assert_eq!(listed(&names), "Group, Patient or Device");
    }
}
