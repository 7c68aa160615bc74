//! The store itself: pools, snapshots, and the way of a write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, PgConnection, RunQueryDsl, SqliteConnection};
use r2d2::{ManageConnection, Pool, PooledConnection};

use crate::clock;
use crate::fhir::ResourceType;
use crate::store::codec::Packed;
use crate::store::dictionaries::Dictionaries;
use crate::store::known_texts::KnownTexts;
use crate::store::migrate::Keys;
use crate::store::reader::{Link, Reader};
use crate::store::statement::fixed;
use crate::store::tx::{Numbers, Tx};
use crate::store::writer::{Done, Job, Writer, panic_text};
use crate::store::{Dialect, Hasher, Seal, StoreError, deadline, migrate, postgres, sqlite};

/// Makes a process of PostgreSQL keep the memory that it plans in. The C library gives what is free at the end of its heap back to the
/// system from 128 KiB on, and less readily once a large block was freed: without that, a process whose heap happens to end in planning
/// memory is given its pages anew with every search, which took a fifth of the time of a chain.
const KEEP_MEMORY: &str = "SELECT length(repeat('x', 4194304))";
/// A request waits so long for a connection before it is turned away.
const WAIT: Duration = Duration::from_secs(2);
/// The same work is tried so often when other writers get in between.
const TRIES: usize = 8;

/// An error type in which a `StoreError` may travel through a piece of work.
pub trait WorkError: From<StoreError> + Send + 'static {
    /// The store's own error inside, if that is what it is.
    fn store_error(&self) -> Option<&StoreError>;
}

impl WorkError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// A database, open and migrated.
pub struct Store {
    hasher: Hasher,
    seal: Seal,
    dictionaries: Arc<Dictionaries>,
    read_limit: Option<Duration>,
    /// How often this process has changed what anybody may do, on PostgreSQL.
    access_changes: AtomicI64,
    pub(super) database: Database,
}

pub(super) enum Database {
    Sqlite {
        readers: Pool<SqliteFile>,
        writer: Writer,
    },
    Postgres {
        pool: Pool<PostgresServer>,
        numbers: Mutex<Numbers>,
        /// Instants never run backwards, even when the machine's clock does.
        last_us: AtomicI64,
        known_texts: KnownTexts,
    },
}

