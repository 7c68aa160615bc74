//! The update interaction, plain and conditional.
//!
//! Spec: R4 http.html#update, #upsert, #cond-update

use crate::access::Caller;
use crate::fhir::{Id, Issue, IssueCode, Resource, ResourceKey, ResourceType};
use crate::interactions::conditional::Criteria;
use crate::interactions::create::same_type;
use crate::interactions::prepared::Prepared;
use crate::interactions::sight::{known, permitted, standing_or_new};
use crate::interactions::{Answer, Engine, InteractionError, Write};
use crate::search::Right;
use crate::store::{Locked, Method, Tx};

/// What must hold before a resource is changed.
///
/// Spec: R4 http.html#concurrency
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// Versions of which one must be the current one (`If-Match`), `*` for any; `None` when the header is absent.
    pub if_match: Option<Vec<String>>,
    /// The resource must not exist (`If-None-Match: *`).
    pub if_none_match_any: bool,
}

/// An update that is ready to be written.
pub struct Update {
    key: ResourceKey,
    caller: Caller,
    prepared: Prepared,
    precondition: Precondition,
    may_create: bool,
}

impl Update {
    /// Checks everything that needs no lock. The body must name the id of `key`.
    pub fn prepare(
        engine: &Engine,
        caller: &Caller,
        key: &ResourceKey,
        resource: Resource,
        precondition: Precondition,
    ) -> Result<Update, InteractionError> {
        permitted(caller, key.resource_type, Right::Update)?;
        same_type(key.resource_type, &resource)?;
        let place = || format!("{}.id", key.resource_type);
        let problem = match &resource.id {
            Some(id) if *id == key.id => None,
            Some(_) => Some(Issue::error(
                IssueCode::Invalid,
                place(),
                format!("the id in the body differs from the one in the address: both must be '{}'", key.id),
            )),
            None => Some(Issue::error(
                IssueCode::Required,
                place(),
                format!("an update needs the id in the body: add \"id\": \"{}\"", key.id),
            )),
        };
        if let Some(problem) = problem {
            return Err(InteractionError::Invalid(vec![problem]));
        }
        let prepared = Prepared::new(engine, caller, key, precondition.next_version(), &resource)?;
        known(engine, caller, key, Right::Update).map_err(|error| precondition.unknown(error))?;
        let (caller, may_create) = (caller.clone(), engine.fhir.update_creates);
        Ok(Update { key: key.clone(), caller, prepared, precondition, may_create })
    }
}

impl Write for Update {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        let previous = standing(tx, &self.caller, &self.key, &self.precondition, self.may_create)?;
        self.prepared.write(tx, self.key.clone(), previous, Method::Update)
    }
}

/// Holds what stands at `key`, once the precondition allows the update.
pub(super) fn standing(
    tx: &mut Tx<'_>,
    caller: &Caller,
    key: &ResourceKey,
    precondition: &Precondition,
    may_create: bool,
) -> Result<Option<Locked>, InteractionError> {
    let previous = standing_or_new(tx, caller, key).map_err(|error| precondition.unknown(error))?;
    precondition.check(key, previous.as_ref())?;
    if previous.is_none() && !may_create {
        return Err(InteractionError::ClientIdRefused(key.clone()));
    }
    Ok(previous)
}

/// An update of the one resource that matches criteria, or a create when none does.
pub struct ConditionalUpdate {
    caller: Caller,
    criteria: Criteria,
    /// What it was prepared for: what matched then, or the resource that would be new.
    key: ResourceKey,
    is_new: bool,
    /// The id in the body, if there is one.
    id: Option<Id>,
    prepared: Prepared,
    precondition: Precondition,
    may_create: bool,
}

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
        permitted(caller, resource_type, Right::Update)?;
        same_type(resource_type, &resource)?;
        let criteria = Criteria::parse(engine, caller, resource_type, criteria)?;
        let found = criteria.look_up(engine, 2)?.into_iter().next();
        let (is_new, version) = (found.is_none(), found.as_ref().map_or(1, |row| row.version + 1));
        let fresh = || ResourceKey { resource_type, id: resource.id.clone().unwrap_or_else(Id::random) };
        let key = found.map_or_else(fresh, |row| row.key);
        let prepared = Prepared::new(engine, caller, &key, version, &resource)?;
        let (caller, id, may_create) = (caller.clone(), resource.id, engine.fhir.update_creates);
        Ok(ConditionalUpdate { caller, criteria, key, is_new, id, prepared, precondition, may_create })
    }
}

impl Write for ConditionalUpdate {
    type Answer = Answer;

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Answer, InteractionError> {
        let resource_type = self.criteria.resource_type;
        let found = self.criteria.find_locked(tx, 2)?;
        let Some(row) = self.criteria.single(found)? else {
            if !self.is_new {
                return Err(InteractionError::Stale);
            }
            let key = self.key.clone();
            if self.id.is_none() {
                self.precondition.check(&key, None)?;
                return self.prepared.write(tx, key, None, Method::Update);
            }
            // R4: no match and an id in the body is an update as create, so nothing may stand there yet.
            let previous = standing(tx, &self.caller, &key, &self.precondition, self.may_create)?;
            if previous.as_ref().is_some_and(|previous| !previous.is_deleted) {
                return Err(InteractionError::Exists(key));
            }
            return self.prepared.write(tx, key, previous, Method::Update);
        };
        if self.id.as_ref().is_some_and(|id| *id != row.key.id) {
            return Err(InteractionError::Invalid(vec![Issue::error(
                IssueCode::Invalid,
                format!("{resource_type}.id"),
                "the id in the body is not that of the resource that the criteria match: leave it out, or send the right one",
            )]));
        }
        if row.key != self.key {
            return Err(InteractionError::Stale);
        }
        let previous = standing(tx, &self.caller, &row.key, &self.precondition, self.may_create)?;
        self.prepared.write(tx, row.key, previous, Method::Update)
    }
}
