//! A fresh database for each test, gone when the test is over. It is a copy of one that was migrated once ([`template`]).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection};

use crate::support::template::{self, Cluster, VARIABLE};

/// On what a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A database that is removed when this is dropped, even if the test panics.
pub struct Home {
    /// What the server is to open.
    pub address: String,
    place: Place,
}

enum Place {
    Folder(PathBuf),
    Postgres { cluster: &'static Cluster, name: String },
}

impl Home {
    /// Makes one that is migrated; `None`, after saying so, when there is no PostgreSQL to make it on.
    pub fn make(database: Database) -> Option<Home> {
        let write = |path: &Path| std::fs::write(path, template::sqlite_file()).unwrap();
        Home::made_by(database, write, Cluster::create)
    }

    /// As [`Home::make`], with nothing in it: no file on SQLite, no table on PostgreSQL.
    pub fn make_empty(database: Database) -> Option<Home> {
        Home::made_by(database, |_| {}, Cluster::create_empty)
    }

    fn made_by(
        database: Database,
        write: impl FnOnce(&Path),
        create: impl FnOnce(&Cluster, &str) -> String,
    ) -> Option<Home> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("emberwell_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        match database {
            Database::Sqlite => {
                let folder = std::env::temp_dir().join(name);
                std::fs::create_dir_all(&folder).unwrap();
                let path = folder.join("emberwell.db");
                write(&path);
                Some(Home { address: format!("sqlite:{}", path.display()), place: Place::Folder(folder) })
            }
            Database::Postgres => {
                let Some(cluster) = Cluster::get() else {
                    skipped();
                    return None;
                };
                let address = create(cluster, &name);
                Some(Home { address, place: Place::Postgres { cluster, name } })
            }
        }
    }
}

/// Changes the database at `address` behind the server's back.
pub fn execute(address: &str, statements: &str) {
    match address.strip_prefix("sqlite:") {
        Some(path) => {
            let mut connection = SqliteConnection::establish(path).unwrap();
            // Others may be writing.
            connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
            connection.batch_execute(statements).unwrap();
        }
        None => PgConnection::establish(address).unwrap().batch_execute(statements).unwrap(),
    }
}

/// What a statement selects, one text a row in a column called `line`.
pub fn select(address: &str, statement: &str) -> Vec<String> {
    let query = diesel::sql_query(statement);
    let rows: Vec<Line> = match address.strip_prefix("sqlite:") {
        Some(path) => query.load(&mut SqliteConnection::establish(path).unwrap()).unwrap(),
        None => query.load(&mut PgConnection::establish(address).unwrap()).unwrap(),
    };
    rows.into_iter().map(|row| row.line).collect()
}

#[derive(QueryableByName)]
pub struct Line {
    #[diesel(sql_type = Text)]
    pub line: String,
}

/// A transaction of another program on PostgreSQL that is not over.
pub struct Unfinished(PgConnection);

impl Unfinished {
    /// Begins it, and runs `statements` in it.
    pub fn begin(address: &str, statements: &str) -> Unfinished {
        let mut connection = PgConnection::establish(address).unwrap();
        connection.batch_execute(&format!("BEGIN; {statements}")).unwrap();
        Unfinished(connection)
    }

    pub fn commit(mut self) {
        self.0.batch_execute("COMMIT").unwrap();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        match &self.place {
            Place::Folder(folder) => {
                let _ = std::fs::remove_dir_all(folder);
            }
            Place::Postgres { cluster, name } => match cluster.drop(name) {
                Ok(()) => {}
                // A second panic while a test unwinds would end all tests.
                Err(problem) if std::thread::panicking() => {
                    let _ = writeln!(std::io::stderr(), "{name} is not dropped: {problem}");
                }
                Err(problem) => panic!("{name} is not dropped: {problem}"),
            },
        }
    }
}

/// Says so past the test harness, which would keep what a passing test prints.
fn skipped() {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED on PostgreSQL: {test}: {VARIABLE} is not set");
}
