//! How a statement reaches diesel: its own text, with every value bound.
//!
//! diesel keeps a prepared statement per text. Texts that a client's query shapes would fill that cache without end, so
//! those with many pieces are prepared for one use only.

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query as DieselQuery, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Double, HasSqlType, Nullable, Text};
use diesel::{QueryResult, RunQueryDsl};

use crate::store::query::{Bind, Piece, Query};

/// Statements with more pieces than this are not kept prepared.
const MOST_CACHED_PIECES: usize = 40;

/// A value to bind, borrowed.
pub(super) enum Value<'a> {
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Bytes(Option<&'a [u8]>),
    /// A whole number, or NULL.
    AnyInteger(Option<i64>),
    /// A text, or NULL.
    AnyText(Option<&'a str>),
}

/// A statement of the program: a type of its own, by which diesel finds the prepared one again without writing its text
/// anew each time. `fixed!` makes one.
pub(super) trait Statement: 'static {
    /// With a `?` for each value.
    const TEXT: &'static str;
    /// The SQL type of its rows; `()` when it has none.
    type Rows;
}

/// A statement of the program with the values for this run.
pub(super) struct Fixed<'a, S> {
    values: &'a [Value<'a>],
    statement: PhantomData<S>,
}

impl<'a, S: Statement> Fixed<'a, S> {
    /// Use `fixed!`, unless the statement is chosen by type.
    pub(super) fn new(values: &'a [Value<'a>]) -> Fixed<'a, S> {
        Fixed { values, statement: PhantomData }
    }
}

/// `fixed!(rows, text, values)`: the statement `text`, whose rows are of the SQL type `rows`, with `values`.
macro_rules! fixed {
    ($rows:ty, $text:expr, $values:expr $(,)?) => {
        // A match keeps the values alive until the end of the caller's statement; a block would not.
        match $values {
            values => {
                struct This;
                impl $crate::store::statement::Statement for This {
                    const TEXT: &'static str = $text;
                    type Rows = $rows;
                }
                $crate::store::statement::Fixed::<This>::new(values)
            }
        }
    };
}
pub(super) use fixed;

impl<S: Statement> QueryId for Fixed<'_, S> {
    type QueryId = S;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<DB, S> QueryFragment<DB> for Fixed<'_, S>
where
    S: Statement,
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Text> + HasSqlType<Double> + HasSqlType<Binary>,
    i64: ToSql<BigInt, DB>,
    f64: ToSql<Double, DB>,
    str: ToSql<Text, DB>,
    for<'v> Option<&'v [u8]>: ToSql<Nullable<Binary>, DB>,
    Option<i64>: ToSql<Nullable<BigInt>, DB>,
    for<'v> Option<&'v str>: ToSql<Nullable<Text>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut values = self.values.iter();
        let mut pieces = S::TEXT.split('?');
        out.push_sql(pieces.next().unwrap_or_default());
        for piece in pieces {
            match values.next() {
                Some(Value::Integer(number)) => out.push_bind_param::<BigInt, _>(number)?,
                Some(Value::Real(number)) => out.push_bind_param::<Double, _>(number)?,
                Some(Value::Text(text)) => out.push_bind_param::<Text, str>(text)?,
                Some(Value::Bytes(bytes)) => out.push_bind_param::<Nullable<Binary>, _>(bytes)?,
                Some(Value::AnyInteger(number)) => out.push_bind_param::<Nullable<BigInt>, _>(number)?,
                Some(Value::AnyText(text)) => out.push_bind_param::<Nullable<Text>, _>(text)?,
                None => return Err(diesel::result::Error::QueryBuilderError("a value is missing".into())),
            }
            out.push_sql(piece);
        }
        Ok(())
    }
}

impl<S: Statement> DieselQuery for Fixed<'_, S> {
    type SqlType = S::Rows;
}

impl<Conn, S: Statement> RunQueryDsl<Conn> for Fixed<'_, S> {}

/// A `Query` about to run; `ST` is the SQL type of its rows.
pub(super) struct Built<'a, ST> {
    query: &'a Query,
    rows: PhantomData<ST>,
}

impl<'a, ST> Built<'a, ST> {
    pub(super) fn new(query: &'a Query) -> Built<'a, ST> {
        Built { query, rows: PhantomData }
    }
}

impl<ST> QueryId for Built<'_, ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB, ST> QueryFragment<DB> for Built<'_, ST>
where
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Text> + HasSqlType<Double>,
    i64: ToSql<BigInt, DB>,
    f64: ToSql<Double, DB>,
    str: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.query.pieces.len() > MOST_CACHED_PIECES {
            out.unsafe_to_cache_prepared();
        }
        for piece in &self.query.pieces {
            match piece {
                Piece::Sql(text) => out.push_sql(text),
                Piece::Bind(Bind::Integer(number)) => out.push_bind_param::<BigInt, _>(number)?,
                Piece::Bind(Bind::Real(number)) => out.push_bind_param::<Double, _>(number)?,
                Piece::Bind(Bind::Text(text)) => out.push_bind_param::<Text, str>(text)?,
            }
        }
        Ok(())
    }
}

impl<ST> DieselQuery for Built<'_, ST> {
    type SqlType = ST;
}

impl<Conn, ST> RunQueryDsl<Conn> for Built<'_, ST> {}
