//! How long the reads of one request may take together, and what ends them.
//!
//! SQLite asks a callback now and then whether to go on; that looks at the deadline of its thread, for a statement runs on
//! the thread that asked for it. PostgreSQL has a limit of its own for each statement of a connection, which is shortened
//! when the statements before have used up part of the time.
//!
//! Spec: sqlite.org/c3ref/progress_handler.html, postgresql.org/docs/current/runtime-config-client.html

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, SqliteConnection};
use libsqlite3_sys as ffi;

use crate::store::StoreError;
use crate::store::reader::Link;

/// SQLite asks after so many steps of its machine, which take some 50 to 500 us; asking takes some 50 ns.
const STEPS: c_int = 10_000;

thread_local! {
    static DEADLINE: Cell<Option<Deadline>> = const { Cell::new(None) };
    /// The connection that this thread is opening has to ask.
    static ASKS: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Copy)]
struct Deadline {
    end: Instant,
    /// What PostgreSQL gives the next statement, if it is not told otherwise.
    given: Duration,
}

/// Runs `work`, whose statements may take `limit` together; `None` gives them any time. What comes too late ends with
/// `StoreError::Timeout`.
pub(super) fn within<T>(limit: Option<Duration>, work: impl FnOnce() -> T) -> T {
    /// Puts back what held before, even when the work panics.
    struct Outer(Option<Deadline>);
    impl Drop for Outer {
        fn drop(&mut self) {
            DEADLINE.set(self.0);
        }
    }
    let deadline = limit.and_then(|given| Some(Deadline { end: Instant::now().checked_add(given)?, given }));
    let _outer = Outer(DEADLINE.replace(deadline));
    work()
}

/// To be called before a statement: refuses it when the time is over, and tells PostgreSQL what is left of it.
pub(super) fn check(link: &mut Link<'_>) -> Result<(), StoreError> {
    let Some(deadline) = DEADLINE.get() else {
        return Ok(());
    };
    let left = deadline.end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(StoreError::Timeout);
    }
    // A round trip, so only where it makes a difference: nearly all requests are done long before.
    if let Link::Postgres(connection) = link
        && left < deadline.given.mul_f32(0.9)
    {
        connection.batch_execute(&format!("SET LOCAL {}", statement_timeout(left)))?;
        DEADLINE.set(Some(Deadline { given: left, ..deadline }));
    }
    Ok(())
}

/// What PostgreSQL is to be told with `SET`, so that its statements end after `limit`.
pub(super) fn statement_timeout(limit: Duration) -> String {
    // 0 would be no limit, and so would be more than fits.
    let limit_ms = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1);
    format!("statement_timeout = {limit_ms}")
}

/// Opens an SQLite database with a connection that keeps the deadlines of the threads that use it.
pub(super) fn open_sqlite(path: &str) -> Result<SqliteConnection, StoreError> {
    // diesel shows nobody its handle; SQLite shows it to what extends each connection as it is opened.
    static EXTENDED: OnceLock<c_int> = OnceLock::new();
    // SAFETY: `extend` has the form that SQLite calls, and lives as long as the program.
    let code = *EXTENDED.get_or_init(|| unsafe { ffi::sqlite3_auto_extension(Some(extend)) });
    if code != ffi::SQLITE_OK {
        return Err(StoreError::Unreachable("no memory".to_owned()));
    }
    ASKS.set(true);
    let opened = SqliteConnection::establish(path);
    ASKS.set(false);
    Ok(opened?)
}

/// Has a fresh connection ask, if it is one that `open_sqlite` opens.
unsafe extern "C" fn extend(
    connection: *mut ffi::sqlite3,
    _: *mut *mut c_char,
    _: *const ffi::sqlite3_api_routines,
) -> c_int {
    if ASKS.get() {
        // SAFETY: SQLite hands over a connection that is open, and no other thread has it yet. `is_over` lives as long as
        // the program and takes no data.
        unsafe { ffi::sqlite3_progress_handler(connection, STEPS, Some(is_over), ptr::null_mut()) };
    }
    ffi::SQLITE_OK
}

/// Anything but 0 ends the statement under way. Never unwinds: the value of the thread has no destructor, so it is always
/// there.
unsafe extern "C" fn is_over(_: *mut c_void) -> c_int {
    c_int::from(DEADLINE.get().is_some_and(|deadline| Instant::now() >= deadline.end))
}

#[cfg(test)]
mod tests {
    use diesel::RunQueryDsl;
    use diesel::sql_types::BigInt;

    use super::*;
    use crate::store::statement::fixed;

    /// Takes seconds.
    fn count(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
        let select = fixed!(
            BigInt,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT COUNT(*) FROM n",
            &[],
        );
        Ok(select.get_result(connection)?)
    }

    fn one(connection: &mut SqliteConnection) -> i64 {
        fixed!(BigInt, "SELECT 1", &[]).get_result(connection).unwrap()
    }

    #[test]
    fn a_statement_ends_with_its_time_and_the_connection_goes_on() {
        let mut connection = open_sqlite(":memory:").unwrap();

        let ended = within(Some(Duration::from_millis(5)), || count(&mut connection));

        assert!(matches!(ended, Err(StoreError::Timeout)), "{ended:?}");
        assert_eq!(one(&mut connection), 1);
    }

    #[test]
    fn a_statement_that_comes_too_late_does_not_begin() {
        let mut connection = open_sqlite(":memory:").unwrap();

        let begun = within(Some(Duration::ZERO), || check(&mut Link::Sqlite(&mut connection)));

        assert!(matches!(begun, Err(StoreError::Timeout)));
        assert!(check(&mut Link::Sqlite(&mut connection)).is_ok());
    }

    #[test]
    fn the_time_within_another_is_its_own() {
        let mut connection = open_sqlite(":memory:").unwrap();
        let mut check = || check(&mut Link::Sqlite(&mut connection));

        within(Some(Duration::from_secs(60)), || {
            assert!(within(Some(Duration::ZERO), &mut check).is_err());
            assert!(check().is_ok());
        });
    }

    #[test]
    fn no_limit_of_postgres_is_none() {
        assert_eq!(statement_timeout(Duration::from_micros(3)), "statement_timeout = 1");
        assert_eq!(statement_timeout(Duration::from_secs(30)), "statement_timeout = 30000");
        assert_eq!(statement_timeout(Duration::MAX), "statement_timeout = 2147483647");
    }
}
