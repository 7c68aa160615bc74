//! What is sent for each document: a transaction as it is, single resources gathered into batches.

use std::collections::HashSet;
use std::mem;

use serde_json::{Map, Value, json};

use crate::fhir::{Resource, ResourceType};
use crate::load::input::Document;
use crate::load::target::{Marks, Outcome, Sent, Standing, Target, entry_of, reason};
use crate::load::{LoadError, Reason, Refused, Summary, mark};
use crate::store::LoadMark;

/// So many single resources are gathered before they are sent together.
const GROUP: usize = 200;
/// They are sent earlier when they weigh more; a server takes 32 MiB, by default.
const HEAVIEST_GROUP_BYTES: usize = 8 << 20;

const DOUBTFUL: &str = "it was sent before and the answer was lost, so that it may be stored already: \
                        look at the server, then load it by itself if it is not there";

/// Where a resource came from.
#[derive(Clone)]
struct Place {
    input: String,
    entry: Option<usize>,
}

/// An entry of a batch about to be sent.
struct Waiting {
    place: Place,
    mark: LoadMark,
    entry: Value,
}

pub(super) struct Loader<'a, T> {
    target: T,
    progress: &'a dyn Fn(u64),
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    /// Transactions whose conditional references found nothing yet; `None` once they are tried again.
    postponed: Option<HashSet<String>>,
    summary: Summary,
}

impl<'a, T: Target> Loader<'a, T> {
    pub(super) fn new(target: T, progress: &'a dyn Fn(u64)) -> Loader<'a, T> {
        let summary = Summary::default();
        Loader { target, progress, waiting: Vec::new(), waiting_bytes: 0, postponed: Some(HashSet::new()), summary }
    }

    /// The names of the documents to try again; nothing is postponed after this.
    pub(super) fn take_postponed(&mut self) -> HashSet<String> {
        self.postponed.take().unwrap_or_default()
    }

    pub(super) fn into_summary(self) -> Summary {
        self.summary
    }

    /// Sends what is in the document, at the latest when `flush` is called.
    pub(super) fn take(&mut self, document: Document) -> Result<(), LoadError> {
        let mark = document.mark;
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
            return self.gather(place, mark, resource);
        }
        match resource.object().get("type").and_then(Value::as_str) {
            Some("transaction") => self.transaction(place, mark, resource),
            Some("batch") => self.batch(&place, mark, resource),
            Some("collection" | "searchset") => self.members(&place, mark, resource),
            // A document or a message is a whole, and a history or an answer tells of what happened elsewhere.
            _ => self.gather(place, mark, resource),
        }
    }

    /// The resources in a collection, each by itself.
    fn members(&mut self, place: &Place, mark: LoadMark, mut bundle: Resource) -> Result<(), LoadError> {
        for (index, mut entry) in taken_entries(&mut bundle).into_iter().enumerate() {
            let place = Place { input: place.input.clone(), entry: Some(index) };
            let is_remark = entry.pointer("/search/mode").and_then(Value::as_str) == Some("outcome");
            let Some(resource) = entry.get_mut("resource").map(Value::take).filter(|_| !is_remark) else {
                continue;
            };
            match Resource::from_value(resource) {
                Ok(resource) => self.gather(place, mark::entry(mark, index), resource)?,
                Err(issue) => self.refuse(place, vec![reason(issue)]),
            }
        }
        Ok(())
    }

    /// Lets a resource wait for others: with an id it will be stored under that id.
    fn gather(&mut self, place: Place, mark: LoadMark, resource: Resource) -> Result<(), LoadError> {
        if !self.is_new(&place, &mark) {
            return Ok(());
        }
        let bytes = weight(&resource.value);
        if self.waiting_bytes + bytes > HEAVIEST_GROUP_BYTES {
            self.flush()?;
        }
        let name = resource.resource_type.name();
        let request = match &resource.id {
            Some(id) => json!({ "method": "PUT", "url": format!("{name}/{id}") }),
            None => json!({ "method": "POST", "url": name }),
        };
        // Moved, not handed to `json!`: that copies it all, and writes numbers in its own way (1e3 for 1E3).
        let mut entry = Map::new();
        entry.insert("resource".to_owned(), resource.value);
        entry.insert("request".to_owned(), request);
        self.waiting.push(Waiting { place, mark, entry: Value::Object(entry) });
        self.waiting_bytes += bytes;
        if self.waiting.len() >= GROUP { self.flush() } else { Ok(()) }
    }

    /// Sends the gathered resources.
    pub(super) fn flush(&mut self) -> Result<(), LoadError> {
        self.waiting_bytes = 0;
        let waiting = mem::take(&mut self.waiting);
        self.together(waiting)
    }

