//! Statements that find what is included with a page: each finds for many resources at once.
//!
//! Columns as of [`page`](super::page). `known` are the numbers of resources that are there already.

use crate::fhir::ResourceType;
use crate::search::compile::COLUMNS;
use crate::search::compile::write::{list, one_of};
use crate::store::{Guard, Query};

/// At most `limit` resources that the resources `rids` refer to by `parameters` (by all, when it is empty).
pub fn referred(
    rids: &[i64],
    parameters: &[i16],
    target: Option<ResourceType>,
    known: &[i64],
    limit: usize,
    guard: &Guard,
) -> Query {
    let mut query = Query::new();
    // Many refer to the same: each is looked up once. `index_reference_by_rid` serves; the sign before the parameter keeps
    // SQLite from reading all references by it instead.
    query.sql(COLUMNS).sql(" FROM (SELECT DISTINCT i.target FROM index_reference i WHERE i.rid");
    numbers(&mut query, rids);
    if !parameters.is_empty() {
        query.sql(" AND +i.param");
        ids(&mut query, parameters);
    }
    query.sql(") AS d CROSS JOIN resource r WHERE r.key = d.target AND r.method <> 2");
    if let Some(target) = target {
        query.sql(" AND r.rtype = ").integer(i64::from(target.code()));
    }
    leave_out(&mut query, " AND r.rid NOT IN (", known);
    query.guarded(guard).sql(" LIMIT ").integer(limit as i64);
    query
}

/// At most `limit` resources that refer by `parameters` to one of `targets`, which are as in `index_reference`.
pub fn referring(targets: &[i64], parameters: &[i16], known: &[i64], limit: usize, guard: &Guard) -> Query {
    let mut query = Query::new();
    query.sql(COLUMNS).sql(" FROM (SELECT DISTINCT i.rid FROM index_reference i WHERE i.param");
    ids(&mut query, parameters);
    query.sql(" AND i.target");
    numbers(&mut query, targets);
    query.sql(" AND i.rid > 0");
    leave_out(&mut query, " AND i.rid NOT IN (", known);
    bounded(&mut query, guard, limit);
    query
}

/// At most `limit` resources whose `parameters`, which are of kind uri, have one of the values `urls`.
pub fn called(urls: &[&str], parameters: &[i16], known: &[i64], limit: usize, guard: &Guard) -> Query {
    let mut query = Query::new();
    query.sql(COLUMNS).sql(" FROM (SELECT DISTINCT i.rid FROM index_uri i WHERE i.param");
    ids(&mut query, parameters);
    query.sql(" AND i.value");
    one_of(&mut query, urls, |query, url| {
        query.text(*url);
    });
    query.sql(" AND i.rid > 0");
    leave_out(&mut query, " AND i.rid NOT IN (", known);
    bounded(&mut query, guard, limit);
    query
}

/// Ends a statement that finds `i.rid`, `limit` of them, with the resources. What may not be seen does not count.
fn bounded(query: &mut Query, guard: &Guard, limit: usize) {
    if guard.is_unbounded() {
        query.sql(" LIMIT ").integer(limit as i64);
        query.sql(") AS d CROSS JOIN resource r WHERE r.rid = d.rid AND r.method <> 2");
        return;
    }
    query.sql(") AS d CROSS JOIN resource r WHERE r.rid = d.rid AND r.method <> 2").guarded(guard);
    query.sql(" LIMIT ").integer(limit as i64);
}

fn numbers(query: &mut Query, numbers: &[i64]) {
    one_of(query, numbers, |query, number| {
        query.integer(*number);
    });
}

fn ids(query: &mut Query, parameters: &[i16]) {
    one_of(query, parameters, |query, id| {
        query.integer(i64::from(*id));
    });
}

fn leave_out(query: &mut Query, open: &'static str, known: &[i64]) {
    if !known.is_empty() {
        query.sql(open);
        list(query, known, |query, rid| {
            query.integer(*rid);
        });
        query.sql(")");
    }
}
