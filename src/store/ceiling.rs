//! How fast the database itself takes the bytes that the server writes: the ceiling under which the server works.
//!
//! What the server stored is sampled and written again into fresh tables, row for row, in commits of the same size,
//! with nothing in front of the database. On SQLite that is its C interface with statements prepared once, on one
//! thread, because a layer above it would be measured along; on PostgreSQL it is one statement per commit, on several
//! connections.

use std::ffi::{CStr, CString, c_int};
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Binary, SmallInt};
use diesel::{Connection as _, PgConnection, RunQueryDsl, SqliteConnection};
use libsqlite3_sys as ffi;

use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::store::codec::Packed;
use crate::store::contained::{contained_rid, stored_target};
use crate::store::reader::Link;
use crate::store::rows::{IndexRows, Method, WordTexts};
use crate::store::statement::{Value, fixed};
use crate::store::tx::{Locked, Numbered, Put};
use crate::store::{StoreError, migrate, postgres, sqlite, verify};

/// Resources that are there before updates are measured.
const UPDATED: i64 = 2000;
/// The schema in which PostgreSQL is measured; it is dropped again.
const SCHEMA: &str = "emberwell_ceiling";

/// One resource as the server stored it.
#[derive(Clone)]
pub struct Sample {
    resource_type: ResourceType,
    packed: Packed,
    rows: IndexRows,
}

/// What is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// New resources.
    Create,
    /// New versions of resources in which one measured value changed.
    Update,
}

/// What a database takes on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Bytes of the file after the log was folded in.
    pub bytes: u64,
    /// Resources that are not deleted.
    pub resources: i64,
    /// All versions of all resources.
    pub versions: i64,
}

/// Up to `most` resources of one type from the database at `address`, in the order of their creation from the newest.
pub fn samples(address: &str, resource_type: ResourceType, most: i64) -> Result<Vec<Sample>, StoreError> {
    type Sql = (BigInt, SmallInt, Binary, Binary);
    type Row = (i64, i16, Vec<u8>, Vec<u8>);
    let values = [Value::Integer(i64::from(resource_type.code())), Value::Integer(most)];
    let select = fixed!(
        Sql,
        "SELECT rid, codec, tail, index_rows FROM resource WHERE rtype = ? AND method <> 2 ORDER BY rid DESC LIMIT ?",
        &values,
    );
    let oldest = |rows: &[Row]| rows.last().map_or(i64::MAX, |row| row.0);
    let (rows, mut words): (Vec<Row>, _) = match address.strip_prefix("sqlite:") {
        Some(path) => {
            let mut connection = SqliteConnection::establish(path)?;
            let rows = select.load(&mut connection)?;
            let words = verify::words(&mut Link::Sqlite(&mut connection), oldest(&rows))?;
            (rows, words)
        }
        None => {
            let mut connection = PgConnection::establish(address)?;
            let rows = select.load(&mut connection)?;
            let words = verify::words(&mut Link::Postgres(&mut connection), oldest(&rows))?;
            (rows, words)
        }
    };
    let sample = |(rid, codec, bytes, index_rows): Row| {
        let mut rows = IndexRows::decode(&index_rows).ok_or_else(|| StoreError::Damaged("index rows".to_owned()))?;
        rows.word_texts = words.remove(&rid).unwrap_or_default();
        Ok(Sample { resource_type, packed: Packed { codec, bytes }, rows })
    };
    rows.into_iter().map(sample).collect()
}

/// Resources per second that SQLite writes into a fresh file at `path`, `commit_size` in each commit.
pub fn sqlite(
    path: &str,
    samples: &[Sample],
    writes: Writes,
    commit_size: usize,
    span: Duration,
) -> Result<f64, StoreError> {
    migrate::sqlite(&mut sqlite::open_writer(path)?)?;
    let bare = Bare::open(path)?;
    let mut statements = Statements::prepare(&bare)?;
    let mut source = Source { samples, rid: 0, step: 1, updates: 0 };
    if writes == Writes::Update {
        while source.rid < UPDATED {
            commit(&mut statements, &source.created(100))?;
        }
    }
    let (mut written, mut spent) = (0_usize, Duration::ZERO);
    while spent < span {
        let batch = source.batch(writes, commit_size);
        let start = Instant::now();
        commit(&mut statements, &batch)?;
        spent += start.elapsed();
        written += batch.len();
    }
    Ok(written as f64 / spent.as_secs_f64())
}

