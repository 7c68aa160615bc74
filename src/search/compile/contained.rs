//! Resources within resources: what contains such that match, and these themselves.
//!
//! A row of `contained` stands for a resource as a row of `resource` does. Its number leads to that of its container by the
//! division that `store::container_of` does; 262144 is `store::PLACES`.
//!
//! Spec: R4 search.html#contained

use crate::search::compile::driver::leaves_few;
use crate::search::compile::filters::{self, Row};
use crate::search::compile::{CompileContext, linked};
use crate::search::{Condition, Contains, Position, ResolvedSearch};
use crate::store::{Query, order_of};

/// ` AND ..`: `row` contains what is asked for, or is it.
pub(super) fn within(row: Row<'_>, contains: &Contains, context: &CompileContext<'_>, query: &mut Query) {
    query.sql(" AND ").sql(row.alias()).sql(".rid IN (");
    containers(row.inner(), contains, context, query);
    query.sql(")");
}

/// `SELECT ..`: the numbers of all resources that contain what is asked for, or are it; `row` is free.
pub(super) fn containers(row: Row<'_>, contains: &Contains, context: &CompileContext<'_>, query: &mut Query) {
    let Contains { types, condition, or_is } = contains;
    if *or_is {
        linked::set(row, types, condition, context, query);
        query.sql(" UNION ");
    }
    query.sql("SELECT -s.rid / 262144 AS rid FROM (");
    linked::set(row.contained(), types, condition, context, query);
    query.sql(") AS s WHERE s.rid < 0");
}

/// The next `limit` contained resources that match, from the position `at`, by containers and their places in these.
///
/// Columns as of [`page`](super::page), of the containers, but for the first, which is the number of the contained one.
pub fn contained_page(
    request: &ResolvedSearch<'_>,
    context: &CompileContext<'_>,
    at: Option<&Position>,
    limit: u32,
) -> Query {
    let mut query = Query::new();
    query.sql("SELECT r1.rid, r.rtype, r.id, r.version, r.updated_us, r.method, r.codec, r.tail");
    conditions(request, context, &mut query);
    // Numbers descend where containers and places ascend.
    let is_backward = at.is_some_and(|at| at.is_backward);
    if let Some(at) = at {
        query.sql(if is_backward { " AND r1.rid > " } else { " AND r1.rid < " }).integer(-order_of(at.rid));
        query.sql(" AND NOT EXISTS (SELECT 1 FROM change c WHERE c.rid = r.rid AND c.version = 1 AND ");
        query.is_after(context.dialect, &at.mark).sql(")");
    }
    query.sql(if is_backward { " ORDER BY r1.rid LIMIT " } else { " ORDER BY r1.rid DESC LIMIT " });
    query.integer(i64::from(limit));
    query
}

/// The number of contained resources that match; one column, one row.
pub fn contained_count(request: &ResolvedSearch<'_>, context: &CompileContext<'_>) -> Query {
    let mut query = Query::new();
    query.sql("SELECT COUNT(*)");
    conditions(request, context, &mut query);
    query
}

/// Writes ` FROM .. WHERE ..`: `r1` is what is contained, `r` its container, which the compartments bound.
fn conditions(request: &ResolvedSearch<'_>, context: &CompileContext<'_>, query: &mut Query) {
    let container = Row::searched(request);
    let row = container.contained().of(container.types());
    query.sql(" FROM contained r1 CROSS JOIN resource r WHERE r.rid = -r1.rid / 262144 AND r.method <> 2");
    let demands: Vec<Condition> = request.demands.iter().map(|demand| demand.condition.clone()).collect();
    filters::types(row, demands.iter().any(leaves_few), query);
    filters::condition(row, &Condition::And(demands), false, context, query);
    let container = container.of(&[]);
    for bound in &request.compartments {
        filters::compartment(container, bound, false, context, query);
    }
    if let Some(access) = &request.access {
        filters::condition(container, access, true, context, query);
    }
    if let Some(compartment) = request.of_container_compartment() {
        filters::unlisted(&compartment, false, context, query);
    }
}

#[cfg(test)]
mod tests {
    use crate::store::PLACES;

    #[test]
    fn the_statements_divide_by_the_number_of_places() {
        assert_eq!(PLACES, 262_144);
    }
}
