//! Credentials beside the password: passkeys, authenticator apps, recovery codes.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use crate::store::access::{PasswordHash, SecretHash};
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// A passkey that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// Its id, which the authenticator chose.
    pub credential: Vec<u8>,
    pub account: i64,
    /// Public key, counter and flags as JSON.
    pub content: String,
    /// What its owner calls it.
    pub name: String,
}

/// A key by which somebody signs in without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPasskey {
    /// Its id, which the authenticator chose.
    pub credential: Vec<u8>,
    pub account: i64,
    /// Public key, counter and flags as JSON.
    pub content: String,
    /// What its owner calls it.
    pub name: String,
    pub created_us: i64,
    /// When it was used last.
    pub used_us: Option<i64>,
}

/// The authenticator app of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAuthenticator {
    /// Sealed.
    pub secret: Vec<u8>,
    /// Since when codes are asked for; `None` before the first was right.
    pub confirmed_us: Option<i64>,
}

type PasskeySql = (Binary, BigInt, Text, Text, BigInt, Nullable<BigInt>);
type PasskeyTuple = (Vec<u8>, i64, String, String, i64, Option<i64>);

fn passkey((credential, account, content, name, created_us, used_us): PasskeyTuple) -> StoredPasskey {
    StoredPasskey { credential, account, content, name, created_us, used_us }
}

impl Reader<'_> {
    /// The passkey with this id.
    pub fn passkey(&mut self, credential: &[u8]) -> Result<Option<StoredPasskey>, StoreError> {
        let values = [Value::Bytes(Some(credential))];
        let select = fixed!(
            PasskeySql,
            "SELECT credential, account, content, name, created_us, used_us FROM passkey WHERE credential = ?",
            &values,
        );
        let found: Vec<PasskeyTuple> = on!(self.link, connection => select.load(*connection))?;
        Ok(found.into_iter().next().map(passkey))
    }

    /// The passkeys of an account in the order in which they were added.
    pub fn passkeys_of(&mut self, account: i64) -> Result<Vec<StoredPasskey>, StoreError> {
        let values = [Value::Integer(account)];
        let select = fixed!(
            PasskeySql,
            "SELECT credential, account, content, name, created_us, used_us FROM passkey WHERE account = ? \
             ORDER BY created_us, credential",
            &values,
        );
        let found: Vec<PasskeyTuple> = on!(self.link, connection => select.load(*connection))?;
        Ok(found.into_iter().map(passkey).collect())
    }

    /// The authenticator app of an account.
    pub fn authenticator(&mut self, account: i64) -> Result<Option<StoredAuthenticator>, StoreError> {
        let values = [Value::Integer(account)];
        let select = fixed!(
            (Binary, Nullable<BigInt>),
            "SELECT secret, confirmed_us FROM authenticator WHERE account = ?",
            &values,
        );
        let found: Vec<(Vec<u8>, Option<i64>)> = on!(self.link, connection => select.load(*connection))?;
        Ok(found.into_iter().next().map(|(secret, confirmed_us)| StoredAuthenticator { secret, confirmed_us }))
    }

    /// How many recovery codes of an account are not used yet.
    pub fn recovery_codes_left(&mut self, account: i64) -> Result<i64, StoreError> {
        let values = [Value::Integer(account)];
        let select =
            fixed!(BigInt, "SELECT COUNT(*) FROM recovery_code WHERE account = ? AND used_us IS NULL", &values);
        Ok(on!(self.link, connection => select.get_result(*connection))?)
    }
}

