//! Sessions: who is signed in with which browser.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Text};

use crate::store::access::SecretHash;
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// What is kept of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Of the cookie.
    pub hash: SecretHash,
    pub account: i64,
    pub created_us: i64,
    /// When it was last used, to the minute.
    pub seen_us: i64,
    /// When the person last showed who they are.
    pub verified_us: i64,
    /// First moment when it counts no more, however much it is used.
    pub expires_us: i64,
    /// By what it was shown, as RFC 8176 names it, with spaces between.
    pub factors: String,
    /// What the browser says of itself.
    pub agent: String,
}

type SessionSql = (Binary, BigInt, BigInt, BigInt, BigInt, BigInt, Text, Text);
type SessionTuple = (Vec<u8>, i64, i64, i64, i64, i64, String, String);

fn session(row: SessionTuple) -> Result<Session, StoreError> {
    let (hash, account, created_us, seen_us, verified_us, expires_us, factors, agent) = row;
    let hash = SecretHash::from_column(&hash)?;
    Ok(Session { hash, account, created_us, seen_us, verified_us, expires_us, factors, agent })
}

impl Reader<'_> {
    /// The session of the cookie with this hash, whether it still counts or not.
    pub fn session(&mut self, hash: &SecretHash) -> Result<Option<Session>, StoreError> {
        let values = [Value::Bytes(Some(hash.as_bytes()))];
        let select = fixed!(
            SessionSql,
            "SELECT hash, account, created_us, seen_us, verified_us, expires_us, factors, agent FROM session WHERE hash = ?",
            &values,
        );
        let found: Vec<SessionTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().next().map(session).transpose()
    }

    /// The sessions of an account, the newest first.
    pub fn sessions_of(&mut self, account: i64) -> Result<Vec<Session>, StoreError> {
        let values = [Value::Integer(account)];
        let select = fixed!(
            SessionSql,
            "SELECT hash, account, created_us, seen_us, verified_us, expires_us, factors, agent FROM session \
             WHERE account = ? ORDER BY created_us DESC, hash",
            &values,
        );
        let found: Vec<SessionTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().map(session).collect()
    }
}

impl Tx<'_> {
    /// Begins a session. Takes the occasion to forget those that are over.
    pub fn add_session(&mut self, new: &Session) -> Result<(), StoreError> {
        self.has_written = true;
        let forget = [Value::Integer(self.now_us)];
        let forget = fixed!((), "DELETE FROM session WHERE expires_us <= ?", &forget);
        on!(self.reader.link, connection => forget.execute(*connection))?;
        let values = [
            Value::Bytes(Some(new.hash.as_bytes())),
            Value::Integer(new.account),
            Value::Integer(new.created_us),
            Value::Integer(new.seen_us),
            Value::Integer(new.verified_us),
            Value::Integer(new.expires_us),
            Value::Text(&new.factors),
            Value::Text(&new.agent),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO session (hash, account, created_us, seen_us, verified_us, expires_us, factors, agent) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }

    /// Notes that a session was used.
    pub fn see_session(&mut self, hash: &SecretHash, seen_us: i64) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Integer(seen_us), Value::Bytes(Some(hash.as_bytes()))];
        let update = fixed!((), "UPDATE session SET seen_us = ? WHERE hash = ?", &values);
        on!(self.reader.link, connection => update.execute(*connection))?;
        Ok(())
    }

    /// Goes on with a session under another hash, after the person has shown anew who they are by `factors`; with it goes what was
    /// issued for as long as it lasts.
    pub fn renew_session(
        &mut self,
        old: &SecretHash,
        new: &SecretHash,
        verified_us: i64,
        factors: &str,
    ) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [
            Value::Bytes(Some(new.as_bytes())),
            Value::Integer(verified_us),
            Value::Integer(verified_us),
            Value::Text(factors),
            Value::Bytes(Some(old.as_bytes())),
        ];
        let update = fixed!(
            (),
            "UPDATE session SET hash = ?, verified_us = ?, seen_us = ?, factors = ? WHERE hash = ?",
            &values
        );
        on!(self.reader.link, connection => update.execute(*connection))?;
        let values = [Value::Bytes(Some(new.as_bytes())), Value::Bytes(Some(old.as_bytes()))];
        let update = fixed!((), "UPDATE access_token SET session = ? WHERE session = ?", &values);
        on!(self.reader.link, connection => update.execute(*connection))?;
        let update = fixed!((), "UPDATE authorization_code SET session = ? WHERE session = ?", &values);
        on!(self.reader.link, connection => update.execute(*connection))?;
        Ok(())
    }

    /// Ends all sessions of an account but `keep`, and with them the tokens that were issued for as long as they last. Tells how many.
    pub fn end_other_sessions(&mut self, account: i64, keep: Option<&SecretHash>) -> Result<usize, StoreError> {
        let mut ended = 0;
        for session in self.sessions_of(account)? {
            if keep != Some(&session.hash) && self.end_session(&session.hash)? {
                ended += 1;
            }
        }
        Ok(ended)
    }

    /// Ends a session, and with it the tokens that were issued for as long as it lasts; false when there is none.
    pub fn end_session(&mut self, hash: &SecretHash) -> Result<bool, StoreError> {
        let values = [Value::Bytes(Some(hash.as_bytes()))];
        let delete = fixed!((), "DELETE FROM session WHERE hash = ?", &values);
        let ended = on!(self.reader.link, connection => delete.execute(*connection))?;
        self.has_written |= ended > 0;
        let values = [Value::Integer(self.now_us), Value::Bytes(Some(hash.as_bytes()))];
        let revoke =
            fixed!((), "UPDATE access_token SET revoked_us = ? WHERE session = ? AND revoked_us IS NULL", &values);
        let revoked = on!(self.reader.link, connection => revoke.execute(*connection))?;
        self.bump_if(revoked)?;
        Ok(ended > 0)
    }
}
