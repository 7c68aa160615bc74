//! The few differences between the databases, as far as searches meet them.

use crate::store::Dialect;

/// The function that finds one text within another: position from 1, or 0.
pub(super) fn position_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "instr(",
        Dialect::Postgres => "strpos(",
    }
}

/// What stands before and after a text to make it a table with a row for each member of the JSON array that it is.
pub(super) fn members_of_json(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Sqlite => ("json_each(", ")"),
        Dialect::Postgres => ("json_array_elements(CAST(", " AS JSON))"),
    }
}

/// Whether resources to be left out are gathered into a set (`NOT IN`) rather than looked for one by one (`NOT EXISTS`).
///
/// SQLite fills the set once; PostgreSQL plans an anti-join for `NOT EXISTS` but not for `NOT IN`.
pub(super) fn fills_sets_to_leave_out(dialect: Dialect) -> bool {
    dialect == Dialect::Sqlite
}

/// Whether a look-up costs a walk over all rows that share the beginning of the key, unless the whole key is given.
///
/// PostgreSQL chooses between looking up and gathering by its statistics, which a key spelled out would hide from it.
pub(super) fn needs_whole_keys(dialect: Dialect) -> bool {
    dialect == Dialect::Sqlite
}

/// What stands before a column by which nothing is to be looked up.
///
/// Without statistics SQLite takes an index for the better way, whatever it holds: the members of a set for what leads a
/// stream, all resources of a type for less than the few that a reference leads to.
pub(super) fn without_index(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "+",
        Dialect::Postgres => "",
    }
}

/// `clause`, which names the index to read by, where the database has to be told.
///
/// Without statistics SQLite takes a row's own number for the better way to it than an index with few rows in it.
pub(super) fn by_index(dialect: Dialect, clause: &'static str) -> &'static str {
    match dialect {
        Dialect::Sqlite => clause,
        Dialect::Postgres => "",
    }
}

/// What ends a question that is asked of one row at a time.
///
/// PostgreSQL would rather join all that could be answers, even where the page is full after a few rows. An `OFFSET` keeps the
/// question where it is.
pub(super) fn one_by_one(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => ")",
        Dialect::Postgres => " OFFSET 0)",
    }
}

/// Whether what is selected from an ordered sub-query alone comes in the order of this.
///
/// SQLite reads the sub-query row by row and asks the conditions of each, but would sort all of it for an `ORDER BY`. PostgreSQL may
/// join a set in any order, and sorts only then.
pub(super) fn keeps_order_of_subqueries(dialect: Dialect) -> bool {
    dialect == Dialect::Sqlite
}

/// Whether the database knows by itself how many rows a condition leaves.
pub fn keeps_statistics(dialect: Dialect) -> bool {
    dialect == Dialect::Postgres
}
