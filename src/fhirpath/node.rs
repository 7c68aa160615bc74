//! The items that an expression works on: elements of a resource, and computed values.
//!
//! Spec: R4 fhirpath.html#types

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::decimal::Decimal;
use super::temporal::{Temporal, TemporalKind};
use super::types::{self, Primitive, Symbol, SystemType, TypeId};
use super::units::Unit;

/// One item of a collection.
#[derive(Clone)]
pub struct Node<'a>(pub(super) Item<'a>);

#[derive(Clone)]
pub(super) enum Item<'a> {
    Element(Element<'a>),
    Value(Scalar<'a>),
    /// What `type()` answers: namespace and name.
    Type(&'static str, &'static str),
}

/// A place in the data. Without value and shadow it is a resource of which only the type is known.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) value: Option<&'a Value>,
    /// The `_name` object of a primitive, which holds its id and extensions.
    pub(super) shadow: Option<&'a Value>,
    pub(super) type_id: TypeId,
}

/// A value of a System type.
#[derive(Clone, Debug)]
pub(super) enum Scalar<'a> {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(Text<'a>),
    Temporal(Temporal),
    Quantity(Decimal, Unit),
}

/// Text of the resource, or of the expression or its results.
#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Text::Borrowed(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl fmt::Debug for Node<'_> {
    /// The type alone: the value may be somebody's record.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Node({})", self.type_name())
    }
}

impl<'a> Node<'a> {
    /// The JSON of the element; `None` for computed values, for a primitive that has only extensions, and for a resource
    /// that `resolve()` knows by its type alone.
    pub fn json(&self) -> Option<&'a Value> {
        match &self.0 {
            Item::Element(element) => element.value,
            _ => None,
        }
    }

    /// The FHIR type of an element (`Quantity`, `code`, `Patient`, `Patient.contact`) or the System type of a computed
    /// value (`Boolean`, `String`, ..).
    pub fn type_name(&self) -> &'static str {
        match &self.0 {
            Item::Element(element) => element.type_id.get().name,
            Item::Value(scalar) => scalar.system_type().name(),
            Item::Type(..) => "SimpleTypeInfo",
        }
    }

    /// The truth value of a boolean, element or computed.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.0 {
            Item::Element(element) => element.value?.as_bool(),
            Item::Value(Scalar::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    /// The text of an element that JSON writes as a string, or of a computed String.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Item::Element(element) => element.value?.as_str(),
            Item::Value(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The value as text, as `toString()` writes it; `None` for what has no simple value.
    pub fn to_text(&self) -> Option<String> {
        self.scalar().map(|scalar| scalar.to_text())
    }

    pub(super) fn element(&self) -> Option<&Element<'a>> {
        match &self.0 {
            Item::Element(element) => Some(element),
            _ => None,
        }
    }

    /// The System value of this item; quantities only when they are computed.
    pub(super) fn scalar(&self) -> Option<Scalar<'a>> {
        match &self.0 {
            Item::Element(element) => element.scalar(),
            Item::Value(scalar) => Some(scalar.clone()),
            Item::Type(..) => None,
        }
    }

    /// The System quantity that this is or converts to.
    pub(super) fn quantity(&self) -> Option<(Decimal, Unit)> {
        match &self.0 {
            Item::Element(element) => element.quantity(),
            Item::Value(Scalar::Quantity(value, unit)) => Some((*value, unit.clone())),
            _ => None,
        }
    }

    /// Adds what the element name selects below this item.
    pub(super) fn push_members(&self, symbol: Symbol, name: &str, into: &mut Items<'a>) {
        match &self.0 {
            Item::Element(element) => element.push_members(symbol, name, into),
            Item::Type(namespace, type_name) => match name {
                "namespace" => into.push(Scalar::Text(Text::Borrowed(namespace)).into()),
                "name" => into.push(Scalar::Text(Text::Borrowed(type_name)).into()),
                _ => (),
            },
            Item::Value(_) => (),
        }
    }

    /// Adds all elements below this item, in the order of the specification.
    pub(super) fn push_children(&self, into: &mut Items<'a>) {
        let Item::Element(element) = &self.0 else { return };
        let definition = element.type_id.get();
        if definition.primitive.is_some() {
            element.push_primitive_members("id", into);
            element.push_primitive_members("extension", into);
            return;
        }
        let Some(Value::Object(members)) = element.value else { return };
        for known in &definition.elements {
            element_members(known, members, into);
        }
    }
}

