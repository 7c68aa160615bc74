//! What the audit trail is told of interactions: writes with what they write, reads and refusals for a moment later.

use crate::access::{Caller, Deed, Note, Refused};
use crate::audit::{Touched, tell};
use crate::interactions::InteractionError;
use crate::store::{Put, ResourceRow, StoreError, Tx, Written, container_of};

/// Writes all of `puts` for `caller`, and tells of them in the same transaction.
pub(super) fn put_all(tx: &mut Tx<'_>, caller: &Caller, puts: Vec<Put>) -> Result<Vec<Written>, StoreError> {
    let Some(act) = caller.act() else { return tx.put_all(puts) };
    let touched = puts.iter().map(Touched::by).collect::<Result<Vec<_>, _>>()?;
    let written = tx.put_all(puts)?;
    let told: Vec<(Written, Touched)> = written.iter().cloned().zip(touched).collect();
    tell(tx, act, &told)?;
    Ok(written)
}

/// Writes one version for `caller`, and tells of it.
pub(super) fn put(tx: &mut Tx<'_>, caller: &Caller, put: Put) -> Result<Written, StoreError> {
    let written = put_all(tx, caller, vec![put])?;
    written.into_iter().next().ok_or_else(|| StoreError::Damaged("a write without an answer".to_owned()))
}

/// Notes what `caller` is given.
pub(super) fn give<'r>(caller: &Caller, deed: Deed, rows: impl Iterator<Item = &'r ResourceRow>) {
    if let Some(act) = caller.act() {
        // What is contained in a resource is of its container.
        let number = |row: &ResourceRow| container_of(row.rid).map_or(row.rid, |(container, _)| container);
        let given = rows.map(|row| (number(row), row.version)).collect();
        act.give(Note { deed, query: caller.asks().map(str::to_owned), given, events: Vec::new() });
    }
}

/// Notes which events of the trail `caller` is given.
pub(super) fn give_events(caller: &Caller, deed: Deed, events: Vec<(Option<i64>, String)>) {
    if let Some(act) = caller.act() {
        act.give(Note { deed, query: caller.asks().map(str::to_owned), given: Vec::new(), events });
    }
}

/// Notes that `caller` was refused an entry of a batch, if it was: what is wrong with the entry itself is no refusal.
pub(super) fn refuse(caller: &Caller, error: &InteractionError) {
    let Some(act) = caller.act() else { return };
    let (status, key) = match error {
        InteractionError::Denied(_) => (403, None),
        InteractionError::NotFound(key) | InteractionError::NoSuchVersion(key, _) => (404, Some(key.clone())),
        InteractionError::Deleted { key, .. } => (410, Some(key.clone())),
        _ => return,
    };
    act.refuse(Refused { status, key });
}
