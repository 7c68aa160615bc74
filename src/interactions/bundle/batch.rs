//! A batch: each entry alone, as if it had come by itself.
//!
//! Entries share commits, for a commit per entry would cost a disk flush each; a savepoint keeps them apart.
//!
//! Spec: R4 http.html#brules

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::Caller;
use crate::interactions::bundle::bodies::patch_document;
use crate::interactions::bundle::get::Get;
use crate::interactions::bundle::plan::{Action, Entry};
use crate::interactions::bundle::{EntryAnswer, Rider};
use crate::interactions::recorded;
use crate::interactions::{
    ConditionalDelete, ConditionalUpdate, Create, Delete, Engine, InteractionError, Patch, Update, Write,
};
use crate::store::{StoreError, Tx};

/// So many entries share a transaction: enough to spare flushes, few enough not to hold up other writers.
const ENTRIES_PER_COMMIT: usize = 100;

/// All searches of a batch together may take so many times as long as one alone.
const SEARCHES_IN_FULL: u32 = 6;

/// Does the entries; writes first, then reads.
pub(super) fn run(
    engine: &Engine,
    caller: &Caller,
    entries: Vec<Entry>,
    rider: &Rider,
) -> Result<Vec<EntryAnswer>, InteractionError> {
    let mut answers: Vec<Option<EntryAnswer>> = entries.iter().map(|_| None).collect();
    let mut searches = SearchTime::of(engine);
    let writes: Vec<usize> =
        (0..entries.len()).filter(|index| !matches!(entries[*index].action, Action::Get { .. })).collect();
    for (number, group) in writes.chunks(ENTRIES_PER_COMMIT).enumerate() {
        let mut ready = Vec::with_capacity(group.len());
        for &index in group {
            let once = || AnyWrite::prepare(engine, caller, &entries[index]);
            let prepare = || engine.by_present_rules(once, InteractionError::is_stale);
            match if searches_first(&entries[index].action) { searches.spend(prepare) } else { prepare() } {
                Ok(write) => ready.push((index, write)),
                Err(error) => answers[index] = Some(EntryAnswer::Failed(error)),
            }
        }
        let with = Arc::clone(rider);
        let written = match engine.store.write(move |tx| apply_each(tx, &mut ready, &with)) {
            Ok(written) => written,
            Err(error) if number == 0 => return Err(error),
            // What stands from the groups before must be told: a client that hears of a failure only sends all again.
            Err(error) => {
                for index in writes.iter().skip(number * ENTRIES_PER_COMMIT) {
                    answers[*index].get_or_insert_with(|| EntryAnswer::Failed(the_same(&error)));
                }
                break;
            }
        };
        for (index, done) in written {
            answers[index] = Some(match done {
                Ok(answer) => answer,
                // Another writer got in between; alone, with fresh preparation, it gets its turn.
                Err(InteractionError::Stale | InteractionError::Store(StoreError::Collision)) => {
                    let again = engine.write(|engine| {
                        let write = AnyWrite::prepare(engine, caller, &entries[index])?;
                        Ok(Alone { index, write, rider: Arc::clone(rider) })
                    });
                    again.unwrap_or_else(EntryAnswer::Failed)
                }
                Err(error) => EntryAnswer::Failed(error),
            });
        }
    }
    for (entry, answer) in entries.iter().zip(&mut answers) {
        if let Action::Get { target, url, conditions } = &entry.action {
            let once = || {
                let get = Get::prepare(engine, caller, target, url, conditions)?;
                engine.read(|reader| get.run(reader))
            };
            let read = searches.spend(|| engine.by_present_rules(once, InteractionError::is_stale));
            *answer = Some(read.unwrap_or_else(EntryAnswer::Failed));
        }
    }
    for answer in answers.iter().flatten() {
        if let EntryAnswer::Failed(error) = answer {
            recorded::refuse(caller, error);
        }
    }
    let missing = || EntryAnswer::Failed(StoreError::Panicked.into());
    Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect())
}

/// What the searches of a batch may take and have taken.
struct SearchTime {
    limit: Option<Duration>,
    taken: Duration,
}

impl SearchTime {
    fn of(engine: &Engine) -> SearchTime {
        let limit = engine.limits.search_time.map(|limit| limit.saturating_mul(SEARCHES_IN_FULL));
        SearchTime { limit, taken: Duration::ZERO }
    }

    /// Runs `work` unless the time is used up.
    fn spend<T>(&mut self, work: impl FnOnce() -> Result<T, InteractionError>) -> Result<T, InteractionError> {
        if let Some(limit) = self.limit
            && self.taken >= limit
        {
            return Err(InteractionError::CostlyBatch { limit });
        }
        let begun = Instant::now();
        let done = work();
        self.taken += begun.elapsed();
        done
    }
}

