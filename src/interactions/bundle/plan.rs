//! What the entries of a batch or transaction ask for; pure, nothing is looked up.
//!
//! Spec: R4 bundle.html, http.html#transaction

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::fhir::{Id, Issue, IssueCode, Resource, ResourceKey, ResourceType};
use crate::interactions::bundle::BundleKind;
use crate::interactions::{Engine, InteractionError, Precondition};
use crate::search::Right;
use crate::validation;

/// An understood Bundle.
pub(super) struct Plan {
    pub(super) kind: BundleKind,
    pub(super) entries: Vec<Entry>,
}

/// One entry.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) full_url: Option<String>,
    pub(super) action: Action,
    pub(super) precondition: Precondition,
}

/// What an entry asks for.
#[derive(Clone)]
pub(super) enum Action {
    Create {
        resource: Resource,
        if_none_exist: Option<String>,
    },
    Update {
        key: ResourceKey,
        resource: Resource,
    },
    ConditionalUpdate {
        resource_type: ResourceType,
        criteria: String,
        resource: Resource,
    },
    /// The resource is a Parameters (FHIRPath Patch) or a Binary (JSON Patch).
    Patch {
        key: ResourceKey,
        document: Resource,
    },
    ConditionalPatch {
        resource_type: ResourceType,
        criteria: String,
        document: Resource,
    },
    Delete {
        key: ResourceKey,
    },
    ConditionalDelete {
        resource_type: ResourceType,
        criteria: String,
    },
    Get {
        target: Target,
        url: String,
        conditions: ReadConditions,
    },
    /// In a batch only: it can't be understood, which is no matter of the others.
    Refused(Issue),
}

impl Action {
    /// What a write needs the right for, and of which type.
    pub(super) fn needs(&self) -> Option<(ResourceType, Right)> {
        match self {
            Action::Create { resource, .. } => Some((resource.resource_type, Right::Create)),
            Action::Update { key, .. } | Action::Patch { key, .. } => Some((key.resource_type, Right::Update)),
            Action::ConditionalUpdate { resource_type, .. } | Action::ConditionalPatch { resource_type, .. } => {
                Some((*resource_type, Right::Update))
            }
            Action::Delete { key } => Some((key.resource_type, Right::Delete)),
            Action::ConditionalDelete { resource_type, .. } => Some((*resource_type, Right::Delete)),
            Action::Get { .. } | Action::Refused(_) => None,
        }
    }
}

/// What a GET entry wants to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Resource(ResourceKey),
    Version(ResourceKey, String),
    Search {
        resource_type: Option<ResourceType>,
        query: String,
    },
    /// A search in the compartment of `center`.
    Compartment {
        center: ResourceKey,
        resource_type: Option<ResourceType>,
        query: String,
    },
    History {
        key: Option<ResourceKey>,
        resource_type: Option<ResourceType>,
        query: String,
    },
}

/// When a GET entry is content with what it has.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadConditions {
    /// Versions that the client has (`ifNoneMatch`).
    pub(super) if_none_match: Option<Vec<String>>,
    /// In microseconds (`ifModifiedSince`).
    pub(super) if_modified_since_us: Option<i64>,
}

/// Understands `bundle`. The whole Bundle is refused when it is no batch or transaction, when its own elements are not
/// valid, or when an entry of a transaction can't be understood.
pub(super) fn plan(engine: &Engine, bundle: Resource) -> Result<Plan, InteractionError> {
    if bundle.resource_type != ResourceType::BUNDLE {
        return Err(refuse("resourceType", "only a Bundle can be posted to the base address"));
    }
    let kind = match bundle.object().get("type").and_then(Value::as_str) {
        Some("batch") => BundleKind::Batch,
        Some("transaction") => BundleKind::Transaction,
        _ => return Err(refuse("Bundle.type", "the base address takes Bundles of type batch or transaction")),
    };
    let (shell, resources) = taken_apart(bundle);
    if resources.len() > engine.limits.bundle_entries {
        let (entries, most) = (resources.len(), engine.limits.bundle_entries);
        return Err(InteractionError::TooManyEntries { entries, most });
    }
    let issues = validation::validate(&shell, &engine.bases);
    if issues.iter().any(Issue::is_error) {
        return Err(InteractionError::Invalid(issues));
    }
    let shells = shell.object().get("entry").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut entries = Vec::with_capacity(shells.len());
    let mut issues = Vec::new();
    let mut full_urls = HashMap::new();
    for (index, (entry, resource)) in shells.iter().zip(resources).enumerate() {
        match understood(engine, entry, resource) {
            Ok(entry) => {
                if let Some(full_url) = &entry.full_url
                    && let Some(first) = full_urls.insert(full_url.clone(), index)
                {
                    let text = format!("entry {first} has the same fullUrl: each must be its own");
                    issues.push(Issue::error(IssueCode::Invalid, format!("Bundle.entry[{index}].fullUrl"), text));
                }
                entries.push(entry);
            }
            Err(issue) => {
                let issue = issue.within(&format!("Bundle.entry[{index}]"));
                match kind {
                    BundleKind::Transaction => issues.push(issue),
                    BundleKind::Batch => entries.push(Entry {
                        full_url: None,
                        action: Action::Refused(issue),
                        precondition: Precondition::default(),
                    }),
                }
            }
        }
    }
    if issues.is_empty() { Ok(Plan { kind, entries }) } else { Err(InteractionError::Invalid(issues)) }
}

