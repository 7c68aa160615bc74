//! What a caller may see and do, as conditions that every statement carries.
//!
//! An [`AccessFilter`] is made once per caller and never changes. A search is [narrowed](SearchRequest::narrowed) by it before it
//! can be compiled: the matches, and each resource that a chain, `_has` or `_list` passes through, must meet the conditions of
//! their type. What can't be seen is then as if it were not there.
//!
//! Spec: SMART App Launch 2.2, scopes for requesting clinical data

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::fhir::{Resource, ResourceKey, ResourceType};
use crate::search::fold::fold_code;
use crate::search::{
    Chain, Condition, Contains, Criterion, Has, Modifier, Party, ReferenceValue, Registry, SearchRequest, Subject,
    TokenValue, Use, Values, makes_owner, owners,
};
use crate::store::{Hasher, IndexRows};

/// What may be done with a resource: the letters of a SMART scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    Create = 1,
    Read = 2,
    Update = 4,
    Delete = 8,
    Search = 16,
}

/// Several [`Right`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// These rights.
    pub fn of(rights: &[Right]) -> Rights {
        Rights(rights.iter().fold(0, |all, right| all | *right as u8))
    }

    /// Whether `right` is among them.
    pub fn has(self, right: Right) -> bool {
        self.0 & right as u8 != 0
    }

    /// Those that are in both.
    pub fn and(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Whose resources a permit is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Everything,
    /// What is part of the records of these Patients, and shared types for reading.
    Records(Vec<ResourceKey>),
}

/// How sensitive what is seen may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensitivity {
    /// Items that the person marked as personal.
    pub personal: bool,
    /// The confidentiality R.
    pub restricted: bool,
    /// The confidentiality V.
    pub very_restricted: bool,
}

impl Sensitivity {
    /// Whatever there is.
    pub const ALL: Sensitivity = Sensitivity { personal: true, restricted: true, very_restricted: true };
    /// What bears no such label.
    pub const NORMAL: Sensitivity = Sensitivity { personal: false, restricted: false, very_restricted: false };
}

/// The system of this server's own security labels.
pub const LABEL_SYSTEM: &str = "https://emberwell.example/CodeSystem/security-label";
/// The label of an item that no app sees, and no person but the custodians.
pub const PERSONAL: &str = "personal";
/// The system of the tags by which the server tells what it recorded itself.
pub const RECORDED_SYSTEM: &str = "https://emberwell.example/CodeSystem/provenance";
/// The tag of a Provenance that the server recorded with what was written: those agents are true that it names by ids of its own.
pub const RECORDED: &str = "recorded";
pub(super) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

/// One thing that is allowed. All that a caller may do is the union of the permits.
#[derive(Clone, Debug)]
pub struct Permit {
    /// `None` is for all types.
    pub resource_type: Option<ResourceType>,
    pub rights: Rights,
    pub reach: Reach,
    /// What the resources must meet besides; criteria of `resource_type`.
    pub only: Vec<Criterion>,
    pub sees: Sensitivity,
    /// Whether what Consents deny is kept from it: all but custodians in a session of their own.
    pub heeds_consents: bool,
}

/// All that a caller may see and do.
#[derive(Clone, Debug)]
pub struct AccessFilter(Option<Arc<Bounds>>);

/// What a caller who holds a token may do.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub permits: Vec<Permit>,
    /// Old versions and deletions, too, of what may be seen now.
    pub sees_history: bool,
    /// Whatever gives access to others may be written.
    pub is_custodian: bool,
    /// Who asks, for what Consents deny; `None` where no Consent denies anything.
    pub party: Option<Arc<Party>>,
    /// Minutes east of UTC, for dates in scopes that name no zone.
    pub zone_minutes: i16,
    /// The server's own base URLs, without a slash at the end.
    pub bases: Arc<[String]>,
    /// Tells this caller's pages from those of others.
    pub stamp: u64,
}

/// What of some types is open to a caller.
#[derive(Clone, Debug)]
pub enum View {
    /// The caller has no such right for any of the types.
    Nothing,
    Everything,
    Where(Condition),
}

/// The caller has no right of this kind for the type at all, whichever resource it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPermitted {
    /// `None` where no type is named.
    pub resource_type: Option<ResourceType>,
    pub right: Right,
}

