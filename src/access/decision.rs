//! What a token lets its holder see and do: the rights of the grants, the policy for the client, the scopes of the token, the
//! patient of the launch and the labels, intersected.
//!
//! Spec: SMART App Launch 2.2, scopes for requesting clinical data; product rule "every access is a grant"

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use thiserror::Error;

use crate::access::{Context, Scope, ScopeQuery, ScopeSet};
use crate::fhir::{ResourceKey, ResourceType};
use crate::search::{
    AccessFilter, Bounds, Condition, Criterion, Handling, Modifier, ParseContext, Party, Permit, Reach, Registry,
    Right, Rights, Sensitivity, StateCode, Values, parse,
};

/// A grant that is in force, as far as it decides.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The Patient that is the record; `None` for all records.
    pub record: Option<ResourceKey>,
    /// What it gives. In whose name is no matter: that is said by the token.
    pub scopes: ScopeSet,
    /// How sensitive what it opens may be, apart from personal items.
    pub sees: Sensitivity,
    pub sees_history: bool,
    pub is_custodian: bool,
}

impl Holding {
    /// As far as a token uses it. What an app was granted is on the record of its grant, no more sensitive, and with old versions
    /// only where both say so; an app that was granted nothing of its own sees nothing beyond the ordinary. A custodian is one in a
    /// session of their own, not where an app acts for them.
    fn used_by(&self, facts: &TokenFacts) -> Option<Holding> {
        let is_custodian = self.is_custodian && facts.policy.is_none();
        let Some(grant) = &facts.app_grant else {
            let (sees, sees_history) = match facts.is_of_app {
                true => (Sensitivity::NORMAL, false),
                false => (self.sees, self.sees_history),
            };
            return Some(Holding { sees, sees_history, is_custodian, ..self.clone() });
        };
        let record = match (&self.record, &grant.record) {
            (Some(own), Some(granted)) if own != granted => return None,
            (own, granted) => granted.clone().or_else(|| own.clone()),
        };
        let sees = Sensitivity {
            personal: self.sees.personal && grant.sees.personal,
            restricted: self.sees.restricted && grant.sees.restricted,
            very_restricted: self.sees.very_restricted && grant.sees.very_restricted,
            app_state: false,
        };
        Some(Holding {
            record,
            scopes: self.scopes.clone(),
            sees,
            sees_history: self.sees_history && grant.sees_history,
            is_custodian,
        })
    }
}

/// What is known of the holder of a token.
#[derive(Clone, Debug)]
pub struct TokenFacts {
    /// What the token was issued for.
    pub scopes: ScopeSet,
    /// What the client may have at most; `None` for a person without an app in between.
    pub policy: Option<ScopeSet>,
    /// What the person granted to the app, which narrows all that the person holds; `None` where no app was granted anything.
    pub app_grant: Option<Holding>,
    /// Whether an app acts for a person.
    pub is_of_app: bool,
    /// The patient of the launch.
    pub patient: Option<ResourceKey>,
    /// Who the person is as a resource, where the app may know that: it can be read, whatever else may.
    ///
    /// Spec: SMART App Launch 2.2 scopes-and-launch-context.html#scopes-for-requesting-identity-data
    pub fhir_user: Option<ResourceKey>,
    /// The one origin to which all tokens of the app come: the kinds of state that it keeps are told by it.
    ///
    /// Spec: SMART App Launch 2.2 app-state.html#security-and-access-controls
    pub origin: Option<String>,
    /// Whether somebody has looked at what the app is registered for.
    pub is_approved: bool,
    /// What whoever stands behind the token holds.
    pub holdings: Vec<Holding>,
    /// Who holds the token, on whose behalf: pages of one are not those of another, nor is what one has just created.
    pub holder: String,
    /// By what names Consents may deny or permit them something; `None` while no Consent denies anything.
    pub actors: Option<Vec<i64>>,
}

