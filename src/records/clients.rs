//! Clients: apps and systems that are registered, what a system is granted with that, and how far each may be used.

use crate::access::Deed;
use crate::records::custody::must_be_here;
use crate::records::grants::COMMAND;
use crate::records::looks;
use crate::records::people::able_account;
use crate::records::{
    ChangedRegistration, Email, Grantor, NewRegistration, RecordError, RecordId, Secret, end_grant, told,
};
use crate::store::{
    Client, ClientFacts, ClientKind, ClientOrigin, ClientState, Grant, GrantLevel, Grantee, Labels, NewGrant, Part,
    Reader, SecretHash, Tx,
};

/// Who registers a client, or changes what is registered of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registrar {
    /// The operator by a command.
    Operator,
    /// The account with this number, on a page.
    Account(i64),
    /// The client itself (RFC 7591, 7592).
    Itself,
}

impl Registrar {
    pub(super) fn origin(self) -> ClientOrigin {
        match self {
            Registrar::Operator => ClientOrigin::Command,
            Registrar::Account(_) => ClientOrigin::Page,
            Registrar::Itself => ClientOrigin::Registration,
        }
    }

    pub(super) fn account(self) -> Option<i64> {
        match self {
            Registrar::Account(account) => Some(account),
            Registrar::Operator | Registrar::Itself => None,
        }
    }
}

/// A client that is registered.
#[derive(Clone, Debug)]
pub struct Registered {
    pub client: Client,
    /// Of a confidential client without keys. To be shown once: it is not kept.
    pub secret: Option<Secret>,
    /// What a backend client may do from now on; other clients get grants from people.
    pub grant: Option<Grant>,
}

/// So many apps one account may own.
const MOST_APPS: usize = 20;

/// Registers a client; a backend client gets its grant with that.
pub fn register(tx: &mut Tx<'_>, new: &NewRegistration, by: Registrar) -> Result<Registered, RecordError> {
    tx.lock_access()?;
    if let Some(record) = &new.record {
        must_be_here(tx, record)?;
    }
    if let Registrar::Account(account) = by
        && tx.clients_owned_by(account)?.len() >= MOST_APPS
    {
        return Err(RecordError::TooManyApps(MOST_APPS));
    }
    let client = tx.add_client(&new.facts)?;
    for owner in &new.owners {
        let account = able_account(tx, owner)?;
        tx.set_client_member(&client.id, account.id, Part::Owner)?;
    }
    if let Registrar::Account(account) = by {
        tx.set_client_member(&client.id, account, Part::Owner)?;
    }
    if new.logo.is_some() {
        tx.set_client_logo(&client.id, new.logo.as_ref())?;
    }
    told::client(tx, Deed::AddClient, &client.id, by)?;
    let grant = match client.kind {
        ClientKind::Backend => Some(tx.add_grant(&backend_grant(&client, new.record.as_ref()))?),
        ClientKind::Public | ClientKind::Confidential => None,
    };
    if let Some(grant) = &grant {
        told::grant(tx, Deed::Grant, grant, Grantor::Operator)?;
    }
    Ok(Registered { client: known_client(tx, &client.id)?, secret: new.secret.clone(), grant })
}

/// What a backend client is granted. One for all records is the operator's own, to exchange and back up by: for that,
/// nothing is left out. One for a single record sees what an app would.
fn backend_grant(client: &Client, record: Option<&RecordId>) -> NewGrant {
    let is_for_all = record.is_none();
    NewGrant {
        patient: record.map(|record| record.0.clone()),
        to: Grantee::Client(client.id.clone()),
        level: GrantLevel::OwnChoice,
        scopes: client.scopes.clone(),
        labels: if is_for_all { Labels::VeryRestricted } else { Labels::Normal },
        sees_history: is_for_all,
        until_us: None,
        reason: Some(
            if is_for_all { "an operator's system client on all records" } else { "an operator's system client" }
                .to_owned(),
        ),
        origin: COMMAND.to_owned(),
        granted_by: None,
    }
}

