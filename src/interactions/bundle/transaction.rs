//! A transaction: all entries or none.
//!
//! First, without any lock: conditions are looked up, ids given, links between entries resolved, bodies checked. Then
//! one write transaction, in which every condition is looked up again: if one has another answer by now, all is
//! prepared anew.
//!
//! Spec: R4 http.html#trules

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use serde_json::Value;

use crate::access::Caller;
use crate::fhir::{Id, Issue, IssueCode, Reference, Resource, ResourceKey, ResourceType, json};
use crate::interactions::bundle::get::Get;
use crate::interactions::bundle::plan::{Action, Entry};
use crate::interactions::bundle::references::{Links, conditional_references};
use crate::interactions::bundle::{EntryAnswer, Rider};
use crate::interactions::conditional::Criteria;
use crate::interactions::delete::{deleted, deletion};
use crate::interactions::patch_resource::{patched, prepare_patched};
use crate::interactions::prepared::{Prepared, effect};
use crate::interactions::{Answer, Effect, Engine, InteractionError, PatchDocument, Precondition, read};
use crate::search::{OwnParameter, problem_of_parameter};
use crate::store::{Locked, Method, Reader, ResourceRow, Tx};

/// Fewer bodies than this are checked on one thread.
const WORTH_THREADS: usize = 16;
/// The most issues that one refusal lists.
const MOST_ISSUES: usize = 100;
/// The most resources that one conditional delete may take away.
const MOST_DELETED: u32 = 1000;

/// Does the entries, and waits until they are on the disk.
pub(super) fn run(
    engine: &Engine,
    caller: &Caller,
    entries: Vec<Entry>,
    rider: &Rider,
) -> Result<Vec<EntryAnswer>, InteractionError> {
    let all: Vec<usize> = (0..entries.len()).collect();
    let once = || {
        let mut transaction = Transaction::prepare(engine, caller, &entries)?;
        let (rider, all) = (Arc::clone(rider), all.clone());
        engine.store.write(move |tx: &mut Tx<'_>| {
            let answers = transaction.apply(tx)?;
            rider(tx, &all)?;
            Ok(answers)
        })
    };
    // A condition that an entry looks up may be inside the error of that entry.
    engine.by_present_rules(once, |error| match error {
        InteractionError::Entry { error, .. } => error.is_stale(),
        error => error.is_stale(),
    })
}

/// A transaction that is ready to be written.
struct Transaction {
    steps: Vec<Step>,
    may_create: bool,
}

/// What becomes of one entry.
struct Step {
    precondition: Precondition,
    condition: Option<Condition>,
    kind: Kind,
}

/// A condition, and what it found while the transaction was prepared.
struct Condition {
    criteria: Criteria,
    found: Vec<ResourceKey>,
    most: u32,
}

enum Kind {
    Create {
        key: ResourceKey,
        prepared: Box<Prepared>,
    },
    /// A conditional create of what is there already.
    Matched(Box<ResourceRow>),
    /// A conditional create with the condition of the entry at this index.
    SameAs(usize),
    Update {
        key: ResourceKey,
        prepared: Box<Prepared>,
    },
    /// `base` is the version that was patched.
    Patch {
        key: ResourceKey,
        base: i64,
        prepared: Box<Prepared>,
    },
    Delete {
        key: ResourceKey,
    },
    DeleteAll {
        keys: Vec<ResourceKey>,
    },
    Get(Get),
}

/// What an entry is about, once conditions are looked up.
enum Resolved {
    Create(ResourceKey),
    Matched(ResourceRow),
    SameAs(usize),
    Update(ResourceKey),
    Patch(ResourceRow),
    Delete(ResourceKey),
    DeleteAll(Vec<ResourceKey>),
    Get,
}

