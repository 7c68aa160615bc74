//! The patch interaction, on an instance and conditional.
//!
//! Spec: R4 http.html#patch

use serde_json::Value;

use crate::access::Caller;
use crate::fhir::{Issue, IssueCode, Resource, ResourceKey, ResourceType};
use crate::interactions::conditional::Criteria;
use crate::interactions::patch::{fhirpath_patch, json_patch};
use crate::interactions::prepared::Prepared;
use crate::interactions::sight::{permitted, standing_or_new};
use crate::interactions::whole::whole;
use crate::interactions::{Answer, Engine, InteractionError, Precondition, Write, read};
use crate::search::Right;
use crate::store::{Method, ResourceRow, Tx};

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
pub struct Patch {
    caller: Caller,
    key: ResourceKey,
    /// The version that was patched.
    base: i64,
    prepared: Prepared,
    precondition: Precondition,
    criteria: Option<Criteria>,
}

impl Patch {
    /// Reads the resource, patches and checks it.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        key: &ResourceKey,
        document: &PatchDocument,
        precondition: Precondition,
    ) -> Result<Patch, InteractionError> {
        permitted(caller, key.resource_type, Right::Update)?;
        let row = engine.store.read_one(|reader| read(reader, caller, key))?;
        Patch::of(engine, caller, row, document, precondition, None)
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
        permitted(caller, resource_type, Right::Update)?;
        let criteria = Criteria::parse(engine, caller, resource_type, criteria)?;
        let found = criteria.look_up(engine, 2)?;
        let row = criteria.single(found)?.ok_or(InteractionError::NoMatch(resource_type))?;
        Patch::of(engine, caller, row, document, precondition, Some(criteria))
    }

    fn of(
        engine: &Engine,
        caller: &Caller,
        row: ResourceRow,
        document: &PatchDocument,
        precondition: Precondition,
        criteria: Option<Criteria>,
    ) -> Result<Patch, InteractionError> {
        let resource = patched(engine, &row, document)?;
        let prepared = prepare_patched(engine, caller, &row, &resource)?;
        Ok(Patch { caller: caller.clone(), key: row.key, base: row.version, prepared, precondition, criteria })
    }
}

impl Write for Patch {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        if let Some(criteria) = &self.criteria {
            let found = criteria.find_locked(tx, 2)?;
            if criteria.single(found)?.is_none_or(|row| row.key != self.key) {
                return Err(InteractionError::Stale);
            }
        }
        let previous = standing_or_new(tx, &self.caller, &self.key)?;
        self.precondition.check(&self.key, previous.as_ref())?;
        if previous.as_ref().is_none_or(|previous| previous.version != self.base) {
            return Err(InteractionError::Stale);
        }
        self.prepared.write(tx, self.key.clone(), previous, Method::Update)
    }
}

/// The resource that `document` makes of the version `row`; not validated yet.
pub(super) fn patched(
    engine: &Engine,
    row: &ResourceRow,
    document: &PatchDocument,
) -> Result<Resource, InteractionError> {
    let mut value = whole(row)?;
    let most_bytes = engine.limits.resource_bytes;
    match document {
        PatchDocument::JsonPatch(operations) => json_patch::apply(&mut value, operations, most_bytes)?,
        PatchDocument::FhirPath(parameters) => fhirpath_patch::apply(&mut value, parameters, most_bytes)?,
    }
    let resource = Resource::from_value(value).map_err(|issue| InteractionError::Unprocessable(vec![issue]))?;
    if resource.id.as_ref() != Some(&row.key.id) || resource.resource_type != row.key.resource_type {
        return Err(InteractionError::Unprocessable(vec![Issue::error(
            IssueCode::BusinessRule,
            format!("{}.id", row.key.resource_type),
            "a patch may not change the type or the id of a resource",
        )]));
    }
    Ok(resource)
}

/// Checks what the version `row` was patched to. The request was well-formed; if what came out of it is not, it is unprocessable.
pub(super) fn prepare_patched(
    engine: &Engine,
    caller: &Caller,
    row: &ResourceRow,
    resource: &Resource,
) -> Result<Prepared, InteractionError> {
    Prepared::new(engine, caller, &row.key, row.version + 1, resource).map_err(|error| match error {
        InteractionError::Invalid(issues) => InteractionError::Unprocessable(issues),
        other => other,
    })
}
