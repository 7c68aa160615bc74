//! Clients: apps and systems that are registered.

use std::collections::BTreeMap;

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

/// A client that is to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewClient {
    /// 128 random bits.
    pub id: String,
    pub name: String,
    pub kind: ClientKind,
    /// Compared to the byte.
    pub redirect_uris: Vec<String>,
    pub launch_uri: Option<String>,
    /// A JWK Set with its public keys, as JSON.
    pub jwks: Option<String>,
    /// Where its JWK Set is.
    pub jwks_uri: Option<String>,
    /// The most that it may ask for.
    pub scopes: String,
    /// Why it asks, by scope.
    pub reasons: BTreeMap<String, String>,
    /// Of a confidential client without keys.
    pub secret_hash: Option<SecretHash>,
}

/// An app or a system that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub name: String,
    pub kind: ClientKind,
    /// Compared to the byte.
    pub redirect_uris: Vec<String>,
    pub launch_uri: Option<String>,
    /// A JWK Set with its public keys, as JSON.
    pub jwks: Option<String>,
    /// Where its JWK Set is.
    pub jwks_uri: Option<String>,
    /// The most that it may ask for.
    pub scopes: String,
    /// Why it asks, by scope.
    pub reasons: BTreeMap<String, String>,
    /// Of a confidential client without keys.
    pub secret_hash: Option<SecretHash>,
    pub created_us: i64,
    /// Since when it gets and uses no tokens any more.
    pub suspended_us: Option<i64>,
}

type ClientSql = (
    Text,
    Text,
    SmallInt,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Text,
    Text,
    Nullable<Binary>,
    BigInt,
    Nullable<BigInt>,
);
type ClientTuple = (
    String,
    String,
    i16,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    String,
    Option<Vec<u8>>,
    i64,
    Option<i64>,
);

/// Selects clients with the rest of the statement, as [`ClientTuple`]s.
macro_rules! select_clients {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, kind, redirect_uris, launch_uri, jwks, jwks_uri, scopes, reasons, secret_hash, created_us, \
             suspended_us FROM client ",
            $rest
        )
    };
}

fn client(row: ClientTuple) -> Result<Client, StoreError> {
    let (id, name, kind, redirect_uris, launch_uri, jwks, jwks_uri, scopes, reasons, secret_hash, ..) = row;
    let (.., created_us, suspended_us) = row;
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of client {id}"));
    Ok(Client {
        kind: ClientKind::ALL.into_iter().find(|known| *known as i16 == kind).ok_or_else(|| damaged("the kind"))?,
        redirect_uris: serde_json::from_str(&redirect_uris).map_err(|_| damaged("the redirect URIs"))?,
        reasons: serde_json::from_str(&reasons).map_err(|_| damaged("the reasons"))?,
        secret_hash: secret_hash.map(|hash| SecretHash::from_column(&hash)).transpose()?,
        id,
        name,
        launch_uri,
        jwks,
        jwks_uri,
        scopes,
        created_us,
        suspended_us,
    })
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
}

impl Tx<'_> {
    /// Registers a client.
    pub fn add_client(&mut self, new: &NewClient) -> Result<Client, StoreError> {
        self.bump()?;
        let json = |text: serde_json::Result<String>| {
            text.map_err(|error| StoreError::Damaged(format!("a client that can't be written: {error}")))
        };
        let redirect_uris = json(serde_json::to_string(&new.redirect_uris))?;
        let reasons = json(serde_json::to_string(&new.reasons))?;
        let values = [
            Value::Text(&new.id),
            Value::Text(&new.name),
            Value::Integer(new.kind as i64),
            Value::Text(&redirect_uris),
            Value::AnyText(new.launch_uri.as_deref()),
            Value::AnyText(new.jwks.as_deref()),
            Value::AnyText(new.jwks_uri.as_deref()),
            Value::Text(&new.scopes),
            Value::Text(&reasons),
            Value::Bytes(new.secret_hash.as_ref().map(SecretHash::as_bytes)),
            Value::Integer(self.now_us),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO client (id, name, kind, redirect_uris, launch_uri, jwks, jwks_uri, scopes, reasons, secret_hash, \
             created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        self.reader.client(&new.id)?.ok_or_else(|| StoreError::Damaged("a client that is not there".to_owned()))
    }

    /// Lets a client get and use no tokens from now on; false when it did not before, or there is none.
    pub fn suspend_client(&mut self, id: &str) -> Result<bool, StoreError> {
        let values = [Value::Integer(self.now_us), Value::Text(id)];
        let update = fixed!((), "UPDATE client SET suspended_us = ? WHERE id = ? AND suspended_us IS NULL", &values);
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)
    }
}
