//! What the caller may see, asked of the database.
//!
//! What can't be seen is answered as what is not there. Reads carry their condition in the statement; a write asks before it
//! touches what stands, and once more when the new version stands, in the same transaction.
//!
//! Spec: SMART App Launch 2.2, scopes for requesting clinical data

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::access::{Caller, Denied};
use crate::clock;
use crate::fhir::{Resource, ResourceKey, ResourceType};
use crate::interactions::trail;
use crate::interactions::whole::resource_of;
use crate::interactions::{Engine, InteractionError};
use crate::search::{
    ATTACHED, AccessFilter, Admission, CompileContext, Condition, Registry, Right, Use, View, element_of_owner, guard,
    guard_of_deletions as compile_guard, has_parties, is_recorded, kept_from, visible, visible_keys,
};
use crate::store::{Guard, Hasher, IndexRows, Locked, Put, Reader, Tx, Written};

/// The condition on what of `types` (of all, when there are none) may be done `right` with. Having no right for a type is no
/// refusal: nothing of it is seen.
pub(super) fn guard_of(reader: &Reader<'_>, filter: &AccessFilter, types: &[ResourceType], right: Right) -> Guard {
    if filter.is_everything() {
        return Guard::unbounded("everything");
    }
    let hasher = reader.hasher();
    Guard::of(guard(&filter.view(types, right), types, &context(reader, filter, &hasher)))
}

/// As [`guard_of`], and besides what was deleted of which the caller may know, as far as the index tells: whether it may is
/// asked of [`sees_deletion`] then.
pub(super) fn guard_of_deletions(reader: &Reader<'_>, caller: &Caller, types: &[ResourceType], right: Right) -> Guard {
    let filter = caller.filter();
    if filter.is_everything() {
        return Guard::unbounded(caller.name());
    }
    let hasher = reader.hasher();
    let (view, deletions) = (filter.view(types, right), filter.deletions(types, right));
    Guard::of(compile_guard(&view, types, &deletions, &context(reader, filter, &hasher)))
}

/// Whether `caller` may know that the version `version` of `key` deleted it: judged by the version before, the last that there was.
pub(super) fn sees_deletion(
    reader: &mut Reader<'_>,
    caller: &Caller,
    key: &ResourceKey,
    version: i64,
    right: Right,
) -> Result<bool, InteractionError> {
    let filter = caller.filter();
    if filter.is_everything() {
        return Ok(true);
    }
    let Some(last) = before(reader, key, version)? else { return Ok(false) };
    let admission = filter.admits_deletion(&last, &reader.hasher(), right);
    is_admitted(reader, filter, &last, admission)
}

/// The version before the version `version` of `key`, whoever may see it.
pub(super) fn before(
    reader: &mut Reader<'_>,
    key: &ResourceKey,
    version: i64,
) -> Result<Option<Resource>, InteractionError> {
    let row = reader.version(key, version - 1, &Guard::unbounded("what was deleted"))?;
    let Some(row) = row.filter(|row| row.tail.is_some()) else { return Ok(None) };
    resource_of(&row).map(Some)
}

/// Which of `rids` are in `view`.
pub(super) fn seen(
    reader: &mut Reader<'_>,
    filter: &AccessFilter,
    view: &View,
    rids: &[i64],
) -> Result<BTreeSet<i64>, InteractionError> {
    let hasher = reader.hasher();
    let query = visible(rids, view, &context(reader, filter, &hasher));
    Ok(reader.numbers(&query)?.into_iter().collect())
}

/// Whether the content of a version is open to `right` by itself, which is one of reading.
pub(super) fn admits(
    reader: &mut Reader<'_>,
    filter: &AccessFilter,
    resource: &Resource,
    right: Right,
) -> Result<bool, InteractionError> {
    let is_own = is_own(reader, filter, resource)?;
    let admission = filter.admits(resource, &reader.hasher(), right, is_own);
    is_admitted(reader, filter, resource, admission)
}

/// Whether it is a Binary that the caller created, and nothing has had it as an attachment since.
fn is_own(reader: &mut Reader<'_>, filter: &AccessFilter, resource: &Resource) -> Result<bool, InteractionError> {
    let of = resource.resource_type;
    let (Some(holder), Some(id)) = (filter.holder(), &resource.id) else { return Ok(false) };
    if of != ResourceType::BINARY {
        return Ok(false);
    }
    let key = reader.hasher().key(&ResourceKey { resource_type: of, id: id.clone() });
    let view = View::Where(Condition::CreatedBy(Arc::clone(holder)));
    Ok(seen_keys(reader, filter, &[key], of, &view)?.contains(&key))
}

