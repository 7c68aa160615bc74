//! Criteria whose codes only terminology knows: the modifiers `:in`, `:not-in`, `:below` and `:above` of tokens.
//!
//! A search is parsed with what such a criterion names, and compiled with the codes that this stands for. Between the two
//! they are asked for, from whoever can tell.
//!
//! Spec: R4 search.html#token

use std::borrow::Cow;
use std::ops::Deref;

use crate::fhir::{ResourceKey, ResourceType};
use crate::search::compile::sizes::{self, Wanted};
use crate::search::compile::{labels, reach};
use crate::search::{
    AccessFilter, Condition, Criterion, Extent, Modifier, NarrowedSearch, Parameter, SearchRequest, Size, Sort,
    SortKey, TokenValue, Values,
};

/// What one value of such a criterion names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeQuery {
    /// The codes of the ValueSet that is this resource of this server.
    StoredValueSet(ResourceKey),
    /// The codes of the ValueSet with this canonical URL, perhaps with `|version`. `address` is the resource of this server
    /// that the URL leads to, if it may lead to one; "if the reference can be treated as a literal URL, it does".
    ValueSet { canonical: String, address: Option<ResourceKey> },
    /// The code, and all that it subsumes.
    Below { system: String, code: String },
    /// The code, and all that it is subsumed by.
    Above { system: String, code: String },
}

/// Which codes are meant, as (system, code).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes {
    pub listed: Vec<(String, String)>,
    /// Systems of which all codes are meant, known or not.
    pub systems: Vec<String>,
    /// But not these codes of them.
    pub except: Vec<(String, String)>,
}

/// So few codes are searched for as if the client had listed them.
const FEW: usize = 8;

impl Codes {
    fn into_values(self) -> Values {
        if self.systems.is_empty() && (1..=FEW).contains(&self.listed.len()) {
            let token = |(system, code)| TokenValue { system: Some(system), code: Some(code) };
            return Values::Tokens(self.listed.into_iter().map(token).collect());
        }
        Values::Codes(self)
    }
}

/// A search of which each criterion says what it looks for; nothing else can be compiled.
#[derive(Clone, Debug)]
pub struct ResolvedSearch<'a> {
    request: Cow<'a, SearchRequest>,
    filter: AccessFilter,
}

impl Deref for ResolvedSearch<'_> {
    type Target = SearchRequest;

    fn deref(&self) -> &SearchRequest {
        &self.request
    }
}

impl ResolvedSearch<'_> {
    /// What its caller may see.
    pub fn filter(&self) -> &AccessFilter {
        &self.filter
    }

    /// The search after containers of what it looks for, where that is what it is to give; itself where it is not.
    pub fn of_containers(&self) -> ResolvedSearch<'_> {
        let request = self.request.of_containers().map_or(Cow::Borrowed(&*self.request), Cow::Owned);
        ResolvedSearch { request, filter: self.filter.clone() }
    }

    /// Has `count` say how many rows the criteria have in the index whose size would change the way of the search.
    pub fn sized<E>(
        mut self,
        keeps_statistics: bool,
        count: impl FnMut(&Criterion, &'static Parameter) -> Result<Size, E>,
    ) -> Result<Self, E> {
        match sizes::wanted(&self.request, keeps_statistics, self.request.control.cursor.is_none()) {
            Wanted::Nothing => {}
            Wanted::Lead(place) => sizes::learn(&mut self.request.to_mut().demands[place..=place], count)?,
            Wanted::All => sizes::learn(&mut self.request.to_mut().demands, count)?,
        }
        Ok(self)
    }

    /// Has `is_any` say whether there is a contained resource of one of the types, for the chains that are the faster for it
    /// where there is none. Which these are follows from their sizes.
    pub fn reaching<E>(mut self, is_any: impl FnMut(&[ResourceType]) -> Result<bool, E>) -> Result<Self, E> {
        if reach::is_asked_for(&self.request.demands) {
            reach::learn(&mut self.request.to_mut().demands, is_any)?;
        }
        Ok(self)
    }

    /// Has `is_any` say whether anything bears one of the security labels, for the searches that are the faster for it where
    /// nothing does.
    pub fn unlabelled<E>(mut self, is_any: impl FnOnce(&[TokenValue]) -> Result<bool, E>) -> Result<Self, E> {
        let passes_through_others =
            self.request.demands.iter().any(|demand| !matches!(demand.condition, Condition::Criterion(_)));
        if self.filter.is_everything() || !passes_through_others {
            return Ok(self);
        }
        let asked = labels::asked_often(&self.request);
        if !asked.is_empty() && !is_any(&asked)? {
            labels::forget(self.request.to_mut());
        }
        Ok(self)
    }

    /// The same search in an order that the client does not ask for.
    pub fn in_order_of(mut self, key: SortKey) -> Self {
        self.request.to_mut().control.sort = Sort { keys: vec![key], is_implied: true };
        self
    }
}

impl SearchRequest {
    /// Whether [`SearchRequest::resolve`] asks anything.
    pub fn asks_terminology(&self) -> bool {
        self.conditions().flat_map(|condition| condition.walk(Extent::Everything)).any(asks)
    }
}

impl<'a> NarrowedSearch<'a> {
    /// Has `answer` tell the codes that are meant by all values of a criterion together, given the name of its parameter.
    pub fn resolve<E>(
        self,
        mut answer: impl FnMut(&str, &[CodeQuery]) -> Result<Codes, E>,
    ) -> Result<ResolvedSearch<'a>, E> {
        let NarrowedSearch { request, filter } = self;
        if !request.asks_terminology() {
            return Ok(ResolvedSearch { request, filter });
        }
        let mut resolved = request.into_owned();
        for demand in &mut resolved.demands {
            let name = demand.text.split_once('=').map_or(demand.text.as_str(), |(name, _)| name);
            resolve(&mut demand.condition, &mut |queries| answer(name, queries))?;
        }
        if let Some(access) = &mut resolved.access {
            resolve(access, &mut |queries| answer("scope", queries))?;
        }
        Ok(ResolvedSearch { request: Cow::Owned(resolved), filter })
    }
}

fn asks(condition: &Condition) -> bool {
    matches!(condition, Condition::Criterion(Criterion { values: Values::CodeQueries(_), .. }))
}

fn resolve<E>(condition: &mut Condition, answer: &mut dyn FnMut(&[CodeQuery]) -> Result<Codes, E>) -> Result<(), E> {
    if let Condition::Criterion(criterion) = condition {
        return resolve_criterion(criterion, answer);
    }
    condition.inner_mut(Extent::Everything).try_for_each(|inner| resolve(inner, answer))
}

fn resolve_criterion<E>(
    criterion: &mut Criterion,
    answer: &mut dyn FnMut(&[CodeQuery]) -> Result<Codes, E>,
) -> Result<(), E> {
    if let Values::CodeQueries(queries) = &criterion.values {
        criterion.values = answer(queries)?.into_values();
        criterion.modifier = (criterion.modifier == Some(Modifier::NotIn)).then_some(Modifier::Not);
    }
    Ok(())
}
