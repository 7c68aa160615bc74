//! Grants: every access is one.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};

use crate::fhir::Id;
use crate::store::access::id_from;
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// What a grant lets do, in the words that people choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantLevel {
    /// Read and search.
    View = 1,
    /// Read, search and change.
    Modify = 2,
    /// All, and to grant it to others.
    Custodian = 3,
    /// Scopes that the grantor chose.
    OwnChoice = 4,
}

impl GrantLevel {
    /// All there are.
    pub const ALL: [GrantLevel; 4] =
        [GrantLevel::View, GrantLevel::Modify, GrantLevel::Custodian, GrantLevel::OwnChoice];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            GrantLevel::View => "view",
            GrantLevel::Modify => "modify",
            GrantLevel::Custodian => "custodian",
            GrantLevel::OwnChoice => "own-choice",
        }
    }
}

/// Which confidential resources a grant shows (`meta.security`, v3-Confidentiality).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Labels {
    /// Those that are neither R nor V.
    #[default]
    Normal = 0,
    /// R, too.
    Restricted = 1,
    /// R and V, too.
    VeryRestricted = 2,
}

impl Labels {
    /// All there are, the narrowest first.
    pub const ALL: [Labels; 3] = [Labels::Normal, Labels::Restricted, Labels::VeryRestricted];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Labels::Normal => "normal",
            Labels::Restricted => "restricted",
            Labels::VeryRestricted => "very-restricted",
        }
    }
}

/// To whom a grant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// The number of an account.
    Account(i64),
    /// The id of a client.
    Client(String),
}

/// A grant that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// The Patient that is the record; `None` for all records.
    pub patient: Option<Id>,
    pub to: Grantee,
    pub level: GrantLevel,
    /// What it gives, as SMART v2 scopes.
    pub scopes: String,
    pub labels: Labels,
    /// Whether older versions are seen, too.
    pub sees_history: bool,
    /// First moment when it gives nothing more; `None` when it has no end.
    pub until_us: Option<i64>,
    pub reason: Option<String>,
    /// How it came to be: `command`, `custodian`, `import` or the like.
    pub origin: String,
    /// The account that grants; `None` for the operator's commands.
    pub granted_by: Option<i64>,
}

/// An access: to whom, on which record, to what, until when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: i64,
    /// The Patient that is the record; `None` for all records.
    pub patient: Option<Id>,
    pub to: Grantee,
    pub level: GrantLevel,
    /// What it gives, as SMART v2 scopes.
    pub scopes: String,
    pub labels: Labels,
    /// Whether older versions are seen, too.
    pub sees_history: bool,
    /// First moment when it gives nothing more; `None` when it has no end.
    pub until_us: Option<i64>,
    pub reason: Option<String>,
    pub origin: String,
    /// The account that granted; `None` for the operator's commands.
    pub granted_by: Option<i64>,
    pub created_us: i64,
    /// When it was ended before its time.
    pub ended_us: Option<i64>,
}

impl Grant {
    /// Whether it gives anything at this moment.
    pub fn is_in_force(&self, now_us: i64) -> bool {
        self.ended_us.is_none() && self.until_us.is_none_or(|until_us| now_us < until_us)
    }
}

type GrantSql = (
    BigInt,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<Text>,
    SmallInt,
    Text,
    SmallInt,
    SmallInt,
    Nullable<BigInt>,
    Nullable<Text>,
    Text,
    Nullable<BigInt>,
    BigInt,
    Nullable<BigInt>,
);
type GrantTuple = (
    i64,
    Option<String>,
    Option<i64>,
    Option<String>,
    i16,
    String,
    i16,
    i16,
    Option<i64>,
    Option<String>,
    String,
    Option<i64>,
    i64,
    Option<i64>,
);

macro_rules! columns {
    () => {
        "id, patient, to_account, to_client, level, scopes, labels, sees_history, until_us, reason, origin, granted_by, \
         created_us, ended_us"
    };
}

/// Selects the grants that meet the condition in the order in which they were made, as [`GrantTuple`]s.
macro_rules! select_grants {
    ($condition:literal) => {
        concat!("SELECT ", columns!(), " FROM access_grant WHERE ", $condition, " ORDER BY id")
    };
}

fn grant(row: GrantTuple) -> Result<Grant, StoreError> {
    let (id, patient, to_account, to_client, level, scopes, labels, history, until_us, reason, origin, ..) = row;
    let (.., granted_by, created_us, ended_us) = row;
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of grant {id}"));
    Ok(Grant {
        id,
        patient: id_from(patient)?,
        to: match (to_account, to_client) {
            (Some(account), None) => Grantee::Account(account),
            (None, Some(client)) => Grantee::Client(client),
            _ => return Err(damaged("the receiver")),
        },
        level: GrantLevel::ALL.into_iter().find(|known| *known as i16 == level).ok_or_else(|| damaged("the level"))?,
        scopes,
        labels: Labels::ALL.into_iter().find(|known| *known as i16 == labels).ok_or_else(|| damaged("the labels"))?,
        sees_history: history != 0,
        until_us,
        reason,
        origin,
        granted_by,
        created_us,
        ended_us,
    })
}

fn grants(rows: Vec<GrantTuple>) -> Result<Vec<Grant>, StoreError> {
    rows.into_iter().map(grant).collect()
}