/// The types that belong to nobody's record: who and what takes part in care, and definitions. Whoever has a scope for such a
/// type may read all of it. A resource of any other type that is part of no record is open to callers with [`Reach::Everything`]
/// only.
pub static SHARED_TYPES: LazyLock<Vec<ResourceType>> = LazyLock::new(|| {
    const NAMES: [&str; 35] = [
        "ActivityDefinition",
        "CapabilityStatement",
        "ChargeItemDefinition",
        "CodeSystem",
        "CompartmentDefinition",
        "ConceptMap",
        "Endpoint",
        "EventDefinition",
        "ExampleScenario",
        "GraphDefinition",
        "HealthcareService",
        "ImplementationGuide",
        "InsurancePlan",
        "Library",
        "Location",
        "Measure",
        "Medication",
        "MedicationKnowledge",
        "MessageDefinition",
        "NamingSystem",
        "ObservationDefinition",
        "OperationDefinition",
        "Organization",
        "OrganizationAffiliation",
        "PlanDefinition",
        "Practitioner",
        "PractitionerRole",
        "Questionnaire",
        "SearchParameter",
        "SpecimenDefinition",
        "StructureDefinition",
        "StructureMap",
        "Substance",
        "TerminologyCapabilities",
        "ValueSet",
    ];
    NAMES.iter().filter_map(|name| ResourceType::parse(name).ok()).collect()
});

/// Types whose resources lead to what is in a Binary.
static HOLDERS: LazyLock<Vec<ResourceType>> = LazyLock::new(|| {
    ["DiagnosticReport", "DocumentReference", "Media"]
        .iter()
        .filter_map(|name| ResourceType::parse(name).ok())
        .collect()
});

static PROVENANCE: LazyLock<Option<ResourceType>> = LazyLock::new(|| ResourceType::parse("Provenance").ok());
static BINARY: LazyLock<Option<ResourceType>> = LazyLock::new(|| ResourceType::parse("Binary").ok());
static AUDIT_EVENT: LazyLock<Option<ResourceType>> = LazyLock::new(|| ResourceType::parse("AuditEvent").ok());

impl AccessFilter {
    /// No bounds at all: a server that is open, or a job of the program itself.
    pub fn everything() -> AccessFilter {
        AccessFilter(None)
    }

    /// What is allowed within bounds.
    pub fn bounded(bounds: Bounds) -> AccessFilter {
        AccessFilter(Some(Arc::new(bounds)))
    }

    /// Whether there are no bounds.
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// Whether old versions and deletions may be seen of what may be seen now.
    pub fn sees_history(&self) -> bool {
        // What a scope demands besides is asked of the index, which knows the current version only.
        let may_ask = |bounds: &Arc<Bounds>| bounds.permits.iter().all(|permit| permit.only.is_empty());
        self.0.as_ref().is_none_or(|bounds| bounds.sees_history && may_ask(bounds))
    }

    /// Whether what gives access to others may be written.
    pub fn is_custodian(&self) -> bool {
        self.0.as_ref().is_none_or(|bounds| bounds.is_custodian)
    }

    /// Whether the caller may do all there is with whatever there is, as an operator.
    pub fn administers(&self) -> bool {
        let all = [Right::Create, Right::Read, Right::Update, Right::Delete, Right::Search];
        let is_whole = |permit: &Permit| {
            permit.resource_type.is_none()
                && permit.reach == Reach::Everything
                && permit.only.is_empty()
                && all.iter().all(|right| permit.rights.has(*right))
        };
        self.0.as_ref().is_none_or(|bounds| bounds.permits.iter().any(is_whole))
    }

    /// The permits with `right` for AuditEvents, as the audit trail applies them: whose trail, and what an event must meet.
    pub fn trail_permits(&self, right: Right) -> Vec<(&Reach, &[Criterion])> {
        let permits = self.0.iter().flat_map(|bounds| &bounds.permits);
        let is_for = |permit: &&Permit| {
            permit.rights.has(right) && permit.resource_type.is_none_or(|only| Some(only) == *AUDIT_EVENT)
        };
        permits.filter(is_for).map(|permit| (&permit.reach, permit.only.as_slice())).collect()
    }

