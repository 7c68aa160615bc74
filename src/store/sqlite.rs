//! What only SQLite does: settings of a connection, and writing row by row with prepared statements.

use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{Connection as _, RunQueryDsl, SqliteConnection};

use crate::store::StoreError;
use crate::store::contained::{contained_rid, stored_target};
use crate::store::renew::Renewed;
use crate::store::rows::{Edge, IndexRows, WordTexts};
use crate::store::statement::{Fixed, Statement, Value, fixed};
use crate::store::tx::Numbered;

/// A 2xx on a write means that it is on the disk, hence FULL. The log grows to 16 MiB before it is folded in.
pub(super) const WRITER_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000;";
/// Readers see the file where the system has it in memory, up to 2 GiB of it, so that no page is copied for them.
const READER_SETTINGS: &str = "PRAGMA busy_timeout = 2000; PRAGMA cache_size = -8192; PRAGMA mmap_size = 2147418112; \
     PRAGMA temp_store = MEMORY; PRAGMA query_only = ON;";

/// Opens the connection that writes.
pub(super) fn open_writer(path: &str) -> Result<SqliteConnection, StoreError> {
    let mut connection = SqliteConnection::establish(path)?;
    connection.batch_execute(WRITER_SETTINGS)?;
    Ok(connection)
}

/// Makes a fresh connection one that only reads.
pub(super) fn prepare_reader(connection: &mut SqliteConnection) -> Result<(), diesel::result::Error> {
    connection.batch_execute(READER_SETTINGS)
}

/// The first number that no resource has, and the instant of the newest version.
pub(super) fn standing(connection: &mut SqliteConnection) -> Result<(i64, i64), StoreError> {
    let select = fixed!(
        (BigInt, BigInt),
        "SELECT (SELECT COALESCE(MAX(rid), 0) + 1 FROM resource), (SELECT COALESCE(MAX(updated_us), 0) FROM change)",
        &[],
    );
    Ok(select.get_result(connection)?)
}

/// Writes all versions, one statement per row.
pub(super) fn apply(connection: &mut SqliteConnection, writes: &[Numbered]) -> Result<(), StoreError> {
    for write in writes {
        match &write.put.previous {
            None => insert_resource(connection, write)?,
            Some(_) => update_resource(connection, write)?,
        }
        let rtype = i64::from(write.put.key.resource_type.code());
        fixed!(
            (),
            "INSERT INTO change (rid, rtype, version, updated_us) VALUES (?, ?, ?, ?)",
            &[
                Value::Integer(write.rid),
                Value::Integer(rtype),
                Value::Integer(write.version),
                Value::Integer(write.updated_us),
            ]
        )
        .execute(connection)?;
        fixed!(
            (),
            "INSERT INTO type_count (rtype, slot, current, versions) VALUES (?, 0, ?, 1) \
             ON CONFLICT (rtype, slot) DO UPDATE SET current = current + excluded.current, versions = versions + 1",
            &[Value::Integer(rtype), Value::Integer(write.current_delta())]
        )
        .execute(connection)?;
        each_row::<false>(connection, &write.gone, write.rid, rtype)?;
        each_row::<true>(connection, &write.added, write.rid, rtype)?;
        texts(connection, &write.added)?;
    }
    Ok(())
}

/// Gives resources other index rows.
pub(super) fn renew(connection: &mut SqliteConnection, renewals: &[Renewed]) -> Result<(), StoreError> {
    for renewal in renewals {
        let rtype = i64::from(renewal.rtype);
        each_row::<false>(connection, &renewal.gone, renewal.rid, rtype)?;
        each_row::<true>(connection, &renewal.added, renewal.rid, rtype)?;
        texts(connection, &renewal.added)?;
        let labels = Value::Integer(i64::from(renewal.labels));
        let values = [labels, Value::Bytes(Some(&renewal.encoded_rows)), Value::Integer(renewal.rid)];
        fixed!((), "UPDATE resource SET labels = ?, index_rows = ? WHERE rid = ?", &values).execute(connection)?;
    }
    Ok(())
}

fn texts(connection: &mut SqliteConnection, rows: &IndexRows) -> Result<(), StoreError> {
    for row in &rows.texts {
        let values = [Value::Integer(i64::from(row.param)), Value::Integer(row.code), Value::Text(&row.text)];
        fixed!((), "INSERT INTO token_text (param, code, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", &values)
            .execute(connection)?;
    }
    Ok(())
}

