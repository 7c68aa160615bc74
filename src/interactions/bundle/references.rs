//! Links between the entries of a transaction: `urn:uuid`, `urn:oid` and other full URLs become `Type/id`.
//!
//! The walk follows the element types: only what the specification calls a link is touched, so an `Identifier.value` that
//! happens to equal a full URL stays as it was sent.
//!
//! Spec: R4 http.html#trules, bundle.html#references

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::fhir::definitions::{TypeDefinition, type_named};
use crate::fhir::{Issue, IssueCode, Reference, Resource, ResourceKey, ResourceType};

/// What stands for what in one transaction.
#[derive(Default)]
pub(super) struct Links {
    /// From a full URL, or the relative reference that it implies, to the resource.
    targets: HashMap<String, ResourceKey>,
    /// From a conditional reference as written to the resource that it found.
    conditional: HashMap<String, ResourceKey>,
    /// From a conditional reference as written to why it found no single resource.
    unmatched: HashMap<String, (IssueCode, String)>,
}

impl Links {
    /// Notes that an entry known as `full_url` becomes `key`.
    pub(super) fn add(&mut self, full_url: &str, key: &ResourceKey) {
        self.targets.insert(full_url.to_owned(), key.clone());
        // A reference `Patient/1` beside a fullUrl `http://there/fhir/Patient/1` means that entry.
        if let Some(relative) = relative_of(full_url)
            && relative != key.to_string()
        {
            self.targets.insert(relative, key.clone());
        }
    }

    /// Notes what a conditional reference found.
    pub(super) fn add_conditional(&mut self, reference: &str, key: ResourceKey) {
        self.conditional.insert(reference.to_owned(), key);
    }

    /// Notes why a conditional reference found no single resource; told of each element that has it.
    pub(super) fn add_unmatched(&mut self, reference: &str, code: IssueCode, problem: String) {
        self.unmatched.insert(reference.to_owned(), (code, problem));
    }

    /// Points all links of `resource` to where they lead; answers with those that lead nowhere. Paths begin with the
    /// resource's type.
    pub(super) fn resolve(&self, resource: &mut Resource) -> Vec<Issue> {
        let name = resource.resource_type.name();
        let mut walk = Walk { links: self, issues: Vec::new(), path: vec![name.to_owned()] };
        if let (Some(definition), Some(object)) = (type_named(name), resource.value.as_object_mut()) {
            walk.object(object, definition);
        }
        walk.issues
    }
}

/// The conditional references of `resource`, as written.
pub(super) fn conditional_references(resource: &Resource) -> Vec<String> {
    let mut found = Vec::new();
    collect(&resource.value, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get("reference")
                && matches!(Reference::parse(text, &[]), Reference::Conditional { .. })
            {
                found.push(text.clone());
            }
            members.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

fn relative_of(full_url: &str) -> Option<String> {
    let mut segments = full_url.rsplit('/');
    let (id, name) = (segments.next()?, segments.next()?);
    let text = format!("{name}/{id}");
    matches!(Reference::parse(&text, &[]), Reference::Local { .. }).then_some(text)
}

struct Walk<'a> {
    links: &'a Links,
    issues: Vec<Issue>,
    path: Vec<String>,
}

impl Walk<'_> {
    fn object(&mut self, object: &mut Map<String, Value>, definition: &TypeDefinition) {
        for (name, value) in object {
            // `_birthDate` holds the extensions of `birthDate`.
            let (code, shown) = match name.strip_prefix('_') {
                Some(shown) => ("Element", shown),
                None => match definition.member(name) {
                    // In FHIRPath `valueReference` is `value`.
                    Some((element, chosen)) => (&*chosen.code, &*element.name),
                    None => continue,
                },
            };
            self.path.push(format!(".{shown}"));
            self.value(value, code, &definition.name, name);
            self.path.pop();
        }
    }

    fn value(&mut self, value: &mut Value, code: &str, parent: &str, member: &str) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.path.push(format!("[{index}]"));
                    self.value(item, code, parent, member);
                    self.path.pop();
                }
            }
            Value::Object(members) => {
                let named = members.get("resourceType").and_then(Value::as_str);
                let contained = named.filter(|_| code == "Resource").and_then(|name| ResourceType::parse(name).ok());
                let definition = type_named(contained.map_or(code, |resource_type| resource_type.name()));
                if let Some(definition) = definition {
                    self.object(members, definition);
                }
            }
            Value::String(text) => match code {
                "string" if parent == "Reference" && member == "reference" => self.reference(text),
                "uri" | "url" | "oid" | "uuid" => self.link(text),
                "xhtml" => self.narrative(text),
                _ => {}
            },
            _ => {}
        }
    }

    fn reference(&mut self, text: &mut String) {
        if let Some(key) = self.links.targets.get(text.as_str()).or_else(|| self.links.conditional.get(text.as_str())) {
            *text = key.to_string();
            return;
        }
        if let Some((code, problem)) = self.links.unmatched.get(text.as_str()) {
            self.issues.push(Issue::error(*code, self.path.concat(), problem));
        } else if matches!(Reference::parse(text, &[]), Reference::Urn(_)) {
            let problem = "no entry of the transaction has this fullUrl: add it, or refer to what is on the server";
            self.issues.push(Issue::error(IssueCode::NotFound, self.path.concat(), problem));
        }
    }

    fn link(&self, text: &mut String) {
        if let Some(key) = self.links.targets.get(text.as_str()) {
            *text = key.to_string();
        }
    }

    /// Replaces the targets of `href` and `src`; all else of the narrative stays to the byte.
    fn narrative(&self, text: &mut String) {
        if self.links.targets.is_empty() || !text.contains("urn:") && !text.contains("http") {
            return;
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = next_link(rest) {
            let (before, quoted) = rest.split_at(at);
            out.push_str(before);
            let mut quoted_chars = quoted.chars();
            let quote = quoted_chars.next().unwrap_or('"');
            let inner = quoted_chars.as_str();
            let end = inner.find(quote).unwrap_or(inner.len());
            let target = &inner[..end];
            out.push(quote);
            match self.links.targets.get(target) {
                Some(key) => out.push_str(&key.to_string()),
                None => out.push_str(target),
            }
            rest = &inner[end..];
        }
        out.push_str(rest);
        *text = out;
    }
}