fn is_admitted(
    reader: &mut Reader<'_>,
    filter: &AccessFilter,
    resource: &Resource,
    admission: Admission,
) -> Result<bool, InteractionError> {
    let hasher = reader.hasher();
    match admission {
        Admission::Closed => Ok(false),
        Admission::Open => Ok(true),
        Admission::Consented(party) => {
            let kept = kept_from(&party, Use::Read, resource, filter.bases(), &context(reader, filter, &hasher));
            Ok(reader.number(&kept)? == 0)
        }
    }
}

fn context<'h>(reader: &Reader<'_>, filter: &AccessFilter, hasher: &'h Hasher) -> CompileContext<'h> {
    let zone_minutes = filter.zone_minutes();
    CompileContext { hasher, dialect: reader.dialect(), now_us: clock::now_us(), zone_minutes }
}

/// What stands at `key`, held until the end; `None` where nothing does. What the caller may not do `right` with is as unknown as
/// what was never there.
pub(super) fn standing(
    tx: &mut Tx<'_>,
    caller: &Caller,
    key: &ResourceKey,
    right: Right,
) -> Result<Option<Locked>, InteractionError> {
    let previous = tx.lock(key)?;
    let filter = caller.filter();
    if filter.is_everything() {
        return Ok(previous);
    }
    let view = filter.permitted(key.resource_type, right).map_err(Denied::from)?;
    let Some(previous) = previous else { return Ok(None) };
    let is_seen = match view {
        _ if previous.is_deleted => filter.administers(),
        View::Everything => true,
        view => seen(tx, filter, &view, &[previous.rid()])?.contains(&previous.rid()),
    };
    if is_seen { Ok(Some(previous)) } else { Err(InteractionError::NotFound(key.clone())) }
}

/// As [`standing`] for an update, which may create the resource only where clients choose ids.
pub(super) fn standing_or_new(
    tx: &mut Tx<'_>,
    caller: &Caller,
    key: &ResourceKey,
) -> Result<Option<Locked>, InteractionError> {
    match standing(tx, caller, key, Right::Update)? {
        None if !may_choose_ids(caller) => Err(InteractionError::NotFound(key.clone())),
        previous => Ok(previous),
    }
}

/// Refuses to go on about what `caller` may not do `right` with, before a transaction begins: there, what is hidden would take longer
/// than what isn't there.
pub(super) fn known(engine: &Engine, caller: &Caller, key: &ResourceKey, right: Right) -> Result<(), InteractionError> {
    let filter = caller.filter();
    if filter.is_everything() || filter.administers() {
        return Ok(());
    }
    let current = engine.store.read_one(|reader| {
        let guard = guard_of(reader, filter, &[key.resource_type], right);
        reader.current(key, &guard)
    })?;
    current.map(drop).ok_or_else(|| InteractionError::NotFound(key.clone()))
}

/// As [`standing`] for a deletion, of which nothing tells whether it deleted what the caller could not see.
pub(super) fn standing_to_delete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    key: &ResourceKey,
) -> Result<Option<Locked>, InteractionError> {
    let previous = match standing(tx, caller, key, Right::Delete) {
        Err(InteractionError::NotFound(_)) => return Ok(None),
        other => other?,
    };
    if let Some(standing) = previous.as_ref().filter(|previous| !previous.is_deleted) {
        check_deletion(caller, key, standing, &tx.hasher())?;
    }
    Ok(previous)
}

/// Refuses to delete what gives access to others, the Patient that is a record, and what the server recorded itself.
fn check_deletion(
    caller: &Caller,
    key: &ResourceKey,
    standing: &Locked,
    hasher: &Hasher,
) -> Result<(), InteractionError> {
    let (filter, of) = (caller.filter(), key.resource_type);
    if of == ResourceType::PROVENANCE && !filter.administers() && is_recorded(&standing.rows()?, hasher) {
        return Err(Denied::Recorded.into());
    }
    let owners = || Ok::<_, InteractionError>(owners(&standing.rows()?));
    if of == ResourceType::PATIENT && !may_confer(filter, of, Right::Delete, &owners()?, hasher) {
        return Err(Denied::Record.into());
    }
    if is_conferring(of) && !may_confer(filter, of, Right::Delete, &owners()?, hasher) {
        return Err(Denied::Confers(of).into());
    }
    Ok(())
}

