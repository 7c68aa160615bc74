//! The update interaction, plain and conditional.
//!
//! Spec: R4 http.html#update, #upsert, #cond-update

use crate::access::Caller;
use crate::fhir::{Resource, ResourceKey, ResourceType};
use crate::interactions::{Answer, Engine, InteractionError, Write};
use crate::store::Tx;

/// What must hold before a resource is changed.
///
/// Spec: R4 http.html#concurrency
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// Versions of which one must be the current one (`If-Match`); `None` when the header is absent.
    pub if_match: Option<Vec<String>>,
    /// The resource must not exist (`If-None-Match: *`).
    pub if_none_match_any: bool,
}

/// An update that is ready to be written.
pub struct Update {}

impl Update {
    /// Checks everything that needs no lock. The body must name the id of `key`.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        key: &ResourceKey,
        resource: Resource,
        precondition: Precondition,
    ) -> Result<Update, InteractionError> {
        let _ = (engine, caller, key, resource, precondition);
        todo!()
    }
}

impl Write for Update {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        let _ = tx;
        todo!()
    }
}

/// An update of the one resource that matches criteria, or a create when none does.
pub struct ConditionalUpdate {}

impl ConditionalUpdate {
    /// Checks everything that needs no lock. `criteria` is the query string.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        resource_type: ResourceType,
        criteria: &str,
        resource: Resource,
        precondition: Precondition,
    ) -> Result<ConditionalUpdate, InteractionError> {
        let _ = (engine, caller, resource_type, criteria, resource, precondition);
        todo!()
    }
}

impl Write for ConditionalUpdate {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        let _ = tx;
        todo!()
    }
}
