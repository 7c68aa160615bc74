//! The history interaction on an instance, a type and the system, newest version first.
//!
//! Spec: R4 http.html#history

use crate::access::Caller;
use crate::interactions::InteractionError;
use crate::store::{HistoryRequest, HistoryRow, HistoryScope, Reader};

/// One page of versions.
#[derive(Debug)]
pub struct HistoryPage {
    pub rows: Vec<HistoryRow>,
    /// Where the next page goes on (`HistoryRequest::before`); `None` on the last page.
    pub next: Option<i64>,
    /// All versions in the scope; `None` when `_since` or `_at` narrow it, for then it would have to be counted.
    pub total: Option<i64>,
}

/// The page that `request` asks for; `request.limit` is the number of versions on it.
pub fn history(
    reader: &mut Reader<'_>,
    _caller: &Caller,
    request: &HistoryRequest,
) -> Result<HistoryPage, InteractionError> {
    let mut current = None;
    if let HistoryScope::Instance(key) = &request.scope {
        current = reader.current(key)?;
        if current.is_none() {
            return Err(InteractionError::NotFound(key.clone()));
        }
    }
    let wanted = usize::try_from(request.limit).unwrap_or(0);
    let one_more = HistoryRequest { limit: request.limit + 1, ..request.clone() };
    let mut rows = reader.history(&one_more)?;
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = if has_more { rows.last().map(|row| row.place) } else { None };
    let total = if request.since_us.is_some() || request.at.is_some() {
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
    Ok(HistoryPage { rows, next, total })
}
