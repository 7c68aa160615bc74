//! Clients: apps and systems that are registered.

use std::collections::BTreeMap;
use std::ops::Deref;

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, Text};

use crate::store::access::SecretHash;
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// How a client shows who it is.
///
/// Spec: SMART App Launch 2.2 client-confidential-asymmetric.html, client-confidential-symmetric.html, backend-services.html
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// It can't: it runs where others can read it.
    Public = 1,
    /// By a secret or a key, on behalf of a person.
    Confidential = 2,
    /// By a key, on behalf of nobody.
    Backend = 3,
}

impl ClientKind {
    /// All there are.
    pub const ALL: [ClientKind; 3] = [ClientKind::Public, ClientKind::Confidential, ClientKind::Backend];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            ClientKind::Public => "public",
            ClientKind::Confidential => "confidential",
            ClientKind::Backend => "backend",
        }
    }
}

/// How a client came to be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientOrigin {
    /// By an operator's command.
    Command = 1,
    /// By somebody who makes apps, on a page of this server.
    Page = 2,
    /// By itself (RFC 7591).
    Registration = 3,
}

impl ClientOrigin {
    /// All there are.
    pub const ALL: [ClientOrigin; 3] = [ClientOrigin::Command, ClientOrigin::Page, ClientOrigin::Registration];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            ClientOrigin::Command => "command",
            ClientOrigin::Page => "page",
            ClientOrigin::Registration => "registration",
        }
    }
}

/// How far a client may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    /// By those who make it, and those whom they name.
    Sandbox,
    /// By all.
    Approved,
    /// By nobody: it gets and uses no tokens.
    Suspended,
}

impl ClientState {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            ClientState::Sandbox => "sandbox",
            ClientState::Approved => "approved",
            ClientState::Suspended => "suspended",
        }
    }
}

/// What is registered of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFacts {
    /// 128 random bits.
    pub id: String,
    pub name: String,
    pub kind: ClientKind,
    /// Who is said to make it.
    pub publisher: Option<String>,
    /// Where its logo is fetched; what is shown is kept here ([`Client::logo_media`]).
    pub logo_uri: Option<String>,
    /// What it does with what it reads.
    pub policy_uri: Option<String>,
    /// Its terms of service.
    pub tos_uri: Option<String>,
    /// Whom to write to, mostly addresses of mail.
    pub contacts: Vec<String>,
    /// Compared to the byte, but for the port of loopback.
    pub redirect_uris: Vec<String>,
    pub launch_uri: Option<String>,
    /// A JWK Set with its public keys, as JSON.
    pub jwks: Option<String>,
    /// Where its JWK Set is.
    pub jwks_uri: Option<String>,
    /// The most that it may ask for.
    pub scopes: String,
    /// Which of them a person may leave out; without the others it does not work.
    pub optional_scopes: String,
    /// Why it asks, by scope.
    pub reasons: BTreeMap<String, String>,
    /// Its requests for authorization need not name the server (`aud`).
    pub goes_without_aud: bool,
    /// It has no browser: people allow it by a code, on another device (RFC 8628).
    pub is_device: bool,
    /// Of a confidential client without keys.
    pub secret_hash: Option<SecretHash>,
    pub origin: ClientOrigin,
    /// The account that registered it; `None` for the operator's commands, and where it did so itself.
    pub created_by: Option<i64>,
    /// Of the token by which it reads and changes its registration (RFC 7592).
    pub registration_hash: Option<SecretHash>,
}

impl ClientFacts {
    /// A client of which no more is known, registered by a command.
    pub fn of(id: &str, name: &str, kind: ClientKind) -> ClientFacts {
        ClientFacts {
            id: id.to_owned(),
            name: name.to_owned(),
            kind,
            publisher: None,
            logo_uri: None,
            policy_uri: None,
            tos_uri: None,
            contacts: Vec::new(),
            redirect_uris: Vec::new(),
            launch_uri: None,
            jwks: None,
            jwks_uri: None,
            scopes: String::new(),
            optional_scopes: String::new(),
            reasons: BTreeMap::new(),
            goes_without_aud: false,
            is_device: false,
            secret_hash: None,
            origin: ClientOrigin::Command,
            created_by: None,
            registration_hash: None,
        }
    }
}

