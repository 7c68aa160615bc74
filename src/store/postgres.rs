//! What only PostgreSQL does: locks, blocks of numbers, and writing a whole set of versions in one round trip.

use std::collections::BTreeSet;
use std::time::Duration;

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Double, Nullable, SmallInt, Text};
use diesel::{PgConnection, QueryResult, RunQueryDsl};

use crate::store::StoreError;
use crate::store::deadline::statement_timeout;
use crate::store::renew::Renewed;
use crate::store::rows::{IndexRows, TokenText};
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
        columns.index_rows.push(renewal.encoded_rows.clone());
        columns.added.push(&renewal.added, renewal.rid, renewal.rtype);
        columns.gone.push(&renewal.gone, renewal.rid, renewal.rtype);
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

/// param, code, text
type TextColumns = (Vec<i16>, Vec<i64>, Vec<String>);

fn text_columns<'a>(texts: impl Iterator<Item = &'a TokenText>) -> TextColumns {
    let mut columns = TextColumns::default();
    // In one order everywhere, so that two transactions never wait for each other in a ring.
    for row in texts.collect::<BTreeSet<&TokenText>>() {
        columns.0.push(row.param);
        columns.1.push(row.code);
        columns.2.push(row.text.clone());
    }
    columns
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
    codec: Vec<i16>,
    tail: Vec<Option<Vec<u8>>>,
    index_rows: Vec<Vec<u8>>,
}

/// param, two numbers, rid, edge
type PairColumns = (Vec<i16>, Vec<i64>, Vec<i64>, Vec<i64>, Vec<i16>);
/// param, folded, exact, rid, edge
type StringColumns = (Vec<i16>, Vec<String>, Vec<i64>, Vec<i64>, Vec<i16>);
/// param, value, code, system, rid, edge
type QuantityColumns = (Vec<i16>, Vec<f64>, Vec<i64>, Vec<i64>, Vec<i64>, Vec<i16>);

/// In the order of the table's columns.
#[derive(Default)]
struct CompositeColumns {
    param: Vec<i16>,
    code: Vec<i64>,
    system: Vec<i64>,
    text: Vec<String>,
    value: Vec<f64>,
    upper: Vec<f64>,
    low: Vec<i64>,
    high: Vec<i64>,
    rid: Vec<i64>,
}

#[derive(Default)]
struct RowColumns {
    token: PairColumns,
    string: StringColumns,
    date: PairColumns,
    quantity: QuantityColumns,
    reference: (Vec<i16>, Vec<i64>, Vec<i64>),
    uri: (Vec<i16>, Vec<String>, Vec<i64>, Vec<i16>),
    composite: CompositeColumns,
    compartment: (Vec<i64>, Vec<i16>, Vec<i64>),
    /// z, x, y, rid
    position: (Vec<f64>, Vec<f64>, Vec<f64>, Vec<i64>),
    /// rid, narrative, rest
    words: (Vec<i64>, Vec<String>, Vec<String>),
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
        self.codec.push(tail.map_or(0, |packed| packed.codec));
        self.tail.push(tail.map(|packed| packed.bytes.clone()));
        self.index_rows.push(write.encoded_rows.clone());
    }
}

