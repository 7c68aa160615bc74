//! The history interaction on an instance, a type and the system, newest version first.
//!
//! Whoever is bound sees the versions of what may be seen now, and of these each only if its own content may be seen; old ones
//! not at all, unless the grant says so.
//!
//! Spec: R4 http.html#history

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::access::{Caller, Deed, Denied};
use crate::fhir::Resource;
use crate::interactions::InteractionError;
use crate::interactions::recorded::give;
use crate::interactions::search::foreign;
use crate::interactions::sight::{admits, guard_of};
use crate::interactions::trail;
use crate::interactions::whole::whole;
use crate::search::{Right, View};
use crate::store::{Guard, HistoryRequest, HistoryRow, HistoryScope, Method, Reader, ResourceRow};

/// One page of versions.
#[derive(Debug)]
pub struct HistoryPage {
    pub rows: Vec<HistoryRow>,
    /// Where the next page goes on, sealed; `None` on the last page.
    pub next: Option<String>,
    /// All versions in the scope; `None` when `_since` or `_at` narrow it or the caller is bound, for then it would have to be
    /// counted.
    pub total: Option<i64>,
}

/// The page that `request` asks for; `request.limit` is the number of versions on it. `cursor` is where the page before ended, as
/// its link says it.
pub fn history(
    reader: &mut Reader<'_>,
    caller: &Caller,
    request: &HistoryRequest,
    cursor: Option<&str>,
) -> Result<HistoryPage, InteractionError> {
    let filter = caller.filter();
    // SMART: the history of an instance belongs to `r`, those of a type and of the system to `s`.
    let (types, right) = match &request.scope {
        HistoryScope::Instance(key) => (vec![key.resource_type], Right::Read),
        HistoryScope::Type(resource_type) => (vec![*resource_type], Right::Search),
        HistoryScope::System => (Vec::new(), Right::Search),
    };
    for resource_type in &types {
        filter.permitted(*resource_type, right).map_err(Denied::from)?;
    }
    if types.iter().any(|of| trail::keeps(caller, *of)) {
        return Err(trail::no_history());
    }
    if types.is_empty() && matches!(filter.view(&types, right), View::Nothing) {
        return Err(Denied::from(filter.lacking(None, right)).into());
    }
    let guard = guard_of(reader, filter, &types, right);
    let mut current = None;
    if let HistoryScope::Instance(key) = &request.scope {
        current = reader.current(key, &guard)?;
        if current.is_none() {
            return Err(InteractionError::NotFound(key.clone()));
        }
    }
    let wanted = usize::try_from(request.limit).unwrap_or(0);
    let mut rows = Vec::new();
    let before = cursor.map(|cursor| place_of(reader, caller, request, cursor)).transpose()?;
    let mut one_more = HistoryRequest { limit: request.limit + 1, before, ..request.clone() };
    // What is left out of a page makes room for what follows.
    while rows.len() <= wanted {
        let found = reader.history(&one_more, &guard, !filter.sees_history())?;
        let is_last = i64::try_from(found.len()).unwrap_or(i64::MAX) < one_more.limit;
        one_more.before = found.last().map(|row| row.place);
        for row in found {
            let is_seen = !filter.sees_history() || is_open(reader, caller, &row.row, right)?;
            if is_seen && !trail::keeps(caller, row.row.key.resource_type) {
                rows.push(row);
            }
        }
        if is_last {
            break;
        }
    }
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let last = rows.last().filter(|_| has_more);
    let next = last
        .map(|row| URL_SAFE_NO_PAD.encode(reader.seal().close(&purpose(caller, request), &row.place.to_le_bytes())));
    let total = if request.since_us.is_some() || request.at.is_some() || !filter.is_everything() {
        None
    } else if let Some(current) = current {
        // Versions of one resource are counted without gaps.
        Some(current.version)
    } else {
        let counts = reader.type_counts()?;
        let counted = counts.iter().filter(|count| match request.scope {
            HistoryScope::Type(resource_type) => count.resource_type == resource_type,
            HistoryScope::System | HistoryScope::Instance(_) => true,
        });
        Some(counted.map(|count| count.versions).sum())
    };
    give(caller, Deed::History, rows.iter().map(|row| &row.row));
    Ok(HistoryPage { rows, next, total })
}

/// The place that a cursor of the same history of the same caller stands for.
fn place_of(
    reader: &Reader<'_>,
    caller: &Caller,
    request: &HistoryRequest,
    cursor: &str,
) -> Result<i64, InteractionError> {
    let sealed = URL_SAFE_NO_PAD.decode(cursor).ok();
    let content = sealed.and_then(|sealed| reader.seal().open(&purpose(caller, request), &sealed));
    let place = content.and_then(|content| content.try_into().ok()).map(i64::from_le_bytes);
    place.ok_or_else(|| foreign().into())
}

/// The history in a form in which no two are alike.
fn purpose(caller: &Caller, request: &HistoryRequest) -> Vec<u8> {
    let HistoryRequest { scope, since_us, at, .. } = request;
    format!("history {scope:?} {since_us:?} {at:?} {}", caller.filter().stamp()).into_bytes()
}

/// Whether `row`, a version of what `guard` lets pass, may be seen: the current one always, an old one if the grant says so and
/// its own content may.
pub(super) fn may_see_version(
    reader: &mut Reader<'_>,
    caller: &Caller,
    guard: &Guard,
    row: &ResourceRow,
) -> Result<bool, InteractionError> {
    let filter = caller.filter();
    if filter.is_everything() {
        return Ok(true);
    }
    if filter.sees_history() {
        return is_open(reader, caller, row, Right::Read);
    }
    Ok(reader.current(&row.key, guard)?.is_some_and(|current| current.version == row.version))
}

/// Whether the content of a version is open to `right` by itself.
fn is_open(
    reader: &mut Reader<'_>,
    caller: &Caller,
    row: &ResourceRow,
    right: Right,
) -> Result<bool, InteractionError> {
    let filter = caller.filter();
    if filter.is_everything() || row.method == Method::Delete {
        return Ok(true);
    }
    let resource = Resource::from_value(whole(row)?).map_err(|issue| InteractionError::Unprocessable(vec![issue]))?;
    admits(reader, filter, &resource, right)
}