/// An app or a system that is registered; what is registered of it is read as its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub facts: ClientFacts,
    /// The secret before, and the first moment when it is good no more.
    pub previous_secret: Option<(SecretHash, i64)>,
    /// The media type of its logo, when there is one.
    pub logo_media: Option<String>,
    pub created_us: i64,
    /// Since when all may use it.
    pub approved_us: Option<i64>,
    /// Since when the operator vouches for its publisher.
    pub verified_us: Option<i64>,
    /// Since when it gets and uses no tokens any more.
    pub suspended_us: Option<i64>,
}

impl Deref for Client {
    type Target = ClientFacts;

    fn deref(&self) -> &ClientFacts {
        &self.facts
    }
}

impl Client {
    /// How far it may be used.
    pub fn state(&self) -> ClientState {
        match (self.suspended_us, self.approved_us) {
            (Some(_), _) => ClientState::Suspended,
            (None, Some(_)) => ClientState::Approved,
            (None, None) => ClientState::Sandbox,
        }
    }

    /// Whether the operator vouches for its publisher.
    pub fn is_verified(&self) -> bool {
        self.verified_us.is_some()
    }

    /// Whether this is its secret, or was until lately.
    pub fn has_secret(&self, sent: SecretHash, now_us: i64) -> bool {
        let previous = self.previous_secret.filter(|(_, until_us)| now_us < *until_us).map(|(hash, _)| hash);
        self.secret_hash == Some(sent) || previous == Some(sent)
    }
}

/// What people see of a client, what it may do, and what is kept of its registration.
type ClientSql = (
    (Text, Text, SmallInt, Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<Text>, Text, Nullable<Text>),
    (
        Text,
        Nullable<Text>,
        Nullable<Text>,
        Nullable<Text>,
        Text,
        Text,
        Text,
        SmallInt,
        SmallInt,
        Nullable<Binary>,
        Nullable<Binary>,
        Nullable<BigInt>,
    ),
    (SmallInt, Nullable<BigInt>, Nullable<Binary>, BigInt, Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>),
);
type ShownTuple =
    (String, String, i16, Option<String>, Option<String>, Option<String>, Option<String>, String, Option<String>);
type UsedTuple = (
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    String,
    String,
    i16,
    i16,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<i64>,
);
type KeptTuple = (i16, Option<i64>, Option<Vec<u8>>, i64, Option<i64>, Option<i64>, Option<i64>);
type ClientTuple = (ShownTuple, UsedTuple, KeptTuple);

/// Selects clients with the rest of the statement, as [`ClientTuple`]s.
macro_rules! select_clients {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, kind, publisher, logo_uri, policy_uri, tos_uri, contacts, \
             (SELECT media FROM client_logo WHERE client_logo.client = client.id), redirect_uris, launch_uri, jwks, jwks_uri, \
             scopes, optional_scopes, reasons, goes_without_aud, is_device, secret_hash, previous_secret_hash, previous_until_us, origin, \
             created_by, registration_hash, created_us, approved_us, verified_us, suspended_us FROM client ",
            $rest
        )
    };
}