impl RowColumns {
    fn push(&mut self, rows: &IndexRows, rid: i64, rtype: i16) {
        for row in &rows.tokens {
            self.token.0.push(row.param);
            self.token.1.push(row.code);
            self.token.2.push(row.system);
            self.token.3.push(rid);
            self.token.4.push(row.edge as i16);
        }
        for row in &rows.strings {
            self.string.0.push(row.param);
            self.string.1.push(row.folded.clone());
            self.string.2.push(row.exact);
            self.string.3.push(rid);
            self.string.4.push(row.edge as i16);
        }
        for row in &rows.dates {
            self.date.0.push(row.param);
            self.date.1.push(row.lo_us);
            self.date.2.push(row.hi_us);
            self.date.3.push(rid);
            self.date.4.push(row.edge as i16);
        }
        for row in &rows.quantities {
            self.quantity.0.push(row.param);
            self.quantity.1.push(row.value);
            self.quantity.2.push(row.code);
            self.quantity.3.push(row.system);
            self.quantity.4.push(rid);
            self.quantity.5.push(row.edge as i16);
        }
        for row in &rows.references {
            self.reference.0.push(row.param);
            self.reference.1.push(row.target);
            self.reference.2.push(rid);
        }
        for row in &rows.uris {
            self.uri.0.push(row.param);
            self.uri.1.push(row.value.clone());
            self.uri.2.push(rid);
            self.uri.3.push(row.edge as i16);
        }
        for row in &rows.composites {
            self.composite.param.push(row.param);
            self.composite.code.push(row.code);
            self.composite.system.push(row.system);
            self.composite.text.push(row.text.clone());
            self.composite.value.push(row.value);
            self.composite.upper.push(row.upper);
            self.composite.low.push(row.low);
            self.composite.high.push(row.high);
            self.composite.rid.push(rid);
        }
        for patient in &rows.patients {
            self.compartment.0.push(*patient);
            self.compartment.1.push(rtype);
            self.compartment.2.push(rid);
        }
        for row in &rows.positions {
            self.position.0.push(row.z);
            self.position.1.push(row.x);
            self.position.2.push(row.y);
            self.position.3.push(rid);
        }
        if rows.words.count > 0 {
            self.words.0.push(rid);
            self.words.1.push(rows.word_texts.narrative.clone());
            self.words.2.push(rows.word_texts.rest.clone());
        }
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
                 (rid, key, rtype, id, version, updated_us, method, codec, tail, index_rows) SELECT * FROM unnest(",
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
                 codec = c.codec, tail = c.tail, index_rows = c.index_rows FROM unnest(",
            );
            resource_columns(&mut out, &columns.changed)?;
            out.push_sql(
                ") AS c (rid, key, rtype, id, version, updated_us, method, codec, tail, index_rows) \
                 WHERE r.rid = c.rid), ",
            );
        }
        index_deletes(&mut out, &columns.gone)?;
        words(&mut out, &columns.gone, &columns.added)?;
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
    index_rows: Vec<Vec<u8>>,
    added: RowColumns,
    gone: RowColumns,
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
        words(&mut out, &self.gone, &self.added)?;
        index_inserts(&mut out, &self.added)?;
        text_inserts(&mut out, &self.texts)?;
        // So that a comma follows each of the parts above.
        out.push_sql("c AS (SELECT * FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.rid)?;
        array::<Binary, _>(&mut out, &self.index_rows)?;
        out.push_sql(
            ") AS c (rid, index_rows)) UPDATE resource r SET index_rows = c.index_rows FROM c WHERE r.rid = c.rid",
        );
        Ok(())
    }
}

fn text_inserts<'b>(out: &mut AstPass<'_, 'b, Pg>, texts: &'b TextColumns) -> QueryResult<()> {
    if texts.0.is_empty() {
        return Ok(());
    }
    out.push_sql("x AS (INSERT INTO token_text (param, code, text) SELECT * FROM unnest(");
    out.push_bind_param::<Array<SmallInt>, _>(&texts.0)?;
    array::<BigInt, _>(out, &texts.1)?;
    array::<Text, _>(out, &texts.2)?;
    out.push_sql(") ON CONFLICT DO NOTHING), ");
    Ok(())
}

/// Binds `values` after a comma.
fn array<'b, ST, T>(out: &mut AstPass<'_, 'b, Pg>, values: &'b Vec<T>) -> QueryResult<()>
where
    Pg: Backend + diesel::sql_types::HasSqlType<Array<ST>>,
    Vec<T>: diesel::serialize::ToSql<Array<ST>, Pg>,
    ST: 'static,
{
    out.push_sql(", ");
    out.push_bind_param::<Array<ST>, _>(values)
}

