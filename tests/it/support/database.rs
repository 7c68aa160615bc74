//! A fresh database for each test, gone when the test is over.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection};

/// The address of a PostgreSQL database from which others can be created.
const VARIABLE: &str = "EMBERWELL_TEST_POSTGRES";

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
    Postgres { admin: String, name: String },
}

impl Home {
    /// Makes one; `None`, after saying so, when there is no PostgreSQL to make it on.
    pub fn make(database: Database) -> Option<Home> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("emberwell_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        match database {
            Database::Sqlite => {
                let folder = std::env::temp_dir().join(name);
                std::fs::create_dir_all(&folder).unwrap();
                let address = format!("sqlite:{}", folder.join("emberwell.db").display());
                Some(Home { address, place: Place::Folder(folder) })
            }
            Database::Postgres => {
                let Ok(admin) = std::env::var(VARIABLE) else {
                    skipped();
                    return None;
                };
                psql(&admin, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"));
                let (server, _) = admin.rsplit_once('/').expect("the address ends with the name of a database");
                Some(Home { address: format!("{server}/{name}"), place: Place::Postgres { admin, name } })
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
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
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
            Place::Postgres { admin, name } => psql(admin, &format!("DROP DATABASE {name} WITH (FORCE)")),
        }
    }
}

/// Says so past the test harness, which would keep what a passing test prints.
fn skipped() {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED on PostgreSQL: {test}: {VARIABLE} is not set");
}

fn psql(admin: &str, statement: &str) {
    let run = Command::new("psql").args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, admin]).output();
    let problem = match run {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    // A second panic while a test unwinds would end all tests.
    if std::thread::panicking() {
        let _ = writeln!(std::io::stderr(), "psql: {statement}: {problem}");
    } else {
        panic!("psql: {statement}: {problem}");
    }
}