fn client((shown, used, kept): ClientTuple) -> Result<Client, StoreError> {
    let (id, name, kind, publisher, logo_uri, policy_uri, tos_uri, contacts, logo_media) = shown;
    let (redirect_uris, launch_uri, jwks, jwks_uri, scopes, optional_scopes, reasons, ..) = used;
    let (.., without_aud, is_device, secret_hash, previous_hash, previous_until_us) = used;
    let (origin, created_by, registration_hash, created_us, approved_us, verified_us, suspended_us) = kept;
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of client {id}"));
    let hash = |bytes: Option<Vec<u8>>| bytes.map(|bytes| SecretHash::from_column(&bytes)).transpose();
    let facts = ClientFacts {
        kind: ClientKind::ALL.into_iter().find(|known| *known as i16 == kind).ok_or_else(|| damaged("the kind"))?,
        contacts: serde_json::from_str(&contacts).map_err(|_| damaged("the contacts"))?,
        redirect_uris: serde_json::from_str(&redirect_uris).map_err(|_| damaged("the redirect URIs"))?,
        reasons: serde_json::from_str(&reasons).map_err(|_| damaged("the reasons"))?,
        origin: ClientOrigin::ALL
            .into_iter()
            .find(|known| *known as i16 == origin)
            .ok_or_else(|| damaged("the origin"))?,
        goes_without_aud: without_aud != 0,
        is_device: is_device != 0,
        secret_hash: hash(secret_hash)?,
        registration_hash: hash(registration_hash)?,
        id,
        name,
        publisher,
        logo_uri,
        policy_uri,
        tos_uri,
        launch_uri,
        jwks,
        jwks_uri,
        scopes,
        optional_scopes,
        created_by,
    };
    let previous_secret = hash(previous_hash)?.zip(previous_until_us);
    Ok(Client { facts, previous_secret, logo_media, created_us, approved_us, verified_us, suspended_us })
}

impl Reader<'_> {
    /// The client with this id, suspended or not.
    pub fn client(&mut self, id: &str) -> Result<Option<Client>, StoreError> {
        let values = [Value::Text(id)];
        let select = fixed!(ClientSql, select_clients!("WHERE id = ?"), &values);
        let found: Vec<ClientTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().next().map(client).transpose()
    }

    /// All clients in the order in which they were registered.
    pub fn clients(&mut self) -> Result<Vec<Client>, StoreError> {
        let select = fixed!(ClientSql, select_clients!("ORDER BY created_us, id"), &[]);
        let found: Vec<ClientTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().map(client).collect()
    }

    /// The clients that an account owns, in the order in which they were registered.
    pub fn clients_owned_by(&mut self, account: i64) -> Result<Vec<Client>, StoreError> {
        let values = [Value::Integer(account)];
        let select = fixed!(
            ClientSql,
            select_clients!(
                "WHERE id IN (SELECT client FROM client_member WHERE account = ? AND part = 1) ORDER BY created_us, id"
            ),
            &values,
        );
        let found: Vec<ClientTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().map(client).collect()
    }
}

/// The lists of a client as their columns hold them.
struct Lists {
    contacts: String,
    redirect_uris: String,
    reasons: String,
}

impl Lists {
    fn of(facts: &ClientFacts) -> Result<Lists, StoreError> {
        let json = |text: serde_json::Result<String>| {
            text.map_err(|error| StoreError::Damaged(format!("a client that can't be written: {error}")))
        };
        Ok(Lists {
            contacts: json(serde_json::to_string(&facts.contacts))?,
            redirect_uris: json(serde_json::to_string(&facts.redirect_uris))?,
            reasons: json(serde_json::to_string(&facts.reasons))?,
        })
    }
}

/// What may change of a client, in the order of the statements that write it.
fn changeable<'a>(facts: &'a ClientFacts, lists: &'a Lists) -> [Value<'a>; 18] {
    [
        Value::Text(&facts.name),
        Value::Integer(facts.kind as i64),
        Value::AnyText(facts.publisher.as_deref()),
        Value::AnyText(facts.logo_uri.as_deref()),
        Value::AnyText(facts.policy_uri.as_deref()),
        Value::AnyText(facts.tos_uri.as_deref()),
        Value::Text(&lists.contacts),
        Value::Text(&lists.redirect_uris),
        Value::AnyText(facts.launch_uri.as_deref()),
        Value::AnyText(facts.jwks.as_deref()),
        Value::AnyText(facts.jwks_uri.as_deref()),
        Value::Text(&facts.scopes),
        Value::Text(&facts.optional_scopes),
        Value::Text(&lists.reasons),
        Value::Integer(i64::from(facts.goes_without_aud)),
        Value::Integer(i64::from(facts.is_device)),
        Value::Bytes(facts.secret_hash.as_ref().map(SecretHash::as_bytes)),
        Value::Bytes(facts.registration_hash.as_ref().map(SecretHash::as_bytes)),
    ]
}

