//! Which account somebody is whom a provider knows, and how the two are linked.

use crate::auth::upstream::{Contact, UpstreamError, Verified};
use crate::config::{NewAccounts, ProviderSettings};
use crate::records::{Name, NewPerson, join, told_of_identity};
use crate::store::{Account, Identity, NewIdentity, Reader, Role, StoreError, Tx};

/// Somebody whose identity is linked to an account.
#[derive(Clone, Debug)]
pub struct Known {
    pub account: Account,
    pub identity: Identity,
}

/// Whose account is linked to this identity; `None` when it is linked to none.
pub fn known(reader: &mut Reader<'_>, verified: &Verified) -> Result<Option<Known>, UpstreamError> {
    let Some(identity) = reader.identity(&verified.issuer, &verified.subject)? else { return Ok(None) };
    let account = reader.account(identity.account)?;
    let account = account.ok_or_else(|| StoreError::Damaged("an identity without an account".to_owned()))?;
    if account.disabled_us.is_some() {
        return Err(UpstreamError::Disabled);
    }
    Ok(Some(Known { account, identity }))
}

/// The account of somebody who comes for the first time, as far as the settings of the provider allow one.
pub fn admit(
    tx: &mut Tx<'_>,
    provider: &ProviderSettings,
    verified: &Verified,
    contact: &Contact,
) -> Result<Known, UpstreamError> {
    tx.lock_access()?;
    // The same person in another window.
    if let Some(known) = known(tx, verified)? {
        return Ok(known);
    }
    let makes = provider.new_accounts == NewAccounts::Make;
    if !makes && !provider.link_by_email {
        return Err(UpstreamError::NoAccount);
    }
    let email = contact.verified_email().ok_or(UpstreamError::NotVerified)?;
    let account = match tx.account_by_email(email.as_str())? {
        Some(account) if provider.link_by_email && may_be_linked_by_email(&account) => {
            if account.disabled_us.is_some() {
                return Err(UpstreamError::Disabled);
            }
            account
        }
        Some(_) if makes => return Err(UpstreamError::AddressTaken),
        None if makes => {
            let name = contact.name.clone().or_else(|| email.as_str().parse::<Name>().ok());
            let name = name.ok_or(UpstreamError::NotVerified)?;
            let email = email.clone();
            join(tx, &NewPerson { email, name, role: Role::Person, password: None, fhir_user: None })?
        }
        _ => return Err(UpstreamError::NoAccount),
    };
    let new = NewIdentity {
        issuer: verified.issuer.clone(),
        subject: verified.subject.clone(),
        account: account.id,
        label: contact.label(),
    };
    let identity = tx.add_identity(&new)?;
    told_of_identity(tx, account.id, true)?;
    Ok(Known { account, identity })
}

/// Who runs the server links an account on purpose or not at all: an address is too little for that.
fn may_be_linked_by_email(account: &Account) -> bool {
    account.role != Role::Operator
}

/// Links an identity to an account, which is signed in and has confirmed it.
pub fn link(tx: &mut Tx<'_>, new: &NewIdentity) -> Result<(), UpstreamError> {
    tx.lock_access()?;
    match tx.identity(&new.issuer, &new.subject)? {
        Some(identity) if identity.account == new.account => return Ok(()),
        Some(_) => return Err(UpstreamError::LinkedElsewhere),
        None => {}
    }
    tx.add_identity(new)?;
    Ok(told_of_identity(tx, new.account, true)?)
}

/// Takes an identity from an account, unless nobody could sign in to it any more; false when the account has none of this number.
pub fn unlink(tx: &mut Tx<'_>, account: i64, identity: i64) -> Result<bool, UpstreamError> {
    tx.lock_access()?;
    let linked = tx.identities_of(account)?;
    if !linked.iter().any(|known| known.id == identity) {
        return Ok(false);
    }
    let has_password = tx.account(account)?.is_some_and(|account| account.password.is_some());
    if linked.len() == 1 && !has_password {
        return Err(UpstreamError::OnlyWay);
    }
    tx.remove_identity(account, identity)?;
    told_of_identity(tx, account, false)?;
    Ok(true)
}
