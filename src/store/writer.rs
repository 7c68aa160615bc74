//! The one thread that writes to SQLite.
//!
//! Requests arrive finished; what is waiting goes into one transaction, is committed once, and is answered then.
//! Durability thus costs latency, not throughput, and a request that fails harms no other: one that fails before it
//! wrote anything leaves nothing to undo, and when one fails later, which is rare, the batch runs again with a savepoint
//! for each. Savepoints for all would cost a tenth of the time.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;

use crate::clock;
use crate::store::dictionaries::Dictionaries;
use crate::store::known_texts::KnownTexts;
use crate::store::reader::{Link, Reader};
use crate::store::tx::{Numbers, Tx};
use crate::store::{Hasher, Seal, StoreError, sqlite};

/// So many requests may wait; more are turned away as `Busy`.
const QUEUE: usize = 1024;
/// So many requests share one commit at most.
const LARGEST_BATCH: usize = 128;

/// One request's work on the database, and what happens with its outcome.
pub(super) trait Job: Send {
    /// Does the work.
    fn run(&mut self, tx: &mut Tx<'_>) -> Done;
    /// Tells that the work can't be kept, whatever its own outcome was.
    fn spoil(&mut self, error: StoreError);
    /// Hands over the outcome: the work is on the disk, or has left no trace.
    fn finish(self: Box<Self>);
}

/// How a job went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Well,
    /// It failed and must leave no trace.
    Badly,
    /// The disk is full: SQLite may have given up the whole transaction on its own.
    OutOfDisk,
}

/// The queue in front of the writing thread.
pub(super) struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    is_broken: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread, which owns `connection` from now on.
    pub(super) fn start(
        connection: SqliteConnection,
        hasher: Hasher,
        seal: Seal,
        dictionaries: Arc<Dictionaries>,
    ) -> Result<Writer, StoreError> {
        let (sender, receiver) = sync_channel::<Box<dyn Job>>(QUEUE);
        let is_broken = Arc::new(AtomicBool::new(false));
        let commits = Arc::new(AtomicU64::new(0));
        let (broken, counter) = (Arc::clone(&is_broken), Arc::clone(&commits));
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write_all(connection, hasher, seal, &dictionaries, &receiver, &broken, &counter))
            .map_err(|error| StoreError::Unreachable(error.to_string()))?;
        Ok(Writer { queue: Some(sender), thread: Some(thread), is_broken, commits })
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

    /// How many batches were committed. Counted before any of their outcomes is told.
    pub(super) fn commits(&self) -> &Arc<AtomicU64> {
        &self.commits
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

fn write_all(
    mut connection: SqliteConnection,
    hasher: Hasher,
    seal: Seal,
    dictionaries: &Dictionaries,
    queue: &Receiver<Box<dyn Job>>,
    is_broken: &AtomicBool,
    commits: &AtomicU64,
) {
    let known_texts = KnownTexts::default();
    while let Ok(first) = queue.recv() {
        let mut batch = Vec::with_capacity(16);
        batch.push(first);
        let mut attempt = Attempt {
            connection: &mut connection,
            hasher,
            seal,
            dictionaries,
            now_us: 0,
            batch: &mut batch,
            known_texts: &known_texts,
            told_texts: Vec::new(),
        };
        let outcome = match attempt.together(queue) {
            Ok(true) => Ok(()),
            Ok(false) => attempt.one_by_one(),
            Err(error) => Err(error),
        };
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
        commits.fetch_add(1, Ordering::AcqRel);
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

/// One batch under way.
struct Attempt<'a> {
    connection: &'a mut SqliteConnection,
    hasher: Hasher,
    seal: Seal,
    dictionaries: &'a Dictionaries,
    now_us: i64,
    batch: &'a mut Vec<Box<dyn Job>>,
    known_texts: &'a KnownTexts,
    told_texts: Vec<(i16, i64)>,
}

impl Attempt<'_> {
    /// Runs the batch and whatever waits behind it in one transaction, and commits it. False when one failed after it
    /// had written: then all is rolled back.
    fn together(&mut self, queue: &Receiver<Box<dyn Job>>) -> Result<bool, StoreError> {
        self.connection.batch_execute("BEGIN IMMEDIATE")?;
        let mut numbers = self.numbers()?;
        let mut under_way = 0;
        while under_way < self.batch.len() {
            if self.must_be_undone(under_way, &mut numbers)? {
                self.connection.batch_execute("ROLLBACK")?;
                return Ok(false);
            }
            under_way += 1;
            if self.batch.len() < LARGEST_BATCH
                && let Ok(next) = queue.try_recv()
            {
                self.batch.push(next);
            }
        }
        self.connection.batch_execute("COMMIT")?;
        self.known_texts.learn(std::mem::take(&mut self.told_texts));
        Ok(true)
    }

    /// Runs the batch in one transaction with a savepoint for each, and commits it.
    fn one_by_one(&mut self) -> Result<(), StoreError> {
        self.connection.batch_execute("BEGIN IMMEDIATE")?;
        self.told_texts.clear();
        let mut numbers = self.numbers()?;
        for place in 0..self.batch.len() {
            self.connection.batch_execute("SAVEPOINT request")?;
            let unused = numbers.next;
            if self.must_be_undone(place, &mut numbers)? {
                numbers.next = unused;
                self.connection.batch_execute("ROLLBACK TO request")?;
            }
            self.connection.batch_execute("RELEASE request")?;
        }
        self.connection.batch_execute("COMMIT")?;
        self.known_texts.learn(std::mem::take(&mut self.told_texts));
        Ok(())
    }

    /// The numbers for new resources; sets the instant.
    fn numbers(&mut self) -> Result<Numbers, StoreError> {
        let (next, last_us) = sqlite::standing(self.connection)?;
        // Instants never run backwards, even when the machine's clock does or another process has written.
        self.now_us = clock::now_us().max(last_us);
        Ok(Numbers { next, end: i64::MAX })
    }

    /// Runs one job; true when it failed after it had written.
    fn must_be_undone(&mut self, place: usize, numbers: &mut Numbers) -> Result<bool, StoreError> {
        let job = &mut self.batch[place];
        let link = Link::Sqlite(&mut *self.connection);
        let reader =
            Reader { link, hasher: self.hasher, seal: self.seal, dictionaries: self.dictionaries, trace: None };
        // The batch may have begun before this job was asked for.
        let (now_us, known_texts) = (self.now_us.max(clock::now_us()), self.known_texts);
        let mut tx = Tx::begun(reader, now_us, numbers, known_texts);
        let done = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx))).unwrap_or_else(|panic| {
            tracing::error!(panic = panic_text(&panic), "A write panicked");
            job.spoil(StoreError::Panicked);
            Done::Badly
        });
        self.now_us = tx.now_us;
        match done {
            Done::Well => {
                self.told_texts.append(&mut tx.told_texts);
                Ok(false)
            }
            Done::Badly => Ok(tx.has_written),
            Done::OutOfDisk => Err(StoreError::DiskFull),
        }
    }
}

/// The text of a panic, for the log.
pub(super) fn panic_text(panic: &Box<dyn Any + Send>) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
