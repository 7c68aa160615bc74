//! From a resource to its index rows.
//!
//! Values that are not of their type (a date that is no date) give no row: telling them is the business of
//! `validation`.
//!
//! Spec: R4 search.html#ptypes

mod composites;
pub(super) mod computed;
mod consents;
mod contained;
mod dates;
mod edges;
mod element;
mod plan;
mod quantities;
mod records;
mod references;
mod texts;
mod tokens;
mod words;

pub(super) use composites::{Unread, check as check_composite};
pub use contained::Places;
pub(super) use element::Shape;
pub(super) use plan::Plan;
pub(super) use quantities::CANONICAL_SYSTEM;
pub use records::ATTACHED;
pub(super) use records::makes_owner_of as makes_owner;
pub use records::{element_of_owner, has_parties};
pub(super) use references::NO_TARGET;

use std::fmt::Debug;

use serde_json::Value;
use thiserror::Error;

use crate::fhir::{Resource, ResourceKey, ResourceType};
use crate::search::extract::element::Element;
use crate::search::near;
use crate::search::{LabelSet, ParameterKind, Registry};
use crate::store::{Bond, Hasher, IndexRows, PatientRow};

/// What the rows of a resource depend on besides itself.
#[derive(Clone, Copy, Debug)]
pub struct ExtractContext<'a> {
    pub hasher: &'a Hasher,
    /// The server's own base URLs, without a slash at the end: references under them are local.
    pub bases: &'a [String],
    /// Minutes east of UTC, for dates that name no zone.
    pub zone_minutes: i16,
    /// The parameters that are in force.
    pub registry: &'a Registry,
    /// Where references to what the resource contains lead; extraction fills it in.
    pub places: Option<&'a Places<'a>>,
}

/// The most rows that one resource may have; they are written while every other writer waits.
const MAX_ROWS: usize = 200_000;

/// The most rules that one Consent may come to: each is looked at for each resource of the record that is asked for.
const MAX_CONSENT_RULES: usize = 1_000;

/// The resource can't be made searchable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ExtractError {
    #[error("the resource holds more than {limit} values that can be searched for; divide it into several")]
    TooManyRows { limit: usize },
    #[error(
        "the provisions come to more than {limit} rules, one for each combination of an actor, a class, an item and a label: name fewer \
         together"
    )]
    TooManyConsentRules { limit: usize },
}

/// The rows of all parameters of the resource's type, without duplicates and sorted, and those of what it contains.
///
/// Special parameters, `_id` and `_lastUpdated` have no rows.
pub fn extract(resource: &Resource, context: &ExtractContext<'_>) -> Result<IndexRows, ExtractError> {
    let places = Places::of(resource);
    let context = &ExtractContext { places: Some(&places), ..*context };
    let mut rows = values_of(resource, context)?;
    // Nothing that is contained is referred to by a URL from outside.
    if let Some(param) = context.registry.plan(resource.resource_type).names {
        references::index_names(param, resource, context, &mut rows);
        rows.normalize();
    }
    rows.consents = consents::rules(resource, context)?;
    rows.consents.sort_unstable();
    rows.consents.dedup();
    rows.labels = LabelSet::of(&resource.value).bits();
    contained::index(resource, context, &mut rows)?;
    // No two rows differ by their marks alone, so that they stay in order.
    edges::mark(&mut rows);
    rows.word_texts = words::texts(resource);
    rows.words = rows.word_texts.sum(context.hasher);
    Ok(rows)
}

