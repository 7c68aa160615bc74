//! Bringing a database to the form that this release writes.

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::sql_types::Binary;
use diesel::{PgConnection, RunQueryDsl, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::store::StoreError;
use crate::store::statement::{Value, fixed};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The advisory lock that a server holds while it migrates; any number that only this program uses.
const LOCK: &str = "4919131821";

const HASH_KEY: &str = "index-hash-key";

/// Migrates under the write lock of the file, and answers with the key of the index hash.
pub(super) fn sqlite(connection: &mut SqliteConnection) -> Result<[u8; 16], StoreError> {
    // Alone from the first look on: two programs may start on the same file.
    connection.immediate_transaction(|connection| {
        migrate(connection, SQLITE)?;
        let values = [Value::Text(HASH_KEY)];
        let select = fixed!(Binary, "SELECT value FROM setting WHERE name = ?", &values);
        let found: Vec<Vec<u8>> = select.load(connection)?;
        if let Some(key) = found.into_iter().next() {
            return hash_key(&key);
        }
        let key = new_hash_key();
        let values = [Value::Text(HASH_KEY), Value::Bytes(Some(&key))];
        fixed!((), "INSERT INTO setting (name, value) VALUES (?, ?)", &values).execute(connection)?;
        Ok(key)
    })
}

/// Migrates under an advisory lock, and answers with the key of the index hash.
pub(super) fn postgres(connection: &mut PgConnection) -> Result<[u8; 16], StoreError> {
    connection.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))?;
    let migrated = migrate(connection, POSTGRES).and_then(|()| {
        let values = [Value::Text(HASH_KEY)];
        let select = fixed!(Binary, "SELECT value FROM setting WHERE name = ?", &values);
        let found: Vec<Vec<u8>> = select.load(connection)?;
        if let Some(key) = found.into_iter().next() {
            return hash_key(&key);
        }
        let key = new_hash_key();
        let values = [Value::Text(HASH_KEY), Value::Bytes(Some(&key))];
        fixed!((), "INSERT INTO setting (name, value) VALUES (?, ?)", &values).execute(connection)?;
        Ok(key)
    });
    connection.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
    migrated
}

fn migrate<DB, C>(connection: &mut C, source: EmbeddedMigrations) -> Result<(), StoreError>
where
    DB: Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Damaged(error.to_string());
    let known: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(damaged)?;
    let applied = connection.applied_migrations().map_err(damaged)?;
    for version in &applied {
        if !known.iter().any(|migration| migration.name().version() == *version) {
            return Err(StoreError::Newer(version.to_string()));
        }
    }
    let ran = connection.run_pending_migrations(source).map_err(damaged)?;
    for version in ran {
        tracing::info!(migration = %version, "Migrated the database");
    }
    Ok(())
}

fn new_hash_key() -> [u8; 16] {
    uuid::Uuid::new_v4().into_bytes()
}

fn hash_key(bytes: &[u8]) -> Result<[u8; 16], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged("the key of the index hash".to_owned()))
}
