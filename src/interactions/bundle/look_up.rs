//! What the entries of a transaction are about: their conditions looked up, their ids given.
//!
//! Spec: R4 http.html#trules

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::access::Caller;
use crate::fhir::{Id, Issue, IssueCode, Reference, Resource, ResourceKey, ResourceType};
use crate::interactions::bundle::at;
use crate::interactions::bundle::get::Get;
use crate::interactions::bundle::plan::{Action, Entry};
use crate::interactions::bundle::references::{Links, conditional_references};
use crate::interactions::conditional::Criteria;
use crate::interactions::sight::may_choose_ids;
use crate::interactions::{Engine, InteractionError, read};
use crate::store::{Reader, ResourceRow};

/// The most resources that one conditional delete may take away.
const MOST_DELETED: u32 = 1000;

/// What an entry is about, once conditions are looked up.
pub(super) enum Resolved {
    Create(ResourceKey),
    Matched(ResourceRow),
    SameAs(usize),
    Update(ResourceKey),
    Patch(ResourceRow),
    Delete(ResourceKey),
    DeleteAll(Vec<ResourceKey>),
    Get,
}

/// A condition, and what it found while the transaction was prepared.
pub(super) struct Condition {
    pub(super) criteria: Criteria,
    pub(super) found: Vec<ResourceKey>,
    pub(super) most: u32,
}

pub(super) type LookedUp = (Resolved, Option<Condition>);

/// Finds out what each entry is about.
pub(super) fn look_up(
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
                let (rows, condition) = matching(engine, caller, reader, *resource_type, criteria, most)
                    .map_err(|error| at(index, error))?;
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
                    Some(criteria) => single(engine, caller, reader, resource.resource_type, criteria, &gone).map(
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
                single(engine, caller, reader, *resource_type, criteria, &gone).and_then(|(row, condition)| {
                    let key = update_target(caller, *resource_type, row, resource)?;
                    Ok((Resolved::Update(key), Some(condition)))
                })
            }
            Action::ConditionalPatch { resource_type, criteria, .. } => {
                single(engine, caller, reader, *resource_type, criteria, &gone).and_then(|(row, condition)| {
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
    caller: &Caller,
    reader: &mut Reader<'_>,
    resource_type: ResourceType,
    criteria: &str,
    most: u32,
) -> Result<(Vec<ResourceRow>, Condition), InteractionError> {
    let criteria = Criteria::parse(engine, caller, resource_type, criteria)?;
    let rows = criteria.find(reader, most + 1)?;
    let found = rows.iter().map(|row| row.key.clone()).collect();
    Ok((rows, Condition { criteria, found, most: most + 1 }))
}

/// The one match that no entry deletes, or none.
fn single(
    engine: &Engine,
    caller: &Caller,
    reader: &mut Reader<'_>,
    resource_type: ResourceType,
    criteria: &str,
    gone: &HashSet<ResourceKey>,
) -> Result<(Option<ResourceRow>, Condition), InteractionError> {
    let most = u32::try_from(gone.len()).unwrap_or(u32::MAX - 1).saturating_add(1);
    let (mut rows, condition) = matching(engine, caller, reader, resource_type, criteria, most)?;
    rows.retain(|row| !gone.contains(&row.key));
    let row = condition.criteria.single(rows)?;
    Ok((row, condition))
}

/// The resource that a conditional update changes or creates.
fn update_target(
    caller: &Caller,
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
        (None, Some(id)) => {
            let key = ResourceKey { resource_type, id: id.clone() };
            if may_choose_ids(caller) { Ok(key) } else { Err(InteractionError::NotFound(key)) }
        }
        (None, None) => Ok(ResourceKey { resource_type, id: Id::random() }),
    }
}

/// The resource that links to the entry lead to.
pub(super) fn target<'a>(resolved: &'a Resolved, looked_up: &'a [LookedUp]) -> Option<&'a ResourceKey> {
    match resolved {
        Resolved::Create(key) | Resolved::Update(key) | Resolved::Delete(key) => Some(key),
        Resolved::Matched(row) | Resolved::Patch(row) => Some(&row.key),
        Resolved::SameAs(first) => looked_up.get(*first).and_then(|(resolved, _)| target(resolved, &[])),
        Resolved::DeleteAll(_) | Resolved::Get => None,
    }
}

/// Looks up each conditional reference once.
pub(super) fn find_conditional_references(
    engine: &Engine,
    caller: &Caller,
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
                Ok(resource_type) => Criteria::parse(engine, caller, resource_type, criteria).and_then(|criteria| {
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
pub(super) fn refuse_duplicates(looked_up: &[LookedUp]) -> Result<(), InteractionError> {
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
