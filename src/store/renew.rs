//! Making the index rows of resources anew, without new versions.

use std::collections::HashMap;

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary};

use crate::fhir::ResourceType;
use crate::store::reader::{Link, Reader, RowSql, RowTuple, on};
use crate::store::rows::{IndexRows, ResourceRow};
use crate::store::statement::{Value, fixed};
use crate::store::tx::changes_access;
use crate::store::{StoreError, Tx, postgres, sqlite};

/// The index rows that a version is to have.
pub struct Renewal {
    pub rid: i64,
    pub resource_type: ResourceType,
    /// The version that `rows` were made of; another that stands by then has been given its rows by who wrote it.
    pub version: i64,
    /// Normalized.
    pub rows: IndexRows,
}

/// A `Renewal` that changes something.
pub(super) struct Renewed {
    pub(super) rid: i64,
    pub(super) rtype: i16,
    pub(super) added: IndexRows,
    pub(super) gone: IndexRows,
    pub(super) encoded_rows: Vec<u8>,
}

impl Reader<'_> {
    /// The next `limit` resources that are not deleted, of one type or of all, with numbers above `after` up to `until`.
    pub fn current_after(
        &mut self,
        after: i64,
        until: i64,
        resource_type: Option<ResourceType>,
        limit: i64,
    ) -> Result<Vec<ResourceRow>, StoreError> {
        let (after, until, limit) = (Value::Integer(after), Value::Integer(until), Value::Integer(limit));
        let rows: Vec<RowTuple> = match resource_type {
            None => {
                let values = [after, until, limit];
                let select = fixed!(
                    RowSql,
                    "SELECT rid, rtype, id, version, updated_us, method, codec, tail FROM resource \
                     WHERE rid > ? AND rid <= ? AND method <> 2 ORDER BY rid LIMIT ?",
                    &values,
                );
                on!(self.link, connection => select.load(*connection))?
            }
            Some(resource_type) => {
                let values = [Value::Integer(i64::from(resource_type.code())), after, until, limit];
                // `resource_by_type` serves.
                let select = fixed!(
                    RowSql,
                    "SELECT rid, rtype, id, version, updated_us, method, codec, tail FROM resource \
                     WHERE rtype = ? AND rid > ? AND rid <= ? AND method <> 2 ORDER BY rid LIMIT ?",
                    &values,
                );
                on!(self.link, connection => select.load(*connection))?
            }
        };
        rows.into_iter().map(|row| self.row_from(row)).collect()
    }
}

impl Tx<'_> {
    /// Gives resources their index rows, which were made by `rules`. `renewals` are in the order of their numbers.
    pub fn renew(&mut self, renewals: &[Renewal], rules: i64) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (renewals.first(), renewals.last()) else { return Ok(()) };
        let standing = self.lock_span(first.rid, last.rid)?;
        // After the lock: a change of the rules that it waited for is seen.
        if self.reader.rules()? != rules {
            return Err(StoreError::OtherRules);
        }
        let (mut renewed, mut has_changed_access) = (Vec::new(), false);
        for renewal in renewals {
            let Some((version, present)) = standing.get(&renewal.rid) else { continue };
            let encoded_rows = renewal.rows.encode();
            if *version != renewal.version || *present == encoded_rows {
                continue;
            }
            let present = IndexRows::decode(present)
                .ok_or_else(|| StoreError::Damaged(format!("index rows of resource {}", renewal.rid)))?;
            let mut added = renewal.rows.without(&present);
            self.known_texts.keep_unknown(&mut added.texts, &mut self.told_texts);
            let gone = present.without(&renewal.rows);
            has_changed_access |= changes_access(renewal.resource_type, &added, &gone);
            let rtype = renewal.resource_type.code();
            renewed.push(Renewed { rid: renewal.rid, rtype, added, gone, encoded_rows });
        }
        if renewed.is_empty() {
            return Ok(());
        }
        self.has_written = true;
        match &mut self.reader.link {
            Link::Sqlite(connection) => sqlite::renew(connection, &renewed)?,
            Link::Postgres(connection) => postgres::renew(connection, &renewed)?,
        }
        if has_changed_access {
            self.bump()?;
        }
        Ok(())
    }

    /// Version and index rows of the resources from `first` to `last`, held until the end.
    fn lock_span(&mut self, first: i64, last: i64) -> Result<HashMap<i64, (i64, Vec<u8>)>, StoreError> {
        let values = [Value::Integer(first), Value::Integer(last)];
        type Sql = (BigInt, BigInt, Binary);
        let rows: Vec<(i64, i64, Vec<u8>)> = match &mut self.reader.link {
            // The writer of SQLite is alone.
            Link::Sqlite(connection) => fixed!(
                Sql,
                "SELECT rid, version, index_rows FROM resource WHERE rid >= ? AND rid <= ? AND method <> 2",
                &values
            )
            .load(*connection)?,
            Link::Postgres(connection) => fixed!(
                Sql,
                "SELECT rid, version, index_rows FROM resource WHERE rid >= ? AND rid <= ? AND method <> 2 \
                 ORDER BY rid FOR UPDATE",
                &values
            )
            .load(*connection)?,
        };
        Ok(rows.into_iter().map(|(rid, version, index_rows)| (rid, (version, index_rows))).collect())
    }
}