impl Store {
    /// Opens and migrates the database at `address`: `sqlite:PATH` or `postgres://..`.
    ///
    /// `connections` is how many requests may read (on PostgreSQL: read or write) at once. `read_limit` is how long one
    /// piece of work that reads may take, all its statements together; `None` is any time. Writes have no limit.
    pub fn open(address: &str, connections: u32, read_limit: Option<Duration>) -> Result<Store, StoreError> {
        if let Some(path) = address.strip_prefix("sqlite:") {
            Store::open_sqlite(path, connections, read_limit)
        } else if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            Store::open_postgres(address, connections, read_limit)
        } else {
            Err(StoreError::Address(address.chars().take(200).collect()))
        }
    }

    fn open_sqlite(path: &str, connections: u32, read_limit: Option<Duration>) -> Result<Store, StoreError> {
        if let Some(folder) = Path::new(path).parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| StoreError::Unreachable(format!("{}: {error}", folder.display())))?;
        }
        let mut connection = sqlite::open_writer(path)?;
        let Keys { hasher, seal } = migrate::sqlite(&mut connection)?;
        let address = format!("sqlite:{path}");
        let dictionaries = Arc::new(Dictionaries::load(&address, Link::Sqlite(&mut connection))?);
        let readers = pool(SqliteFile { path: path.to_owned() }, connections)?;
        let writer = Writer::start(connection, hasher, seal, Arc::clone(&dictionaries))?;
        let database = Database::Sqlite { readers, writer };
        Ok(Store { hasher, seal, dictionaries, read_limit, access_changes: AtomicI64::new(0), database })
    }

    fn open_postgres(address: &str, connections: u32, read_limit: Option<Duration>) -> Result<Store, StoreError> {
        let mut connection = PgConnection::establish(address)?;
        let Keys { hasher, seal } = migrate::postgres(&mut connection)?;
        let dictionaries = Arc::new(Dictionaries::load(address, Link::Postgres(&mut connection))?);
        let pool = pool(PostgresServer { address: address.to_owned(), read_limit }, connections)?;
        let numbers = Mutex::new(Numbers { next: 0, end: 0 });
        let last_us = AtomicI64::new(postgres::last_us(&mut connection)?);
        let database = Database::Postgres { pool, numbers, last_us, known_texts: KnownTexts::default() };
        Ok(Store { hasher, seal, dictionaries, read_limit, access_changes: AtomicI64::new(0), database })
    }

    /// The seal of this database.
    pub fn seal(&self) -> Seal {
        self.seal
    }

    /// The hash under which the index keeps texts.
    pub fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// Grows with each change to what anybody may do that this process has made. On SQLite it stays: there the database itself is asked
    /// (`Reader::access_generation`), which costs next to nothing.
    pub fn access_changes(&self) -> i64 {
        self.access_changes.load(Ordering::Acquire)
    }

    /// Packs the tail of a resource of this type for the disk. Needs no lock: done before a write transaction opens.
    pub fn pack(&self, resource_type: ResourceType, tail: &[u8]) -> Packed {
        self.dictionaries.pack(resource_type, tail)
    }

    /// Waits for the training of a dictionary that is under way.
    #[cfg(test)]
    pub(super) fn wait_for_training(&self) {
        self.dictionaries.finish();
    }

    pub(super) fn reader<'c>(&'c self, link: Link<'c>) -> Reader<'c> {
        Reader { link, hasher: self.hasher, seal: self.seal, dictionaries: &self.dictionaries, trace: None }
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.database {
            Database::Sqlite { .. } => Dialect::Sqlite,
            Database::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// Runs `work` on one snapshot of the database.
    pub fn read<T, E: WorkError>(&self, work: impl FnOnce(&mut Reader<'_>) -> Result<T, E>) -> Result<T, E> {
        self.read_between(Snapshot::Transaction { limit: self.read_limit }, work)
    }

    /// As `read`, for `limit` at most; `StoreError::Timeout` when that is over.
    pub fn read_within<T, E: WorkError>(
        &self,
        limit: Duration,
        work: impl FnOnce(&mut Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let limit = self.read_limit.map_or(limit, |own| own.min(limit));
        self.read_between(Snapshot::Transaction { limit: Some(limit) }, work)
    }

    /// Runs `work` on a snapshot of which holds: whatever is committed later carries a later instant. So that who asks for
    /// what came since the last instant that it saw misses nothing.
    ///
    /// One writer on SQLite makes this so of all snapshots. On PostgreSQL this waits for the transactions under way, and
    /// others wait to begin; `StoreError::Busy` when that takes too long.
    pub fn read_settled<T, E: WorkError>(&self, work: impl FnOnce(&mut Reader<'_>) -> Result<T, E>) -> Result<T, E> {
        let Database::Postgres { pool, .. } = &self.database else {
            return self.read(work);
        };
        let mut held = take(pool)?;
        let held = &mut *held;
        if let Err(error) = postgres::begin_settled(&mut held.connection) {
            // Ends the session, and with it the lock that may be held.
            held.is_broken = true;
            return Err(error.into());
        }
        self.finish_read(held, self.read_limit, work)
    }

    /// Runs `work` in the transaction that was begun on PostgreSQL, and ends that.
    fn finish_read<T, E: WorkError>(
        &self,
        held: &mut Held<PgConnection>,
        limit: Option<Duration>,
        work: impl FnOnce(&mut Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = deadline::within(limit, || guarded(|| work(&mut self.reader(Link::Postgres(&mut held.connection)))));
        held.note(&done);
        if let Err(error) = execute(&mut held.connection, "COMMIT") {
            held.is_broken = true;
            return Err(error.into());
        }
        done
    }

    /// Runs `work`, which must be a single statement: that is a snapshot by itself, and spares two round trips.
    pub fn read_one<T, E: WorkError>(&self, work: impl FnOnce(&mut Reader<'_>) -> Result<T, E>) -> Result<T, E> {
        self.read_between(Snapshot::Statement, work)
    }

    fn read_between<T, E: WorkError>(
        &self,
        snapshot: Snapshot,
        work: impl FnOnce(&mut Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (is_transaction, limit) = match snapshot {
            Snapshot::Statement => (false, self.read_limit),
            Snapshot::Transaction { limit } => (true, limit),
        };
        match &self.database {
            Database::Sqlite { readers, .. } => {
                let mut held = take(readers)?;
                let held = &mut *held;
                if is_transaction && let Err(error) = fixed!((), "BEGIN", &[]).execute(&mut held.connection) {
                    held.is_broken = true;
                    return Err(StoreError::from(error).into());
                }
                let work = || guarded(|| work(&mut self.reader(Link::Sqlite(&mut held.connection))));
                let done = deadline::within(limit, work);
                held.note(&done);
                if is_transaction && let Err(error) = fixed!((), "COMMIT", &[]).execute(&mut held.connection) {
                    held.is_broken = true;
                    return Err(StoreError::from(error).into());
                }
                done
            }
            Database::Postgres { pool, .. } => {
                let mut held = take(pool)?;
                let held = &mut *held;
                if is_transaction {
                    let own = limit.filter(|_| limit != self.read_limit);
                    if let Err(error) = postgres::begin_read(&mut held.connection, own) {
                        held.is_broken = true;
                        return Err(error.into());
                    }
                    return self.finish_read(held, limit, work);
                }
                let work = || guarded(|| work(&mut self.reader(Link::Postgres(&mut held.connection))));
                let done = deadline::within(limit, work);
                held.note(&done);
                done
            }
        }
    }

    /// Runs `work` in a write transaction, and `done` with its outcome once that is on the disk or has left no trace.
    ///
    /// On SQLite this returns at once and `done` runs on the writing thread; on PostgreSQL it waits and `done` runs
    /// here. `work` may run again when another writer got in between.
    pub fn submit<T: Send + 'static, E: WorkError>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) {
        match &self.database {
            Database::Sqlite { writer, .. } => {
                let job = Box::new(Submitted { work, done, outcome: None });
                if let Err((mut job, reason)) = writer.send(job) {
                    job.spoil(reason);
                    job.finish();
                }
            }
            Database::Postgres { pool, numbers, last_us, known_texts } => {
                done(self.write_postgres(pool, numbers, last_us, known_texts, work));
            }
        }
    }

    /// Runs `work` in a write transaction and waits for its outcome.
    pub fn write<T: Send + 'static, E: WorkError>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.submit(work, move |outcome| {
            if sender.send(outcome).is_err() {
                tracing::debug!("Nobody waits for this write any more");
            }
        });
        receiver.recv().unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }

    /// Fails when the database can't be read, or can't be trusted to be written any more.
    pub fn check(&self) -> Result<(), StoreError> {
        if let Database::Sqlite { writer, .. } = &self.database
            && writer.is_broken()
        {
            return Err(StoreError::Unreachable("a commit failed; restart to recover".to_owned()));
        }
        self.read_one(|reader| reader.type_counts().map(|_| ()))
    }

    /// Has the database learn what its tables hold by now, where it plans by that: after much was stored at once, PostgreSQL would
    /// plan for empty tables until its own rounds come by. SQLite is told how to go.
    pub fn gather_statistics(&self) -> Result<(), StoreError> {
        match &self.database {
            Database::Sqlite { .. } => Ok(()),
            Database::Postgres { pool, .. } => execute(&mut take(pool)?.connection, "ANALYZE"),
        }
    }

    fn write_postgres<T, E: WorkError>(
        &self,
        pool: &Pool<PostgresServer>,
        numbers: &Mutex<Numbers>,
        last_us: &AtomicI64,
        known_texts: &KnownTexts,
        mut work: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut held = take(pool)?;
        let held = &mut *held;
        for _ in 0..TRIES {
            // Numbers that a failed try took are lost: a gap harms nothing.
            let mut own = claim(numbers);
            if let Err(error) = postgres::begin_write(&mut held.connection) {
                held.is_broken = true;
                return Err(error.into());
            }
            // After the beginning: whoever waits for all writers must not find an older instant later.
            let clock_us = clock::now_us();
            let now_us = last_us.fetch_max(clock_us, Ordering::AcqRel).max(clock_us);
            let (mut told, mut has_changed_access) = (Vec::new(), false);
            let done = guarded(|| {
                let reader = self.reader(Link::Postgres(&mut held.connection));
                let numbers = &mut own;
                let mut tx = Tx::begun(reader, now_us, numbers, known_texts);
                let done = work(&mut tx);
                has_changed_access = tx.has_changed_access;
                last_us.fetch_max(tx.now_us, Ordering::AcqRel);
                told = std::mem::take(&mut tx.told_texts);
                done
            });
            held.note(&done);
            give_back(numbers, own);
            let end = execute(&mut held.connection, if done.is_ok() { "COMMIT" } else { "ROLLBACK" });
            match (end, &done) {
                (Err(StoreError::Collision), _) => {}
                (Err(error), _) => {
                    held.is_broken = true;
                    return Err(error.into());
                }
                (Ok(()), Err(error)) if matches!(error.store_error(), Some(StoreError::Collision)) => {}
                (Ok(()), _) => {
                    if done.is_ok() {
                        known_texts.learn(told);
                        if has_changed_access {
                            self.access_changes.fetch_add(1, Ordering::AcqRel);
                        }
                    }
                    return done;
                }
            }
        }
        Err(StoreError::Busy.into())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.dictionaries.finish();
    }
}

/// What a piece of work that reads needs, so that all it reads is of one moment.
enum Snapshot {
    /// Nothing: it is a single statement.
    Statement,
    Transaction {
        limit: Option<Duration>,
    },
}

/// Takes some of the numbers that are left, all of them when nobody else does.
fn claim(numbers: &Mutex<Numbers>) -> Numbers {
    let mut shared = numbers.lock().unwrap_or_else(PoisonError::into_inner);
    let end = shared.end.min(shared.next + 8);
    let own = Numbers { next: shared.next, end };
    shared.next = end;
    own
}

/// Keeps what is left of a fresh block for the next ones.
fn give_back(numbers: &Mutex<Numbers>, own: Numbers) {
    let mut shared = numbers.lock().unwrap_or_else(PoisonError::into_inner);
    if own.end - own.next > shared.end - shared.next {
        *shared = own;
    }
}

/// A piece of work on its way through the writing thread.
struct Submitted<W, D, T, E> {
    work: W,
    done: D,
    outcome: Option<Result<T, E>>,
}

impl<W, D, T, E> Job for Submitted<W, D, T, E>
where
    W: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    D: FnOnce(Result<T, E>) + Send,
    T: Send,
    E: WorkError,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Done {
        let outcome = (self.work)(tx);
        let done = match &outcome {
            Ok(_) => Done::Well,
            Err(error) if matches!(error.store_error(), Some(StoreError::DiskFull)) => Done::OutOfDisk,
            Err(_) => Done::Badly,
        };
        self.outcome = Some(outcome);
        done
    }

    fn spoil(&mut self, error: StoreError) {
        self.outcome = Some(Err(error.into()));
    }

    fn finish(self: Box<Self>) {
        (self.done)(self.outcome.unwrap_or_else(|| Err(StoreError::Panicked.into())));
    }
}

/// Runs `work`; a panic in it becomes an error, so that the connection goes back in order.
pub(super) fn guarded<T, E: WorkError>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        tracing::error!(panic = panic_text(&panic), "Work on the database panicked");
        Err(StoreError::Panicked.into())
    })
}

