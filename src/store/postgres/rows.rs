//! Index rows turned on their side, one array per column, and the parts of a statement that write, remove and mark them.

use std::collections::BTreeSet;

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::query_builder::AstPass;
use diesel::sql_types::{Array, BigInt, Double, SmallInt, Text};

use crate::store::contained::{contained_rid, stored_target};
use crate::store::rows::{IndexRows, TokenText};

/// param, code, text
pub(super) type TextColumns = (Vec<i16>, Vec<i64>, Vec<String>);

pub(super) fn text_columns<'a>(texts: impl Iterator<Item = &'a TokenText>) -> TextColumns {
    let mut columns = TextColumns::default();
    // In one order everywhere, so that two transactions never wait for each other in a ring.
    for row in texts.collect::<BTreeSet<&TokenText>>() {
        columns.0.push(row.param);
        columns.1.push(row.code);
        columns.2.push(row.text.clone());
    }
    columns
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

/// The rules of Consents: rid, and their numbers column by column.
#[derive(Default)]
struct ConsentColumns {
    rid: Vec<i64>,
    numbers: [Vec<i64>; 12],
}

#[derive(Default)]
pub(super) struct RowColumns {
    token: PairColumns,
    string: StringColumns,
    date: PairColumns,
    quantity: QuantityColumns,
    reference: (Vec<i16>, Vec<i64>, Vec<i64>),
    uri: (Vec<i16>, Vec<String>, Vec<i64>, Vec<i16>),
    composite: CompositeColumns,
    /// patient, rtype, rid, bond
    compartment: (Vec<i64>, Vec<i16>, Vec<i64>, Vec<i16>),
    /// z, x, y, rid
    position: (Vec<f64>, Vec<f64>, Vec<f64>, Vec<i64>),
    /// rid, narrative, rest
    words: (Vec<i64>, Vec<String>, Vec<String>),
    consent: ConsentColumns,
    /// rid, patient
    deleted_from: (Vec<i64>, Vec<i64>),
    /// rid, rtype, id
    contained: (Vec<i64>, Vec<i16>, Vec<String>),
}

impl RowColumns {
    pub(super) fn push(&mut self, rows: &IndexRows, rid: i64, rtype: i16) {
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
            self.quantity.5.push(row.mark());
        }
        for row in &rows.references {
            self.reference.0.push(row.param);
            self.reference.1.push(stored_target(row.target, rid));
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
            self.compartment.0.push(patient.patient);
            self.compartment.1.push(rtype);
            self.compartment.2.push(rid);
            self.compartment.3.push(patient.bond as i16);
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
        for row in &rows.consents {
            self.consent.rid.push(rid);
            for (column, number) in self.consent.numbers.iter_mut().zip(row.numbers()) {
                column.push(number);
            }
        }
        for patient in &rows.deleted_from {
            self.deleted_from.0.push(rid);
            self.deleted_from.1.push(*patient);
        }
        for inner in &rows.contained {
            let place = contained_rid(rid, inner.place);
            if let Some(head) = &inner.head {
                self.contained.0.push(place);
                self.contained.1.push(head.rtype);
                self.contained.2.push(head.id.clone());
            }
            self.push(&inner.rows, place, rtype);
        }
    }
}

pub(super) fn text_inserts<'b>(out: &mut AstPass<'_, 'b, Pg>, texts: &'b TextColumns) -> QueryResult<()> {
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
pub(super) fn array<'b, ST, T>(out: &mut AstPass<'_, 'b, Pg>, values: &'b Vec<T>) -> QueryResult<()>
where
    Pg: Backend + diesel::sql_types::HasSqlType<Array<ST>>,
    Vec<T>: diesel::serialize::ToSql<Array<ST>, Pg>,
    ST: 'static,
{
    out.push_sql(", ");
    out.push_bind_param::<Array<ST>, _>(values)
}

