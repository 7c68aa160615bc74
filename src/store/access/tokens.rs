//! Tokens, of which only a hash is kept, and signed assertions that were used up.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, Text};

use crate::fhir::Id;
use crate::store::access::{Account, Client, Grant, SecretHash, id_from};
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// A token is kept so long after it expired, so that it can still be told from one that never was.
const KEPT_US: i64 = 24 * 3_600_000_000;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// To be sent with requests.
    Access = 1,
    /// To be exchanged for another access token.
    Refresh = 2,
}

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Of the token as it is sent.
    pub hash: SecretHash,
    pub kind: TokenKind,
    /// To which client it was issued.
    pub client: Option<String>,
    /// On whose behalf; `None` for a system.
    pub account: Option<i64>,
    /// The grant to the client under which it was issued.
    pub grant: Option<i64>,
    /// The Patient of the launch context.
    pub patient: Option<Id>,
    /// The Encounter of the launch context.
    pub encounter: Option<Id>,
    pub scopes: String,
    pub issued_us: i64,
    /// First moment when it counts no more.
    pub expires_us: i64,
    pub revoked_us: Option<i64>,
    /// Shared by all tokens that come from one authorization.
    pub family: Option<SecretHash>,
    /// The session with which it ends; `None` when it outlives sessions.
    pub session: Option<SecretHash>,
    /// What else the launch was about, as JSON.
    pub context: Option<String>,
    /// When the person last showed who they are; `None` without one.
    pub auth_time_us: Option<i64>,
}

impl AccessToken {
    /// Whether it counts at this moment.
    pub fn is_live(&self, now_us: i64) -> bool {
        self.revoked_us.is_none() && now_us < self.expires_us
    }
}

/// All that decides what an access token lets do, of one moment.
#[derive(Clone, Debug)]
pub struct TokenContext {
    /// Live, and an access token.
    pub token: AccessToken,
    /// Not suspended; `None` when the token was issued to no client.
    pub client: Option<Client>,
    /// Not disabled; `None` when the token is on nobody's behalf.
    pub account: Option<Account>,
    /// Grants in force. With an account: those to it, and behind them the one to the client under which the token was issued,
    /// if it names one. Without: those to the client.
    pub grants: Vec<Grant>,
}

type TokenSql = (
    Binary,
    SmallInt,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<Text>,
    Text,
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Nullable<Binary>,
    Nullable<Binary>,
    Nullable<Text>,
    Nullable<BigInt>,
);
type TokenTuple = (
    Vec<u8>,
    i16,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    String,
    i64,
    i64,
    Option<i64>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<String>,
    Option<i64>,
);

fn token(row: TokenTuple) -> Result<AccessToken, StoreError> {
    let (hash, kind, client, account, grant, patient, encounter, scopes, issued_us, expires_us, revoked_us, ..) = row;
    let (.., family, session, context, auth_time_us) = row;
    let hash_from = |hash: Option<Vec<u8>>| hash.map(|hash| SecretHash::from_column(&hash)).transpose();
    let kind = [TokenKind::Access, TokenKind::Refresh].into_iter().find(|known| *known as i16 == kind);
    Ok(AccessToken {
        hash: SecretHash::from_column(&hash)?,
        kind: kind.ok_or_else(|| StoreError::Damaged("the kind of a token".to_owned()))?,
        client,
        account,
        grant,
        patient: id_from(patient)?,
        encounter: id_from(encounter)?,
        scopes,
        issued_us,
        expires_us,
        revoked_us,
        family: hash_from(family)?,
        session: hash_from(session)?,
        context,
        auth_time_us,
    })
}

impl Reader<'_> {
    /// What is kept of the token with this hash, live or not.
    pub fn access_token(&mut self, hash: &SecretHash) -> Result<Option<AccessToken>, StoreError> {
        let values = [Value::Bytes(Some(hash.as_bytes()))];
        let select = fixed!(
            TokenSql,
            "SELECT hash, kind, client, account, access_grant, patient, encounter, scopes, issued_us, expires_us, revoked_us, \
             family, session, context, auth_time_us FROM access_token WHERE hash = ?",
            &values,
        );
        let found: Vec<TokenTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().next().map(token).transpose()
    }

    /// All that a check of an access token needs, in a few statements; needs a snapshot (`Store::read`).
    ///
    /// `None` when the token must not be accepted at this moment: unknown, no access token, expired, revoked, or its client
    /// is suspended, its account disabled, the grant under which it was issued no longer in force.
    pub fn token_context(&mut self, hash: &SecretHash, now_us: i64) -> Result<Option<TokenContext>, StoreError> {
        let Some(token) = self.access_token(hash)? else { return Ok(None) };
        if token.kind != TokenKind::Access || !token.is_live(now_us) {
            return Ok(None);
        }
        let client = token.client.as_deref().map(|id| self.client(id)).transpose()?.flatten();
        let account = token.account.map(|id| self.account(id)).transpose()?.flatten();
        let client = client.filter(|client| client.suspended_us.is_none());
        let account = account.filter(|account| account.disabled_us.is_none());
        if client.is_none() != token.client.is_none() || account.is_none() != token.account.is_none() {
            return Ok(None);
        }
        if let (Some(client), Some(account)) = (&client, &account)
            && client.approved_us.is_none()
            && !self.client_members(&client.id)?.iter().any(|(member, _)| *member == account.id)
        {
            // An app in the sandbox is for those who make it, and those whom they name.
            return Ok(None);
        }
        let own = token.grant.map(|id| self.grant(id)).transpose()?.flatten();
        let own = own.filter(|grant| grant.is_in_force(now_us));
        if own.is_none() != token.grant.is_none() {
            return Ok(None);
        }
        let grants = match (&account, &client) {
            (Some(account), _) => {
                let mut grants = self.standing_of_account(account.id, now_us)?;
                grants.extend(own);
                grants
            }
            (None, Some(client)) => self.standing_of_client(&client.id, now_us)?,
            (None, None) => Vec::new(),
        };
        Ok(Some(TokenContext { token, client, account, grants }))
    }
}

