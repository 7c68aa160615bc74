//! Terms of own parameters that are more than a walk: evaluated by the FHIRPath engine.
//!
//! Spec: R4 searchparameter.html (expression)

use serde_json::{Number, Value};

use crate::fhir::Resource;
use crate::fhirpath::{self, Context, Expression, Node};
use crate::search::ExtractContext;
use crate::search::extract::{Element, Shape};

/// The term, compiled; `None` when it is no FHIRPath, which is refused before it is stored. Choices may be named as in JSON, as
/// published parameters do.
pub(super) fn compile(term: &str) -> Option<Expression> {
    fhirpath::compile(term).ok().map(Expression::with_json_names)
}

/// Whether a walk means what FHIRPath means: `[0]` takes the first of all that was found, not of each parent, and a
/// criterion may look at an element that repeats.
pub(in crate::search) fn is_safe_walk(term: &str) -> bool {
    !term.contains('[') && (!term.contains("where(") || term.contains(".where(resolve() is "))
}

/// Hands what the term selects to `found`. What can't be evaluated for this resource (a function for one item that meets
/// several) selects nothing: another client's parameter must not keep a resource from being stored.
pub(super) fn each(
    expression: &Expression,
    resource: &Resource,
    context: &ExtractContext<'_>,
    param: i16,
    found: &mut dyn FnMut(&Element<'_>),
) {
    let root = &resource.value;
    let here = Context { bases: context.bases, ..Context::new(root) };
    match expression.evaluate(root, resource.resource_type.name(), &here) {
        Ok(nodes) => nodes.iter().for_each(|node| hand_over(node, found)),
        Err(error) => tracing::debug!(param, %error, "A search parameter has no values for a resource"),
    }
}

fn hand_over(node: &Node<'_>, found: &mut dyn FnMut(&Element<'_>)) {
    let name = node.type_name();
    if let Some(value) = node.json() {
        // A resource within the resource goes by its own type.
        let shape = if value.get("resourceType").is_some() { Shape::Resource } else { Shape::of(name) };
        found(&Element { shape, value_set: None, value });
        return;
    }
    let Some(text) = node.to_text() else { return };
    let (shape, value) = match name {
        "Boolean" => (Shape::Boolean, Value::Bool(node.as_bool() == Some(true))),
        "Integer" | "Decimal" => match text.parse::<Number>() {
            Ok(number) => (Shape::Number, Value::Number(number)),
            Err(_) => return,
        },
        "Date" | "DateTime" => (Shape::Date, Value::String(text)),
        "String" | "Time" => (Shape::Text, Value::String(text)),
        _ => return,
    };
    found(&Element { shape, value_set: None, value: &value });
}
