//! From a [`SearchRequest`] to one statement.
//!
//! The criterion that seems to leave the fewest resources drives: where it is one key of its index table, the resources
//! come out of the table in order and the statement ends with the page; otherwise they are gathered into a set. The
//! others are looked up for each resource where an index has the whole key, and gathered into a set where not (a look-up
//! without such an index was measured 100 to 1,000 times slower). The statement's text depends on the form of the search
//! alone, so that it is prepared once.
//!
//! Spec: R4 search.html

mod access;
mod boxes;
mod coded;
mod composites;
mod consents;
mod contained;
mod definitions;
mod driver;
mod filters;
mod hierarchy;
mod include;
pub(super) mod labels;
pub(super) mod lead;
mod linked;
mod order;
pub(super) mod reach;
mod rows;
pub(super) mod sizes;
mod sorted;
mod span;
#[cfg(test)]
mod tests;
mod walk;
mod words;
mod write;

pub use access::{guard, guard_of_deletions, holder_of, visible, visible_keys};
pub use consents::kept_from;
pub use contained::{contained_count, contained_page};
pub use definitions::defined;
pub use driver::is_narrow;
pub use include::{called, referred, referring};
pub use lead::{leads_to_many, order_of_lead};
pub use reach::any_contained;
pub use sizes::size;
pub use sorted::{driven, matching, rows_of, screened, updated_since};
pub use span::{DateBounds, Span, aside, bounds};
pub use walk::{Start, Walk, entries, entries_within, matching_entries, token_entries, token_texts};

use crate::search::compile::driver::Driver;
use crate::search::compile::filters::Row;
use crate::search::{Bound, Condition, Position, ResolvedSearch, SearchRequest, dialect};
use crate::store::{Dialect, Hasher, Query};

/// What the meaning of a request depends on besides itself.
#[derive(Clone, Copy, Debug)]
pub struct CompileContext<'a> {
    pub hasher: &'a Hasher,
    pub dialect: Dialect,
    /// For `ap`, in microseconds since 1970.
    pub now_us: i64,
    /// Minutes east of UTC, for dates that name no zone.
    pub zone_minutes: i16,
}

const COLUMNS: &str = "SELECT r.rid, r.rtype, r.id, r.version, r.updated_us, r.method, r.codec, r.tail";

/// The next `limit` matches from the position `at`, in the order of the request.
///
/// Columns: rid, rtype, id, version, updated_us, method, codec, tail.
pub fn page(request: &ResolvedSearch<'_>, context: &CompileContext<'_>, at: Option<&Position>, limit: u32) -> Query {
    let mut query = Query::new();
    query.sql(COLUMNS);
    let driver = Driver::of(request);
    conditions(request, driver, context, &mut query);
    order::write(&request.control.sort, driver, context.dialect, at, &mut query);
    query.sql(" LIMIT ").integer(i64::from(limit));
    query
}

/// The number of matches, `_maxresults` at most; one column, one row.
pub fn count(request: &ResolvedSearch<'_>, context: &CompileContext<'_>) -> Query {
    if let Some(most) = request.control.max_results {
        return count_up_to(request, context, most);
    }
    let mut query = Query::new();
    if request.is_unconditional() {
        // They are counted as they are written.
        query.sql("SELECT CAST(COALESCE(SUM(r.current), 0) AS BIGINT) FROM type_count r WHERE 1 = 1");
        filters::scope(request, "", &mut query);
        return query;
    }
    query.sql("SELECT COUNT(*)");
    numbered(request, Driver::of(request), context, &mut query);
    query
}

/// The number of matches, but no more than `most`: ends when so many are found. One column, one row.
pub fn count_up_to(request: &ResolvedSearch<'_>, context: &CompileContext<'_>, most: u32) -> Query {
    let mut query = Query::new();
    let driver = Driver::of(request);
    query.sql("SELECT COUNT(*) FROM (SELECT ").sql(driver.rid());
    numbered(request, driver, context, &mut query);
    query.sql(" LIMIT ").integer(i64::from(most)).sql(") AS m");
    query
}

/// The first `limit` matches, for conditional interactions: 2 tell whether there is none, one or several. Columns as
/// of [`page`].
pub fn matches(request: &ResolvedSearch<'_>, context: &CompileContext<'_>, limit: u32) -> Query {
    let mut query = Query::new();
    query.sql(COLUMNS);
    let driver = Driver::of(request);
    conditions(request, driver, context, &mut query);
    query.sql(if driver.is_stream() { " ORDER BY d.rid" } else { " ORDER BY r.rid" });
    query.sql(" LIMIT ").integer(i64::from(limit));
    query
}

