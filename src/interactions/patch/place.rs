//! Places in a resource: from what a FHIRPath selects to the JSON members that hold it.
//!
//! FHIR JSON splits a primitive in two: `birthDate` holds the value, `_birthDate` its id and extensions, and of lists
//! both halves count alike. A place names the element; both halves are handled here.
//!
//! Spec: R4 json.html#primitive

use serde_json::{Map, Value};

use super::Fault;
use crate::fhir::definitions::{ElementDefinition, ElementType, TypeDefinition, TypeKind, type_named};
use crate::fhirpath::Step;

/// The content of one element: a value, and what FHIR JSON keeps of a primitive under the name with an underscore.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Content {
    pub value: Option<Value>,
    pub extra: Option<Value>,
}

/// An element that exists.
#[derive(Debug)]
pub(super) struct Place {
    /// The way from the root to the object that the element is a part of.
    pub holder: Vec<Step>,
    pub holder_type: &'static TypeDefinition,
    /// Its JSON member, without underscore.
    pub member: String,
    /// Which item it is; `None` when the element does not repeat.
    pub index: Option<usize>,
    pub element: &'static ElementDefinition,
    pub chosen: &'static ElementType,
}

/// What a path selects.
#[derive(Debug)]
pub(super) enum Selected {
    /// The resource itself.
    Root(&'static TypeDefinition),
    Element(Place),
}

impl Selected {
    /// Finds the element behind `steps`, from the root of `document` down.
    ///
    /// Steps may name a primitive with or without underscore.
    pub fn resolve(document: &Value, steps: &[Step]) -> Result<Selected, Fault> {
        let mut holder_type = resource_definition(document)?;
        let mut holder = Vec::with_capacity(steps.len());
        let mut value = document;
        let mut rest = steps.iter().peekable();
        loop {
            let Some(step) = rest.next() else {
                // Only the root has no step that leads to it.
                return Ok(Selected::Root(holder_type));
            };
            let Step::Member(name) = step else {
                return Err(Fault::Refused("the path leads into a list of lists, which FHIR does not have".to_owned()));
            };
            let member = name.strip_prefix('_').unwrap_or(name);
            let (element, chosen) = holder_type.member(member).ok_or_else(|| unknown(holder_type, member))?;
            let index = match rest.peek() {
                Some(&&Step::Index(index)) => {
                    rest.next();
                    Some(index)
                }
                _ => None,
            };
            if rest.peek().is_none() {
                let member = member.to_owned();
                return Ok(Selected::Element(Place { holder, holder_type, member, index, element, chosen }));
            }
            let name = if is_primitive(&chosen.code) { format!("_{member}") } else { member.to_owned() };
            value = value.get(&name).ok_or_else(gone)?;
            holder.push(Step::Member(name));
            if let Some(index) = index {
                value = value.get(index).ok_or_else(gone)?;
                holder.push(Step::Index(index));
            }
            holder_type = definition_of(&chosen.code, value)?;
        }
    }
}

/// The definition of a value whose element has the type `code`.
fn definition_of(code: &str, value: &Value) -> Result<&'static TypeDefinition, Fault> {
    if code == "Resource" {
        return resource_definition(value);
    }
    // What lies below a primitive is its id and its extensions.
    let code = if is_primitive(code) { "Element" } else { code };
    type_named(code).ok_or_else(|| Fault::Refused(format!("the type '{code}' is not known here")))
}

fn resource_definition(value: &Value) -> Result<&'static TypeDefinition, Fault> {
    let name = value.get("resourceType").and_then(Value::as_str);
    name.and_then(type_named)
        .filter(|definition| definition.kind == TypeKind::Resource)
        .ok_or_else(|| Fault::Refused("resourceType names no resource of FHIR R4".to_owned()))
}

/// True for `string`, `date` and their like, whose content may be split in two members.
pub(super) fn is_primitive(code: &str) -> bool {
    type_named(code).is_some_and(|definition| definition.kind == TypeKind::Primitive)
}