fn resource_columns<'b>(out: &mut AstPass<'_, 'b, Pg>, columns: &'b ResourceColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<BigInt>, _>(&columns.rid)?;
    array::<BigInt, _>(out, &columns.key)?;
    array::<SmallInt, _>(out, &columns.rtype)?;
    array::<Text, _>(out, &columns.id)?;
    array::<BigInt, _>(out, &columns.version)?;
    array::<BigInt, _>(out, &columns.updated_us)?;
    array::<SmallInt, _>(out, &columns.method)?;
    array::<SmallInt, _>(out, &columns.codec)?;
    array::<Nullable<Binary>, _>(out, &columns.tail)?;
    array::<Binary, _>(out, &columns.index_rows)
}

fn index_inserts<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    if !rows.token.0.is_empty() {
        out.push_sql("a1 AS (INSERT INTO index_token (param, code, system, rid, edge) SELECT * FROM unnest(");
        token(out, rows)?;
        out.push_sql(")), ");
    }
    if !rows.string.0.is_empty() {
        out.push_sql("a2 AS (INSERT INTO index_string (param, folded, exact, rid, edge) SELECT * FROM unnest(");
        string(out, rows)?;
        out.push_sql(")), ");
    }
    if !rows.date.0.is_empty() {
        out.push_sql("a3 AS (INSERT INTO index_date (param, lo_us, hi_us, rid, edge) SELECT * FROM unnest(");
        date(out, rows)?;
        out.push_sql(")), ");
    }
    if !rows.quantity.0.is_empty() {
        out.push_sql("a4 AS (INSERT INTO index_quantity (param, value, code, system, rid, edge) SELECT * FROM unnest(");
        quantity(out, rows)?;
        out.push_sql(")), ");
    }
    if !rows.reference.0.is_empty() {
        out.push_sql("a5 AS (INSERT INTO index_reference (param, target, rid) SELECT * FROM unnest(");
        reference(out, rows)?;
        out.push_sql(")), ");
    }
    if !rows.uri.0.is_empty() {
        out.push_sql("a6 AS (INSERT INTO index_uri (param, value, rid, edge) SELECT * FROM unnest(");
        uri(out, rows)?;
        out.push_sql(")), ");
    }
    if !rows.composite.param.is_empty() {
        out.push_sql(
            "a8 AS (INSERT INTO index_composite (param, code, system, text, value, upper, low, high, rid) \
             SELECT * FROM unnest(",
        );
        composite(out, &rows.composite)?;
        out.push_sql(")), ");
    }
    if !rows.compartment.0.is_empty() {
        out.push_sql("a7 AS (INSERT INTO compartment (patient, rtype, rid) SELECT * FROM unnest(");
        compartment(out, rows)?;
        out.push_sql(")), ");
    }
    if !rows.position.0.is_empty() {
        out.push_sql("a9 AS (INSERT INTO index_position (z, x, y, rid) SELECT * FROM unnest(");
        position(out, rows)?;
        out.push_sql(")), ");
    }
    Ok(())
}

