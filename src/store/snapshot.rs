//! Marks of snapshots: a later page tells by one what was there when the first page was read.

use diesel::RunQueryDsl;
use diesel::sql_types::Text;

use crate::store::reader::{Link, Reader};
use crate::store::statement::fixed;
use crate::store::{Dialect, Query, StepAnswer, StoreError};

impl Reader<'_> {
    /// A short text that stands for all that is committed now: the number of the last change on SQLite; on PostgreSQL,
    /// where numbers are not in the order of commits, its own name of the snapshot.
    pub fn mark(&mut self) -> Result<String, StoreError> {
        const SQLITE: &str = "SELECT CAST(COALESCE(MAX(seq), 0) AS TEXT) FROM change";
        const POSTGRES: &str = "SELECT CAST(pg_current_snapshot() AS TEXT)";
        let mut query = Query::new();
        query.sql(match self.dialect() {
            Dialect::Sqlite => SQLITE,
            Dialect::Postgres => POSTGRES,
        });
        let run = |reader: &mut Self| {
            Ok(match &mut reader.link {
                Link::Sqlite(connection) => fixed!(Text, SQLITE, &[]).get_result(*connection)?,
                Link::Postgres(connection) => fixed!(Text, POSTGRES, &[]).get_result(*connection)?,
            })
        };
        self.traced(&query, run, |_| StepAnswer::Rows(1))
    }

    /// Id of the resource `rid`, if that was there at `mark`, even as deleted.
    pub fn stood(&mut self, rid: i64, mark: &str) -> Result<Option<String>, StoreError> {
        let mut query = Query::new();
        query.sql("SELECT r.id, r.rid FROM resource r WHERE r.rid = ").integer(rid);
        query.sql(" AND EXISTS (SELECT 1 FROM change c WHERE c.rid = r.rid AND NOT (");
        query.is_after(self.dialect(), mark).sql("))");
        Ok(self.texts(&query)?.into_iter().next().map(|(id, _)| id))
    }
}