impl TokenFacts {
    /// The kind of state that an app is allowed by a scope: one of its own origin, or one that its registration names and somebody has
    /// looked at.
    fn state(&self, scope: &Scope) -> Option<StateCode> {
        let codes = |scope: &Scope| -> Vec<String> {
            let pairs = scope.query.pairs().iter().filter(|(name, _)| name == "code");
            pairs.map(|(_, value)| value.clone()).collect()
        };
        let is_of_basic = |scope: &Scope| scope.types.only() == Some(ResourceType::BASIC);
        let named = codes(scope);
        let [code] = named.as_slice() else { return None };
        let state = StateCode::parse(code).filter(|_| is_of_basic(scope))?;
        let is_own = self.origin.as_ref() == Some(&state.system);
        let registered = self.policy.iter().flat_map(ScopeSet::scopes).filter(|scope| is_of_basic(scope));
        let is_registered = self.is_approved && registered.map(codes).any(|names| names.contains(code));
        (is_own || is_registered).then_some(state)
    }
}

/// A token that lets nothing be done, because what it says can't be applied.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    #[error("the token has a scope for the patient of the launch, but no patient: launch the app anew")]
    NoPatient,
    #[error(
        "the search in the scope for {0} is not one that can limit a scope: use parameters of the type, without chains, value \
         sets, and hierarchies"
    )]
    Query(ResourceType),
    #[error("a scope with a search names one type, not all")]
    QueryOfAllTypes,
    #[error("the search in a scope uses a search parameter that is being indexed: try again when $reindex is done")]
    Pending,
}

/// Decides. `bases` are the server's own base URLs, without a slash at the end.
pub fn decide(facts: &TokenFacts, registry: &Arc<Registry>, bases: &Arc<[String]>) -> Result<AccessFilter, Unfit> {
    let allowed = match &facts.policy {
        Some(policy) => facts.scopes.intersection(policy),
        None => facts.scopes.clone(),
    };
    let mut permits = Permits { registry, bases, found: Vec::new(), places: HashMap::new() };
    // A patient scope without a patient is never read as one for all.
    if facts.patient.is_none() && facts.scopes.scopes().iter().any(|scope| scope.context == Context::Patient) {
        return Err(Unfit::NoPatient);
    }
    let allowed = match &facts.app_grant {
        Some(grant) => allowed.intersection(&grant.scopes),
        None => allowed,
    };
    let holdings: Vec<Holding> = facts.holdings.iter().filter_map(|holding| holding.used_by(facts)).collect();
    let mut states = Vec::new();
    for scope in allowed.scopes() {
        let state = facts.state(scope);
        if let Some(state) = &state {
            permits.add_own_state(scope, facts.fhir_user.as_ref())?;
            if scope.rights.has(Right::Create) || scope.rights.has(Right::Update) {
                states.push(state.clone());
            }
        }
        for holding in &holdings {
            let Some(reach) = reach(scope, holding, facts.patient.as_ref()) else { continue };
            let app_state = holding.is_custodian || state.is_some();
            let sees = Sensitivity { personal: holding.is_custodian, app_state, ..holding.sees };
            for given in holding.scopes.scopes() {
                permits.add(scope, given, reach.clone(), Terms { sees, ..Terms::of(holding) })?;
            }
        }
    }
    let mut named: Vec<_> = facts.scopes.scopes().iter().map(|scope| (scope.types.only(), scope.rights)).collect();
    if let Some(user) = &facts.fhir_user {
        let only = Scope::parse(&format!("user/{}.r?_id={}", user.resource_type, user.id));
        if let Some(only) = only {
            let terms = Terms { sees: Sensitivity::NORMAL, sees_history: false, is_custodian: false };
            permits.add(&only, &only, Reach::Everything, terms)?;
            named.push((only.types.only(), only.rights));
        }
    }
    let mut stamp = DefaultHasher::new();
    (&facts.holder, format!("{:?}", permits.found)).hash(&mut stamp);
    let keeps_consents = |consent| permits.found.iter().any(|permit| permit.reaches_all(consent, Right::Update));
    let keeps_consents = ResourceType::parse("Consent").is_ok_and(keeps_consents);
    let party = facts.actors.clone().map(|actors| Arc::new(Party { actors, keeps_consents }));
    let held = holdings.into_iter().filter(|holding| holding.is_custodian);
    Ok(AccessFilter::bounded(Bounds {
        custodian_of: held.filter_map(|holding| holding.record).collect(),
        permits: permits.found,
        named,
        states,
        party,
        zone_minutes: registry.zone_minutes(),
        bases: Arc::clone(bases),
        holder: facts.holder.as_str().into(),
        stamp: stamp.finish(),
    }))
}