/// The Bundle without its resources, and the resource of each entry.
fn taken_apart(mut bundle: Resource) -> (Resource, Vec<Option<Value>>) {
    let entries = bundle.value.get_mut("entry").and_then(Value::as_array_mut);
    let resources = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.as_object_mut().and_then(|entry| entry.shift_remove("resource")))
        .collect();
    (bundle, resources)
}

/// Paths of the issues begin with `entry.`, which stands for the entry.
fn understood(engine: &Engine, entry: &Value, resource: Option<Value>) -> Result<Entry, Issue> {
    let resource = match resource {
        Some(value) => Some(Resource::from_value(value).map_err(|issue| issue.within("entry.resource"))?),
        None => None,
    };
    let Some(request) = entry.get("request").and_then(Value::as_object) else {
        return Err(issue("entry.request", "every entry needs a request with method and url"));
    };
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let method = text("method").ok_or_else(|| issue("entry.request.method", "the method is missing"))?;
    let url = text("url").ok_or_else(|| issue("entry.request.url", "the url is missing"))?;
    let target = target(url, &engine.bases)?;
    let precondition = Precondition {
        if_match: text("ifMatch").map(|tag| versions(tag, "entry.request.ifMatch")).transpose()?,
        if_none_match_any: method == "PUT" && text("ifNoneMatch").is_some_and(|tag| tag.trim() == "*"),
    };
    let body =
        || resource.clone().ok_or_else(|| issue("entry.resource", format!("a {method} needs a resource in its entry")));
    let action = match (method, target) {
        ("GET" | "HEAD", target) => Action::Get { target, url: url.to_owned(), conditions: read_conditions(request)? },
        ("POST", Target::Search { resource_type: Some(resource_type), query }) if query.is_empty() => {
            let resource = body()?;
            if resource.resource_type != resource_type {
                let text = format!("the url asks for {}: make both the same type", resource_type.with_article());
                return Err(issue("entry.resource", text));
            }
            Action::Create { resource, if_none_exist: text("ifNoneExist").map(str::to_owned) }
        }
        ("PUT", Target::Resource(key)) => Action::Update { key, resource: body()? },
        ("PUT", Target::Search { resource_type: Some(resource_type), query }) => {
            Action::ConditionalUpdate { resource_type, criteria: query, resource: body()? }
        }
        ("PATCH", Target::Resource(key)) => Action::Patch { key, document: body()? },
        ("PATCH", Target::Search { resource_type: Some(resource_type), query }) => {
            Action::ConditionalPatch { resource_type, criteria: query, document: body()? }
        }
        ("DELETE", Target::Resource(key)) => Action::Delete { key },
        ("DELETE", Target::Search { resource_type: Some(resource_type), query }) => {
            Action::ConditionalDelete { resource_type, criteria: query }
        }
        _ => return Err(issue("entry.request.url", format!("a {method} can't be done at this url"))),
    };
    let full_url = entry.get("fullUrl").and_then(Value::as_str).map(str::to_owned);
    Ok(Entry { full_url, action, precondition })
}

