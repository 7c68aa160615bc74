//! The create interaction, plain and conditional.
//!
//! Spec: R4 http.html#create, #ccreate

use crate::access::Caller;
use crate::fhir::{Id, Issue, IssueCode, Resource, ResourceKey, ResourceType};
use crate::interactions::conditional::Criteria;
use crate::interactions::prepared::Prepared;
use crate::interactions::sight::permitted;
use crate::interactions::{Answer, Effect, Engine, InteractionError, Write};
use crate::search::Right;
use crate::store::{Method, Tx};

/// A create that is ready to be written. An id in the body is ignored, as the specification says.
pub struct Create {
    key: ResourceKey,
    prepared: Prepared,
    unless: Option<Criteria>,
}

impl Create {
    /// Checks everything that needs no lock. `if_none_exist` is the search of that header, such as `identifier=a|b`.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        resource_type: ResourceType,
        mut resource: Resource,
        if_none_exist: Option<&str>,
    ) -> Result<Create, InteractionError> {
        permitted(caller, resource_type, Right::Create)?;
        same_type(resource_type, &resource)?;
        let unless = if_none_exist.map(|text| Criteria::parse(engine, caller, resource_type, text)).transpose()?;
        if let Some(criteria) = &unless {
            criteria.look_up(engine, 2)?;
        }
        let id = Id::random();
        resource.set_id(id.clone());
        let key = ResourceKey { resource_type, id };
        let prepared = Prepared::new(engine, caller, &key, 1, &resource)?;
        Ok(Create { key, prepared, unless })
    }
}

impl Write for Create {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        if let Some(criteria) = &self.unless {
            let found = criteria.find_locked(tx, 2)?;
            if let Some(row) = criteria.single(found)? {
                self.prepared.give(&row);
                return Ok(Answer { effect: Effect::Matched, row: Some(row), issues: Vec::new() });
            }
        }
        self.prepared.write(tx, self.key.clone(), None, Method::Create)
    }
}

/// Refuses a body of another type than the one in the address.
pub(super) fn same_type(resource_type: ResourceType, resource: &Resource) -> Result<(), InteractionError> {
    if resource.resource_type == resource_type {
        return Ok(());
    }
    let found = resource.resource_type.with_article();
    let text =
        format!("the address is for {resource_type}, but the body is {found}: send one to the address of the other");
    Err(InteractionError::Invalid(vec![Issue::error(IssueCode::Invalid, "resourceType", text)]))
}
