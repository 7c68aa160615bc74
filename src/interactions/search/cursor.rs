//! Where a page begins, as its link says it: sealed, so that only the server's own links lead anywhere.
//!
//! Spec: R4 http.html#paging

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::interactions::search::allowance::Allowance;
use crate::search::{SearchError, SearchRequest};
use crate::store::Seal;

/// A place in the matches of one search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The match next to which the page begins.
    pub rid: i64,
    /// Whether the page ends before that match instead of beginning after it.
    pub is_backward: bool,
    /// Whether the pages come in the order of what leads the search, for it asks for none.
    pub is_by_lead: bool,
    /// How many matches may come from that place on.
    pub allowance: Allowance,
    /// The snapshot of the first page, see `Reader::mark`.
    pub mark: String,
}

impl Cursor {
    /// As text for a link of `request`.
    pub fn to_text(&self, request: &SearchRequest, seal: &Seal) -> String {
        let mut content = vec![u8::from(self.is_backward) | u8::from(self.is_by_lead) << 1];
        content.extend_from_slice(&self.rid.to_le_bytes());
        // Only where there is one to keep; the search itself tells, and the seal binds the cursor to it.
        if let Some(left) = self.allowance.0 {
            content.extend_from_slice(&left.to_le_bytes());
        }
        content.extend_from_slice(self.mark.as_bytes());
        URL_SAFE_NO_PAD.encode(seal.close(&purpose(request), &content))
    }

    /// Reads what `to_text` wrote for the same search.
    pub fn parse(text: &str, request: &SearchRequest, seal: &Seal) -> Result<Cursor, SearchError> {
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign())?;
        let content = seal.open(&purpose(request), &sealed).ok_or_else(foreign)?;
        let (direction, rest) = content.split_first().ok_or_else(foreign)?;
        let (rid, mut mark) = rest.split_first_chunk().ok_or_else(foreign)?;
        let mut allowance = Allowance(None);
        if request.control.max_results.is_some() {
            let (left, rest) = mark.split_first_chunk().ok_or_else(foreign)?;
            (allowance, mark) = (Allowance(Some(u32::from_le_bytes(*left))), rest);
        }
        let mark = String::from_utf8(mark.to_vec()).map_err(|_| foreign())?;
        let (is_backward, is_by_lead) = (direction & 1 == 1, direction & 2 == 2);
        Ok(Cursor { rid: i64::from_le_bytes(*rid), is_backward, is_by_lead, allowance, mark })
    }
}

/// That a cursor is of something else.
pub(in crate::interactions) fn foreign() -> SearchError {
    SearchError::BadValue {
        parameter: "_cursor".to_owned(),
        problem: "it is not of a page of this search: follow the links of the pages as they stand, or search again"
            .to_owned(),
    }
}

/// The search in a form in which no two are alike.
fn purpose(request: &SearchRequest) -> Vec<u8> {
    let stamp = request.stamp();
    format!("{}{:?}{:?}{stamp}", request.path(), request.used, request.compartments).into_bytes()
}
