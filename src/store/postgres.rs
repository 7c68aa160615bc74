//! What only PostgreSQL does: locks, blocks of numbers, and writing a whole set of versions in one round trip.

mod rows;

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, SmallInt, Text};
use diesel::{PgConnection, QueryResult, RunQueryDsl};

use crate::store::StoreError;
use crate::store::deadline::statement_timeout;
use crate::store::postgres::rows::{
    RowColumns, TextColumns, array, index_deletes, index_inserts, index_marks, single_rows, text_columns, text_inserts,
};
use crate::store::renew::Renewed;
use crate::store::statement::{Value, fixed};
use crate::store::tx::Numbered;

/// How many numbers a server takes at a time; the increment of the sequence.
pub(super) const BLOCK: i64 = 1000;

/// The advisory lock that transactions that write hold together, and that one who waits for them all takes alone; any number
/// that only this program uses.
const WRITERS: &str = "4919131822";

/// Begins a transaction that writes.
pub(super) fn begin_write(connection: &mut PgConnection) -> Result<(), StoreError> {
    // One text, one round trip. The limit of the connection is one for reads.
    Ok(connection.batch_execute(&format!(
        "BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock_shared({WRITERS})"
    ))?)
}

/// Begins a snapshot, whose statements have the limit of the connection if they have none of their own.
pub(super) fn begin_read(connection: &mut PgConnection, limit: Option<Duration>) -> Result<(), StoreError> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let begin = match limit {
        None => BEGIN.to_owned(),
        Some(limit) => format!("{BEGIN}; SET LOCAL {}", statement_timeout(limit)),
    };
    Ok(connection.batch_execute(&begin)?)
}

/// Begins a snapshot at a moment when no transaction that writes is under way.
pub(super) fn begin_settled(connection: &mut PgConnection) -> Result<(), StoreError> {
    connection
        .batch_execute(&format!("BEGIN; SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_lock({WRITERS}); COMMIT"))?;
    // The first statement of a transaction takes its snapshot: this one does so before it lets others begin.
    connection.batch_execute(&format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_advisory_unlock({WRITERS})"
    ))?;
    Ok(())
}

/// The instant of the newest version.
pub(super) fn last_us(connection: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(fixed!(BigInt, "SELECT COALESCE(MAX(updated_us), 0) FROM change", &[]).get_result(connection)?)
}

/// Holds the number `lock` until the transaction ends.
pub(super) fn lock(connection: &mut PgConnection, lock: i64) -> Result<(), StoreError> {
    let values = [Value::Integer(lock)];
    fixed!((), "SELECT pg_advisory_xact_lock(?)", &values).execute(connection)?;
    Ok(())
}

/// The first number of a block that is ours alone.
pub(super) fn next_block(connection: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(fixed!(BigInt, "SELECT nextval('resource_rid')", &[]).get_result(connection)?)
}

/// Writes all versions in one statement, which names only the tables that the set touches.
pub(super) fn apply(connection: &mut PgConnection, writes: &[Numbered]) -> Result<(), StoreError> {
    if writes.is_empty() {
        return Ok(());
    }
    let rules: Vec<i64> = Apply(Columns::of(writes)).load(connection)?;
    let is_present = |wanted: i64| rules.iter().all(|present| *present == wanted);
    if writes.iter().filter_map(|write| write.put.rules).all(is_present) { Ok(()) } else { Err(StoreError::OtherRules) }
}

/// Gives resources other index rows, in one statement.
pub(super) fn renew(connection: &mut PgConnection, renewals: &[Renewed]) -> Result<(), StoreError> {
    let mut columns = Renew::default();
    for renewal in renewals {
        columns.rid.push(renewal.rid);
        columns.labels.push(renewal.labels);
        columns.index_rows.push(renewal.encoded_rows.clone());
        let (mut added, mut gone) = (renewal.added.clone(), renewal.gone.clone());
        columns.marked.push(&added.take_marked(&mut gone), renewal.rid, renewal.rtype);
        columns.added.push(&added, renewal.rid, renewal.rtype);
        columns.gone.push(&gone, renewal.rid, renewal.rtype);
    }
    columns.texts = text_columns(renewals.iter().flat_map(|renewal| &renewal.added.texts));
    columns.execute(connection)?;
    Ok(())
}

