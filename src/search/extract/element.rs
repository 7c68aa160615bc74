//! What an expression selects, and the types that the index tells apart.

use serde_json::Value;

use crate::fhir::definitions;
use crate::search::ParameterKind;

/// An element that an expression selected.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) shape: Shape,
    pub(super) value_set: Option<&'a str>,
    pub(super) value: &'a Value,
}

impl<'a> Element<'a> {
    /// Of an extension: its value.
    pub(super) fn unwrapped(&self) -> Option<Element<'a>> {
        if self.shape != Shape::Extension {
            return Some(*self);
        }
        let (name, value) = self.value.as_object()?.iter().find(|(name, _)| name.starts_with("value"))?;
        let shape = Shape::of(definitions::type_named("Extension")?.member(name).map(|(_, of)| &*of.code)?);
        // An Extension has no value of type Extension, so that this ends here.
        (shape != Shape::Extension).then_some(Element { shape, value_set: None, value })
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name).and_then(Value::as_str)
    }

    /// The items of a member that repeats.
    pub(super) fn items(&self, name: &str) -> &'a [Value] {
        self.value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// The types that the index tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::search) enum Shape {
    Boolean,
    Code,
    /// string, id, markdown, ..
    Text,
    /// uri, url, oid, uuid
    Uri,
    Canonical,
    /// date, dateTime, instant
    Date,
    Period,
    Timing,
    /// decimal, integer, ..
    Number,
    /// Quantity and its kinds.
    Quantity,
    Money,
    Range,
    SampledData,
    Coding,
    CodeableConcept,
    Identifier,
    ContactPoint,
    HumanName,
    /// The family name of a HumanName: a string whose words are found as well.
    Family,
    Address,
    Reference,
    Extension,
    /// A resource within the resource.
    Resource,
    /// Nothing that any kind of parameter reads.
    Other,
}

impl Shape {
    /// Whether a parameter of this kind has rows for such elements.
    pub(super) fn is_read_by(self, kind: ParameterKind) -> bool {
        use Shape::*;
        match kind {
            _ if self == Extension => true,
            ParameterKind::Token => matches!(
                self,
                Boolean | Code | Text | Uri | Canonical | Date | Coding | CodeableConcept | Identifier | ContactPoint
            ),
            ParameterKind::String => {
                matches!(self, Text | Code | Uri | Canonical | Date | HumanName | Family | Address | CodeableConcept)
            }
            ParameterKind::Date => matches!(self, Date | Period | Timing),
            ParameterKind::Number => matches!(self, Number | Range),
            ParameterKind::Quantity => matches!(self, Number | Quantity | Money | Range | SampledData),
            ParameterKind::Uri => matches!(self, Uri | Canonical | Text | Code),
            ParameterKind::Reference => matches!(self, Reference | Canonical | Uri | Resource),
            ParameterKind::Composite | ParameterKind::Special => false,
        }
    }

    /// The shape of the type `name`.
    pub(in crate::search) fn of(name: &str) -> Shape {
        match name {
            "boolean" => Shape::Boolean,
            "code" => Shape::Code,
            "string" | "id" | "markdown" | "time" | "base64Binary" => Shape::Text,
            "uri" | "url" | "oid" | "uuid" => Shape::Uri,
            "canonical" => Shape::Canonical,
            "date" | "dateTime" | "instant" => Shape::Date,
            "Period" => Shape::Period,
            "Timing" => Shape::Timing,
            "decimal" | "integer" | "positiveInt" | "unsignedInt" => Shape::Number,
            "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "SimpleQuantity" | "MoneyQuantity" => {
                Shape::Quantity
            }
            "Money" => Shape::Money,
            "Range" => Shape::Range,
            "SampledData" => Shape::SampledData,
            "Coding" => Shape::Coding,
            "CodeableConcept" => Shape::CodeableConcept,
            "Identifier" => Shape::Identifier,
            "ContactPoint" => Shape::ContactPoint,
            "HumanName" => Shape::HumanName,
            "Address" => Shape::Address,
            "Reference" => Shape::Reference,
            "Extension" => Shape::Extension,
            "Resource" => Shape::Resource,
            _ => Shape::Other,
        }
    }
}
