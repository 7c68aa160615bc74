//! What a FHIRPath Patch adds: the value of its `value` part, checked against the element that takes it.
//!
//! Spec: R4 fhirpatch.html ("the type of the value must be correct for the place at which it will be added"),
//! json.html#primitive

use serde_json::{Map, Value};

use super::Fault;
use super::place::{Content, List, is_present, is_primitive, set, unknown};
use crate::fhir::definitions::{ElementDefinition, TypeDefinition, TypeKind, type_named};

/// Content that fits an element, and the JSON member that takes it: `valueString` for `value[x]` given as a string.
#[derive(Debug)]
pub(super) struct Fitted {
    pub member: String,
    pub content: Content,
}

/// Reads the content of `part` for `element` of `holder`.
///
/// A part gives it as one `value[x]`; a type that Parameters can't hold comes as a list of parts, a resource as such.
pub(super) fn read(
    part: &Map<String, Value>,
    holder: &TypeDefinition,
    element: &ElementDefinition,
) -> Result<Fitted, Fault> {
    let mut given = part.keys().filter(|name| name.trim_start_matches('_').starts_with("value"));
    let value_member = given.next().map(|name| name.trim_start_matches('_'));
    if given.any(|name| Some(name.trim_start_matches('_')) != value_member) {
        return Err(Fault::Malformed("a part has one value, of one type".to_owned()));
    }
    match (value_member, part.get("part"), part.get("resource")) {
        (Some(member), None, None) => typed(part, member, element),
        (None, Some(parts), None) => composed(parts, holder, element),
        (None, None, Some(resource)) => resource_for(resource, element),
        (None, None, None) => Err(Fault::Malformed(format!("the value for '{}' is missing", element.name))),
        _ => Err(Fault::Malformed("a part has one of a value, parts and a resource".to_owned())),
    }
}

fn typed(part: &Map<String, Value>, member: &str, element: &ElementDefinition) -> Result<Fitted, Fault> {
    let given = type_named("Parameters.parameter")
        .and_then(|parameter| parameter.member(member))
        .map(|(_, chosen)| &*chosen.code)
        .ok_or_else(|| {
            Fault::Malformed("a value is given as valueString, valueCode, valuePeriod and so on".to_owned())
        })?;
    let fitting = element
        .types
        .iter()
        .find(|accepted| *accepted.code == *given)
        .or_else(|| element.types.iter().find(|accepted| is_accepted_as(given, &accepted.code)))
        .ok_or_else(|| wrong_type(element))?;
    let content = Content { value: part.get(member).cloned(), extra: part.get(&format!("_{member}")).cloned() };
    let is_primitive = is_primitive(given);
    let fits = match &content.value {
        None => content.extra.is_some(),
        Some(value) => has_json_form(given, is_primitive, value),
    };
    let extra_fits = content.extra.as_ref().is_none_or(|extra| is_primitive && is_filled_object(extra));
    if !fits || !extra_fits {
        return Err(Fault::Malformed(format!("{member} does not have the JSON form of that type")));
    }
    Ok(Fitted { member: member_name(element, &fitting.code), content })
}

/// True when R4 derives the type `given` from `accepted`, as `code` from `string`.
///
/// Narrative text has a type of its own that Parameters can't hold; it is given as a string.
fn is_accepted_as(given: &str, accepted: &str) -> bool {
    let derives = std::iter::successors(type_named(given), |definition| type_named(&definition.base))
        .any(|definition| *definition.name == *accepted);
    derives || (given == "string" && accepted == "xhtml")
}

fn has_json_form(code: &str, is_primitive: bool, value: &Value) -> bool {
    match (is_primitive, value) {
        (false, value) => is_filled_object(value),
        (true, Value::Bool(_)) => code == "boolean",
        (true, Value::Number(_)) => matches!(code, "integer" | "decimal" | "positiveInt" | "unsignedInt"),
        (true, Value::String(_)) => !matches!(code, "boolean" | "integer" | "decimal" | "positiveInt" | "unsignedInt"),
        _ => false,
    }
}

fn is_filled_object(value: &Value) -> bool {
    value.as_object().is_some_and(|members| !members.is_empty())
}