/// Whose resources `scope` opens by virtue of `holding`.
fn reach(scope: &Scope, holding: &Holding, patient: Option<&ResourceKey>) -> Option<Reach> {
    match (scope.context, &holding.record, patient) {
        (Context::Patient, Some(record), Some(patient)) => {
            (record == patient).then(|| Reach::Records(vec![record.clone()]))
        }
        (Context::Patient, None, Some(patient)) => Some(Reach::Records(vec![patient.clone()])),
        (Context::Patient, _, None) => None,
        (Context::User | Context::System, Some(record), _) => Some(Reach::Records(vec![record.clone()])),
        (Context::User | Context::System, None, _) => Some(Reach::Everything),
    }
}

/// On what terms a holding opens what it does.
#[derive(Clone, Copy, Debug)]
struct Terms {
    sees: Sensitivity,
    sees_history: bool,
    is_custodian: bool,
}

impl Terms {
    fn of(holding: &Holding) -> Terms {
        let Holding { sees, sees_history, is_custodian, .. } = *holding;
        Terms { sees, sees_history, is_custodian }
    }
}

/// The permits found so far; equal ones are one, with the records of all.
struct Permits<'a> {
    registry: &'a Arc<Registry>,
    bases: &'a [String],
    found: Vec<Permit>,
    /// By all that they say but whose records they open.
    places: HashMap<String, usize>,
}

impl Permits<'_> {
    /// What `scope`, of the token, and `given`, by a grant, have in common. A grant that can't be applied opens nothing, and takes
    /// nothing from what others open.
    fn add(&mut self, scope: &Scope, given: &Scope, reach: Reach, terms: Terms) -> Result<(), Unfit> {
        let Some(types) = scope.types.intersection(given.types) else { return Ok(()) };
        let rights = scope.rights.intersection(given.rights);
        if rights.is_empty() {
            return Ok(());
        }
        let resource_type = types.only();
        let Terms { sees, sees_history, is_custodian } = terms;
        let is_wide = reach == Reach::Everything;
        let sees_deletions = is_wide || is_custodian || scope.context == Context::System;
        let demanded = (scope.query.pairs(), given.query.pairs());
        let place = format!("{resource_type:?} {rights:?} {demanded:?} {is_wide} {terms:?} {sees_deletions}");
        if let Some(known) = self.places.get(&place) {
            if let (Reach::Records(all), Reach::Records(more)) = (&mut self.found[*known].reach, reach) {
                all.extend(more);
                all.sort();
                all.dedup();
            }
            return Ok(());
        }
        let mut only = self.limits(resource_type, &scope.query)?;
        match self.limits(resource_type, &given.query) {
            Ok(limits) => only.extend(limits),
            Err(error) => {
                tracing::warn!(%error, "A scope of a grant can't be applied: it opens nothing");
                return Ok(());
            }
        }
        self.places.insert(place, self.found.len());
        let heeds_consents = !is_custodian;
        let permit = Permit { resource_type, rights, reach, only, sees, heeds_consents, sees_history, sees_deletions };
        self.found.push(permit);
        Ok(())
    }

    /// What a scope for state opens besides, where it is a person's: what is about that person and not in a record, and for reading
    /// what is about nobody, which only callers on all records write.
    ///
    /// Spec: SMART App Launch 2.2 app-state.html#security-and-access-controls
    fn add_own_state(&mut self, scope: &Scope, fhir_user: Option<&ResourceKey>) -> Result<(), Unfit> {
        if scope.context != Context::User {
            return Ok(());
        }
        let sees = Sensitivity { app_state: true, ..Sensitivity::NORMAL };
        let terms = Terms { sees, sees_history: false, is_custodian: false };
        let user = fhir_user.filter(|user| user.resource_type != ResourceType::PATIENT);
        let own = user.map(|user| format!("user/Basic.{}?subject={}/{}", Rights::ALL, user.resource_type, user.id));
        let global = "user/Basic.rs?subject:missing=true".to_owned();
        for about in own.into_iter().chain([global]) {
            if let Some(about) = Scope::parse(&about) {
                self.add(scope, &about, Reach::Everything, terms)?;
            }
        }
        Ok(())
    }

    fn limits(&self, resource_type: Option<ResourceType>, query: &ScopeQuery) -> Result<Vec<Criterion>, Unfit> {
        if query.is_empty() {
            return Ok(Vec::new());
        }
        criteria(resource_type.ok_or(Unfit::QueryOfAllTypes)?, query, self.registry, self.bases)
    }
}