fn index_deletes<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    if !rows.token.0.is_empty() {
        out.push_sql("d1 AS (DELETE FROM index_token i USING unnest(");
        token(out, rows)?;
        out.push_sql(
            ") AS g (param, code, system, rid, edge) WHERE i.param = g.param AND i.code = g.code \
             AND i.system = g.system AND i.rid = g.rid), ",
        );
    }
    if !rows.string.0.is_empty() {
        out.push_sql("d2 AS (DELETE FROM index_string i USING unnest(");
        string(out, rows)?;
        out.push_sql(
            ") AS g (param, folded, exact, rid, edge) WHERE i.param = g.param AND i.folded = g.folded COLLATE \"C\" \
             AND i.exact = g.exact AND i.rid = g.rid), ",
        );
    }
    if !rows.date.0.is_empty() {
        out.push_sql("d3 AS (DELETE FROM index_date i USING unnest(");
        date(out, rows)?;
        out.push_sql(
            ") AS g (param, lo_us, hi_us, rid, edge) WHERE i.param = g.param AND i.lo_us = g.lo_us \
             AND i.hi_us = g.hi_us AND i.rid = g.rid), ",
        );
    }
    if !rows.quantity.0.is_empty() {
        out.push_sql("d4 AS (DELETE FROM index_quantity i USING unnest(");
        quantity(out, rows)?;
        out.push_sql(
            ") AS g (param, value, code, system, rid, edge) WHERE i.param = g.param AND i.value = g.value \
             AND i.code = g.code AND i.system = g.system AND i.rid = g.rid), ",
        );
    }
    if !rows.reference.0.is_empty() {
        out.push_sql("d5 AS (DELETE FROM index_reference i USING unnest(");
        reference(out, rows)?;
        out.push_sql(
            ") AS g (param, target, rid) WHERE i.param = g.param AND i.target = g.target AND i.rid = g.rid), ",
        );
    }
    if !rows.uri.0.is_empty() {
        out.push_sql("d6 AS (DELETE FROM index_uri i USING unnest(");
        uri(out, rows)?;
        out.push_sql(
            ") AS g (param, value, rid, edge) WHERE i.param = g.param AND i.value = g.value COLLATE \"C\" \
             AND i.rid = g.rid), ",
        );
    }
    if !rows.composite.param.is_empty() {
        out.push_sql("d8 AS (DELETE FROM index_composite i USING unnest(");
        composite(out, &rows.composite)?;
        out.push_sql(
            ") AS g (param, code, system, text, value, upper, low, high, rid) WHERE i.param = g.param \
             AND i.code = g.code AND i.system = g.system AND i.text = g.text COLLATE \"C\" AND i.value = g.value \
             AND i.upper = g.upper AND i.low = g.low AND i.high = g.high AND i.rid = g.rid), ",
        );
    }
    if !rows.compartment.0.is_empty() {
        out.push_sql("d7 AS (DELETE FROM compartment i USING unnest(");
        compartment(out, rows)?;
        out.push_sql(
            ") AS g (patient, rtype, rid) WHERE i.patient = g.patient AND i.rtype = g.rtype AND i.rid = g.rid), ",
        );
    }
    if !rows.position.0.is_empty() {
        out.push_sql("d9 AS (DELETE FROM index_position i USING unnest(");
        position(out, rows)?;
        out.push_sql(") AS g (z, x, y, rid) WHERE i.z = g.z AND i.x = g.x AND i.y = g.y AND i.rid = g.rid), ");
    }
    Ok(())
}

/// The words of a resource are one row, which other words replace.
fn words<'b>(out: &mut AstPass<'_, 'b, Pg>, gone: &'b RowColumns, added: &'b RowColumns) -> QueryResult<()> {
    if !gone.words.0.is_empty() {
        out.push_sql("d10 AS (DELETE FROM index_words WHERE rid = ANY (");
        out.push_bind_param::<Array<BigInt>, _>(&gone.words.0)?;
        out.push_sql(") AND rid <> ALL (");
        out.push_bind_param::<Array<BigInt>, _>(&added.words.0)?;
        out.push_sql(")), ");
    }
    if !added.words.0.is_empty() {
        out.push_sql("a10 AS (INSERT INTO index_words (rid, narrative, rest) SELECT * FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&added.words.0)?;
        array::<Text, _>(out, &added.words.1)?;
        array::<Text, _>(out, &added.words.2)?;
        out.push_sql(") ON CONFLICT (rid) DO UPDATE SET narrative = excluded.narrative, rest = excluded.rest), ");
    }
    Ok(())
}