impl Tx<'_> {
    /// Notes a token that is issued. Takes the occasion to forget those that expired long ago.
    pub fn add_token(&mut self, token: &AccessToken) -> Result<(), StoreError> {
        self.has_written = true;
        let forget = [Value::Integer(self.now_us - KEPT_US)];
        let forget = fixed!((), "DELETE FROM access_token WHERE expires_us < ?", &forget);
        on!(self.reader.link, connection => forget.execute(*connection))?;
        let values = [
            Value::Bytes(Some(token.hash.as_bytes())),
            Value::Integer(token.kind as i64),
            Value::AnyText(token.client.as_deref()),
            Value::AnyInteger(token.account),
            Value::AnyInteger(token.grant),
            Value::AnyText(token.patient.as_ref().map(Id::as_str)),
            Value::AnyText(token.encounter.as_ref().map(Id::as_str)),
            Value::Text(&token.scopes),
            Value::Integer(token.issued_us),
            Value::Integer(token.expires_us),
            Value::AnyInteger(token.revoked_us),
            Value::Bytes(token.family.as_ref().map(SecretHash::as_bytes)),
            Value::Bytes(token.session.as_ref().map(SecretHash::as_bytes)),
            Value::AnyText(token.context.as_deref()),
            Value::AnyInteger(token.auth_time_us),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO access_token (hash, kind, client, account, access_grant, patient, encounter, scopes, issued_us, \
             expires_us, revoked_us, family, session, context, auth_time_us) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        match (token.kind, token.grant) {
            (TokenKind::Access, Some(grant)) => self.note_grant_use(grant),
            _ => Ok(()),
        }
    }

    /// Revokes one token; false when it was revoked before, or there is none. The generation is counted on for an access token
    /// only: a refresh token that is exchanged takes no access away.
    pub fn revoke_token(&mut self, hash: &SecretHash) -> Result<bool, StoreError> {
        let values = [Value::Integer(self.now_us), Value::Bytes(Some(hash.as_bytes()))];
        let update = fixed!(
            SmallInt,
            "UPDATE access_token SET revoked_us = ? WHERE hash = ? AND revoked_us IS NULL RETURNING kind",
            &values,
        );
        let revoked: Vec<i16> = on!(self.reader.link, connection => update.load(*connection))?;
        self.has_written |= !revoked.is_empty();
        if revoked.contains(&(TokenKind::Access as i16)) {
            self.bump()?;
        }
        Ok(!revoked.is_empty())
    }

    /// Revokes all tokens of a family that are not revoked yet, and tells how many those were.
    pub fn revoke_family(&mut self, family: &SecretHash) -> Result<usize, StoreError> {
        let values = [Value::Integer(self.now_us), Value::Bytes(Some(family.as_bytes()))];
        let update =
            fixed!((), "UPDATE access_token SET revoked_us = ? WHERE family = ? AND revoked_us IS NULL", &values);
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)?;
        Ok(changed)
    }

    /// Revokes all tokens of a client on behalf of an account, and tells how many those were.
    pub fn revoke_tokens_of(&mut self, client: &str, account: i64) -> Result<usize, StoreError> {
        let values = [Value::Integer(self.now_us), Value::Text(client), Value::Integer(account)];
        let update = fixed!(
            (),
            "UPDATE access_token SET revoked_us = ? WHERE client = ? AND account = ? AND revoked_us IS NULL",
            &values,
        );
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)?;
        Ok(changed)
    }

    /// Uses up a signed assertion, known by the hash of its issuer and `jti`; false when it was used before.
    ///
    /// `expires_us` is the last moment when it might be accepted, any leeway included: it is remembered until then.
    pub fn use_jwt(&mut self, hash: &SecretHash, expires_us: i64) -> Result<bool, StoreError> {
        self.has_written = true;
        let forget = [Value::Integer(self.now_us)];
        let forget = fixed!((), "DELETE FROM used_jwt WHERE expires_us < ?", &forget);
        on!(self.reader.link, connection => forget.execute(*connection))?;
        let values = [Value::Bytes(Some(hash.as_bytes())), Value::Integer(expires_us)];
        let insert =
            fixed!((), "INSERT INTO used_jwt (hash, expires_us) VALUES (?, ?) ON CONFLICT DO NOTHING", &values);
        let inserted = on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(inserted > 0)
    }
}