/// Whether the caller may do `right` with what gives access to others in the records of `owners`: a custodian of these, or a system client on all
/// records.
fn may_confer(filter: &AccessFilter, of: ResourceType, right: Right, owners: &BTreeSet<i64>, hasher: &Hasher) -> bool {
    filter.is_custodian_of(owners, hasher) || filter.reaches_all(of, right)
}

/// Whether the caller may create a resource under an id of its choice: to others, an id that is taken and hidden would look
/// unlike one that is free.
pub(super) fn may_choose_ids(caller: &Caller) -> bool {
    caller.filter().administers()
}

/// Refuses a caller who may not do `right` with any resource of the type.
pub(super) fn permitted(caller: &Caller, resource_type: ResourceType, right: Right) -> Result<(), InteractionError> {
    if matches!(right, Right::Create | Right::Update | Right::Delete) && trail::keeps(caller, resource_type) {
        return Err(Denied::Audit.into());
    }
    caller.filter().permitted(resource_type, right).map_err(Denied::from)?;
    Ok(())
}

/// Refuses a version that the caller may not make of what stands: one that changes hands, loses its labels, gives access to
/// others, or passes for what the server recorded itself. `rows` are those of the new version.
pub(super) fn check_change(
    caller: &Caller,
    key: &ResourceKey,
    previous: Option<&Locked>,
    rows: &IndexRows,
    hasher: &Hasher,
) -> Result<(), InteractionError> {
    let filter = caller.filter();
    if filter.is_everything() {
        return Ok(());
    }
    let of = key.resource_type;
    if of.name() == "AuditEvent" {
        return Err(Denied::Audit.into());
    }
    let standing = previous.filter(|previous| !previous.is_deleted).map(Locked::rows).transpose()?;
    let before = standing.unwrap_or_default();
    let is_ours = |rows: &IndexRows| of == ResourceType::PROVENANCE && is_recorded(rows, hasher);
    if (is_ours(&before) || is_ours(rows)) && !filter.administers() {
        return Err(Denied::Recorded.into());
    }
    let number = |code| Registry::bundled().parameter(of, code).map(|parameter| parameter.id());
    let (were, are) = (owners(&before), owners(rows));
    let is_joined = has_parties(of) && were.is_subset(&are);
    if !were.is_empty() && were != are && !is_joined && !filter.administers() {
        return Err(Denied::Moved(of).into());
    }
    let security = number("_security");
    let labels = |rows: &IndexRows| -> BTreeSet<(i64, i64)> {
        rows.tokens.iter().filter(|row| Some(row.param) == security).map(|row| (row.code, row.system)).collect()
    };
    let touched: BTreeSet<i64> = were.union(&are).copied().collect();
    let is_custodian = || filter.is_custodian_of(&touched, hasher);
    if !labels(&before).is_subset(&labels(rows)) && !is_custodian() && !filter.administers() {
        return Err(Denied::Labels.into());
    }
    if confers(key, &before, rows) && !may_confer(filter, of, Right::Update, &touched, hasher) {
        return Err(Denied::Confers(of).into());
    }
    Ok(())
}

/// The keys of the Patients whose records a resource with these rows is part of.
fn owners(rows: &IndexRows) -> BTreeSet<i64> {
    rows.patients.iter().filter(|row| row.bond.is_owned()).map(|row| row.patient).collect()
}

/// What a version comes to have that its writer may not give it just so.
#[derive(Debug, Default)]
pub(super) struct Gained {
    /// The keys of Binaries as attachments that the writer can't read: to name somebody's Binary must not be a way to see it.
    unseen: Vec<i64>,
    /// Where it is part of several records, the Patients to whose it comes, with the elements that name them: to name somebody must not be
    /// a way to write there.
    parties: Vec<(i64, String)>,
}

/// What `put` comes to have that [`check_written`] is to ask about.
pub(super) fn gained(tx: &mut Tx<'_>, caller: &Caller, put: &Put) -> Result<Gained, InteractionError> {
    if caller.filter().is_everything() {
        return Ok(Gained::default());
    }
    Ok(Gained { unseen: unseen_attachments(tx, caller, put)?, parties: parties(put)? })
}

