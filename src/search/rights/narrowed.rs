//! Searches that find only what their caller may see.

use std::borrow::Cow;
use std::ops::Deref;

use crate::fhir::{ResourceKey, ResourceType};
use crate::search::{
    AccessFilter, Chain, Condition, Criterion, Extent, Has, Lack, Modifier, NotPermitted, ReferenceValue, Registry,
    Right, SHARED_TYPES, SearchRequest, Subject, Values, View, makes_owner,
};

/// A search that finds only what its caller may see; nothing else can be compiled.
#[derive(Clone, Debug)]
pub struct NarrowedSearch<'a> {
    pub(in crate::search) request: Cow<'a, SearchRequest>,
    pub(in crate::search) filter: AccessFilter,
}

impl Deref for NarrowedSearch<'_> {
    type Target = SearchRequest;

    fn deref(&self) -> &SearchRequest {
        &self.request
    }
}

impl NarrowedSearch<'_> {
    /// What its caller may see.
    pub fn filter(&self) -> AccessFilter {
        self.filter.clone()
    }
}

/// One of the sets of Patients that bound a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// None admit nothing.
    pub patients: Vec<ResourceKey>,
    /// Whether the resources must be part of their records; in their compartments otherwise.
    pub is_owned: bool,
}

impl SearchRequest {
    /// The search as far as `filter` lets its caller see.
    pub fn narrowed(&self, filter: &AccessFilter) -> Result<NarrowedSearch<'_>, NotPermitted> {
        if filter.is_everything() {
            return Ok(NarrowedSearch { request: Cow::Borrowed(self), filter: filter.clone() });
        }
        let mut request = self.clone();
        match self.view_of_matches(filter)? {
            View::Nothing => return Err(filter.lacking(None, Right::Search)),
            View::Everything => {}
            View::Where(condition) => bind(condition, &mut request),
        }
        for demand in &mut request.demands {
            narrow(&mut demand.condition, filter)?;
        }
        request.stamp = filter.stamp();
        Ok(NarrowedSearch { request: Cow::Owned(request), filter: filter.clone() })
    }

    /// What of the matches may be seen. To name a type of which the caller may see nothing is refused.
    fn view_of_matches(&self, filter: &AccessFilter) -> Result<View, NotPermitted> {
        let named: Vec<ResourceType> = self.resource_type.iter().chain(&self.types).copied().collect();
        if let ([only], None) = (named.as_slice(), self.control.contained) {
            return filter.permitted(*only, Right::Search);
        }
        for of in &named {
            filter.permitted(*of, Right::Search)?;
        }
        // Of contained resources what is bound are the containers, of whatever type.
        let bound = if self.control.contained.is_some() { &[] } else { named.as_slice() };
        Ok(filter.view(bound, Right::Search))
    }
}

impl SearchRequest {
    /// Whether one of the criteria finds only what is part of the records of `patients`: it compares a reference that makes
    /// owners with them alone.
    fn names_owners(&self, patients: &[ResourceKey]) -> bool {
        let Some(of) = self.resource_type.filter(|_| self.control.contained.is_none()) else { return false };
        let is_one = |value: &ReferenceValue| match value {
            ReferenceValue::Local(key) => patients.contains(key),
            ReferenceValue::Id(id, types) => {
                types.as_slice() == [ResourceType::PATIENT] && patients.iter().any(|patient| patient.id.as_str() == id)
            }
            ReferenceValue::Url(_) => false,
        };
        self.demands.iter().any(|demand| match &demand.condition {
            Condition::Criterion(Criterion {
                subject: Subject::Index(parameter),
                modifier: None,
                values: Values::References(values),
                ..
            }) => makes_owner(of, parameter) && values.iter().all(is_one),
            _ => false,
        })
    }

    /// Tells the pages of one caller from those of another.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }
}

/// Bounds the matches of `request`: owners by the table that can lead the search, all else by a condition.
fn bind(condition: Condition, request: &mut SearchRequest) {
    let parts = match condition {
        Condition::And(parts) => parts,
        other => vec![other],
    };
    let mut rest = Vec::new();
    for part in parts {
        match part {
            // Whoever searches by whom a resource is about has said so already.
            Condition::Owned(patients) if request.names_owners(&patients) => {}
            Condition::Owned(patients) => request.compartments.push(Bound { patients, is_owned: true }),
            other => rest.push(other),
        }
    }
    request.access = (!rest.is_empty()).then_some(Condition::And(rest));
}

/// Has every resource that the condition passes through be one that may be seen.
fn narrow(condition: &mut Condition, filter: &AccessFilter) -> Result<(), NotPermitted> {
    match condition {
        Condition::Chain(Chain { targets, .. }) => {
            for (of, target) in targets {
                narrow(target, filter)?;
                require(target, &[*of], filter);
            }
        }
        Condition::Has(Has { source, condition, .. }) => {
            narrow(condition, filter)?;
            require(condition, &[*source], filter);
        }
        Condition::Listed(lists) => {
            let ids = lists.iter().map(|id| id.as_str().to_owned()).collect();
            let mut listed = Condition::Criterion(Criterion {
                subject: Subject::Id,
                modifier: None,
                values: Values::Ids(ids),
                size: None,
            });
            require(&mut listed, &[ResourceType::LIST], filter);
            if let Some(item) = Registry::bundled().parameter(ResourceType::LIST, "item") {
                *condition = Condition::Has(Has { source: ResourceType::LIST, by: item, condition: Box::new(listed) });
            }
        }
        Condition::And(_) | Condition::Or(_) | Condition::Not(_) | Condition::ByType(_) | Condition::Contains(_) => {
            condition.inner_mut(Extent::Itself).try_for_each(|inner| narrow(inner, filter))?;
        }
        Condition::Criterion(criterion) => check_hierarchy(criterion, filter)?,
        Condition::Owned(_)
        | Condition::OfTypes(_)
        | Condition::Unlabelled(_)
        | Condition::Consented(..)
        | Condition::Targets(_)
        | Condition::AttachedTo(_)
        | Condition::CreatedBy(_) => {}
    }
    Ok(())
}

/// Refuses to follow a hierarchy through resources of which the caller may see only some: it would tell what lies between.
fn check_hierarchy(criterion: &Criterion, filter: &AccessFilter) -> Result<(), NotPermitted> {
    let (Subject::Index(parameter), Values::References(_), Some(Modifier::Above | Modifier::Below)) =
        (&criterion.subject, &criterion.values, criterion.modifier)
    else {
        return Ok(());
    };
    for by in parameter.hierarchies() {
        let Ok(of) = ResourceType::parse(&by.base) else { continue };
        // What Consents keep back lies between, too.
        let reaches_all = filter.reaches_all(of, Right::Search) && filter.party().is_none();
        let is_whole = reaches_all || SHARED_TYPES.contains(&of);
        if !is_whole {
            let lack = Lack::Hierarchy(parameter.code());
            return Err(NotPermitted { resource_type: Some(of), right: Right::Search, lack });
        }
        filter.permitted(of, Right::Search)?;
    }
    Ok(())
}

/// Adds to `condition`, of resources of `types`, that they may be searched.
fn require(condition: &mut Condition, types: &[ResourceType], filter: &AccessFilter) {
    let bound = match filter.view(types, Right::Search) {
        View::Everything => return,
        View::Nothing => Condition::OfTypes(Vec::new()),
        View::Where(bound) => bound,
    };
    let own = std::mem::replace(condition, Condition::And(Vec::new()));
    *condition = Condition::And(vec![own, bound]);
}
