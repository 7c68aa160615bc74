//! What the commands about people, records, grants and clients share.

use crate::cli::Failure;
use crate::config::Settings;
use crate::fhir::PartialDate;
use crate::records::{Actor, RecordError};
use crate::store::{ClientKind, Grant, GrantLevel, Grantee, Labels, Reader, Role, Store, Tx};

/// By which flags a command names accounts and records.
pub(super) struct Flags {
    pub(super) account: &'static str,
    pub(super) record: &'static str,
}

impl Flags {
    /// Names the flag that is at fault before the reason.
    pub(super) fn refused(&self, error: RecordError) -> Failure {
        use RecordError as E;
        match &error {
            E::EmailTaken(_) | E::NoAccount(_) | E::AccountDisabled(_) | E::DisabledAlready(_) => {
                Failure::Failed(format!("{}: {error}", self.account))
            }
            E::NoRecord(_) | E::HasCustodian(_) => Failure::Failed(format!("{}: {error}", self.record)),
            E::OnlyForATime(_) => Failure::Failed(format!("--until: {error}")),
            E::EndInThePast => Failure::Usage(format!("--until: {error}")),
            E::UnknownScope(..)
            | E::NoScope(_)
            | E::UnfitScope { .. }
            | E::UnfitSearch(_)
            | E::BeyondLevel(_)
            | E::CustodianWithScopes => Failure::Usage(format!("--scope: {error}")),
            E::NoTerms => Failure::Usage(format!("--level: {error}")),
            E::UnfitUri { member, .. } | E::UnfitClient { member, .. } => {
                Failure::Usage(format!("{}: {error}", flag_of(member)))
            }
            E::UnfitLogo(_) => Failure::Usage(format!("--logo: {error}")),
            E::UnfitJwks(_) => Failure::Usage(format!("--jwks: {error}")),
            E::UnfitReason(_) => Failure::Usage(format!("--reason: {error}")),
            E::LastCustodian(_)
            | E::NoGrant(_)
            | E::GrantEnded(_)
            | E::NotCustodian(_)
            | E::BeyondGrantor(_)
            | E::NoClient(_)
            | E::StandsSo(..)
            | E::ChangedMeanwhile
            | E::NotInvited
            | E::LastOwner
            | E::NotAsked
            | E::TooManyApps(_)
            | E::NotAPatient(_)
            | E::NoRandomness(_)
            | E::PasswordNotHashed(_)
            | E::Interaction(_)
            | E::Store(_) => Failure::failed(error),
        }
    }
}

/// The flag by which a command takes what RFC 7591 names so.
fn flag_of(member: &str) -> &str {
    match member {
        "redirect_uris" => "--redirect-uri",
        "initiate_login_uri" => "--launch-uri",
        "jwks" => "--jwks",
        "jwks_uri" => "--jwks-uri",
        "policy_uri" => "--policy-uri",
        "tos_uri" => "--tos-uri",
        "contacts" => "--contact",
        "record" => "--record",
        "device" => "--device",
        member => member,
    }
}

/// Opens the database and changes it; a server may be running on it.
pub(super) fn change<T: Send + 'static>(
    settings: &Settings,
    flags: &Flags,
    work: impl FnMut(&mut Tx<'_>) -> Result<T, RecordError> + Send + 'static,
) -> Result<T, Failure> {
    opened(settings)?.write(work).map_err(|error| flags.refused(error))
}

/// Opens the database and reads it.
pub(super) fn read<T>(
    settings: &Settings,
    flags: &Flags,
    work: impl FnOnce(&mut Reader<'_>) -> Result<T, RecordError>,
) -> Result<T, Failure> {
    opened(settings)?.read(work).map_err(|error| flags.refused(error))
}

/// The database, for a command that works beside the server.
pub(super) fn opened(settings: &Settings) -> Result<Store, Failure> {
    Store::open(&settings.server.database, 1, None).map_err(Failure::failed)
}

/// Who gave a grant, and to whom.
pub(super) struct Parties {
    pub(super) by: Actor,
    pub(super) to: Actor,
    /// The address of an account, or the name of a client.
    pub(super) to_name: String,
}

/// Looks up who gave a grant, and to whom.
pub(super) fn parties(reader: &mut Reader<'_>, grant: &Grant) -> Result<Parties, RecordError> {
    let by = match grant.granted_by {
        Some(id) => reader.account(id)?.map(|account| Actor::account(&account)),
        None => None,
    };
    let (to, to_name) = match &grant.to {
        Grantee::Account(id) => {
            let account = reader.account(*id)?;
            let account = account.ok_or_else(|| RecordError::NoAccount(format!("number {id}")))?;
            (Actor::account(&account), account.email)
        }
        Grantee::Client(id) => {
            let client = reader.client(id)?.ok_or_else(|| RecordError::NoClient(id.clone()))?;
            (Actor::client(&client), client.facts.name)
        }
    };
    Ok(Parties { by: by.unwrap_or_else(Actor::operator), to, to_name })
}

pub(super) fn role(name: &str) -> Result<Role, String> {
    let known = Role::ALL.into_iter().find(|role| role.name() == name);
    known.ok_or_else(|| format!("use {}", Role::ALL.map(Role::name).join(", ")))
}

pub(super) fn client_kind(name: &str) -> Result<ClientKind, String> {
    let known = ClientKind::ALL.into_iter().find(|kind| kind.name() == name);
    known.ok_or_else(|| format!("use {}", ClientKind::ALL.map(ClientKind::name).join(", ")))
}

/// A level that has a name for people; scopes of one's own choice come by `--scope`.
pub(super) fn level(name: &str) -> Result<GrantLevel, String> {
    const NAMED: [GrantLevel; 3] = [GrantLevel::View, GrantLevel::Modify, GrantLevel::Custodian];
    let known = NAMED.into_iter().find(|level| level.name() == name);
    known.ok_or_else(|| format!("use {}", NAMED.map(GrantLevel::name).join(", ")))
}

pub(super) fn labels(name: &str) -> Result<Labels, String> {
    let known = Labels::ALL.into_iter().find(|labels| labels.name() == name);
    known.ok_or_else(|| format!("use {}", Labels::ALL.map(Labels::name).join(", ")))
}

pub(super) fn until(text: &str) -> Result<PartialDate, String> {
    let remedy = "use a day, such as 2027-01-31, which counts to its end, or an instant with its zone";
    PartialDate::parse(text).map_err(|error| format!("{error}: {remedy}"))
}
