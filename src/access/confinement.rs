//! Whether the holder of a token can reach one record alone.

use crate::access::{Context, TokenFacts};
use crate::fhir::ResourceKey;

impl TokenFacts {
    /// The one record that anything is open of, apart from what all share: that of the launch, or the one that all grants are on. `None`
    /// where there may be several, or none.
    pub fn sole_record(&self) -> Option<&ResourceKey> {
        let in_launch = self.scopes.scopes().iter().all(|scope| scope.context == Context::Patient);
        if in_launch {
            return self.patient.as_ref();
        }
        let within = self.app_grant.as_ref().and_then(|grant| grant.record.as_ref());
        let record = within.or(self.holdings.first()?.record.as_ref())?;
        let is_on_it = |of: &Option<ResourceKey>| of.as_ref() == Some(record);
        let is_sole = within.is_some() || self.holdings.iter().all(|holding| is_on_it(&holding.record));
        // Scopes for the patient of the launch, beside others.
        let launches = self.scopes.scopes().iter().any(|scope| scope.context == Context::Patient);
        (is_sole && (!launches || is_on_it(&self.patient))).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Holding, ScopeSet};
    use crate::fhir::{Id, ResourceType};
    use crate::search::Sensitivity;

    fn patient(id: &str) -> ResourceKey {
        ResourceKey { resource_type: ResourceType::PATIENT, id: Id::parse(id).unwrap() }
    }

    fn holding(record: Option<&str>) -> Holding {
        Holding {
            record: record.map(patient),
            scopes: ScopeSet::parse("user/*.rs"),
            sees: Sensitivity::NORMAL,
            sees_history: false,
            is_custodian: false,
        }
    }

    #[test]
    fn one_record_alone_is_within_reach_by_the_launch_or_by_all_grants() {
        // Scopes, the patient of the launch, what is held, what the app was granted, and the record.
        type Case<'c> = (&'c str, Option<&'c str>, &'c [Option<&'c str>], Option<Option<&'c str>>, Option<&'c str>);
        let table: &[Case<'_>] = &[
            ("patient/*.rs openid", Some("a"), &[Some("a"), Some("b")], None, Some("a")),
            ("patient/*.rs", Some("a"), &[None], None, Some("a")),
            ("patient/*.rs", None, &[Some("a")], None, None),
            ("user/*.rs", None, &[Some("a")], None, Some("a")),
            ("user/*.rs", None, &[Some("a"), Some("a")], None, Some("a")),
            ("user/*.rs", None, &[Some("a"), Some("b")], None, None),
            ("user/*.rs", None, &[Some("a"), None], None, None),
            ("user/*.rs", None, &[], None, None),
            ("system/*.rs", None, &[None], None, None),
            ("user/*.rs", None, &[Some("a"), Some("b")], Some(Some("b")), Some("b")),
            ("user/*.rs", None, &[Some("a"), Some("b")], Some(None), None),
            ("user/*.rs patient/*.rs", Some("a"), &[Some("a")], None, Some("a")),
            ("user/*.rs patient/*.rs", Some("b"), &[Some("a")], None, None),
            ("user/*.rs patient/*.rs", Some("a"), &[Some("a"), Some("b")], None, None),
        ];
        for (scopes, launch, held, app, wanted) in table {
            let facts = TokenFacts {
                scopes: ScopeSet::parse(scopes),
                policy: None,
                app_grant: app.map(holding),
                is_of_app: app.is_some(),
                patient: launch.map(patient),
                holdings: held.iter().map(|record| holding(*record)).collect(),
                holder: String::new(),
                actors: None,
                fhir_user: None,
                origin: None,
                is_approved: true,
            };
            assert_eq!(facts.sole_record(), wanted.map(patient).as_ref(), "{scopes} {launch:?} {held:?} {app:?}");
        }
    }
}