/// What to say of an element that a type does not have.
pub(super) fn unknown(holder: &TypeDefinition, name: &str) -> Fault {
    let name: String = name.chars().take(80).collect();
    Fault::Refused(format!("{} has no element '{name}'", holder.name))
}

fn gone() -> Fault {
    Fault::NoSuchPlace("the element is not there".to_owned())
}

impl Place {
    /// How many levels below the root it stands.
    pub fn depth(&self) -> usize {
        self.holder.len() + 1 + usize::from(self.index.is_some())
    }

    /// The object that the element is a part of.
    pub fn holder_in<'v>(&self, document: &'v mut Value) -> Result<&'v mut Map<String, Value>, Fault> {
        object_at(document, &self.holder).ok_or_else(gone)
    }

    /// Puts `content` where the element stands, under the name `member` (another one when the type of a choice changes).
    pub fn replace(&self, document: &mut Value, member: String, content: Content) -> Result<(), Fault> {
        let holder = self.holder_in(document)?;
        match self.index {
            Some(index) => List { members: holder, name: &self.member }.replace(index, content),
            None if member == self.member => set(holder, member, content),
            None => {
                take(holder, &self.member);
                set(holder, member, content);
            }
        }
        Ok(())
    }

    /// Removes the element, and with it what held nothing else: no object or list of a resource is empty.
    pub fn remove(&self, document: &mut Value) -> Result<(), Fault> {
        let holder = self.holder_in(document)?;
        match self.index {
            Some(index) => drop(List { members: holder, name: &self.member }.take(index)),
            None => take(holder, &self.member),
        }
        remove_empty_holders(document, &self.holder);
        Ok(())
    }

    /// The object below the element, and its type: for a primitive the one that holds its extensions, made if need be.
    pub fn inside<'v>(
        &self,
        document: &'v mut Value,
    ) -> Result<(&'v mut Map<String, Value>, &'static TypeDefinition), Fault> {
        let holder = self.holder_in(document)?;
        let primitive = is_primitive(&self.chosen.code);
        let name = if primitive { format!("_{}", self.member) } else { self.member.clone() };
        if primitive && let Some(index) = self.index {
            List { members: holder, name: &self.member }.make_extra(index);
        } else if primitive && !holder.contains_key(&name) {
            holder.insert(name.clone(), Value::Object(Map::new()));
        }
        let value = holder.get_mut(&name).ok_or_else(gone)?;
        let value = match self.index {
            Some(index) => value.get_mut(index).ok_or_else(gone)?,
            None => value,
        };
        let definition = definition_of(&self.chosen.code, value)?;
        value.as_object_mut().map(|members| (members, definition)).ok_or_else(gone)
    }
}

fn object_at<'v>(document: &'v mut Value, steps: &[Step]) -> Option<&'v mut Map<String, Value>> {
    value_at(document, steps)?.as_object_mut()
}

fn value_at<'v>(document: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    steps.iter().try_fold(document, |value, step| match step {
        Step::Member(name) => value.get_mut(name),
        Step::Index(index) => value.get_mut(index),
    })
}

/// Sets an element that does not repeat.
pub(super) fn set(members: &mut Map<String, Value>, name: String, content: Content) {
    let extra_name = format!("_{name}");
    match content.extra {
        Some(extra) => drop(members.insert(extra_name, extra)),
        None => drop(members.shift_remove(&extra_name)),
    }
    match content.value {
        Some(value) => drop(members.insert(name, value)),
        None => drop(members.shift_remove(&name)),
    }
}

fn take(members: &mut Map<String, Value>, name: &str) {
    members.shift_remove(name);
    members.shift_remove(&format!("_{name}"));
}

/// True when the element `name` has a value or an extension in `members`.
pub(super) fn is_present(members: &Map<String, Value>, name: &str) -> bool {
    members.contains_key(name) || members.contains_key(&format!("_{name}"))
}

