//! The delete interaction, plain and conditional.
//!
//! Spec: R4 http.html#delete, #3.1.0.7.1

use crate::access::Caller;
use crate::fhir::{Resource, ResourceKey, ResourceType};
use crate::interactions::conditional::Criteria;
use crate::interactions::recorded;
use crate::interactions::sight::{known, permitted, standing_to_delete};
use crate::interactions::{Answer, Effect, Engine, InteractionError, Precondition, Write};
use crate::search::{Right, owners};
use crate::store::{Creator, IndexRows, Locked, Method, Put, ResourceRow, StoreError, Tx, Written};

/// The most resources that one conditional delete may take away.
const MOST_DELETED: u32 = 1000;

/// A delete. Of what is not there or is deleted already it answers `Absent`.
pub struct Delete {
    caller: Caller,
    key: ResourceKey,
    precondition: Precondition,
    /// Whether the caller could delete nothing at `key` when it was prepared.
    is_absent: bool,
}

impl Delete {
    /// A delete has nothing to check without a lock but who asks, and whether there is anything for them.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        key: &ResourceKey,
        precondition: Precondition,
    ) -> Result<Delete, InteractionError> {
        permitted(caller, key.resource_type, Right::Delete)?;
        let is_absent = match known(engine, caller, key, Right::Delete) {
            Err(InteractionError::NotFound(_)) => true,
            other => other.map(|()| false)?,
        };
        Ok(Delete { caller: caller.clone(), key: key.clone(), precondition, is_absent })
    }
}

impl Write for Delete {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        let previous = match self.is_absent {
            true => None,
            false => standing_to_delete(tx, &self.caller, &self.key)?,
        };
        self.precondition.check(&self.key, previous.as_ref())?;
        match deletion(&self.key, previous)? {
            Some(put) => Ok(deleted(recorded::put(tx, &self.caller, put, None)?.0)),
            None => Ok(Answer { effect: Effect::Absent, row: None, issues: Vec::new() }),
        }
    }
}

/// The version that deletes what stands at `key`; `None` when nothing does.
pub(super) fn deletion(key: &ResourceKey, previous: Option<Locked>) -> Result<Option<Put>, StoreError> {
    let Some(previous) = previous.filter(|previous| !previous.is_deleted) else { return Ok(None) };
    let standing = previous.rows()?;
    let owned = standing.patients.iter().filter(|row| row.bond.is_owned());
    let rows = deleted_from(owned.map(|row| row.patient).collect());
    let (key, previous, creator) = (key.clone(), Some(previous), Creator::Nobody);
    Ok(Some(Put { key, previous, method: Method::Delete, tail: None, rows, rules: None, definition: None, creator }))
}

/// What the index says of a deletion, of which `last` is the version before.
pub(super) fn rows_of_deletion(engine: &Engine, last: &Resource) -> IndexRows {
    deleted_from(owners(last, &engine.store.hasher(), &engine.bases))
}

fn deleted_from(patients: Vec<i64>) -> IndexRows {
    let mut rows = IndexRows { deleted_from: patients, ..IndexRows::default() };
    rows.normalize();
    rows
}

/// What to tell of a deletion.
pub(super) fn deleted(written: Written) -> Answer {
    let row = ResourceRow {
        rid: written.rid,
        key: written.key,
        version: written.version,
        updated_us: written.updated_us,
        method: Method::Delete,
        tail: None,
    };
    Answer { effect: Effect::Deleted, row: Some(row), issues: Vec::new() }
}

/// A delete of what matches criteria: one resource, or several where the settings allow that.
pub struct ConditionalDelete {
    caller: Caller,
    criteria: Criteria,
    precondition: Precondition,
    may_delete_several: bool,
}

impl ConditionalDelete {
    /// `criteria` is the query string; empty criteria are refused.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        resource_type: ResourceType,
        criteria: &str,
        precondition: Precondition,
    ) -> Result<ConditionalDelete, InteractionError> {
        permitted(caller, resource_type, Right::Delete)?;
        let criteria = Criteria::parse(engine, caller, resource_type, criteria)?;
        let (caller, may_delete_several) = (caller.clone(), engine.fhir.delete_multiple);
        let delete = ConditionalDelete { caller, criteria, precondition, may_delete_several };
        delete.criteria.look_up(engine, delete.most())?;
        Ok(delete)
    }

    /// So many matches are too many.
    fn most(&self) -> u32 {
        if self.may_delete_several { MOST_DELETED + 1 } else { 2 }
    }

    /// What the criteria match, in one order for all transactions.
    pub(super) fn targets(&self, tx: &mut Tx<'_>) -> Result<Vec<ResourceKey>, InteractionError> {
        let most = self.most();
        let rows = self.criteria.find_locked(tx, most)?;
        if rows.len() >= most as usize {
            return Err(InteractionError::MultipleMatches(self.criteria.resource_type));
        }
        Ok(rows.into_iter().map(|row| row.key).collect())
    }

    /// The deletions to write.
    pub(super) fn puts(&self, tx: &mut Tx<'_>) -> Result<Vec<Put>, InteractionError> {
        let mut puts = Vec::new();
        for key in self.targets(tx)? {
            let previous = standing_to_delete(tx, &self.caller, &key)?;
            self.precondition.check(&key, previous.as_ref())?;
            puts.extend(deletion(&key, previous)?);
        }
        Ok(puts)
    }
}

impl Write for ConditionalDelete {
    /// The answer of each deletion; empty when nothing matched.
    type Answer = Vec<Answer>;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Vec<Answer>, InteractionError> {
        let puts = self.puts(tx)?;
        let recorded = recorded::put_all(tx, &self.caller, puts, Vec::new())?;
        Ok(recorded.written.into_iter().map(deleted).collect())
    }
}
