//! The patch interaction, on an instance and conditional.
//!
//! Spec: R4 http.html#patch

use serde_json::Value;

use crate::access::Caller;
use crate::fhir::{ResourceKey, ResourceType};
use crate::interactions::{Answer, Engine, InteractionError, Precondition, Write};
use crate::store::Tx;

/// The body of a patch.
#[derive(Clone, Debug)]
pub enum PatchDocument {
    /// RFC 6902, `application/json-patch+json`.
    JsonPatch(Value),
    /// A Parameters resource, `application/fhir+json`.
    FhirPath(Value),
}

/// A patch that is ready to be written: applied to the version that was current when it was prepared. When another
/// version is current by then, it says `Stale`.
pub struct Patch {}

impl Patch {
    /// Reads the resource, patches and checks it.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        key: &ResourceKey,
        document: &PatchDocument,
        precondition: Precondition,
    ) -> Result<Patch, InteractionError> {
        let _ = (engine, caller, key, document, precondition);
        todo!()
    }

    /// The same for the one resource that `criteria` (a query string) match.
    pub fn prepare_conditional(
        engine: &Engine,
        caller: &Caller,
        resource_type: ResourceType,
        criteria: &str,
        document: &PatchDocument,
        precondition: Precondition,
    ) -> Result<Patch, InteractionError> {
        let _ = (engine, caller, resource_type, criteria, document, precondition);
        todo!()
    }
}

impl Write for Patch {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        let _ = tx;
        todo!()
    }
}
