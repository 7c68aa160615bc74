//! Storing documents, one after the other.

use std::collections::HashSet;
use std::mem;

use serde_json::{Map, Value, json};

use crate::access::Caller;
use crate::fhir::{Issue, Resource, ResourceType};
use crate::interactions::bundle::{BundleAnswer, EntryAnswer, process};
use crate::interactions::{Answer, Effect, Engine, InteractionError};
use crate::load::input::Document;
use crate::load::{LoadError, Reason, Refused, Summary};

/// So many single resources are gathered before they are stored together.
const GROUP: usize = 200;
/// No more than so many reasons are given for one input.
const MOST_REASONS: usize = 20;

/// Where a resource came from.
struct Place {
    input: String,
    entry: Option<usize>,
}

pub(super) struct Loader<'a> {
    engine: &'a Engine,
    caller: &'a Caller,
    progress: &'a dyn Fn(u64),
    waiting: Vec<(Place, Resource)>,
    /// Transactions whose conditional references found nothing yet; `None` once they are tried again.
    postponed: Option<HashSet<String>>,
    summary: Summary,
}

impl<'a> Loader<'a> {
    pub(super) fn new(engine: &'a Engine, caller: &'a Caller, progress: &'a dyn Fn(u64)) -> Loader<'a> {
        let summary = Summary::default();
        Loader { engine, caller, progress, waiting: Vec::new(), postponed: Some(HashSet::new()), summary }
    }

    /// The names of the documents to try again; nothing is postponed after this.
    pub(super) fn take_postponed(&mut self) -> HashSet<String> {
        self.postponed.take().unwrap_or_default()
    }

    pub(super) fn into_summary(self) -> Summary {
        self.summary
    }

    /// Stores what is in the document, at the latest when `flush` is called.
    pub(super) fn take(&mut self, document: Document) -> Result<(), LoadError> {
        let place = Place { input: document.name, entry: None };
        if self.postponed.is_some() {
            self.summary.documents += 1;
        }
        let value = match document.value {
            Ok(value) => value,
            Err(text) => {
                self.refuse(place, vec![Reason { expression: None, text }]);
                return Ok(());
            }
        };
        let resource = match Resource::from_value(value) {
            Ok(resource) => resource,
            Err(issue) => {
                self.refuse(place, vec![reason(issue)]);
                return Ok(());
            }
        };
        if resource.resource_type != ResourceType::BUNDLE {
            return self.gather(place, resource);
        }
        match resource.object().get("type").and_then(Value::as_str) {
            Some("transaction" | "batch") => {
                self.flush()?;
                self.bundle(place, resource)
            }
            Some("collection" | "searchset") => self.members(&place, resource),
            // A document or a message is a whole, and a history or an answer tells of what happened elsewhere.
            _ => self.gather(place, resource),
        }
    }

    /// The resources in a collection, each by itself.
    fn members(&mut self, place: &Place, mut bundle: Resource) -> Result<(), LoadError> {
        let Some(Value::Array(entries)) = bundle.value.get_mut("entry").map(Value::take) else {
            return Ok(());
        };
        for (index, mut entry) in entries.into_iter().enumerate() {
            let place = Place { input: place.input.clone(), entry: Some(index) };
            let is_remark = entry.pointer("/search/mode").and_then(Value::as_str) == Some("outcome");
            let Some(resource) = entry.get_mut("resource").map(Value::take).filter(|_| !is_remark) else {
                continue;
            };
            match Resource::from_value(resource) {
                Ok(resource) => self.gather(place, resource)?,
                Err(issue) => self.refuse(place, vec![reason(issue)]),
            }
        }
        Ok(())
    }

    fn gather(&mut self, place: Place, resource: Resource) -> Result<(), LoadError> {
        self.waiting.push((place, resource));
        if self.waiting.len() >= GROUP { self.flush() } else { Ok(()) }
    }

    /// Stores the gathered resources: those with an id under that id.
    pub(super) fn flush(&mut self) -> Result<(), LoadError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut places = Vec::with_capacity(self.waiting.len());
        let mut entries = Vec::with_capacity(self.waiting.len());
        for (place, resource) in mem::take(&mut self.waiting) {
            let name = resource.resource_type.name();
            let request = match &resource.id {
                Some(id) => json!({ "method": "PUT", "url": format!("{name}/{id}") }),
                None => json!({ "method": "POST", "url": name }),
            };
            places.push(place);
            // Moved, not handed to `json!`: that copies it all, and writes numbers in its own way (1e3 for 1E3).
            let mut entry = Map::new();
            entry.insert("resource".to_owned(), resource.value);
            entry.insert("request".to_owned(), request);
            entries.push(Value::Object(entry));
        }
        let mut bundle = Map::new();
        bundle.insert("resourceType".to_owned(), Value::from("Bundle"));
        bundle.insert("type".to_owned(), Value::from("batch"));
        bundle.insert("entry".to_owned(), Value::Array(entries));
        let bundle = Resource::from_value(Value::Object(bundle)).map_err(|issue| damaged(&issue))?;
        let answer = match process(self.engine, self.caller, bundle) {
            Ok(answer) => answer,
            Err(InteractionError::Store(error)) => return Err(error.into()),
            Err(error) => {
                // Cannot be the fault of one alone, so all of them share the reason.
                let text = error.to_string();
                for place in places {
                    self.refuse(place, vec![Reason { expression: None, text: text.clone() }]);
                }
                return Ok(());
            }
        };
        for (place, entry) in places.into_iter().zip(answer.entries) {
            self.count(place, entry)?;
        }
        (self.progress)(self.summary.total());
        Ok(())
    }