fn wrong_type(element: &ElementDefinition) -> Fault {
    let accepted: Vec<&str> = element.types.iter().map(|accepted| &*accepted.code).collect();
    let wanted = match accepted.as_slice() {
        ["Resource"] => "a resource".to_owned(),
        ["xhtml"] => "valueString".to_owned(),
        [code] if type_named(code).is_some_and(|definition| definition.kind == TypeKind::Backbone) => {
            "parts".to_owned()
        }
        [code] => format!("value{}", capitalized(code)),
        many if many.len() > 8 => "another type".to_owned(),
        many => many.iter().map(|code| format!("value{}", capitalized(code))).collect::<Vec<_>>().join(" or "),
    };
    Fault::Refused(format!("'{}' does not take a value of that type; give {wanted}", element.name))
}

/// Builds a value from parts that are named as its elements.
fn composed(parts: &Value, holder: &TypeDefinition, element: &ElementDefinition) -> Result<Fitted, Fault> {
    let [accepted] = element.types.as_slice() else {
        return Err(wrong_type(element));
    };
    let definition = type_named(&accepted.code)
        .filter(|definition| matches!(definition.kind, TypeKind::Complex | TypeKind::Backbone))
        .ok_or_else(|| wrong_type(element))?;
    let parts = parts.as_array().filter(|parts| !parts.is_empty()).ok_or_else(|| {
        Fault::Malformed(format!("the parts for '{}' of {} are a list of at least one", element.name, holder.name))
    })?;
    let mut members = Map::new();
    for part in parts {
        let (part, name) = named(part)?;
        let element = element_called(definition, name)?;
        let fitted = read(part, definition, element)?;
        put(&mut members, element, fitted)?;
    }
    Ok(Fitted {
        member: member_name(element, &accepted.code),
        content: Content { value: Some(Value::Object(members)), extra: None },
    })
}

fn resource_for(resource: &Value, element: &ElementDefinition) -> Result<Fitted, Fault> {
    let takes = element.types.iter().any(|accepted| &*accepted.code == "Resource");
    let is_resource = resource
        .get("resourceType")
        .and_then(Value::as_str)
        .and_then(type_named)
        .is_some_and(|definition| definition.kind == TypeKind::Resource);
    match (takes, is_resource) {
        (false, _) => Err(wrong_type(element)),
        (true, false) => Err(Fault::Malformed("'resource' holds an object that names its resourceType".to_owned())),
        (true, true) => Ok(Fitted {
            member: element.name.to_string(),
            content: Content { value: Some(resource.clone()), extra: None },
        }),
    }
}

/// Appends `fitted` to `element`, or sets it when the element does not repeat and is not there yet.
pub(super) fn put(members: &mut Map<String, Value>, element: &ElementDefinition, fitted: Fitted) -> Result<(), Fault> {
    if element.max != Some(1) {
        let mut list = List { members, name: &fitted.member };
        let end = list.len();
        list.insert(end, fitted.content);
        return Ok(());
    }
    let is_taken = element.types.iter().any(|accepted| is_present(members, &member_name(element, &accepted.code)));
    if is_taken {
        return Err(Fault::Refused(format!("'{}' is there already and does not repeat; use replace", element.name)));
    }
    set(members, fitted.member, fitted.content);
    Ok(())
}

/// A part with its name.
pub(super) fn named(part: &Value) -> Result<(&Map<String, Value>, &str), Fault> {
    let part = part.as_object().ok_or_else(|| Fault::Malformed("a part is an object".to_owned()))?;
    match part.get("name") {
        Some(Value::String(name)) => Ok((part, name)),
        _ => Err(Fault::Malformed("a part has a name".to_owned())),
    }
}

/// The element of `holder` called `name`, for a choice with or without the type (`value`, `valueString`).
pub(super) fn element_called<'d>(holder: &'d TypeDefinition, name: &str) -> Result<&'d ElementDefinition, Fault> {
    holder
        .element(name)
        .or_else(|| holder.member(name).map(|(element, _)| element))
        .ok_or_else(|| unknown(holder, name))
}

fn member_name(element: &ElementDefinition, code: &str) -> String {
    if element.is_choice { format!("{}{}", element.name, capitalized(code)) } else { element.name.to_string() }
}

fn capitalized(code: &str) -> String {
    let mut letters = code.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