fn execute(connection: &mut impl SimpleConnection, text: &str) -> Result<(), StoreError> {
    Ok(connection.batch_execute(text)?)
}

/// A connection in a pool, with a note whether it is still good.
pub(super) struct Held<C> {
    pub(super) connection: C,
    pub(super) is_broken: bool,
}

impl<C> Held<C> {
    /// Gives up a connection after an error that may have come from the connection itself.
    pub(super) fn note<T, E: WorkError>(&mut self, done: &Result<T, E>) {
        let error = done.as_ref().err().and_then(WorkError::store_error);
        self.is_broken |= matches!(error, Some(StoreError::Unreachable(_) | StoreError::Database(_)));
    }
}

fn pool<M: ManageConnection>(manager: M, connections: u32) -> Result<Pool<M>, StoreError> {
    Pool::builder()
        .max_size(connections)
        .min_idle(Some(0))
        .connection_timeout(WAIT)
        // A broken connection is noticed by its errors; asking first would cost a round trip per request.
        .test_on_check_out(false)
        .build(manager)
        .map_err(|error| StoreError::Unreachable(error.to_string()))
}

pub(super) fn take<M: ManageConnection>(pool: &Pool<M>) -> Result<PooledConnection<M>, StoreError> {
    pool.get().map_err(|_| StoreError::Busy)
}

