//! The history interaction on an instance, a type and the system, newest version first.
//!
//! Whoever is bound sees the versions of what may be seen now, and of these each only if its own content may be seen; old ones
//! not at all, unless the grant says so. What is deleted is seen by whoever sees all of the record that it was part of.
//!
//! Spec: R4 http.html#history

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::access::{Caller, Deed, Denied};
use crate::interactions::InteractionError;
use crate::interactions::recorded::give;
use crate::interactions::search::foreign;
use crate::interactions::sight::{admits, before, guard_of_deletions, sees_deletion};
use crate::interactions::trail;
use crate::interactions::whole::resource_of;
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
    let guard = guard_of_deletions(reader, caller, &types, right);
    let mut current = None;
    if let HistoryScope::Instance(key) = &request.scope {
        current = reader.current(key, &guard)?;
        let is_seen = match &current {
            Some(row) if row.method == Method::Delete => sees_deletion(reader, caller, key, row.version, right)?,
            row => row.is_some(),
        };
        if !is_seen {
            return Err(InteractionError::NotFound(key.clone()));
        }
    }
    let wanted = usize::try_from(request.limit).unwrap_or(0);
    let mut rows = Vec::new();
    let mut deleted = BTreeMap::new();
    let before = cursor.map(|cursor| place_of(reader, caller, request, cursor)).transpose()?;
    let mut one_more = HistoryRequest { limit: request.limit + 1, before, ..request.clone() };
    // What is left out of a page makes room for what follows.
    while rows.len() <= wanted {
        let found = reader.history(&one_more, &guard, !filter.sees_history())?;
        let is_last = i64::try_from(found.len()).unwrap_or(i64::MAX) < one_more.limit;
        one_more.before = found.last().map(|row| row.place);
        for row in found {
            let is_seen = row.is_current || is_open(reader, caller, &row.row, right)?;
            let is_seen = is_seen && (!row.is_deleted_now || is_told(reader, caller, &row.row, right, &mut deleted)?);
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

/// Whether `caller` may know of the resource of `row`, which is deleted by now. `known` are those that were asked already.
fn is_told(
    reader: &mut Reader<'_>,
    caller: &Caller,
    row: &ResourceRow,
    right: Right,
    known: &mut BTreeMap<i64, bool>,
) -> Result<bool, InteractionError> {
    if caller.filter().is_everything() {
        return Ok(true);
    }
    if let Some(known) = known.get(&row.rid) {
        return Ok(*known);
    }
    let current = reader.current(&row.key, &Guard::unbounded("what was deleted"))?;
    let is_told = match current {
        Some(current) => sees_deletion(reader, caller, &row.key, current.version, right)?,
        None => false,
    };
    known.insert(row.rid, is_told);
    Ok(is_told)
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
/// its own content may. None is of what is deleted by now, if the caller may not know that it was.
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
    let Some(current) = reader.current(&row.key, guard)? else { return Ok(false) };
    if current.method == Method::Delete && !sees_deletion(reader, caller, &row.key, current.version, Right::Read)? {
        return Ok(false);
    }
    Ok(current.version == row.version || is_open(reader, caller, row, Right::Read)?)
}

/// Whether the content of a version is open to `right` by itself; of a deletion, that of the version before.
fn is_open(
    reader: &mut Reader<'_>,
    caller: &Caller,
    row: &ResourceRow,
    right: Right,
) -> Result<bool, InteractionError> {
    let filter = caller.filter();
    if filter.is_everything() {
        return Ok(true);
    }
    let resource = match row.method {
        Method::Delete => before(reader, &row.key, row.version)?,
        _ => Some(resource_of(row)?),
    };
    let Some(resource) = resource else { return Ok(false) };
    admits(reader, filter, &resource, right)
}
