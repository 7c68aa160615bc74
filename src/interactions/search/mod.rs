//! The search interaction: one page of matches.
//!
//! Spec: R4 http.html#search, search.html

mod allowance;
mod contained;
mod cursor;
mod sorted;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::access::{Caller, Deed, Denied};
use crate::clock;
use crate::config::PlanSettings;
use crate::fhir::Issue;
use crate::interactions::InteractionError;
use crate::interactions::codes::{reaching, resolved, sized};
use crate::interactions::include::{Included, included};
use crate::interactions::recorded::give;
use crate::interactions::search::allowance::Allowance;
use crate::interactions::search::cursor::Cursor;
pub(super) use crate::interactions::search::cursor::foreign;
use crate::interactions::search_cost::{SearchPart, ended};
use crate::interactions::trail;
use crate::search::{
    CompileContext, Position, ResolvedSearch, Returned, SearchRequest, SortKey, Total, count, leads_to_many,
    order_of_lead, page,
};
use crate::store::{Reader, ResourceRow};

/// One page of matches.
#[derive(Debug, Default)]
pub struct SearchPage {
    pub rows: Vec<ResourceRow>,
    /// Those of the matches that are contained in others, by the numbers of their rows, which are those of the containers
    /// otherwise.
    pub contained: HashMap<i64, Value>,
    /// What `_include` and `_revinclude` brought along.
    pub included: Vec<ResourceRow>,
    /// What there is to say about the page.
    pub remarks: Vec<Issue>,
    /// Cursor of the next page (`SearchRequest.control.cursor`); `None` on the last one.
    pub next: Option<String>,
    /// Cursor of the page before; `None` on the first one.
    pub previous: Option<String>,
    /// Number of all matches, `_maxresults` at most, when asked for or known for free.
    pub total: Option<i64>,
}

/// What a search depends on besides its request.
#[derive(Clone, Debug)]
pub struct SearchSettings {
    /// The server's own base URLs, without a slash at the end.
    pub bases: Arc<[String]>,
    pub plan: PlanSettings,
}

