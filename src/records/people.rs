//! People: accounts that are made, and accounts that give no access any more.

use crate::access::Deed;
use crate::records::custody::keeps_a_custodian;
use crate::records::{Email, FhirUser, Grantor, Name, RecordError, RecordId, told};
use crate::store::{Account, GrantLevel, Happening, NewAccount, NewHappening, PasswordHash, Reader, Role, Tx};

/// A person who is to have an account.
#[derive(Clone, Debug)]
pub struct NewPerson {
    pub email: Email,
    pub name: Name,
    pub role: Role,
    /// `None` when they can't sign in by a password.
    pub password: Option<PasswordHash>,
    pub fhir_user: Option<FhirUser>,
}

/// Makes an account, whose address must be free.
pub fn add_person(tx: &mut Tx<'_>, new: &NewPerson) -> Result<Account, RecordError> {
    tx.lock_access()?;
    let account = added(tx, new)?;
    told::account(tx, Deed::AddAccount, account.id, Grantor::Operator)?;
    Ok(account)
}

/// Makes an account of somebody whom an OpenID provider vouches for, and whose address must be free.
pub fn join(tx: &mut Tx<'_>, new: &NewPerson) -> Result<Account, RecordError> {
    tx.lock_access()?;
    let account = added(tx, new)?;
    told::account(tx, Deed::AddAccount, account.id, Grantor::Account(account.id))?;
    Ok(account)
}

fn added(tx: &mut Tx<'_>, new: &NewPerson) -> Result<Account, RecordError> {
    if tx.account_by_email(new.email.as_str())?.is_some() {
        return Err(RecordError::EmailTaken(new.email.to_string()));
    }
    Ok(tx.add_account(&NewAccount {
        email: new.email.as_str().to_owned(),
        name: new.name.as_str().to_owned(),
        role: new.role,
        password: new.password.clone(),
        fhir_user: new.fhir_user.as_ref().map(|user| user.as_str().to_owned()),
    })?)
}

/// Lets an account give no access from now on, with all its tokens. Refused while it is the last custodian of a record.
pub fn disable_person(tx: &mut Tx<'_>, email: &Email, now_us: i64) -> Result<Account, RecordError> {
    tx.lock_access()?;
    let account = known_account(tx, email)?;
    if account.disabled_us.is_some() {
        return Err(RecordError::DisabledAlready(account.email));
    }
    for grant in tx.grants_of_account(account.id)? {
        let is_custody = grant.level == GrantLevel::Custodian && grant.is_in_force(now_us);
        if let Some(patient) = grant.patient.filter(|_| is_custody)
            && !keeps_a_custodian(tx, &patient, now_us, |other| other.to != grant.to)?
        {
            return Err(RecordError::LastCustodian(RecordId(patient).to_string()));
        }
    }
    tx.disable_account(account.id)?;
    told::account(tx, Deed::DisableAccount, account.id, Grantor::Operator)?;
    Ok(account)
}

/// Gives an account another password, and ends its sessions. With `and_removes_app` no code of an authenticator app is asked for any more:
/// for whoever has lost it, and the recovery codes with it.
pub fn give_password(
    tx: &mut Tx<'_>,
    email: &Email,
    password: &PasswordHash,
    and_removes_app: bool,
) -> Result<Account, RecordError> {
    let account = known_account(tx, email)?;
    tx.set_password(account.id, password)?;
    tx.end_other_sessions(account.id, None)?;
    let had_app = and_removes_app && tx.remove_authenticator(account.id)?;
    let app = had_app.then_some(Happening::AuthenticatorOff);
    for what in [Happening::PasswordSetByOperator].into_iter().chain(app) {
        tx.add_happening(&NewHappening { account: Some(account.id), what, detail: None, address: None, agent: None })?;
    }
    told::account(tx, Deed::ChangeCredentials, account.id, Grantor::Operator)?;
    Ok(account)
}

/// The account with this address.
pub(super) fn known_account(reader: &mut Reader<'_>, email: &Email) -> Result<Account, RecordError> {
    reader.account_by_email(email.as_str())?.ok_or_else(|| RecordError::NoAccount(email.to_string()))
}

/// The account with this address, to which something is to be given.
pub(super) fn able_account(reader: &mut Reader<'_>, email: &Email) -> Result<Account, RecordError> {
    let account = known_account(reader, email)?;
    if account.disabled_us.is_some() {
        return Err(RecordError::AccountDisabled(account.email));
    }
    Ok(account)
}
