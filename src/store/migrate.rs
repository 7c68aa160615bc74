//! Bringing a database to the form that this release writes.

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::sql_types::Binary;
use diesel::{PgConnection, RunQueryDsl, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::store::reader::{Link, on};
use crate::store::statement::{Value, fixed};
use crate::store::{Hasher, Seal, StoreError};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The advisory lock that a server holds while it migrates; any number that only this program uses.
const LOCK: &str = "4919131821";

const HASH_KEY: &str = "index-hash-key";
const SEAL_KEY: &str = "seal-key";

/// The random keys of a database, made when it is.
pub(super) struct Keys {
    pub hasher: Hasher,
    pub seal: Seal,
}

/// Migrates under the write lock of the file, and answers with the keys.
pub(super) fn sqlite(connection: &mut SqliteConnection) -> Result<Keys, StoreError> {
    // Alone from the first look on: two programs may start on the same file.
    connection.immediate_transaction(|connection| {
        migrate(connection, SQLITE)?;
        keys(Link::Sqlite(connection))
    })
}

/// Migrates under an advisory lock, and answers with the keys.
pub(super) fn postgres(connection: &mut PgConnection) -> Result<Keys, StoreError> {
    connection.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))?;
    let keys = migrate(connection, POSTGRES).and_then(|()| keys(Link::Postgres(connection)));
    connection.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
    keys
}

fn keys(mut link: Link<'_>) -> Result<Keys, StoreError> {
    let hash_key = key(&mut link, HASH_KEY, || uuid::Uuid::new_v4().into_bytes().to_vec())?;
    let hash_key = hash_key.try_into().map_err(|_| StoreError::Damaged("the key of the index hash".to_owned()))?;
    let seal = Seal::new(&key(&mut link, SEAL_KEY, Seal::new_key)?)?;
    Ok(Keys { hasher: Hasher::new(hash_key), seal })
}

/// The key that is kept under `name`, which `make` gives the first time.
fn key(link: &mut Link<'_>, name: &str, make: fn() -> Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let values = [Value::Text(name)];
    let select = fixed!(Binary, "SELECT value FROM setting WHERE name = ?", &values);
    let found: Vec<Vec<u8>> = on!(*link, connection => select.load(*connection))?;
    if let Some(key) = found.into_iter().next() {
        return Ok(key);
    }
    let key = make();
    let values = [Value::Text(name), Value::Bytes(Some(&key))];
    let insert = fixed!((), "INSERT INTO setting (name, value) VALUES (?, ?)", &values);
    on!(*link, connection => insert.execute(*connection))?;
    Ok(key)
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