/// Whether a write looks up a condition while it is prepared.
fn searches_first(action: &Action) -> bool {
    match action {
        Action::Create { if_none_exist, .. } => if_none_exist.is_some(),
        Action::ConditionalUpdate { .. } | Action::ConditionalPatch { .. } | Action::ConditionalDelete { .. } => true,
        Action::Update { .. }
        | Action::Patch { .. }
        | Action::Delete { .. }
        | Action::Refused(_)
        | Action::Get { .. } => false,
    }
}

/// The failure of a group, for each of its entries.
fn the_same(error: &InteractionError) -> InteractionError {
    InteractionError::Store(match error {
        InteractionError::Store(StoreError::Busy) => StoreError::Busy,
        InteractionError::Store(StoreError::DiskFull) => StoreError::DiskFull,
        InteractionError::Store(StoreError::Timeout) => StoreError::Timeout,
        InteractionError::Store(StoreError::Unreachable(text)) => StoreError::Unreachable(text.clone()),
        _ => StoreError::Panicked,
    })
}

type Done = (usize, Result<EntryAnswer, InteractionError>);

fn apply_each(tx: &mut Tx<'_>, ready: &mut [(usize, AnyWrite)], rider: &Rider) -> Result<Vec<Done>, InteractionError> {
    let mut done = Vec::with_capacity(ready.len());
    for (index, write) in ready {
        let outcome = tx.attempt(|tx| write.apply(tx))?;
        done.push((*index, outcome));
    }
    let written: Vec<usize> = done.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(index, _)| *index).collect();
    rider(tx, &written)?;
    Ok(done)
}

/// The write of one entry, in a transaction of its own.
struct Alone {
    index: usize,
    write: AnyWrite,
    rider: Rider,
}

impl Write for Alone {
    type Answer = EntryAnswer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<EntryAnswer, InteractionError> {
        let answer = self.write.apply(tx)?;
        (self.rider)(tx, &[self.index])?;
        Ok(answer)
    }
}

/// The write of an entry, whichever it is.
enum AnyWrite {
    Create(Box<Create>),
    Update(Box<Update>),
    ConditionalUpdate(Box<ConditionalUpdate>),
    Patch(Box<Patch>),
    Delete(Delete),
    ConditionalDelete(Box<ConditionalDelete>),
}

impl AnyWrite {
    fn prepare(engine: &Engine, caller: &Caller, entry: &Entry) -> Result<AnyWrite, InteractionError> {
        let precondition = entry.precondition.clone();
        Ok(match &entry.action {
            Action::Create { resource, if_none_exist } => {
                let (resource_type, unless) = (resource.resource_type, if_none_exist.as_deref());
                let create = Create::prepare(engine, caller, resource_type, resource.clone(), unless)?;
                AnyWrite::Create(Box::new(create))
            }
            Action::Update { key, resource } => {
                let update = Update::prepare(engine, caller, key, resource.clone(), precondition)?;
                AnyWrite::Update(Box::new(update))
            }
            Action::ConditionalUpdate { resource_type, criteria, resource } => {
                let resource = resource.clone();
                let update =
                    ConditionalUpdate::prepare(engine, caller, *resource_type, criteria, resource, precondition)?;
                AnyWrite::ConditionalUpdate(Box::new(update))
            }
            Action::Patch { key, document } => {
                let document = patch_document(document)?;
                AnyWrite::Patch(Box::new(Patch::prepare(engine, caller, key, &document, precondition)?))
            }
            Action::ConditionalPatch { resource_type, criteria, document } => {
                let document = patch_document(document)?;
                let patch =
                    Patch::prepare_conditional(engine, caller, *resource_type, criteria, &document, precondition)?;
                AnyWrite::Patch(Box::new(patch))
            }
            Action::Delete { key } => AnyWrite::Delete(Delete::prepare(engine, caller, key, precondition)?),
            Action::ConditionalDelete { resource_type, criteria } => {
                let delete = ConditionalDelete::prepare(engine, caller, *resource_type, criteria, precondition)?;
                AnyWrite::ConditionalDelete(Box::new(delete))
            }
            Action::Refused(issue) => return Err(InteractionError::Invalid(vec![issue.clone()])),
            Action::Get { .. } => return Err(InteractionError::Invalid(Vec::new())),
        })
    }
}

impl Write for AnyWrite {
    type Answer = EntryAnswer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<EntryAnswer, InteractionError> {
        Ok(match self {
            AnyWrite::Create(create) => EntryAnswer::Written(create.apply(tx)?),
            AnyWrite::Update(update) => EntryAnswer::Written(update.apply(tx)?),
            AnyWrite::ConditionalUpdate(update) => EntryAnswer::Written(update.apply(tx)?),
            AnyWrite::Patch(patch) => EntryAnswer::Written(patch.apply(tx)?),
            AnyWrite::Delete(delete) => EntryAnswer::Written(delete.apply(tx)?),
            AnyWrite::ConditionalDelete(delete) => EntryAnswer::Deleted(delete.apply(tx)?),
        })
    }
}