    /// Whether the caller may read whatever is part of the record of `patient`, as its custodians do.
    pub fn sees_whole(&self, patient: &ResourceKey) -> bool {
        let is_whole = |permit: &Permit| {
            permit.resource_type.is_none()
                && permit.only.is_empty()
                && permit.rights.has(Right::Read)
                && permit.sees == Sensitivity::ALL
                && match &permit.reach {
                    Reach::Everything => true,
                    Reach::Records(patients) => patients.contains(patient),
                }
        };
        self.0.as_ref().is_none_or(|bounds| bounds.permits.iter().any(is_whole))
    }

    /// Minutes east of UTC, for dates in scopes that name no zone.
    pub fn zone_minutes(&self) -> i16 {
        self.0.as_ref().map_or(0, |bounds| bounds.zone_minutes)
    }

    /// Whether all resources of the type are open to `right`, whosever record they are part of, as to a system client.
    pub fn reaches_all(&self, resource_type: ResourceType, right: Right) -> bool {
        let is_wide = |permit: &Permit| {
            permit.reach == Reach::Everything
                && permit.resource_type.is_none_or(|only| only == resource_type)
                && permit.rights.has(right)
        };
        self.0.as_ref().is_none_or(|bounds| bounds.permits.iter().any(is_wide))
    }

    /// Who asks, if Consents may keep anything from them.
    pub fn party(&self) -> Option<&Arc<Party>> {
        let bounds = self.0.as_ref()?;
        bounds.party.as_ref().filter(|_| bounds.permits.iter().any(|permit| permit.heeds_consents))
    }

    /// The server's own base URLs, without a slash at the end.
    pub fn bases(&self) -> &[String] {
        self.0.as_ref().map_or(&[], |bounds| &bounds.bases)
    }

    /// What the caller may see of `types` (of all, when there are none) with `right`.
    pub fn view(&self, types: &[ResourceType], right: Right) -> View {
        self.view_of(types, right, true)
    }

    /// What the caller may make of a resource of this type. Whoever may write it may label it, even so that it is hidden from
    /// then on.
    pub fn view_of_written(&self, resource_type: ResourceType, right: Right) -> View {
        self.opened(
            |permit, terms| {
                let permit = Permit { sees: Sensitivity::ALL, ..permit.clone() };
                // What it is made of need not have been seen.
                let uses = [use_of(right)];
                self.terms(&permit, &[resource_type], right, &uses, true, terms);
            },
            right,
        )
    }

    fn view_of(&self, types: &[ResourceType], right: Right, with_provenance: bool) -> View {
        // Whoever changes what stands sees it.
        let uses: &[Use] = match use_of(right) {
            Use::Write if right != Right::Create => &[Use::Write, Use::Read],
            Use::Write => &[Use::Write],
            Use::Read => &[Use::Read],
        };
        self.opened(|permit, terms| self.terms(permit, types, right, uses, with_provenance, terms), right)
    }

    /// What the permits with `right` open together, each by the terms that `add` gives.
    fn opened(&self, add: impl Fn(&Permit, &mut Vec<Vec<Condition>>), right: Right) -> View {
        let Some(bounds) = &self.0 else { return View::Everything };
        let mut terms = Vec::new();
        bounds.permits.iter().filter(|permit| permit.rights.has(right)).for_each(|permit| add(permit, &mut terms));
        united(terms)
    }

    /// As [`AccessFilter::view`] of one type, where having no right at all is a refusal.
    pub fn permitted(&self, resource_type: ResourceType, right: Right) -> Result<View, NotPermitted> {
        match self.view(&[resource_type], right) {
            View::Nothing => Err(NotPermitted { resource_type: Some(resource_type), right }),
            view => Ok(view),
        }
    }

