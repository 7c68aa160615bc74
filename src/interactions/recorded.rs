//! What the audit trail is told of interactions: writes with what they write, reads and refusals for a moment later.

use crate::access::{Caller, Deed, Note, Refused};
use crate::audit::{Touched, tell};
use crate::interactions::InteractionError;
use crate::interactions::sight::{Gained, attached, check_written};
use crate::search::Right;
use crate::store::{Put, ResourceRow, StoreError, Tx, Written, container_of};

/// What was written for a caller.
pub(super) struct Recorded {
    /// In the order in which it was asked for.
    pub(super) written: Vec<Written>,
    /// The Provenances beside it.
    origins: Vec<Written>,
    /// The keys of Binaries that it has as attachments.
    attached: Vec<i64>,
}

/// Writes all of `puts` for `caller`, with the Provenances that tell where they come from, and tells the trail of them in the same
/// transaction.
pub(super) fn put_all(
    tx: &mut Tx<'_>,
    caller: &Caller,
    mut puts: Vec<Put>,
    origins: Vec<Put>,
) -> Result<Recorded, StoreError> {
    let count = puts.len();
    puts.extend(origins);
    // What the server says itself of their origin is the same as what the trail tells.
    let told_of = if caller.claim().is_some() { puts.len() } else { count };
    let touched = match caller.act() {
        Some(_) => puts[..told_of].iter().map(Touched::by).collect::<Result<Vec<_>, _>>()?,
        None => Vec::new(),
    };
    let attached = puts.iter().flat_map(|put| attached(&put.rows)).collect();
    let mut written = tx.put_all(puts)?;
    if let Some(act) = caller.act() {
        let told: Vec<(Written, Touched)> = written.iter().cloned().zip(touched).collect();
        tell(tx, act, &told)?;
    }
    let origins = written.split_off(count);
    Ok(Recorded { written, origins, attached })
}

/// Writes one version for `caller`, with the Provenance that tells where it comes from, and tells of it.
pub(super) fn put(
    tx: &mut Tx<'_>,
    caller: &Caller,
    put: Put,
    origin: Option<Put>,
) -> Result<(Written, Recorded), StoreError> {
    let mut recorded = put_all(tx, caller, vec![put], origin.into_iter().collect())?;
    let written = recorded.written.pop().ok_or_else(|| StoreError::Damaged("a write without an answer".to_owned()))?;
    Ok((written, recorded))
}

impl Recorded {
    /// What is left to do once all that was written has passed its checks.
    ///
    /// Refuses what the client says of the origin of its writes, where it may not say so: as if it had sent the Provenances by
    /// themselves. What the server says needs no right of the client. Binaries that are attachments now are no longer seen for having
    /// been created.
    pub(super) fn conclude(&self, tx: &mut Tx<'_>, caller: &Caller) -> Result<(), InteractionError> {
        if caller.claim().is_some() {
            let check = |origin| check_written(tx, caller, origin, Right::Create, &Gained::default());
            self.origins.iter().try_for_each(check)?;
        }
        Ok(tx.end_creators(&self.attached)?)
    }
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