/// The criteria that a scope's search stands for. Whatever could look at other resources, or is not understood, is refused.
pub(super) fn criteria(
    of: ResourceType,
    query: &ScopeQuery,
    registry: &Arc<Registry>,
    bases: &[String],
) -> Result<Vec<Criterion>, Unfit> {
    let context = ParseContext { handling: Handling::Strict, bases, registry };
    let request = parse(Some(of), query.pairs(), &context).map_err(|error| match error.is_pending() {
        true => Unfit::Pending,
        false => Unfit::Query(of),
    })?;
    let is_plain = request.includes.is_empty() && request.demands.len() == query.pairs().len();
    let criterion = |condition: Condition| match condition {
        // What these mean is known only once definitions or other resources are read.
        Condition::Criterion(Criterion { values: Values::CodeQueries(_), .. }) => None,
        Condition::Criterion(Criterion {
            values: Values::References(_),
            modifier: Some(Modifier::Above | Modifier::Below),
            ..
        }) => None,
        Condition::Criterion(criterion) => Some(criterion),
        _ => None,
    };
    let criteria: Option<Vec<Criterion>> =
        request.demands.into_iter().map(|demand| criterion(demand.condition)).collect();
    criteria.filter(|_| is_plain).ok_or(Unfit::Query(of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::Id;
    use crate::search::View;

    fn patient(id: &str) -> ResourceKey {
        ResourceKey { resource_type: ResourceType::PATIENT, id: Id::parse(id).unwrap() }
    }

    fn holding(record: Option<&str>, scopes: &str) -> Holding {
        Holding {
            record: record.map(patient),
            scopes: ScopeSet::parse(scopes),
            sees: Sensitivity::NORMAL,
            sees_history: false,
            is_custodian: false,
        }
    }

    fn facts(scopes: &str, patient_id: Option<&str>, holdings: Vec<Holding>) -> TokenFacts {
        let scopes = ScopeSet::parse(scopes);
        let policy = Some(scopes.clone());
        let patient = patient_id.map(patient);
        let holder = "app".to_owned();
        TokenFacts {
            scopes,
            policy,
            app_grant: None,
            is_of_app: false,
            patient,
            fhir_user: None,
            origin: None,
            is_approved: true,
            holdings,
            holder,
            actors: None,
        }
    }

    fn decided(facts: &TokenFacts) -> Result<AccessFilter, Unfit> {
        decide(facts, Registry::bundled(), &Vec::new().into())
    }

    /// What is open of a type: `nothing`, `everything`, or the condition as Rust prints it.
    fn view(filter: &AccessFilter, name: &str, right: Right) -> String {
        match filter.view(&[ResourceType::parse(name).unwrap()], right) {
            View::Nothing => "nothing".to_owned(),
            View::Everything => "everything".to_owned(),
            View::Where(condition) => format!("{condition:?}"),
        }
    }

    #[test]
    fn a_patient_scope_opens_the_patient_of_the_launch_alone() {
        let all = vec![holding(Some("a"), "patient/*.cruds"), holding(Some("m"), "patient/*.cruds")];
        let filter = decided(&facts("patient/Observation.rs", Some("a"), all)).unwrap();

        let open = view(&filter, "Observation", Right::Search);
        assert!(open.contains("Owned") && open.contains("\"a\"") && !open.contains("\"m\""), "{open}");
        assert_eq!(view(&filter, "Observation", Right::Update), "nothing");
        assert_eq!(view(&filter, "Condition", Right::Read), "nothing");
    }

    #[test]
    fn a_user_scope_opens_every_record_that_is_shared_as_far_as_it_is() {
        let all = vec![holding(Some("a"), "user/*.cruds"), holding(Some("m"), "user/Observation.rs")];
        let filter = decided(&facts("user/*.rs", None, all)).unwrap();

        let observations = view(&filter, "Observation", Right::Read);
        assert!(observations.contains("\"a\"") && observations.contains("\"m\""), "{observations}");
        let conditions = view(&filter, "Condition", Right::Read);
        assert!(conditions.contains("\"a\"") && !conditions.contains("\"m\""), "{conditions}");
    }

    #[test]
    fn nobody_gets_more_than_he_holds() {
        for (scopes, launch) in [("patient/*.cruds", Some("b")), ("user/*.cruds", None), ("patient/*.cruds", Some("a"))]
        {
            let filter = decided(&facts(scopes, launch, Vec::new())).unwrap();
            assert_eq!(view(&filter, "Observation", Right::Read), "nothing", "{scopes}");
        }
        let other = decided(&facts("patient/*.cruds", Some("b"), vec![holding(Some("a"), "patient/*.cruds")])).unwrap();
        assert_eq!(view(&other, "Observation", Right::Read), "nothing");
        assert_eq!(view(&other, "Practitioner", Right::Read), "nothing");
    }

    #[test]
    fn a_system_client_on_all_records_sees_all_but_what_is_labelled() {
        let filter = decided(&facts("system/*.cruds", None, vec![holding(None, "system/*.cruds")])).unwrap();

        let open = view(&filter, "Observation", Right::Search);
        assert!(open.contains("Unlabelled(LabelSet(15))") && !open.contains("Owned"), "{open}");
        assert!(filter.administers());
        let narrow = decided(&facts("system/Patient.rs", None, vec![holding(None, "system/*.cruds")])).unwrap();
        assert_eq!(view(&narrow, "Observation", Right::Search), "nothing");
        assert!(!narrow.administers());
    }

    #[test]
    fn shared_types_are_read_and_never_written_within_a_record() {
        let filter =
            decided(&facts("patient/*.cruds", Some("a"), vec![holding(Some("a"), "patient/*.cruds")])).unwrap();

        assert!(!view(&filter, "Practitioner", Right::Read).contains("Owned"));
        assert_eq!(view(&filter, "Practitioner", Right::Update), "nothing");
        assert_eq!(view(&filter, "AuditEvent", Right::Create), "nothing");
        assert!(view(&filter, "AuditEvent", Right::Read).contains("Owned"));
        assert!(view(&filter, "Group", Right::Read).contains("Owned"));
    }

    #[test]
    fn what_cannot_be_applied_opens_nothing() {
        let all = || vec![holding(Some("a"), "patient/*.cruds")];
        let refused = |scopes: &str, launch| decided(&facts(scopes, launch, all())).unwrap_err();

        assert_eq!(refused("patient/*.rs user/*.rs", None), Unfit::NoPatient);
        let observation = ResourceType::parse("Observation").unwrap();
        for query in [
            "patient.name=x",
            "nonsense=x",
            "_has:Group:member:code=x",
            "_include=Observation:subject",
            "_sort=date",
            "_filter=code eq x",
            "_list=1",
            "code:in=http://x.example/codes",
            "code:not-in=http://x.example/codes",
            "code:below=http://loinc.org|1",
            "code:above=http://loinc.org|1",
            "part-of:below=Procedure/1",
        ] {
            let scope = format!("patient/Observation.rs?{query}");
            assert_eq!(refused(&scope, Some("a")), Unfit::Query(observation), "{query}");
        }
        assert_eq!(refused("patient/*.rs?_security=x", Some("a")), Unfit::QueryOfAllTypes);
    }

    #[test]
    fn consents_are_asked_for_all_but_custodians_in_a_session_of_their_own() {
        let asks = |has_app: bool, is_custodian: bool, actors: Option<Vec<i64>>| {
            let held = Holding { is_custodian, ..holding(Some("a"), "user/*.cruds") };
            let mut facts = TokenFacts { actors, ..facts("user/*.cruds", None, vec![held]) };
            facts.policy = facts.policy.filter(|_| has_app);
            let filter = decided(&facts).unwrap();
            let open = |name, right| view(&filter, name, right).matches("Consented").count();
            [open("Observation", Right::Read), open("Observation", Right::Update), open("Practitioner", Right::Read)]
        };

        assert_eq!(asks(true, false, Some(vec![7])), [1, 2, 0]);
        assert_eq!(asks(true, true, Some(vec![7])), [1, 2, 0]);
        assert_eq!(asks(false, false, Some(Vec::new())), [1, 2, 0]);
        assert_eq!(asks(false, true, Some(vec![7])), [0, 0, 0]);
        assert_eq!(asks(true, false, None), [0, 0, 0], "while no Consent denies anything");
    }

    #[test]
    fn whoever_writes_consents_of_all_records_is_kept_from_none() {
        let keeps = |scopes: &str| {
            let all = vec![holding(None, "system/*.cruds")];
            let filter = decided(&TokenFacts { actors: Some(Vec::new()), ..facts(scopes, None, all) }).unwrap();
            filter.party().unwrap().keeps_consents
        };

        assert!(keeps("system/*.cruds") && keeps("system/Consent.u"));
        assert!(!keeps("system/*.rs") && !keeps("system/Observation.cruds"));
    }

    #[test]
    fn what_an_app_was_granted_narrows_what_the_person_holds() {
        let holds = vec![holding(Some("a"), "user/*.cruds"), holding(Some("m"), "user/*.cruds")];
        let app_grant = Some(holding(Some("a"), "user/Observation.rs"));
        let filter = decided(&TokenFacts { app_grant, ..facts("user/*.cruds", None, holds) }).unwrap();

        let open = view(&filter, "Observation", Right::Read);
        assert!(open.contains("\"a\"") && !open.contains("\"m\""), "{open}");
        assert_eq!(view(&filter, "Observation", Right::Update), "nothing");
        assert_eq!(view(&filter, "Condition", Right::Read), "nothing");
    }

    #[test]
    fn several_scopes_for_a_type_open_what_any_of_them_does() {
        let scopes = "patient/Observation.rs?category=laboratory patient/Observation.rs?category=vital-signs";
        let filter = decided(&facts(scopes, Some("a"), vec![holding(Some("a"), "patient/*.cruds")])).unwrap();

        let open = view(&filter, "Observation", Right::Search);
        assert!(open.starts_with("Or(") && open.contains("laboratory") && open.contains("vital-signs"), "{open}");
    }
}
