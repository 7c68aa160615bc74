//! Searches that may take only so long, and which of their criteria is to blame when they take longer.
//!
//! Which one it is, is measured when the time is over: each is tried alone, for a short time. A guess from the form of the
//! search would blame what the data makes cheap.
//!
//! Spec: R4 http.html#search, search.html#errors

use std::time::{Duration, Instant};

use thiserror::Error;

use crate::access::{Caller, Denied};
use crate::clock;
use crate::interactions::codes::resolved;
use crate::interactions::{Engine, InteractionError, SearchPage, search};
use crate::search::{AccessFilter, CompileContext, SearchRequest, count_up_to};
use crate::store::{Reader, Step, StoreError};

/// All criteria of a search are tried for so long together: who waits has waited long already.
const ALL_TRIALS: Duration = Duration::from_millis(500);
/// A criterion that has found so many matches in its time is not to blame: a page needs no more.
const ENOUGH: u32 = 1000;
/// So much of the name of a criterion is told, in letters.
const MOST_OF_A_NAME: usize = 80;

/// What of a search was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchPart {
    /// Finding the matches of the page, or whether a condition is met.
    Matches,
    /// Counting all matches.
    Total,
    /// Following `_include` and `_revinclude`.
    Includes,
}

/// A search whose time was over before it was done.
#[derive(Debug, Error)]
#[error("{}", self.text())]
pub struct CostlySearch {
    part: SearchPart,
    request: Box<SearchRequest>,
    /// What was found out about it; `None` as long as nobody tried.
    found: Option<Cost>,
}

#[derive(Debug)]
struct Cost {
    limit: Duration,
    /// Names and modifiers of the parameters that are costly alone, never their values; empty when none is.
    criteria: Vec<String>,
}

impl CostlySearch {
    fn text(&self) -> String {
        let limit = self.found.as_ref().map_or(String::new(), |cost| format!(" than the {:?} that it may", cost.limit));
        let advice = match (self.part, &self.found) {
            (SearchPart::Includes, _) => {
                "its matches were found, but not what they include; ask for fewer includes, or for smaller pages"
                    .to_owned()
            }
            (SearchPart::Total, Some(cost)) if !self.request.is_count_only() => format!(
                "its page was found, but its matches were not all counted; ask for no total, or narrow it: {}",
                advice(&cost.criteria)
            ),
            (_, Some(cost)) => advice(&cost.criteria),
            (_, None) => "narrow it".to_owned(),
        };
        let longer = if limit.is_empty() { " than it may" } else { &limit };
        format!("the search took longer{longer}: {advice}")
    }
}

fn advice(criteria: &[String]) -> String {
    match criteria {
        [] => "none of its criteria is costly alone, but together they are; add a criterion that few resources meet, \
               or ask for no total and no order"
            .to_owned(),
        [one] => format!("'{one}' is costly; narrow it, leave it out, or use another modifier"),
        several => {
            let names: Vec<String> = several.iter().map(|name| format!("'{name}'")).collect();
            format!("each of {} is costly; narrow them, leave them out, or use other modifiers", names.join(", "))
        }
    }
}

/// What to make of an error that a statement of `request` ended with while `part` was under way.
pub(super) fn ended<E: Into<InteractionError>>(
    request: &SearchRequest,
    part: SearchPart,
) -> impl Fn(E) -> InteractionError {
    move |error| match error.into() {
        InteractionError::Store(StoreError::Timeout) => {
            CostlySearch { part, request: Box::new(request.clone()), found: None }.into()
        }
        other => other,
    }
}

impl Engine {
    /// Runs `work`, which may search, on one snapshot, for as long as the settings allow. A search that takes longer is
    /// told with what made it costly.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&mut Reader<'_>) -> Result<T, InteractionError>,
    ) -> Result<T, InteractionError> {
        self.store.read(work).map_err(|error| self.blamed(error))
    }

    /// Finds out what made a search costly, where `error` is one.
    fn blamed(&self, error: InteractionError) -> InteractionError {
        match (error, self.limits.search_time) {
            (InteractionError::CostlySearch(mut search), Some(limit)) if search.found.is_none() => {
                let criteria = match search.part {
                    SearchPart::Includes => Vec::new(),
                    SearchPart::Matches | SearchPart::Total => costly(self, &search.request, limit),
                };
                search.found = Some(Cost { limit, criteria });
                search.into()
            }
            (InteractionError::Entry { index, error }, _) => {
                InteractionError::Entry { index, error: Box::new(self.blamed(*error)) }
            }
            (error, _) => error,
        }
    }
}

/// The page that `request` asks for, on a snapshot of its own; `InteractionError::CostlySearch` when it takes longer than
/// the settings allow.
pub fn search_in_time(
    engine: &Engine,
    caller: &Caller,
    request: &SearchRequest,
) -> Result<SearchPage, InteractionError> {
    let settings = engine.search_settings();
    let work = |reader: &mut Reader<'_>| search(reader, caller, request, &settings);
    if request.is_one_statement() {
        return engine.store.read_one(work).map_err(|error| engine.blamed(error));
    }
    engine.read(work)
}

