//! Marks of what `load` has stored: written in the transaction that stores it, they stand or fall with it.

use diesel::RunQueryDsl;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt};
use diesel::{PgConnection, QueryResult};

use crate::store::reader::{Link, Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// One thing that a load has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoadMark {
    /// Hash of the name of the file, or of the member of an archive.
    pub place: i64,
    /// What of it: the line and the entry. Grows as the file is read, so that marks that come together lie together.
    pub part: i64,
    /// Hash of the bytes.
    pub content: i64,
}

impl Reader<'_> {
    /// The marks of a load.
    pub fn load_marks(&mut self, load: i64) -> Result<Vec<LoadMark>, StoreError> {
        let values = [Value::Integer(load)];
        let select =
            fixed!((BigInt, BigInt, BigInt), "SELECT place, part, content FROM load_mark WHERE load = ?", &values);
        let rows: Vec<(i64, i64, i64)> = on!(self.link, connection => select.load(*connection))?;
        let mark = |(place, part, content)| LoadMark { place, part, content };
        Ok(rows.into_iter().map(mark).collect())
    }
}

impl Tx<'_> {
    /// Takes away the marks of a load.
    pub fn forget_load(&mut self, load: i64) -> Result<(), StoreError> {
        let values = [Value::Integer(load)];
        let delete = fixed!((), "DELETE FROM load_mark WHERE load = ?", &values);
        self.has_written = true;
        on!(self.reader.link, connection => delete.execute(*connection))?;
        Ok(())
    }

    /// Notes that `marks` are stored when this transaction is.
    pub fn mark_loaded(&mut self, load: i64, marks: &[LoadMark]) -> Result<(), StoreError> {
        self.has_written = true;
        match &mut self.reader.link {
            Link::Sqlite(connection) => {
                for mark in marks {
                    let values = [load, mark.place, mark.part, mark.content].map(Value::Integer);
                    let insert = fixed!(
                        (),
                        "INSERT INTO load_mark (load, place, part, content) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                        &values,
                    );
                    insert.execute(*connection)?;
                }
                Ok(())
            }
            Link::Postgres(connection) => insert(connection, load, marks),
        }
    }
}

/// All marks in one round trip.
fn insert(connection: &mut PgConnection, load: i64, marks: &[LoadMark]) -> Result<(), StoreError> {
    if marks.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&LoadMark) -> i64| marks.iter().map(of).collect();
    let (place, part) = (column(|mark| mark.place), column(|mark| mark.part));
    Insert { load, place, part, content: column(|mark| mark.content) }.execute(connection)?;
    Ok(())
}

struct Insert {
    load: i64,
    place: Vec<i64>,
    part: Vec<i64>,
    content: Vec<i64>,
}

impl QueryId for Insert {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Pg> for Insert {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO load_mark (load, place, part, content) SELECT ");
        out.push_bind_param::<BigInt, _>(&self.load)?;
        out.push_sql(", m.* FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.place)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.part)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.content)?;
        out.push_sql(") AS m ON CONFLICT DO NOTHING");
        Ok(())
    }
}

impl RunQueryDsl<PgConnection> for Insert {}
