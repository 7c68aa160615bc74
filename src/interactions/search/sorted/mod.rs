//! Pages of a search that is sorted by values of the resources.
//!
//! The order is that of the moment when the first page was read: of what has changed since, the version of then is
//! looked at. What was created since is left out; what is deleted or matches no longer is gone. So every page has the
//! same order, and each match one place in it, whichever of these ways finds the page:
//!
//! - matches are read in the order of the first key's table until the page is full, what changed being put between, if the
//!   first rows show that the page is near;
//! - otherwise few matches are gathered and sorted;
//! - many are read in order all the same;
//! - where that has no table, or leads past too much that does not match, all are gathered, and the page's kept.
//!
//! Spec: R4 search.html#sort

mod best;
mod keys;
mod walk;

use std::collections::{HashMap, HashSet};

use crate::config::PlanSettings;
use crate::interactions::InteractionError;
use crate::interactions::search::SearchSettings;
use crate::interactions::search::cursor::{Cursor, foreign};
use crate::interactions::search::sorted::best::Best;
use crate::interactions::search::sorted::keys::Keys;
use crate::interactions::search::sorted::walk::AtOnce;
use crate::search::{
    CompileContext, DateBounds, Order, Parameter, ResolvedSearch, ResourceRange, SortBy, SortKey, Walk, aside, bounds,
    driven, is_narrow, matching, rows_of, screened, updated_since,
};
use crate::store::{Reader, ResourceRow};

/// For each match that a page lacks so many rows are read at first, where not all that is read matches.
const SPARE: usize = 4;
/// So many keys are read by one statement.
const BATCH: usize = 1000;

/// A part of a table of dates.
struct Within {
    bounds: DateBounds,
    /// The resources whose rows may lie outside, all of which have been looked at.
    aside: HashSet<i64>,
}

/// How far a walk is to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// As long as the page seems to be full soon.
    Near,
    /// As long as gathering all matches seems to cost more.
    Far,
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
    let rids = sorted.best(|| Best::new(order, after.clone(), limit))?.into_rids();
    let found = sorted.reader.rows(&rows_of(context.dialect, &rids))?;
    let mut found: HashMap<i64, ResourceRow> = found.into_iter().map(|row| (row.rid, row)).collect();
    Ok(rids.iter().filter_map(|rid| found.remove(rid)).collect())
}

/// Whether the rows of the matches stand together in the order of `key`, which is that of what leads the search.
pub(super) fn reads_no_more_than_matches(
    reader: &mut Reader<'_>,
    key: &SortKey,
    plan: &PlanSettings,
) -> Result<bool, InteractionError> {
    match &key.by {
        SortBy::Index(parameters) => match parameters.as_slice() {
            [only] => Ok(few_aside(reader, only, plan)?.is_some()),
            _ => Ok(false),
        },
        by => Ok(matches!(by, SortBy::Beginning(_))),
    }
}

/// The resources whose dates may match far from where they begin, if they are few.
fn few_aside(
    reader: &mut Reader<'_>,
    parameter: &Parameter,
    plan: &PlanSettings,
) -> Result<Option<Vec<i64>>, InteractionError> {
    let aside = reader.numbers(&aside(parameter, plan.aside + 1))?;
    Ok((aside.len() <= plan.aside).then_some(aside))
}

impl<'s> Sorted<'s, '_, '_> {
    fn best<'a>(&mut self, new: impl Fn() -> Best<'a>) -> Result<Best<'a>, InteractionError> {
        let walk = self.request.control.sort.keys.first().and_then(|key| Walk::of(key, self.request.resource_type));
        if let Some(walk) = walk
            && !self.request.is_unconditional()
            && !is_narrow(self.request, walk)
            && self.are_rows_few(new().limit() * SPARE)? != Some(true)
            && let Some(best) = self.walked(walk, new(), Patience::Near)?
        {
            return Ok(best);
        }
        if let Some(rids) = self.few()? {
            return self.gathered(&rids, new());
        }
        if let Some(walk) = walk
            && let Some(best) = self.walked(walk, new(), Patience::Far)?
        {
            return Ok(best);
        }
        let rids = self.reader.numbers(&matching(self.request, self.context, ResourceRange::All))?;
        self.gathered(&rids, new())
    }

    /// Whether what leads the search has `most` rows in the index or fewer; `None` when only the search itself could tell.
    fn are_rows_few(&mut self, most: usize) -> Result<Option<bool>, InteractionError> {
        match driven(self.request, self.context, most + 1) {
            Some(rows) => Ok(Some(self.reader.number(&rows)? <= most as i64)),
            None => Ok(None),
        }
    }

    /// All matches, if they are few.
    fn few(&mut self) -> Result<Option<Vec<i64>>, InteractionError> {
        let few = self.settings.plan.few;
        if self.request.is_unconditional() {
            return Ok(None);
        }
        if self.are_rows_few(few)? == Some(false) {
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

    /// The matches in the order of the first key's table; `None` when the page is not found with so much patience.
    fn walked<'a>(
        &mut self,
        walk: Walk<'_>,
        best: Best<'a>,
        patience: Patience,
    ) -> Result<Option<Best<'a>>, InteractionError> {
        let changed = match (self.changed(), patience) {
            (Ok(changed), _) => changed,
            // Gathering few matches asks nothing of what has changed.
            (Err(InteractionError::PagesOutdated { .. }), Patience::Near) => return Ok(None),
            // Who asks for no order is not refused for its sake.
            (Err(InteractionError::PagesOutdated { .. }), _) if self.request.control.sort.is_implied => {
                return Ok(None);
            }
            (Err(error), _) => return Err(error),
        };
        let mut best = self.gathered(&changed, best)?;
        let within = self.within(walk)?;
        if patience == Patience::Near && self.mark.is_none() {
            match self.at_once(walk, within.as_ref(), best)? {
                AtOnce::Done(best) => return Ok(Some(best)),
                AtOnce::GivenUp => return Ok(None),
                AtOnce::Impossible(untouched) => best = untouched,
            }
        }
        if let Some(within) = &within
            && !within.aside.is_empty()
        {
            let aside: Vec<i64> = within.aside.iter().copied().collect();
            let are_standing = walk.is_only_of(self.request.resource_type);
            let screened = screened(self.request, self.context, &aside, self.mark, are_standing, &[]);
            let matches = self.reader.numbers(&screened)?;
            best = self.gathered(&matches, best)?;
        }
        self.walk(walk, within.as_ref(), best, patience)
    }

    /// The part of the table in which all matches lie, but for some that are told.
    fn within(&mut self, walk: Walk<'_>) -> Result<Option<Within>, InteractionError> {
        let (Walk::Parameter(parameter), Some(bounds)) = (walk, bounds(self.request, walk, self.context)) else {
            return Ok(None);
        };
        let aside = few_aside(self.reader, parameter, &self.settings.plan)?;
        Ok(aside.map(|aside| Within { bounds, aside: aside.into_iter().collect() }))
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
            matches.extend(self.reader.numbers(&screened(self.request, self.context, some, None, false, &[]))?);
        }
        Ok(matches)
    }
}