/// Resources per second that PostgreSQL writes on `connections` at once, `commit_size` in each commit.
pub fn postgres(
    address: &str,
    samples: &[Sample],
    writes: Writes,
    commit_size: usize,
    connections: usize,
    span: Duration,
) -> Result<f64, StoreError> {
    let mut first = PgConnection::establish(address)?;
    first.batch_execute(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}"))?;
    first.batch_execute(&format!("SET search_path TO {SCHEMA}"))?;
    migrate::postgres(&mut first)?;
    let start = Instant::now();
    let per_second = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..connections)
            .map(|number| {
                scope.spawn(move || write_postgres(address, samples, writes, commit_size, number, connections, span))
            })
            .collect();
        let mut sum = 0.0;
        for writer in writers {
            sum += writer.join().unwrap_or(Err(StoreError::Panicked))?;
        }
        Ok::<f64, StoreError>(sum)
    });
    tracing::debug!(elapsed_ms = start.elapsed().as_millis(), "Measured PostgreSQL alone");
    first.batch_execute(&format!("DROP SCHEMA {SCHEMA} CASCADE"))?;
    per_second
}

/// One connection's part. Its numbers are its own, so that no two writers want the same row.
fn write_postgres(
    address: &str,
    samples: &[Sample],
    writes: Writes,
    commit_size: usize,
    number: usize,
    connections: usize,
    span: Duration,
) -> Result<f64, StoreError> {
    let mut connection = PgConnection::establish(address)?;
    connection.batch_execute(&format!("SET search_path TO {SCHEMA}"))?;
    let (start, step) = (number as i64 - connections as i64, connections as i64);
    let mut source = Source { samples, rid: start + 1, step, updates: 0 };
    let apply = |connection: &mut PgConnection, batch: &[Numbered]| -> Result<(), StoreError> {
        connection.batch_execute("BEGIN")?;
        postgres::apply(connection, batch)?;
        Ok(connection.batch_execute("COMMIT")?)
    };
    if writes == Writes::Update {
        while source.rid < UPDATED {
            apply(&mut connection, &source.created(50))?;
        }
    }
    let (mut written, mut spent) = (0_usize, Duration::ZERO);
    while spent < span {
        let batch = source.batch(writes, commit_size);
        let start = Instant::now();
        apply(&mut connection, &batch)?;
        spent += start.elapsed();
        written += batch.len();
    }
    Ok(written as f64 / spent.as_secs_f64())
}

/// Folds the log of the SQLite file at `path` in and looks how large the file is.
pub fn sqlite_size(path: &str) -> Result<Size, StoreError> {
    let mut connection = sqlite::open_writer(path)?;
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?;
    let select =
        fixed!((BigInt, BigInt), "SELECT COALESCE(SUM(current), 0), COALESCE(SUM(versions), 0) FROM type_count", &[]);
    let (resources, versions): (i64, i64) = select.get_result(&mut connection)?;
    let file = std::fs::metadata(path).map_err(|error| StoreError::Unreachable(error.to_string()))?;
    Ok(Size { bytes: file.len(), resources, versions })
}

/// Has PostgreSQL clean up and look at what its tables hold, as it does by itself after a while, and says how many bytes
/// the whole database takes.
pub fn postgres_size(address: &str) -> Result<u64, StoreError> {
    let mut connection = PgConnection::establish(address)?;
    connection.batch_execute("VACUUM ANALYZE")?;
    let bytes: i64 = fixed!(BigInt, "SELECT pg_database_size(current_database())", &[]).get_result(&mut connection)?;
    Ok(bytes.unsigned_abs())
}

/// Makes writes out of samples.
struct Source<'s> {
    samples: &'s [Sample],
    /// The number that was given out last.
    rid: i64,
    step: i64,
    updates: i64,
}

