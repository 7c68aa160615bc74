//! What a fresh database begins as: whatever `emberwell migrate` makes of nothing, without the keys that each database makes for itself.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};

use crate::support::database::{Line, execute, select};
use crate::support::program;

/// The address of a PostgreSQL database from which others can be created.
pub const VARIABLE: &str = "EMBERWELL_TEST_POSTGRES";

/// The names of the templates of PostgreSQL begin so.
const PREFIX: &str = "emberwell_test_template_";

/// The file of a migrated SQLite database.
pub fn sqlite_file() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("emberwell.db");
        migrate(&format!("sqlite:{}", path.display()));
        assert!(!folder.join("emberwell.db-wal").exists(), "a part of the database is not in its file");
        let file = std::fs::read(path).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        file
    })
}

/// A PostgreSQL server, and the one connection by which all tests make and drop databases on it.
///
/// The template stays for later runs with the same migrations. Who uses a template holds a shared lock of its name, so that no run with
/// other migrations takes it for a thing of the past.
pub struct Cluster {
    admin: Mutex<PgConnection>,
    /// The address without the name of a database.
    server: String,
    template: String,
}

impl Cluster {
    /// The one that [`VARIABLE`] names, if it names any.
    pub fn get() -> Option<&'static Cluster> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        CLUSTER.get_or_init(|| std::env::var(VARIABLE).ok().map(|admin| Cluster::at(&admin))).as_ref()
    }

    fn at(admin: &str) -> Cluster {
        let (server, _) = admin.rsplit_once('/').expect("the address ends with the name of a database");
        let mut connection = PgConnection::establish(admin).unwrap();
        let template = format!("{PREFIX}{}", digest_of_migrations());
        // One run at a time looks what there is.
        connection.batch_execute(&format!("SELECT pg_advisory_lock({})", lock(PREFIX))).unwrap();
        drop_old_templates(&mut connection, &template);
        if databases(&mut connection, &format!("datname = '{template}'")).is_empty() {
            make_template(&mut connection, server, &template);
        }
        let (own, all) = (lock(&template), lock(PREFIX));
        connection
            .batch_execute(&format!("SELECT pg_advisory_lock_shared({own}); SELECT pg_advisory_unlock({all})"))
            .unwrap();
        Cluster { admin: Mutex::new(connection), server: server.to_owned(), template }
    }

    /// Makes a migrated database, and gives its address.
    pub fn create(&self, name: &str) -> String {
        self.run(&format!("CREATE DATABASE {name} TEMPLATE {}", self.template)).unwrap();
        format!("{}/{name}", self.server)
    }

    /// Makes a database with nothing in it, and gives its address.
    pub fn create_empty(&self, name: &str) -> String {
        self.run(&create_empty(name)).unwrap();
        format!("{}/{name}", self.server)
    }

    /// Drops a database, whoever may be connected to it.
    pub fn drop(&self, name: &str) -> diesel::QueryResult<()> {
        self.run(&format!("DROP DATABASE {name} WITH (FORCE)"))
    }

    fn run(&self, statement: &str) -> diesel::QueryResult<()> {
        // A test that fails here leaves nothing half done.
        self.admin.lock().unwrap_or_else(PoisonError::into_inner).batch_execute(statement)
    }
}

fn make_template(connection: &mut PgConnection, server: &str, template: &str) {
    // It has its name when it is whole.
    let unfinished = format!("{template}_new");
    connection.batch_execute(&create_empty(&unfinished)).unwrap();
    migrate(&format!("{server}/{unfinished}"));
    // PostgreSQL copies nothing that somebody is connected to.
    connection.batch_execute(&format!("ALTER DATABASE {unfinished} ALLOW_CONNECTIONS false")).unwrap();
    connection.batch_execute(&format!("ALTER DATABASE {unfinished} RENAME TO {template}")).unwrap();
}

/// Drops the templates of other migrations that no run uses any more, and those that were never finished.
fn drop_old_templates(connection: &mut PgConnection, template: &str) {
    let is_free = format!("pg_try_advisory_lock({})", lock_of("line"));
    let begins = PREFIX.replace('_', "\\_");
    for old in databases(connection, &format!("datname LIKE '{begins}%' AND datname <> '{template}'")) {
        let free = format!("SELECT line FROM (VALUES ('{old}')) AS old (line) WHERE {is_free}");
        if !lines(connection, &free).is_empty() {
            connection.batch_execute(&format!("DROP DATABASE {old} WITH (FORCE)")).unwrap();
            connection.batch_execute(&format!("SELECT pg_advisory_unlock({})", lock(&old))).unwrap();
        }
    }
}

fn create_empty(name: &str) -> String {
    format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
}

/// The number of the advisory lock of `name`, as SQL.
fn lock(name: &str) -> String {
    lock_of(&format!("'{name}'"))
}

fn lock_of(expression: &str) -> String {
    format!("hashtextextended({expression}, 0)")
}

fn databases(connection: &mut PgConnection, condition: &str) -> Vec<String> {
    lines(connection, &format!("SELECT datname::text AS line FROM pg_database WHERE {condition}"))
}

fn lines(connection: &mut PgConnection, statement: &str) -> Vec<String> {
    let rows: Vec<Line> = diesel::sql_query(statement).load(connection).unwrap();
    rows.into_iter().map(|row| row.line).collect()
}

/// Migrates the empty database at `address`, and takes out what differs between databases.
fn migrate(address: &str) {
    let run = program::on(address, "migrate").output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    execute(address, "DELETE FROM setting WHERE name IN ('index-hash-key', 'seal-key')");
    assert_eq!(
        select(address, "SELECT name AS line FROM setting"),
        [""; 0],
        "what else does a database know of itself alone?"
    );
}

/// A short name for the migrations of PostgreSQL as they stand now.
fn digest_of_migrations() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut migrations: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    migrations.sort();
    let mut digest = Sha256::new();
    for migration in migrations {
        digest.update(migration.file_name().unwrap().as_encoded_bytes());
        digest.update(std::fs::read(migration.join("up.sql")).unwrap());
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
