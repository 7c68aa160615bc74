//! The search interaction: one page of matches.
//!
//! Spec: R4 http.html#search, search.html

use crate::access::Caller;
use crate::clock;
use crate::fhir::Issue;
use crate::interactions::InteractionError;
use crate::interactions::include::{Included, included};
use crate::search::{CompileContext, Position, SearchError, SearchRequest, Total, count, page};
use crate::store::{Reader, ResourceRow};

/// One page of matches.
#[derive(Debug)]
pub struct SearchPage {
    pub rows: Vec<ResourceRow>,
    /// What `_include` and `_revinclude` brought along.
    pub included: Vec<ResourceRow>,
    /// What there is to say about the page.
    pub remarks: Vec<Issue>,
    /// Cursor of the next page (`SearchRequest.control.cursor`); `None` on the last one.
    pub next: Option<String>,
    /// Number of all matches, when asked for or known for free.
    pub total: Option<i64>,
}

/// The page that `request` asks for.
pub fn search(
    reader: &mut Reader<'_>,
    _caller: &Caller,
    request: &SearchRequest,
    zone_minutes: i16,
) -> Result<SearchPage, InteractionError> {
    let hasher = reader.hasher();
    let context = CompileContext { hasher: &hasher, dialect: reader.dialect(), now_us: clock::now_us(), zone_minutes };
    if request.is_count_only() {
        let total = reader.number(&count(request, &context))?;
        return Ok(SearchPage {
            rows: Vec::new(),
            included: Vec::new(),
            remarks: Vec::new(),
            next: None,
            total: Some(total),
        });
    }
    let sort = request.control.sort;
    let after = match &request.control.cursor {
        Some(cursor) => Some(Position::parse(cursor, sort).ok_or_else(|| SearchError::BadValue {
            parameter: "_cursor".to_owned(),
            problem: "follow the links of the pages as they stand".to_owned(),
        })?),
        None => None,
    };
    let wanted = request.control.count;
    let mut rows = reader.rows(&page(request, &context, after.as_ref(), wanted + 1))?;
    let has_more = rows.len() > wanted as usize;
    rows.truncate(wanted as usize);
    let next = rows.last().filter(|_| has_more).map(|row| {
        let position = Position { rid: row.rid, updated_us: row.updated_us, id: row.key.id.as_str().to_owned() };
        position.to_text(sort)
    });
    let total = match request.control.total {
        Some(Total::None) => None,
        Some(Total::Accurate | Total::Estimate) => Some(reader.number(&count(request, &context))?),
        // One page that holds everything has counted already.
        None if after.is_none() && !has_more => Some(rows.len() as i64),
        None => None,
    };
    let Included { rows: included, remark } = included(reader, &request.includes, &rows)?;
    Ok(SearchPage { rows, included, remarks: remark.into_iter().collect(), next, total })
}