impl<'a> Element<'a> {
    fn push_members(&self, symbol: Symbol, name: &str, into: &mut Items<'a>) {
        let definition = self.type_id.get();
        if definition.primitive.is_some() {
            return self.push_primitive_members(name, into);
        }
        let (Some(Value::Object(members)), Some(known)) = (self.value, definition.element(symbol)) else { return };
        element_members(known, members, into);
    }

    fn push_primitive_members(&self, name: &str, into: &mut Items<'a>) {
        let Some(Value::Object(members)) = self.shadow else { return };
        match name {
            "id" => push_values(types::find(members, "id"), None, TypeId::string(), into),
            "extension" => push_values(types::find(members, "extension"), None, TypeId::extension(), into),
            _ => (),
        }
    }

    pub(super) fn scalar(&self) -> Option<Scalar<'a>> {
        let primitive = self.type_id.get().primitive?;
        Some(match (primitive, self.value?) {
            (_, Value::Bool(value)) => Scalar::Boolean(*value),
            (Primitive::Integer, Value::Number(number)) => match number.as_str().parse() {
                Ok(value) => Scalar::Integer(value),
                Err(_) => Scalar::Decimal(Decimal::parse(number.as_str())?),
            },
            (_, Value::Number(number)) => Scalar::Decimal(Decimal::parse(number.as_str())?),
            (kind, Value::String(text)) => {
                let temporal = match kind {
                    Primitive::Date => Temporal::parse_date(text),
                    Primitive::DateTime => Temporal::parse_date_time(text),
                    Primitive::Time => Temporal::parse_time(text),
                    _ => None,
                };
                match temporal {
                    Some(temporal) => Scalar::Temporal(temporal),
                    None => Scalar::Text(Text::Borrowed(text)),
                }
            }
            _ => return None,
        })
    }

    fn quantity(&self) -> Option<(Decimal, Unit)> {
        if self.type_id.get().name != "Quantity" && self.type_id.get().base?.get().name != "Quantity" {
            return None;
        }
        let Some(Value::Object(members)) = self.value else { return None };
        let Some(Value::Number(number)) = members.get("value") else { return None };
        let code = members.get("code").or_else(|| members.get("unit")).and_then(Value::as_str);
        Some((Decimal::parse(number.as_str())?, code.map_or_else(Unit::one, |code| Unit::Code(code.into()))))
    }
}

fn element_members<'a>(known: &'static types::Element, members: &'a Map<String, Value>, into: &mut Items<'a>) {
    if !known.is_choice {
        let Some(member) = known.members.first() else { return };
        let shadow = if member.is_primitive { types::find(members, member.shadow()) } else { None };
        return push_values(types::find(members, member.name()), shadow, member.type_id, into);
    }
    // Which type was chosen is quicker told by the few members that there are than by the fifty that may be.
    for key in members.keys() {
        let plain = key.strip_prefix('_').unwrap_or(key);
        if !plain.starts_with(known.name) || plain.len() == known.name.len() {
            continue;
        }
        let Some(member) = known.members.iter().find(|member| member.name() == plain) else { continue };
        let is_shadow = plain.len() != key.len();
        if is_shadow && (!member.is_primitive || types::find(members, plain).is_some()) {
            continue;
        }
        let shadow = if member.is_primitive { types::find(members, member.shadow()) } else { None };
        let value = if is_shadow { None } else { types::find(members, plain) };
        push_values(value, shadow, member.type_id, into);
    }
}

/// Adds the items of one JSON member and its `_` twin.
fn push_values<'a>(value: Option<&'a Value>, shadow: Option<&'a Value>, type_id: TypeId, into: &mut Items<'a>) {
    let given = |value: &&Value| !value.is_null();
    let mut push = |value: Option<&'a Value>, shadow: Option<&'a Value>| {
        let (value, shadow) = (value.filter(given), shadow.filter(given));
        if value.is_some() || shadow.is_some() {
            into.push(Node(Item::Element(Element { value, shadow, type_id: type_id.of(value) })));
        }
    };
    match (value, shadow) {
        (Some(Value::Array(values)), Some(Value::Array(shadows))) => {
            for place in 0..values.len().max(shadows.len()) {
                push(values.get(place), shadows.get(place));
            }
        }
        (Some(Value::Array(values)), _) => values.iter().for_each(|value| push(Some(value), None)),
        (None | Some(Value::Null), Some(Value::Array(shadows))) => {
            shadows.iter().for_each(|shadow| push(None, Some(shadow)));
        }
        (value, shadow) => push(value, shadow),
    }
}