/// The set of versions turned on its side: one array per column.
#[derive(Default)]
struct Columns {
    new: ResourceColumns,
    changed: ResourceColumns,
    changes: (Vec<i64>, Vec<i16>, Vec<i64>, Vec<i64>),
    counts: (Vec<i16>, Vec<i64>, Vec<i64>),
    added: RowColumns,
    gone: RowColumns,
    /// Rows of which the edge changes.
    marked: RowColumns,
    texts: TextColumns,
}

#[derive(Default)]
struct ResourceColumns {
    rid: Vec<i64>,
    key: Vec<i64>,
    rtype: Vec<i16>,
    id: Vec<String>,
    version: Vec<i64>,
    updated_us: Vec<i64>,
    method: Vec<i16>,
    labels: Vec<i16>,
    codec: Vec<i16>,
    tail: Vec<Option<Vec<u8>>>,
    index_rows: Vec<Vec<u8>>,
}

impl Columns {
    fn of(writes: &[Numbered]) -> Columns {
        let mut columns = Columns::default();
        for write in writes {
            let rtype = write.put.key.resource_type.code();
            match write.put.previous {
                None => columns.new.push(write),
                Some(_) => columns.changed.push(write),
            }
            columns.changes.0.push(write.rid);
            columns.changes.1.push(rtype);
            columns.changes.2.push(write.version);
            columns.changes.3.push(write.updated_us);
            columns.count(rtype, write.current_delta());
            // One statement can't delete a row and insert it again.
            let (mut added, mut gone) = (write.added.clone(), write.gone.clone());
            columns.marked.push(&added.take_marked(&mut gone), write.rid, rtype);
            columns.added.push(&added, write.rid, rtype);
            columns.gone.push(&gone, write.rid, rtype);
        }
        columns.texts = text_columns(writes.iter().flat_map(|write| &write.added.texts));
        columns
    }

    /// One row per type, in ascending order of the types, so that two transactions never wait for each other in a ring.
    fn count(&mut self, rtype: i16, current: i64) {
        let (types, currents, versions) = &mut self.counts;
        match types.binary_search(&rtype) {
            Ok(place) => {
                currents[place] += current;
                versions[place] += 1;
            }
            Err(place) => {
                types.insert(place, rtype);
                currents.insert(place, current);
                versions.insert(place, 1);
            }
        }
    }
}

impl ResourceColumns {
    fn push(&mut self, write: &Numbered) {
        let tail = write.put.tail.as_ref();
        self.rid.push(write.rid);
        self.key.push(write.key_hash);
        self.rtype.push(write.put.key.resource_type.code());
        self.id.push(write.put.key.id.as_str().to_owned());
        self.version.push(write.version);
        self.updated_us.push(write.updated_us);
        self.method.push(write.put.method as i16);
        self.labels.push(write.put.rows.labels);
        self.codec.push(tail.map_or(0, |packed| packed.codec));
        self.tail.push(tail.map(|packed| packed.bytes.clone()));
        self.index_rows.push(write.encoded_rows.clone());
    }
}

/// One `WITH` statement. All its parts see the state before it, and each touches other rows.
struct Apply(Columns);