/// Goes up from `steps` and removes each object and list that is empty, up to the root, which stays.
fn remove_empty_holders(document: &mut Value, mut steps: &[Step]) {
    while let Some((last, parents)) = steps.split_last() {
        let is_empty = match value_at(document, steps) {
            Some(Value::Object(members)) => members.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            _ => false,
        };
        if !is_empty {
            return;
        }
        match last {
            Step::Member(name) => {
                if let Some(parent) = object_at(document, parents) {
                    parent.shift_remove(name);
                }
                steps = parents;
            }
            Step::Index(index) => {
                // The list is a member of the object above, and may be one half of a list of primitives.
                let Some((Step::Member(name), above)) = parents.split_last() else { return };
                let Some(members) = object_at(document, above) else { return };
                match name.strip_prefix('_') {
                    Some(name) => List { members, name }.clear_extra(*index),
                    None => drop(List { members, name }.take(*index)),
                }
                steps = above;
            }
        }
    }
}

/// An element that repeats: the list `name` of `members`, and for primitives the list with the underscore beside it.
pub(super) struct List<'v, 'n> {
    pub members: &'v mut Map<String, Value>,
    pub name: &'n str,
}

impl List<'_, '_> {
    /// How many items there are, those without a value included.
    pub fn len(&self) -> usize {
        let length = |name: &str| self.members.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        length(self.name).max(length(&format!("_{}", self.name)))
    }

    /// Puts a new item before the one at `index`, which is at most the length.
    pub fn insert(&mut self, index: usize, content: Content) {
        self.edit(|values, extras| {
            values.insert(index, content.value.unwrap_or_default());
            extras.insert(index, content.extra.unwrap_or_default());
        });
    }

    /// Takes the item at `index`, which must exist.
    pub fn take(&mut self, index: usize) -> Content {
        let mut content = Content::default();
        self.edit(|values, extras| {
            content.value = Some(values.remove(index)).filter(|value| !value.is_null());
            content.extra = Some(extras.remove(index)).filter(|extra| !extra.is_null());
        });
        content
    }

    /// Moves the item at `source` so that it comes to stand at `destination`; both must exist.
    pub fn shift(&mut self, source: usize, destination: usize) {
        self.edit(|values, extras| {
            for items in [values, extras] {
                let item = items.remove(source);
                items.insert(destination, item);
            }
        });
    }

    fn replace(&mut self, index: usize, content: Content) {
        self.edit(|values, extras| {
            values[index] = content.value.unwrap_or_default();
            extras[index] = content.extra.unwrap_or_default();
        });
    }

    /// Makes room for extensions of the item at `index`.
    fn make_extra(&mut self, index: usize) {
        self.edit(|_, extras| {
            if !extras[index].is_object() {
                extras[index] = Value::Object(Map::new());
            }
        });
    }

    /// Removes the extensions of the item at `index`, and the item when nothing is left of it.
    fn clear_extra(&mut self, index: usize) {
        self.edit(|values, extras| {
            extras[index] = Value::Null;
            if values[index].is_null() {
                values.remove(index);
                extras.remove(index);
            }
        });
    }

    /// Lets `change` work on both lists at equal length, then drops the one that holds nothing.
    fn edit(&mut self, change: impl FnOnce(&mut Vec<Value>, &mut Vec<Value>)) {
        let length = self.len();
        let extra_name = format!("_{}", self.name);
        let mut padded = |name: &str| {
            let mut items = match self.members.get_mut(name).map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            items.resize(length, Value::Null);
            items
        };
        let mut values = padded(self.name);
        let mut extras = padded(&extra_name);
        change(&mut values, &mut extras);
        self.put(self.name.to_owned(), values);
        self.put(extra_name, extras);
    }

    fn put(&mut self, name: String, items: Vec<Value>) {
        if items.iter().all(Value::is_null) {
            self.members.shift_remove(&name);
        } else {
            self.members.insert(name, Value::Array(items));
        }
    }
}
