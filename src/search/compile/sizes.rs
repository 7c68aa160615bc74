//! How many rows criteria have in the index, counted before the search where a guess from its form could go far wrong.
//!
//! A code may be that of ten resources or of every tenth one, and nothing in the search tells which. SQLite keeps no
//! statistics that would; PostgreSQL does, and plans by them.

use crate::search::compile::driver::{NARROW_DATES, rank};
use crate::search::compile::lead::leading_range;
use crate::search::compile::{CompileContext, rows};
use crate::search::{Condition, Criterion, Demand, Extent, Modifier, Parameter, SearchRequest, Size, Subject, Values};
use crate::store::Query;

/// No more criteria of one search are counted.
const MOST_CRITERIA: usize = 16;
/// Up to this rank the form says enough.
const SURE: u8 = 2;

/// The number of rows that `criterion` has, at most `limit`. One column, one row.
pub fn size(criterion: &Criterion, parameter: &'static Parameter, context: &CompileContext<'_>, limit: u32) -> Query {
    let mut query = Query::new();
    query.sql("SELECT COUNT(*) FROM (SELECT i.rid");
    rows::write(&mut query, criterion, parameter, context);
    query.sql(" LIMIT ").integer(i64::from(limit)).sql(") AS s");
    query
}

/// Whether counting could change how the search is done: not where one criterion is all that it has, or one surely leads.
/// A database that keeps statistics needs no count but for what is asked of other resources: it expects far too few there.
fn matter(request: &SearchRequest, keeps_statistics: bool) -> bool {
    let is_sure = |demand: &Demand| match &demand.condition {
        Condition::Criterion(Criterion { subject: Subject::Id, modifier: None, .. }) => true,
        Condition::Criterion(criterion @ Criterion { subject: Subject::Index(parameter), .. }) => {
            rank(criterion, parameter).is_some_and(|rank| rank <= SURE)
        }
        _ => false,
    };
    let is_alone = matches!(request.demands.as_slice(), [only] if matches!(only.condition, Condition::Criterion(_)));
    let is_unknown = !keeps_statistics || request.demands.iter().any(|demand| is_linked(&demand.condition));
    is_unknown && !is_alone && request.compartments.is_empty() && !request.demands.iter().any(is_sure)
}

/// What is worth counting of a search.
pub(in crate::search) enum Wanted {
    Nothing,
    /// The demand at this place: whether it has many rows decides in which order they come.
    Lead(usize),
    All,
}

/// What to count. `begins` says that it is for the first page.
pub(in crate::search) fn wanted(request: &SearchRequest, keeps_statistics: bool, begins: bool) -> Wanted {
    match leading_range(request) {
        _ if matter(request, keeps_statistics) => Wanted::All,
        Some((place, ..)) if begins => Wanted::Lead(place),
        _ => Wanted::Nothing,
    }
}

/// Whether a condition leads to other resources.
fn is_linked(condition: &Condition) -> bool {
    condition.walk(Extent::Itself).any(|part| matches!(part, Condition::Chain(_) | Condition::Has(_)))
}

/// Whether the rows of a criterion of a linked resource have been counted and are many, so that each resource is asked for
/// what it is linked with.
pub(super) fn leads_to_many(condition: &Condition) -> bool {
    is_linked(condition) && has_many(condition)
}

fn has_many(condition: &Condition) -> bool {
    let is_many = |criterion: &Criterion| criterion.size == Some(Size::Many);
    condition.walk(Extent::Linked).any(|part| matches!(part, Condition::Criterion(criterion) if is_many(criterion)))
}

/// Counts what is worth it among the demands.
pub(in crate::search) fn learn<E>(
    demands: &mut [Demand],
    mut count: impl FnMut(&Criterion, &'static Parameter) -> Result<Size, E>,
) -> Result<(), E> {
    let mut unknown = Vec::new();
    for demand in demands {
        collect(&mut demand.condition, &mut unknown);
    }
    for (criterion, parameter) in unknown.into_iter().take(MOST_CRITERIA) {
        criterion.size = Some(count(criterion, parameter)?);
    }
    Ok(())
}

fn collect<'c>(condition: &'c mut Condition, found: &mut Vec<(&'c mut Criterion, &'static Parameter)>) {
    match condition {
        Condition::Criterion(criterion) => {
            if let Subject::Index(parameter) = criterion.subject
                && is_counted_quickly(criterion, parameter)
            {
                found.push((criterion, parameter));
            }
        }
        // What is left out never leads.
        Condition::Not(_) => {}
        other => other.inner_mut(Extent::Linked).for_each(|inner| collect(inner, found)),
    }
}

/// Whether the rows stand together in the index, so that counting reads no others, and their number is not plain.
fn is_counted_quickly(criterion: &Criterion, parameter: &Parameter) -> bool {
    let stand_together = match &criterion.values {
        Values::Tokens(tokens) => criterion.modifier.is_none() && tokens.iter().all(|token| token.code.is_some()),
        Values::Codes(codes) => criterion.modifier.is_none() && codes.systems.is_empty(),
        Values::Strings(_) => criterion.modifier.is_none(),
        Values::Uris(_) => criterion.modifier == Some(Modifier::Below),
        // Only what lies in a short span: the others are read from one end.
        Values::Dates(_) => rank(criterion, parameter) == Some(NARROW_DATES),
        _ => false,
    };
    stand_together && rank(criterion, parameter).is_some_and(|rank| rank > SURE)
}