    /// Sends the entries as one batch, or in parts when they are refused together.
    fn together(&mut self, entries: Vec<Waiting>) -> Result<(), LoadError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut places = Vec::with_capacity(entries.len());
        let mut marks = Vec::with_capacity(entries.len());
        let mut values = Vec::with_capacity(entries.len());
        for Waiting { place, mark, entry } in entries {
            places.push(place);
            marks.push(mark);
            values.push(entry);
        }
        let mut bundle = Map::new();
        bundle.insert("resourceType".to_owned(), Value::from("Bundle"));
        bundle.insert("type".to_owned(), Value::from("batch"));
        bundle.insert("entry".to_owned(), Value::Array(values));
        let bundle = Resource::from_value(Value::Object(bundle)).map_err(|issue| LoadError::damaged(&issue))?;
        match self.target.send(bundle, &Marks::Each(marks.clone()))? {
            Sent::Done(outcomes) => self.count_each(places, outcomes),
            Sent::Refused { bundle: Some(mut bundle), .. } if places.len() > 1 => {
                let entries = places.into_iter().zip(marks).zip(taken_entries(&mut bundle));
                let mut first: Vec<Waiting> =
                    entries.map(|((place, mark), entry)| Waiting { place, mark, entry }).collect();
                let second = first.split_off(first.len() / 2);
                self.together(first)?;
                self.together(second)?;
            }
            Sent::Refused { reasons, .. } => {
                for place in places {
                    self.refuse(place, reasons.clone());
                }
            }
        }
        Ok(())
    }

    /// Sends a batch as it is, but for what is stored already.
    fn batch(&mut self, place: &Place, mark: LoadMark, mut bundle: Resource) -> Result<(), LoadError> {
        self.flush()?;
        let entries = taken_entries(&mut bundle);
        let is_empty = entries.is_empty();
        let mut places = Vec::new();
        let mut marks = Vec::new();
        let mut left = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let place = Place { input: place.input.clone(), entry: Some(index) };
            let mark = mark::entry(mark, index);
            if self.is_new(&place, &mark) {
                places.push(place);
                marks.push(mark);
                left.push(entry);
            }
        }
        if !is_empty {
            if left.is_empty() {
                return Ok(());
            }
            if let Some(object) = bundle.value.as_object_mut() {
                object.insert("entry".to_owned(), Value::Array(left));
            }
        }
        match self.target.send(bundle, &Marks::Each(marks))? {
            Sent::Done(outcomes) => self.count_each(places, outcomes),
            Sent::Refused { reasons, .. } => self.refuse(place.clone(), reasons),
        }
        Ok(())
    }

    fn transaction(&mut self, place: Place, mark: LoadMark, bundle: Resource) -> Result<(), LoadError> {
        self.flush()?;
        if !self.is_new(&place, &mark) {
            return Ok(());
        }
        match self.target.send(bundle, &Marks::Whole(mark))? {
            Sent::Done(outcomes) => {
                let places = (0..outcomes.len()).map(|index| Place { input: place.input.clone(), entry: Some(index) });
                self.count_each(places.collect(), outcomes);
            }
            Sent::Refused { reasons, may_be_early, .. } => match &mut self.postponed {
                Some(postponed) if may_be_early => {
                    postponed.insert(place.input);
                }
                _ => {
                    let entry = entry_of(&reasons);
                    self.refuse(Place { entry, ..place }, reasons);
                }
            },
        }
        Ok(())
    }

    /// Whether it is still to be sent; otherwise counts why not.
    fn is_new(&mut self, place: &Place, mark: &LoadMark) -> bool {
        match self.target.standing(mark) {
            Standing::New => return true,
            Standing::Stored => self.summary.skipped += 1,
            Standing::InDoubt => {
                self.refuse(place.clone(), vec![Reason { expression: None, text: DOUBTFUL.to_owned() }]);
            }
        }
        false
    }

    fn count_each(&mut self, places: Vec<Place>, outcomes: Vec<Outcome>) {
        for (place, outcome) in places.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Stored(name) => *self.summary.stored.entry(name).or_default() += 1,
                Outcome::Matched => self.summary.matched += 1,
                Outcome::Deleted(number) => self.summary.deleted += number,
                Outcome::Nothing => {}
                Outcome::Refused(reasons) => self.refuse(place, reasons),
            }
        }
        (self.progress)(self.summary.total());
    }

    fn refuse(&mut self, place: Place, reasons: Vec<Reason>) {
        self.summary.refuse(Refused { input: place.input, entry: place.entry, reasons });
    }
}

fn taken_entries(bundle: &mut Resource) -> Vec<Value> {
    bundle.value.get_mut("entry").and_then(Value::as_array_mut).map(mem::take).unwrap_or_default()
}

/// About how many bytes the value is as JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.as_str().len() + 1,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 3 + items.iter().map(weight).sum::<usize>(),
        Value::Object(members) => 3 + members.iter().map(|(name, value)| name.len() + 3 + weight(value)).sum::<usize>(),
    }
}
