//! All that a caller may see and do: the union of its permits, and the conditions that open what they allow.
//!
//! Spec: SMART App Launch 2.2, scopes for requesting clinical data

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use crate::fhir::{Resource, ResourceKey, ResourceType};
use crate::search::fold::fold_code;
use crate::search::{
    Condition, Criterion, LabelSet, Party, Permit, RECORDED, RECORDED_SYSTEM, Reach, Registry, Right, Rights,
    SHARED_TYPES, Sensitivity, StateCode, Use,
};
use crate::store::{Hasher, IndexRows};

/// All that a caller may see and do.
#[derive(Clone, Debug)]
pub struct AccessFilter(pub(super) Option<Arc<Bounds>>);

/// What a caller who holds a token may do.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub permits: Vec<Permit>,
    /// What the scopes of the token name, whatever of it is granted; `None` is any type.
    pub named: Vec<(Option<ResourceType>, Rights)>,
    /// What the caller may keep as an app.
    pub states: Vec<StateCode>,
    /// The Patients in whose records the caller may write whatever gives access to others.
    pub custodian_of: Vec<ResourceKey>,
    /// Who asks, for what Consents deny; `None` where no Consent denies anything.
    pub party: Option<Arc<Party>>,
    /// Minutes east of UTC, for dates in scopes that name no zone.
    pub zone_minutes: i16,
    /// The server's own base URLs, without a slash at the end.
    pub bases: Arc<[String]>,
    /// Who holds the token, on whose behalf: what they create is known by it (`Condition::CreatedBy`).
    pub holder: Arc<str>,
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

/// Some of what was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletions {
    /// Any, when there are none.
    pub types: Vec<ResourceType>,
    /// The Patients whose records it was part of; `None` for whosever it was.
    pub records: Option<Vec<ResourceKey>>,
}

/// The caller has no right of this kind for the type at all, whichever resource it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPermitted {
    /// `None` where no type is named.
    pub resource_type: Option<ResourceType>,
    pub right: Right,
    pub lack: Lack,
}

/// What it is that a caller lacks for a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A scope of the token that names it.
    Scope,
    /// Access that is in force: the scopes name it, and nothing that is granted opens any.
    Access,
    /// Access to all records: the type is part of none.
    AllRecords,
    /// A scope for what Provenances are about.
    Targets,
    /// Sight of all that a hierarchy by this search parameter passes through.
    Hierarchy(&'static str),
}

