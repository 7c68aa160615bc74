//! The database: the only room that names diesel.
//!
//! `Store::read` gives a snapshot, `Store::submit` runs a piece of work in a write transaction and calls back when it is
//! on the disk. SQLite has one writing thread, PostgreSQL a pool.

mod access;
mod audit;
mod binary_creator;
pub mod ceiling;
mod codec;
mod consent_rules;
mod contained;
mod deadline;
mod dictionaries;
mod error;
mod guard;
mod hasher;
mod history;
mod index_rules;
mod job;
mod known_texts;
mod load_mark;
mod migrate;
mod own_parameters;
mod pool;
mod postgres;
mod query;
mod reader;
mod renew;
mod row_set;
mod rows;
mod seal;
mod shared_read;
mod snapshot;
mod sqlite;
mod standing;
mod statement;
#[cfg(test)]
mod tests;
mod trace;
mod tx;
mod verify;
mod writer;

pub use access::{
    AccessToken, Account, AuthorizationCode, Client, ClientFacts, ClientKind, ClientOrigin, ClientState, DeviceCode,
    Grant, GrantLevel, Grantee, Happened, Happening, Identity, Labels, Launch, Logo, NewAccount, NewGrant,
    NewHappening, NewIdentity, NewPasskey, Part, PasswordHash, Role, SecretHash, Session, SigningKey,
    StoredAuthenticator, StoredPasskey, TokenContext, TokenKind,
};
pub use audit::{AuditBlock, AuditHead, AuditLink, AuditWalk, Ownership};
pub use binary_creator::Creator;
pub use codec::Packed;
pub use consent_rules::ConsentRow;
pub use contained::{ContainedHead, ContainedRows, PLACES, container_of, order_of};
pub use error::StoreError;
pub use guard::Guard;
pub use hasher::Hasher;
pub use history::{HistoryRequest, HistoryRow, HistoryScope};
pub use index_rules::IndexRules;
pub use job::{Extent, Job, JobState};
pub use load_mark::LoadMark;
pub use own_parameters::{Definition, FIRST_OWN_NUMBER, LAST_OWN_NUMBER, ParameterState, StoredParameter};
pub use pool::{Store, WorkError};
pub use query::{Bind, Query};
pub use reader::{Reader, TypeCount};
pub use renew::Renewal;
pub use rows::{
    Bond, CompositeRow, DateRow, Edge, HAS_NARRATIVE, IndexRows, Method, PatientRow, PositionRow, QuantityRow,
    ReferenceRow, ResourceRow, Side, StringRow, TokenRow, TokenText, UriRow, WordSum, WordTexts,
};
pub use seal::Seal;
pub use shared_read::end_shared_read;
pub use standing::{SortRow, Standing, StandingContent, Target};
pub use trace::{Step, StepAnswer};
pub use tx::{Locked, Put, Tx, Written};
pub use verify::{Fingerprint, Span, StoredRow, TABLES, Table};

/// Which database a statement is for; the few differences between the two are asked of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}
