//! How fast the database itself takes the bytes that the server writes: the ceiling under which the server works.
//!
//! What the server stored is sampled and written again into fresh tables, row for row, in commits of the same size,
//! with nothing in front of the database. On SQLite that is its C interface with statements prepared once, on one
//! thread, because a layer above it would be measured along; on PostgreSQL it is one statement per commit, on several
//! connections.

mod bare;

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Binary, SmallInt};
use diesel::{Connection as _, PgConnection, RunQueryDsl, SqliteConnection};

use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::store::ceiling::bare::{Bare, Statements, commit};
use crate::store::codec::Packed;
use crate::store::reader::Link;
use crate::store::rows::{IndexRows, Method};
use crate::store::statement::{Value, fixed};
use crate::store::tx::{Locked, Numbered, Put};
use crate::store::{Creator, StoreError, migrate, postgres, sqlite, verify};

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
        creator: Creator::Nobody,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::{
        Bond, Edge, PatientRow, QuantityRow, ReferenceRow, Side, StringRow, TokenRow, WordSum, WordTexts,
    };

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
