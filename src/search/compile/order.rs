//! In which order the matches come, and where a page of them begins.
//!
//! Here are the orders that never change: that of creation and that of ids. The others are put together from several
//! statements, see [`sorted`](super::sorted).
//!
//! Spec: R4 search.html#sort

use crate::search::compile::driver::Driver;
use crate::search::{Position, Sort};
use crate::store::{Dialect, Query};

/// Writes the condition that a page begins at `at`, and ` ORDER BY ..`.
pub(super) fn write(sort: &Sort, driver: Driver, dialect: Dialect, at: Option<&Position>, query: &mut Query) {
    let is_by_id = !sort.keys.is_empty();
    // Of the stream's own column SQLite knows that it comes sorted.
    let (columns, ascending, descending) = match is_by_id {
        false if driver.is_stream() => ("d.rid", " ORDER BY d.rid", " ORDER BY d.rid DESC"),
        false => ("r.rid", " ORDER BY r.rid", " ORDER BY r.rid DESC"),
        true => ("(r.id, r.rid)", " ORDER BY r.id, r.rid", " ORDER BY r.id DESC, r.rid DESC"),
    };
    let is_reversed = sort.keys.first().is_some_and(|key| key.is_descending);
    let is_descending = is_reversed != at.is_some_and(|at| at.is_backward);
    if let Some(at) = at {
        query.sql(" AND ").sql(columns).sql(if is_descending { " < " } else { " > " });
        match is_by_id {
            false => query.integer(at.rid),
            true => query.sql("(").text(&*at.id).sql(", ").integer(at.rid).sql(")"),
        };
        query.sql(" AND NOT EXISTS (SELECT 1 FROM change c WHERE c.rid = r.rid AND c.version = 1 AND ");
        query.is_after(dialect, &at.mark).sql(")");
    }
    query.sql(if is_descending { descending } else { ascending });
}
