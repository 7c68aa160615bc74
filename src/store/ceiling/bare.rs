//! SQLite through its C interface, with the statements of a write prepared once.

use std::ffi::{CStr, CString, c_int};
use std::ptr::{self, NonNull};

use libsqlite3_sys as ffi;

use crate::store::contained::{contained_rid, stored_target};
use crate::store::rows::{IndexRows, WordTexts};
use crate::store::statement::Value;
use crate::store::tx::Numbered;
use crate::store::{StoreError, sqlite};

/// A connection to SQLite through its C interface.
pub(super) struct Bare(NonNull<ffi::sqlite3>);

impl Bare {
    pub(super) fn open(path: &str) -> Result<Bare, StoreError> {
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
pub(super) struct Statements<'b> {
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
    pub(super) fn prepare(bare: &'b Bare) -> Result<Statements<'b>, StoreError> {
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

/// Writes a batch in one transaction.
pub(super) fn commit(statements: &mut Statements<'_>, batch: &[Numbered]) -> Result<(), StoreError> {
    statements.begin.run(&[])?;
    for write in batch {
        statements.write(write)?;
    }
    statements.commit.run(&[])
}
