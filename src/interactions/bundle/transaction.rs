//! A transaction: all entries or none.
//!
//! First, without any lock: conditions are looked up, ids given, links between entries resolved, bodies checked. Then
//! one write transaction, in which every condition is looked up again: if one has another answer by now, all is
//! prepared anew.
//!
//! Spec: R4 http.html#trules

use std::collections::HashMap;
use std::sync::Arc;

use crate::access::{Caller, Deed};
use crate::fhir::{IssueCode, ResourceKey};
use crate::interactions::bundle::bodies::{Refused, body, in_parallel};
use crate::interactions::bundle::get::Get;
use crate::interactions::bundle::look_up::{
    Condition, Resolved, find_conditional_references, look_up, refuse_duplicates, target,
};
use crate::interactions::bundle::plan::{Action, Entry};
use crate::interactions::bundle::references::Links;
use crate::interactions::bundle::{EntryAnswer, Rider, at};
use crate::interactions::delete::{deleted, deletion};
use crate::interactions::prepared::{Prepared, effect};
use crate::interactions::recorded;
use crate::interactions::sight::{gained, may_choose_ids, permitted, standing, standing_to_delete};
use crate::interactions::{Answer, Effect, Engine, InteractionError, Precondition};
use crate::search::{OwnParameter, Right, problem_of_parameter};
use crate::store::{Locked, Method, ResourceRow, Tx};

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
    caller: Caller,
    steps: Vec<Step>,
    may_create: bool,
}

/// What becomes of one entry.
struct Step {
    precondition: Precondition,
    condition: Option<Condition>,
    kind: Kind,
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

impl Transaction {
    fn prepare(engine: &Engine, caller: &Caller, entries: &[Entry]) -> Result<Transaction, InteractionError> {
        for (index, entry) in entries.iter().enumerate() {
            if let Some((resource_type, right)) = entry.action.needs() {
                permitted(caller, resource_type, right).map_err(|error| at(index, error))?;
            }
        }
        let mut links = Links::default();
        let looked_up = engine.read(|reader| {
            let looked_up = look_up(engine, caller, reader, entries)?;
            find_conditional_references(engine, caller, reader, entries, &mut links)?;
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
        let bodies =
            in_parallel(entries, &looked_up, |entry, (resolved, _)| body(engine, caller, &links, entry, resolved));
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
        Ok(Transaction { caller: caller.clone(), steps, may_create: engine.fhir.update_creates })
    }

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Vec<EntryAnswer>, InteractionError> {
        self.check_conditions(tx)?;
        let mut standing = self.lock_all(tx)?;
        let (mut puts, mut origins) = (Vec::new(), Vec::new());
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
                    origins.extend(prepared.origin(tx, &put)?);
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
                        origins.extend(prepared.origin(tx, &put)?);
                        owners.push((index, effect(&put)));
                        puts.push(put);
                    }
                }
                Kind::Delete { key } => match deletion(key, previous(key)?)? {
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
                        if let Some(put) = deletion(key, previous(key)?)? {
                            puts.push(put);
                            owners.push((index, Effect::Deleted));
                        }
                    }
                }
                Kind::Matched(row) => {
                    recorded::give(&self.caller, Deed::Read, [&**row].into_iter());
                    let answer = Answer { effect: Effect::Matched, row: Some((**row).clone()), issues: Vec::new() };
                    answers[index] = Some(EntryAnswer::Written(answer));
                }
                Kind::SameAs(_) | Kind::Get(_) => {}
            }
        }
        let gained = puts.iter().map(|put| gained(tx, &self.caller, put)).collect::<Result<Vec<_>, _>>()?;
        let recorded = recorded::put_all(tx, &self.caller, puts, origins)?;
        let written = recorded.written.iter().cloned();
        for (((index, effect), gained), written) in owners.into_iter().zip(gained).zip(written) {
            let answer = match &self.steps[index].kind {
                Kind::Create { prepared, .. } | Kind::Update { prepared, .. } | Kind::Patch { prepared, .. } => {
                    prepared.check_written(tx, effect, &written, &gained).map_err(|error| at(index, error))?;
                    prepared.answer(effect, written)
                }
                _ => deleted(written),
            };
            match &mut answers[index] {
                Some(EntryAnswer::Deleted(all)) => all.push(answer),
                slot => *slot = Some(EntryAnswer::Written(answer)),
            }
        }
        recorded.conclude(tx, &self.caller)?;
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
        // Each with the entry that names it, and whether it is to be deleted.
        let mut keys = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            match &step.kind {
                Kind::Update { key, .. } | Kind::Patch { key, .. } => keys.push((key, index, false)),
                Kind::Delete { key } => keys.push((key, index, true)),
                Kind::DeleteAll { keys: all } => keys.extend(all.iter().map(|key| (key, index, true))),
                Kind::Create { .. } | Kind::Matched(_) | Kind::SameAs(_) | Kind::Get(_) => {}
            }
        }
        keys.sort_unstable();
        let mut found = HashMap::with_capacity(keys.len());
        for (key, index, is_deleted) in keys {
            let previous = match is_deleted {
                true => standing_to_delete(tx, &self.caller, key),
                false => standing(tx, &self.caller, key, Right::Update),
            };
            let previous = previous.map_err(|error| at(index, error))?;
            // Here, as in `standing`, so that what is hidden and what is absent are met in the same order.
            let is_named = !is_deleted && self.steps[index].condition.is_none();
            if previous.is_none() && is_named && !may_choose_ids(&self.caller) {
                return Err(at(index, InteractionError::NotFound(key.clone())));
            }
            found.insert(key.clone(), previous);
        }
        Ok(found)
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
