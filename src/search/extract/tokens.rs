//! Rows of token parameters.
//!
//! Spec: R4 search.html#token

use serde_json::Value;

use crate::fhir::definitions;
use crate::search::ExtractContext;
use crate::search::extract::{Element, Shape};
use crate::search::fold::fold_code;
use crate::store::TokenRow;

pub(super) fn index(param: i16, element: &Element<'_>, context: &ExtractContext<'_>, rows: &mut Vec<TokenRow>) {
    let Some(element) = element.unwrapped() else { return };
    let code_of = |code: &str| context.hasher.text(&fold_code(code));
    let system_of = |system: Option<&str>| system.map_or(0, |system| context.hasher.text(system));
    let mut pair = |code: Option<&str>, system: Option<&str>| {
        if code.is_some() || system.is_some() {
            rows.push(TokenRow { param, code: code.map_or(0, code_of), system: system_of(system) });
        }
    };
    match element.shape {
        Shape::CodeableConcept => {
            for coding in element.items("coding") {
                let coding = Element { shape: Shape::Coding, value_set: None, value: coding };
                pair(coding.text("code"), coding.text("system"));
            }
        }
        Shape::Coding => pair(element.text("code"), element.text("system")),
        Shape::Identifier => pair(element.text("value"), element.text("system")),
        // "the presence of the pipe symbol SHALL NOT be used": neither has a system.
        Shape::ContactPoint => pair(element.text("value"), None),
        Shape::Boolean => match element.value {
            Value::Bool(true) => pair(Some("true"), None),
            Value::Bool(false) => pair(Some("false"), None),
            _ => {}
        },
        Shape::Code => {
            let code = element.value.as_str();
            pair(code, code.and_then(|code| implied_system(element.value_set?, code)));
        }
        Shape::Text | Shape::Uri | Shape::Canonical | Shape::Date => pair(element.value.as_str(), None),
        _ => {}
    }
}

/// The row of a parameter that is true or false.
pub(super) fn index_truth(param: i16, is_true: bool, context: &ExtractContext<'_>, rows: &mut Vec<TokenRow>) {
    let code = context.hasher.text(if is_true { "true" } else { "false" });
    rows.push(TokenRow { param, code, system: 0 });
}

/// The system that "is defined in the value set": the one that has the code. A code therefore is found with its system
/// and without, but not as one that has none (`|code`).
fn implied_system(value_set: &str, code: &str) -> Option<&'static str> {
    let systems = definitions::value_set(value_set)?;
    if systems.len() == 1 {
        return systems.keys().next().map(|system| &**system);
    }
    let mut having = systems.iter().filter(|(_, codes)| codes.contains(code));
    match (having.next(), having.next()) {
        (Some((system, _)), None) => Some(system),
        _ => None,
    }
}
