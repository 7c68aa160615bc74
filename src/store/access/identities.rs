//! Identities: whom an OpenID provider knows, and which account is theirs.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// An identity that is to be linked to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIdentity {
    /// The provider, to the byte as it says.
    pub issuer: String,
    /// Whom it means, within it.
    pub subject: String,
    pub account: i64,
    /// What its owner knows it by, such as an address there.
    pub label: Option<String>,
}

/// Somebody as an OpenID provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: i64,
    /// The provider, to the byte as it says.
    pub issuer: String,
    /// Whom it means, within it.
    pub subject: String,
    pub account: i64,
    /// What its owner knows it by, such as an address there.
    pub label: Option<String>,
    pub created_us: i64,
    /// When somebody signed in by it last.
    pub used_us: Option<i64>,
}

type IdentitySql = (BigInt, Text, Text, BigInt, Nullable<Text>, BigInt, Nullable<BigInt>);
type IdentityTuple = (i64, String, String, i64, Option<String>, i64, Option<i64>);

/// Selects identities with the rest of the statement, as [`IdentityTuple`]s.
macro_rules! select_identities {
    ($rest:literal) => {
        concat!("SELECT id, issuer, subject, account, label, created_us, used_us FROM identity ", $rest)
    };
}

fn identity(row: IdentityTuple) -> Identity {
    let (id, issuer, subject, account, label, created_us, used_us) = row;
    Identity { id, issuer, subject, account, label, created_us, used_us }
}

impl Reader<'_> {
    /// Whom `issuer` means by `subject`, if that is known here.
    pub fn identity(&mut self, issuer: &str, subject: &str) -> Result<Option<Identity>, StoreError> {
        let values = [Value::Text(issuer), Value::Text(subject)];
        let select = fixed!(IdentitySql, select_identities!("WHERE issuer = ? AND subject = ?"), &values);
        let found: Vec<IdentityTuple> = on!(self.link, connection => select.load(*connection))?;
        Ok(found.into_iter().next().map(identity))
    }

    /// By whom else an account is known, in the order in which that was linked.
    pub fn identities_of(&mut self, account: i64) -> Result<Vec<Identity>, StoreError> {
        let values = [Value::Integer(account)];
        let select = fixed!(IdentitySql, select_identities!("WHERE account = ? ORDER BY id"), &values);
        let found: Vec<IdentityTuple> = on!(self.link, connection => select.load(*connection))?;
        Ok(found.into_iter().map(identity).collect())
    }
}

impl Tx<'_> {
    /// Links an identity, which must be free: find out under [`Tx::lock_access`].
    pub fn add_identity(&mut self, new: &NewIdentity) -> Result<Identity, StoreError> {
        self.has_written = true;
        let values = [
            Value::Text(&new.issuer),
            Value::Text(&new.subject),
            Value::Integer(new.account),
            Value::AnyText(new.label.as_deref()),
            Value::Integer(self.now_us),
        ];
        let insert = fixed!(
            IdentitySql,
            "INSERT INTO identity (issuer, subject, account, label, created_us) VALUES (?, ?, ?, ?, ?) \
             RETURNING id, issuer, subject, account, label, created_us, used_us",
            &values,
        );
        Ok(identity(on!(self.reader.link, connection => insert.get_result(*connection))?))
    }

    /// Notes that somebody signs in by an identity now.
    pub fn use_identity(&mut self, id: i64) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Integer(self.now_us), Value::Integer(id)];
        let update = fixed!((), "UPDATE identity SET used_us = ? WHERE id = ?", &values);
        on!(self.reader.link, connection => update.execute(*connection))?;
        Ok(())
    }

    /// Takes an identity from an account; false when it has none of this number.
    pub fn remove_identity(&mut self, account: i64, id: i64) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Integer(account), Value::Integer(id)];
        let delete = fixed!((), "DELETE FROM identity WHERE account = ? AND id = ?", &values);
        let removed = on!(self.reader.link, connection => delete.execute(*connection))?;
        Ok(removed > 0)
    }
}
