//! The types that expressions speak of, numbered, with the JSON members behind each element name.
//!
//! Spec: R4 fhirpath.html#types, FHIRPath N1 #types-and-reflection

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::fhir::ResourceType;
use crate::fhir::definitions::{self, ElementDefinition, TypeDefinition, TypeKind};

/// A FHIR type; a number, so that nodes stay small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TypeId(u16);

/// An element name that at least one type has; a number, so that a step costs no text comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Symbol(u16);

/// Which System type a FHIR primitive converts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Primitive {
    Boolean,
    Integer,
    Decimal,
    Text,
    Date,
    DateTime,
    Time,
}

/// The types of the language itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SystemType {
    Boolean,
    Integer,
    Decimal,
    String,
    Date,
    DateTime,
    Time,
    Quantity,
}

/// A FHIR type as an evaluation needs it.
pub(super) struct Type {
    pub(super) name: &'static str,
    pub(super) kind: TypeKind,
    pub(super) base: Option<TypeId>,
    pub(super) primitive: Option<Primitive>,
    /// In the order of the specification.
    pub(super) elements: Vec<Element>,
    /// Positions in `elements`, by symbol, sorted.
    places: Vec<(Symbol, u16)>,
}

/// One element of a type.
pub(super) struct Element {
    pub(super) is_choice: bool,
    pub(super) name: &'static str,
    /// One, or one per type of a choice.
    pub(super) members: Vec<Member>,
}

/// A JSON member that an element may appear as.
pub(super) struct Member {
    /// The member of a primitive's id and extensions, `_` and the name; the name alone is what follows the first byte.
    shadow: Box<str>,
    pub(super) type_id: TypeId,
    pub(super) is_primitive: bool,
}

struct Table {
    types: Vec<Type>,
    by_name: HashMap<&'static str, TypeId>,
    symbols: HashMap<&'static str, Symbol>,
    resource: TypeId,
    domain_resource: TypeId,
    string: TypeId,
    extension: TypeId,
}

impl Member {
    /// The name of the JSON member.
    pub(super) fn name(&self) -> &str {
        &self.shadow[1..]
    }

    /// `_` and the name of the JSON member.
    pub(super) fn shadow(&self) -> &str {
        &self.shadow
    }
}

impl SystemType {
    pub(super) fn named(name: &str) -> Option<SystemType> {
        Some(match name {
            "Boolean" => SystemType::Boolean,
            "Integer" => SystemType::Integer,
            "Decimal" => SystemType::Decimal,
            "String" => SystemType::String,
            "Date" => SystemType::Date,
            "DateTime" => SystemType::DateTime,
            "Time" => SystemType::Time,
            "Quantity" => SystemType::Quantity,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            SystemType::Boolean => "Boolean",
            SystemType::Integer => "Integer",
            SystemType::Decimal => "Decimal",
            SystemType::String => "String",
            SystemType::Date => "Date",
            SystemType::DateTime => "DateTime",
            SystemType::Time => "Time",
            SystemType::Quantity => "Quantity",
        }
    }
}

impl Symbol {
    /// The symbol of `name`; `None` when no type has such an element.
    pub(super) fn named(name: &str) -> Option<Symbol> {
        table().symbols.get(name).copied()
    }
}

impl TypeId {
    /// The type called `name`; backbone types by their path.
    pub(super) fn named(name: &str) -> Option<TypeId> {
        table().by_name.get(name).copied()
    }

    pub(super) fn string() -> TypeId {
        table().string
    }

    pub(super) fn extension() -> TypeId {
        table().extension
    }

    pub(super) fn get(self) -> &'static Type {
        &table().types[usize::from(self.0)]
    }

    /// Whether this is `ancestor` or derives from it.
    pub(super) fn is_a(self, ancestor: TypeId) -> bool {
        let mut current = Some(self);
        while let Some(id) = current {
            if id == ancestor {
                return true;
            }
            current = id.get().base;
        }
        false
    }

    /// The type of `value`, which stands where this type is allowed: an abstract resource becomes what the value says.
    pub(super) fn of(self, value: Option<&Value>) -> TypeId {
        let table = table();
        if self != table.resource && self != table.domain_resource {
            return self;
        }
        let Some(Value::Object(members)) = value else { return self };
        let named = members.get("resourceType").and_then(Value::as_str).and_then(|name| table.by_name.get(name));
        named.copied().filter(|found| found.get().kind == TypeKind::Resource).unwrap_or(self)
    }
}

/// One type of a choice, as JSON writes it in one name.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The element, as FHIRPath calls it.
    pub(super) element: &'static str,
    pub(super) symbol: Symbol,
    pub(super) type_id: TypeId,
}

/// What JSON writes as the member `name`; `None` when no choice is written so.
pub(super) fn chosen(name: &str) -> Option<Chosen> {
    let choices = table().types.iter().flat_map(|of| &of.elements).filter(|element| element.is_choice);
    let mut members = choices.flat_map(|element| element.members.iter().map(move |member| (element, member)));
    let (element, member) = members.find(|(_, member)| member.name() == name)?;
    Some(Chosen { element: element.name, symbol: Symbol::named(element.name)?, type_id: member.type_id })
}

impl Type {
    /// The element with that symbol.
    pub(super) fn element(&'static self, symbol: Symbol) -> Option<&'static Element> {
        let place = self.places.binary_search_by_key(&symbol, |(known, _)| *known).ok()?;
        self.elements.get(usize::from(self.places[place].1))
    }
}

/// Finds a member; small objects are scanned, because hashing the name costs more.
pub(super) fn find<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if members.len() > 12 {
        return members.get(name);
    }
    members.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(build)
}

