//! Whether the searches in scopes are such that they can limit what is seen.

use std::sync::Arc;

use crate::access::decision::criteria;
use crate::access::{ScopeSet, Types, Unfit};
use crate::search::Registry;

/// Refuses scopes with a search that could not be applied, before they are granted or registered: a token that meets one is of no use.
/// `bases` are the server's own base URLs, without a slash at the end.
pub fn check_searches(scopes: &ScopeSet, registry: &Arc<Registry>, bases: &[String]) -> Result<(), Unfit> {
    let mut with_search = scopes.scopes().iter().filter(|scope| !scope.query.is_empty());
    with_search.try_for_each(|scope| match scope.types {
        Types::Any => Err(Unfit::QueryOfAllTypes),
        Types::One(of) => criteria(of, &scope.query, registry, bases).map(drop),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_could_not_be_applied_is_refused() {
        let checked = |scopes: &str| check_searches(&ScopeSet::parse(scopes), Registry::bundled(), &[]);

        assert_eq!(checked("patient/*.rs openid patient/Observation.rs?category=laboratory&status=final"), Ok(()));
        for query in
            ["foo=bar", "patient.name=x", "_has:Provenance:target:recorded=2020", "_include=Observation:subject"]
        {
            let refused = checked(&format!("patient/Patient.r patient/Observation.rs?{query}"));
            assert!(matches!(refused, Err(Unfit::Query(_))), "{query}: {refused:?}");
        }
        assert_eq!(checked("patient/*.rs?_security=x"), Err(Unfit::QueryOfAllTypes));
    }
}