/// Which of the matches are wanted, by their numbers.
#[derive(Clone, Copy, Debug)]
pub enum ResourceRange<'a> {
    All,
    /// Any, up to so many.
    AtMost(usize),
    /// In the order of their numbers, without those that changed after a mark.
    Next {
        after: Option<i64>,
        is_descending: bool,
        unchanged_since: Option<&'a str>,
        limit: usize,
    },
}

/// Writes ` FROM .. WHERE ..` with the resource as `r`, and as `d` what leads if it is a stream.
fn conditions(request: &SearchRequest, driver: Driver, context: &CompileContext<'_>, query: &mut Query) {
    if driver.is_stream() {
        query.sql(" FROM ");
        stream(request, driver, context, query);
        // The rows of what is contained come first; they are none of these resources.
        query.sql(" CROSS JOIN resource r WHERE r.rid = d.rid AND d.rid > 0 AND r.method <> 2");
    } else {
        query.sql(" FROM resource r WHERE r.method <> 2");
    }
    // Resources that are found by their references are looked up by these.
    let is_linked = matches!(driver, Driver::Linked { .. });
    filters::scope(request, if is_linked { dialect::without_index(context.dialect) } else { "" }, query);
    demands(request, driver, false, context, query);
}

/// As [`conditions`] for statements that want no more than numbers, as [`Driver::rid`]: where the rows of the index tell
/// all that is asked, no resource is looked up.
fn numbered(request: &SearchRequest, driver: Driver, context: &CompileContext<'_>, query: &mut Query) {
    if !driver.tells_all(request) {
        return conditions(request, driver, context, query);
    }
    query.sql(" FROM ");
    stream(request, driver, context, query);
    query.sql(" WHERE d.rid > 0");
    demands(request, driver, true, context, query);
}

/// Writes what leads, in order, as `d`.
fn stream(request: &SearchRequest, driver: Driver, context: &CompileContext<'_>, query: &mut Query) {
    match driver {
        Driver::Criterion { place, parameter, is_stream: true } => {
            query.sql("(SELECT i.rid");
            if let Condition::Criterion(criterion) = &request.demands[place].condition {
                rows::write(query, criterion, parameter, context);
            }
            query.sql(") AS d");
        }
        Driver::Compartment { place, resource_type } => {
            query.sql("(SELECT c.rid FROM compartment c WHERE c.patient = ");
            let Bound { patients, is_owned } = &request.compartments[place];
            query.integer(patients.first().map_or(0, |patient| context.hasher.key(patient)));
            query.sql(" AND c.rtype = ").integer(i64::from(resource_type.code()));
            query.sql(filters::bond(*is_owned)).sql(") AS d");
        }
        _ => {}
    }
}

/// Writes ` AND ..` for each demand but the one that is a stream. `is_number` says that the stream is all there is of a resource.
fn demands(request: &SearchRequest, driver: Driver, is_number: bool, context: &CompileContext<'_>, query: &mut Query) {
    // What many resources are linked with is asked of each until the page is full.
    let leads_to_many = request.demands.iter().any(|demand| sizes::leads_to_many(&demand.condition));
    let row = Row::searched(request).streamed(driver.is_stream()).number_alone(is_number).asked_alone(leads_to_many);
    // What drives but does not stream stands in front of the others.
    if let Driver::Criterion { place, is_stream: false, .. } | Driver::Linked { place } = driver {
        filters::condition(row, &request.demands[place].condition, false, context, query);
    }
    for (place, bound) in request.compartments.iter().enumerate() {
        match driver {
            Driver::Compartment { place: driving, .. } if driving == place => {}
            Driver::Members { place: driving } => {
                filters::compartment(row, bound, driving == Some(place), context, query)
            }
            _ => filters::compartment(row, bound, false, context, query),
        }
    }
    if let Some(compartment) = request.unlisted_compartment() {
        filters::unlisted(compartment, matches!(driver, Driver::Members { place: None }), context, query);
    }
    for (place, demand) in request.demands.iter().enumerate() {
        let is_driver = matches!(driver, Driver::Criterion { place: driving, .. } | Driver::Linked { place: driving }
            if driving == place);
        if !is_driver {
            filters::condition(row, &demand.condition, driver.is_some(), context, query);
        }
    }
    if let Some(access) = &request.access {
        let is_driven = driver.is_some() || !request.demands.is_empty();
        query.for_caller(|query| filters::condition(row, access, is_driven, context, query));
    }
}
