//! A statement under construction: fixed text and bound values, never mixed.

use std::fmt::Write as _;

use crate::store::{Dialect, Guard};

/// A bound value.
#[derive(Clone, Debug, PartialEq)]
pub enum Bind {
    Integer(i64),
    Real(f64),
    Text(String),
}

/// A statement whose text comes from the program alone; values are always binds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    pub(super) pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Sql(&'static str),
    Bind(Bind),
}

impl Query {
    /// An empty statement.
    pub fn new() -> Query {
        Query::default()
    }

    /// Appends text of the program.
    pub fn sql(&mut self, text: &'static str) -> &mut Query {
        self.pieces.push(Piece::Sql(text));
        self
    }

    /// Appends a whole number as a bind.
    pub fn integer(&mut self, value: i64) -> &mut Query {
        self.pieces.push(Piece::Bind(Bind::Integer(value)));
        self
    }

    /// Appends a double as a bind.
    pub fn real(&mut self, value: f64) -> &mut Query {
        self.pieces.push(Piece::Bind(Bind::Real(value)));
        self
    }

    /// Appends text as a bind.
    pub fn text(&mut self, value: impl Into<String>) -> &mut Query {
        self.pieces.push(Piece::Bind(Bind::Text(value.into())));
        self
    }

    /// Appends that what stands before is one of `numbers`: a single bind, however many there are.
    pub fn among(&mut self, dialect: Dialect, numbers: &[i64]) -> &mut Query {
        let list = list(dialect, numbers);
        match dialect {
            Dialect::Sqlite => self.sql(" IN (SELECT value FROM json_each(").text(list).sql("))"),
            Dialect::Postgres => self.sql(" = ANY(CAST(").text(list).sql(" AS BIGINT[]))"),
        }
    }

    /// Appends a table with `numbers` as its only column `rid`: a single bind, however many there are.
    pub fn table_of(&mut self, dialect: Dialect, name: &'static str, numbers: &[i64]) -> &mut Query {
        let list = list(dialect, numbers);
        match dialect {
            Dialect::Sqlite => self.sql("(SELECT value AS rid FROM json_each(").text(list).sql(")) AS ").sql(name),
            Dialect::Postgres => self.sql("unnest(CAST(").text(list).sql(" AS BIGINT[])) AS ").sql(name).sql("(rid)"),
        }
    }

    /// Appends that the row `c` of `change` came after `mark` (`Reader::mark`).
    pub fn is_after(&mut self, dialect: Dialect, mark: &str) -> &mut Query {
        match dialect {
            Dialect::Sqlite => self.sql("c.seq > CAST(").text(mark).sql(" AS BIGINT)"),
            Dialect::Postgres => self.sql("NOT pg_visible_in_snapshot(c.tx, CAST(").text(mark).sql(" AS pg_snapshot))"),
        }
    }

    /// Appends what must hold of `resource r` to be given out.
    pub fn guarded(&mut self, guard: &Guard) -> &mut Query {
        if let Some(condition) = guard.condition() {
            self.append(condition.clone());
        }
        self
    }

    /// Appends another statement, as a sub-query for instance.
    pub fn append(&mut self, other: Query) -> &mut Query {
        self.pieces.extend(other.pieces);
        self
    }
}

/// The numbers as the database reads them out of one text.
fn list(dialect: Dialect, numbers: &[i64]) -> String {
    let (open, close) = match dialect {
        Dialect::Sqlite => ('[', ']'),
        Dialect::Postgres => ('{', '}'),
    };
    let mut list = String::with_capacity(2 + 8 * numbers.len());
    list.push(open);
    for (place, number) in numbers.iter().enumerate() {
        let _ = write!(list, "{}{number}", if place == 0 { "" } else { "," });
    }
    list.push(close);
    list
}
