//! Reading the matches in the order of the first key's table.
//!
//! Spec: R4 search.html#sort

use std::collections::{HashMap, HashSet};
use std::slice;

use crate::config::PlanSettings;
use crate::interactions::InteractionError;
use crate::interactions::search::sorted::best::Best;
use crate::interactions::search::sorted::{Patience, SPARE, Sorted, Within};
use crate::search::{
    Parameter, ParameterKind, Place, ResourceRange, SortBy, SortValue, Span, Start, Walk, entries, entries_within,
    matching, matching_entries, screened, token_entries, token_texts,
};
use crate::store::SortRow;

/// So many codes are looked up by one statement at first, and at most.
const FIRST_CODES: usize = 4;
const MOST_CODES: usize = 64;
/// A walk that finds one match among so many resources is no better than gathering all.
const SPARSE: usize = 100;

/// How far a walk has come.
struct Steps {
    seen: usize,
    found: usize,
    patience: Patience,
}

impl Steps {
    /// How many rows seem to hold `missing` more matches; `None` when no match was seen yet.
    fn ahead(&self, missing: usize) -> Option<usize> {
        missing.saturating_mul(self.seen).checked_div(self.found)
    }

    /// Whether going on seems to cost more than another way, with so many matches missing.
    fn is_too_long(&self, missing: usize, plan: &PlanSettings) -> bool {
        match self.patience {
            Patience::Near => self.ahead(missing).is_none_or(|ahead| self.seen.saturating_add(ahead) > plan.near),
            Patience::Far => self.seen > plan.steps && self.found * SPARSE < self.seen,
        }
    }
}

/// The resources that a walk has come to, where they may have several rows in its way.
struct Seen {
    rids: Option<HashSet<i64>>,
    /// Whether a row need not be the first one of its resource: it may lie before the start.
    may_have_come_before: bool,
}

impl Seen {
    fn of(walk: Walk<'_>, start: &Start, is_descending: bool) -> Seen {
        let has_several = matches!(walk, Walk::Beginning(_));
        let is_from_the_first = *start == Start::Edge && !is_descending;
        Seen { rids: has_several.then(HashSet::new), may_have_come_before: has_several && !is_from_the_first }
    }

    fn is_new(&mut self, place: &Place) -> bool {
        self.rids.as_mut().is_none_or(|rids| rids.insert(place.rid))
    }
}

impl Within {
    /// From `start`, or from where the part begins.
    fn begin(&self, start: Start, is_descending: bool) -> Start {
        let Span { from, to } = self.bounds.span;
        let (is_outside, edge) = match (&start, is_descending) {
            (Start::At(SortValue::Span(lo, _)) | Start::After(SortValue::Span(lo, _), _), true) => {
                (*lo >= to, SortValue::Span(to.saturating_sub(1), i64::MAX))
            }
            (Start::At(SortValue::Span(lo, _)) | Start::After(SortValue::Span(lo, _), _), false) => {
                (*lo < from, SortValue::Span(from, i64::MIN))
            }
            (_, true) => (true, SortValue::Span(to.saturating_sub(1), i64::MAX)),
            (_, false) => (true, SortValue::Span(from, i64::MIN)),
        };
        if is_outside { Start::At(edge) } else { start }
    }

    /// Whether the resource of a row meets the criteria that bound the part.
    fn admits(&self, place: &Place) -> bool {
        match place.values.first() {
            Some(Some(SortValue::Span(lo, hi))) => self.bounds.admit(*lo, *hi) && !self.aside.contains(&place.rid),
            _ => false,
        }
    }

    /// Whether nothing of the part comes after `value`.
    fn is_behind(&self, value: &SortValue, is_descending: bool) -> bool {
        match value {
            SortValue::Span(lo, _) if is_descending => *lo < self.bounds.span.from,
            SortValue::Span(lo, _) => *lo >= self.bounds.span.to,
            _ => false,
        }
    }
}

