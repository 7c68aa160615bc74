//! Pages of a search that is sorted by values of the resources.
//!
//! The order is that of the moment when the first page was read: of what has changed since, the version of then is
//! looked at. What was created since is left out; what is deleted or matches no longer is gone. So every page has the
//! same order, and each match one place in it, whichever of these ways finds the page:
//!
//! - few matches are gathered and sorted;
//! - many are read in the order of the first key's table until the page is full, what changed being put between;
//! - where that has no table, or leads past too much that does not match, all are gathered, and the page's kept.
//!
//! Spec: R4 search.html#sort

mod best;
mod keys;
mod walk;

use std::collections::{HashMap, HashSet};

use crate::interactions::InteractionError;
use crate::interactions::search::SearchSettings;
use crate::interactions::search::cursor::{Cursor, foreign};
use crate::interactions::search::sorted::best::Best;
use crate::interactions::search::sorted::keys::Keys;
use crate::search::{
    CompileContext, Order, ResolvedSearch, ResourceRange, Span, Walk, aside, driven, matching, rows_of, screened, span,
    updated_since,
};
use crate::store::{Reader, ResourceRow};

/// So many keys are read by one statement.
const BATCH: usize = 1000;

/// A part of a table of dates.
struct Within {
    span: Span,
    /// The resources whose rows may lie outside, all of which have been looked at.
    aside: HashSet<i64>,
}

/// A sorted search under way.
struct Sorted<'s, 'r, 'c> {
    reader: &'r mut Reader<'c>,
    request: &'s ResolvedSearch<'s>,
    context: &'s CompileContext<'s>,
    settings: &'s SearchSettings,
    mark: Option<&'s str>,
    keys: Keys<'s>,
}

/// The first `limit` matches next to the cursor, in the direction that it leads.
pub(super) fn rows(
    reader: &mut Reader<'_>,
    request: &ResolvedSearch<'_>,
    context: &CompileContext<'_>,
    settings: &SearchSettings,
    at: Option<&Cursor>,
    limit: usize,
) -> Result<Vec<ResourceRow>, InteractionError> {
    let sort = request.control.sort.keys.as_slice();
    let mark = at.map(|at| at.mark.as_str());
    let mut sorted = Sorted { reader, request, context, settings, mark, keys: Keys::new(request, mark, settings) };
    let after = match at {
        Some(at) => Some(sorted.keys.places(sorted.reader, &[at.rid])?.pop().ok_or_else(foreign)?),
        None => None,
    };
    let order = Order { keys: sort, is_backward: at.is_some_and(|at| at.is_backward) };
    let new = || Best::new(order, after.clone(), limit);
    let best = match sorted.few()? {
        Some(rids) => sorted.gathered(&rids, new())?,
        None => match sorted.walked(new())? {
            Some(best) => best,
            None => {
                let rids = sorted.reader.numbers(&matching(request, context, ResourceRange::All))?;
                sorted.gathered(&rids, new())?
            }
        },
    };
    let rids = best.into_rids();
    let found = sorted.reader.rows(&rows_of(context.dialect, &rids))?;
    let mut found: HashMap<i64, ResourceRow> = found.into_iter().map(|row| (row.rid, row)).collect();
    Ok(rids.iter().filter_map(|rid| found.remove(rid)).collect())
}

impl<'s> Sorted<'s, '_, '_> {
    /// All matches, if they are few.
    fn few(&mut self) -> Result<Option<Vec<i64>>, InteractionError> {
        let few = self.settings.plan.few;
        if self.request.is_unconditional() {
            return Ok(None);
        }
        if let Some(rows) = driven(self.request, self.context, few + 1)
            && self.reader.number(&rows)? > few as i64
        {
            return Ok(None);
        }
        let rids = self.reader.numbers(&matching(self.request, self.context, ResourceRange::AtMost(few + 1)))?;
        Ok((rids.len() <= few).then_some(rids))
    }

    fn gathered<'a>(&mut self, rids: &[i64], mut best: Best<'a>) -> Result<Best<'a>, InteractionError> {
        for some in rids.chunks(BATCH) {
            for place in self.keys.places(self.reader, some)? {
                best.push(place);
            }
        }
        Ok(best)
    }

    /// The matches in the order of the first key's table; `None` when that costs more than gathering them.
    fn walked<'a>(&mut self, best: Best<'a>) -> Result<Option<Best<'a>>, InteractionError> {
        let first = &best.order.keys[0];
        let Some(walk) = Walk::of(first, self.request.resource_type) else { return Ok(None) };
        let changed = self.changed()?;
        let mut best = self.gathered(&changed, best)?;
        let within = self.within(walk)?;
        if let Some(within) = &within {
            let aside: Vec<i64> = within.aside.iter().copied().collect();
            let matches = self.reader.numbers(&screened(self.request, self.context, &aside, self.mark))?;
            best = self.gathered(&matches, best)?;
        }
        self.walk(walk, within.as_ref(), best)
    }

    /// The part of the table in which all matches lie, but for some that are told.
    fn within(&mut self, walk: Walk) -> Result<Option<Within>, InteractionError> {
        let Walk::Parameter(parameter) = walk else { return Ok(None) };
        let Some(span) = span(self.request, walk, self.context) else { return Ok(None) };
        let most = self.settings.plan.aside;
        let aside = self.reader.numbers(&aside(parameter, most + 1))?;
        Ok((aside.len() <= most).then(|| Within { span, aside: aside.into_iter().collect() }))
    }

    /// The matches that have changed since the first page; these have no place in the tables any more.
    fn changed(&mut self) -> Result<Vec<i64>, InteractionError> {
        let Some(mark) = self.mark else { return Ok(Vec::new()) };
        let most = self.settings.plan.changed;
        let updated = self.reader.numbers(&updated_since(self.request, self.context.dialect, mark, most + 1))?;
        if updated.len() > most {
            return Err(InteractionError::PagesOutdated { most });
        }
        let mut matches = Vec::new();
        for some in updated.chunks(BATCH) {
            matches.extend(self.reader.numbers(&screened(self.request, self.context, some, None))?);
        }
        Ok(matches)
    }
}
