//! Grants: sharing a record, and ending that.

use crate::access::{Context, Deed, ScopeSet, check_searches};
use crate::fhir::Id;
use crate::interactions::Engine;
use crate::records::custody::{custodians, keeps_a_custodian, must_be_here};
use crate::records::people::{able_account, known_account};
use crate::records::{Email, Reason, RecordError, RecordId, told};
use crate::store::{Grant, GrantLevel, Grantee, Labels, NewGrant, Reader, Tx};

/// The origin of what the operator's commands grant.
pub(super) const COMMAND: &str = "command";
/// The origin of what a custodian grants.
const CUSTODIAN: &str = "custodian";
/// The origin of what people let apps do.
const CONSENT: &str = "consent";
/// A scope as it may stand in a grant on a record.
const EXAMPLE: &str = "patient/Observation.rs";

/// Who makes or ends a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantor {
    /// The operator by a command: may give all, but is held to the rules of custodians, too.
    Operator,
    /// The account with this number: must be a custodian, and gives no more than it holds.
    Account(i64),
}

/// What a grant gives.
#[derive(Clone, Debug)]
pub struct Terms {
    pub level: GrantLevel,
    pub scopes: ScopeSet,
    pub labels: Labels,
    /// Whether older versions are seen, too.
    pub sees_history: bool,
}

impl Terms {
    /// What a level gives by itself. One of the grantor's own choice gives nothing by itself.
    pub fn of_level(level: GrantLevel) -> Terms {
        let (scopes, labels, sees_history) = match level {
            GrantLevel::View => ("patient/*.rs", Labels::Normal, false),
            GrantLevel::Modify => ("patient/*.cruds", Labels::Normal, false),
            GrantLevel::Custodian => ("patient/*.cruds", Labels::VeryRestricted, true),
            GrantLevel::OwnChoice => ("", Labels::Normal, false),
        };
        Terms { level, scopes: ScopeSet::parse(scopes), labels, sees_history }
    }

    /// The terms for a level, for scopes of the grantor's choice, or for scopes within a level.
    ///
    /// `scopes` has spaces between. A custodian holds all, so that there is nothing to choose.
    pub fn choose(level: Option<GrantLevel>, scopes: Option<&str>) -> Result<Terms, RecordError> {
        let Some(scopes) = scopes else {
            return level.map(Terms::of_level).ok_or(RecordError::NoTerms);
        };
        let scopes = record_scopes(scopes)?;
        match level {
            Some(GrantLevel::Custodian) => return Err(RecordError::CustodianWithScopes),
            Some(level) if !scopes.is_within(&Terms::of_level(level).scopes) => {
                return Err(RecordError::BeyondLevel(level.name()));
            }
            _ => {}
        }
        Ok(Terms { scopes, ..Terms::of_level(GrantLevel::OwnChoice) })
    }

    /// Refuses scopes with a search that `engine` could not apply.
    pub fn check_searches(&self, engine: &Engine) -> Result<(), RecordError> {
        check_searches(&self.scopes, &engine.registry(), &engine.bases).map_err(RecordError::UnfitSearch)
    }

    /// Refuses what goes beyond `held`, which is given until `until_us`.
    fn check_within(&self, until_us: Option<i64>, held: &Grant) -> Result<(), RecordError> {
        let beyond = |what| Err(RecordError::BeyondGrantor(what));
        if !self.scopes.is_within(&ScopeSet::parse(&held.scopes)) {
            return beyond("choose fewer scopes");
        }
        if self.labels > held.labels {
            return beyond("choose narrower labels");
        }
        if self.sees_history && !held.sees_history {
            return beyond("leave older versions out");
        }
        if held.until_us.is_some_and(|own_us| until_us.is_none_or(|until_us| until_us > own_us)) {
            return beyond("choose an end that is not later than their own");
        }
        Ok(())
    }
}

/// Reads scopes for a grant on a record: of the patient's context, and about resources.
fn record_scopes(text: &str) -> Result<ScopeSet, RecordError> {
    let scopes = known_scopes(text, EXAMPLE)?;
    let remedy = "a grant on a record has scopes that begin with patient/";
    for scope in text.split_ascii_whitespace() {
        if ScopeSet::parse(scope).in_context(Context::Patient).is_empty() {
            return Err(RecordError::UnfitScope { scope: scope.to_owned(), remedy });
        }
    }
    Ok(scopes)
}

/// Reads scopes of which each must be known.
pub(super) fn known_scopes(text: &str, example: &'static str) -> Result<ScopeSet, RecordError> {
    let scopes = ScopeSet::parse(text);
    if let Some(unknown) = scopes.dropped().first() {
        return Err(RecordError::UnknownScope(unknown.chars().take(200).collect(), example));
    }
    if scopes.is_empty() { Err(RecordError::NoScope(example)) } else { Ok(scopes) }
}

/// A record that is to be shared.
#[derive(Clone, Debug)]
pub struct Share {
    pub record: RecordId,
    pub to: Email,
    pub terms: Terms,
    /// First moment when it gives nothing more.
    pub until_us: Option<i64>,
    pub reason: Option<Reason>,
}