impl<'s> Sorted<'s, '_, '_> {
    /// The first page by a single statement, where no resource can have several rows in the way of the walk.
    pub(super) fn at_once<'a>(
        &mut self,
        walk: Walk<'_>,
        within: Option<&Within>,
        mut best: Best<'a>,
    ) -> Result<AtOnce<'a>, InteractionError> {
        let is_descending = best.order.keys[0].is_descending;
        let is_token = walk.parameter().is_some_and(|parameter| parameter.kind == ParameterKind::Token);
        let is_simple = best.order.keys.len() == 1
            && best.after().is_none()
            && !is_token
            && !matches!(walk, Walk::Beginning(_))
            && within.is_none_or(|within| within.aside.is_empty());
        let bounds = within.map(|within| &within.bounds);
        let (reach, limit) = (self.settings.plan.near, best.limit());
        let statement = matching_entries(self.request, self.context, (walk, is_descending), bounds, reach, limit);
        let Some(statement) = statement.filter(|_| is_simple) else { return Ok(AtOnce::Impossible(best)) };
        let rows = self.reader.sort_rows(&statement)?;
        let is_full = rows.len() == limit;
        rows.iter().for_each(|row| best.push(place_of(walk, row)));
        // What has no value is not in the table.
        let may_be_complete = matches!(walk, Walk::LastUpdated(_)) || bounds.is_some();
        let mut is_complete = is_full;
        if !is_full && may_be_complete {
            let rows = self.reader.number(&entries_within(walk, is_descending, bounds, reach))?;
            is_complete = usize::try_from(rows).is_ok_and(|rows| rows < reach);
        }
        Ok(if is_complete { AtOnce::Done(best) } else { AtOnce::GivenUp })
    }

    /// Fills `best`, in which what has changed and what is aside of `within` are already; `None` when too little of what
    /// is read matches.
    pub(super) fn walk<'a>(
        &mut self,
        walk: Walk<'_>,
        within: Option<&Within>,
        mut best: Best<'a>,
        patience: Patience,
    ) -> Result<Option<Best<'a>>, InteractionError> {
        let is_backward = best.order.is_backward;
        let first = best.after().map(|after| after.values.first().cloned().flatten());
        let mut steps = Steps { seen: 0, found: 0, patience };
        // Whatever is within a part of the table has a value.
        let has_value = matches!(walk, Walk::LastUpdated(_) | Walk::Beginning(_)) || within.is_some();
        // What has no value comes last, and first on the way back.
        if is_backward && !matches!(first, Some(Some(_))) && !has_value {
            let after = best.after().map(|after| after.rid);
            match self.missing(after, best, &mut steps)? {
                Ended::Full(best) => return Ok(Some(best)),
                Ended::GivenUp => return Ok(None),
                Ended::AtEnd(rest) => best = rest,
            }
        }
        let start = match (&first, best.order.keys) {
            (Some(Some(value)), [_]) => Some(Start::After(value.clone(), best.after().map_or(0, |after| after.rid))),
            (Some(Some(value)), _) => Some(Start::At(value.clone())),
            (Some(None), _) if !is_backward => None,
            _ => Some(Start::Edge),
        };
        if let Some(start) = start {
            match self.present(walk, within, start, best, &mut steps)? {
                Ended::Full(best) => return Ok(Some(best)),
                Ended::GivenUp => return Ok(None),
                Ended::AtEnd(rest) => best = rest,
            }
        }
        if is_backward || has_value {
            return Ok(Some(best));
        }
        let after = best.after().filter(|_| matches!(first, Some(None))).map(|after| after.rid);
        match self.missing(after, best, &mut steps)? {
            Ended::Full(best) | Ended::AtEnd(best) => Ok(Some(best)),
            Ended::GivenUp => Ok(None),
        }
    }

    fn present<'a>(
        &mut self,
        walk: Walk<'_>,
        within: Option<&Within>,
        mut start: Start,
        mut best: Best<'a>,
        steps: &mut Steps,
    ) -> Result<Ended<'a>, InteractionError> {
        let is_single = best.order.keys.len() == 1;
        let is_descending = best.order.keys[0].is_descending != best.order.is_backward;
        if let Some(within) = within {
            start = within.begin(start, is_descending);
        }
        let met = match (walk, within) {
            (Walk::Beginning(beginning), _) => slice::from_ref(&beginning.place),
            (_, Some(within)) => &within.bounds.places,
            _ => &[],
        };
        let mut seen = Seen::of(walk, &start, is_descending);
        let mut chunk = self.first_chunk(&best);
        loop {
            let mut places = self.chunk(walk, &start, chunk, &best)?;
            let is_end = places.len() < chunk;
            let last = places.last().cloned();
            steps.seen += places.len();
            places.retain(|place| within.is_none_or(|within| within.admits(place)) && seen.is_new(place));
            let rids: Vec<i64> = places.iter().map(|place| place.rid).collect();
            let matches = self.matches(walk, &rids, met)?;
            steps.found += matches.len();
            if is_single && !seen.may_have_come_before {
                let places = places.into_iter().filter(|place| matches.contains(&place.rid));
                places.for_each(|place| best.push(place));
            } else {
                let rids: Vec<i64> = rids.into_iter().filter(|rid| matches.contains(rid)).collect();
                best = self.gathered(&rids, best)?;
            }
            let Some(last) = last.filter(|_| !is_end) else { return Ok(Ended::AtEnd(best)) };
            let Some(Some(value)) = last.values.first() else { return Ok(Ended::AtEnd(best)) };
            if within.is_some_and(|within| within.is_behind(value, is_descending)) {
                return Ok(Ended::AtEnd(best));
            }
            // Among equal values the next keys decide: all of them must have been seen.
            let is_full = if is_single { best.is_full_up_to(&last) } else { best.is_full_before(value) };
            if is_full {
                return Ok(Ended::Full(best));
            }
            let missing = best.missing();
            if steps.is_too_long(missing, &self.settings.plan) {
                return Ok(Ended::GivenUp);
            }
            start = Start::After(value.clone(), last.rid);
            chunk = match steps.ahead(missing).filter(|_| missing > 0) {
                // A few more than it seems, so that one statement does.
                Some(ahead) => (ahead + ahead / 4 + 8).min(self.settings.plan.chunk),
                None => self.next_chunk(chunk),
            };
        }
    }

    /// What has no value for the first key: looked for among all matches, in the order of their numbers.
    fn missing<'a>(
        &mut self,
        mut after: Option<i64>,
        mut best: Best<'a>,
        steps: &mut Steps,
    ) -> Result<Ended<'a>, InteractionError> {
        let ([only], Patience::Far) = (best.order.keys, steps.patience) else { return Ok(Ended::GivenUp) };
        let is_descending = only.is_descending != best.order.is_backward;
        let mut chunk = self.first_chunk(&best);
        loop {
            let range = ResourceRange::Next { after, is_descending, unchanged_since: self.mark, limit: chunk };
            let rids = self.reader.numbers(&matching(self.request, self.context, range))?;
            steps.seen += rids.len();
            for place in self.keys.places(self.reader, &rids)? {
                if place.values == [None] {
                    best.push(place);
                }
            }
            let Some(last) = rids.last().filter(|_| rids.len() == chunk) else { return Ok(Ended::AtEnd(best)) };
            if best.is_full_up_to(&Place { values: vec![None], rid: *last }) {
                return Ok(Ended::Full(best));
            }
            after = Some(*last);
            chunk = self.next_chunk(chunk);
        }
    }

    fn first_chunk(&self, best: &Best<'_>) -> usize {
        let has_others = match self.request.control.sort.keys.first().map(|key| &key.by) {
            Some(SortBy::Beginning(beginning)) => !self.request.asks_no_more_than(slice::from_ref(&beginning.place)),
            _ => !self.request.is_unconditional(),
        };
        let spare = if has_others { SPARE } else { 1 };
        (best.limit() * spare).min(self.settings.plan.chunk)
    }

    fn next_chunk(&self, chunk: usize) -> usize {
        (chunk * 2).min(self.settings.plan.chunk)
    }

    /// Which of the resources match and have not changed since the first page.
    fn matches(&mut self, walk: Walk<'_>, rids: &[i64], met: &[usize]) -> Result<HashSet<i64>, InteractionError> {
        let is_only = walk.is_only_of(self.request.resource_type);
        let is_known = self.mark.is_none() && self.request.asks_no_more_than(met) && is_only;
        if is_known || rids.is_empty() {
            return Ok(rids.iter().copied().collect());
        }
        // In the order of the index that each is looked up in: neighbours share its pages.
        let mut rids = rids.to_vec();
        rids.sort_unstable();
        let matches = self.reader.numbers(&screened(self.request, self.context, &rids, self.mark, is_only, met))?;
        Ok(matches.into_iter().collect())
    }

    /// The next rows of the table, with the first value only.
    fn chunk(
        &mut self,
        walk: Walk<'_>,
        start: &Start,
        limit: usize,
        best: &Best<'_>,
    ) -> Result<Vec<Place>, InteractionError> {
        let is_highest = best.order.keys[0].is_descending;
        let is_descending = is_highest != best.order.is_backward;
        match walk {
            Walk::Parameter(parameter) if parameter.kind == ParameterKind::Token => {
                self.tokens(parameter, is_highest, is_descending, start, limit)
            }
            _ => {
                let rows = self.reader.sort_rows(&entries(walk, is_highest, is_descending, start, limit))?;
                Ok(rows.iter().map(|row| place_of(walk, row)).collect())
            }
        }
    }

    /// Tokens stand under hashes of their codes: the codes are read in order of their texts, the rows of some codes
    /// at a time.
    fn tokens(
        &mut self,
        parameter: &'static Parameter,
        is_highest: bool,
        is_descending: bool,
        start: &Start,
        limit: usize,
    ) -> Result<Vec<Place>, InteractionError> {
        let mut places: Vec<Place> = Vec::new();
        let mut first_text = None;
        let mut after: Option<(String, i64)> = None;
        match start {
            Start::Edge => {}
            Start::At(value) => first_text = text_of(value).map(|(text, _)| text),
            Start::After(value, rid) => {
                if let Some((text, [code, system])) = text_of(value) {
                    let query =
                        token_entries(parameter, is_highest, is_descending, &[(code, Some((system, *rid)))], limit);
                    for row in self.reader.sort_rows(&query)? {
                        let value = SortValue::Text(text.to_owned(), [row.low, row.high]);
                        places.push(Place { values: vec![Some(value)], rid: row.rid });
                    }
                    after = Some((text.to_owned(), code));
                }
            }
        }
        let mut count = FIRST_CODES;
        while places.len() < limit {
            let last = after.as_ref().map(|(text, code)| (text.as_str(), *code));
            let texts = self.reader.texts(&token_texts(parameter, is_descending, first_text, last, count))?;
            let codes: Vec<(i64, Option<(i64, i64)>)> = texts.iter().map(|(_, code)| (*code, None)).collect();
            if codes.is_empty() {
                break;
            }
            let wanted = limit - places.len();
            let rows = self.reader.sort_rows(&token_entries(parameter, is_highest, is_descending, &codes, wanted))?;
            let ranks: HashMap<i64, usize> = codes.iter().enumerate().map(|(rank, (code, _))| (*code, rank)).collect();
            let rank = |code: i64| ranks.get(&code).copied().unwrap_or(usize::MAX);
            let mut some: Vec<(usize, Place)> = rows
                .into_iter()
                .filter_map(|row| {
                    let rank = rank(row.low);
                    let (text, _) = texts.get(rank)?;
                    let value = SortValue::Text(text.clone(), [row.low, row.high]);
                    Some((rank, Place { values: vec![Some(value)], rid: row.rid }))
                })
                .collect();
            // The rows of one code come in order, but not the codes.
            some.sort_by_key(|(rank, _)| *rank);
            places.extend(some.into_iter().map(|(_, place)| place));
            after = texts.into_iter().next_back();
            count = (count * 4).min(MOST_CODES);
        }
        places.truncate(limit);
        Ok(places)
    }
}