fn parties(put: &Put) -> Result<Vec<(i64, String)>, InteractionError> {
    let mut come = owners(&put.rows);
    if come.len() < 2 {
        return Ok(Vec::new());
    }
    if let Some(previous) = put.previous.as_ref().filter(|previous| !previous.is_deleted) {
        let were = owners(&previous.rows()?);
        come.retain(|patient| !were.contains(patient));
    }
    let of = put.key.resource_type;
    Ok(come.into_iter().map(|patient| (patient, element_of_owner(of, &put.rows, patient))).collect())
}

/// The keys of the Binaries that a resource with these rows has as attachments.
pub(super) fn attached(rows: &IndexRows) -> BTreeSet<i64> {
    rows.references.iter().filter(|row| row.param == ATTACHED).map(|row| row.target).collect()
}

fn unseen_attachments(tx: &mut Tx<'_>, caller: &Caller, put: &Put) -> Result<Vec<i64>, InteractionError> {
    let filter = caller.filter();
    let mut gained = attached(&put.rows);
    if gained.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(previous) = put.previous.as_ref().filter(|previous| !previous.is_deleted) {
        let before = attached(&previous.rows()?);
        gained.retain(|key| !before.contains(key));
    }
    let gained: Vec<i64> = gained.into_iter().collect();
    let view = filter.view(&[ResourceType::BINARY], Right::Read);
    let seen = seen_keys(tx, filter, &gained, ResourceType::BINARY, &view)?;
    Ok(gained.into_iter().filter(|key| !seen.contains(key)).collect())
}

/// Which of the resources of a type with these keys are in the view; those that are deleted are in none.
pub(super) fn seen_keys(
    reader: &mut Reader<'_>,
    filter: &AccessFilter,
    keys: &[i64],
    of: ResourceType,
    view: &View,
) -> Result<BTreeSet<i64>, InteractionError> {
    if keys.is_empty() {
        return Ok(BTreeSet::new());
    }
    let hasher = reader.hasher();
    let query = visible_keys(keys, of, view, &context(reader, filter, &hasher));
    Ok(reader.numbers(&query)?.into_iter().collect())
}

/// Whether a version may give access to others, or lead to another person.
fn confers(key: &ResourceKey, before: &IndexRows, rows: &IndexRows) -> bool {
    let of = key.resource_type;
    if of != ResourceType::PATIENT {
        return is_conferring(of);
    }
    let link = Registry::bundled().parameter(of, "link").map(|parameter| parameter.id());
    let links = |rows: &IndexRows| -> BTreeSet<i64> {
        rows.references.iter().filter(|row| Some(row.param) == link).map(|row| row.target).collect()
    };
    links(before) != links(rows)
}

/// Whether whatever is of this type may give access to others.
fn is_conferring(of: ResourceType) -> bool {
    matches!(of.name(), "CareTeam" | "Consent" | "Group" | "Person" | "RelatedPerson" | "Subscription")
}

/// Refuses what was written if the caller may not do so: asked before the transaction ends, so that it is undone. Of the attachments that are
/// [`Gained`] only those may be there that the same transaction wrote.
pub(super) fn check_written(
    tx: &mut Tx<'_>,
    caller: &Caller,
    written: &Written,
    right: Right,
    gained: &Gained,
) -> Result<(), InteractionError> {
    let filter = caller.filter();
    if filter.is_everything() {
        return Ok(());
    }
    let view = filter.view_of_written(ResourceType::BINARY, Right::Create);
    let own = seen_keys(tx, filter, &gained.unseen, ResourceType::BINARY, &view)?;
    if own.len() < gained.unseen.len() {
        return Err(Denied::Attached.into());
    }
    let of = written.key.resource_type;
    if !is_written(tx, filter, written, right)? {
        return Err(Denied::OutOfReach(of).into());
    }
    for (patient, element) in &gained.parties {
        let there = filter.on_record(*patient, &tx.hasher());
        if !is_written(tx, &there, written, right)? {
            return Err(Denied::Party(element.clone()).into());
        }
    }
    Ok(())
}

/// Whether what was written is among what `filter` lets be written.
fn is_written(
    tx: &mut Tx<'_>,
    filter: &AccessFilter,
    written: &Written,
    right: Right,
) -> Result<bool, InteractionError> {
    let view = filter.view_of_written(written.key.resource_type, right);
    Ok(matches!(view, View::Everything) || seen(tx, filter, &view, &[written.rid])?.contains(&written.rid))
}