impl Tx<'_> {
    /// Gives an account another password.
    pub fn set_password(&mut self, account: i64, hash: &PasswordHash) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Text(&hash.0), Value::Integer(account)];
        let update = fixed!((), "UPDATE account SET password = ? WHERE id = ?", &values);
        on!(self.reader.link, connection => update.execute(*connection))?;
        Ok(())
    }

    /// Gives an account the same password under another hash, unless it was given another meanwhile.
    pub fn rehash_password(
        &mut self,
        account: i64,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Text(&to.0), Value::Integer(account), Value::Text(&from.0)];
        let update = fixed!((), "UPDATE account SET password = ? WHERE id = ? AND password = ?", &values);
        Ok(on!(self.reader.link, connection => update.execute(*connection))? > 0)
    }

    /// Keeps a passkey; false when there is one with this id already.
    pub fn add_passkey(&mut self, new: &NewPasskey) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [
            Value::Bytes(Some(&new.credential)),
            Value::Integer(new.account),
            Value::Text(&new.content),
            Value::Text(&new.name),
            Value::Integer(self.now_us),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO passkey (credential, account, content, name, created_us) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
            &values,
        );
        Ok(on!(self.reader.link, connection => insert.execute(*connection))? > 0)
    }

    /// Notes that a passkey was used, with what changed in it; false when it is gone.
    pub fn use_passkey(&mut self, credential: &[u8], content: &str) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Text(content), Value::Integer(self.now_us), Value::Bytes(Some(credential))];
        let update = fixed!((), "UPDATE passkey SET content = ?, used_us = ? WHERE credential = ?", &values);
        Ok(on!(self.reader.link, connection => update.execute(*connection))? > 0)
    }

    /// Forgets a passkey of this account, and tells what it was called; `None` when there is none.
    pub fn remove_passkey(&mut self, account: i64, credential: &[u8]) -> Result<Option<String>, StoreError> {
        self.has_written = true;
        let values = [Value::Integer(account), Value::Bytes(Some(credential))];
        let delete = fixed!(Text, "DELETE FROM passkey WHERE account = ? AND credential = ? RETURNING name", &values);
        let gone: Vec<String> = on!(self.reader.link, connection => delete.load(*connection))?;
        Ok(gone.into_iter().next())
    }

    /// Keeps the secret of an app that has not shown yet that it has it. One that was confirmed stays as it is: false.
    pub fn offer_authenticator(&mut self, account: i64, secret: &[u8]) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Integer(account), Value::Bytes(Some(secret)), Value::Integer(self.now_us)];
        let insert = fixed!(
            (),
            "INSERT INTO authenticator (account, secret, last_step, created_us) VALUES (?, ?, 0, ?) \
             ON CONFLICT (account) DO UPDATE SET secret = excluded.secret, last_step = 0, created_us = excluded.created_us \
             WHERE authenticator.confirmed_us IS NULL",
            &values,
        );
        Ok(on!(self.reader.link, connection => insert.execute(*connection))? > 0)
    }

    /// Asks for codes from now on; false when that was so before, or there is no app.
    pub fn confirm_authenticator(&mut self, account: i64) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Integer(self.now_us), Value::Integer(account)];
        let update =
            fixed!((), "UPDATE authenticator SET confirmed_us = ? WHERE account = ? AND confirmed_us IS NULL", &values);
        Ok(on!(self.reader.link, connection => update.execute(*connection))? > 0)
    }

    /// Uses up the code of a step and all before; false when it was used up already.
    pub fn use_authenticator_step(&mut self, account: i64, step: i64) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Integer(step), Value::Integer(account), Value::Integer(step)];
        let update = fixed!((), "UPDATE authenticator SET last_step = ? WHERE account = ? AND last_step < ?", &values);
        Ok(on!(self.reader.link, connection => update.execute(*connection))? > 0)
    }

    /// Asks for codes no more, and forgets the recovery codes; false when there is no app.
    pub fn remove_authenticator(&mut self, account: i64) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Integer(account)];
        let delete = fixed!((), "DELETE FROM recovery_code WHERE account = ?", &values);
        on!(self.reader.link, connection => delete.execute(*connection))?;
        let delete = fixed!((), "DELETE FROM authenticator WHERE account = ?", &values);
        Ok(on!(self.reader.link, connection => delete.execute(*connection))? > 0)
    }

    /// Keeps these recovery codes instead of those that there were.
    pub fn replace_recovery_codes(&mut self, account: i64, codes: &[SecretHash]) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Integer(account)];
        let delete = fixed!((), "DELETE FROM recovery_code WHERE account = ?", &values);
        on!(self.reader.link, connection => delete.execute(*connection))?;
        for code in codes {
            let values = [Value::Bytes(Some(code.as_bytes())), Value::Integer(account), Value::Integer(self.now_us)];
            let insert = fixed!((), "INSERT INTO recovery_code (hash, account, created_us) VALUES (?, ?, ?)", &values);
            on!(self.reader.link, connection => insert.execute(*connection))?;
        }
        Ok(())
    }

    /// Uses up a recovery code of this account; false when it was used before, or is none.
    pub fn use_recovery_code(&mut self, account: i64, code: &SecretHash) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Integer(self.now_us), Value::Bytes(Some(code.as_bytes())), Value::Integer(account)];
        let update = fixed!(
            (),
            "UPDATE recovery_code SET used_us = ? WHERE hash = ? AND account = ? AND used_us IS NULL",
            &values
        );
        Ok(on!(self.reader.link, connection => update.execute(*connection))? > 0)
    }
}
