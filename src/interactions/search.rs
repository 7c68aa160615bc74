//! The search interaction: one page of matches.
//!
//! Spec: R4 http.html#search, search.html

use crate::access::Caller;
use crate::interactions::InteractionError;
use crate::search::SearchRequest;
use crate::store::{Reader, ResourceRow};

/// One page of matches.
#[derive(Debug)]
pub struct SearchPage {
    pub rows: Vec<ResourceRow>,
    /// Cursor of the next page (`SearchRequest.control.cursor`); `None` on the last one.
    pub next: Option<String>,
    /// Number of all matches, when asked for or known for free.
    pub total: Option<i64>,
}

/// The page that `request` asks for.
pub fn search(
    reader: &mut Reader<'_>,
    caller: &Caller,
    request: &SearchRequest,
    zone_minutes: i16,
) -> Result<SearchPage, InteractionError> {
    let _ = (reader, caller, request, zone_minutes);
    todo!()
}
