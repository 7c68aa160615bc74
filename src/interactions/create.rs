//! The create interaction, plain and conditional.
//!
//! Spec: R4 http.html#create, #ccreate

use crate::access::Caller;
use crate::fhir::{Resource, ResourceType};
use crate::interactions::{Answer, Engine, InteractionError, Write};
use crate::store::Tx;

/// A create that is ready to be written. An id in the body is ignored, as the specification says.
pub struct Create {}

impl Create {
    /// Checks everything that needs no lock. `if_none_exist` is the search of that header, such as `identifier=a|b`.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        resource_type: ResourceType,
        resource: Resource,
        if_none_exist: Option<&str>,
    ) -> Result<Create, InteractionError> {
        let _ = (engine, caller, resource_type, resource, if_none_exist);
        todo!()
    }
}

impl Write for Create {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        let _ = tx;
        todo!()
    }
}