/// Changes what is registered of a client.
///
/// Who vouched for it, or approved it, did so by what people decide by: where its names, its logo, its addresses or its scopes change
/// otherwise than by an operator, the operator is to look at it again. A client that was let in by itself stays in.
pub fn change(tx: &mut Tx<'_>, changed: &ChangedRegistration, by: Registrar) -> Result<Registered, RecordError> {
    tx.lock_access()?;
    let before = known_client(tx, &changed.facts.id)?;
    let logo = tx.client_logo(&before.id)?;
    let looked = looks::to_people(&before.facts, logo.as_ref());
    tx.update_client(&changed.facts)?;
    if changed.logo.is_some() || changed.facts.logo_uri.is_none() && before.facts.logo_uri.is_some() {
        tx.set_client_logo(&before.id, changed.logo.as_ref())?;
    }
    let logo = tx.client_logo(&before.id)?;
    if by != Registrar::Operator && looks::to_people(&changed.facts, logo.as_ref()) != looked {
        let approved_us = before.approved_us.filter(|_| before.origin == ClientOrigin::Registration);
        tx.set_client_standing(&before.id, approved_us, None, before.suspended_us)?;
    }
    told::client(tx, Deed::ChangeClient, &before.id, by)?;
    Ok(Registered { client: known_client(tx, &before.id)?, secret: changed.secret.clone(), grant: None })
}

/// The client with this id.
pub fn known_client(reader: &mut Reader<'_>, id: &str) -> Result<Client, RecordError> {
    reader.client(id)?.ok_or_else(|| RecordError::NoClient(id.chars().take(64).collect()))
}

/// Lets a client get and use no tokens from now on.
pub fn suspend(tx: &mut Tx<'_>, id: &str, by: Registrar) -> Result<Client, RecordError> {
    tx.lock_access()?;
    let client = known_client(tx, id)?;
    if !tx.suspend_client(id)? {
        return Err(RecordError::StandsSo(client.id.clone(), "suspended"));
    }
    told::client(tx, Deed::SuspendClient, id, by)?;
    known_client(tx, id)
}

/// Lets everybody use a client from now on, one that was suspended, too.
pub fn approve(tx: &mut Tx<'_>, id: &str, by: Registrar, now_us: i64) -> Result<Client, RecordError> {
    tx.lock_access()?;
    let client = known_client(tx, id)?;
    if client.state() == ClientState::Approved {
        return Err(RecordError::StandsSo(client.id.clone(), "approved"));
    }
    tx.set_client_standing(id, client.approved_us.or(Some(now_us)), client.verified_us, None)?;
    told::client(tx, Deed::ApproveClient, id, by)?;
    known_client(tx, id)
}

/// Vouches for who is said to make a client, or does so no more.
pub fn verify(tx: &mut Tx<'_>, id: &str, is_so: bool, by: Registrar, now_us: i64) -> Result<Client, RecordError> {
    tx.lock_access()?;
    let client = known_client(tx, id)?;
    if client.is_verified() == is_so {
        let word = if is_so { "verified" } else { "unverified" };
        return Err(RecordError::StandsSo(client.id.clone(), word));
    }
    tx.set_client_standing(id, client.approved_us, is_so.then_some(now_us), client.suspended_us)?;
    told::client(tx, Deed::VerifyClient, id, by)?;
    known_client(tx, id)
}

/// Gives a client that has a secret another one; the present one is good until `until_us`.
pub fn rotate_secret(tx: &mut Tx<'_>, id: &str, until_us: i64, by: Registrar) -> Result<Secret, RecordError> {
    tx.lock_access()?;
    let client = known_client(tx, id)?;
    if client.secret_hash.is_none() {
        let problem = "this client shows who it is without a secret, so that there is none to change";
        return Err(RecordError::UnfitClient { member: "client_secret", problem });
    }
    let secret = Secret::random()?;
    tx.rotate_secret(id, &secret.hash(), until_us)?;
    told::client(tx, Deed::ChangeClient, id, by)?;
    Ok(secret)
}

/// Makes a token by which an app may register itself once, until `until_us`.
pub fn invite(tx: &mut Tx<'_>, until_us: i64) -> Result<Secret, RecordError> {
    let secret = Secret::random()?;
    tx.add_invite(&secret.hash(), until_us)?;
    told::invitation(tx, &secret.hash())?;
    Ok(secret)
}

/// Refuses an invitation that is none, is over or was used; uses it up for the client.
pub fn accept_invite(tx: &mut Tx<'_>, invitation: &SecretHash, client: &str) -> Result<(), RecordError> {
    if tx.use_invite(invitation, client)? { Ok(()) } else { Err(RecordError::NotInvited) }
}