pub(super) fn index_inserts<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
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
        out.push_sql("a7 AS (INSERT INTO compartment (patient, rtype, rid, bond) SELECT * FROM unnest(");
        compartment(out, rows)?;
        out.push_sql(")), ");
    }
    if !rows.position.0.is_empty() {
        out.push_sql("a9 AS (INSERT INTO index_position (z, x, y, rid) SELECT * FROM unnest(");
        position(out, rows)?;
        out.push_sql(")), ");
    }
    if !rows.consent.rid.is_empty() {
        out.push_sql(
            "a12 AS (INSERT INTO consent_rule (rid, patient, is_exception, branch, actor, rtype, item, code, system, ceiling, \
             rights, from_us, until_us) SELECT * FROM unnest(",
        );
        consent(out, &rows.consent)?;
        out.push_sql(")), ");
    }
    if !rows.deleted_from.0.is_empty() {
        out.push_sql("a13 AS (INSERT INTO deleted_from (rid, patient) SELECT * FROM unnest(");
        deleted_from(out, rows)?;
        out.push_sql(")), ");
    }
    Ok(())
}

// Which row of a table is the one that stands in `g`: the edge is no part of its key.
const SAME_TOKEN: &str = ") AS g (param, code, system, rid, edge) WHERE i.param = g.param AND i.code = g.code \
             AND i.system = g.system AND i.rid = g.rid), ";
const SAME_STRING: &str = ") AS g (param, folded, exact, rid, edge) WHERE i.param = g.param AND i.folded = g.folded COLLATE \"C\" \
             AND i.exact = g.exact AND i.rid = g.rid), ";
const SAME_DATE: &str = ") AS g (param, lo_us, hi_us, rid, edge) WHERE i.param = g.param AND i.lo_us = g.lo_us \
             AND i.hi_us = g.hi_us AND i.rid = g.rid), ";
const SAME_QUANTITY: &str = ") AS g (param, value, code, system, rid, edge) WHERE i.param = g.param AND i.value = g.value \
             AND i.code = g.code AND i.system = g.system AND i.rid = g.rid), ";
const SAME_URI: &str = ") AS g (param, value, rid, edge) WHERE i.param = g.param AND i.value = g.value COLLATE \"C\" \
             AND i.rid = g.rid), ";

pub(super) fn index_deletes<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    if !rows.token.0.is_empty() {
        out.push_sql("d1 AS (DELETE FROM index_token i USING unnest(");
        token(out, rows)?;
        out.push_sql(SAME_TOKEN);
    }
    if !rows.string.0.is_empty() {
        out.push_sql("d2 AS (DELETE FROM index_string i USING unnest(");
        string(out, rows)?;
        out.push_sql(SAME_STRING);
    }
    if !rows.date.0.is_empty() {
        out.push_sql("d3 AS (DELETE FROM index_date i USING unnest(");
        date(out, rows)?;
        out.push_sql(SAME_DATE);
    }
    if !rows.quantity.0.is_empty() {
        out.push_sql("d4 AS (DELETE FROM index_quantity i USING unnest(");
        quantity(out, rows)?;
        out.push_sql(SAME_QUANTITY);
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
        out.push_sql(SAME_URI);
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
            ") AS g (patient, rtype, rid, bond) WHERE i.patient = g.patient AND i.rtype = g.rtype AND i.rid = g.rid \
             AND i.bond = g.bond), ",
        );
    }
    if !rows.position.0.is_empty() {
        out.push_sql("d9 AS (DELETE FROM index_position i USING unnest(");
        position(out, rows)?;
        out.push_sql(") AS g (z, x, y, rid) WHERE i.z = g.z AND i.x = g.x AND i.y = g.y AND i.rid = g.rid), ");
    }
    if !rows.consent.rid.is_empty() {
        out.push_sql("d12 AS (DELETE FROM consent_rule i USING unnest(");
        consent(out, &rows.consent)?;
        out.push_sql(
            ") AS g (rid, patient, is_exception, branch, actor, rtype, item, code, system, ceiling, rights, from_us, until_us) \
             WHERE i.rid = g.rid AND i.patient = g.patient AND i.is_exception = g.is_exception AND i.branch = g.branch \
             AND i.actor = g.actor AND i.rtype = g.rtype AND i.item = g.item AND i.code = g.code AND i.system = g.system \
             AND i.ceiling = g.ceiling AND i.rights = g.rights AND i.from_us = g.from_us AND i.until_us = g.until_us), ",
        );
    }
    if !rows.deleted_from.0.is_empty() {
        out.push_sql("d13 AS (DELETE FROM deleted_from i USING unnest(");
        deleted_from(out, rows)?;
        out.push_sql(") AS g (rid, patient) WHERE i.rid = g.rid AND i.patient = g.patient), ");
    }
    Ok(())
}