fn index_marks<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    if !rows.token.0.is_empty() {
        out.push_sql("m1 AS (UPDATE index_token i SET edge = g.edge FROM unnest(");
        token(out, rows)?;
        out.push_sql(
            ") AS g (param, code, system, rid, edge) WHERE i.param = g.param AND i.code = g.code \
             AND i.system = g.system AND i.rid = g.rid), ",
        );
    }
    if !rows.string.0.is_empty() {
        out.push_sql("m2 AS (UPDATE index_string i SET edge = g.edge FROM unnest(");
        string(out, rows)?;
        out.push_sql(
            ") AS g (param, folded, exact, rid, edge) WHERE i.param = g.param AND i.folded = g.folded COLLATE \"C\" \
             AND i.exact = g.exact AND i.rid = g.rid), ",
        );
    }
    if !rows.date.0.is_empty() {
        out.push_sql("m3 AS (UPDATE index_date i SET edge = g.edge FROM unnest(");
        date(out, rows)?;
        out.push_sql(
            ") AS g (param, lo_us, hi_us, rid, edge) WHERE i.param = g.param AND i.lo_us = g.lo_us \
             AND i.hi_us = g.hi_us AND i.rid = g.rid), ",
        );
    }
    if !rows.quantity.0.is_empty() {
        out.push_sql("m4 AS (UPDATE index_quantity i SET edge = g.edge FROM unnest(");
        quantity(out, rows)?;
        out.push_sql(
            ") AS g (param, value, code, system, rid, edge) WHERE i.param = g.param AND i.value = g.value \
             AND i.code = g.code AND i.system = g.system AND i.rid = g.rid), ",
        );
    }
    if !rows.uri.0.is_empty() {
        out.push_sql("m6 AS (UPDATE index_uri i SET edge = g.edge FROM unnest(");
        uri(out, rows)?;
        out.push_sql(
            ") AS g (param, value, rid, edge) WHERE i.param = g.param AND i.value = g.value COLLATE \"C\" \
             AND i.rid = g.rid), ",
        );
    }
    Ok(())
}

fn token<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<SmallInt>, _>(&rows.token.0)?;
    array::<BigInt, _>(out, &rows.token.1)?;
    array::<BigInt, _>(out, &rows.token.2)?;
    array::<BigInt, _>(out, &rows.token.3)?;
    array::<SmallInt, _>(out, &rows.token.4)
}

fn string<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<SmallInt>, _>(&rows.string.0)?;
    array::<Text, _>(out, &rows.string.1)?;
    array::<BigInt, _>(out, &rows.string.2)?;
    array::<BigInt, _>(out, &rows.string.3)?;
    array::<SmallInt, _>(out, &rows.string.4)
}

fn date<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<SmallInt>, _>(&rows.date.0)?;
    array::<BigInt, _>(out, &rows.date.1)?;
    array::<BigInt, _>(out, &rows.date.2)?;
    array::<BigInt, _>(out, &rows.date.3)?;
    array::<SmallInt, _>(out, &rows.date.4)
}

fn quantity<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<SmallInt>, _>(&rows.quantity.0)?;
    array::<Double, _>(out, &rows.quantity.1)?;
    array::<BigInt, _>(out, &rows.quantity.2)?;
    array::<BigInt, _>(out, &rows.quantity.3)?;
    array::<BigInt, _>(out, &rows.quantity.4)?;
    array::<SmallInt, _>(out, &rows.quantity.5)
}

fn reference<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<SmallInt>, _>(&rows.reference.0)?;
    array::<BigInt, _>(out, &rows.reference.1)?;
    array::<BigInt, _>(out, &rows.reference.2)
}

fn uri<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<SmallInt>, _>(&rows.uri.0)?;
    array::<Text, _>(out, &rows.uri.1)?;
    array::<BigInt, _>(out, &rows.uri.2)?;
    array::<SmallInt, _>(out, &rows.uri.3)
}

fn composite<'b>(out: &mut AstPass<'_, 'b, Pg>, columns: &'b CompositeColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<SmallInt>, _>(&columns.param)?;
    array::<BigInt, _>(out, &columns.code)?;
    array::<BigInt, _>(out, &columns.system)?;
    array::<Text, _>(out, &columns.text)?;
    array::<Double, _>(out, &columns.value)?;
    array::<Double, _>(out, &columns.upper)?;
    array::<BigInt, _>(out, &columns.low)?;
    array::<BigInt, _>(out, &columns.high)?;
    array::<BigInt, _>(out, &columns.rid)
}

fn compartment<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<BigInt>, _>(&rows.compartment.0)?;
    array::<SmallInt, _>(out, &rows.compartment.1)?;
    array::<BigInt, _>(out, &rows.compartment.2)
}

fn position<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<Double>, _>(&rows.position.0)?;
    array::<Double, _>(out, &rows.position.1)?;
    array::<Double, _>(out, &rows.position.2)?;
    array::<BigInt, _>(out, &rows.position.3)
}
