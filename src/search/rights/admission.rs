//! Which old versions a caller may see: they are in no index, so each is judged by its own content.

use std::sync::Arc;

use serde_json::Value;

use super::permit::labels_beyond;
use crate::fhir::Resource;
use crate::search::{AccessFilter, Party, Permit, Reach, Right, SHARED_TYPES, Sensitivity, TokenValue, owners};
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
                    text("system") == hidden.system.as_deref() && text("code") == hidden.code.as_deref()
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
}
