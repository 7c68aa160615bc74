//! Holders of tokens, made straight in the database: people, apps and their grants, before there are pages to make them on.

use std::sync::atomic::{AtomicU64, Ordering};

use emberwell::clock::now_us;
use emberwell::fhir::Id;
use emberwell::records::Secret;
use emberwell::store::{
    AccessToken, ClientFacts, ClientKind, GrantLevel, Grantee, Labels, NewAccount, NewGrant, Role, SecretHash, Store,
    StoreError, TokenKind,
};

use crate::support::TestServer;

const HOUR_US: i64 = 3_600_000_000;

/// What a person or a system client is granted.
#[derive(Clone)]
pub struct Granted {
    /// The id of the Patient that is the record; `None` for all records.
    pub record: Option<&'static str>,
    pub level: GrantLevel,
    pub scopes: &'static str,
    pub labels: Labels,
    pub sees_history: bool,
    /// Who the account is as a resource.
    pub fhir_user: Option<&'static str>,
}

impl Granted {
    /// To view and change one record.
    pub fn on(record: &'static str) -> Granted {
        Granted {
            record: Some(record),
            level: GrantLevel::Modify,
            scopes: "user/*.cruds",
            labels: Labels::Normal,
            sees_history: false,
            fhir_user: None,
        }
    }
}

/// What a token is to say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Issue<'a> {
    pub client: Option<&'a str>,
    pub account: Option<i64>,
    /// The grant to the client under which it is issued.
    pub grant: Option<i64>,
    /// The id of the Patient of the launch context.
    pub patient: Option<&'a str>,
    pub scopes: &'a str,
}

impl Issue<'_> {
    /// An access token that is live for an hour.
    fn token(&self, secret: &Secret) -> AccessToken {
        AccessToken {
            hash: secret.hash(),
            kind: TokenKind::Access,
            client: self.client.map(str::to_owned),
            account: self.account,
            grant: self.grant,
            patient: self.patient.map(|id| Id::parse(id).unwrap()),
            encounter: None,
            scopes: self.scopes.to_owned(),
            issued_us: now_us(),
            expires_us: now_us() + HOUR_US,
            revoked_us: None,
            family: None,
            session: None,
            context: None,
            auth_time_us: None,
        }
    }
}

/// A token with what is known of it.
pub struct Held {
    pub token: String,
    pub account: Option<i64>,
    pub client: Option<String>,
    pub grants: Vec<i64>,
}

fn store(server: &TestServer) -> Store {
    Store::open(server.database(), 2, None).unwrap()
}

/// Runs a change in the database of `server`, as another process would.
pub fn change<T: Send + 'static>(
    server: &TestServer,
    work: impl FnMut(&mut emberwell::store::Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    store(server).write(work).unwrap()
}

/// Issues an access token, past all that checks who may have one.
pub fn issue(server: &TestServer, wanted: Issue<'_>) -> String {
    let secret = Secret::random().unwrap();
    let token = wanted.token(&secret);
    change(server, move |tx| tx.add_token(&token));
    secret.as_str().to_owned()
}

/// Whether a token would be accepted now.
pub fn is_live(server: &TestServer, token: &str) -> bool {
    let hash = SecretHash::of(token.as_bytes());
    let found = store(server).read(|reader| reader.token_context(&hash, now_us()));
    found.map(|found| found.is_some()).unwrap_or_else(|error: StoreError| panic!("{error}"))
}

/// A number that no other holder of this run has.
fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A token of an app that acts for a person with `granted`, launched for `patient`.
pub fn app(server: &TestServer, scopes: &'static str, patient: Option<&'static str>, granted: &[Granted]) -> Held {
    mint(server, scopes, patient, granted, Some(None), true)
}

/// A token of an app that acts for a person who is known as a resource, such as `Practitioner/doc`.
pub fn app_of(server: &TestServer, scopes: &'static str, granted: &[Granted], fhir_user: &'static str) -> Held {
    mint(server, scopes, None, granted, Some(Some(fhir_user)), true)
}

/// A token of a person without an app in between, as a page of the server's own holds one.
pub fn person(server: &TestServer, scopes: &'static str, granted: &[Granted]) -> Held {
    mint(server, scopes, None, granted, Some(None), false)
}

/// A token of a backend client.
pub fn system(server: &TestServer, scopes: &'static str, granted: &[Granted]) -> Held {
    mint(server, scopes, None, granted, None, true)
}

