//! Accounts: who signs in.

use std::fmt;

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};

use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// What somebody is to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Has records of their own, or shares those of others.
    Person = 1,
    /// Is given access by patients or by an organisation.
    Professional = 2,
    /// Runs the server.
    Operator = 3,
}

impl Role {
    /// All there are.
    pub const ALL: [Role; 3] = [Role::Person, Role::Professional, Role::Operator];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Person => "person",
            Role::Professional => "professional",
            Role::Operator => "operator",
        }
    }
}

/// The Argon2id hash of a password, in PHC form. No log shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// An account that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Trimmed and in lower case; no other account has it.
    pub email: String,
    pub name: String,
    pub role: Role,
    /// `None` when nobody can sign in by a password.
    pub password: Option<PasswordHash>,
    /// Who this is as a resource, such as `Practitioner/7`.
    pub fhir_user: Option<String>,
}

/// Somebody who can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: i64,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub password: Option<PasswordHash>,
    pub fhir_user: Option<String>,
    pub created_us: i64,
    /// Since when it gives no access any more.
    pub disabled_us: Option<i64>,
}

type AccountSql = (BigInt, Text, Text, SmallInt, Nullable<Text>, Nullable<Text>, BigInt, Nullable<BigInt>);
type AccountTuple = (i64, String, String, i16, Option<String>, Option<String>, i64, Option<i64>);

/// Selects the accounts that meet the condition, as [`AccountTuple`]s.
macro_rules! select_account {
    ($condition:literal) => {
        concat!(
            "SELECT id, email, name, role, password, fhir_user, created_us, disabled_us FROM account WHERE ",
            $condition
        )
    };
}

fn account(row: AccountTuple) -> Result<Account, StoreError> {
    let (id, email, name, role, password, fhir_user, created_us, disabled_us) = row;
    let role = Role::ALL.into_iter().find(|known| *known as i16 == role);
    let role = role.ok_or_else(|| StoreError::Damaged(format!("the role of account {id}")))?;
    let password = password.map(PasswordHash);
    Ok(Account { id, email, name, role, password, fhir_user, created_us, disabled_us })
}

impl Reader<'_> {
    /// The account with this number.
    pub fn account(&mut self, id: i64) -> Result<Option<Account>, StoreError> {
        let values = [Value::Integer(id)];
        let select = fixed!(AccountSql, select_account!("id = ?"), &values);
        let found: Vec<AccountTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().next().map(account).transpose()
    }

    /// The account with this address, which must be trimmed and in lower case.
    pub fn account_by_email(&mut self, email: &str) -> Result<Option<Account>, StoreError> {
        let values = [Value::Text(email)];
        let select = fixed!(AccountSql, select_account!("email = ?"), &values);
        let found: Vec<AccountTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().next().map(account).transpose()
    }
}

impl Tx<'_> {
    /// Makes an account. Its address must be free: find out under [`Tx::lock_access`].
    pub fn add_account(&mut self, new: &NewAccount) -> Result<Account, StoreError> {
        self.bump()?;
        let values = [
            Value::Text(&new.email),
            Value::Text(&new.name),
            Value::Integer(new.role as i64),
            Value::AnyText(new.password.as_ref().map(|hash| hash.0.as_str())),
            Value::AnyText(new.fhir_user.as_deref()),
            Value::Integer(self.now_us),
        ];
        let insert = fixed!(
            AccountSql,
            "INSERT INTO account (email, name, role, password, fhir_user, created_us) VALUES (?, ?, ?, ?, ?, ?) \
             RETURNING id, email, name, role, password, fhir_user, created_us, disabled_us",
            &values,
        );
        account(on!(self.reader.link, connection => insert.get_result(*connection))?)
    }

    /// Lets an account give no access from now on; false when it did not before, or there is none.
    pub fn disable_account(&mut self, id: i64) -> Result<bool, StoreError> {
        let values = [Value::Integer(self.now_us), Value::Integer(id)];
        let update = fixed!((), "UPDATE account SET disabled_us = ? WHERE id = ? AND disabled_us IS NULL", &values);
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)
    }
}