fn insert_resource(connection: &mut SqliteConnection, write: &Numbered) -> Result<(), StoreError> {
    let key = &write.put.key;
    let tail = write.put.tail.as_ref();
    fixed!(
        (),
        "INSERT INTO resource (rid, key, rtype, id, version, updated_us, method, labels, codec, tail, index_rows) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &[
            Value::Integer(write.rid),
            Value::Integer(write.key_hash),
            Value::Integer(i64::from(key.resource_type.code())),
            Value::Text(key.id.as_str()),
            Value::Integer(write.version),
            Value::Integer(write.updated_us),
            Value::Integer(write.put.method as i64),
            Value::Integer(i64::from(write.put.rows.labels)),
            Value::Integer(tail.map_or(0, |packed| i64::from(packed.codec))),
            Value::Bytes(tail.map(|packed| packed.bytes.as_slice())),
            Value::Bytes(Some(&write.encoded_rows)),
        ]
    )
    .execute(connection)?;
    Ok(())
}

fn update_resource(connection: &mut SqliteConnection, write: &Numbered) -> Result<(), StoreError> {
    let tail = write.put.tail.as_ref();
    fixed!(
        (),
        "INSERT INTO version (rid, version, updated_us, method, codec, tail) \
         SELECT rid, version, updated_us, method, codec, tail FROM resource WHERE rid = ?",
        &[Value::Integer(write.rid)]
    )
    .execute(connection)?;
    fixed!(
        (),
        "UPDATE resource SET version = ?, updated_us = ?, method = ?, labels = ?, codec = ?, tail = ?, index_rows = ? \
         WHERE rid = ?",
        &[
            Value::Integer(write.version),
            Value::Integer(write.updated_us),
            Value::Integer(write.put.method as i64),
            Value::Integer(i64::from(write.put.rows.labels)),
            Value::Integer(tail.map_or(0, |packed| i64::from(packed.codec))),
            Value::Bytes(tail.map(|packed| packed.bytes.as_slice())),
            Value::Bytes(Some(&write.encoded_rows)),
            Value::Integer(write.rid),
        ]
    )
    .execute(connection)?;
    Ok(())
}

/// A pair of statements for each index table: one that adds a row and one that takes it away, both with the columns in
/// the order in which `each_row` binds them.
macro_rules! row_statements {
    ($($table:ident: $add:literal, $take:literal;)*) => {$(
        struct $table<const ADD: bool>;

        impl<const ADD: bool> Statement for $table<ADD> {
            const TEXT: &'static str = if ADD { $add } else { $take };
            type Rows = ();
        }
    )*};
}

row_statements! {
    Token: "INSERT INTO index_token (param, code, system, rid, edge) VALUES (?, ?, ?, ?, ?)",
        "DELETE FROM index_token WHERE param = ? AND code = ? AND system = ? AND rid = ?";
    Text: "INSERT INTO index_string (param, folded, exact, rid, edge) VALUES (?, ?, ?, ?, ?)",
        "DELETE FROM index_string WHERE param = ? AND folded = ? AND exact = ? AND rid = ?";
    Date: "INSERT INTO index_date (param, lo_us, hi_us, rid, edge) VALUES (?, ?, ?, ?, ?)",
        "DELETE FROM index_date WHERE param = ? AND lo_us = ? AND hi_us = ? AND rid = ?";
    Quantity: "INSERT INTO index_quantity (param, value, code, system, rid, edge) VALUES (?, ?, ?, ?, ?, ?)",
        "DELETE FROM index_quantity WHERE param = ? AND value = ? AND code = ? AND system = ? AND rid = ?";
    Reference: "INSERT INTO index_reference (param, target, rid) VALUES (?, ?, ?)",
        "DELETE FROM index_reference WHERE param = ? AND target = ? AND rid = ?";
    Uri: "INSERT INTO index_uri (param, value, rid, edge) VALUES (?, ?, ?, ?)",
        "DELETE FROM index_uri WHERE param = ? AND value = ? AND rid = ?";
    Composite: "INSERT INTO index_composite (param, code, system, text, value, upper, low, high, rid) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "DELETE FROM index_composite WHERE param = ? AND code = ? AND system = ? AND text = ? AND value = ? \
        AND upper = ? AND low = ? AND high = ? AND rid = ?";
    Position: "INSERT INTO index_position (z, x, y, rid) VALUES (?, ?, ?, ?)",
        "DELETE FROM index_position WHERE z = ? AND x = ? AND y = ? AND rid = ?";
    Words: "INSERT INTO index_words (rowid, narrative, rest) VALUES (?, ?, ?)",
        "DELETE FROM index_words WHERE rowid = ?";
    Compartment: "INSERT INTO compartment (patient, rtype, rid, bond) VALUES (?, ?, ?, ?)",
        "DELETE FROM compartment WHERE patient = ? AND rtype = ? AND rid = ? AND bond = ?";
    Consent: "INSERT INTO consent_rule (rid, patient, is_exception, branch, actor, rtype, item, code, system, ceiling, rights, \
        from_us, until_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "DELETE FROM consent_rule WHERE rid = ? AND patient = ? AND is_exception = ? AND branch = ? AND actor = ? AND rtype = ? \
        AND item = ? AND code = ? AND system = ? AND ceiling = ? AND rights = ? AND from_us = ? AND until_us = ?";
    DeletedFrom: "INSERT INTO deleted_from (rid, patient) VALUES (?, ?)",
        "DELETE FROM deleted_from WHERE rid = ? AND patient = ?";
    Contained: "INSERT INTO contained (rid, rtype, id) VALUES (?, ?, ?)",
        "DELETE FROM contained WHERE rid = ?";
}