pub(super) struct SqliteFile {
    path: String,
}

impl ManageConnection for SqliteFile {
    type Connection = Held<SqliteConnection>;
    type Error = StoreError;

    fn connect(&self) -> Result<Held<SqliteConnection>, StoreError> {
        let mut connection = deadline::open_sqlite(&self.path)?;
        sqlite::prepare_reader(&mut connection)?;
        Ok(Held { connection, is_broken: false })
    }

    fn is_valid(&self, held: &mut Held<SqliteConnection>) -> Result<(), StoreError> {
        execute(&mut held.connection, "SELECT 1")
    }

    fn has_broken(&self, held: &mut Held<SqliteConnection>) -> bool {
        held.is_broken
    }
}

pub(super) struct PostgresServer {
    address: String,
    read_limit: Option<Duration>,
}

impl ManageConnection for PostgresServer {
    type Connection = Held<PgConnection>;
    type Error = StoreError;

    fn connect(&self) -> Result<Held<PgConnection>, StoreError> {
        let mut connection = PgConnection::establish(&self.address)?;
        // Pages are small: starting helpers or compiling a statement takes longer than reading them.
        execute(&mut connection, "SET max_parallel_workers_per_gather = 0; SET jit = off")?;
        execute(&mut connection, KEEP_MEMORY)?;
        if let Some(limit) = self.read_limit {
            // Once for all reads of the connection; writes take it away for themselves.
            execute(&mut connection, &format!("SET {}", deadline::statement_timeout(limit)))?;
        }
        Ok(Held { connection, is_broken: false })
    }

    fn is_valid(&self, held: &mut Held<PgConnection>) -> Result<(), StoreError> {
        execute(&mut held.connection, "SELECT 1")
    }

    fn has_broken(&self, held: &mut Held<PgConnection>) -> bool {
        held.is_broken
    }
}