/// The page that `request` asks for.
pub fn search(
    reader: &mut Reader<'_>,
    caller: &Caller,
    request: &SearchRequest,
    settings: &SearchSettings,
) -> Result<SearchPage, InteractionError> {
    check_rules(reader, request)?;
    if request.resource_type.is_some_and(|of| trail::keeps(caller, of)) {
        reader.about("trail");
        return trail::search(reader, caller, request).map_err(ended(request, SearchPart::Matches));
    }
    trail::is_elsewhere(caller, request)?;
    let request = &*trail::stored_left_out(reader, caller, request)?;
    reader.about("codes");
    let narrowed = request.narrowed(caller.filter()).map_err(Denied::from)?;
    let asked = resolved(reader, narrowed).map_err(ended(request, SearchPart::Matches))?;
    let known = asked.of_containers();
    let hasher = reader.hasher();
    let zone_minutes = request.registry.zone_minutes();
    let context = CompileContext { hasher: &hasher, dialect: reader.dialect(), now_us: clock::now_us(), zone_minutes };
    reader.about("sizes");
    let request = sized(reader, known, &context, settings.plan.counted)
        .and_then(|sized| reaching(reader, sized))
        .map_err(ended(request, SearchPart::Matches))?;
    if request.is_count_only() {
        reader.about("count");
        let total = Some(total(reader, &request, &context).map_err(ended(&asked, SearchPart::Total))?);
        give(caller, Deed::Search, [].into_iter());
        return Ok(SearchPage { total, ..SearchPage::default() });
    }
    let seal = reader.seal();
    let at = request.control.cursor.as_ref().map(|text| Cursor::parse(text, &asked, &seal)).transpose()?;
    let allowance = at.as_ref().map_or(Allowance(request.control.max_results), |at| at.allowance);
    let is_backward = at.as_ref().is_some_and(|at| at.is_backward);
    let lead = lead(reader, &asked, &request, at.as_ref(), &settings.plan)?;
    let is_by_lead = lead.is_some();
    let request = &match lead {
        Some(key) => request.in_order_of(key),
        None => request,
    };
    let wanted = if is_backward { request.control.count } else { allowance.page(request.control.count) };
    reader.about("cursor");
    let found = if is_for_contained(request) {
        contained::rows(reader, request, &context, at.as_ref(), wanted + 1)
    } else if request.control.sort.is_by_creation_or_id() {
        let position = at.as_ref().map(|at| position(reader, at)).transpose()?;
        reader.about("page");
        reader.rows(&page(request, &context, position.as_ref(), wanted + 1)).map_err(Into::into)
    } else {
        reader.about("page");
        sorted::rows(reader, request, &context, settings, at.as_ref(), wanted as usize + 1)
    };
    let mut rows = found.map_err(ended(&asked, SearchPart::Matches))?;
    let has_more = rows.len() > wanted as usize;
    rows.truncate(wanted as usize);
    if is_backward {
        rows.reverse();
    }
    let (allowed, allowed_behind) = match is_backward {
        true => (allowance.before(rows.len()), allowance),
        false => (allowance, allowance.behind(rows.len())),
    };
    let (has_next, has_previous) = match &at {
        None => (has_more && !allowed_behind.is_used_up(), false),
        Some(at) if at.is_backward => (true, has_more),
        Some(_) => (has_more && !allowed_behind.is_used_up(), true),
    };
    let (mut next, mut previous) = (None, None);
    if let (Some(first), Some(last)) = (rows.first(), rows.last())
        && (has_next || has_previous)
    {
        let mark = match &at {
            Some(at) => at.mark.clone(),
            // Of the same snapshot as the page, unless no match can change its place; what was created in between may
            // then be shown, once.
            None => {
                reader.about("cursor");
                reader.mark()?
            }
        };
        let link = |row: &ResourceRow, is_backward, allowance| {
            Cursor { rid: row.rid, is_backward, is_by_lead, allowance, mark: mark.clone() }.to_text(&asked, &seal)
        };
        next = has_next.then(|| link(last, false, allowed_behind));
        previous = has_previous.then(|| link(first, true, allowed));
    }
    let total = match request.control.total {
        Some(Total::None) => None,
        Some(Total::Accurate | Total::Estimate) => {
            reader.about("count");
            Some(total(reader, request, &context).map_err(ended(&asked, SearchPart::Total))?)
        }
        // One page that holds everything has counted already.
        None if at.is_none() && !has_next => Some(rows.len() as i64),
        None => None,
    };
    reader.about("include");
    let brought = included(reader, request, &rows);
    let Included { rows: mut included, remark } = brought.map_err(ended(&asked, SearchPart::Includes))?;
    included.retain(|row| !trail::keeps(caller, row.key.resource_type));
    let contained = contained::resources(&rows)?;
    give(caller, Deed::Search, rows.iter().chain(&included));
    Ok(SearchPage { rows, contained, included, remarks: remark.into_iter().collect(), next, previous, total })
}

/// The order of what leads the search, if its pages come in this: the first page decides, and its links tell the others.
fn lead(
    reader: &mut Reader<'_>,
    asked: &ResolvedSearch<'_>,
    sized: &ResolvedSearch<'_>,
    at: Option<&Cursor>,
    plan: &PlanSettings,
) -> Result<Option<SortKey>, InteractionError> {
    match at {
        Some(at) if at.is_by_lead => Ok(Some(order_of_lead(asked).ok_or_else(foreign)?)),
        None if leads_to_many(sized) => match order_of_lead(asked) {
            Some(key) if sorted::reads_no_more_than_matches(reader, &key, plan)? => Ok(Some(key)),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Whether the matches themselves may be within others.
fn is_for_contained(request: &SearchRequest) -> bool {
    request.control.contained.is_some_and(|contained| contained.returned == Returned::Contained)
}

/// The number of all matches.
fn total(
    reader: &mut Reader<'_>,
    request: &ResolvedSearch<'_>,
    context: &CompileContext<'_>,
) -> Result<i64, InteractionError> {
    match is_for_contained(request) {
        true => contained::total(reader, request, context),
        false => Ok(reader.number(&count(request, context))?),
    }
}

/// `Stale` when the search stands on own parameters that are others in the snapshot of `reader`: its rows may be those of
/// another definition, or be missing.
pub(super) fn check_rules(reader: &mut Reader<'_>, request: &SearchRequest) -> Result<(), InteractionError> {
    if request.uses_own() && reader.rules()? != request.registry.generation() {
        return Err(InteractionError::Stale);
    }
    Ok(())
}

/// Where the match of the cursor stands in an order that never changes.
fn position(reader: &mut Reader<'_>, cursor: &Cursor) -> Result<Position, InteractionError> {
    let Cursor { rid, is_backward, mark, .. } = cursor.clone();
    let id = reader.stood(rid, &mark)?.ok_or_else(foreign)?;
    Ok(Position { rid, id, is_backward, mark })
}
