//! Custodians: how a record gets its first, and that it always has one.

use crate::access::{Caller, Deed};
use crate::clock;
use crate::fhir::{Id, Resource, ResourceKey, ResourceType};
use crate::interactions::{Create, Engine, Write};
use crate::records::grants::{COMMAND, Terms};
use crate::records::people::able_account;
use crate::records::{Email, Grantor, RecordError, RecordId, told};
use crate::store::{Grant, GrantLevel, Grantee, Guard, Method, NewGrant, Reader, Store, StoreError, Tx};

/// A record that has its first custodian.
#[derive(Clone, Debug)]
pub struct RecordMade {
    pub record: RecordId,
    pub grant: Grant,
}

/// Makes a record: creates the Patient and gives it its custodian, both or neither.
///
/// The Patient is validated as in any create, and gets its id from the server.
pub fn make_record(engine: &Engine, patient: &Resource, custodian: &Email) -> Result<RecordMade, RecordError> {
    if patient.resource_type != ResourceType::PATIENT {
        return Err(RecordError::NotAPatient(patient.resource_type.with_article()));
    }
    let once = || {
        let caller = Caller::system("record add").commanding("record", clock::now_us());
        let mut create = Create::prepare(engine, &caller, ResourceType::PATIENT, patient.clone(), None)?;
        let custodian = custodian.clone();
        engine.store.write(move |tx| {
            tx.lock_access()?;
            let account = able_account(tx, &custodian)?;
            let answer = create.apply(tx)?;
            let row = answer.row.ok_or_else(|| StoreError::Damaged("a create without a resource".to_owned()))?;
            first_custodian(tx, row.key.id, account.id)
        })
    };
    let is_stale = |error: &RecordError| matches!(error, RecordError::Interaction(error) if error.is_stale());
    engine.by_present_rules(once, is_stale)
}

/// Gives a Patient that is here its first custodian. Refused when it has one.
pub fn adopt_record(
    store: &Store,
    record: &RecordId,
    custodian: &Email,
    now_us: i64,
) -> Result<RecordMade, RecordError> {
    let (record, custodian) = (record.clone(), custodian.clone());
    store.write(move |tx| {
        tx.lock_access()?;
        let account = able_account(tx, &custodian)?;
        must_be_here(tx, &record)?;
        if custodians(tx, &record.0, now_us)?.next().is_some() {
            return Err(RecordError::HasCustodian(record.to_string()));
        }
        first_custodian(tx, record.0.clone(), account.id)
    })
}

fn first_custodian(tx: &mut Tx<'_>, patient: Id, account: i64) -> Result<RecordMade, RecordError> {
    let terms = Terms::of_level(GrantLevel::Custodian);
    let grant = tx.add_grant(&NewGrant {
        patient: Some(patient.clone()),
        to: Grantee::Account(account),
        level: terms.level,
        scopes: terms.scopes.to_string(),
        labels: terms.labels,
        sees_history: terms.sees_history,
        until_us: None,
        reason: None,
        origin: COMMAND.to_owned(),
        granted_by: None,
    })?;
    told::grant(tx, Deed::Grant, &grant, Grantor::Operator)?;
    Ok(RecordMade { record: RecordId(patient), grant })
}

/// Refuses a record whose Patient is not here, or deleted.
pub(super) fn must_be_here(reader: &mut Reader<'_>, record: &RecordId) -> Result<(), RecordError> {
    let key = ResourceKey { resource_type: ResourceType::PATIENT, id: record.0.clone() };
    let is_here = reader.current(&key, &Guard::unbounded("records"))?.is_some_and(|row| row.method != Method::Delete);
    if is_here { Ok(()) } else { Err(RecordError::NoRecord(record.to_string())) }
}

/// The custodians' grants on a record that are in force.
pub(super) fn custodians(
    reader: &mut Reader<'_>,
    patient: &Id,
    now_us: i64,
) -> Result<impl Iterator<Item = Grant> + use<>, RecordError> {
    let grants = reader.grants_on(patient)?;
    Ok(grants.into_iter().filter(move |grant| grant.level == GrantLevel::Custodian && grant.is_in_force(now_us)))
}

/// Whether among the grants for which `stays` is true a custodian is left to the record: with no end, and able to sign in.
pub(super) fn keeps_a_custodian(
    reader: &mut Reader<'_>,
    patient: &Id,
    now_us: i64,
    stays: impl Fn(&Grant) -> bool,
) -> Result<bool, RecordError> {
    for grant in custodians(reader, patient, now_us)?.filter(|grant| grant.until_us.is_none() && stays(grant)) {
        if let Grantee::Account(account) = grant.to
            && reader.account(account)?.is_some_and(|account| account.disabled_us.is_none())
        {
            return Ok(true);
        }
    }
    Ok(false)
}