/// A token of an operator's client that may do whatever there is.
pub fn operator(server: &TestServer) -> Held {
    let all = Granted { record: None, scopes: "system/*.cruds", level: GrantLevel::OwnChoice, ..Granted::on("") };
    system(server, "system/*.cruds", &[all])
}

/// A token of an operator's client whose time is over.
pub fn expired(server: &TestServer) -> String {
    let held = operator(server);
    let hash = SecretHash::of(held.token.as_bytes());
    change(server, move |tx| {
        let token = tx.access_token(&hash)?.expect("it was minted");
        let late = format!("late-{}", fresh());
        let times = (token.issued_us - 2 * HOUR_US, token.issued_us - HOUR_US);
        let hash = SecretHash::of(late.as_bytes());
        tx.add_token(&AccessToken { hash, issued_us: times.0, expires_us: times.1, ..token })?;
        Ok(late)
    })
}

/// `person` is who signs in, if anybody does, with the resource that the person is known as.
fn mint(
    server: &TestServer,
    scopes: &'static str,
    patient: Option<&'static str>,
    granted: &[Granted],
    person: Option<Option<&'static str>>,
    has_client: bool,
) -> Held {
    let (granted, number) = (granted.to_vec(), fresh());
    let user = granted.iter().find_map(|granted| granted.fhir_user);
    let secret = Secret::random().unwrap();
    let token = secret.as_str().to_owned();
    let (account, client, grants) = store(server)
        .write(move |tx| {
            let account = match person {
                Some(fhir_user) => Some(tx.add_account(&new_account(number, fhir_user.or(user)))?.id),
                None => None,
            };
            let client = match has_client {
                true => Some(tx.add_client(&new_client(number, scopes, person.is_some()))?.facts.id),
                false => None,
            };
            let to = match (account, &client) {
                (Some(account), _) => Grantee::Account(account),
                (None, client) => Grantee::Client(client.clone().unwrap()),
            };
            let mut grants = Vec::new();
            for given in &granted {
                grants.push(tx.add_grant(&new_grant(given, to.clone()))?.id);
            }
            let to_app = match (account, &client) {
                (Some(_), Some(client)) => Some(tx.add_grant(&app_grant(&granted, client, scopes))?.id),
                _ => None,
            };
            let issued = Issue { client: client.as_deref(), account, grant: to_app, patient, scopes };
            tx.add_token(&issued.token(&secret))?;
            Ok::<_, StoreError>((account, client, grants))
        })
        .unwrap();
    Held { token, account, client, grants }
}

fn new_account(number: u64, fhir_user: Option<&str>) -> NewAccount {
    NewAccount {
        email: format!("person-{number}@example.org"),
        name: format!("Person {number}"),
        role: Role::Person,
        password: None,
        fhir_user: fhir_user.map(str::to_owned),
    }
}

fn new_client(number: u64, scopes: &str, has_account: bool) -> ClientFacts {
    let kind = if has_account { ClientKind::Public } else { ClientKind::Backend };
    let id = format!("client-{number}-{}", std::process::id());
    ClientFacts { scopes: scopes.to_owned(), ..ClientFacts::of(&id, &format!("Client {number}"), kind) }
}

/// What a person lets an app do: all that was granted to the person, as far as the scopes go.
fn app_grant(granted: &[Granted], client: &str, scopes: &'static str) -> NewGrant {
    let record = match granted {
        [only] => only.record,
        _ => None,
    };
    let given = Granted {
        record,
        level: GrantLevel::OwnChoice,
        scopes,
        // Who keeps the record may let the app see whatever is not personal.
        labels: match granted.iter().any(|granted| granted.level == GrantLevel::Custodian) {
            true => Labels::VeryRestricted,
            false => granted.iter().map(|granted| granted.labels).max().unwrap_or(Labels::Normal),
        },
        sees_history: granted.iter().any(|granted| granted.sees_history),
        fhir_user: None,
    };
    new_grant(&given, Grantee::Client(client.to_owned()))
}

fn new_grant(given: &Granted, to: Grantee) -> NewGrant {
    NewGrant {
        patient: given.record.map(|id| Id::parse(id).unwrap()),
        to,
        level: given.level,
        scopes: given.scopes.to_owned(),
        labels: given.labels,
        sees_history: given.sees_history,
        until_us: None,
        reason: None,
        origin: "test".to_owned(),
        granted_by: None,
    }
}
