//! The bodies of entries: patched, with their links resolved, and checked.

use base64::Engine as _;
use serde_json::Value;

use crate::access::Caller;
use crate::fhir::{Issue, IssueCode, Resource, ResourceType, json};
use crate::interactions::bundle::at;
use crate::interactions::bundle::look_up::Resolved;
use crate::interactions::bundle::plan::{Action, Entry};
use crate::interactions::bundle::references::Links;
use crate::interactions::patch_resource::{patched, prepare_patched};
use crate::interactions::prepared::Prepared;
use crate::interactions::{Engine, InteractionError, PatchDocument};

/// Fewer bodies than this are checked on one thread.
const WORTH_THREADS: usize = 16;
/// The most issues that one refusal lists.
const MOST_ISSUES: usize = 100;
/// The checked body of an entry; `None` when it has none.
pub(super) fn body(
    engine: &Engine,
    caller: &Caller,
    links: &Links,
    entry: &Entry,
    resolved: &Resolved,
) -> Result<Option<Box<Prepared>>, InteractionError> {
    let mut resource = match (&entry.action, resolved) {
        (Action::Create { resource, .. }, Resolved::Create(key))
        | (Action::ConditionalUpdate { resource, .. }, Resolved::Update(key)) => {
            let mut resource = resource.clone();
            resource.set_id(key.id.clone());
            resource
        }
        (Action::Update { key, resource }, _) => {
            if resource.resource_type != key.resource_type || resource.id.as_ref() != Some(&key.id) {
                let place = format!("{}.id", resource.resource_type);
                let text = format!("the url of the entry is for {key}: type and id of the resource must be the same");
                return Err(InteractionError::Invalid(vec![Issue::error(IssueCode::Invalid, place, text)]));
            }
            resource.clone()
        }
        (Action::Patch { document, .. } | Action::ConditionalPatch { document, .. }, Resolved::Patch(row)) => {
            patched(engine, row, &patch_document(document)?)?
        }
        _ => return Ok(None),
    };
    let dangling = links.resolve(&mut resource);
    if !dangling.is_empty() {
        return Err(InteractionError::Invalid(dangling));
    }
    let prepared = match resolved {
        Resolved::Patch(row) => prepare_patched(engine, caller, row, &resource)?,
        Resolved::Create(key) => Prepared::new(engine, caller, key, 1, &resource)?,
        Resolved::Update(key) => Prepared::new(engine, caller, key, entry.precondition.next_version(), &resource)?,
        _ => return Ok(None),
    };
    Ok(Some(Box::new(prepared)))
}

/// Maps both lists together, on all processors when that is worth it.
pub(super) fn in_parallel<A: Sync, B: Sync, T: Send>(
    left: &[A],
    right: &[B],
    map: impl Fn(&A, &B) -> T + Sync,
) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if left.len() < WORTH_THREADS || threads == 1 {
        return left.iter().zip(right).map(|(left, right)| map(left, right)).collect();
    }
    let share = left.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let map = &map;
        let workers: Vec<_> = left
            .chunks(share)
            .zip(right.chunks(share))
            .map(|(left, right)| {
                scope.spawn(move || left.iter().zip(right).map(|(left, right)| map(left, right)).collect::<Vec<T>>())
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// What is wrong with the entries, all of it.
#[derive(Default)]
pub(super) struct Refused {
    issues: Vec<Issue>,
    is_malformed: bool,
}

impl Refused {
    /// Collects what is wrong with the entry's resource; anything else refuses the transaction at once.
    pub(super) fn add(&mut self, index: usize, error: InteractionError) -> Result<(), InteractionError> {
        let issues = match error {
            InteractionError::Invalid(issues) => {
                self.is_malformed = true;
                issues
            }
            InteractionError::Unprocessable(issues) => issues,
            other => return Err(at(index, other)),
        };
        let place = format!("Bundle.entry[{index}].resource");
        self.issues.extend(issues.into_iter().filter(Issue::is_error).map(|issue| issue.within(&place)));
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), InteractionError> {
        if self.issues.is_empty() {
            return Ok(());
        }
        if self.issues.len() > MOST_ISSUES {
            let more = self.issues.len() - MOST_ISSUES;
            self.issues.truncate(MOST_ISSUES);
            self.issues.push(Issue::information(format!("{more} more issues are not listed")));
        }
        Err(if self.is_malformed {
            InteractionError::Invalid(self.issues)
        } else {
            InteractionError::Unprocessable(self.issues)
        })
    }
}

/// The patch in an entry's resource: a Parameters is a FHIRPath Patch, a Binary holds a JSON Patch.
///
/// Spec: R4 http.html#patch
pub(super) fn patch_document(document: &Resource) -> Result<PatchDocument, InteractionError> {
    let refused = |text: &str| {
        let place = document.resource_type.name();
        InteractionError::Invalid(vec![Issue::error(IssueCode::Invalid, place, text)])
    };
    match document.resource_type {
        ResourceType::PARAMETERS => Ok(PatchDocument::FhirPath(document.value.clone())),
        ResourceType::BINARY => {
            let text = |name: &str| document.object().get(name).and_then(Value::as_str);
            if text("contentType").is_none_or(|name| !name.starts_with("application/json-patch+json")) {
                return Err(refused("a Binary with a patch has contentType application/json-patch+json"));
            }
            let data = text("data").ok_or_else(|| refused("the Binary has no data"))?;
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(data)
                .map_err(|_| refused("the data of the Binary is not base64"))?;
            let operations = json::parse(&bytes).map_err(|error| refused(&error.to_string()))?;
            Ok(PatchDocument::JsonPatch(operations))
        }
        _ => Err(refused("a PATCH needs a Parameters resource, or a Binary with a JSON Patch")),
    }
}
