//! Authorization codes, and launches that wait for their app.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use crate::store::access::SecretHash;
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// A code is kept so long after it expired, so that a second use is known for what it is.
const KEPT_US: i64 = 24 * 3_600_000_000;

/// What is kept of an authorization code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationCode {
    pub hash: SecretHash,
    pub client: String,
    pub account: i64,
    /// The grant to the client under which tokens are issued.
    pub grant: i64,
    /// In which it was allowed.
    pub session: SecretHash,
    pub redirect_uri: String,
    /// Of the method S256.
    pub challenge: String,
    pub scopes: String,
    /// Of the launch, as JSON.
    pub context: String,
    pub nonce: Option<String>,
    /// When the person last showed who they are.
    pub auth_time_us: i64,
    /// First moment when it counts no more.
    pub expires_us: i64,
    pub used_us: Option<i64>,
    /// Of the tokens that come from it.
    pub family: SecretHash,
}

/// A launch that an app has not taken up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Of the handle.
    pub hash: SecretHash,
    pub client: String,
    /// Who launches.
    pub account: i64,
    /// As JSON.
    pub context: String,
    /// First moment when it counts no more.
    pub expires_us: i64,
}

type CodeSql = (
    Binary,
    Text,
    BigInt,
    BigInt,
    Binary,
    Text,
    Text,
    Text,
    Text,
    Nullable<Text>,
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Binary,
);
type CodeTuple = (
    Vec<u8>,
    String,
    i64,
    i64,
    Vec<u8>,
    String,
    String,
    String,
    String,
    Option<String>,
    i64,
    i64,
    Option<i64>,
    Vec<u8>,
);
type LaunchSql = (Binary, Text, BigInt, Text, BigInt);
type LaunchTuple = (Vec<u8>, String, i64, String, i64);

fn code(row: CodeTuple) -> Result<AuthorizationCode, StoreError> {
    let (hash, client, account, grant, session, redirect_uri, challenge, scopes, context, nonce, ..) = row;
    let (.., auth_time_us, expires_us, used_us, family) = row;
    Ok(AuthorizationCode {
        hash: SecretHash::from_column(&hash)?,
        client,
        account,
        grant,
        session: SecretHash::from_column(&session)?,
        redirect_uri,
        challenge,
        scopes,
        context,
        nonce,
        auth_time_us,
        expires_us,
        used_us,
        family: SecretHash::from_column(&family)?,
    })
}

impl Reader<'_> {
    /// The code with this hash, used or not.
    pub fn authorization_code(&mut self, hash: &SecretHash) -> Result<Option<AuthorizationCode>, StoreError> {
        let values = [Value::Bytes(Some(hash.as_bytes()))];
        let select = fixed!(
            CodeSql,
            "SELECT hash, client, account, access_grant, session, redirect_uri, challenge, scopes, context, nonce, \
             auth_time_us, expires_us, used_us, family FROM authorization_code WHERE hash = ?",
            &values,
        );
        let found: Vec<CodeTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().next().map(code).transpose()
    }

    /// The launch of the handle with this hash.
    pub fn launch(&mut self, hash: &SecretHash) -> Result<Option<Launch>, StoreError> {
        let values = [Value::Bytes(Some(hash.as_bytes()))];
        let select =
            fixed!(LaunchSql, "SELECT hash, client, account, context, expires_us FROM launch WHERE hash = ?", &values);
        let found: Vec<LaunchTuple> = on!(self.link, connection => select.load(*connection))?;
        let launch = |(hash, client, account, context, expires_us): LaunchTuple| {
            Ok(Launch { hash: SecretHash::from_column(&hash)?, client, account, context, expires_us })
        };
        found.into_iter().next().map(launch).transpose()
    }
}

impl Tx<'_> {
    /// Keeps a code that is handed out. Takes the occasion to forget those that expired long ago.
    pub fn add_authorization_code(&mut self, new: &AuthorizationCode) -> Result<(), StoreError> {
        self.has_written = true;
        let forget = [Value::Integer(self.now_us - KEPT_US)];
        let forget = fixed!((), "DELETE FROM authorization_code WHERE expires_us < ?", &forget);
        on!(self.reader.link, connection => forget.execute(*connection))?;
        let values = [
            Value::Bytes(Some(new.hash.as_bytes())),
            Value::Text(&new.client),
            Value::Integer(new.account),
            Value::Integer(new.grant),
            Value::Bytes(Some(new.session.as_bytes())),
            Value::Text(&new.redirect_uri),
            Value::Text(&new.challenge),
            Value::Text(&new.scopes),
            Value::Text(&new.context),
            Value::AnyText(new.nonce.as_deref()),
            Value::Integer(new.auth_time_us),
            Value::Integer(new.expires_us),
            Value::Bytes(Some(new.family.as_bytes())),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO authorization_code (hash, client, account, access_grant, session, redirect_uri, challenge, scopes, \
             context, nonce, auth_time_us, expires_us, family) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }

    /// Uses up a code; false when it was used before, or there is none.
    pub fn use_authorization_code(&mut self, hash: &SecretHash) -> Result<bool, StoreError> {
        let values = [Value::Integer(self.now_us), Value::Bytes(Some(hash.as_bytes()))];
        let update =
            fixed!((), "UPDATE authorization_code SET used_us = ? WHERE hash = ? AND used_us IS NULL", &values,);
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.has_written |= changed > 0;
        Ok(changed > 0)
    }

    /// Keeps a launch until its app takes it up. Takes the occasion to forget those that nobody took up.
    pub fn add_launch(&mut self, new: &Launch) -> Result<(), StoreError> {
        self.has_written = true;
        let forget = [Value::Integer(self.now_us)];
        let forget = fixed!((), "DELETE FROM launch WHERE expires_us < ?", &forget);
        on!(self.reader.link, connection => forget.execute(*connection))?;
        let values = [
            Value::Bytes(Some(new.hash.as_bytes())),
            Value::Text(&new.client),
            Value::Integer(new.account),
            Value::Text(&new.context),
            Value::Integer(new.expires_us),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO launch (hash, client, account, context, expires_us) VALUES (?, ?, ?, ?, ?)",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }

    /// Uses up a launch; false when it was taken up before.
    pub fn take_launch(&mut self, hash: &SecretHash) -> Result<bool, StoreError> {
        let values = [Value::Bytes(Some(hash.as_bytes()))];
        let delete = fixed!((), "DELETE FROM launch WHERE hash = ?", &values);
        let taken = on!(self.reader.link, connection => delete.execute(*connection))?;
        self.has_written |= taken > 0;
        Ok(taken > 0)
    }
}
