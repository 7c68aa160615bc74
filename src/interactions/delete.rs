//! The delete interaction, plain and conditional.
//!
//! Spec: R4 http.html#delete, #3.1.0.7.1

use crate::access::Caller;
use crate::fhir::{ResourceKey, ResourceType};
use crate::interactions::{Answer, Engine, InteractionError, Precondition, Write};
use crate::store::Tx;

/// A delete. Of what is not there or is deleted already it answers `Absent`.
pub struct Delete {}

impl Delete {
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        key: &ResourceKey,
        precondition: Precondition,
    ) -> Result<Delete, InteractionError> {
        let _ = (engine, caller, key, precondition);
        todo!()
    }
}

impl Write for Delete {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        let _ = tx;
        todo!()
    }
}

/// A delete of what matches criteria: one resource, or several where the settings allow that.
pub struct ConditionalDelete {}

impl ConditionalDelete {
    /// `criteria` is the query string; empty criteria are refused.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        resource_type: ResourceType,
        criteria: &str,
        precondition: Precondition,
    ) -> Result<ConditionalDelete, InteractionError> {
        let _ = (engine, caller, resource_type, criteria, precondition);
        todo!()
    }
}

impl Write for ConditionalDelete {
    /// The answer of each deletion; empty when nothing matched.
    type Answer = Vec<Answer>;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Vec<Answer>, InteractionError> {
        let _ = tx;
        todo!()
    }
}