impl Scalar<'_> {
    pub(super) fn system_type(&self) -> SystemType {
        match self {
            Scalar::Boolean(_) => SystemType::Boolean,
            Scalar::Integer(_) => SystemType::Integer,
            Scalar::Decimal(_) => SystemType::Decimal,
            Scalar::Text(_) => SystemType::String,
            Scalar::Temporal(temporal) => match temporal.kind {
                TemporalKind::Date => SystemType::Date,
                TemporalKind::DateTime => SystemType::DateTime,
                TemporalKind::Time => SystemType::Time,
            },
            Scalar::Quantity(..) => SystemType::Quantity,
        }
    }

    /// As `toString()` writes it.
    pub(super) fn to_text(&self) -> String {
        match self {
            Scalar::Boolean(value) => value.to_string(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Decimal(value) => value.to_string(),
            Scalar::Text(text) => (**text).to_owned(),
            Scalar::Temporal(value) => value.to_string(),
            Scalar::Quantity(value, Unit::Code(code)) => format!("{value} '{code}'"),
            Scalar::Quantity(value, Unit::Calendar(unit)) => {
                let plural = if *value == Decimal::integer(1) { "" } else { "s" };
                format!("{value} {}{plural}", unit.word())
            }
        }
    }

    /// The value of an Integer or Decimal.
    pub(super) fn number(&self) -> Option<Decimal> {
        match self {
            Scalar::Integer(value) => Some(Decimal::integer(*value)),
            Scalar::Decimal(value) => Some(*value),
            _ => None,
        }
    }
}

impl<'a> From<Scalar<'a>> for Node<'a> {
    fn from(scalar: Scalar<'a>) -> Node<'a> {
        Node(Item::Value(scalar))
    }
}

/// A collection; most have no item or one, which then needs no allocation.
#[derive(Clone, Debug, Default)]
pub(super) enum Items<'a> {
    #[default]
    Empty,
    One(Node<'a>),
    Many(Vec<Node<'a>>),
}

impl<'a> Items<'a> {
    pub(super) fn push(&mut self, node: Node<'a>) {
        if let Items::Many(nodes) = self {
            return nodes.push(node);
        }
        *self = match std::mem::take(self) {
            Items::Empty => Items::One(node),
            Items::One(first) => {
                let mut nodes = Vec::with_capacity(4);
                nodes.push(first);
                nodes.push(node);
                Items::Many(nodes)
            }
            Items::Many(nodes) => Items::Many(nodes),
        };
    }

    pub(super) fn into_vec(self) -> Vec<Node<'a>> {
        match self {
            Items::Empty => Vec::new(),
            Items::One(node) => vec![node],
            Items::Many(nodes) => nodes,
        }
    }
}

impl<'a> Deref for Items<'a> {
    type Target = [Node<'a>];

    fn deref(&self) -> &[Node<'a>] {
        match self {
            Items::Empty => &[],
            Items::One(node) => std::slice::from_ref(node),
            Items::Many(nodes) => nodes,
        }
    }
}

impl<'a> Extend<Node<'a>> for Items<'a> {
    fn extend<T: IntoIterator<Item = Node<'a>>>(&mut self, nodes: T) {
        nodes.into_iter().for_each(|node| self.push(node));
    }
}

impl<'a> FromIterator<Node<'a>> for Items<'a> {
    fn from_iter<T: IntoIterator<Item = Node<'a>>>(nodes: T) -> Items<'a> {
        let mut items = Items::Empty;
        items.extend(nodes);
        items
    }
}

impl<'a> From<Scalar<'a>> for Items<'a> {
    fn from(scalar: Scalar<'a>) -> Items<'a> {
        Items::One(scalar.into())
    }
}

impl From<bool> for Items<'_> {
    fn from(value: bool) -> Self {
        Items::One(Scalar::Boolean(value).into())
    }
}

impl From<Option<bool>> for Items<'_> {
    fn from(value: Option<bool>) -> Self {
        value.map_or(Items::Empty, Items::from)
    }
}

impl<'a> From<Option<Scalar<'a>>> for Items<'a> {
    fn from(value: Option<Scalar<'a>>) -> Items<'a> {
        value.map_or(Items::Empty, Items::from)
    }
}
