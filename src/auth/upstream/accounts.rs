//! Which account somebody is whom a provider knows, and how the two are linked.

use crate::auth::sign_in::{Proven, Whence, changed};
use crate::auth::upstream::{Contact, UpstreamError, Verified};
use crate::config::{NewAccounts, ProviderSettings};
use crate::records::{Name, NewPerson, join};
use crate::store::{Account, Happening, Identity, NewIdentity, Reader, Role, StoreError, Tx};

/// How it was shown who somebody is: at another server. RFC 8176 has no word for it; this is the one that others use.
const FEDERATED: &str = "fed";
/// Of what a provider says of how, so many words are kept.
const MOST_FACTORS: usize = 8;
const MOST_FACTOR_BYTES: usize = 16;

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
    whence: &Whence,
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
    changed(tx, &account, Happening::ProviderLinked, Some(&provider.title), whence)?;
    Ok(Known { account, identity })
}

/// Who runs the server links an account on purpose or not at all: an address is too little for that.
fn may_be_linked_by_email(account: &Account) -> bool {
    account.role != Role::Operator
}

/// Links an identity at the provider that people know as `title` to an account, which is signed in and has confirmed it.
pub fn link(
    tx: &mut Tx<'_>,
    account: &Account,
    new: &NewIdentity,
    title: &str,
    whence: &Whence,
) -> Result<(), UpstreamError> {
    tx.lock_access()?;
    match tx.identity(&new.issuer, &new.subject)? {
        Some(identity) if identity.account == new.account => return Ok(()),
        Some(_) => return Err(UpstreamError::LinkedElsewhere),
        None => {}
    }
    tx.add_identity(new)?;
    Ok(changed(tx, account, Happening::ProviderLinked, Some(title), whence)?)
}

/// Takes an identity from an account, unless nobody could sign in to it any more; false when the account has none of this number.
/// `title` tells what people know an issuer by.
pub fn unlink(
    tx: &mut Tx<'_>,
    account: &Account,
    identity: i64,
    title: impl Fn(&str) -> String,
    whence: &Whence,
) -> Result<bool, UpstreamError> {
    tx.lock_access()?;
    let linked = tx.identities_of(account.id)?;
    let Some(known) = linked.iter().find(|known| known.id == identity) else { return Ok(false) };
    let has_password = tx.account(account.id)?.is_some_and(|account| account.password.is_some());
    if linked.len() == 1 && !has_password && tx.passkeys_of(account.id)?.is_empty() {
        return Err(UpstreamError::OnlyWay);
    }
    tx.remove_identity(account.id, identity)?;
    changed(tx, account, Happening::ProviderUnlinked, Some(&title(&known.issuer)), whence)?;
    Ok(true)
}

/// What somebody has shown by signing in at a provider. Whoever has an authenticator app is asked for a code all the same, unless the
/// provider says that it has asked for more than one factor.
pub fn proven(reader: &mut Reader<'_>, known: &Known, verified: &Verified) -> Result<Proven, UpstreamError> {
    let app = reader.authenticator(known.account.id)?;
    let has_app = app.is_some_and(|app| app.confirmed_us.is_some());
    let needs_code = has_app && !verified.amr.iter().any(|word| word == "mfa");
    Ok(Proven { account: known.account.clone(), factors: factors(verified), needs_code })
}

/// By what somebody has shown who they are, as far as the provider tells.
fn factors(verified: &Verified) -> String {
    let is_word = |word: &&String| {
        (1..=MOST_FACTOR_BYTES).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let told = verified.amr.iter().filter(is_word).take(MOST_FACTORS).map(String::as_str);
    std::iter::once(FEDERATED).chain(told).collect::<Vec<_>>().join(" ")
}
