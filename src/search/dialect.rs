//! The few differences between the databases, as far as searches meet them.

use crate::store::Dialect;

/// The function that finds one text within another: position from 1, or 0.
pub(super) fn position_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "instr(",
        Dialect::Postgres => "strpos(",
    }
}

/// What stands before and after a sub-select over `i` whose resources are to be left out.
///
/// SQLite fills a set once for `NOT IN`; PostgreSQL plans an anti-join for `NOT EXISTS` but not for `NOT IN`.
pub(super) fn leave_out(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Sqlite => (" AND r.rid NOT IN (SELECT i.rid", ")"),
        Dialect::Postgres => (" AND NOT EXISTS (SELECT 1", " AND i.rid = r.rid)"),
    }
}

/// Whether a look-up costs a walk over all rows that share the beginning of the key, unless the whole key is given.
///
/// PostgreSQL chooses between looking up and gathering by its statistics, which a key spelled out would hide from it.
pub(super) fn needs_whole_keys(dialect: Dialect) -> bool {
    dialect == Dialect::Sqlite
}