/// What a statement binds of a row whose last value is its edge: taking it away does without.
fn bound<'a, 'v, const ADD: bool>(values: &'a [Value<'v>]) -> &'a [Value<'v>] {
    if ADD { values } else { &values[..values.len() - 1] }
}

/// Adds the rows, or takes them away.
fn each_row<const ADD: bool>(
    connection: &mut SqliteConnection,
    rows: &IndexRows,
    number: i64,
    rtype: i64,
) -> Result<(), StoreError> {
    let rid = || Value::Integer(number);
    let param = |number: i16| Value::Integer(i64::from(number));
    let edge = |edge: Edge| Value::Integer(edge as i64);
    for row in &rows.tokens {
        let values = [param(row.param), Value::Integer(row.code), Value::Integer(row.system), rid(), edge(row.edge)];
        Fixed::<Token<ADD>>::new(bound::<ADD>(&values)).execute(connection)?;
    }
    for row in &rows.strings {
        let values = [param(row.param), Value::Text(&row.folded), Value::Integer(row.exact), rid(), edge(row.edge)];
        Fixed::<Text<ADD>>::new(bound::<ADD>(&values)).execute(connection)?;
    }
    for row in &rows.dates {
        let values = [param(row.param), Value::Integer(row.lo_us), Value::Integer(row.hi_us), rid(), edge(row.edge)];
        Fixed::<Date<ADD>>::new(bound::<ADD>(&values)).execute(connection)?;
    }
    for row in &rows.quantities {
        let values = [
            param(row.param),
            Value::Real(row.value),
            Value::Integer(row.code),
            Value::Integer(row.system),
            rid(),
            Value::Integer(i64::from(row.mark())),
        ];
        Fixed::<Quantity<ADD>>::new(bound::<ADD>(&values)).execute(connection)?;
    }
    for row in &rows.references {
        let values = [param(row.param), Value::Integer(stored_target(row.target, number)), rid()];
        Fixed::<Reference<ADD>>::new(&values).execute(connection)?;
    }
    for row in &rows.uris {
        let values = [param(row.param), Value::Text(&row.value), rid(), edge(row.edge)];
        Fixed::<Uri<ADD>>::new(bound::<ADD>(&values)).execute(connection)?;
    }
    for row in &rows.composites {
        let values = [
            param(row.param),
            Value::Integer(row.code),
            Value::Integer(row.system),
            Value::Text(&row.text),
            Value::Real(row.value),
            Value::Real(row.upper),
            Value::Integer(row.low),
            Value::Integer(row.high),
            rid(),
        ];
        Fixed::<Composite<ADD>>::new(&values).execute(connection)?;
    }
    for row in &rows.positions {
        let values = [Value::Real(row.z), Value::Real(row.x), Value::Real(row.y), rid()];
        Fixed::<Position<ADD>>::new(&values).execute(connection)?;
    }
    if rows.words.count > 0 {
        let WordTexts { narrative, rest } = &rows.word_texts;
        let values = [rid(), Value::Text(narrative), Value::Text(rest)];
        Fixed::<Words<ADD>>::new(if ADD { &values } else { &values[..1] }).execute(connection)?;
    }
    for patient in &rows.patients {
        let values =
            [Value::Integer(patient.patient), Value::Integer(rtype), rid(), Value::Integer(patient.bond as i64)];
        Fixed::<Compartment<ADD>>::new(&values).execute(connection)?;
    }
    for row in &rows.consents {
        let values: Vec<Value<'_>> = [number].into_iter().chain(row.numbers()).map(Value::Integer).collect();
        Fixed::<Consent<ADD>>::new(&values).execute(connection)?;
    }
    for patient in &rows.deleted_from {
        Fixed::<DeletedFrom<ADD>>::new(&[rid(), Value::Integer(*patient)]).execute(connection)?;
    }
    for inner in &rows.contained {
        let place = contained_rid(number, inner.place);
        if let Some(head) = &inner.head {
            let values = [Value::Integer(place), Value::Integer(i64::from(head.rtype)), Value::Text(&head.id)];
            Fixed::<Contained<ADD>>::new(if ADD { &values } else { &values[..1] }).execute(connection)?;
        }
        each_row::<ADD>(connection, &inner.rows, place, rtype)?;
    }
    Ok(())
}
