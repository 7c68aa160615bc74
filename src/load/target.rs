//! Where a load goes: into the database, or to a server.

use serde_json::Value;

use crate::fhir::{Issue, Resource};
use crate::load::{LoadError, Reason};
use crate::store::LoadMark;

/// No more than so many reasons are given for one input.
const MOST_REASONS: usize = 20;

/// Does batches and transactions, and remembers what was stored for a load that goes on later.
pub(super) trait Target {
    /// What an earlier load did about `mark`.
    fn standing(&self, mark: &LoadMark) -> Standing;

    /// Does `bundle`; what is stored is marked with it.
    fn send(&mut self, bundle: Resource, marks: &Marks) -> Result<Sent, LoadError>;
}

/// What an earlier load did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    New,
    Stored,
    /// It was sent, the answer never came, and sending it again could store it twice.
    InDoubt,
}

/// What stands for the entries of a Bundle in a later load.
#[derive(Clone, Debug)]
pub(super) enum Marks {
    /// One mark for all: they are stored together or not at all.
    Whole(LoadMark),
    /// A mark for each entry, in their order.
    Each(Vec<LoadMark>),
}

impl Marks {
    /// The marks that stand for the entries at `entries`.
    pub(super) fn of(&self, entries: &[usize]) -> Vec<LoadMark> {
        match self {
            Marks::Whole(mark) => entries.first().map(|_| *mark).into_iter().collect(),
            Marks::Each(marks) => entries.iter().filter_map(|index| marks.get(*index).copied()).collect(),
        }
    }
}

/// What became of a Bundle.
pub(super) enum Sent {
    /// One outcome for each entry.
    Done(Vec<Outcome>),
    /// Nothing of it was stored, or nobody knows.
    Refused {
        reasons: Vec<Reason>,
        /// What it refers to may come later.
        may_be_early: bool,
        /// Handed back when surely nothing was stored, so that it can be sent in parts.
        bundle: Option<Resource>,
    },
}

/// What became of one entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Created, updated, or as wanted already.
    Stored(&'static str),
    /// A conditional create found what it would have created.
    Matched,
    Deleted(u64),
    /// What is read has nobody to go to.
    Nothing,
    Refused(Vec<Reason>),
}

/// The reasons among `issues`.
pub(super) fn reasons(issues: Vec<Issue>) -> Vec<Reason> {
    issues.into_iter().filter(Issue::is_error).take(MOST_REASONS).map(reason).collect()
}

pub(super) fn reason(issue: Issue) -> Reason {
    Reason { expression: issue.expression, text: issue.text }
}

/// The entry of a Bundle that all reasons are about.
pub(super) fn entry_of(reasons: &[Reason]) -> Option<usize> {
    let index = |reason: &Reason| -> Option<usize> {
        let (index, _) = reason.expression.as_deref()?.strip_prefix("Bundle.entry[")?.split_once(']')?;
        index.parse().ok()
    };
    let first = index(reasons.first()?)?;
    reasons.iter().all(|reason| index(reason) == Some(first)).then_some(first)
}

/// Whether something in `value` refers to a resource by criteria.
pub(super) fn has_conditional_reference(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| match value {
            Value::String(text) => name == "reference" && text.contains('?'),
            other => has_conditional_reference(other),
        }),
        Value::Array(items) => items.iter().any(has_conditional_reference),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(expression: &str) -> Reason {
        Reason { expression: Some(expression.to_owned()), text: String::new() }
    }

    #[test]
    fn the_entry_is_named_when_all_reasons_are_about_it() {
        assert_eq!(entry_of(&[about("Bundle.entry[7]"), about("Bundle.entry[7].resource.status")]), Some(7));
        assert_eq!(entry_of(&[about("Bundle.entry[7]"), about("Bundle.entry[8]")]), None);
        assert_eq!(entry_of(&[about("Patient.name")]), None);
        assert_eq!(entry_of(&[]), None);
    }
}
