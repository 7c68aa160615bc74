//! `_contained` and `_containedType`: what may be asked of resources within resources, and of their containers.
//!
//! Spec: R4 search.html#contained, #containedType

use crate::search::{
    Compartment, Condition, Contains, Criterion, Demand, Extent, Returned, SearchError, SearchRequest, SortBy, Subject,
};

/// Refuses what does not go together with `_contained`, once the whole search is known.
pub(super) fn check(request: &SearchRequest) -> Result<(), SearchError> {
    let Some(contained) = request.control.contained else { return Ok(()) };
    let refused = |parameter: &str, problem: &str| {
        let (parameter, problem) = (parameter.to_owned(), problem.to_owned());
        Err(SearchError::BadValue { parameter, problem })
    };
    if let Some(include) = request.includes.first() {
        let problem = "it can't be combined with '_contained'; leave one out";
        return refused(include.direction.parameter(), problem);
    }
    let is_of_container = |by: &SortBy| matches!(by, SortBy::Id | SortBy::LastUpdated);
    match contained.returned {
        Returned::Contained if !request.control.sort.keys.is_empty() => {
            return refused("_sort", "contained resources have the order of their containers; leave it out");
        }
        Returned::Container if !request.control.sort.keys.iter().all(|key| is_of_container(&key.by)) => {
            return refused("_sort", "containers are sorted by '_id' and '_lastUpdated' only");
        }
        _ => {}
    }
    if request.demands.iter().any(|demand| asks_for_words(&demand.condition)) {
        let problem = "'_text' and '_content' know the words of a contained resource as those of its container; leave \
                       '_contained' out, or search for the container";
        return refused("_contained", problem);
    }
    Ok(())
}

/// Whether words of the resource itself are asked for, not of one that it refers to.
fn asks_for_words(condition: &Condition) -> bool {
    let are_words = |subject: &Subject| matches!(subject, Subject::Text | Subject::Content);
    condition
        .walk(Extent::Itself)
        .any(|part| matches!(part, Condition::Criterion(Criterion { subject, .. }) if are_words(subject)))
}

impl SearchRequest {
    /// The search after containers of what this one looks for; `None` when it is not to give containers.
    pub(super) fn of_containers(&self) -> Option<SearchRequest> {
        let contained = self.control.contained.filter(|contained| contained.returned == Returned::Container)?;
        let mut request = self.clone();
        let types = request.resource_type.take().map_or(std::mem::take(&mut request.types), |only| vec![only]);
        let text = self.demands.iter().map(|demand| demand.text.as_str()).collect::<Vec<_>>().join("&");
        let mut conditions: Vec<Condition> = request.demands.drain(..).map(|demand| demand.condition).collect();
        let condition = match conditions.len() {
            1 => conditions.remove(0),
            _ => Condition::And(conditions),
        };
        let contains = Contains { types, condition: Box::new(condition), or_is: contained.is_both };
        request.demands = vec![Demand { condition: Condition::Contains(contains), text }];
        request.compartment = self.container_compartment();
        Some(request)
    }

    /// The compartment that the address names, for containers of any type.
    fn container_compartment(&self) -> Option<Compartment> {
        Compartment::of(self.compartment.as_ref()?.center.clone(), None).ok()
    }

    /// As [`SearchRequest::unlisted_compartment`], for containers.
    pub(super) fn of_container_compartment(&self) -> Option<Compartment> {
        self.unlisted_compartment().and_then(|_| self.container_compartment())
    }
}