impl Source<'_> {
    fn batch(&mut self, writes: Writes, size: usize) -> Vec<Numbered> {
        match writes {
            Writes::Create => self.created(size),
            Writes::Update => self.updated(size),
        }
    }

    fn created(&mut self, size: usize) -> Vec<Numbered> {
        (0..size)
            .map(|_| {
                self.rid += self.step;
                write(self.sample(self.rid), self.rid, None)
            })
            .collect()
    }

    /// Updates of the resources that were created first, each in its turn.
    fn updated(&mut self, size: usize) -> Vec<Numbered> {
        let there = (self.rid / self.step).max(1);
        (0..size)
            .map(|_| {
                let rid = self.rid - (self.updates % there) * self.step;
                let round = self.updates / there;
                self.updates += 1;
                write(self.sample(rid), rid, Some(round + 1))
            })
            .collect()
    }

    /// The same for the same number, so that an update finds the rows that are to go.
    fn sample(&self, rid: i64) -> &Sample {
        &self.samples[usize::try_from(rid).unwrap_or(0) % self.samples.len()]
    }
}

/// The write of one sample under the number `rid`: its creation, or its update from version `previous`.
fn write(sample: &Sample, rid: i64, previous: Option<i64>) -> Numbered {
    let key_hash = scattered(rid);
    let id = Id::parse(&format!("{key_hash:016x}-{rid:016x}aaa")).expect("hexadecimal digits are a valid id");
    let key = ResourceKey { resource_type: sample.resource_type, id };
    let encoded_rows = sample.rows.encode();
    let (mut added, mut gone) = (sample.rows.clone(), IndexRows::default());
    let previous = previous.map(|version| {
        added = moved(&sample.rows, version);
        gone = moved(&sample.rows, version - 1);
        Locked { rid, version, updated_us: 0, is_deleted: false, index_rows: Vec::new() }
    });
    let version = previous.as_ref().map_or(1, |previous| previous.version + 1);
    let method = if previous.is_some() { Method::Update } else { Method::Create };
    let put = Put {
        key,
        previous,
        method,
        tail: Some(sample.packed.clone()),
        rows: IndexRows::default(),
        rules: None,
        definition: None,
    };
    // A later instant for each, as a clock gives it.
    let updated_us = 1_790_000_000_000_000 + 1000 * (rid + 100_000 * version);
    Numbered { put, rid, key_hash, version, updated_us, added, gone, encoded_rows }
}

/// The quantities, which are what an update of the measurement changes, after so many updates.
fn moved(rows: &IndexRows, updates: i64) -> IndexRows {
    let mut quantities = rows.quantities.clone();
    for row in &mut quantities {
        row.value += 0.25 * updates as f64;
    }
    IndexRows { quantities, ..IndexRows::default() }
}

/// A number that looks as random as a hash (the finalizer of SplitMix64), and is another one for each `number`.
fn scattered(number: i64) -> i64 {
    let mut bits = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) as i64
}

/// A connection to SQLite through its C interface.
struct Bare(NonNull<ffi::sqlite3>);

impl Bare {
    fn open(path: &str) -> Result<Bare, StoreError> {
        let path = CString::new(path).map_err(|error| StoreError::Unreachable(error.to_string()))?;
        let mut raw = ptr::null_mut();
        // SAFETY: `path` ends with NUL and outlives the call; `raw` is written before it is read.
        let code = unsafe { ffi::sqlite3_open(path.as_ptr(), &mut raw) };
        let bare = NonNull::new(raw).map(Bare).ok_or_else(|| StoreError::Unreachable("no memory".to_owned()))?;
        bare.checked(code)?;
        bare.execute(&CString::new(sqlite::WRITER_SETTINGS).expect("the settings hold no NUL"))?;
        Ok(bare)
    }

    fn execute(&self, text: &CStr) -> Result<(), StoreError> {
        // SAFETY: the connection is open as long as `self`, `text` ends with NUL, and there is no callback.
        let code = unsafe { ffi::sqlite3_exec(self.0.as_ptr(), text.as_ptr(), None, ptr::null_mut(), ptr::null_mut()) };
        self.checked(code)
    }

