//! Which own parameters a search stands on: what it finds depends on their rows.

use crate::search::{
    Condition, Criterion, Extent, Include, Parameter, ParameterKind, SearchError, SearchRequest, SortBy, Subject,
};

impl SearchRequest {
    /// Whether what is found depends on own parameters, which may change from one moment to the next.
    pub fn uses_own(&self) -> bool {
        !self.own_used().is_empty()
    }

    /// Refuses a search that would find too little: resources from before the definition have no rows yet.
    pub(in crate::search) fn check_pending(&self) -> Result<(), SearchError> {
        match self.own_used().iter().find(|parameter| self.registry.is_pending(parameter)) {
            Some(pending) => Err(SearchError::Pending { parameter: pending.code().to_owned() }),
            None => Ok(()),
        }
    }

    fn own_used(&self) -> Vec<&'static Parameter> {
        let mut used = Vec::new();
        if self.registry.own_parameters().next().is_none() {
            return used;
        }
        let conditions = self.conditions().flat_map(|condition| condition.walk(Extent::Everything));
        used.extend(conditions.filter_map(parameter));
        self.includes.iter().for_each(|include| self.of_include(include, &mut used));
        self.control.sort.keys.iter().for_each(|key| of_sort(&key.by, &mut used));
        used.retain(|parameter| parameter.is_own());
        used
    }

    fn of_include(&self, include: &Include, used: &mut Vec<&'static Parameter>) {
        used.extend(&include.parameters);
        if include.source.is_none() {
            // `*` stands for every reference.
            let all = self.registry.own_parameters().flat_map(|definition| definition.on_bases());
            used.extend(all.filter(|parameter| parameter.kind == ParameterKind::Reference));
        }
    }
}

fn of_sort(by: &SortBy, used: &mut Vec<&'static Parameter>) {
    match by {
        SortBy::Id | SortBy::LastUpdated => {}
        SortBy::Index(parameters) => used.extend(parameters),
        SortBy::Linked(link) => {
            used.extend(&link.by);
            of_sort(&link.then, used);
        }
        SortBy::Beginning(beginning) => used.push(beginning.by),
    }
}

/// By what the condition itself asks, apart from those within it.
fn parameter(condition: &Condition) -> Option<&'static Parameter> {
    match condition {
        Condition::Criterion(Criterion { subject: Subject::Index(parameter), .. }) => Some(parameter),
        Condition::Chain(chain) => Some(chain.by),
        Condition::Has(has) => Some(has.by),
        _ => None,
    }
}
