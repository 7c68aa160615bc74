//! Writes, told in the transaction that writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Act, Deed};
use crate::audit::event::{Event, Outcome, block};
use crate::audit::owners::of_key;
use crate::fhir::ResourceKey;
use crate::store::{IndexRows, Method, Put, StoreError, Tx, Written};

/// What a write does, and whose record it touches.
#[derive(Clone, Debug)]
pub struct Touched {
    deed: Deed,
    patients: BTreeSet<i64>,
}

impl Touched {
    /// The Patients whose record the new version is part of, or the one that stands.
    pub fn by(put: &Put) -> Result<Touched, StoreError> {
        let standing = put.previous.as_ref().map(|previous| previous.rows()).transpose()?.unwrap_or_default();
        let stands = put.previous.as_ref().is_some_and(|previous| !previous.is_deleted);
        let deed = match put.method {
            Method::Delete => Deed::Delete,
            // An update may create, too.
            Method::Create | Method::Update if !stands => Deed::Create,
            Method::Create | Method::Update => Deed::Update,
        };
        Ok(Touched { deed, patients: owners(&standing).chain(owners(&put.rows)).collect() })
    }
}

/// The keys of the Patients whose record is meant; of a deletion, whose it was.
pub(super) fn owners(rows: &IndexRows) -> impl Iterator<Item = i64> {
    let owned = rows.patients.iter().filter(|row| row.bond.is_owned()).map(|row| row.patient);
    owned.chain(rows.deleted_from.iter().copied())
}

/// Each of them, or once `None`.
pub(super) fn some_or_none(patients: BTreeSet<i64>) -> impl Iterator<Item = Option<i64>> {
    let none = patients.is_empty().then_some(None);
    patients.into_iter().map(Some).chain(none)
}

/// Tells what was written: an event for each Patient and each kind of write.
pub fn tell(tx: &mut Tx<'_>, act: &Act, written: &[(Written, Touched)]) -> Result<(), StoreError> {
    let mut told: BTreeMap<(Deed, Option<i64>), Vec<String>> = BTreeMap::new();
    for (version, Touched { deed, patients }) in written {
        let entity = format!("{}/_history/{}", version.key, version.version);
        // What has no owner of its own may have those of what leads to it.
        let patients = if patients.is_empty() { of_key(tx, &version.key)? } else { patients.clone() };
        for patient in some_or_none(patients) {
            told.entry((*deed, patient)).or_default().push(entity.clone());
        }
    }
    let events: Vec<Event> = told
        .into_iter()
        .map(|((deed, patient), entities)| Event {
            patient,
            entities,
            ..Event::new(&act.agent, &act.request, act.at_us, deed)
        })
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    tx.append_audit(&block(&events)?)
}

/// Tells in `tx` what was done there besides writing resources: with the record of `patient`, if with one. `entities` are
/// references, or identifiers as `SYSTEM|VALUE`.
pub fn tell_deed(
    tx: &mut Tx<'_>,
    act: &Act,
    deed: Deed,
    patient: Option<&ResourceKey>,
    entities: Vec<String>,
) -> Result<(), StoreError> {
    let patient = patient.map(|patient| tx.hasher().key(patient));
    let event = Event { patient, entities, ..Event::new(&act.agent, &act.request, act.at_us, deed) };
    tx.append_audit(&block(&[event])?)
}

/// Tells in `tx` what a person did, or tried to, with their own account: from which network, and how it ended.
pub fn tell_of_person(
    tx: &mut Tx<'_>,
    act: &Act,
    deed: Deed,
    network: Option<String>,
    outcome: Outcome,
    entities: Vec<String>,
) -> Result<(), StoreError> {
    let event = Event { outcome, network, entities, ..Event::new(&act.agent, &act.request, act.at_us, deed) };
    tx.append_audit(&block(&[event])?)
}