/// What has one row for a number, which another replaces: words, and what a contained resource is.
pub(super) fn single_rows<'b>(
    out: &mut AstPass<'_, 'b, Pg>,
    gone: &'b RowColumns,
    added: &'b RowColumns,
) -> QueryResult<()> {
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
    if !gone.contained.0.is_empty() {
        out.push_sql("d11 AS (DELETE FROM contained WHERE rid = ANY (");
        out.push_bind_param::<Array<BigInt>, _>(&gone.contained.0)?;
        out.push_sql(") AND rid <> ALL (");
        out.push_bind_param::<Array<BigInt>, _>(&added.contained.0)?;
        out.push_sql(")), ");
    }
    if !added.contained.0.is_empty() {
        out.push_sql("a11 AS (INSERT INTO contained (rid, rtype, id) SELECT * FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&added.contained.0)?;
        array::<SmallInt, _>(out, &added.contained.1)?;
        array::<Text, _>(out, &added.contained.2)?;
        out.push_sql(") ON CONFLICT (rid) DO UPDATE SET rtype = excluded.rtype, id = excluded.id), ");
    }
    Ok(())
}

pub(super) fn index_marks<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    if !rows.token.0.is_empty() {
        out.push_sql("m1 AS (UPDATE index_token i SET edge = g.edge FROM unnest(");
        token(out, rows)?;
        out.push_sql(SAME_TOKEN);
    }
    if !rows.string.0.is_empty() {
        out.push_sql("m2 AS (UPDATE index_string i SET edge = g.edge FROM unnest(");
        string(out, rows)?;
        out.push_sql(SAME_STRING);
    }
    if !rows.date.0.is_empty() {
        out.push_sql("m3 AS (UPDATE index_date i SET edge = g.edge FROM unnest(");
        date(out, rows)?;
        out.push_sql(SAME_DATE);
    }
    if !rows.quantity.0.is_empty() {
        out.push_sql("m4 AS (UPDATE index_quantity i SET edge = g.edge FROM unnest(");
        quantity(out, rows)?;
        out.push_sql(SAME_QUANTITY);
    }
    if !rows.uri.0.is_empty() {
        out.push_sql("m6 AS (UPDATE index_uri i SET edge = g.edge FROM unnest(");
        uri(out, rows)?;
        out.push_sql(SAME_URI);
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
    array::<BigInt, _>(out, &rows.compartment.2)?;
    array::<SmallInt, _>(out, &rows.compartment.3)
}

fn consent<'b>(out: &mut AstPass<'_, 'b, Pg>, columns: &'b ConsentColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<BigInt>, _>(&columns.rid)?;
    columns.numbers.iter().try_for_each(|column| array::<BigInt, _>(out, column))
}

fn deleted_from<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<BigInt>, _>(&rows.deleted_from.0)?;
    array::<BigInt, _>(out, &rows.deleted_from.1)
}

fn position<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b RowColumns) -> QueryResult<()> {
    out.push_bind_param::<Array<Double>, _>(&rows.position.0)?;
    array::<Double, _>(out, &rows.position.1)?;
    array::<Double, _>(out, &rows.position.2)?;
    array::<BigInt, _>(out, &rows.position.3)
}