/// Whether somebody may use a client, as far as that is for the client to say: one in the sandbox is for those who make it, and
/// those whom they name.
pub fn may_use(reader: &mut Reader<'_>, client: &Client, account: i64) -> Result<bool, RecordError> {
    Ok(match client.state() {
        ClientState::Approved => true,
        ClientState::Suspended => false,
        ClientState::Sandbox => reader.client_members(&client.id)?.iter().any(|(member, _)| *member == account),
    })
}

/// Ends a registration: what people and the operator let the client do is over, and its tokens are worth nothing. That it was
/// there is kept, for the grants and the trail that name it.
pub fn remove(tx: &mut Tx<'_>, id: &str, by: Registrar) -> Result<(), RecordError> {
    tx.lock_access()?;
    let client = known_client(tx, id)?;
    for grant in tx.grants_of_client(id)? {
        if tx.end_grant(grant.id)? {
            told::grant_of_client(tx, &grant, &client.id, by)?;
        }
    }
    tx.revoke_tokens_of_client(id)?;
    tx.update_client(&ClientFacts { registration_hash: None, ..client.facts })?;
    tx.suspend_client(id)?;
    told::client(tx, Deed::RemoveClient, id, by)
}

/// Takes back all that an account lets an app do, from the next request on. Tells how many grants ended.
pub fn take_back(tx: &mut Tx<'_>, client: &str, account: i64, now_us: i64) -> Result<usize, RecordError> {
    tx.lock_access()?;
    let grants = tx.grants_to_app(account, client)?;
    let standing: Vec<i64> = grants.iter().filter(|grant| grant.is_in_force(now_us)).map(|grant| grant.id).collect();
    for grant in &standing {
        end_grant(tx, *grant, Grantor::Account(account), now_us)?;
    }
    tx.revoke_tokens_of(client, account)?;
    Ok(standing.len())
}

/// Asks somebody to take a part in an app, which they have once they say yes; who has one already gets this one at once. Whether there is
/// such an account, whoever makes an app does not learn by that. Its last owner stays one.
pub fn ask_member(tx: &mut Tx<'_>, id: &str, email: &Email, part: Part, by: Registrar) -> Result<(), RecordError> {
    tx.lock_access()?;
    let client = known_client(tx, id)?;
    let account = tx.account_by_email(email.as_str())?.filter(|account| account.disabled_us.is_none());
    if let Some(account) = account {
        let has_part = tx.client_members(id)?.iter().any(|(member, _)| *member == account.id);
        match has_part {
            true if part != Part::Owner && is_last_owner(tx, id, account.id)? => return Err(RecordError::LastOwner),
            true => tx.set_client_member(id, account.id, part)?,
            false => tx.ask_client_member(id, account.id, part)?,
        }
    }
    told::client(tx, Deed::ChangeClient, &client.id, by)
}

/// Lets an account take the part in an app that it was asked to, or not.
pub fn answer_asked(tx: &mut Tx<'_>, id: &str, account: i64, is_yes: bool) -> Result<(), RecordError> {
    tx.lock_access()?;
    let asked = tx.asked_parts(account)?.into_iter().find(|(client, _)| client == id);
    let (client, part) = asked.ok_or(RecordError::NotAsked)?;
    if is_yes {
        tx.set_client_member(&client, account, part)?;
    } else {
        tx.remove_client_member(&client, account)?;
    }
    told::client(tx, Deed::ChangeClient, &client, Registrar::Account(account))
}

/// Takes the part in an app from somebody, or the question whether they want one. Its last owner stays one.
pub fn remove_member(tx: &mut Tx<'_>, id: &str, email: &Email, by: Registrar) -> Result<(), RecordError> {
    tx.lock_access()?;
    let client = known_client(tx, id)?;
    if let Some(account) = tx.account_by_email(email.as_str())? {
        if is_last_owner(tx, id, account.id)? {
            return Err(RecordError::LastOwner);
        }
        tx.remove_client_member(id, account.id)?;
    }
    told::client(tx, Deed::ChangeClient, &client.id, by)
}

fn is_last_owner(tx: &mut Tx<'_>, id: &str, account: i64) -> Result<bool, RecordError> {
    let members = tx.client_members(id)?;
    let mut owners = members.iter().filter(|(_, part)| *part == Part::Owner).map(|(owner, _)| *owner);
    Ok(owners.next() == Some(account) && owners.next().is_none())
}
