//! The second pass: what the JSON Schema of R4 can't see, driven by the definitions of the types.
//!
//! It is complete by itself: cardinalities, choices, empties and nulls, `_field` siblings, primitive values; and it calls
//! on the rules of references, bindings, narrative and bundles where it meets them.
//!
//! Spec: R4 json.html, conformance-rules.html#cardinality, extensibility.html

use std::ptr;

use serde_json::{Map, Value};

use super::findings::Findings;
use super::path::Path;
use super::primitives::{ELEMENT_ID_RULE, Primitive, is_element_id};
use super::references::{Contained, Scope};
use super::schema::{self, shape_code, unknown_member};
use super::{bindings, bundle, references, xhtml};
use crate::fhir::definitions::{self, ElementDefinition, ElementType, TypeDefinition, TypeKind};
use crate::fhir::{IssueCode, ResourceType};

/// Walks a resource and what is inside it.
pub(super) struct Walk<'w> {
    /// This server's own base URLs.
    pub(super) bases: &'w [String],
    pub(super) findings: Findings,
}

/// Where a resource stands.
#[derive(Clone, Copy)]
pub(super) enum Setting<'s> {
    /// On its own, or in a Bundle or Parameters; true in a transaction or batch.
    Whole { in_transaction: bool },
    /// In `contained` of another resource.
    Contained(Scope<'s>),
}

