//! Reads that a thread does one right after the other, on one snapshot.
//!
//! To begin and end a snapshot SQLite takes locks in shared memory, for which threads wait for each other; that costs more
//! than reading one resource. So a thread that has several requests at hand leaves its snapshot open from one to the
//! next, as long as nothing was committed in between.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::RunQueryDsl;
use r2d2::PooledConnection;

use crate::store::StoreError;
use crate::store::pool::{Database, SqliteFile, Store, WorkError, guarded, take};
use crate::store::reader::{Link, Reader};
use crate::store::statement::fixed;

thread_local! {
    static LEFT_OPEN: Cell<Option<Snapshot>> = const { Cell::new(None) };
}

/// A snapshot that is open on this thread.
struct Snapshot {
    held: PooledConnection<SqliteFile>,
    /// The counter of the store that it is of, and what that said before the snapshot began: a commit in between makes
    /// it newer than its number, never older.
    counter: Arc<AtomicU64>,
    commits: u64,
}

impl Store {
    /// Runs `work` on a snapshot that shows all that this process had committed before the call.
    ///
    /// On SQLite the snapshot may be one that is open on this thread already, and is left open. `begun` is called when
    /// there was none: it must see to it that `end_shared_read` is called on this thread once what is at hand is done.
    /// Until then the log can't be folded in, and what another process commits is not seen.
    pub fn read_shared<T, E: WorkError>(
        &self,
        begun: impl FnOnce(),
        work: impl FnOnce(&mut Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Database::Sqlite { readers, writer } = &self.database else {
            return self.read(work);
        };
        let counter = writer.commits();
        let commits = counter.load(Ordering::Acquire);
        let mut snapshot = match LEFT_OPEN.take() {
            Some(open) if open.commits == commits && Arc::ptr_eq(&open.counter, counter) => open,
            stale => {
                match stale {
                    Some(stale) => stale.end(),
                    None => begun(),
                }
                let mut held = take(readers)?;
                if let Err(error) = fixed!((), "BEGIN", &[]).execute(&mut held.connection) {
                    held.is_broken = true;
                    return Err(StoreError::from(error).into());
                }
                Snapshot { held, counter: Arc::clone(counter), commits }
            }
        };
        let done = guarded(|| work(&mut self.reader(Link::Sqlite(&mut snapshot.held.connection))));
        snapshot.held.note(&done);
        if snapshot.held.is_broken {
            snapshot.end();
        } else {
            LEFT_OPEN.set(Some(snapshot));
        }
        done
    }
}

/// Ends the snapshot that `Store::read_shared` left open on this thread, if there is one.
pub fn end_shared_read() {
    if let Some(snapshot) = LEFT_OPEN.take() {
        snapshot.end();
    }
}

impl Snapshot {
    fn end(mut self) {
        if let Err(error) = fixed!((), "COMMIT", &[]).execute(&mut self.held.connection) {
            tracing::debug!(%error, "A snapshot could not be ended; its connection is given up");
            self.held.is_broken = true;
        }
    }
}
