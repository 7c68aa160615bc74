//! Telling the audit trail of changes to access, in the transaction that makes them.
//!
//! Spec: IHE BALP 1.1; DICOM PS3.15 A.5.3.11 (Security Alert)

use crate::access::{ACCOUNT_SYSTEM, Act, Agent, CLIENT_SYSTEM, Deed};
use crate::audit::tell_deed;
use crate::clock;
use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::records::{Grantor, RecordError, Registrar};
use crate::store::{Grant, Grantee, SecretHash, Tx};

/// The system of the numbers of grants, as identifiers.
const GRANT_SYSTEM: &str = "urn:emberwell:grant";
/// The system of invitations to apps, as identifiers: each is known by the end of the hash of its token.
const INVITATION_SYSTEM: &str = "urn:emberwell:invitation";

/// Tells that `grant` was given or ended.
pub(super) fn grant(tx: &mut Tx<'_>, deed: Deed, grant: &Grant, by: Grantor) -> Result<(), RecordError> {
    tell_grant(tx, &act(by, "grant"), deed, grant)
}

fn tell_grant(tx: &mut Tx<'_>, act: &Act, deed: Deed, grant: &Grant) -> Result<(), RecordError> {
    let to = match &grant.to {
        Grantee::Account(account) => format!("{ACCOUNT_SYSTEM}|{account}"),
        Grantee::Client(client) => format!("{CLIENT_SYSTEM}|{client}"),
    };
    let record = |id| ResourceKey { resource_type: ResourceType::PATIENT, id };
    let patient = grant.patient.clone().map(record);
    let entities = vec![format!("{GRANT_SYSTEM}|{}", grant.id), to];
    Ok(tell_deed(tx, act, deed, patient.as_ref(), entities)?)
}

/// Tells what was done with an account.
pub(super) fn account(tx: &mut Tx<'_>, deed: Deed, account: i64, by: Grantor) -> Result<(), RecordError> {
    let act = act(by, "person");
    Ok(tell_deed(tx, &act, deed, None, vec![format!("{ACCOUNT_SYSTEM}|{account}")])?)
}

/// Tells what was done with a client: by an operator, on a page, or by itself.
pub(super) fn client(tx: &mut Tx<'_>, deed: Deed, client: &str, by: Registrar) -> Result<(), RecordError> {
    let act = act_of(by, client);
    Ok(tell_deed(tx, &act, deed, None, vec![format!("{CLIENT_SYSTEM}|{client}")])?)
}

/// Tells that a grant ended with the registration of the client that it was to.
pub(super) fn grant_of_client(tx: &mut Tx<'_>, ended: &Grant, client: &str, by: Registrar) -> Result<(), RecordError> {
    tell_grant(tx, &act_of(by, client), Deed::EndGrant, ended)
}

fn act_of(by: Registrar, client: &str) -> Act {
    match by {
        Registrar::Operator => act(Grantor::Operator, "client"),
        Registrar::Account(account) => act(Grantor::Account(account), "client"),
        Registrar::Itself => acts(Agent { client: Some(client.to_owned()), ..Agent::default() }, "client"),
    }
}

/// Tells that an operator invited an app to register itself.
pub(super) fn invitation(tx: &mut Tx<'_>, token: &SecretHash) -> Result<(), RecordError> {
    let act = act(Grantor::Operator, "client");
    Ok(tell_deed(tx, &act, Deed::Invite, None, vec![format!("{INVITATION_SYSTEM}|{}", token.tail())])?)
}

/// What is done now, outside of any request; an operator does it by `command`.
fn act(by: Grantor, command: &'static str) -> Act {
    let agent = match by {
        Grantor::Operator => Agent { command: Some(command.into()), ..Agent::default() },
        Grantor::Account(account) => Agent { account: Some(account), ..Agent::default() },
    };
    acts(agent, command)
}

fn acts(agent: Agent, command: &str) -> Act {
    Act::new(agent.into(), format!("{command}-{}", Id::random()).into(), clock::now_us())
}