enum Ended<'a> {
    /// The page is full.
    Full(Best<'a>),
    /// There are no more.
    AtEnd(Best<'a>),
    GivenUp,
}

/// How reading the first page by a single statement ended.
pub(super) enum AtOnce<'a> {
    /// The page is full, or there are no more matches.
    Done(Best<'a>),
    /// Too few of what was read are matches.
    GivenUp,
    /// It takes several statements.
    Impossible(Best<'a>),
}

/// The place of a row of a table, by the first key.
fn place_of(walk: Walk<'_>, row: &SortRow) -> Place {
    let value = match walk {
        Walk::LastUpdated(_) => SortValue::Instant(row.low),
        Walk::Beginning(_) => SortValue::Text(row.text.clone(), [row.low, row.high]),
        Walk::Parameter(parameter) => match parameter.kind {
            ParameterKind::Date => SortValue::Span(row.low, row.high),
            ParameterKind::Number | ParameterKind::Quantity => SortValue::Number(row.value, [row.low, row.high]),
            _ => SortValue::Text(row.text.clone(), [row.low, row.high]),
        },
    };
    Place { values: vec![Some(value)], rid: row.rid }
}

fn text_of(value: &SortValue) -> Option<(&str, [i64; 2])> {
    match value {
        SortValue::Text(text, writing) => Some((text, *writing)),
        _ => None,
    }
}