/// Shares a record with somebody who has an account.
pub fn share(tx: &mut Tx<'_>, share: &Share, by: Grantor, now_us: i64) -> Result<Grant, RecordError> {
    tx.lock_access()?;
    let account = able_account(tx, &share.to)?;
    must_be_here(tx, &share.record)?;
    let Share { record, terms, until_us, .. } = share;
    if until_us.is_some_and(|until_us| until_us <= now_us) {
        return Err(RecordError::EndInThePast);
    }
    may_give(tx, share, by, now_us)?;
    let is_for_a_time = terms.level == GrantLevel::Custodian && until_us.is_some();
    if is_for_a_time && !keeps_a_custodian(tx, &record.0, now_us, |_| true)? {
        return Err(RecordError::OnlyForATime(record.to_string()));
    }
    let (origin, granted_by) = match by {
        Grantor::Operator => (COMMAND, None),
        Grantor::Account(account) => (CUSTODIAN, Some(account)),
    };
    let grant = tx.add_grant(&NewGrant {
        patient: Some(record.0.clone()),
        to: Grantee::Account(account.id),
        level: terms.level,
        scopes: terms.scopes.to_string(),
        labels: terms.labels,
        sees_history: terms.sees_history,
        until_us: *until_us,
        reason: share.reason.as_ref().map(|reason| reason.as_str().to_owned()),
        origin: origin.to_owned(),
        granted_by,
    })?;
    told::grant(tx, Deed::Grant, &grant, by)?;
    Ok(grant)
}

/// Refuses a grantor who is no custodian, or does not hold what is to be given.
fn may_give(tx: &mut Tx<'_>, share: &Share, by: Grantor, now_us: i64) -> Result<(), RecordError> {
    let Grantor::Account(account) = by else { return Ok(()) };
    let mut refusal = RecordError::NotCustodian(share.record.to_string());
    for held in custody_of(tx, &share.record, account, now_us)? {
        match share.terms.check_within(share.until_us, &held) {
            Ok(()) => return Ok(()),
            Err(beyond) => refusal = beyond,
        }
    }
    Err(refusal)
}

/// The grants that make an account, if it is not disabled, a custodian of a record.
fn custody_of(tx: &mut Tx<'_>, record: &RecordId, account: i64, now_us: i64) -> Result<Vec<Grant>, RecordError> {
    if tx.account(account)?.is_none_or(|account| account.disabled_us.is_some()) {
        return Ok(Vec::new());
    }
    Ok(custodians(tx, &record.0, now_us)?.filter(|grant| grant.to == Grantee::Account(account)).collect())
}

/// The grants that show a record, those on all records included; ended ones, too.
pub fn grants_on_record(reader: &mut Reader<'_>, record: &RecordId) -> Result<Vec<Grant>, RecordError> {
    must_be_here(reader, record)?;
    let mut grants = reader.grants_on(&record.0)?;
    grants.extend(reader.grants_on_all()?);
    Ok(grants)
}

/// The grants to a person; ended ones, too.
pub fn grants_to_person(reader: &mut Reader<'_>, email: &Email) -> Result<Vec<Grant>, RecordError> {
    let account = known_account(reader, email)?;
    Ok(reader.grants_of_account(account.id)?)
}

/// The grants to a client; ended ones, too.
pub fn grants_to_client(reader: &mut Reader<'_>, id: &str) -> Result<Vec<Grant>, RecordError> {
    let client = reader.client(id)?.ok_or_else(|| RecordError::NoClient(id.chars().take(64).collect()))?;
    Ok(reader.grants_of_client(&client.id)?)
}

/// Lets an app act for an account: on the record of `patient`, or on all that the account may reach. It is never more than the
/// account itself holds at the moment of a request.
pub fn let_app_act(
    tx: &mut Tx<'_>,
    client: &str,
    account: i64,
    patient: Option<Id>,
    scopes: &ScopeSet,
    until_us: Option<i64>,
) -> Result<Grant, RecordError> {
    tx.lock_access()?;
    let grant = tx.add_grant(&NewGrant {
        patient,
        to: Grantee::Client(client.to_owned()),
        level: GrantLevel::OwnChoice,
        scopes: scopes.to_string(),
        labels: Labels::Normal,
        sees_history: false,
        until_us,
        reason: None,
        origin: CONSENT.to_owned(),
        granted_by: Some(account),
    })?;
    told::grant(tx, Deed::Grant, &grant, Grantor::Account(account))?;
    Ok(grant)
}

/// Ends a grant before its time. A custodian ends any on the record, everybody their own and those that they gave; the last
/// custodian's stays.
pub fn end_grant(tx: &mut Tx<'_>, id: i64, by: Grantor, now_us: i64) -> Result<Grant, RecordError> {
    tx.lock_access()?;
    let grant = tx.grant(id)?.ok_or(RecordError::NoGrant(id))?;
    if let Grantor::Account(account) = by
        && grant.to != Grantee::Account(account)
        && grant.granted_by != Some(account)
    {
        // A grant on all records is the operator's. Who has nothing to do with it does not learn that it is there.
        let record = grant.patient.clone().map(RecordId).ok_or(RecordError::NoGrant(id))?;
        if custody_of(tx, &record, account, now_us)?.is_empty() {
            return Err(RecordError::NoGrant(id));
        }
    }
    if grant.ended_us.is_some() {
        return Err(RecordError::GrantEnded(id));
    }
    if let Some(patient) = &grant.patient
        && grant.level == GrantLevel::Custodian
        && grant.is_in_force(now_us)
        && !keeps_a_custodian(tx, patient, now_us, |other| other.id != id)?
    {
        return Err(RecordError::LastCustodian(RecordId(patient.clone()).to_string()));
    }
    tx.end_grant(id)?;
    let ended = tx.grant(id)?.ok_or(RecordError::NoGrant(id))?;
    told::grant(tx, Deed::EndGrant, &ended, by)?;
    Ok(ended)
}