    /// The parts of `types` that a permit opens, each as the conditions that its resources must meet.
    fn terms(
        &self,
        permit: &Permit,
        types: &[ResourceType],
        right: Right,
        uses: &[Use],
        with_provenance: bool,
        terms: &mut Vec<Vec<Condition>>,
    ) {
        let wanted = match (permit.resource_type, types) {
            (Some(only), []) => vec![only],
            (Some(only), types) => types.iter().copied().filter(|of| *of == only).collect(),
            (None, types) => types.to_vec(),
        };
        if wanted.is_empty() && permit.resource_type.is_some() {
            return;
        }
        let party = self.0.as_ref().and_then(|bounds| bounds.party.as_ref()).filter(|_| permit.heeds_consents);
        let denials =
            |party: &Arc<Party>| uses.iter().map(|put_to| Condition::Consented(Arc::clone(party), *put_to)).collect();
        let consented: Vec<Condition> = party.map(denials).unwrap_or_default();
        let mut add = |of: Vec<ResourceType>, conditions: Vec<Condition>, consented: &[Condition]| {
            let is_told = of.is_empty() || of == types;
            let of_types = (!is_told).then_some(Condition::OfTypes(of));
            let only = permit.only.iter().cloned().map(Condition::Criterion);
            let all = of_types.into_iter().chain(conditions).chain(only).chain(hidden_labels(permit.sees));
            terms.push(all.chain(consented.iter().cloned()).collect());
        };
        let Reach::Records(patients) = &permit.reach else {
            add(wanted, Vec::new(), &consented);
            return;
        };
        let reads = matches!(right, Right::Read | Right::Search);
        let owned = || Condition::Owned(patients.clone());
        let is_wanted = |of: &ResourceType| wanted.is_empty() || wanted.contains(of);
        let shared: Vec<ResourceType> = SHARED_TYPES.iter().copied().filter(is_wanted).collect();
        if reads && !shared.is_empty() {
            // They are part of no record, about which a Consent could say anything.
            add(shared, Vec::new(), &[]);
        }
        if let Some(provenance) = PROVENANCE.filter(|of| with_provenance && is_wanted(of)) {
            // What is told of a Provenance is not told: it would have no end.
            let targets = match self.view_of(&[], Right::Read, false) {
                View::Nothing => None,
                View::Everything => Some(Condition::And(Vec::new())),
                View::Where(condition) => Some(condition),
            };
            if let Some(targets) = targets {
                add(vec![provenance], vec![Condition::Targets(Box::new(targets))], &[]);
            }
        }
        if let Some(binary) = BINARY.filter(is_wanted)
            && reads
            && let View::Where(holder) = self.view(&HOLDERS, Right::Read)
        {
            add(vec![binary], vec![Condition::AttachedTo(Box::new(holder))], &consented);
        }
        let is_by_owner = |of: &ResourceType| {
            !SHARED_TYPES.contains(of) && Some(*of) != *PROVENANCE && (reads || Some(*of) != *AUDIT_EVENT)
        };
        match wanted.is_empty() {
            // Nothing of the other kinds is part of a record.
            true if reads => add(Vec::new(), vec![owned()], &consented),
            true => add(ResourceType::all().filter(is_by_owner).collect(), vec![owned()], &consented),
            false => {
                let by_owner: Vec<ResourceType> = wanted.iter().copied().filter(is_by_owner).collect();
                if !by_owner.is_empty() {
                    add(by_owner, vec![owned()], &consented);
                }
            }
        }
    }

    /// Whether the content of a version by itself is open to `right`: for versions that are no longer in the index.
    pub fn admits(&self, resource: &Resource, hasher: &Hasher, right: Right) -> Admission {
        let Some(bounds) = &self.0 else { return Admission::Open };
        let of = resource.resource_type;
        let owners = owners(resource, hasher, &bounds.bases);
        let is_open = |permit: &&Permit| {
            let is_of_type = permit.resource_type.is_none_or(|only| only == of);
            let is_in_reach = match &permit.reach {
                Reach::Everything => true,
                Reach::Records(patients) => {
                    SHARED_TYPES.contains(&of) || patients.iter().any(|patient| owners.contains(&hasher.key(patient)))
                }
            };
            is_of_type && is_in_reach && permit.only.is_empty() && permit.rights.has(right)
        };
        let labels = || resource.value.pointer("/meta/security").and_then(Value::as_array).into_iter().flatten();
        let is_hidden = |sees: Sensitivity| {
            let has = |hidden: &TokenValue| {
                labels().any(|label| {
                    let text = |name: &str| label.get(name).and_then(Value::as_str);
                    // As the index compares them.
                    let is_code = text("code").map(fold_code) == hidden.code.as_deref().map(fold_code);
                    is_code && text("system") == hidden.system.as_deref()
                })
            };
            labels_beyond(sees).iter().any(has)
        };
        let mut open = bounds.permits.iter().filter(is_open).filter(|permit| !is_hidden(permit.sees)).peekable();
        match (open.peek().is_some(), &bounds.party) {
            (false, _) => Admission::Closed,
            (true, Some(party)) if open.all(|permit| permit.heeds_consents) => Admission::Consented(Arc::clone(party)),
            (true, _) => Admission::Open,
        }
    }