impl Transaction {
    fn prepare(engine: &Engine, caller: &Caller, entries: &[Entry]) -> Result<Transaction, InteractionError> {
        let mut links = Links::default();
        let looked_up = engine.read(|reader| {
            let looked_up = look_up(engine, caller, reader, entries)?;
            find_conditional_references(engine, reader, entries, &mut links)?;
            Ok::<_, InteractionError>(looked_up)
        })?;
        refuse_duplicates(&looked_up)?;
        for (entry, (resolved, _)) in entries.iter().zip(&looked_up) {
            if let Some(full_url) = &entry.full_url
                && let Some(key) = target(resolved, &looked_up)
            {
                links.add(full_url, key);
            }
        }
        let bodies = in_parallel(entries, &looked_up, |entry, (resolved, _)| body(engine, &links, entry, resolved));
        let mut refused = Refused::default();
        let mut steps = Vec::with_capacity(entries.len());
        for (index, ((entry, (resolved, condition)), body)) in entries.iter().zip(looked_up).zip(bodies).enumerate() {
            let kind = match (resolved, body) {
                (_, Err(error)) => {
                    refused.add(index, error)?;
                    continue;
                }
                (Resolved::Create(key), Ok(Some(prepared))) => Kind::Create { key, prepared },
                (Resolved::Update(key), Ok(Some(prepared))) => Kind::Update { key, prepared },
                (Resolved::Patch(row), Ok(Some(prepared))) => Kind::Patch { key: row.key, base: row.version, prepared },
                (Resolved::Matched(row), Ok(_)) => Kind::Matched(Box::new(row)),
                (Resolved::SameAs(first), Ok(_)) => Kind::SameAs(first),
                (Resolved::Delete(key), Ok(_)) => Kind::Delete { key },
                (Resolved::DeleteAll(keys), Ok(_)) => Kind::DeleteAll { keys },
                (Resolved::Get | Resolved::Create(_) | Resolved::Update(_) | Resolved::Patch(_), Ok(_)) => {
                    let Action::Get { target, url, conditions } = &entry.action else {
                        continue;
                    };
                    Kind::Get(Get::prepare(engine, caller, target, url, conditions).map_err(|error| at(index, error))?)
                }
            };
            steps.push(Step { precondition: entry.precondition.clone(), condition, kind });
        }
        refused.finish()?;
        refuse_collisions(&steps)?;
        Ok(Transaction { steps, may_create: engine.fhir.update_creates })
    }

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Vec<EntryAnswer>, InteractionError> {
        self.check_conditions(tx)?;
        let mut standing = self.lock_all(tx)?;
        let mut puts = Vec::new();
        // The entry that each put belongs to, with what it does.
        let mut owners = Vec::new();
        let mut answers: Vec<Option<EntryAnswer>> = self.steps.iter().map(|_| None).collect();
        for (index, step) in self.steps.iter().enumerate() {
            let mut previous = |key: &ResourceKey| -> Result<Option<Locked>, InteractionError> {
                let previous = standing.remove(key).flatten();
                step.precondition.check(key, previous.as_ref()).map_err(|error| at(index, error))?;
                Ok(previous)
            };
            match &step.kind {
                Kind::Create { key, prepared } => {
                    let put = prepared.put(tx, key.clone(), None, Method::Create).map_err(|error| at(index, error))?;
                    puts.push(put);
                    owners.push((index, Effect::Created));
                }
                Kind::Update { key, prepared } | Kind::Patch { key, prepared, .. } => {
                    let previous = previous(key)?;
                    if let Kind::Patch { base, .. } = &step.kind
                        && previous.as_ref().is_none_or(|previous| previous.version != *base)
                    {
                        return Err(InteractionError::Stale);
                    }
                    if previous.is_none() && !self.may_create && step.condition.is_none() {
                        return Err(at(index, InteractionError::ClientIdRefused(key.clone())));
                    }
                    if let Some(unchanged) = prepared.unchanged(tx, key, previous.as_ref())? {
                        answers[index] = Some(EntryAnswer::Written(unchanged));
                    } else {
                        let put = prepared.put(tx, key.clone(), previous, Method::Update);
                        let put = put.map_err(|error| at(index, error))?;
                        owners.push((index, effect(&put)));
                        puts.push(put);
                    }
                }
                Kind::Delete { key } => match deletion(key, previous(key)?) {
                    Some(put) => {
                        puts.push(put);
                        owners.push((index, Effect::Deleted));
                    }
                    None => {
                        let absent = Answer { effect: Effect::Absent, row: None, issues: Vec::new() };
                        answers[index] = Some(EntryAnswer::Written(absent));
                    }
                },
                Kind::DeleteAll { keys } => {
                    answers[index] = Some(EntryAnswer::Deleted(Vec::with_capacity(keys.len())));
                    for key in keys {
                        if let Some(put) = deletion(key, previous(key)?) {
                            puts.push(put);
                            owners.push((index, Effect::Deleted));
                        }
                    }
                }
                Kind::Matched(row) => {
                    let answer = Answer { effect: Effect::Matched, row: Some((**row).clone()), issues: Vec::new() };
                    answers[index] = Some(EntryAnswer::Written(answer));
                }
                Kind::SameAs(_) | Kind::Get(_) => {}
            }
        }
        for ((index, effect), written) in owners.into_iter().zip(tx.put_all(puts)?) {
            let answer = match &self.steps[index].kind {
                Kind::Create { prepared, .. } | Kind::Update { prepared, .. } | Kind::Patch { prepared, .. } => {
                    prepared.answer(effect, written)
                }
                _ => deleted(written),
            };
            match &mut answers[index] {
                Some(EntryAnswer::Deleted(all)) => all.push(answer),
                slot => *slot = Some(EntryAnswer::Written(answer)),
            }
        }
        self.finish(tx, answers)
    }

