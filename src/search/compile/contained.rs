//! Resources within resources: what contains such that match, and these themselves.
//!
//! A row of `contained` stands for a resource as a row of `resource` does. Its number leads to that of its container by the
//! division that `store::container_of` does; 262144 is `store::PLACES`.
//!
//! Spec: R4 search.html#contained

use crate::fhir::ResourceType;
use crate::search::compile::driver::leaves_few;
use crate::search::compile::filters::{self, Row};
use crate::search::compile::write::one_of;
use crate::search::compile::{CompileContext, linked};
use crate::search::{Chain, Condition, Contains, Demand, Position, ResolvedSearch};
use crate::store::{Query, order_of};

/// Of no more sets of types is it asked whether any contained resource is of them.
const MOST_QUESTIONS: usize = 16;

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
    for patients in &request.compartments {
        filters::compartment(patients, false, context, query);
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

/// The number of contained resources of the types, where one is enough: 0 or 1. One column, one row.
pub fn any_contained(types: &[ResourceType]) -> Query {
    let mut query = Query::new();
    query.sql("SELECT COUNT(*) FROM (SELECT n.rid FROM contained n WHERE n.rtype");
    one_of(&mut query, types, |query, of| {
        query.integer(i64::from(of.code()));
    });
    query.sql(" LIMIT 1) AS s");
    query
}

/// Whether [`learn`] has anything to ask.
pub(in crate::search) fn is_asked_for(demands: &[Demand]) -> bool {
    demands.iter().any(|demand| has_asking_chain(&demand.condition))
}

fn has_asking_chain(condition: &Condition) -> bool {
    match condition {
        Condition::Chain(chain) => {
            asks_each(chain) || chain.targets.iter().any(|(_, condition)| has_asking_chain(condition))
        }
        Condition::Has(has) => has_asking_chain(&has.condition),
        Condition::And(all) | Condition::Or(all) => all.iter().any(has_asking_chain),
        Condition::ByType(types) => types.iter().any(|(_, condition)| has_asking_chain(condition)),
        Condition::Not(negated) => has_asking_chain(negated),
        Condition::Contains(contains) => has_asking_chain(&contains.condition),
        Condition::Criterion(_) | Condition::Listed(_) => false,
    }
}

/// Whether each reference of a chain is followed, which costs more where it may lead to a contained resource.
fn asks_each(chain: &Chain) -> bool {
    !chain.by.has_canonicals() && !chain.targets.iter().all(|(_, condition)| leaves_few(condition))
}

/// Has `is_any` say of the chains whose references are followed one by one whether there is a contained resource of a type
/// that they lead to.
pub(in crate::search) fn learn<E>(
    demands: &mut [Demand],
    mut is_any: impl FnMut(&[ResourceType]) -> Result<bool, E>,
) -> Result<(), E> {
    let mut known: Vec<(Vec<ResourceType>, bool)> = Vec::new();
    let mut is_any = |types: Vec<ResourceType>| {
        if let Some((_, answer)) = known.iter().find(|(of, _)| *of == types) {
            return Ok(*answer);
        }
        let answer = known.len() >= MOST_QUESTIONS || is_any(&types)?;
        known.push((types, answer));
        Ok(answer)
    };
    demands.iter_mut().try_for_each(|demand| ask(&mut demand.condition, &mut is_any))
}

fn ask<E>(condition: &mut Condition, is_any: &mut impl FnMut(Vec<ResourceType>) -> Result<bool, E>) -> Result<(), E> {
    match condition {
        Condition::Chain(chain) => {
            if asks_each(chain) {
                chain.reaches_contained = is_any(chain.targets.iter().map(|(of, _)| *of).collect())?;
            }
            chain.targets.iter_mut().try_for_each(|(_, condition)| ask(condition, is_any))
        }
        Condition::Has(has) => ask(&mut has.condition, is_any),
        Condition::And(all) | Condition::Or(all) => all.iter_mut().try_for_each(|condition| ask(condition, is_any)),
        Condition::ByType(types) => types.iter_mut().try_for_each(|(_, condition)| ask(condition, is_any)),
        Condition::Not(negated) => ask(negated, is_any),
        Condition::Contains(contains) => ask(&mut contains.condition, is_any),
        Condition::Criterion(_) | Condition::Listed(_) => Ok(()),
    }
}
