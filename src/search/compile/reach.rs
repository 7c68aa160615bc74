//! Which chains may lead to contained resources, asked before the search: one that can't is followed through `resource` alone.
//!
//! Spec: R4 search.html#contained

use crate::fhir::ResourceType;
use crate::search::compile::driver::leaves_few;
use crate::search::compile::write::one_of;
use crate::search::{Chain, Condition, Demand, Extent};
use crate::store::Query;

/// Of no more sets of types is it asked whether any contained resource is of them.
const MOST_QUESTIONS: usize = 16;

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
    condition.walk(Extent::Everything).any(|part| matches!(part, Condition::Chain(chain) if asks_each(chain)))
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
    if let Condition::Chain(chain) = condition
        && asks_each(chain)
    {
        chain.reaches_contained = is_any(chain.targets.iter().map(|(of, _)| *of).collect())?;
    }
    condition.inner_mut(Extent::Everything).try_for_each(|inner| ask(inner, is_any))
}
