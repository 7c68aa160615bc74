//! The few differences between the databases.

/// Which database a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The function that finds one text within another: position from 1, or 0.
    pub(super) fn position_of(self) -> &'static str {
        match self {
            Dialect::Sqlite => "instr(",
            Dialect::Postgres => "strpos(",
        }
    }

    /// What stands before and after a sub-select over `i` whose resources are to be left out.
    ///
    /// SQLite fills a set once for `NOT IN`; PostgreSQL plans an anti-join for `NOT EXISTS` but not for `NOT IN`.
    pub(super) fn leave_out(self) -> (&'static str, &'static str) {
        match self {
            Dialect::Sqlite => (" AND r.rid NOT IN (SELECT i.rid", ")"),
            Dialect::Postgres => (" AND NOT EXISTS (SELECT 1", " AND i.rid = r.rid)"),
        }
    }
}