    /// Looks up every condition again, now that nobody else can change its answer; in one order for all transactions.
    fn check_conditions(&self, tx: &mut Tx<'_>) -> Result<(), InteractionError> {
        let mut conditions: Vec<(String, &Condition)> = self
            .steps
            .iter()
            .filter_map(|step| step.condition.as_ref())
            .map(|condition| (condition.criteria.canonical(), condition))
            .collect();
        conditions.sort_by(|left, right| left.0.cmp(&right.0));
        for (_, condition) in conditions {
            let rows = condition.criteria.find_locked(tx, condition.most)?;
            if !rows.iter().map(|row| &row.key).eq(&condition.found) {
                return Err(InteractionError::Stale);
            }
        }
        Ok(())
    }

    /// Holds every resource that is to change, in one order for all transactions.
    fn lock_all(&self, tx: &mut Tx<'_>) -> Result<HashMap<ResourceKey, Option<Locked>>, InteractionError> {
        let mut keys = Vec::new();
        for step in &self.steps {
            match &step.kind {
                Kind::Update { key, .. } | Kind::Patch { key, .. } | Kind::Delete { key } => keys.push(key),
                Kind::DeleteAll { keys: all } => keys.extend(all),
                Kind::Create { .. } | Kind::Matched(_) | Kind::SameAs(_) | Kind::Get(_) => {}
            }
        }
        keys.sort_unstable();
        let mut standing = HashMap::with_capacity(keys.len());
        for key in keys {
            standing.insert(key.clone(), tx.lock(key)?);
        }
        Ok(standing)
    }

