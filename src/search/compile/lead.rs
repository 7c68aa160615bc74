//! The order of a search that asks for none.
//!
//! It is that of creation, which costs little where resources come out of the index in this order, or are few. Where very many
//! lie in a span of dates, or begin with a text, they would all have to be gathered for one page. So these are read in the order of
//! what leads to them, until the page is full.
//!
//! Spec: R4 search.html#sort, "the order of the results is not defined"

use crate::search::compile::Walk;
use crate::search::compile::driver::{Driver, NARROW_DATES, is_narrow, rank};
use crate::search::compile::rows::range_of_prefix;
use crate::search::fold::fold;
use crate::search::{Beginning, Condition, Criterion, Parameter, SearchRequest, Size, SortBy, SortKey, Values};

/// The criterion that leads the search, and its place among the demands, if the matches of a page can come in the order of its
/// rows.
pub(in crate::search) fn leading_range(request: &SearchRequest) -> Option<(usize, &Criterion, &'static Parameter)> {
    // How much there is of what a caller may not see must not show, not even in the order of what it may see.
    let is_bound = request.access.is_some() || request.control.contained.is_some();
    if is_bound || !request.control.sort.keys.is_empty() || request.is_count_only() {
        return None;
    }
    let Driver::Criterion { place, parameter, is_stream: false } = Driver::of(request) else { return None };
    let Condition::Criterion(criterion) = &request.demands[place].condition else { return None };
    let is_range = match &criterion.values {
        Values::Dates(_) => rank(criterion, parameter) == Some(NARROW_DATES),
        Values::Strings(texts) => criterion.modifier.is_none() && texts.len() == 1,
        _ => false,
    };
    let is_of_type = Walk::Parameter(parameter).is_only_of(request.resource_type);
    (is_range && is_of_type).then_some((place, criterion, parameter))
}

/// The order of what leads the search. Its form decides, so that it is the same for each page; whether the first page comes in
/// this order is told by [`leads_to_many`].
pub fn order_of_lead(request: &SearchRequest) -> Option<SortKey> {
    let (place, criterion, parameter) = leading_range(request)?;
    let by = match &criterion.values {
        Values::Strings(texts) => {
            let (from, to) = range_of_prefix(&fold(texts.first()?));
            SortBy::Beginning(Beginning { by: parameter, from, to, place })
        }
        _ => SortBy::Index(vec![parameter]),
    };
    Some(SortKey { by, is_descending: false })
}

/// Whether what leads the search has many rows, as far as these have been counted, and nothing else leaves few resources.
pub fn leads_to_many(request: &SearchRequest) -> bool {
    leading_range(request).is_some_and(|(_, criterion, parameter)| {
        criterion.size == Some(Size::Many) && !is_narrow(request, Walk::Parameter(parameter))
    })
}
