//! What a resource needs before it can be written, done without any lock: checks, packing, index rows.

use crate::access::{Caller, Deed};
use crate::fhir::{Issue, IssueCode, Resource, ResourceKey, ResourceType};
use crate::interactions::app_state;
use crate::interactions::provenance::Origin;
use crate::interactions::recorded;
use crate::interactions::sight::{Gained, check_change, check_written, gained};
use crate::interactions::{Answer, Effect, Engine, InteractionError};
use crate::search::{ExtractContext, OwnParameter, Registry, Right, extract, problem_of_parameter, read_own_parameter};
use crate::store::{
    Bond, Creator, Guard, Hasher, IndexRows, Locked, Method, Packed, PatientRow, Put, ResourceRow, Tx, Written,
};
use crate::validation;

/// A resource that is valid and ready to be stored.
pub(super) struct Prepared {
    /// Who writes it.
    caller: Caller,
    tail: Vec<u8>,
    packed: Packed,
    rows: IndexRows,
    /// What validation had to say besides.
    issues: Vec<Issue>,
    /// The generation of the rules that `rows` were made by.
    rules: i64,
    /// Of a SearchParameter: what it puts in force, if anything.
    definition: Option<OwnParameter>,
    /// `FhirSettings::version_unchanged`
    version_unchanged: bool,
    /// Whether it is a Binary that does not say whose it is.
    is_lone: bool,
    /// What tells where it comes from, if anything.
    origin: Option<Box<Origin>>,
}

impl Prepared {
    /// Validates `resource`, which is to become `key`, most likely as its version `version`, and extracts its index rows.
    pub(super) fn new(
        engine: &Engine,
        caller: &Caller,
        key: &ResourceKey,
        version: i64,
        resource: &Resource,
    ) -> Result<Prepared, InteractionError> {
        let stated = app_state::stated(caller, resource);
        let resource = stated.as_ref().unwrap_or(resource);
        let issues = checked(validation::validate(resource, &engine.bases))?;
        app_state::check(resource)?;
        let registry = engine.registry();
        let definition = match resource.resource_type.name() {
            "SearchParameter" => {
                read_own_parameter(&resource.value, &registry).map_err(InteractionError::Unprocessable)?
            }
            _ => None,
        };
        let rows = indexed(resource, &engine.store.hasher(), &engine.bases, &registry)?;
        let origin = Origin::of(engine, &registry, caller, key, version, resource)?.map(Box::new);
        let tail = resource.tail();
        let packed = engine.store.pack(resource.resource_type, &tail);
        let (rules, version_unchanged) = (registry.generation(), engine.fhir.version_unchanged);
        let is_lone = resource.resource_type == ResourceType::BINARY && resource.value.get("securityContext").is_none();
        let caller = caller.clone();
        Ok(Prepared { caller, tail, packed, rows, issues, rules, definition, version_unchanged, is_lone, origin })
    }

    /// Writes it as the next version of `key`; an equal current version stays as it is.
    pub(super) fn write(
        &self,
        tx: &mut Tx<'_>,
        key: ResourceKey,
        previous: Option<Locked>,
        method: Method,
    ) -> Result<Answer, InteractionError> {
        if let Some(unchanged) = self.unchanged(tx, &key, previous.as_ref())? {
            return Ok(unchanged);
        }
        let put = self.put(tx, key, previous, method)?;
        let (effect, gained) = (effect(&put), gained(tx, &self.caller, &put)?);
        let origin = self.origin(tx, &put)?;
        let (written, recorded) = recorded::put(tx, &self.caller, put, origin)?;
        self.check_written(tx, effect, &written, &gained)?;
        recorded.conclude(tx, &self.caller)?;
        Ok(self.answer(effect, written))
    }

    /// Refuses what was written where the caller may not write it.
    pub(super) fn check_written(
        &self,
        tx: &mut Tx<'_>,
        effect: Effect,
        written: &Written,
        gained: &Gained,
    ) -> Result<(), InteractionError> {
        let right = if effect == Effect::Created { Right::Create } else { Right::Update };
        check_written(tx, &self.caller, written, right, gained)
    }

    /// The answer `Unchanged` when the current version says the same and the settings spare a new one.
    pub(super) fn unchanged(
        &self,
        tx: &mut Tx<'_>,
        key: &ResourceKey,
        previous: Option<&Locked>,
    ) -> Result<Option<Answer>, InteractionError> {
        if self.version_unchanged || previous.is_none_or(|previous| previous.is_deleted) {
            return Ok(None);
        }
        // Whoever writes it has been allowed to see it.
        let current = tx.current(key, &Guard::unbounded("unchanged"))?;
        let same = current.filter(|row| row.tail.as_deref() == Some(self.tail.as_slice()));
        same.iter().for_each(|row| self.give(row));
        Ok(same.map(|row| Answer { effect: Effect::Unchanged, row: Some(row), issues: self.issues.clone() }))
    }