/// Where the quote of the next `href=` or `src=` stands.
fn next_link(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find('=')?;
        let name = text[..at].trim_end();
        let after = at + 1 + (text[at + 1..].len() - text[at + 1..].trim_start().len());
        if (name.ends_with("href") || name.ends_with("src")) && text[after..].starts_with(['"', '\'']) {
            return Some(after);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::Id;
    use serde_json::json;

    fn links() -> Links {
        let mut links = Links::default();
        let key = |id: &str| ResourceKey { resource_type: ResourceType::PATIENT, id: Id::parse(id).unwrap() };
        links.add("urn:uuid:1", &key("p1"));
        links.add("http://there/fhir/Patient/old", &key("p2"));
        links.add_conditional("Patient?identifier=a", key("p3"));
        links.add_unmatched("Patient?identifier=b", IssueCode::MultipleMatches, "two".to_owned());
        links
    }

    fn resolved(value: Value) -> (Value, Vec<Issue>) {
        let mut resource = Resource::from_value(value).unwrap();
        let issues = links().resolve(&mut resource);
        (resource.value, issues)
    }

    #[test]
    fn links_are_replaced_wherever_the_specification_has_links() {
        let (value, issues) = resolved(json!({
            "resourceType": "Observation",
            "text": {"status": "generated", "div": "<div>=<a href=\"urn:uuid:1\">a</a><img src = 'urn:uuid:1'/> urn:uuid:1</div>"},
            "extension": [{"url": "http://x", "valueReference": {"reference": "urn:uuid:1"}}],
            "_status": {"extension": [{"url": "http://y", "valueUri": "urn:uuid:1"}]},
            "contained": [{"resourceType": "DocumentReference", "content": [{"attachment": {"url": "urn:uuid:1"}}]}],
            "subject": {"reference": "http://there/fhir/Patient/old"},
            "performer": [{"reference": "Patient/old"}, {"reference": "Patient?identifier=a"}]
        }));

        assert_eq!(issues, []);
        assert_eq!(
            value,
            json!({
                "resourceType": "Observation",
                "text": {"status": "generated", "div": "<div>=<a href=\"Patient/p1\">a</a><img src = 'Patient/p1'/> urn:uuid:1</div>"},
                "extension": [{"url": "http://x", "valueReference": {"reference": "Patient/p1"}}],
                "_status": {"extension": [{"url": "http://y", "valueUri": "Patient/p1"}]},
                "contained": [{"resourceType": "DocumentReference", "content": [{"attachment": {"url": "Patient/p1"}}]}],
                "subject": {"reference": "Patient/p2"},
                "performer": [{"reference": "Patient/p2"}, {"reference": "Patient/p3"}]
            })
        );
    }

    #[test]
    fn identifiers_canonicals_and_plain_text_stay_as_sent() {
        let sent = json!({
            "resourceType": "Observation",
            "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:1"}],
            "meta": {"profile": ["urn:uuid:1"]},
            "note": [{"text": "urn:uuid:1"}],
            "subject": {"reference": "Patient/other"}
        });

        assert_eq!(resolved(sent.clone()), (sent, vec![]));
    }

    #[test]
    fn what_leads_nowhere_is_named() {
        let (_, issues) = resolved(json!({
            "resourceType": "Observation",
            "extension": [{"url": "http://x", "valueReference": {"reference": "urn:uuid:2"}}],
            "performer": [{"reference": "Patient/1"}, {"reference": "urn:uuid:2"}, {"reference": "Patient?identifier=b"}]
        }));

        let places: Vec<_> = issues.iter().map(|issue| (issue.expression.as_deref().unwrap(), issue.code)).collect();
        assert_eq!(
            places,
            [
                ("Observation.extension[0].value.reference", IssueCode::NotFound),
                ("Observation.performer[1].reference", IssueCode::NotFound),
                ("Observation.performer[2].reference", IssueCode::MultipleMatches),
            ]
        );
    }
}