    /// Tells the pages of one caller from those of another.
    pub fn stamp(&self) -> u64 {
        self.0.as_ref().map_or(0, |bounds| bounds.stamp)
    }
}

/// Whether the content of a version is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    Closed,
    /// Unless a Consent keeps it from whoever asks.
    Consented(Arc<Party>),
    Open,
}

/// What a right is, to a Consent.
fn use_of(right: Right) -> Use {
    match right {
        Right::Read | Right::Search => Use::Read,
        Right::Create | Right::Update | Right::Delete => Use::Write,
    }
}

/// Whether the index says of a Provenance that the server recorded it.
pub fn is_recorded(rows: &IndexRows, hasher: &Hasher) -> bool {
    let tag = Registry::bundled().parameter(ResourceType::PROVENANCE, "_tag").map(|tag| tag.id());
    let (code, system) = (hasher.text(&fold_code(RECORDED)), hasher.text(RECORDED_SYSTEM));
    rows.tokens.iter().any(|row| Some(row.param) == tag && row.code == code && row.system == system)
}

/// One of the terms is met.
fn united(terms: Vec<Vec<Condition>>) -> View {
    if terms.is_empty() {
        return View::Nothing;
    }
    let mut any: Vec<Condition> = Vec::with_capacity(terms.len());
    for mut term in terms {
        match term.len() {
            0 => return View::Everything,
            1 => any.append(&mut term),
            _ => any.push(Condition::And(term)),
        }
    }
    View::Where(if any.len() == 1 { any.remove(0) } else { Condition::Or(any) })
}

/// The labels of what is more sensitive than may be seen.
fn labels_beyond(sees: Sensitivity) -> Vec<TokenValue> {
    let label = |system: &str, code: &str| TokenValue { system: Some(system.to_owned()), code: Some(code.to_owned()) };
    let mut hidden = Vec::new();
    if !sees.personal {
        hidden.push(label(LABEL_SYSTEM, PERSONAL));
    }
    if !sees.restricted {
        hidden.push(label(CONFIDENTIALITY, "R"));
    }
    if !sees.very_restricted {
        hidden.push(label(CONFIDENTIALITY, "V"));
    }
    hidden
}

/// That nothing is more sensitive than may be seen.
fn hidden_labels(sees: Sensitivity) -> Option<Condition> {
    let hidden = labels_beyond(sees);
    (!hidden.is_empty()).then_some(Condition::Unlabelled(hidden))
}

/// A search that finds only what its caller may see; nothing else can be compiled.
#[derive(Clone, Debug)]
pub struct NarrowedSearch<'a> {
    pub(super) request: Cow<'a, SearchRequest>,
    pub(super) filter: AccessFilter,
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
        let named = self.resource_type.iter().chain(&self.types);
        for resource_type in named.clone() {
            filter.permitted(*resource_type, Right::Search)?;
        }
        let mut types: Vec<ResourceType> = named.copied().collect();
        if self.control.contained.is_some() {
            // What is bound are the containers, of whatever type.
            types.clear();
        }
        match filter.view(&types, Right::Search) {
            View::Nothing => return Err(NotPermitted { resource_type: None, right: Right::Search }),
            View::Everything => {}
            View::Where(condition) => bind(condition, &mut request),
        }
        for demand in &mut request.demands {
            narrow(&mut demand.condition, filter)?;
        }
        request.stamp = filter.stamp();
        Ok(NarrowedSearch { request: Cow::Owned(request), filter: filter.clone() })
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
        Condition::And(all) | Condition::Or(all) => {
            all.iter_mut().try_for_each(|condition| narrow(condition, filter))?;
        }
        Condition::Not(negated) => narrow(negated, filter)?,
        Condition::ByType(types) => types.iter_mut().try_for_each(|(_, condition)| narrow(condition, filter))?,
        Condition::Contains(Contains { condition, .. }) => narrow(condition, filter)?,
        Condition::Criterion(criterion) => check_hierarchy(criterion, filter)?,
        Condition::Owned(_)
        | Condition::OfTypes(_)
        | Condition::Unlabelled(_)
        | Condition::Consented(..)
        | Condition::Targets(_)
        | Condition::AttachedTo(_) => {}
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
        if !is_whole || matches!(filter.view(&[of], Right::Search), View::Nothing) {
            return Err(NotPermitted { resource_type: Some(of), right: Right::Search });
        }
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
