//! The one thread that writes to SQLite.
//!
//! Requests arrive finished; what is waiting goes into one transaction with a savepoint each, is committed once, and is
//! answered then. Durability thus costs latency, not throughput, and a request that fails harms no other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;

use crate::clock;
use crate::store::reader::{Link, Reader};
use crate::store::tx::{Numbers, Tx};
use crate::store::{Hasher, StoreError, sqlite};

/// So many requests may wait; more are turned away as `Busy`.
const QUEUE: usize = 1024;
/// So many requests share one commit at most.
const LARGEST_BATCH: usize = 128;

/// One request's work on the database, and what happens with its outcome.
pub(super) trait Job: Send {
    /// Does the work; false when it failed and must leave no trace.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Tells that the work can't be kept, whatever its own outcome was.
    fn spoil(&mut self, error: StoreError);
    /// Hands over the outcome: the work is on the disk, or has left no trace.
    fn finish(self: Box<Self>);
}

/// The queue in front of the writing thread.
pub(super) struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    is_broken: Arc<AtomicBool>,
}

impl Writer {
    /// Starts the thread, which owns `connection` from now on.
    pub(super) fn start(connection: SqliteConnection, hasher: Hasher) -> Result<Writer, StoreError> {
        let (sender, receiver) = sync_channel::<Box<dyn Job>>(QUEUE);
        let is_broken = Arc::new(AtomicBool::new(false));
        let broken = Arc::clone(&is_broken);
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write_all(connection, hasher, &receiver, &broken))
            .map_err(|error| StoreError::Unreachable(error.to_string()))?;
        Ok(Writer { queue: Some(sender), thread: Some(thread), is_broken })
    }

    /// Queues `job`; gives it back with the reason if it can't wait here.
    pub(super) fn send(&self, job: Box<dyn Job>) -> Result<(), (Box<dyn Job>, StoreError)> {
        let Some(queue) = &self.queue else {
            return Err((job, StoreError::Busy));
        };
        queue.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(job) => (job, StoreError::Busy),
            TrySendError::Disconnected(job) => {
                (job, StoreError::Unreachable("the writer of the database has stopped".to_owned()))
            }
        })
    }

    /// True once a commit failed in a way that leaves in doubt what is on the disk.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }
}

impl Drop for Writer {
    /// Waits until all that was queued is written.
    fn drop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the database panicked");
        }
    }
}

fn write_all(mut connection: SqliteConnection, hasher: Hasher, queue: &Receiver<Box<dyn Job>>, is_broken: &AtomicBool) {
    let mut last_us = 0;
    while let Ok(first) = queue.recv() {
        let mut batch = Vec::with_capacity(16);
        // Instants never run backwards, even when the machine's clock does.
        last_us = clock::now_us().max(last_us);
        let outcome = fill(&mut connection, hasher, last_us, first, queue, &mut batch);
        if let Err(error) = outcome {
            tracing::error!(%error, "A batch of writes was not kept");
            if let Err(rollback) = connection.batch_execute("ROLLBACK") {
                tracing::debug!(error = %rollback, "Nothing to roll back");
            }
            let is_doubtful = matches!(error, StoreError::Database(_) | StoreError::Unreachable(_));
            for job in &mut batch {
                job.spoil(match error {
                    StoreError::DiskFull => StoreError::DiskFull,
                    StoreError::Busy => StoreError::Busy,
                    _ => StoreError::Unreachable("a commit failed".to_owned()),
                });
            }
            if is_doubtful {
                is_broken.store(true, Ordering::Release);
            }
        }
        for job in batch {
            job.finish();
        }
        if is_broken.load(Ordering::Acquire) {
            // After a failed fsync nobody knows what the disk holds; a fresh start reads it and recovers.
            tracing::error!("The database could not be written; no more writes are taken");
            return;
        }
    }
}

/// Runs `first` and whatever waits behind it in one transaction, and commits it.
fn fill(
    connection: &mut SqliteConnection,
    hasher: Hasher,
    now_us: i64,
    first: Box<dyn Job>,
    queue: &Receiver<Box<dyn Job>>,
    batch: &mut Vec<Box<dyn Job>>,
) -> Result<(), StoreError> {
    batch.push(first);
    connection.batch_execute("BEGIN IMMEDIATE")?;
    let mut numbers = Numbers { next: sqlite::next_rid(connection)?, end: i64::MAX };
    let mut under_way = 0;
    while under_way < batch.len() {
        let job = &mut batch[under_way];
        connection.batch_execute("SAVEPOINT request")?;
        let unused = numbers.next;
        let mut tx =
            Tx { reader: Reader { link: Link::Sqlite(&mut *connection), hasher }, now_us, numbers: &mut numbers };
        let kept = match catch_unwind(AssertUnwindSafe(|| job.run(&mut tx))) {
            Ok(kept) => kept,
            Err(panic) => {
                tracing::error!(panic = panic_text(&panic), "A write panicked");
                job.spoil(StoreError::Panicked);
                false
            }
        };
        if !kept {
            numbers.next = unused;
            connection.batch_execute("ROLLBACK TO request")?;
        }
        connection.batch_execute("RELEASE request")?;
        under_way += 1;
        if batch.len() < LARGEST_BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
    }
    connection.batch_execute("COMMIT")?;
    Ok(())
}

/// The text of a panic, for the log.
pub(super) fn panic_text(panic: &Box<dyn Any + Send>) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