    /// Notes that the writer is given what stands in place of a new version.
    pub(super) fn give(&self, row: &ResourceRow) {
        recorded::give(&self.caller, Deed::Read, [row].into_iter());
    }

    /// The version to write.
    pub(super) fn put(
        &self,
        tx: &mut Tx<'_>,
        key: ResourceKey,
        previous: Option<Locked>,
        method: Method,
    ) -> Result<Put, InteractionError> {
        if let Some(own) = &self.definition
            && tx.is_defined_elsewhere(&own.url, previous.as_ref())?
        {
            let text = "another SearchParameter has this URL: change that one, or choose another";
            let issue = problem_of_parameter(IssueCode::Duplicate, "url", text);
            return Err(InteractionError::Unprocessable(vec![issue]));
        }
        let mut rows = self.rows.clone();
        if key.resource_type == ResourceType::PATIENT {
            // A Patient is in its own compartment and record; its id may have become known only now.
            rows.patients.push(PatientRow { patient: tx.hasher().key(&key), bond: Bond::Both });
        }
        rows.normalize();
        check_change(&self.caller, &key, previous.as_ref(), &rows, &tx.hasher())?;
        app_state::check_change(tx, &key, previous.as_ref(), &rows, &self.tail)?;
        let (tail, definition) = (Some(self.packed.clone()), self.definition.as_ref().map(OwnParameter::definition));
        let (rules, creator) = (Some(self.rules), self.creator(&tx.hasher(), previous.is_some()));
        Ok(Put { key, previous, method, tail, rows, rules, definition, creator })
    }

    fn creator(&self, hasher: &Hasher, was_there: bool) -> Creator {
        match self.caller.filter().holder() {
            _ if !self.is_lone => Creator::Nobody,
            _ if was_there => Creator::AsBefore,
            Some(holder) => Creator::Is(hasher.text(holder)),
            None => Creator::Nobody,
        }
    }

    /// The Provenance to write beside `put`, if any.
    pub(super) fn origin(&self, tx: &Tx<'_>, put: &Put) -> Result<Option<Put>, InteractionError> {
        self.origin.as_ref().map(|origin| origin.put(tx, put)).transpose()
    }

    /// What is put in force, of a SearchParameter.
    pub(super) fn definition(&self) -> Option<&OwnParameter> {
        self.definition.as_ref()
    }

    /// What to tell of a version that was written.
    pub(super) fn answer(&self, effect: Effect, written: Written) -> Answer {
        let row = ResourceRow {
            rid: written.rid,
            key: written.key,
            version: written.version,
            updated_us: written.updated_us,
            method: written.method,
            tail: Some(self.tail.clone()),
        };
        Answer { effect, row: Some(row), issues: self.issues.clone() }
    }
}

/// What writing `put` does.
pub(super) fn effect(put: &Put) -> Effect {
    match &put.previous {
        Some(previous) if !previous.is_deleted => Effect::Updated,
        _ => Effect::Created,
    }
}

/// The rows of `resource` in the index, by the rules of `registry`.
pub(super) fn indexed(
    resource: &Resource,
    hasher: &Hasher,
    bases: &[String],
    registry: &Registry,
) -> Result<IndexRows, InteractionError> {
    let zone_minutes = registry.zone_minutes();
    let context = ExtractContext { hasher, bases, zone_minutes, registry, places: None };
    extract(resource, &context).map_err(|error| {
        let place = resource.resource_type.name();
        InteractionError::Unprocessable(vec![Issue::error(IssueCode::Processing, place, error.to_string())])
    })
}

/// Lets warnings through and turns errors into a refusal.
fn checked(issues: Vec<Issue>) -> Result<Vec<Issue>, InteractionError> {
    if !issues.iter().any(Issue::is_error) {
        return Ok(issues);
    }
    // R4 http.html#create: what breaks the base rules is a bad request, what breaks rules of content is unprocessable.
    let is_content =
        |issue: &Issue| matches!(issue.code, IssueCode::CodeInvalid | IssueCode::Invariant | IssueCode::BusinessRule);
    if issues.iter().filter(|issue| issue.is_error()).all(is_content) {
        Err(InteractionError::Unprocessable(issues))
    } else {
        Err(InteractionError::Invalid(issues))
    }
}
