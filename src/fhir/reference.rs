//! References as text: relative, absolute, contained, `urn:`, conditional.
//!
//! Spec: R4 references.html#literal, http.html#trules

use crate::fhir::{Id, ResourceKey, ResourceType};

/// What a `Reference.reference` (or a search value of that kind) says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// `Type/id` on this server, relative or under one of its own base URLs; the version when it names one.
    Local { key: ResourceKey, version: Option<&'a str> },
    /// `#id` of a contained resource, or `#` for the container; without the `#`.
    Contained(&'a str),
    /// `urn:uuid:..` or `urn:oid:..`, whole.
    Urn(&'a str),
    /// `Type?criteria`, legal in transactions only. The type has the shape of a type name but may be unknown.
    Conditional { type_name: &'a str, criteria: &'a str },
    /// Another server's URL, or any other absolute URI, whole: with fragment and `|version`, should it have them.
    Absolute(&'a str),
    /// None of these.
    Malformed,
}

impl<'a> Reference<'a> {
    /// Reads `text`; `bases` are this server's own base URLs, without a slash at the end.
    ///
    /// A URL under a base that is neither `Type/id` nor conditional stays [`Reference::Absolute`].
    pub fn parse(text: &'a str, bases: &[String]) -> Reference<'a> {
        if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Reference::Malformed;
        }
        if let Some(id) = text.strip_prefix('#') {
            return Reference::Contained(id);
        }
        if !has_scheme(text) {
            return relative(text).unwrap_or(Reference::Malformed);
        }
        if text.starts_with("urn:uuid:") || text.starts_with("urn:oid:") {
            return Reference::Urn(text);
        }
        let own = bases.iter().find_map(|base| text.strip_prefix(base.as_str())?.strip_prefix('/'));
        own.and_then(relative).unwrap_or(Reference::Absolute(text))
    }
}

/// Reads what follows the base URL: `Type/id`, `Type/id/_history/version` or `Type?criteria`.
fn relative(text: &str) -> Option<Reference<'_>> {
    if let Some((type_name, criteria)) = text.split_once('?') {
        let named = type_name.starts_with(|first: char| first.is_ascii_uppercase())
            && type_name.bytes().all(|byte| byte.is_ascii_alphabetic());
        return (named && !criteria.is_empty()).then_some(Reference::Conditional { type_name, criteria });
    }
    let mut parts = text.split('/');
    let resource_type = ResourceType::parse(parts.next()?).ok()?;
    let id = Id::parse(parts.next()?).ok()?;
    let version = match (parts.next(), parts.next(), parts.next()) {
        (None, None, None) => None,
        (Some("_history"), Some(version), None) if Id::parse(version).is_ok() => Some(version),
        _ => return None,
    };
    Some(Reference::Local { key: ResourceKey { resource_type, id }, version })
}

/// Whether `text` begins with a URI scheme and has something after it.
///
/// Spec: RFC 3986 section 3.1
fn has_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    !rest.is_empty()
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "http://localhost:8080/fhir";

    fn parse(text: &str) -> Reference<'_> {
        Reference::parse(text, &["https://health.example".to_owned(), BASE.to_owned()])
    }

    fn local<'a>(name: &str, id: &str, version: Option<&'a str>) -> Reference<'a> {
        let key = ResourceKey { resource_type: ResourceType::parse(name).unwrap(), id: Id::parse(id).unwrap() };
        Reference::Local { key, version }
    }

    #[test]
    fn a_type_and_id_are_local_when_relative_or_under_an_own_base() {
        let cases = [
            ("Patient/1", local("Patient", "1", None)),
            ("Patient/a-b.C/_history/3", local("Patient", "a-b.C", Some("3"))),
            ("http://localhost:8080/fhir/Observation/x", local("Observation", "x", None)),
            ("https://health.example/Patient/1/_history/2", local("Patient", "1", Some("2"))),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn other_forms_are_told_apart() {
        let urn = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520";
        let conditional = Reference::Conditional { type_name: "Patient", criteria: "identifier=http://x|1" };
        let cases = [
            ("#", Reference::Contained("")),
            ("#p1", Reference::Contained("p1")),
            (urn, Reference::Urn(urn)),
            ("urn:oid:1.2.3", Reference::Urn("urn:oid:1.2.3")),
            ("urn:isbn:1", Reference::Absolute("urn:isbn:1")),
            ("Patient?identifier=http://x|1", conditional.clone()),
            ("http://localhost:8080/fhir/Patient?identifier=http://x|1", conditional),
            ("Teapot?x=y", Reference::Conditional { type_name: "Teapot", criteria: "x=y" }),
            ("http://x/y|1.0", Reference::Absolute("http://x/y|1.0")),
            ("https://other.example/fhir/Patient/1", Reference::Absolute("https://other.example/fhir/Patient/1")),
            ("http://localhost:8080/fhirs/Patient/1", Reference::Absolute("http://localhost:8080/fhirs/Patient/1")),
            ("http://localhost:8080/fhir/Teapot/1", Reference::Absolute("http://localhost:8080/fhir/Teapot/1")),
            ("mailto:a@b.example", Reference::Absolute("mailto:a@b.example")),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        let cases = [
            "",
            "Patient",
            "Patient/",
            "/Patient/1",
            "Teapot/1",
            "patient/1",
            "Patient/1/",
            "Patient/1/_history",
            "Patient/1/_history/",
            "Patient/1/_history/2/3",
            "Patient/1/name",
            "Patient/a b",
            "Patient/1#x",
            "Patient?",
            "?x=y",
            "patient?x=y",
            "http:",
            "1a:b",
            "http://x/ y",
            "Patient/1\n",
        ];
        for text in cases {
            assert_eq!(parse(text), Reference::Malformed, "{text:?}");
        }
    }
}