    /// Reads come last and see what was written.
    fn finish(
        &self,
        tx: &mut Tx<'_>,
        mut answers: Vec<Option<EntryAnswer>>,
    ) -> Result<Vec<EntryAnswer>, InteractionError> {
        for (index, step) in self.steps.iter().enumerate() {
            match &step.kind {
                Kind::Get(get) => answers[index] = Some(get.run(tx).map_err(|error| at(index, error))?),
                Kind::SameAs(first) => {
                    let row = match answers.get(*first) {
                        Some(Some(EntryAnswer::Written(answer))) => answer.row.clone(),
                        _ => None,
                    };
                    let answer = Answer { effect: Effect::Matched, row, issues: Vec::new() };
                    answers[index] = Some(EntryAnswer::Written(answer));
                }
                _ => {}
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

/// Refuses search parameters of which only one can be in force.
fn refuse_collisions(steps: &[Step]) -> Result<(), InteractionError> {
    let mut defined: Vec<&OwnParameter> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let own = match &step.kind {
            Kind::Create { prepared, .. } | Kind::Update { prepared, .. } | Kind::Patch { prepared, .. } => {
                prepared.definition()
            }
            Kind::Matched(_) | Kind::SameAs(_) | Kind::Delete { .. } | Kind::DeleteAll { .. } | Kind::Get(_) => None,
        };
        let Some(own) = own else { continue };
        if let Some((place, text)) = defined.iter().find_map(|other| own.collision(other)) {
            let issue = problem_of_parameter(IssueCode::Duplicate, place, text);
            return Err(at(index, InteractionError::Unprocessable(vec![issue])));
        }
        defined.push(own);
    }
    Ok(())
}

type LookedUp = (Resolved, Option<Condition>);

/// Finds out what each entry is about.
fn look_up(
    engine: &Engine,
    caller: &Caller,
    reader: &mut Reader<'_>,
    entries: &[Entry],
) -> Result<Vec<LookedUp>, InteractionError> {
    let mut looked_up: BTreeMap<usize, LookedUp> = BTreeMap::new();
    let mut gone = HashSet::new();
    // Deletions are done first, so what they take away matches no condition of the others.
    for (index, entry) in entries.iter().enumerate() {
        match &entry.action {
            Action::Delete { key } => {
                gone.insert(key.clone());
                looked_up.insert(index, (Resolved::Delete(key.clone()), None));
            }
            Action::ConditionalDelete { resource_type, criteria } => {
                let most = if engine.fhir.delete_multiple { MOST_DELETED } else { 1 };
                let (rows, condition) =
                    matching(engine, reader, *resource_type, criteria, most).map_err(|error| at(index, error))?;
                if rows.len() > most as usize {
                    return Err(at(index, InteractionError::MultipleMatches(*resource_type)));
                }
                let keys: Vec<ResourceKey> = rows.into_iter().map(|row| row.key).collect();
                gone.extend(keys.iter().cloned());
                looked_up.insert(index, (Resolved::DeleteAll(keys), Some(condition)));
            }
            _ => {}
        }
    }
    let mut conditions_of_creates: HashMap<String, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let found = match &entry.action {
            Action::Delete { .. } | Action::ConditionalDelete { .. } => continue,
            Action::Get { target, url, conditions } => Get::prepare(engine, caller, target, url, conditions)
                .and_then(|get| get.try_out(reader))
                .map(|()| (Resolved::Get, None)),
            Action::Refused(issue) => Err(InteractionError::Invalid(vec![issue.clone()])),
            Action::Update { key, .. } => Ok((Resolved::Update(key.clone()), None)),
            Action::Patch { key, .. } => read(reader, caller, key).map(|row| (Resolved::Patch(row), None)),
            Action::Create { resource, if_none_exist } => {
                let fresh = ResourceKey { resource_type: resource.resource_type, id: Id::random() };
                match if_none_exist {
                    None => Ok((Resolved::Create(fresh), None)),
                    Some(criteria) => single(engine, reader, resource.resource_type, criteria, &gone).map(
                        |(row, condition)| match row {
                            Some(row) => (Resolved::Matched(row), Some(condition)),
                            None => match conditions_of_creates.get(&condition.criteria.canonical()) {
                                Some(first) => (Resolved::SameAs(*first), None),
                                None => {
                                    conditions_of_creates.insert(condition.criteria.canonical(), index);
                                    (Resolved::Create(fresh), Some(condition))
                                }
                            },
                        },
                    ),
                }
            }
            Action::ConditionalUpdate { resource_type, criteria, resource } => {
                single(engine, reader, *resource_type, criteria, &gone).and_then(|(row, condition)| {
                    let key = update_target(*resource_type, row, resource)?;
                    Ok((Resolved::Update(key), Some(condition)))
                })
            }
            Action::ConditionalPatch { resource_type, criteria, .. } => {
                single(engine, reader, *resource_type, criteria, &gone).and_then(|(row, condition)| {
                    let row = row.ok_or(InteractionError::NoMatch(*resource_type))?;
                    Ok((Resolved::Patch(row), Some(condition)))
                })
            }
        };
        looked_up.insert(index, found.map_err(|error| at(index, error))?);
    }
    Ok(looked_up.into_values().collect())
}

/// What `criteria` match, and one more than `most` to tell that there are too many.
fn matching(
    engine: &Engine,
    reader: &mut Reader<'_>,
    resource_type: ResourceType,
    criteria: &str,
    most: u32,
) -> Result<(Vec<ResourceRow>, Condition), InteractionError> {
    let criteria = Criteria::parse(engine, resource_type, criteria)?;
    let rows = criteria.find(reader, most + 1)?;
    let found = rows.iter().map(|row| row.key.clone()).collect();
    Ok((rows, Condition { criteria, found, most: most + 1 }))
}

/// The one match that no entry deletes, or none.
fn single(
    engine: &Engine,
    reader: &mut Reader<'_>,
    resource_type: ResourceType,
    criteria: &str,
    gone: &HashSet<ResourceKey>,
) -> Result<(Option<ResourceRow>, Condition), InteractionError> {
    let most = u32::try_from(gone.len()).unwrap_or(u32::MAX - 1).saturating_add(1);
    let (mut rows, condition) = matching(engine, reader, resource_type, criteria, most)?;
    rows.retain(|row| !gone.contains(&row.key));
    let row = condition.criteria.single(rows)?;
    Ok((row, condition))
}

/// The resource that a conditional update changes or creates.
fn update_target(
    resource_type: ResourceType,
    row: Option<ResourceRow>,
    resource: &Resource,
) -> Result<ResourceKey, InteractionError> {
    match (row, &resource.id) {
        (Some(row), Some(id)) if *id != row.key.id => Err(InteractionError::Invalid(vec![Issue::error(
            IssueCode::Invalid,
            format!("{resource_type}.id"),
            "the id in the body is not that of the resource that the criteria match: leave it out",
        )])),
        (Some(row), _) => Ok(row.key),
        (None, Some(id)) => Ok(ResourceKey { resource_type, id: id.clone() }),
        (None, None) => Ok(ResourceKey { resource_type, id: Id::random() }),
    }
}

/// The resource that links to the entry lead to.
fn target<'a>(resolved: &'a Resolved, looked_up: &'a [LookedUp]) -> Option<&'a ResourceKey> {
    match resolved {
        Resolved::Create(key) | Resolved::Update(key) | Resolved::Delete(key) => Some(key),
        Resolved::Matched(row) | Resolved::Patch(row) => Some(&row.key),
        Resolved::SameAs(first) => looked_up.get(*first).and_then(|(resolved, _)| target(resolved, &[])),
        Resolved::DeleteAll(_) | Resolved::Get => None,
    }
}

/// Looks up each conditional reference once.
fn find_conditional_references(
    engine: &Engine,
    reader: &mut Reader<'_>,
    entries: &[Entry],
    links: &mut Links,
) -> Result<(), InteractionError> {
    let mut seen = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let (Action::Create { resource, .. }
        | Action::Update { resource, .. }
        | Action::ConditionalUpdate { resource, .. }) = &entry.action
        else {
            continue;
        };
        for text in conditional_references(resource) {
            if seen.contains(&text) {
                continue;
            }
            let Reference::Conditional { type_name, criteria } = Reference::parse(&text, &[]) else {
                continue;
            };
            let found = match ResourceType::parse(type_name) {
                Err(unknown) => {
                    Err(InteractionError::Invalid(vec![Issue::request(IssueCode::Value, unknown.to_string())]))
                }
                Ok(resource_type) => Criteria::parse(engine, resource_type, criteria).and_then(|criteria| {
                    let rows = criteria.find(reader, 2)?;
                    criteria.single(rows)?.ok_or(InteractionError::NoMatch(resource_type))
                }),
            };
            match found {
                Ok(row) => links.add_conditional(&text, row.key),
                Err(error) => {
                    let (code, problem) = unmatched(error).map_err(|error| at(index, error))?;
                    links.add_unmatched(&text, code, problem);
                }
            }
            seen.insert(text);
        }
    }
    Ok(())
}

/// What to say of each element with a conditional reference that found no single resource; a failure of the server stays one.
fn unmatched(error: InteractionError) -> Result<(IssueCode, String), InteractionError> {
    Ok(match error {
        InteractionError::Invalid(mut issues) if !issues.is_empty() => {
            let issue = issues.swap_remove(0);
            (issue.code, issue.text)
        }
        InteractionError::NoMatch(_) => (IssueCode::NotFound, error.to_string()),
        InteractionError::MultipleMatches(_) => (IssueCode::MultipleMatches, error.to_string()),
        InteractionError::Search(_) => (IssueCode::Value, error.to_string()),
        other => return Err(other),
    })
}

/// Refuses a transaction that changes one resource twice.
fn refuse_duplicates(looked_up: &[LookedUp]) -> Result<(), InteractionError> {
    let mut changed = HashMap::new();
    for (index, (resolved, _)) in looked_up.iter().enumerate() {
        let keys: &[ResourceKey] = match resolved {
            Resolved::Create(key) | Resolved::Update(key) | Resolved::Delete(key) => std::slice::from_ref(key),
            Resolved::Patch(row) => std::slice::from_ref(&row.key),
            Resolved::DeleteAll(keys) => keys,
            Resolved::Matched(_) | Resolved::SameAs(_) | Resolved::Get => &[],
        };
        for key in keys {
            if let Some(first) = changed.insert(key.clone(), index) {
                let text = format!("entry {first} changes the same resource: a transaction may change each only once");
                let place = format!("Bundle.entry[{index}]");
                return Err(InteractionError::Invalid(vec![Issue::error(IssueCode::Duplicate, place, text)]));
            }
        }
    }
    Ok(())
}

/// The checked body of an entry; `None` when it has none.
fn body(
    engine: &Engine,
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
        Resolved::Patch(_) => prepare_patched(engine, &resource)?,
        _ => Prepared::new(engine, &resource)?,
    };
    Ok(Some(Box::new(prepared)))
}

/// Maps both lists together, on all processors when that is worth it.
fn in_parallel<A: Sync, B: Sync, T: Send>(left: &[A], right: &[B], map: impl Fn(&A, &B) -> T + Sync) -> Vec<T> {
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
struct Refused {
    issues: Vec<Issue>,
    is_malformed: bool,
}

impl Refused {
    /// Collects what is wrong with the entry's resource; anything else refuses the transaction at once.
    fn add(&mut self, index: usize, error: InteractionError) -> Result<(), InteractionError> {
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

    fn finish(mut self) -> Result<(), InteractionError> {
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

fn at(index: usize, error: InteractionError) -> InteractionError {
    match error {
        InteractionError::Stale | InteractionError::Store(_) => error,
        other => InteractionError::Entry { index, error: Box::new(other) },
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
