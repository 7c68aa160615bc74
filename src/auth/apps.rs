//! What a person lets apps do, as the page of apps shows it, and launching one from there.
//!
//! Spec: SMART App Launch 2.2 conformance.html (`management_endpoint`), app-launch.html#launch-app-ehr-launch

use url::Url;

use crate::access::{ScopeSet, Word};
use crate::auth::consent::in_words;
use crate::auth::{AuthError, Desk, LaunchContext, SignedIn, keep_launch};
use crate::records::{RecordError, known_client, may_use};
use crate::store::{Client, ClientKind, ClientOrigin, Grant, Grantee, Reader, StoreError};

/// Access that outlives sessions and was not used for so long deserves a second thought.
const FORGOTTEN_US: i64 = 90 * 24 * 3_600 * 1_000_000;

/// An app with what a person lets it do.
#[derive(Clone, Debug)]
pub struct HeldApp {
    pub client: Client,
    pub accesses: Vec<HeldAccess>,
}

/// One access of an app.
#[derive(Clone, Debug)]
pub struct HeldAccess {
    /// The id of the Patient; `None` for all records that the person may see.
    pub record: Option<String>,
    /// As the record has it.
    pub record_name: Option<String>,
    /// In plain words.
    pub scopes: Vec<String>,
    pub since_us: i64,
    /// When the app last got a token by it.
    pub used_us: Option<i64>,
    /// First moment when it is over.
    pub until_us: Option<i64>,
    /// Whether it goes on when the person is not signed in.
    pub is_offline: bool,
    /// It is, and has not been used for 90 days.
    pub is_forgotten: bool,
}

/// An app with the grants to it, and when it last got a token by each.
type Granted = (Client, Vec<(Grant, Option<i64>)>);

/// All that a person lets apps do at this moment, in the order in which it was first allowed.
pub fn held_apps(desk: &Desk<'_>, signed_in: &SignedIn) -> Result<Vec<HeldApp>, AuthError> {
    let account = signed_in.account.id;
    let found = desk.engine.store.read(|reader| {
        let grants = reader.grants_to_apps(account)?;
        let mut apps: Vec<Granted> = Vec::new();
        for grant in grants.into_iter().filter(|grant| grant.is_in_force(desk.now_us)) {
            let Grantee::Client(id) = &grant.to else { continue };
            if !apps.iter().any(|(client, _)| client.id == *id) {
                apps.push((known_client(reader, id)?, Vec::new()));
            }
            let used =
                reader.grant_uses(id)?.into_iter().find(|(used, _)| *used == grant.id).map(|(_, used_us)| used_us);
            if let Some((_, grants)) = apps.iter_mut().find(|(client, _)| client.id == *id) {
                grants.push((grant, used));
            }
        }
        Ok::<_, RecordError>(apps)
    })?;
    let held = |(client, grants): Granted| {
        let accesses = grants.iter().map(|(grant, used_us)| access(desk, signed_in, grant, *used_us));
        Ok(HeldApp { client, accesses: accesses.collect::<Result<_, AuthError>>()? })
    };
    found.into_iter().map(held).collect()
}

fn access(desk: &Desk<'_>, signed_in: &SignedIn, grant: &Grant, used_us: Option<i64>) -> Result<HeldAccess, AuthError> {
    let scopes = ScopeSet::parse(&grant.scopes);
    let record = grant.patient.as_ref().map(|patient| patient.as_str().to_owned());
    let is_offline = scopes.has(Word::OfflineAccess);
    let last_us = used_us.unwrap_or(grant.created_us);
    Ok(HeldAccess {
        record_name: record.as_deref().map(|id| desk.record_name(signed_in, id)).transpose()?.flatten(),
        record,
        scopes: in_words(&scopes),
        since_us: grant.created_us,
        used_us,
        until_us: grant.until_us,
        is_offline,
        is_forgotten: is_offline && last_us < desk.now_us - FORGOTTEN_US,
    })
}

/// The names of the apps that a person let in before this moment with access that outlives sessions, and that still have it.
pub fn lasting_apps(
    reader: &mut Reader<'_>,
    account: i64,
    before_us: i64,
    now_us: i64,
) -> Result<Vec<String>, StoreError> {
    let mut apps: Vec<Client> = Vec::new();
    for grant in reader.grants_to_apps(account)? {
        let Grantee::Client(id) = &grant.to else { continue };
        let lasts = grant.is_in_force(now_us) && ScopeSet::parse(&grant.scopes).has(Word::OfflineAccess);
        if lasts && grant.created_us < before_us && !apps.iter().any(|app| app.id == *id) {
            apps.extend(reader.client(id)?);
        }
    }
    Ok(apps.iter().map(|app| app.name.clone()).collect())
}

/// Apps that can be opened from here, although nothing is allowed to them yet: those that the operator registered or vouches
/// for, and those that the person makes or tries.
pub fn other_apps(desk: &Desk<'_>, account: i64, held: &[HeldApp]) -> Result<Vec<Client>, AuthError> {
    let found = desk.engine.store.read(|reader| {
        let mut apps = Vec::new();
        for client in reader.clients()? {
            let is_held = held.iter().any(|app| app.client.id == client.id);
            if !is_held && is_offered(reader, &client, account)? {
                apps.push(client);
            }
        }
        Ok::<_, RecordError>(apps)
    });
    Ok(found?)
}

fn is_offered(reader: &mut Reader<'_>, client: &Client, account: i64) -> Result<bool, RecordError> {
    if client.launch_uri.is_none() || client.kind == ClientKind::Backend || !may_use(reader, client, account)? {
        return Ok(false);
    }
    let is_known = client.origin == ClientOrigin::Command || client.is_verified();
    Ok(is_known || reader.client_members(&client.id)?.iter().any(|(member, _)| *member == account))
}

/// Launches an app for somebody who is signed in, on a record that they let it see, or on none. Gives where the browser goes.
pub fn launch(desk: &Desk<'_>, signed_in: &SignedIn, client: &str, record: Option<&str>) -> Result<String, AuthError> {
    let account = signed_in.account.id;
    let unfit = |text: &str| AuthError::InvalidRequest(text.to_owned());
    let found = desk.engine.store.read(|reader| {
        let Some(client) = reader.client(client)? else { return Ok(None) };
        let grants = reader.grants_to_app(account, &client.id)?;
        let mut standing = grants.iter().filter(|grant| grant.is_in_force(desk.now_us));
        let has_access = standing.clone().next().is_some();
        let of_record = |grant: &Grant| grant.patient.as_ref().map(|patient| patient.as_str()) == record;
        let on_record = record.is_none() || standing.any(of_record);
        let may_open = may_use(reader, &client, account)? && (has_access || is_offered(reader, &client, account)?);
        Ok::<_, RecordError>(Some((client, may_open, on_record)))
    })?;
    let (client, may_open, on_record) = found.ok_or_else(|| unfit("this app can't be opened from here"))?;
    let address = client.launch_uri.as_deref().filter(|_| may_open);
    let address = address.ok_or_else(|| unfit("this app can't be opened from here"))?;
    if !on_record {
        return Err(unfit("the app has no access to this record"));
    }
    let context = LaunchContext { patient: record.map(str::to_owned), ..LaunchContext::default() };
    let handle = keep_launch(&desk.engine.store, &client.id, account, &context, desk.now_us)?;
    let damaged = |_| StoreError::Damaged(format!("the launch address of client {}", client.id));
    let mut url = Url::parse(address).map_err(damaged)?;
    url.query_pairs_mut().append_pair("iss", &desk.server.endpoints.base).append_pair("launch", handle.as_str());
    Ok(url.into())
}
