//! Rows of token parameters: their values, what people read of them, and identifiers by their type.
//!
//! Spec: R4 search.html#token

use serde_json::Value;

use crate::fhir::definitions;
use crate::search::ExtractContext;
use crate::search::extract::{Element, Shape};
use crate::search::facet::{Facet, type_of_identifier};
use crate::search::fold::{STRING_INDEX_CHARS, fold, fold_code};
use crate::store::{Edge, IndexRows, TokenRow, TokenText};

pub(super) fn index(param: i16, element: &Element<'_>, context: &ExtractContext<'_>, rows: &mut IndexRows) {
    let Some(element) = element.unwrapped() else { return };
    let known = rows.tokens.len();
    let mut writer = Writer { param, context, rows };
    match element.shape {
        Shape::CodeableConcept => {
            for coding in element.items("coding") {
                writer.coding(&Element { shape: Shape::Coding, value_set: None, value: coding });
            }
            writer.text(element.text("text"));
        }
        Shape::Coding => writer.coding(&element),
        Shape::Identifier => writer.identifier(&element),
        // "the presence of the pipe symbol SHALL NOT be used": neither has a system.
        Shape::ContactPoint => writer.pair(element.text("value"), None),
        Shape::Boolean => match element.value {
            Value::Bool(true) => writer.pair(Some("true"), None),
            Value::Bool(false) => writer.pair(Some("false"), None),
            _ => {}
        },
        Shape::Code => {
            let code = element.value.as_str();
            writer.pair(code, code.and_then(|code| implied_system(element.value_set?, code)));
        }
        Shape::Text | Shape::Uri | Shape::Canonical | Shape::Date => writer.pair(element.value.as_str(), None),
        _ => {}
    }
    // A text without a code is a value, too: `:missing` must not find it.
    if reads(&element) && rows.tokens[known..].iter().all(|row| row.param != param) {
        rows.tokens.push(TokenRow { param, code: 0, system: 0, edge: Edge::Neither });
    }
}

/// Whether people read something of the code.
fn reads(element: &Element<'_>) -> bool {
    match element.shape {
        Shape::CodeableConcept => {
            element.text("text").is_some()
                || element.items("coding").iter().any(|coding| coding.get("display").is_some())
        }
        Shape::Coding => element.text("display").is_some(),
        _ => false,
    }
}

/// The row of a parameter that is true or false.
pub(super) fn index_truth(param: i16, is_true: bool, context: &ExtractContext<'_>, rows: &mut IndexRows) {
    Writer { param, context, rows }.pair(Some(if is_true { "true" } else { "false" }), None);
}

/// The identifier of a reference's target, as a token of a parameter of its own.
pub(super) fn index_identifier(param: i16, identifier: &Value, context: &ExtractContext<'_>, rows: &mut IndexRows) {
    let element = Element { shape: Shape::Identifier, value_set: None, value: identifier };
    let hash = |text: Option<&str>| text.map_or(0, |text| context.hasher.text(text));
    let value = element.text("value").map(fold_code);
    let (code, system) = (hash(value.as_deref()), hash(element.text("system")));
    if (code, system) != (0, 0) {
        rows.tokens.push(TokenRow { param, code, system, edge: Edge::Neither });
    }
}

struct Writer<'a> {
    param: i16,
    context: &'a ExtractContext<'a>,
    rows: &'a mut IndexRows,
}

impl Writer<'_> {
    fn pair(&mut self, code: Option<&str>, system: Option<&str>) {
        if code.is_none() && system.is_none() {
            return;
        }
        let (hasher, param) = (self.context.hasher, self.param);
        let system = system.map_or(0, |system| hasher.text(system));
        // Sorted is by codes: what has none is not sorted by.
        let mut row = TokenRow { param, code: 0, system, edge: Edge::Neither };
        if let Some(code) = code {
            let text = fold_code(code);
            row.code = hasher.text(&text);
            row.edge = Edge::Both;
            self.rows.texts.push(TokenText { param, code: row.code, text: cut(&text) });
        }
        self.rows.tokens.push(row);
    }

    fn coding(&mut self, coding: &Element<'_>) {
        self.pair(coding.text("code"), coding.text("system"));
        self.text(coding.text("display"));
    }

    fn identifier(&mut self, identifier: &Element<'_>) {
        let value = identifier.text("value");
        self.pair(value, identifier.text("system"));
        let Some(of_type) = identifier.value.get("type") else { return };
        let of_type = Element { shape: Shape::CodeableConcept, value_set: None, value: of_type };
        self.text(of_type.text("text"));
        let Some(value) = value else { return };
        let (hasher, param) = (self.context.hasher, Facet::OfType.of(self.param));
        for coding in of_type.items("coding") {
            let coding = Element { shape: Shape::Coding, value_set: None, value: coding };
            if let Some(code) = coding.text("code") {
                let kind = type_of_identifier(coding.text("system").unwrap_or_default(), &fold_code(code));
                let (code, system) = (hasher.text(&fold_code(value)), hasher.text(&kind));
                self.rows.tokens.push(TokenRow { param, code, system, edge: Edge::Neither });
            }
        }
    }

    /// What people read of the token, for `:text`.
    fn text(&mut self, text: Option<&str>) {
        let text = text.map(fold).unwrap_or_default();
        if !text.is_empty() {
            let (param, code) = (Facet::Text.of(self.param), self.context.hasher.text(&text));
            self.rows.tokens.push(TokenRow { param, code, system: 0, edge: Edge::Neither });
            self.rows.texts.push(TokenText { param, code, text });
        }
    }
}

/// As much of a code as the order of sorting looks at.
fn cut(text: &str) -> String {
    text.chars().take(STRING_INDEX_CHARS).collect()
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
