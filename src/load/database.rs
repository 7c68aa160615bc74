//! Loading into the database, without a server in between.

use std::collections::HashSet;
use std::sync::Arc;

use crate::access::Caller;
use crate::fhir::Resource;
use crate::interactions::bundle::{EntryAnswer, Rider, process_with};
use crate::interactions::{Answer, Effect, Engine, InteractionError};
use crate::load::target::{Marks, Outcome, Sent, Standing, Target, reasons};
use crate::load::{LoadError, Reason};
use crate::store::{LoadMark, StoreError};

/// The database. Marks are written in the transaction that stores what they stand for.
pub(super) struct Database<'a> {
    engine: &'a Engine,
    caller: &'a Caller,
    load: i64,
    earlier: HashSet<LoadMark>,
}

impl<'a> Database<'a> {
    /// Goes on with the load of this number, or begins it anew.
    pub(super) fn new(
        engine: &'a Engine,
        caller: &'a Caller,
        load: i64,
        resume: bool,
    ) -> Result<Database<'a>, StoreError> {
        let earlier = if resume {
            // PostgreSQL may still be committing what a load that was killed has sent.
            engine.store.read_settled(|reader| reader.load_marks(load))?.into_iter().collect()
        } else {
            engine.store.write(move |tx| tx.forget_load(load))?;
            HashSet::new()
        };
        Ok(Database { engine, caller, load, earlier })
    }
}

impl Target for Database<'_> {
    fn standing(&self, mark: &LoadMark) -> Standing {
        if self.earlier.contains(mark) { Standing::Stored } else { Standing::New }
    }

    fn send(&mut self, bundle: Resource, marks: &Marks) -> Result<Sent, LoadError> {
        let load = self.load;
        let marks = marks.clone();
        let rider: Rider = Arc::new(move |tx, entries| tx.mark_loaded(load, &marks.of(entries)));
        match process_with(self.engine, self.caller, bundle, &rider) {
            Ok(answer) => Ok(Sent::Done(answer.entries.into_iter().map(outcome).collect::<Result<_, _>>()?)),
            Err(InteractionError::Store(error)) => Err(error.into()),
            Err(error) => {
                let may_be_early = is_early(&error);
                Ok(Sent::Refused { reasons: told(error), may_be_early, bundle: None })
            }
        }
    }
}

fn outcome(entry: EntryAnswer) -> Result<Outcome, LoadError> {
    Ok(match entry {
        EntryAnswer::Written(answer) => written(&answer),
        EntryAnswer::Deleted(answers) => {
            Outcome::Deleted(answers.iter().filter(|answer| answer.effect == Effect::Deleted).count() as u64)
        }
        EntryAnswer::Failed(InteractionError::Store(error)) => return Err(error.into()),
        EntryAnswer::Failed(error) => Outcome::Refused(told(error)),
        EntryAnswer::Read(_)
        | EntryAnswer::NotModified(_)
        | EntryAnswer::Searched { .. }
        | EntryAnswer::History { .. } => Outcome::Nothing,
    })
}

fn written(answer: &Answer) -> Outcome {
    match (answer.effect, &answer.row) {
        (Effect::Created | Effect::Updated | Effect::Unchanged, Some(row)) => {
            Outcome::Stored(row.key.resource_type.name())
        }
        (Effect::Matched, _) => Outcome::Matched,
        (Effect::Deleted, _) => Outcome::Deleted(1),
        _ => Outcome::Nothing,
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

/// The reasons, as a server tells them of the same error.
fn told(error: InteractionError) -> Vec<Reason> {
    match error {
        InteractionError::Entry { index, error } => told(*error).into_iter().map(|it| in_entry(it, index)).collect(),
        InteractionError::Invalid(issues) | InteractionError::Unprocessable(issues) if !issues.is_empty() => {
            reasons(issues)
        }
        other => vec![Reason { expression: None, text: other.to_string() }],
    }
}

fn in_entry(reason: Reason, index: usize) -> Reason {
    let place = match reason.expression.as_deref() {
        Some(place) if place.starts_with("Bundle.entry[") => place.to_owned(),
        Some(place) if place.starts_with(|first: char| first.is_ascii_uppercase()) => match place.split_once('.') {
            Some((_, rest)) => format!("Bundle.entry[{index}].resource.{rest}"),
            None => format!("Bundle.entry[{index}].resource"),
        },
        _ => format!("Bundle.entry[{index}]"),
    };
    Reason { expression: Some(place), ..reason }
}