    fn checked(&self, code: c_int) -> Result<(), StoreError> {
        if matches!(code, ffi::SQLITE_OK | ffi::SQLITE_DONE | ffi::SQLITE_ROW) {
            return Ok(());
        }
        // SAFETY: the connection is open, and the text is copied before the next call could change it.
        let text = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(self.0.as_ptr())) };
        Err(StoreError::Unreachable(text.to_string_lossy().into_owned()))
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // SAFETY: nobody uses the connection any more; statements borrow it and are gone.
        unsafe { ffi::sqlite3_close(self.0.as_ptr()) };
    }
}

/// A prepared statement of a connection that outlives it.
struct Statement<'b> {
    raw: NonNull<ffi::sqlite3_stmt>,
    connection: &'b Bare,
}

impl<'b> Statement<'b> {
    fn prepare(connection: &'b Bare, text: &CStr) -> Result<Statement<'b>, StoreError> {
        let mut raw = ptr::null_mut();
        // SAFETY: the connection is open, `text` ends with NUL, `raw` is written before it is read.
        let code =
            unsafe { ffi::sqlite3_prepare_v2(connection.0.as_ptr(), text.as_ptr(), -1, &mut raw, ptr::null_mut()) };
        connection.checked(code)?;
        let raw = NonNull::new(raw).ok_or_else(|| StoreError::Damaged("an empty statement".to_owned()))?;
        Ok(Statement { raw, connection })
    }

    /// Runs the statement, which answers with no rows.
    fn run(&mut self, values: &[Value<'_>]) -> Result<(), StoreError> {
        let raw = self.raw.as_ptr();
        let nothing = ffi::SQLITE_STATIC();
        for (place, value) in (1..).zip(values) {
            // SAFETY: the statement is reset, and the bound memory is borrowed until this function returns, which is
            // after the last step that reads it; the next run binds all places anew.
            let code = unsafe {
                match value {
                    Value::Integer(number) => ffi::sqlite3_bind_int64(raw, place, *number),
                    Value::Real(number) => ffi::sqlite3_bind_double(raw, place, *number),
                    Value::Text(text) | Value::AnyText(Some(text)) => {
                        ffi::sqlite3_bind_text(raw, place, text.as_ptr().cast(), text.len() as c_int, nothing)
                    }
                    Value::Bytes(Some(bytes)) => {
                        ffi::sqlite3_bind_blob(raw, place, bytes.as_ptr().cast(), bytes.len() as c_int, nothing)
                    }
                    Value::AnyInteger(Some(number)) => ffi::sqlite3_bind_int64(raw, place, *number),
                    Value::Bytes(None) | Value::AnyInteger(None) | Value::AnyText(None) => {
                        ffi::sqlite3_bind_null(raw, place)
                    }
                }
            };
            self.connection.checked(code)?;
        }
        // SAFETY: the statement is prepared and bound; resetting it ends its use of the bound memory.
        let code = unsafe {
            let code = ffi::sqlite3_step(raw);
            ffi::sqlite3_reset(raw);
            code
        };
        self.connection.checked(code)
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: the statement is used no more, and its connection is still open.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

/// The statements of a write; those of index rows in the order of the tables.
struct Statements<'b> {
    begin: Statement<'b>,
    commit: Statement<'b>,
    insert: Statement<'b>,
    keep: Statement<'b>,
    update: Statement<'b>,
    change: Statement<'b>,
    count: Statement<'b>,
    token: Statement<'b>,
    string: Statement<'b>,
    date: Statement<'b>,
    quantity: Statement<'b>,
    quantity_gone: Statement<'b>,
    reference: Statement<'b>,
    uri: Statement<'b>,
    composite: Statement<'b>,
    compartment: Statement<'b>,
    words: Statement<'b>,
    contained: Statement<'b>,
}

impl<'b> Statements<'b> {
    fn prepare(bare: &'b Bare) -> Result<Statements<'b>, StoreError> {
        let statement = |text: &CStr| Statement::prepare(bare, text);
        Ok(Statements {
            begin: statement(c"BEGIN IMMEDIATE")?,
            commit: statement(c"COMMIT")?,
            insert: statement(c"INSERT INTO resource VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?,
            keep: statement(
                c"INSERT INTO version SELECT rid, version, updated_us, method, codec, tail FROM resource WHERE rid = ?",
            )?,
            update: statement(
                c"UPDATE resource SET version = ?, updated_us = ?, method = ?, codec = ?, tail = ?, index_rows = ? \
                  WHERE rid = ?",
            )?,
            change: statement(c"INSERT INTO change (rid, rtype, version, updated_us) VALUES (?, ?, ?, ?)")?,
            count: statement(
                c"INSERT INTO type_count VALUES (?, 0, ?, 1) ON CONFLICT (rtype, slot) DO UPDATE \
                  SET current = current + excluded.current, versions = versions + 1",
            )?,
            token: statement(c"INSERT INTO index_token VALUES (?, ?, ?, ?, ?)")?,
            string: statement(c"INSERT INTO index_string VALUES (?, ?, ?, ?, ?)")?,
            date: statement(c"INSERT INTO index_date VALUES (?, ?, ?, ?, ?)")?,
            quantity: statement(c"INSERT INTO index_quantity VALUES (?, ?, ?, ?, ?, ?)")?,
            quantity_gone: statement(
                c"DELETE FROM index_quantity WHERE param = ? AND value = ? AND code = ? AND system = ? AND rid = ?",
            )?,
            reference: statement(c"INSERT INTO index_reference VALUES (?, ?, ?)")?,
            uri: statement(c"INSERT INTO index_uri VALUES (?, ?, ?, ?)")?,
            composite: statement(c"INSERT INTO index_composite VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?,
            compartment: statement(c"INSERT INTO compartment VALUES (?, ?, ?, ?)")?,
            words: statement(c"INSERT INTO index_words (rowid, narrative, rest) VALUES (?, ?, ?)")?,
            contained: statement(c"INSERT INTO contained VALUES (?, ?, ?)")?,
        })
    }

    fn write(&mut self, write: &Numbered) -> Result<(), StoreError> {
        let int = Value::Integer;
        let put = &write.put;
        let rtype = i64::from(put.key.resource_type.code());
        let tail = put.tail.as_ref();
        let codec = tail.map_or(0, |packed| i64::from(packed.codec));
        let tail = || Value::Bytes(tail.map(|packed| packed.bytes.as_slice()));
        let rows = || Value::Bytes(Some(write.encoded_rows.as_slice()));
        let (rid, version, updated_us, method) = (write.rid, write.version, write.updated_us, put.method as i64);
        if put.previous.is_some() {
            self.keep.run(&[int(rid)])?;
            self.update.run(&[int(version), int(updated_us), int(method), int(codec), tail(), rows(), int(rid)])?;
        } else {
            let id = Value::Text(put.key.id.as_str());
            let head = [int(rid), int(write.key_hash), int(rtype), id, int(version), int(updated_us), int(method)];
            let [a, b, c, d, e, f, g] = head;
            self.insert.run(&[a, b, c, d, e, f, g, int(codec), tail(), rows()])?;
        }
        self.change.run(&[int(rid), int(rtype), int(version), int(updated_us)])?;
        self.count.run(&[int(rtype), int(write.current_delta())])?;
        self.index(&write.added, rid, rtype)?;
        for row in &write.gone.quantities {
            let values = [int(row.param.into()), Value::Real(row.value), int(row.code), int(row.system), int(rid)];
            self.quantity_gone.run(&values)?;
        }
        Ok(())
    }

    fn index(&mut self, rows: &IndexRows, rid: i64, rtype: i64) -> Result<(), StoreError> {
        let int = Value::Integer;
        for row in &rows.tokens {
            self.token.run(&[int(row.param.into()), int(row.code), int(row.system), int(rid), int(row.edge as i64)])?;
        }
        for row in &rows.strings {
            self.string.run(&[
                int(row.param.into()),
                Value::Text(&row.folded),
                int(row.exact),
                int(rid),
                int(row.edge as i64),
            ])?;
        }
        for row in &rows.dates {
            self.date.run(&[int(row.param.into()), int(row.lo_us), int(row.hi_us), int(rid), int(row.edge as i64)])?;
        }
        for row in &rows.quantities {
            let values = [
                int(row.param.into()),
                Value::Real(row.value),
                int(row.code),
                int(row.system),
                int(rid),
                int(row.edge as i64),
            ];
            self.quantity.run(&values)?;
        }
        for row in &rows.references {
            self.reference.run(&[int(row.param.into()), int(stored_target(row.target, rid)), int(rid)])?;
        }
        for row in &rows.uris {
            self.uri.run(&[int(row.param.into()), Value::Text(&row.value), int(rid), int(row.edge as i64)])?;
        }
        for row in &rows.composites {
            let (head, text) = ([int(row.param.into()), int(row.code), int(row.system)], Value::Text(&row.text));
            let [param, code, system] = head;
            let (value, upper) = (Value::Real(row.value), Value::Real(row.upper));
            let values = [param, code, system, text, value, upper, int(row.low), int(row.high), int(rid)];
            self.composite.run(&values)?;
        }
        for patient in &rows.patients {
            self.compartment.run(&[int(patient.patient), int(rtype), int(rid), int(patient.bond as i64)])?;
        }
        if rows.words.count > 0 {
            let WordTexts { narrative, rest } = &rows.word_texts;
            self.words.run(&[int(rid), Value::Text(narrative), Value::Text(rest)])?;
        }
        for inner in &rows.contained {
            let place = contained_rid(rid, inner.place);
            if let Some(head) = &inner.head {
                self.contained.run(&[int(place), int(head.rtype.into()), Value::Text(&head.id)])?;
            }
            self.index(&inner.rows, place, rtype)?;
        }
        Ok(())
    }
}

fn commit(statements: &mut Statements<'_>, batch: &[Numbered]) -> Result<(), StoreError> {
    statements.begin.run(&[])?;
    for write in batch {
        statements.write(write)?;
    }
    statements.commit.run(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::{Bond, Edge, PatientRow, QuantityRow, ReferenceRow, Side, StringRow, TokenRow, WordSum};

    fn sample() -> Sample {
        let rows = IndexRows {
            tokens: vec![TokenRow { param: 1, code: 2, system: 3, edge: Edge::Both }],
            strings: vec![StringRow { param: 2, folded: "blood".to_owned(), exact: 4, edge: Edge::Both }],
            quantities: vec![QuantityRow {
                param: 3,
                value: 1.0,
                code: 5,
                system: 6,
                edge: Edge::Both,
                side: Side::Whole,
            }],
            references: vec![ReferenceRow { param: 4, target: 7 }],
            patients: vec![PatientRow { patient: 7, bond: Bond::Both }],
            words: WordSum { count: 3, sum: 8 },
            word_texts: WordTexts { narrative: "¶ blood".to_owned(), rest: "blood".to_owned() },
            ..IndexRows::default()
        };
        let resource_type = ResourceType::parse("Observation").unwrap();
        Sample { resource_type, packed: Packed::new(b"tail", None), rows }
    }

    fn file(name: &str) -> String {
        let folder = std::env::temp_dir().join(format!("emberwell-ceiling-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        format!("{}/{name}.db", folder.display())
    }

    #[test]
    fn what_is_written_again_is_what_was_sampled() {
        let path = file("create");
        let span = Duration::from_millis(20);

        assert!(sqlite(&path, &[sample()], Writes::Create, 10, span).unwrap() > 0.0);

        let observation = ResourceType::parse("Observation").unwrap();
        let again = samples(&format!("sqlite:{path}"), observation, 5).unwrap();
        assert_eq!(again.len(), 5);
        assert_eq!(again[0].rows, sample().rows);
        assert_eq!(again[0].packed, sample().packed);
        let size = sqlite_size(&path).unwrap();
        assert_eq!(size.resources, size.versions);
    }

    #[test]
    fn updates_leave_one_quantity_for_each_resource() {
        let path = file("update");

        sqlite(&path, &[sample()], Writes::Update, 500, Duration::from_millis(60)).unwrap();

        let mut connection = SqliteConnection::establish(&path).unwrap();
        let count = fixed!(BigInt, "SELECT COUNT(*) FROM index_quantity", &[]);
        let rows: i64 = count.get_result(&mut connection).unwrap();
        let size = sqlite_size(&path).unwrap();
        assert_eq!((rows, size.resources), (UPDATED, UPDATED));
        assert!(size.versions > UPDATED);
    }
}