/// Types whose resources lead to what is in a Binary.
static HOLDERS: LazyLock<Vec<ResourceType>> = LazyLock::new(|| {
    ["DiagnosticReport", "DocumentReference", "Media"]
        .iter()
        .filter_map(|name| ResourceType::parse(name).ok())
        .collect()
});

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

    /// Whether old versions of anything may be seen; which, [`AccessFilter::admits`] says.
    pub fn sees_history(&self) -> bool {
        self.0.as_ref().is_none_or(|bounds| bounds.permits.iter().any(Permit::opens_history))
    }

    /// Whether what gives access to others may be written where it is part of the records of all these Patients, given by their keys.
    /// Nobody keeps what is part of no record.
    pub fn is_custodian_of(&self, owners: &BTreeSet<i64>, hasher: &Hasher) -> bool {
        self.0.as_ref().is_none_or(|bounds| {
            let kept: BTreeSet<i64> = bounds.custodian_of.iter().map(|patient| hasher.key(patient)).collect();
            !owners.is_empty() && owners.is_subset(&kept)
        })
    }

    /// Whether the caller may do all there is with whatever there is, as an operator.
    pub fn administers(&self) -> bool {
        let is_whole = |permit: &Permit| {
            permit.resource_type.is_none()
                && permit.reach == Reach::Everything
                && permit.only.is_empty()
                && permit.rights == Rights::ALL
        };
        self.0.as_ref().is_none_or(|bounds| bounds.permits.iter().any(is_whole))
    }

    /// Whether there is anything that the caller may change whosever record it is part of.
    pub fn changes_any_record(&self) -> bool {
        let changes = [Right::Create, Right::Update, Right::Delete];
        let is_wide = |permit: &Permit| {
            permit.reach == Reach::Everything && changes.iter().any(|right| permit.rights.has(*right))
        };
        self.0.as_ref().is_none_or(|bounds| bounds.permits.iter().any(is_wide))
    }

    /// The permits with `right` for AuditEvents, as the audit trail applies them: whose trail, and what an event must meet.
    pub fn trail_permits(&self, right: Right) -> Vec<(&Reach, &[Criterion])> {
        let permits = self.0.iter().flat_map(|bounds| &bounds.permits);
        let is_for = |permit: &&Permit| {
            permit.rights.has(right) && permit.resource_type.is_none_or(|only| only == ResourceType::AUDIT_EVENT)
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

    /// Whether it is of a kind that the caller keeps as an app.
    pub fn keeps_as_state(&self, resource: &Resource) -> bool {
        self.0.as_ref().is_some_and(|bounds| bounds.states.iter().any(|state| state.is_of(resource)))
    }

    /// Who holds the token, on whose behalf; `None` where nobody is known.
    pub fn holder(&self) -> Option<&Arc<str>> {
        self.0.as_ref().map(|bounds| &bounds.holder)
    }

    /// Minutes east of UTC, for dates in scopes that name no zone.
    pub fn zone_minutes(&self) -> i16 {
        self.0.as_ref().map_or(0, |bounds| bounds.zone_minutes)
    }

    /// Whether all resources of the type are open to `right`, whosever record they are part of, as to a system client.
    pub fn reaches_all(&self, resource_type: ResourceType, right: Right) -> bool {
        let reaches = |permit: &Permit| permit.reaches_all(resource_type, right);
        self.0.as_ref().is_none_or(|bounds| bounds.permits.iter().any(reaches))
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

    /// What the caller may do in the record of the Patient with the key `patient` alone.
    pub fn on_record(&self, patient: i64, hasher: &Hasher) -> AccessFilter {
        let Some(bounds) = &self.0 else { return self.clone() };
        let on_it = |permit: &Permit| match &permit.reach {
            Reach::Everything => Some(permit.clone()),
            Reach::Records(patients) => {
                let only = patients.iter().find(|known| hasher.key(known) == patient)?;
                Some(Permit { reach: Reach::Records(vec![only.clone()]), ..permit.clone() })
            }
        };
        let permits = bounds.permits.iter().filter_map(on_it).collect();
        AccessFilter::bounded(Bounds { permits, ..Bounds::clone(bounds) })
    }

    /// What the caller may make of a resource of this type. Whoever may write it may label it, even so that it is hidden from
    /// then on.
    pub fn view_of_written(&self, resource_type: ResourceType, right: Right) -> View {
        self.opened(
            |permit, terms| {
                let sees = Sensitivity { app_state: permit.sees.app_state, ..Sensitivity::ALL };
                let permit = Permit { sees, ..permit.clone() };
                // What it is made of need not have been seen.
                let uses = [use_of(right)];
                self.terms(&permit, &[resource_type], right, &uses, true, terms);
            },
            right,
        )
    }

    /// Of what may have been deleted among `types` (among all, when there are none) so that the caller may know; the labels and Consents
    /// that count are still to be asked, by [`AccessFilter::admits_deletion`].
    pub fn deletions(&self, types: &[ResourceType], right: Right) -> Vec<Deletions> {
        let mut deletions = Vec::new();
        let is_wanted = |of: &ResourceType| types.is_empty() || types.contains(of);
        let permits = self.0.iter().flat_map(|bounds| &bounds.permits);
        for permit in permits.filter(|permit| permit.rights.has(right) && permit.only.is_empty()) {
            let of: Vec<ResourceType> = permit.resource_type.into_iter().collect();
            if !of.iter().all(is_wanted) {
                continue;
            }
            if let Reach::Records(patients) = &permit.reach {
                let is_open = |shared: &ResourceType| is_wanted(shared) && (of.is_empty() || of.contains(shared));
                let shared: Vec<ResourceType> = SHARED_TYPES.iter().copied().filter(is_open).collect();
                if !shared.is_empty() {
                    deletions.push(Deletions { types: shared, records: None });
                }
                if permit.sees_deletions {
                    deletions.push(Deletions { types: of, records: Some(patients.clone()) });
                }
            } else if permit.sees_deletions {
                deletions.push(Deletions { types: of, records: None });
            }
        }
        deletions
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
            View::Nothing => Err(self.lacking(Some(resource_type), right)),
            view => Ok(view),
        }
    }

    /// Why nothing is open to `right`: of a type, or of any where none is named.
    pub fn lacking(&self, resource_type: Option<ResourceType>, right: Right) -> NotPermitted {
        let is_for = |of: Option<ResourceType>, rights: Rights| {
            let is_of_type = resource_type.is_none_or(|wanted| of.is_none_or(|of| of == wanted));
            is_of_type && rights.has(right)
        };
        let bounds = self.0.iter();
        let is_named = bounds.clone().flat_map(|bounds| &bounds.named).any(|(of, rights)| is_for(*of, *rights));
        let is_given =
            bounds.flat_map(|bounds| &bounds.permits).any(|permit| is_for(permit.resource_type, permit.rights));
        let lack = match resource_type {
            _ if !is_named => Lack::Scope,
            Some(of) if is_given && SHARED_TYPES.contains(&of) => Lack::AllRecords,
            Some(of) if is_given && of == ResourceType::PROVENANCE => Lack::Targets,
            _ => Lack::Access,
        };
        NotPermitted { resource_type, right, lack }
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
            let all = of_types.into_iter().chain(conditions).chain(only).chain(unlabelled(permit.sees));
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
        if with_provenance && is_wanted(&ResourceType::PROVENANCE) {
            // What is told of a Provenance is not told: it would have no end.
            let targets = match self.view_of(&[], Right::Read, false) {
                View::Nothing => None,
                View::Everything => Some(Condition::And(Vec::new())),
                View::Where(condition) => Some(condition),
            };
            if let Some(targets) = targets {
                add(vec![ResourceType::PROVENANCE], vec![Condition::Targets(Box::new(targets))], &[]);
            }
        }
        let has_binaries = is_wanted(&ResourceType::BINARY);
        if has_binaries
            && reads
            && let View::Where(holder) = self.view(&HOLDERS, Right::Read)
        {
            add(vec![ResourceType::BINARY], vec![Condition::AttachedTo(Box::new(holder))], &consented);
        }
        if has_binaries && let Some(holder) = self.holder() {
            // It is part of no record, about which a Consent could say anything.
            add(vec![ResourceType::BINARY], vec![Condition::CreatedBy(Arc::clone(holder))], &[]);
        }
        let is_by_owner = |of: &ResourceType| {
            !SHARED_TYPES.contains(of) && *of != ResourceType::PROVENANCE && (reads || *of != ResourceType::AUDIT_EVENT)
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

    /// Tells the pages of one caller from those of another.
    pub fn stamp(&self) -> u64 {
        self.0.as_ref().map_or(0, |bounds| bounds.stamp)
    }
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

/// That nothing is more sensitive than may be seen.
fn unlabelled(sees: Sensitivity) -> Option<Condition> {
    let hidden = LabelSet::beyond(sees);
    (!hidden.is_empty()).then_some(Condition::Unlabelled(hidden))
}