/// Understands `request.url`: relative to the base, or absolute under it.
fn target(url: &str, bases: &[String]) -> Result<Target, Issue> {
    let bad = |text: &str| issue("entry.request.url", text);
    let relative = bases
        .iter()
        .find_map(|base| url.strip_prefix(base.as_str()).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?'])))
        .unwrap_or(url);
    let (path, query) = relative.split_once('?').unwrap_or((relative, ""));
    // The criteria may well name a system by its URL.
    if path.contains("://") {
        return Err(bad("the url belongs to another server"));
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    let query = query.to_owned();
    let segments: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
    let typed = |name: &str| ResourceType::parse(name).map_err(|unknown| bad(&unknown.to_string()));
    let keyed = |name: &str, id: &str| {
        let id = Id::parse(id).map_err(|not_an_id| bad(&not_an_id.to_string()))?;
        Ok::<_, Issue>(ResourceKey { resource_type: typed(name)?, id })
    };
    match segments.as_slice() {
        [] if !query.is_empty() => Ok(Target::Search { resource_type: None, query }),
        ["_history"] => Ok(Target::History { key: None, resource_type: None, query }),
        [.., operation] if operation.starts_with('$') => Err(bad("operations are not done inside a Bundle here")),
        [name] => Ok(Target::Search { resource_type: Some(typed(name)?), query }),
        [name, "_history"] => Ok(Target::History { key: None, resource_type: Some(typed(name)?), query }),
        [name, id] => Ok(Target::Resource(keyed(name, id)?)),
        [name, id, "_history"] => Ok(Target::History { key: Some(keyed(name, id)?), resource_type: None, query }),
        [name, id, "*"] => Ok(Target::Compartment { center: keyed(name, id)?, resource_type: None, query }),
        [name, id, "_history", version] => Ok(Target::Version(keyed(name, id)?, (*version).to_owned())),
        [name, id, member] => {
            Ok(Target::Compartment { center: keyed(name, id)?, resource_type: Some(typed(member)?), query })
        }
        _ => Err(bad("the url is none of Type, Type/id, Type?criteria, Type/id/Type?criteria or a history of these")),
    }
}

fn read_conditions(request: &Map<String, Value>) -> Result<ReadConditions, Issue> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let if_none_match = text("ifNoneMatch").map(|tag| versions(tag, "entry.request.ifNoneMatch")).transpose()?;
    let if_modified_since_us = match text("ifModifiedSince") {
        Some(instant) => {
            let date = crate::fhir::PartialDate::parse(instant)
                .map_err(|error| issue("entry.request.ifModifiedSince", error.to_string()))?;
            Some(date.interval(0).lo_us)
        }
        None => None,
    };
    Ok(ReadConditions { if_none_match, if_modified_since_us })
}

/// The versions that an ETag list names: `W/"1"`, `"1"` or, as many clients write it, `1`.
fn versions(tags: &str, place: &str) -> Result<Vec<String>, Issue> {
    tags.split(',')
        .map(|tag| {
            let tag = tag.trim();
            let bare = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
            if bare == "*" || Id::parse(bare).is_ok() {
                Ok(bare.to_owned())
            } else {
                Err(issue(place, "a version is written W/\"3\""))
            }
        })
        .collect()
}

fn issue(place: &str, text: impl Into<String>) -> Issue {
    Issue::error(IssueCode::Invalid, place, text)
}

fn refuse(place: &str, text: &str) -> InteractionError {
    InteractionError::Invalid(vec![issue(place, text)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Result<Target, Issue> {
        target(url, &["http://localhost/fhir".to_owned()])
    }

    #[test]
    fn urls_are_understood_relative_and_absolute() {
        let patient = |id: &str| ResourceKey { resource_type: ResourceType::PATIENT, id: Id::parse(id).unwrap() };
        let search =
            |query: &str| Target::Search { resource_type: Some(ResourceType::PATIENT), query: query.to_owned() };

        assert_eq!(at("Patient/1"), Ok(Target::Resource(patient("1"))));
        assert_eq!(at("/Patient/1"), Ok(Target::Resource(patient("1"))));
        assert_eq!(at("http://localhost/fhir/Patient/1"), Ok(Target::Resource(patient("1"))));
        assert_eq!(at("Patient?name=a/b"), Ok(search("name=a/b")));
        assert_eq!(at("Patient"), Ok(search("")));
        assert_eq!(at("Patient/1/_history/2"), Ok(Target::Version(patient("1"), "2".to_owned())));
    }

    #[test]
    fn urls_that_lead_elsewhere_are_refused() {
        for url in [
            "",
            "http://localhost/fhirx/Patient/1",
            "http://other/fhir/Patient/1",
            "Patient/1/2/3",
            "Patient//1",
            "../Patient/1",
            "Patient/%2e%2e/1",
            "patient/1",
            "Patient/$everything",
            "Patient/1/$everything",
            "Patient/a b",
        ] {
            assert!(at(url).is_err(), "{url}");
        }
    }
}