impl Reader<'_> {
    /// The grant with this number, ended or not.
    pub fn grant(&mut self, id: i64) -> Result<Option<Grant>, StoreError> {
        let values = [Value::Integer(id)];
        let select = fixed!(GrantSql, select_grants!("id = ?"), &values);
        let found: Vec<GrantTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().next().map(grant).transpose()
    }

    /// All grants to an account, ended or not.
    pub fn grants_of_account(&mut self, account: i64) -> Result<Vec<Grant>, StoreError> {
        let values = [Value::Integer(account)];
        let select = fixed!(GrantSql, select_grants!("to_account = ?"), &values);
        grants(on!(self.link, connection => select.load(*connection))?)
    }

    /// All grants to a client, ended or not.
    pub fn grants_of_client(&mut self, client: &str) -> Result<Vec<Grant>, StoreError> {
        let values = [Value::Text(client)];
        let select = fixed!(GrantSql, select_grants!("to_client = ?"), &values);
        grants(on!(self.link, connection => select.load(*connection))?)
    }

    /// All grants on a record, ended or not; not those on all records.
    pub fn grants_on(&mut self, patient: &Id) -> Result<Vec<Grant>, StoreError> {
        let values = [Value::Text(patient.as_str())];
        let select = fixed!(GrantSql, select_grants!("patient = ?"), &values);
        grants(on!(self.link, connection => select.load(*connection))?)
    }

    /// All grants on all records, ended or not.
    pub fn grants_on_all(&mut self) -> Result<Vec<Grant>, StoreError> {
        let select = fixed!(GrantSql, select_grants!("patient IS NULL"), &[]);
        grants(on!(self.link, connection => select.load(*connection))?)
    }

    /// The grants by which an account lets apps act for it; ended ones, too.
    pub fn grants_to_apps(&mut self, account: i64) -> Result<Vec<Grant>, StoreError> {
        let values = [Value::Integer(account)];
        let select = fixed!(GrantSql, select_grants!("granted_by = ? AND to_client IS NOT NULL"), &values);
        grants(on!(self.link, connection => select.load(*connection))?)
    }

    /// The grants by which an account lets one app act for it; ended ones, too.
    pub fn grants_to_app(&mut self, account: i64, client: &str) -> Result<Vec<Grant>, StoreError> {
        let values = [Value::Integer(account), Value::Text(client)];
        let select = fixed!(GrantSql, select_grants!("granted_by = ? AND to_client = ?"), &values);
        grants(on!(self.link, connection => select.load(*connection))?)
    }

    /// The grants to an account that are in force.
    pub fn standing_of_account(&mut self, account: i64, now_us: i64) -> Result<Vec<Grant>, StoreError> {
        let values = [Value::Integer(account), Value::Integer(now_us)];
        let select = fixed!(
            GrantSql,
            select_grants!("to_account = ? AND ended_us IS NULL AND (until_us IS NULL OR until_us > ?)"),
            &values,
        );
        grants(on!(self.link, connection => select.load(*connection))?)
    }

    /// The grants to a client that are in force.
    pub(super) fn standing_of_client(&mut self, client: &str, now_us: i64) -> Result<Vec<Grant>, StoreError> {
        let values = [Value::Text(client), Value::Integer(now_us)];
        let select = fixed!(
            GrantSql,
            select_grants!("to_client = ? AND ended_us IS NULL AND (until_us IS NULL OR until_us > ?)"),
            &values,
        );
        grants(on!(self.link, connection => select.load(*connection))?)
    }
}

impl Tx<'_> {
    /// Makes a grant.
    pub fn add_grant(&mut self, new: &NewGrant) -> Result<Grant, StoreError> {
        self.bump()?;
        let (to_account, to_client) = match &new.to {
            Grantee::Account(account) => (Some(*account), None),
            Grantee::Client(client) => (None, Some(client.as_str())),
        };
        let values = [
            Value::AnyText(new.patient.as_ref().map(Id::as_str)),
            Value::AnyInteger(to_account),
            Value::AnyText(to_client),
            Value::Integer(new.level as i64),
            Value::Text(&new.scopes),
            Value::Integer(new.labels as i64),
            Value::Integer(i64::from(new.sees_history)),
            Value::AnyInteger(new.until_us),
            Value::AnyText(new.reason.as_deref()),
            Value::Text(&new.origin),
            Value::AnyInteger(new.granted_by),
            Value::Integer(self.now_us),
        ];
        let insert = fixed!(
            GrantSql,
            concat!(
                "INSERT INTO access_grant (patient, to_account, to_client, level, scopes, labels, sees_history, until_us, \
                 reason, origin, granted_by, created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING ",
                columns!()
            ),
            &values,
        );
        grant(on!(self.reader.link, connection => insert.get_result(*connection))?)
    }

    /// Ends a grant before its time; false when it was ended already, or there is none.
    pub fn end_grant(&mut self, id: i64) -> Result<bool, StoreError> {
        let values = [Value::Integer(self.now_us), Value::Integer(id)];
        let update = fixed!((), "UPDATE access_grant SET ended_us = ? WHERE id = ? AND ended_us IS NULL", &values);
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)
    }
}
