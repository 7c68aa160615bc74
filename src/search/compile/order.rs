//! In which order the matches come, and where a page of them begins.
//!
//! Spec: R4 search.html#sort

use crate::search::compile::driver::Driver;
use crate::search::{Position, Sort, SortKey};
use crate::store::{Dialect, Query};

/// Writes the condition that a page begins at `at`, and ` ORDER BY ..`.
pub(super) fn write(sort: Sort, driver: Driver, dialect: Dialect, at: Option<&Position>, query: &mut Query) {
    // Of the stream's own column SQLite knows that it comes sorted.
    let (columns, ascending, descending) = match sort.key {
        SortKey::Created if driver.is_stream() => ("d.rid", " ORDER BY d.rid", " ORDER BY d.rid DESC"),
        SortKey::Created => ("r.rid", " ORDER BY r.rid", " ORDER BY r.rid DESC"),
        SortKey::LastUpdated => {
            ("(r.updated_us, r.rid)", " ORDER BY r.updated_us, r.rid", " ORDER BY r.updated_us DESC, r.rid DESC")
        }
        SortKey::Id => ("(r.id, r.rid)", " ORDER BY r.id, r.rid", " ORDER BY r.id DESC, r.rid DESC"),
    };
    let is_descending = sort.is_descending != at.is_some_and(|at| at.is_backward);
    if let Some(at) = at {
        query.sql(" AND ").sql(columns).sql(if is_descending { " < " } else { " > " });
        match sort.key {
            SortKey::Created => query.integer(at.rid),
            SortKey::LastUpdated => query.sql("(").integer(at.updated_us).sql(", ").integer(at.rid).sql(")"),
            SortKey::Id => query.sql("(").text(&*at.id).sql(", ").integer(at.rid).sql(")"),
        };
        query.sql(" AND NOT EXISTS (SELECT 1 FROM change c WHERE c.rid = r.rid AND c.version = 1");
        match dialect {
            Dialect::Sqlite => query.sql(" AND c.seq > CAST(").text(&*at.mark).sql(" AS BIGINT))"),
            Dialect::Postgres => {
                query.sql(" AND NOT pg_visible_in_snapshot(c.tx, CAST(").text(&*at.mark).sql(" AS pg_snapshot)))")
            }
        };
    }
    query.sql(if is_descending { descending } else { ascending });
}