fn build() -> Table {
    let definitions = reachable();
    let by_name: HashMap<&'static str, TypeId> =
        definitions.iter().enumerate().map(|(place, found)| (&*found.name, TypeId(place as u16))).collect();
    let mut symbols: HashMap<&'static str, Symbol> = HashMap::new();
    for element in definitions.iter().flat_map(|definition| &definition.elements) {
        let next = Symbol(symbols.len() as u16);
        symbols.entry(&element.name).or_insert(next);
    }
    let types = definitions.iter().map(|definition| typed(definition, &by_name, &symbols)).collect();
    let known = |name: &str| *by_name.get(name).expect("a test asks for the types that the engine itself names");
    let (resource, domain_resource) = (known("Resource"), known("DomainResource"));
    let (string, extension) = (known("string"), known("Extension"));
    Table { types, symbols, resource, domain_resource, string, extension, by_name }
}

/// Every definition that a resource can contain or derives from.
fn reachable() -> Vec<&'static TypeDefinition> {
    let mut names: Vec<&'static str> = ResourceType::all().map(ResourceType::name).collect();
    names.push("Resource");
    let mut found: HashMap<&'static str, &'static TypeDefinition> = HashMap::new();
    while let Some(name) = names.pop() {
        let Some(definition) = definitions::type_named(name) else { continue };
        if found.insert(&definition.name, definition).is_some() {
            continue;
        }
        names.push(&definition.base);
        names.extend(definition.elements.iter().flat_map(|element| &element.types).map(|allowed| &*allowed.code));
    }
    let mut definitions: Vec<_> = found.into_values().collect();
    definitions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    definitions
}

fn typed(
    definition: &'static TypeDefinition,
    by_name: &HashMap<&'static str, TypeId>,
    symbols: &HashMap<&'static str, Symbol>,
) -> Type {
    let elements: Vec<Element> = definition.elements.iter().map(|element| element_of(element, by_name)).collect();
    let mut places: Vec<(Symbol, u16)> = elements
        .iter()
        .enumerate()
        .filter_map(|(place, element)| Some((*symbols.get(element.name)?, place as u16)))
        .collect();
    places.sort_unstable();
    Type {
        name: &definition.name,
        kind: definition.kind,
        base: by_name.get(&*definition.base).copied(),
        primitive: (definition.kind == TypeKind::Primitive).then(|| primitive(&definition.name)),
        elements,
        places,
    }
}

fn element_of(element: &'static ElementDefinition, by_name: &HashMap<&'static str, TypeId>) -> Element {
    // An element of several types that is no choice has one member; its first type stands for it.
    let kept = if element.is_choice { element.types.len() } else { 1 };
    let members = element.types.iter().take(kept).filter_map(|allowed| {
        let type_id = *by_name.get(&*allowed.code)?;
        let is_primitive = definitions::type_named(&allowed.code)?.kind == TypeKind::Primitive;
        let shadow = match (element.is_choice, allowed.code.split_at_checked(1)) {
            (true, Some((first, rest))) => format!("_{}{}{rest}", element.name, first.to_ascii_uppercase()),
            _ => format!("_{}", element.name),
        };
        Some(Member { shadow: shadow.into(), type_id, is_primitive })
    });
    Element { is_choice: element.is_choice, name: &element.name, members: members.collect() }
}

fn primitive(name: &str) -> Primitive {
    match name {
        "boolean" => Primitive::Boolean,
        "integer" | "positiveInt" | "unsignedInt" => Primitive::Integer,
        "decimal" => Primitive::Decimal,
        "date" => Primitive::Date,
        "dateTime" | "instant" => Primitive::DateTime,
        "time" => Primitive::Time,
        _ => Primitive::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_has_one_member_per_type() {
        let observation = TypeId::named("Observation").unwrap().get();

        let value = observation.element(Symbol::named("value").unwrap()).unwrap();
        let members: Vec<&str> = value.members.iter().map(Member::name).collect();

        assert!(members.contains(&"valueQuantity") && members.contains(&"valueDateTime"), "{members:?}");
        assert_eq!(value.members[0].shadow(), "_valueQuantity");
        assert!(!value.members[0].is_primitive);
    }

    #[test]
    fn ancestry_follows_the_definitions() {
        let cases = [
            ("Patient", "DomainResource", true),
            ("Patient", "Resource", true),
            ("Bundle", "DomainResource", false),
            ("Age", "Quantity", true),
            ("code", "string", true),
            ("uuid", "uri", true),
            ("string", "code", false),
            ("Patient.contact", "BackboneElement", true),
        ];

        for (child, ancestor, expected) in cases {
            let (child_id, ancestor_id) = (TypeId::named(child).unwrap(), TypeId::named(ancestor).unwrap());
            assert_eq!(child_id.is_a(ancestor_id), expected, "{child} is {ancestor}");
        }
    }

    #[test]
    fn a_resource_has_the_type_that_it_names() {
        let resource = TypeId::named("Resource").unwrap();
        let cases = [
            (serde_json::json!({"resourceType": "Patient"}), "Patient"),
            (serde_json::json!({"resourceType": "HumanName"}), "Resource"),
            (serde_json::json!({"resourceType": 5}), "Resource"),
            (serde_json::json!([]), "Resource"),
        ];

        for (value, expected) in cases {
            assert_eq!(resource.of(Some(&value)).get().name, expected, "{value}");
        }
    }
}