/// What a search did.
#[derive(Debug)]
pub struct TracedSearch {
    /// Or how it ended when its time was over.
    pub page: Result<SearchPage, CostlySearch>,
    /// Its statements; the last one is that which did not end in time, if there is one.
    pub steps: Vec<Step>,
}

/// As [`search_in_time`], with the statements that it took, each of which is planned once more, on PostgreSQL run once
/// more, for its plan.
pub fn search_traced(
    engine: &Engine,
    caller: &Caller,
    request: &SearchRequest,
) -> Result<TracedSearch, InteractionError> {
    let settings = engine.search_settings();
    let work = |reader: &mut Reader<'_>| {
        reader.record();
        let page = match search(reader, caller, request, &settings) {
            Ok(page) => Ok(page),
            Err(InteractionError::CostlySearch(search)) => Err(search),
            Err(error) => return Err(error),
        };
        Ok(TracedSearch { page, steps: reader.recorded() })
    };
    let mut traced = engine.read(work)?;
    if let Err(search) = traced.page {
        traced.page = match engine.blamed(search.into()) {
            InteractionError::CostlySearch(search) => Err(search),
            error => return Err(error),
        };
    }
    Ok(traced)
}

/// The criteria that, each alone, find fewer than `ENOUGH` matches in their share of the time, which is never more than
/// the search itself had.
fn costly(engine: &Engine, request: &SearchRequest, limit: Duration) -> Vec<String> {
    let begun = Instant::now();
    let mut names: Vec<String> = Vec::new();
    for (tried, demand) in request.demands.iter().enumerate() {
        let left = ALL_TRIALS.saturating_sub(begun.elapsed());
        let remaining = u32::try_from(request.demands.len() - tried).unwrap_or(u32::MAX);
        let share = (left / remaining).min(limit);
        let mut alone = request.clone();
        // Whom the search is for stays.
        alone.compartments.retain(|bound| bound.is_owned);
        alone.compartment = None;
        alone.demands = vec![demand.clone()];
        let counted: Result<i64, InteractionError> = engine.store.read_within(share, |reader| {
            let alone = alone.narrowed(&AccessFilter::everything()).map_err(Denied::from)?;
            let alone = resolved(reader, alone)?;
            let alone = alone.of_containers();
            let hasher = reader.hasher();
            let (dialect, zone_minutes) = (reader.dialect(), request.registry.zone_minutes());
            let context = CompileContext { hasher: &hasher, dialect, now_us: clock::now_us(), zone_minutes };
            Ok(reader.number(&count_up_to(&alone, &context, ENOUGH))?)
        });
        let name = demand.text.split_once('=').map_or("", |(name, _)| name);
        let name: String = name.chars().take(MOST_OF_A_NAME).collect();
        match counted {
            Ok(_) => {}
            Err(InteractionError::Store(StoreError::Timeout)) if names.contains(&name) => {}
            Err(InteractionError::Store(StoreError::Timeout)) => names.push(name),
            Err(error) => {
                tracing::debug!(%error, "What made a search costly could not be found out");
                break;
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::ResourceType;
    use crate::search::{Handling, ParseContext, Registry, parse, parse_query_string};

    fn told(part: SearchPart, query: &str, criteria: &[&str]) -> String {
        let registry = Registry::bundled();
        let context = ParseContext { handling: Handling::Strict, bases: &[], registry };
        let request = parse(Some(ResourceType::PATIENT), &parse_query_string(query).unwrap(), &context).unwrap();
        let criteria = criteria.iter().map(|name| (*name).to_owned()).collect();
        let found = Some(Cost { limit: Duration::from_secs(10), criteria });
        CostlySearch { part, request: Box::new(request), found }.to_string()
    }

    #[test]
    fn what_is_costly_is_named_with_the_time_that_there_was() {
        let matches = |criteria: &[&str]| told(SearchPart::Matches, "family=x", criteria);

        assert!(matches(&[]).contains("the 10s that it may: none of its criteria is costly alone"));
        assert!(matches(&["family:contains"]).contains(": 'family:contains' is costly"));
        assert!(matches(&["a", "b:not"]).contains(": each of 'a', 'b:not' is costly"));
    }

    #[test]
    fn the_part_that_took_too_long_is_told() {
        let criteria = ["family"];

        assert!(told(SearchPart::Total, "family=x&_total=accurate", &criteria).contains("ask for no total"));
        assert!(!told(SearchPart::Total, "family=x&_summary=count", &criteria).contains("ask for no total"));
        assert!(told(SearchPart::Includes, "family=x", &[]).contains("ask for fewer includes"));
    }
}
