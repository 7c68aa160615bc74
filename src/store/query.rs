//! A statement under construction: fixed text and bound values, never mixed.

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

    /// Appends another statement, as a sub-query for instance.
    pub fn append(&mut self, other: Query) -> &mut Query {
        self.pieces.extend(other.pieces);
        self
    }
}