/// The rows of the parameters of one resource, whatever it contains; none is marked.
fn values_of(resource: &Resource, context: &ExtractContext<'_>) -> Result<IndexRows, ExtractError> {
    let mut rows = IndexRows::default();
    if resource.resource_type == ResourceType::PATIENT
        && let Some(id) = &resource.id
    {
        let key = ResourceKey { resource_type: ResourceType::PATIENT, id: id.clone() };
        rows.patients.push(PatientRow { patient: context.hasher.key(&key), bond: Bond::Both });
    }
    rows.positions.extend(near::position(resource));
    let plan = context.registry.plan(resource.resource_type);
    for presence in &plan.presences {
        let mut is_present = false;
        for path in &presence.paths {
            path.each(&resource.value, context.bases, &mut |value| is_present |= *value != Value::Bool(false));
        }
        tokens::index_truth(presence.id, is_present, context, &mut rows);
    }
    for entry in &plan.entries {
        for path in &entry.paths {
            path.each(&resource.value, context.bases, &mut |value| {
                let element = Element { shape: path.leaf, value_set: path.value_set, value };
                index_value(entry.id, entry.kind, &element, context, &mut rows);
                if let Some(bond) = entry.bond {
                    references::index_patient(&element, bond, context, &mut rows.patients);
                }
            });
        }
        for expression in &entry.computed {
            computed::each(expression, resource, context, entry.id, &mut |element| {
                if element.shape.is_read_by(entry.kind) {
                    index_value(entry.id, entry.kind, element, context, &mut rows);
                    if let Some(bond) = entry.bond {
                        references::index_patient(element, bond, context, &mut rows.patients);
                    }
                }
            });
        }
        if row_count(&rows) > MAX_ROWS {
            return Err(ExtractError::TooManyRows { limit: MAX_ROWS });
        }
    }
    for composite in &plan.composites {
        composite.index(&resource.value, context, &mut rows);
        if row_count(&rows) > MAX_ROWS {
            return Err(ExtractError::TooManyRows { limit: MAX_ROWS });
        }
    }
    records::index(resource, context, &mut rows);
    rows.normalize();
    // A URL that stands by itself and is that of a canonical with a version, too, is one row: the first of the two.
    rows.uris.dedup_by(|later, first| (later.param, &later.value) == (first.param, &first.value));
    quantities::join_sides(&mut rows.quantities);
    Ok(rows)
}

/// The Patients whose records `resource` is part of, as reference targets.
pub fn owners(resource: &Resource, hasher: &Hasher, bases: &[String]) -> Vec<i64> {
    let registry = Registry::bundled();
    let context = ExtractContext { hasher, bases, zone_minutes: 0, registry, places: None };
    let mut rows = IndexRows::default();
    if let (ResourceType::PATIENT, Some(id)) = (resource.resource_type, &resource.id) {
        return vec![hasher.key(&ResourceKey { resource_type: ResourceType::PATIENT, id: id.clone() })];
    }
    for entry in registry.plan(resource.resource_type).entries.iter() {
        let Some(bond) = entry.bond.filter(|bond| bond.is_owned()) else { continue };
        for path in &entry.paths {
            path.each(&resource.value, bases, &mut |value| {
                let element = Element { shape: path.leaf, value_set: path.value_set, value };
                references::index_patient(&element, bond, &context, &mut rows.patients);
            });
        }
    }
    records::index(resource, &context, &mut rows);
    rows.patients.iter().filter(|row| row.bond.is_owned()).map(|row| row.patient).collect()
}

/// What `resource` refers to by the reference parameter with the number `param`: `Type/id` of resources of this server,
/// URLs of others. Their hashes are the targets of its index rows.
pub fn reference_texts(resource: &Resource, param: i16, context: &ExtractContext<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    let mut read = |element: &Element<'_>| {
        if let Some(element) = element.unwrapped() {
            references::each_target(&element, context, &mut |text| texts.extend(text.map(str::to_owned)));
        }
    };
    let plan = context.registry.plan(resource.resource_type);
    for entry in plan.entries.iter().filter(|entry| entry.id == param) {
        for path in &entry.paths {
            path.each(&resource.value, context.bases, &mut |value| {
                read(&Element { shape: path.leaf, value_set: path.value_set, value });
            });
        }
        for expression in &entry.computed {
            computed::each(expression, resource, context, entry.id, &mut read);
        }
    }
    texts
}

fn row_count(rows: &IndexRows) -> usize {
    let IndexRows { tokens, strings, dates, quantities, references, uris, composites, patients, positions, .. } = rows;
    let exact = tokens.len() + quantities.len() + dates.len() + references.len() + patients.len();
    exact + strings.len() + uris.len() + composites.len() + positions.len()
}

/// The rows that `element` has under the number `param` as a value of this kind.
fn index_value(
    param: i16,
    kind: ParameterKind,
    element: &Element<'_>,
    context: &ExtractContext<'_>,
    rows: &mut IndexRows,
) {
    match kind {
        ParameterKind::Token => tokens::index(param, element, context, rows),
        ParameterKind::String => texts::index_string(param, element, context, &mut rows.strings),
        ParameterKind::Uri => texts::index_uri(param, element, &mut rows.uris),
        ParameterKind::Date => dates::index(param, element, context, &mut rows.dates),
        ParameterKind::Number | ParameterKind::Quantity => {
            quantities::index(param, element, context, &mut rows.quantities);
        }
        ParameterKind::Reference => references::index(param, element, context, rows),
        ParameterKind::Composite | ParameterKind::Special => {}
    }
}

#[cfg(test)]
mod tests;
