//! Marks of snapshots: a later page tells by one what was there when the first page was read.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Text};

use crate::store::StoreError;
use crate::store::reader::{Link, Reader};
use crate::store::statement::{Value, fixed};

impl Reader<'_> {
    /// A short text that stands for all that is committed now: the number of the last change on SQLite; on PostgreSQL,
    /// where numbers are not in the order of commits, its own name of the snapshot.
    pub fn mark(&mut self) -> Result<String, StoreError> {
        Ok(match &mut self.link {
            Link::Sqlite(connection) => {
                fixed!(Text, "SELECT CAST(COALESCE(MAX(seq), 0) AS TEXT) FROM change", &[]).get_result(*connection)?
            }
            Link::Postgres(connection) => {
                fixed!(Text, "SELECT CAST(pg_current_snapshot() AS TEXT)", &[]).get_result(*connection)?
            }
        })
    }

    /// Id of the resource `rid`, and the instant of the version that stood at `mark`; `None` when there was none yet.
    pub fn stood(&mut self, rid: i64, mark: &str) -> Result<Option<(String, i64)>, StoreError> {
        let values = [Value::Integer(rid), Value::Text(mark)];
        let found: Vec<(String, i64)> = match &mut self.link {
            Link::Sqlite(connection) => fixed!(
                (Text, BigInt),
                "SELECT r.id, c.updated_us FROM resource r JOIN change c ON c.rid = r.rid \
                 WHERE r.rid = ? AND c.seq <= CAST(? AS BIGINT) ORDER BY c.version DESC LIMIT 1",
                &values,
            )
            .load(*connection)?,
            Link::Postgres(connection) => fixed!(
                (Text, BigInt),
                "SELECT r.id, c.updated_us FROM resource r JOIN change c ON c.rid = r.rid \
                 WHERE r.rid = ? AND pg_visible_in_snapshot(c.tx, CAST(? AS pg_snapshot)) \
                 ORDER BY c.version DESC LIMIT 1",
                &values,
            )
            .load(*connection)?,
        };
        Ok(found.into_iter().next())
    }
}