impl Walk<'_> {
    /// Checks one resource by the type that it names.
    pub(super) fn resource(&mut self, value: &Value, setting: Setting, path: &Path) {
        let Value::Object(object) = value else {
            self.findings.add(IssueCode::Structure, path, "a resource is a JSON object");
            return;
        };
        let named =
            object.get("resourceType").map(|name| name.as_str().and_then(|name| ResourceType::parse(name).ok()));
        let known = match named {
            Some(Some(known)) => known,
            Some(None) => {
                let text = "resourceType must be the name of a resource type of FHIR R4";
                self.findings.add(IssueCode::Structure, Path::Member(path, "resourceType"), text);
                return;
            }
            None => {
                let text = "resourceType is required: every resource names its type";
                self.findings.add(IssueCode::Required, Path::Member(path, "resourceType"), text);
                return;
            }
        };
        schema::check(known, value, path, &mut self.findings);
        self.structure(known, object, setting, path);
    }

    /// The structure pass alone, of a resource whose type is known.
    pub(super) fn structure(
        &mut self,
        known: ResourceType,
        object: &Map<String, Value>,
        setting: Setting,
        path: &Path,
    ) {
        let Some(definition) = definitions::type_named(known.name()) else { return };
        match setting {
            Setting::Contained(scope) => {
                references::check_contained(object, path, &mut self.findings);
                self.object(object, definition, scope, path);
            }
            Setting::Whole { in_transaction } => {
                let contained = Contained::of(object);
                let opens = known == ResourceType::BUNDLE && bundle::is_transaction(object);
                let scope = Scope { contained: &contained, within: None, admits_conditional: in_transaction || opens };
                self.object(object, definition, scope, path);
                contained.report(path, &mut self.findings);
            }
        }
        if known == ResourceType::BUNDLE {
            bundle::check(object, path, &mut self.findings);
        }
    }

    /// Checks the members of a resource, data type or backbone element.
    fn object(&mut self, object: &Map<String, Value>, definition: &'static TypeDefinition, scope: Scope, path: &Path) {
        // Elements of choice met so far, with the member that chose.
        let mut choices: Vec<(&ElementDefinition, &str)> = Vec::new();
        for (name, value) in object {
            if self.findings.is_full() {
                return;
            }
            if name == "resourceType" && definition.kind == TypeKind::Resource {
                continue;
            }
            let member = name.strip_prefix('_').unwrap_or(name);
            let Some((element, chosen)) = definition.member(member) else {
                let (at, text) = unknown_member(&path.to_string(), name);
                self.findings.add(IssueCode::Structure, at, text);
                continue;
            };
            let here = Path::Member(path, &element.name);
            if element.is_choice {
                match choices.iter().find(|(seen, _)| ptr::eq(*seen, element)) {
                    None => choices.push((element, member)),
                    Some((_, first)) if *first == member => {}
                    Some(_) => {
                        let text = format!("{}[x] is a choice: only one of its types may be given", element.name);
                        self.findings.add(IssueCode::Structure, here, text);
                    }
                }
            }
            if member.len() == name.len() {
                self.member(object, name, value, element, chosen, scope, &here);
            } else {
                self.sibling(object, member, value, element, chosen, scope, &here);
            }
        }
        self.required(object, definition, &choices, path);
        self.substance(object, definition, path);
    }

    /// Checks that each required element is there; an extension can stand in for a primitive.
    fn required(
        &mut self,
        object: &Map<String, Value>,
        definition: &'static TypeDefinition,
        choices: &[(&ElementDefinition, &str)],
        path: &Path,
    ) {
        for element in definition.elements.iter().filter(|element| element.min > 0) {
            let is_there = if element.is_choice {
                choices.iter().any(|(seen, _)| ptr::eq(*seen, element))
            } else {
                object.contains_key(&*element.name) || object.contains_key(&format!("_{}", element.name))
            };
            if !is_there {
                let mark = if element.is_choice { "[x]" } else { "" };
                let text = format!("{}{mark} is required", element.name);
                self.findings.add(IssueCode::Required, Path::Member(path, &element.name), text);
            }
        }
    }

    /// Checks that an object says something, and that an extension has either a value or extensions.
    ///
    /// Spec: ele-1, ext-1
    fn substance(&mut self, object: &Map<String, Value>, definition: &TypeDefinition, path: &Path) {
        let is_resource = definition.kind == TypeKind::Resource;
        if object.is_empty() {
            let text = "an object must have at least one member; leave the element out when there is nothing to say";
            self.findings.add(IssueCode::Structure, path, text);
        } else if object.len() == 1 && object.contains_key("id") && !is_resource {
            let text = "an element must have a value or children, not only an id (ele-1)";
            self.findings.add(IssueCode::Invariant, path, text);
        } else if *definition.name == *"Extension" {
            let has_extensions = object.contains_key("extension");
            let has_value = object.keys().any(|name| name.trim_start_matches('_').starts_with("value"));
            if has_extensions == has_value {
                let text =
                    "an extension has either a value[x] or extensions of its own, not both and not neither (ext-1)";
                self.findings.add(IssueCode::Invariant, path, text);
            }
        }
    }

    /// Checks an element in all its repetitions.
    #[expect(clippy::too_many_arguments, reason = "the facts of one member; a struct would be made for each of them")]
    fn member(
        &mut self,
        object: &Map<String, Value>,
        name: &str,
        value: &Value,
        element: &'static ElementDefinition,
        chosen: &'static ElementType,
        scope: Scope,
        path: &Path,
    ) {
        let repeats = element.max.is_none_or(|max| max > 1);
        match value {
            Value::Null => self.null(path),
            Value::Array(items) if repeats => {
                if items.is_empty() {
                    let text = "an array must have at least one entry; leave the element out when there is none";
                    self.findings.add(IssueCode::Structure, path, text);
                }
                if let Some(max) = element.max
                    && items.len() > max as usize
                {
                    let text = format!("{} may occur {max} times at most", element.name);
                    self.findings.add(IssueCode::Structure, path, text);
                }
                for (index, item) in items.iter().enumerate() {
                    if self.findings.is_full() {
                        return;
                    }
                    let here = Path::Item(path, index);
                    if !item.is_null() {
                        self.value(item, element, chosen, scope, Some(index), &here);
                    } else if !extension_stands_in(object, name, index) {
                        self.null(&here);
                    }
                }
            }
            Value::Array(_) => {
                let text = format!("{} occurs once, so it is not written as an array", element.name);
                self.findings.add(IssueCode::Structure, path, text);
            }
            _ if repeats => {
                let text = format!("{} may repeat, so it is written as an array", element.name);
                self.findings.add(IssueCode::Structure, path, text);
            }
            _ => self.value(value, element, chosen, scope, None, path),
        }
    }

    /// Checks one value of an element.
    fn value(
        &mut self,
        value: &Value,
        element: &'static ElementDefinition,
        chosen: &'static ElementType,
        scope: Scope,
        index: Option<usize>,
        path: &Path,
    ) {
        if let Some(primitive) = Primitive::of(&chosen.code) {
            self.primitive(primitive, value, element, scope, path);
            return;
        }
        if *chosen.code == *"Resource" {
            let setting = if *element.name == *"contained" {
                match scope.within {
                    // dom-2 is reported where the inner list stands; what is in it has no place to be.
                    Some(_) => return,
                    None => Setting::Contained(Scope { within: index, ..scope }),
                }
            } else {
                Setting::Whole { in_transaction: scope.admits_conditional }
            };
            self.resource(value, setting, path);
            return;
        }
        let Value::Object(object) = value else {
            let text = format!("{} must be a JSON object", element.name);
            self.findings.add(IssueCode::Structure, path, text);
            return;
        };
        let Some(definition) = definitions::type_named(&chosen.code) else { return };
        self.object(object, definition, scope, path);
        if *chosen.code == *"Reference" {
            references::check(object, chosen, self.bases, scope, path, &mut self.findings);
        } else if let Some(url) = &element.required_binding {
            bindings::check_coded(&chosen.code, object, url, path, &mut self.findings);
        }
    }

    fn primitive(
        &mut self,
        primitive: Primitive,
        value: &Value,
        element: &'static ElementDefinition,
        scope: Scope,
        path: &Path,
    ) {
        if !primitive.admits(value) {
            self.findings.add(shape_code(value, false), path, primitive.rule());
            return;
        }
        let Value::String(text) = value else { return };
        match primitive {
            Primitive::String if *element.name == *"id" && !is_element_id(text) => {
                self.findings.add(IssueCode::Value, path, ELEMENT_ID_RULE);
            }
            Primitive::Code => {
                if let Some(url) = &element.required_binding {
                    bindings::check_code(text, url, path, &mut self.findings);
                }
            }
            Primitive::Uri | Primitive::Url | Primitive::Canonical => scope.note(text),
            Primitive::Xhtml => xhtml::check(text, path, &mut self.findings),
            _ => {}
        }
    }

    /// Checks `_field`, which holds the id and the extensions of the primitive `field`.
    ///
    /// Spec: R4 json.html#primitive
    #[expect(clippy::too_many_arguments, reason = "the facts of one member; a struct would be made for each of them")]
    fn sibling(
        &mut self,
        object: &Map<String, Value>,
        field: &str,
        value: &Value,
        element: &'static ElementDefinition,
        chosen: &'static ElementType,
        scope: Scope,
        path: &Path,
    ) {
        let takes_extensions = !matches!(Primitive::of(&chosen.code), None | Some(Primitive::Xhtml)) && field != "id";
        if !takes_extensions {
            let text = format!("_{field} is not allowed: only primitive elements have such a sibling");
            self.findings.add(IssueCode::Structure, path, text);
            return;
        }
        let beside = object.get(field);
        let repeats = element.max.is_none_or(|max| max > 1);
        match value {
            Value::Null => self.null(path),
            Value::Array(items) if repeats => {
                let values = beside.and_then(Value::as_array);
                if items.is_empty() || values.is_some_and(|values| values.len() != items.len()) {
                    let text =
                        format!("_{field} must have one entry for each entry of {field}, null where there is none");
                    self.findings.add(IssueCode::Structure, path, text);
                }
                for (index, item) in items.iter().enumerate() {
                    let here = Path::Item(path, index);
                    let has_value = values.and_then(|values| values.get(index)).is_some_and(|value| !value.is_null());
                    match item {
                        // Beside a null the other list has reported it already.
                        Value::Null if has_value || values.is_some() => {}
                        Value::Null => self.null(&here),
                        _ => self.element(item, has_value, field, scope, &here),
                    }
                }
            }
            Value::Array(_) => {
                let text = format!("{field} occurs once, so _{field} is not written as an array");
                self.findings.add(IssueCode::Structure, path, text);
            }
            _ if repeats => {
                let text = format!("{field} may repeat, so _{field} is written as an array");
                self.findings.add(IssueCode::Structure, path, text);
            }
            _ => self.element(value, beside.is_some_and(|value| !value.is_null()), field, scope, path),
        }
    }

    /// Checks the id and the extensions of one primitive.
    fn element(&mut self, value: &Value, has_value: bool, field: &str, scope: Scope, path: &Path) {
        let (Value::Object(object), Some(definition)) = (value, definitions::type_named("Element")) else {
            let text = format!("_{field} must be a JSON object with an id or extensions");
            self.findings.add(IssueCode::Structure, path, text);
            return;
        };
        if has_value && object.len() == 1 && object.contains_key("id") {
            // The value beside it makes an id alone legal, which `object` would refuse.
            let id = object.get("id").unwrap_or(&Value::Null);
            if !id.as_str().is_some_and(is_element_id) {
                self.findings.add(shape_code(id, false), Path::Member(path, "id"), ELEMENT_ID_RULE);
            }
            return;
        }
        self.object(object, definition, scope, path);
    }

    fn null(&mut self, path: &Path) {
        let text = "null is allowed only in an array beside an array of extensions; leave the element out instead";
        self.findings.add(IssueCode::Structure, path, text);
    }
}

/// True when the `_field` beside an array of primitives has an object at `index`.
fn extension_stands_in(object: &Map<String, Value>, name: &str, index: usize) -> bool {
    let sibling = object.get(&format!("_{name}"));
    sibling.and_then(|list| list.get(index)).is_some_and(Value::is_object)
}
