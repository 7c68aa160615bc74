//! What can go wrong in the database.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use thiserror::Error;

/// Why a call of the store did not do its work. Texts are for the log; the edge writes its own for clients.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No connection came free in time, or the queue of writes is full.
    #[error("the database is too busy")]
    Busy,
    /// The database can't be reached.
    #[error("the database can't be reached: {0}")]
    Unreachable(String),
    /// Two writers met; the work may be tried again.
    #[error("another write got in between")]
    Collision,
    /// Index rows were made by rules that are no longer the present ones; they must be made anew.
    #[error("search parameters were defined meanwhile")]
    OtherRules,
    /// The disk is full; reading goes on.
    #[error("the disk is full")]
    DiskFull,
    /// The work took longer than it may.
    #[error("the database took too long")]
    Timeout,
    /// The database was written by a later release.
    #[error(
        "the database has migration {0}, which this release does not know: use the release that wrote it, or a later one"
    )]
    Newer(String),
    /// The address of the database is not understood.
    #[error("'{0}' is no database address: use sqlite:PATH or postgres://..")]
    Address(String),
    /// A row or a migration is not as this release writes it.
    #[error("the database holds something unexpected: {0}")]
    Damaged(String),
    /// The work itself panicked; nothing of it was kept.
    #[error("the work on the database broke off")]
    Panicked,
    /// Anything else that diesel reports.
    #[error("database: {0}")]
    Database(DieselError),
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> StoreError {
        let DieselError::DatabaseError(kind, information) = &error else {
            return StoreError::Database(error);
        };
        // Neither client library hands on a code for these; the English text is all there is.
        let message = information.message();
        match kind {
            DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::SerializationFailure => StoreError::Collision,
            DatabaseErrorKind::ClosedConnection => StoreError::Unreachable(message.to_owned()),
            _ if message.contains("deadlock detected") => StoreError::Collision,
            _ if message.contains("database or disk is full") || message.contains("No space left on device") => {
                StoreError::DiskFull
            }
            _ if message.contains("database is locked") || message.contains("lock timeout") => StoreError::Busy,
            _ if message.contains("statement timeout") || message == "interrupted" => StoreError::Timeout,
            _ => StoreError::Database(error),
        }
    }
}

impl From<diesel::ConnectionError> for StoreError {
    fn from(error: diesel::ConnectionError) -> StoreError {
        StoreError::Unreachable(error.to_string())
    }
}