impl Tx<'_> {
    /// Registers a client. By a command or by itself, all may use it at once; one that is made on a page begins in the sandbox.
    pub fn add_client(&mut self, new: &ClientFacts) -> Result<Client, StoreError> {
        self.bump()?;
        let lists = Lists::of(new)?;
        let approved_us = (new.origin != ClientOrigin::Page).then_some(self.now_us);
        let fixed = [
            Value::Text(&new.id),
            Value::Integer(new.origin as i64),
            Value::AnyInteger(new.created_by),
            Value::Integer(self.now_us),
            Value::AnyInteger(approved_us),
        ];
        let values: Vec<Value<'_>> = changeable(new, &lists).into_iter().chain(fixed).collect();
        let insert = fixed!(
            (),
            "INSERT INTO client (name, kind, publisher, logo_uri, policy_uri, tos_uri, contacts, redirect_uris, launch_uri, \
             jwks, jwks_uri, scopes, optional_scopes, reasons, goes_without_aud, is_device, secret_hash, registration_hash, id, origin, \
             created_by, created_us, approved_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        self.reader.client(&new.id)?.ok_or_else(|| StoreError::Damaged("a client that is not there".to_owned()))
    }

    /// Changes what is registered of a client, but not how it came to be; false when there is none.
    pub fn update_client(&mut self, facts: &ClientFacts) -> Result<bool, StoreError> {
        let lists = Lists::of(facts)?;
        let mut values: Vec<Value<'_>> = changeable(facts, &lists).into_iter().collect();
        values.push(Value::Text(&facts.id));
        let update = fixed!(
            (),
            "UPDATE client SET name = ?, kind = ?, publisher = ?, logo_uri = ?, policy_uri = ?, tos_uri = ?, contacts = ?, \
             redirect_uris = ?, launch_uri = ?, jwks = ?, jwks_uri = ?, scopes = ?, optional_scopes = ?, reasons = ?, \
             goes_without_aud = ?, is_device = ?, secret_hash = ?, registration_hash = ? WHERE id = ?",
            &values,
        );
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)
    }

    /// Sets how far a client may be used, and whether the operator vouches for its publisher: each since when, or `None`. False
    /// when there is no such client.
    pub fn set_client_standing(
        &mut self,
        id: &str,
        approved_us: Option<i64>,
        verified_us: Option<i64>,
        suspended_us: Option<i64>,
    ) -> Result<bool, StoreError> {
        let values = [
            Value::AnyInteger(approved_us),
            Value::AnyInteger(verified_us),
            Value::AnyInteger(suspended_us),
            Value::Text(id),
        ];
        let update =
            fixed!((), "UPDATE client SET approved_us = ?, verified_us = ?, suspended_us = ? WHERE id = ?", &values);
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)
    }

    /// Lets a client get and use no tokens from now on; false when it did not before, or there is none.
    pub fn suspend_client(&mut self, id: &str) -> Result<bool, StoreError> {
        let values = [Value::Integer(self.now_us), Value::Text(id)];
        let update = fixed!((), "UPDATE client SET suspended_us = ? WHERE id = ? AND suspended_us IS NULL", &values);
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)
    }

    /// Gives a client another secret; the one that it has is good until `previous_until_us`. False when there is no such client.
    pub fn rotate_secret(&mut self, id: &str, new: &SecretHash, previous_until_us: i64) -> Result<bool, StoreError> {
        let values = [Value::Integer(previous_until_us), Value::Bytes(Some(new.as_bytes())), Value::Text(id)];
        let update = fixed!(
            (),
            "UPDATE client SET previous_secret_hash = secret_hash, previous_until_us = ?, secret_hash = ? WHERE id = ?",
            &values,
        );
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)
    }
}
