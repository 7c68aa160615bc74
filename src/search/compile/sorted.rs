//! Statements that put sorted pages together: all matches, those among some resources, those that changed.
//!
//! Each gives numbers of resources, unless it says otherwise.
//!
//! Spec: R4 search.html#sort

use crate::search::SearchRequest;
use crate::search::compile::driver::{Driver, asks_numbers};
use crate::search::compile::filters::{self, Row};
use crate::search::compile::{COLUMNS, CompileContext, conditions, numbered, rows};
use crate::search::{Condition, ResolvedSearch, ResourceRange};
use crate::store::{Dialect, Query};

/// All matches, as far as `range` goes.
pub fn matching(request: &ResolvedSearch<'_>, context: &CompileContext<'_>, range: ResourceRange<'_>) -> Query {
    let mut query = Query::new();
    let driver = Driver::of(request);
    let column = driver.rid();
    query.sql("SELECT ").sql(column);
    match range {
        // What has changed is told by the row of the resource.
        ResourceRange::Next { unchanged_since: Some(_), .. } => conditions(request, driver, context, &mut query),
        _ => numbered(request, driver, context, &mut query),
    }
    match range {
        ResourceRange::All => {}
        ResourceRange::AtMost(limit) => {
            query.sql(" LIMIT ").integer(limit as i64);
        }
        ResourceRange::Next { after, is_descending, unchanged_since, limit } => {
            if let Some(after) = after {
                query.sql(" AND ").sql(column).sql(if is_descending { " < " } else { " > " }).integer(after);
            }
            leave_out_changed(unchanged_since, context, &mut query);
            query.sql(" ORDER BY ").sql(column).sql(if is_descending { " DESC LIMIT " } else { " LIMIT " });
            query.integer(limit as i64);
        }
    }
    query
}

/// The number of rows that what leads the search has in the index, at most `limit`: the matches are no more, if it is
/// less. `None` when that can't be told without the search itself.
pub fn driven(request: &ResolvedSearch<'_>, context: &CompileContext<'_>, limit: usize) -> Option<Query> {
    let Driver::Criterion { place, parameter, is_stream: true } = Driver::of(request) else { return None };
    let Condition::Criterion(criterion) = &request.demands[place].condition else { return None };
    let mut query = Query::new();
    query.sql("SELECT COUNT(*) FROM (SELECT i.rid");
    rows::write(&mut query, criterion, parameter, context);
    query.sql(" LIMIT ").integer(limit as i64).sql(") AS d");
    Some(query)
}

/// Which of `rids` match; with `unchanged_since` without those that changed after this mark. `are_standing` says that they
/// come from an index of the type that is searched, so that no resource need be looked up to know that it is there; `met` are
/// the places of demands that they meet.
pub fn screened(
    request: &ResolvedSearch<'_>,
    context: &CompileContext<'_>,
    rids: &[i64],
    unchanged_since: Option<&str>,
    are_standing: bool,
    met: &[usize],
) -> Query {
    let mut query = Query::new();
    let row = Row::searched(request).asked_alone(true);
    let demands = request.demands.iter().enumerate().filter(|(place, _)| !met.contains(place));
    let conditions = demands.map(|(_, demand)| &demand.condition).chain(&request.access);
    if are_standing && unchanged_since.is_none() && asks_numbers(request, 0) {
        query.sql("SELECT d.rid FROM ").table_of(context.dialect, "d", rids).sql(" WHERE d.rid > 0");
        for condition in conditions {
            filters::condition(row.number_alone(true), condition, true, context, &mut query);
        }
        return query;
    }
    query.sql("SELECT r.rid FROM resource r WHERE r.rid").among(context.dialect, rids);
    query.sql(" AND r.method <> 2");
    filters::scope(request, "", &mut query);
    for bound in &request.compartments {
        filters::compartment(row, bound, false, context, &mut query);
    }
    if let Some(compartment) = request.unlisted_compartment() {
        filters::unlisted(compartment, false, context, &mut query);
    }
    for condition in conditions {
        filters::condition(row, condition, true, context, &mut query);
    }
    leave_out_changed(unchanged_since, context, &mut query);
    query
}

/// Resources of the types that are searched that were updated or deleted after `mark`, at most `limit`.
pub fn updated_since(request: &SearchRequest, dialect: Dialect, mark: &str, limit: usize) -> Query {
    let mut query = Query::new();
    query.sql("SELECT DISTINCT c.rid FROM change c WHERE ").is_after(dialect, mark);
    if dialect == Dialect::Postgres {
        // What an index tells, before each is asked.
        query.sql(" AND c.tx >= pg_snapshot_xmin(CAST(").text(mark).sql(" AS pg_snapshot))");
    }
    if let Some(only) = request.resource_type {
        query.sql(" AND c.rtype = ").integer(i64::from(only.code()));
    }
    query.sql(" AND c.version > 1 LIMIT ").integer(limit as i64);
    query
}

/// The resources `rids` themselves, in no order; columns as of [`page`](super::page).
pub fn rows_of(dialect: Dialect, rids: &[i64]) -> Query {
    let mut query = Query::new();
    query.sql(COLUMNS).sql(" FROM resource r WHERE r.rid").among(dialect, rids);
    query
}

fn leave_out_changed(unchanged_since: Option<&str>, context: &CompileContext<'_>, query: &mut Query) {
    if let Some(mark) = unchanged_since {
        query.sql(" AND NOT EXISTS (SELECT 1 FROM change c WHERE c.rid = r.rid AND c.version = r.version AND ");
        query.is_after(context.dialect, mark).sql(")");
    }
}