impl QueryId for Apply {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<PgConnection> for Apply {}

impl diesel::query_builder::Query for Apply {
    /// The generation of the present rules, once for each version.
    type SqlType = BigInt;
}

impl QueryFragment<Pg> for Apply {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let columns = &self.0;
        out.push_sql("WITH ");
        if !columns.new.rid.is_empty() {
            out.push_sql(
                "n AS (INSERT INTO resource \
                 (rid, key, rtype, id, version, updated_us, method, labels, codec, tail, index_rows) SELECT * FROM unnest(",
            );
            resource_columns(&mut out, &columns.new)?;
            out.push_sql(")), ");
        }
        if !columns.changed.rid.is_empty() {
            out.push_sql(
                "v AS (INSERT INTO version (rid, version, updated_us, method, codec, tail) \
                 SELECT rid, version, updated_us, method, codec, tail FROM resource WHERE rid = ANY (",
            );
            out.push_bind_param::<Array<BigInt>, _>(&columns.changed.rid)?;
            out.push_sql(
                ")), u AS (UPDATE resource r SET version = c.version, updated_us = c.updated_us, method = c.method, \
                 labels = c.labels, codec = c.codec, tail = c.tail, index_rows = c.index_rows FROM unnest(",
            );
            resource_columns(&mut out, &columns.changed)?;
            out.push_sql(
                ") AS c (rid, key, rtype, id, version, updated_us, method, labels, codec, tail, index_rows) \
                 WHERE r.rid = c.rid), ",
            );
        }
        index_deletes(&mut out, &columns.gone)?;
        single_rows(&mut out, &columns.gone, &columns.added)?;
        index_marks(&mut out, &columns.marked)?;
        index_inserts(&mut out, &columns.added)?;
        text_inserts(&mut out, &columns.texts)?;
        out.push_sql(
            "t AS (INSERT INTO type_count AS s (rtype, slot, current, versions) \
             SELECT c.rtype, pg_backend_pid() % 16, c.current, c.versions FROM unnest(",
        );
        out.push_bind_param::<Array<SmallInt>, _>(&columns.counts.0)?;
        array::<BigInt, _>(&mut out, &columns.counts.1)?;
        array::<BigInt, _>(&mut out, &columns.counts.2)?;
        out.push_sql(
            ") AS c (rtype, current, versions) ON CONFLICT (rtype, slot) DO UPDATE \
             SET current = s.current + excluded.current, versions = s.versions + excluded.versions) \
             INSERT INTO change (rid, rtype, version, updated_us) SELECT * FROM unnest(",
        );
        out.push_bind_param::<Array<BigInt>, _>(&columns.changes.0)?;
        array::<SmallInt, _>(&mut out, &columns.changes.1)?;
        array::<BigInt, _>(&mut out, &columns.changes.2)?;
        array::<BigInt, _>(&mut out, &columns.changes.3)?;
        out.push_sql(") RETURNING (SELECT generation FROM index_rules)");
        Ok(())
    }
}

/// As `Apply`, but nothing of the resources changes besides their index rows.
#[derive(Default)]
struct Renew {
    rid: Vec<i64>,
    labels: Vec<i16>,
    index_rows: Vec<Vec<u8>>,
    added: RowColumns,
    gone: RowColumns,
    marked: RowColumns,
    texts: TextColumns,
}

impl QueryId for Renew {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<PgConnection> for Renew {}

impl QueryFragment<Pg> for Renew {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH ");
        index_deletes(&mut out, &self.gone)?;
        single_rows(&mut out, &self.gone, &self.added)?;
        index_marks(&mut out, &self.marked)?;
        index_inserts(&mut out, &self.added)?;
        text_inserts(&mut out, &self.texts)?;
        // So that a comma follows each of the parts above.
        out.push_sql("c AS (SELECT * FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.rid)?;
        array::<SmallInt, _>(&mut out, &self.labels)?;
        array::<Binary, _>(&mut out, &self.index_rows)?;
        out.push_sql(
            ") AS c (rid, labels, index_rows)) UPDATE resource r SET labels = c.labels, index_rows = c.index_rows FROM c WHERE r.rid = c.rid",
        );
        Ok(())
    }
}

fn resource_columns<'b>(out: &mut AstPass<'_, 'b, Pg>, columns: &'b ResourceColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<BigInt>, _>(&columns.rid)?;
    array::<BigInt, _>(out, &columns.key)?;
    array::<SmallInt, _>(out, &columns.rtype)?;
    array::<Text, _>(out, &columns.id)?;
    array::<BigInt, _>(out, &columns.version)?;
    array::<BigInt, _>(out, &columns.updated_us)?;
    array::<SmallInt, _>(out, &columns.method)?;
    array::<SmallInt, _>(out, &columns.labels)?;
    array::<SmallInt, _>(out, &columns.codec)?;
    array::<Nullable<Binary>, _>(out, &columns.tail)?;
    array::<Binary, _>(out, &columns.index_rows)
}
