//! How the index joins canonical references with what they lead to.
//!
//! A database can't make the hash of a URL, nor part it from its version. So both sides have rows in the index of references
//! whose targets are names: a reference has the name that it says, a definition has all by which it may be called, under the
//! number of its parameter `url`. A name is a URL, or the address of a resource of this server, with a bar and the
//! version after it; what has no version ends with the bar, so that a reference to `url|1`, which the index has under the
//! bare URL, too, is not led to another version.
//!
//! Spec: R4 references.html#canonical

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::fhir::definitions::{self, SearchParameterDefinition};
use crate::fhir::{Reference, Resource, ResourceKey, ResourceType};

/// The number under which the index of references has the names of resources of this type; `None` when they have no
/// canonical URL.
pub(super) fn names_of_type(resource_type: ResourceType) -> Option<i16> {
    static NUMBERS: OnceLock<HashMap<ResourceType, i16>> = OnceLock::new();
    let numbers = NUMBERS.get_or_init(|| definitions::search_parameters().iter().filter_map(naming).collect());
    numbers.get(&resource_type).copied()
}

/// The type whose canonical URL the parameter reads, with its number.
fn naming(definition: &SearchParameterDefinition) -> Option<(ResourceType, i16)> {
    let is_url = definition.expression.as_deref().is_some_and(|text| *text == format!("{}.url", definition.base));
    // A Device has a URL, too, but no version: it is where the device is reached.
    let version = definitions::type_named(&definition.base).filter(|_| is_url)?.element("version")?;
    let is_versioned = version.types.iter().any(|of| *of.code == *"string");
    Some((ResourceType::parse(&definition.base).ok().filter(|_| is_versioned)?, definition.id))
}

/// The names by which references may call a definition.
pub(super) fn names(resource: &Resource) -> Vec<String> {
    let text = |name: &str| resource.value.get(name).and_then(Value::as_str);
    let id = resource.id.clone();
    let address = id.map(|id| ResourceKey { resource_type: resource.resource_type, id }.to_string());
    let versions = [Some(""), text("version")];
    let bases = [address.as_deref(), text("url")];
    let each = bases.into_iter().flatten().flat_map(|base| versions.map(|version| Some(name(base, version?))));
    each.flatten().collect()
}

/// What a canonical reference calls what it refers to; two names where the URL is an address of this server, too.
pub(super) fn called(text: &str, bases: &[String]) -> Vec<String> {
    let (url, version) = text.split_once('|').unwrap_or((text, ""));
    let mut names = vec![name(url, version)];
    if let Reference::Local { key, .. } = Reference::parse(url, bases) {
        names.push(name(&key.to_string(), version));
    }
    names
}

fn name(base: &str, version: &str) -> String {
    format!("{base}|{version}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Registry;

    #[test]
    fn what_canonical_references_lead_to_has_names() {
        let registry = Registry::bundled();
        let canonicals = ResourceType::all().flat_map(|of| registry.references(of));
        // `RelatedArtifact.resource` may be of any type.
        let canonicals = canonicals.filter(|by| by.has_canonicals() && by.targets.len() < 100);

        let pairs: Vec<_> = canonicals.flat_map(|by| by.targets.iter().map(move |target| (by, *target))).collect();
        assert!(pairs.len() > 40, "{}", pairs.len());
        for (by, target) in pairs {
            assert!(names_of_type(target).is_some(), "{}.{}: {target}", by.definition.base, by.code());
        }
        for name in ["Device", "Subscription", "Patient"] {
            assert_eq!(names_of_type(ResourceType::parse(name).unwrap()), None, "{name}");
        }
    }

    #[test]
    fn references_and_definitions_meet_in_a_name() {
        let bases = ["http://here/fhir".to_owned()];
        let meets = |reference: &str, definition: Value| {
            let names = names(&Resource::from_value(definition).unwrap());
            called(reference, &bases).iter().any(|name| names.contains(name))
        };
        let questionnaire = |url: Option<&str>, version: Option<&str>| serde_json::json!({ "resourceType": "Questionnaire", "id": "1", "url": url, "version": version });
        let cases = [
            ("http://x/q", Some("http://x/q"), None, true),
            ("http://x/q", Some("http://x/q"), Some("2"), true),
            ("http://x/q|2", Some("http://x/q"), Some("2"), true),
            ("http://x/q|1", Some("http://x/q"), Some("2"), false),
            ("http://x/q|1", Some("http://x/q"), None, false),
            ("http://x/q", Some("http://x/other"), None, false),
            ("http://here/fhir/Questionnaire/1", Some("http://x/q"), None, true),
            ("http://here/fhir/Questionnaire/1|2", None, Some("2"), true),
            ("http://here/fhir/Questionnaire/1|1", None, Some("2"), false),
            ("http://here/fhir/Questionnaire/2", None, None, false),
        ];
        for (reference, url, version, does) in cases {
            assert_eq!(meets(reference, questionnaire(url, version)), does, "{reference} {url:?} {version:?}");
        }
    }
}
