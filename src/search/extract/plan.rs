//! How the rows of a resource type are made: its parameters, with their expressions compiled.

use crate::fhir::{ResourceType, definitions};
use crate::fhirpath::Expression;
use crate::search::extract::composites::Composite;
use crate::search::extract::{computed, records};
use crate::search::path::{self, Path};
use crate::search::{Parameter, ParameterKind, canonical};
use crate::store::Bond;

/// How the rows of one resource type are made; compiled when the first resource of the type is written.
#[derive(Debug)]
pub(in crate::search) struct Plan {
    pub(super) entries: Vec<Entry>,
    pub(super) presences: Vec<Presence>,
    pub(super) composites: Vec<Composite>,
    /// Where the names of the resources go, by which canonical references lead to them.
    pub(super) names: Option<i16>,
}

/// A parameter that is true where an element is there and not false, and false elsewhere: `Patient.deceased`.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) id: i16,
    pub(super) paths: Vec<Path>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: i16,
    pub(super) kind: ParameterKind,
    pub(super) paths: Vec<Path>,
    /// The terms of an own parameter that are no walks.
    pub(super) computed: Vec<Expression>,
    /// How a Patient that this parameter refers to is bound to the resource, if it is.
    pub(super) bond: Option<Bond>,
}

impl Plan {
    pub(in crate::search) fn new(resource_type: ResourceType, parameters: &[&Parameter]) -> Plan {
        let compartment = definitions::compartment("Patient", resource_type.name());
        let names = canonical::names_of_type(resource_type);
        let mut plan = Plan { entries: Vec::new(), presences: Vec::new(), composites: Vec::new(), names };
        for parameter in parameters {
            let is_column = matches!(parameter.code(), "_id" | "_lastUpdated");
            if parameter.kind == ParameterKind::Composite {
                plan.composites.extend(Composite::new(parameter.definition, resource_type));
                continue;
            }
            let has_rows = parameter.kind != ParameterKind::Special;
            let Some(expression) = parameter.definition.expression.as_deref().filter(|_| has_rows && !is_column) else {
                continue;
            };
            if let Some(paths) = path::presence(expression, resource_type) {
                plan.presences.push(Presence { id: parameter.id(), paths });
                continue;
            }
            let (mut paths, computed) = if parameter.is_own() {
                terms(expression, resource_type)
            } else {
                (path::walks(expression, resource_type), Vec::new())
            };
            // An open choice has types that can't be compared: `Procedure.performed` may be a text.
            paths.retain(|path| path.leaf.is_read_by(parameter.kind));
            plan.entries.push(Entry {
                id: parameter.id(),
                kind: parameter.kind,
                paths,
                computed,
                bond: Bond::of(
                    compartment.iter().any(|code| **code == *parameter.code()),
                    !parameter.is_own() && records::makes_owner(resource_type, parameter.code()),
                ),
            });
        }
        plan
    }
}

/// The terms of an own parameter: the plain ones as walks, the others compiled.
fn terms(expression: &str, resource_type: ResourceType) -> (Vec<Path>, Vec<Expression>) {
    let (mut paths, mut compiled) = (Vec::new(), Vec::new());
    for term in path::terms(expression) {
        match path::compile(term, resource_type).filter(|_| computed::is_safe_walk(term)) {
            Some(walks) => paths.extend(walks),
            None => compiled.extend(computed::compile(term)),
        }
    }
    (paths, compiled)
}