    fn bundle(&mut self, place: Place, bundle: Resource) -> Result<(), LoadError> {
        match process(self.engine, self.caller, bundle) {
            Ok(BundleAnswer { entries, .. }) => {
                for (index, entry) in entries.into_iter().enumerate() {
                    self.count(Place { input: place.input.clone(), entry: Some(index) }, entry)?;
                }
                (self.progress)(self.summary.total());
            }
            Err(InteractionError::Store(error)) => return Err(error.into()),
            Err(error) => match &mut self.postponed {
                Some(postponed) if is_early(&error) => {
                    postponed.insert(place.input);
                }
                _ => self.refuse_for(place, error),
            },
        }
        Ok(())
    }

    fn count(&mut self, place: Place, entry: EntryAnswer) -> Result<(), LoadError> {
        match entry {
            EntryAnswer::Written(answer) => self.count_write(&answer),
            EntryAnswer::Deleted(answers) => answers.iter().for_each(|answer| self.count_write(answer)),
            EntryAnswer::Failed(InteractionError::Store(error)) => return Err(error.into()),
            EntryAnswer::Failed(error) => self.refuse_for(place, error),
            // What a transaction reads has nobody to go to.
            EntryAnswer::Read(_)
            | EntryAnswer::NotModified(_)
            | EntryAnswer::Searched { .. }
            | EntryAnswer::History { .. } => {}
        }
        Ok(())
    }

    fn count_write(&mut self, answer: &Answer) {
        match (answer.effect, &answer.row) {
            (Effect::Created | Effect::Updated | Effect::Unchanged, Some(row)) => {
                *self.summary.stored.entry(row.key.resource_type.name()).or_default() += 1;
            }
            (Effect::Matched, _) => self.summary.matched += 1,
            (Effect::Deleted, _) => self.summary.deleted += 1,
            _ => {}
        }
    }

    fn refuse_for(&mut self, place: Place, error: InteractionError) {
        let (entry, error) = match error {
            InteractionError::Entry { index, error } => (Some(index), *error),
            other => (place.entry, other),
        };
        let reasons = match error {
            InteractionError::Invalid(issues) | InteractionError::Unprocessable(issues) => {
                issues.into_iter().filter(Issue::is_error).take(MOST_REASONS).map(reason).collect()
            }
            other => vec![Reason { expression: None, text: other.to_string() }],
        };
        self.refuse(Place { input: place.input, entry }, reasons);
    }

    fn refuse(&mut self, place: Place, reasons: Vec<Reason>) {
        self.summary.refuse(Refused { input: place.input, entry: place.entry, reasons });
    }
}

/// Whether what a transaction looked for may still come.
fn is_early(error: &InteractionError) -> bool {
    match error {
        InteractionError::Entry { error, .. } => is_early(error),
        InteractionError::NoMatch(_) => true,
        _ => false,
    }
}

fn reason(issue: Issue) -> Reason {
    Reason { expression: issue.expression, text: issue.text }
}

fn damaged(issue: &Issue) -> LoadError {
    LoadError::Store(crate::store::StoreError::Damaged(issue.text.clone()))
}
