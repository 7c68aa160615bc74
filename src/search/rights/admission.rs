//! Which old versions and deletions a caller may see: they are in no index, so each version is judged by its own content, and a deletion by
//! that of the version before it.

use std::sync::Arc;

use crate::fhir::Resource;
use crate::search::{AccessFilter, LabelSet, Party, Permit, Reach, Right, SHARED_TYPES, Sensitivity, owners};
use crate::store::Hasher;

/// Whether the content of a version is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    Closed,
    /// Unless a Consent keeps it from whoever asks.
    Consented(Arc<Party>),
    Open,
}

impl AccessFilter {
    /// Whether the content of a version by itself is open to `right`: for versions that are no longer in the index. `is_own` says
    /// that the caller created it, and nothing has had it as an attachment since.
    pub fn admits(&self, resource: &Resource, hasher: &Hasher, right: Right, is_own: bool) -> Admission {
        self.admitted(resource, hasher, is_own, |permit| permit.rights.has(right) && permit.opens_history())
    }

    /// Whether it may be seen that a resource was deleted, of which `last` is the version before that.
    pub fn admits_deletion(&self, last: &Resource, hasher: &Hasher, right: Right) -> Admission {
        let is_shared = SHARED_TYPES.contains(&last.resource_type);
        self.admitted(last, hasher, false, |permit| permit.rights.has(right) && (permit.sees_deletions || is_shared))
    }

    /// Whether one of the permits that `counts` opens the content.
    fn admitted(
        &self,
        resource: &Resource,
        hasher: &Hasher,
        is_own: bool,
        counts: impl Fn(&Permit) -> bool,
    ) -> Admission {
        let Some(bounds) = &self.0 else { return Admission::Open };
        let of = resource.resource_type;
        let owners = owners(resource, hasher, &bounds.bases);
        let is_open = |permit: &&Permit| {
            let is_of_type = permit.resource_type.is_none_or(|only| only == of);
            let is_in_reach = match &permit.reach {
                Reach::Everything => true,
                Reach::Records(_) if is_own => true,
                Reach::Records(patients) => {
                    SHARED_TYPES.contains(&of) || patients.iter().any(|patient| owners.contains(&hasher.key(patient)))
                }
            };
            is_of_type && is_in_reach && permit.only.is_empty() && counts(permit)
        };
        let labels = LabelSet::of(&resource.value);
        let is_hidden = |sees: Sensitivity| labels.meets(LabelSet::beyond(sees));
        let mut open = bounds.permits.iter().filter(is_open).filter(|permit| !is_hidden(permit.sees)).peekable();
        match (open.peek().is_some(), &bounds.party) {
            (false, _) => Admission::Closed,
            (true, Some(party)) if open.all(|permit| permit.heeds_consents) => Admission::Consented(Arc::clone(party)),
            (true, _) => Admission::Open,
        }
    }
}
