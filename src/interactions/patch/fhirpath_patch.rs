//! FHIRPath Patch: operations in a Parameters resource, their places named by FHIRPath.
//!
//! Spec: R4 fhirpatch.html

use serde_json::{Map, Value};

use super::content::{self, Fitted};
use super::limits::{Budget, check_depth, measure};
use super::parameters::{self, Action, Operation};
use super::place::{List, Place, Selected};
use super::{Fault, Identity, PatchError};
use crate::fhirpath;

/// Applies the operations in `parameters` to `resource`, which may grow to `max_bytes` of compact JSON.
///
/// All operations are read before the first is done. Removing an element removes what held nothing else, and a value
/// that is set for a choice takes the place of that choice's other types.
///
/// After an error `resource` is half changed and must be dropped.
pub fn apply(resource: &mut Value, parameters: &Value, max_bytes: usize) -> Result<(), PatchError> {
    let operations = parameters::read(parameters)?;

    let identity = Identity::of(resource);
    let bytes = measure(resource).map_err(|fault| fault.of(0, "", max_bytes))?.bytes;
    let mut run = Run { resource, budget: Budget::new(bytes, max_bytes) };
    for (number, operation) in operations.iter().enumerate() {
        run.run(operation).map_err(|fault| fault.of(number, operation.path, max_bytes))?;
    }
    let after = measure(run.resource).map_err(|fault| fault.of(0, "", max_bytes))?.bytes;
    if after > max_bytes && after > bytes {
        // Nothing is copied, so in between it never held more than the sum of resource and patch.
        return Err(PatchError::TooLarge { operation: operations.len().saturating_sub(1), max_bytes });
    }
    identity.check(resource)
}

/// How many bytes are walked past at the cost of one that is copied.
const WALKED_BYTES: usize = 2;

/// What it costs to keep the place of one selected element, in units of the budget.
const WORK_PER_PLACE: usize = 64;

/// A patch under way.
struct Run<'d> {
    resource: &'d mut Value,
    budget: Budget,
}

impl Run<'_> {
    fn run(&mut self, operation: &Operation) -> Result<(), Fault> {
        match operation.action {
            Action::Add { name, value } => self.add(operation.path, name, value),
            Action::Insert { index, value } => self.insert(operation.path, index, value),
            Action::Delete => self.delete(operation.path),
            Action::Replace { value } => self.replace(operation.path, value),
            Action::Move { source, destination } => self.shift(operation.path, source, destination),
        }
    }

    fn add(&mut self, path: &str, name: &str, value: &Map<String, Value>) -> Result<(), Fault> {
        let selected = self.one(path)?;
        let (depth, (members, definition)) = match &selected {
            Selected::Root(definition) => {
                let members = self.resource.as_object_mut().ok_or_else(nothing_selected)?;
                (0, (members, *definition))
            }
            Selected::Element(place) => (place.depth(), place.inside(self.resource)?),
        };
        let element = content::element_called(definition, name)?;
        let fitted = content::read(value, definition, element)?;
        check_fit(depth, &fitted)?;
        self.budget.spend(List { members: &mut *members, name: &fitted.member }.len())?;
        content::put(members, element, fitted)
    }

    fn insert(&mut self, path: &str, index: usize, value: &Map<String, Value>) -> Result<(), Fault> {
        let places = self.all(path)?;
        if places.is_empty() {
            return self.insert_first(path, index, value);
        }
        let (place, length) = self.whole_list(places)?;
        if index > length {
            return Err(Fault::Refused(format!("the list has {length} items: 'index' is at most that")));
        }
        let fitted = content::read(value, place.holder_type, place.element)?;
        check_fit(place.holder.len(), &fitted)?;
        List { members: place.holder_in(self.resource)?, name: &place.member }.insert(index, fitted.content);
        Ok(())
    }

    /// Starts a list that has no items yet, which is why no path can select it: the path without its last name selects
    /// the element that is to have it.
    fn insert_first(&mut self, path: &str, index: usize, value: &Map<String, Value>) -> Result<(), Fault> {
        let (above, name) = split_last_name(path).ok_or_else(nothing_selected)?;
        if index > 0 {
            return Err(Fault::Refused("the list has no items yet: 'index' must be 0".to_owned()));
        }
        let definition = match self.one(above)? {
            Selected::Root(definition) => definition,
            Selected::Element(place) => place.inside(self.resource)?.1,
        };
        if content::element_called(definition, name)?.max == Some(1) {
            return Err(no_list());
        }
        self.add(above, name, value)
    }

    fn delete(&mut self, path: &str) -> Result<(), Fault> {
        let mut places = self.all(path)?;
        match (places.pop(), places.len()) {
            // "Path of the element to delete (if found)"
            (None, _) => Ok(()),
            (Some(Selected::Root(_)), _) => Err(Fault::Refused("a patch can't delete the resource itself".to_owned())),
            (Some(Selected::Element(place)), 0) => {
                self.spend_on_list(&place)?;
                place.remove(self.resource)
            }
            (Some(_), others) => Err(too_many(others + 1)),
        }
    }

    fn replace(&mut self, path: &str, value: &Map<String, Value>) -> Result<(), Fault> {
        match self.one(path)? {
            Selected::Root(_) => {
                Err(Fault::Refused("a patch can't replace the resource itself; use update".to_owned()))
            }
            Selected::Element(place) => {
                let fitted = content::read(value, place.holder_type, place.element)?;
                check_fit(place.holder.len(), &fitted)?;
                self.spend_on_list(&place)?;
                place.replace(self.resource, fitted.member, fitted.content)
            }
        }
    }

    fn shift(&mut self, path: &str, source: usize, destination: usize) -> Result<(), Fault> {
        let places = self.all(path)?;
        if places.is_empty() {
            return Err(nothing_selected());
        }
        let (place, length) = self.whole_list(places)?;
        if source >= length || destination >= length {
            return Err(Fault::Refused(format!(
                "the list has {length} items: 'source' and 'destination' are less than that"
            )));
        }
        List { members: place.holder_in(self.resource)?, name: &place.member }.shift(source, destination);
        Ok(())
    }

    /// All that `path` selects, in order.
    fn all(&mut self, path: &str) -> Result<Vec<Selected>, Fault> {
        let expression =
            fhirpath::compile(path).map_err(|error| Fault::Malformed(format!("'path' is no FHIRPath: {error}")))?;
        // Finding places walks through the resource once; a function may do so once more.
        let passes = if path.contains('(') { 2 } else { 1 };
        self.budget.spend(self.budget.bytes / WALKED_BYTES * passes)?;
        let root_type = self.resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let places = expression
            .locate(self.resource, root_type)
            .map_err(|error| Fault::Refused(format!("the path can't be evaluated: {error}")))?;
        self.budget.spend(places.len() * WORK_PER_PLACE)?;
        places.iter().map(|steps| Selected::resolve(self.resource, steps)).collect()
    }

    /// The one element that `path` selects.
    fn one(&mut self, path: &str) -> Result<Selected, Fault> {
        let mut places = self.all(path)?;
        match (places.pop(), places.len()) {
            (None, _) => Err(nothing_selected()),
            (Some(place), 0) => Ok(place),
            (Some(_), others) => Err(too_many(others + 1)),
        }
    }

    /// The list of which `places` are all the items, as its first item, with its length.
    fn whole_list(&mut self, places: Vec<Selected>) -> Result<(Place, usize), Fault> {
        let count = places.len();
        let mut places = places.into_iter();
        let Some(Selected::Element(first)) = places.next() else { return Err(no_list()) };
        if first.index.is_none() {
            return Err(no_list());
        }
        let is_beside = |other| match other {
            Selected::Element(other) => first.holder == other.holder && first.member == other.member,
            Selected::Root(_) => false,
        };
        let is_one_list = places.all(is_beside);
        let length = List { members: first.holder_in(self.resource)?, name: &first.member }.len();
        if !is_one_list || count != length {
            return Err(Fault::Refused("the path must select one list, with all of its items".to_owned()));
        }
        self.budget.spend(length)?;
        Ok((first, length))
    }

    fn spend_on_list(&mut self, place: &Place) -> Result<(), Fault> {
        let length = List { members: place.holder_in(self.resource)?, name: &place.member }.len();
        self.budget.spend(length)
    }
}

/// Fails when `fitted`, put into an object `depth` levels below the root, nests too deep.
fn check_fit(depth: usize, fitted: &Fitted) -> Result<(), Fault> {
    let parts = [&fitted.content.value, &fitted.content.extra];
    // One level for the member, one for the list.
    parts.into_iter().flatten().try_for_each(|part| check_depth(depth + 2, measure(part)?.depth))
}

/// Splits `Patient.contact[0].telecom` before its last name; `None` when it does not end in one or holds an operator,
/// which the last name might belong to.
fn split_last_name(path: &str) -> Option<(&str, &str)> {
    let (above, name) = path.trim().rsplit_once('.')?;
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let mut depth = 0_usize;
    for byte in above.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1)?,
            b'.' | b'[' | b']' | b'_' | b'`' => {}
            byte if depth == 0 && !byte.is_ascii_alphanumeric() => return None,
            _ => {}
        }
    }
    is_name.then_some((above, name))
}

fn nothing_selected() -> Fault {
    Fault::NoSuchPlace("the path must select an element that is there".to_owned())
}

fn too_many(count: usize) -> Fault {
    Fault::Refused(format!("the path selects {count} elements where it must select one; add an index or where(..)"))
}

fn no_list() -> Fault {
    Fault::Refused("the path must select the items of a list".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROOM: usize = 1 << 20;

    fn part(name: &str, member: &str, value: Value) -> Value {
        let mut part = Map::new();
        part.insert("name".to_owned(), name.into());
        part.insert(member.to_owned(), value);
        Value::Object(part)
    }

    /// An operation with the parts `type` and `path`, and those given.
    fn operation(kind: &str, path: &str, parts: &[Value]) -> Value {
        let mut all = vec![part("type", "valueCode", kind.into()), part("path", "valueString", path.into())];
        all.extend_from_slice(parts);
        json!({"name": "operation", "part": all})
    }

    fn add(path: &str, name: &str, member: &str, value: Value) -> Value {
        operation("add", path, &[part("name", "valueString", name.into()), part("value", member, value)])
    }

    fn replace(path: &str, member: &str, value: Value) -> Value {
        operation("replace", path, &[part("value", member, value)])
    }

    fn insert(path: &str, index: u64, member: &str, value: Value) -> Value {
        operation("insert", path, &[part("index", "valueInteger", index.into()), part("value", member, value)])
    }

    fn shift(path: &str, source: u64, destination: u64) -> Value {
        let positions =
            [part("source", "valueInteger", source.into()), part("destination", "valueInteger", destination.into())];
        operation("move", path, &positions)
    }

    fn parameters(operations: Vec<Value>) -> Value {
        json!({"resourceType": "Parameters", "parameter": operations})
    }

    fn patched(mut resource: Value, operations: Vec<Value>) -> Result<Value, PatchError> {
        apply(&mut resource, &parameters(operations), ROOM).map(|()| resource)
    }

    fn patient(members: Value) -> Value {
        let mut patient = json!({"resourceType": "Patient", "id": "1"});
        patient.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        patient
    }

    fn is_refused(result: Result<Value, PatchError>) -> bool {
        matches!(result, Err(PatchError::Refused { .. }))
    }

    fn is_malformed(result: Result<Value, PatchError>) -> bool {
        matches!(result, Err(PatchError::Malformed { .. }))
    }

    #[test]
    fn a_choice_is_added_under_the_name_of_its_type() {
        let added = patched(patient(json!({})), vec![add("Patient", "deceased", "valueBoolean", json!(true))]);

        assert_eq!(added.unwrap(), patient(json!({"deceasedBoolean": true})));
    }

    #[test]
    fn a_choice_that_has_a_value_of_another_type_takes_no_second_one() {
        let alive = patient(json!({"deceasedBoolean": false}));

        assert!(is_refused(patched(alive, vec![add("Patient", "deceased", "valueDateTime", json!("2020"))])));
    }

    #[test]
    fn replacing_a_choice_by_another_type_changes_its_name() {
        let alive = patient(json!({"deceasedBoolean": false, "_deceasedBoolean": {"id": "x"}}));

        let dead = patched(alive, vec![replace("Patient.deceased", "valueDateTime", json!("2020"))]);

        assert_eq!(dead.unwrap(), patient(json!({"deceasedDateTime": "2020"})));
    }

    #[test]
    fn an_element_that_does_not_repeat_is_added_once() {
        let with_gender = || patient(json!({"gender": "female"}));

        assert!(is_refused(patched(with_gender(), vec![add("Patient", "gender", "valueCode", json!("male"))])));
        let only_extended = patient(json!({"_gender": {"id": "x"}}));
        assert!(is_refused(patched(only_extended, vec![add("Patient", "gender", "valueCode", json!("male"))])));
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused() {
        for (name, member, value) in [
            ("gender", "valueString", json!("male")),
            ("birthDate", "valueDateTime", json!("2020")),
            ("birthDate", "valuePeriod", json!({"start": "2020"})),
            ("maritalStatus", "valueCoding", json!({"code": "M"})),
            ("deceased", "valueString", json!("2020")),
            ("contact", "valueHumanName", json!({"text": "a"})),
        ] {
            assert!(is_refused(patched(patient(json!({})), vec![add("Patient", name, member, value)])), "{name}");
        }
    }

    #[test]
    fn a_type_derived_from_that_of_the_element_is_taken() {
        let added = patched(
            patient(json!({"name": [{"family": "a"}]})),
            vec![add("Patient.name[0]", "text", "valueCode", json!("b"))],
        );

        assert_eq!(added.unwrap()["name"][0]["text"], "b");
    }

    #[test]
    fn a_value_without_the_json_form_of_its_type_is_malformed() {
        for (name, member, value) in [
            ("active", "valueBoolean", json!("true")),
            ("active", "valueBoolean", json!(null)),
            ("birthDate", "valueDate", json!(2020)),
            ("maritalStatus", "valueCodeableConcept", json!({})),
            ("maritalStatus", "valueCodeableConcept", json!([{"text": "a"}])),
            ("maritalStatus", "valueNonsense", json!({"text": "a"})),
        ] {
            assert!(is_malformed(patched(patient(json!({})), vec![add("Patient", name, member, value)])), "{name}");
        }
    }

    #[test]
    fn an_element_that_the_type_does_not_have_is_refused() {
        assert!(is_refused(patched(patient(json!({})), vec![add("Patient", "shoeSize", "valueInteger", json!(42))])));
    }

    #[test]
    fn parts_make_a_backbone_element_with_lists_and_nested_parts() {
        let value = json!({"name": "value", "part": [
            {"name": "name", "valueHumanName": {"text": "a"}},
            {"name": "telecom", "valueContactPoint": {"value": "1"}},
            {"name": "telecom", "valueContactPoint": {"value": "2"}},
            {"name": "extension", "part": [
                {"name": "url", "valueUri": "http://example.org/a"},
                {"name": "value", "valueString": "b"},
            ]},
        ]});
        let operation = operation("add", "Patient", &[part("name", "valueString", json!("contact")), value]);

        let added = patched(patient(json!({})), vec![operation]).unwrap();

        assert_eq!(
            added["contact"],
            json!([{
                "name": {"text": "a"},
                "telecom": [{"value": "1"}, {"value": "2"}],
                "extension": [{"url": "http://example.org/a", "valueString": "b"}],
            }])
        );
    }

    #[test]
    fn parts_are_held_to_the_type_that_they_make() {
        for parts in [
            json!([{"name": "shoeSize", "valueInteger": 42}]),
            json!([{"name": "gender", "valueCode": "male"}, {"name": "gender", "valueCode": "male"}]),
            json!([{"name": "gender", "valueInteger": 1}]),
        ] {
            let value = json!({"name": "value", "part": parts});
            let operation = operation("add", "Patient", &[part("name", "valueString", json!("contact")), value]);

            assert!(is_refused(patched(patient(json!({})), vec![operation])));
        }
    }

    #[test]
    fn a_contained_resource_is_added_as_a_resource() {
        let practitioner = json!({"resourceType": "Practitioner", "id": "p"});
        let operations = vec![
            add("Patient", "contained", "resource", practitioner),
            add("Patient.contained[0]", "gender", "valueCode", json!("male")),
        ];

        let added = patched(patient(json!({})), operations).unwrap();

        assert_eq!(added["contained"], json!([{"resourceType": "Practitioner", "id": "p", "gender": "male"}]));
    }

    #[test]
    fn both_halves_of_a_list_of_primitives_stay_in_step() {
        let given = || patient(json!({"name": [{"given": ["a", "b", "c"], "_given": [null, {"id": "x"}, null]}]}));
        let names = |operation| patched(given(), vec![operation]).unwrap()["name"][0].clone();

        assert_eq!(
            names(insert("Patient.name.given", 0, "valueString", json!("z"))),
            json!({"given": ["z", "a", "b", "c"], "_given": [null, null, {"id": "x"}, null]})
        );
        assert_eq!(
            names(shift("Patient.name.given", 1, 2)),
            json!({"given": ["a", "c", "b"], "_given": [null, null, {"id": "x"}]})
        );
        assert_eq!(
            names(operation("delete", "Patient.name.given[0]", &[])),
            json!({"given": ["b", "c"], "_given": [{"id": "x"}, null]})
        );
        assert_eq!(names(operation("delete", "Patient.name.given[1]", &[])), json!({"given": ["a", "c"]}));
        assert_eq!(
            names(replace("Patient.name.given[1]", "valueString", json!("y"))),
            json!({"given": ["a", "y", "c"]})
        );
        assert_eq!(
            names(add("Patient.name[0]", "given", "valueString", json!("d"))),
            json!({"given": ["a", "b", "c", "d"], "_given": [null, {"id": "x"}, null, null]})
        );
    }

    #[test]
    fn an_extension_can_be_added_to_a_primitive_and_removed_again() {
        let extension = json!({"name": "value", "part": [
            {"name": "url", "valueUri": "http://example.org/a"},
            {"name": "value", "valueString": "b"},
        ]});
        let name = part("name", "valueString", json!("extension"));
        let grown = |path: &str, start: Value| {
            patched(patient(start), vec![operation("add", path, &[name.clone(), extension.clone()])]).unwrap()
        };

        let born = grown("Patient.birthDate", json!({"birthDate": "2020"}));
        let named = grown("Patient.name[0].given[1]", json!({"name": [{"given": ["a", "b"]}]}));

        let added = json!({"extension": [{"url": "http://example.org/a", "valueString": "b"}]});
        assert_eq!(born["_birthDate"], added);
        assert_eq!(named["name"][0]["_given"], json!([null, added]));
        let removed = patched(born, vec![operation("delete", "Patient.birthDate.extension[0]", &[])]).unwrap();
        assert_eq!(removed, patient(json!({"birthDate": "2020"})));
        let removed = patched(named, vec![operation("delete", "Patient.name[0].given[1].extension[0]", &[])]).unwrap();
        assert_eq!(removed, patient(json!({"name": [{"given": ["a", "b"]}]})));
    }

    #[test]
    fn an_item_that_was_only_an_extension_goes_with_it() {
        let extended = json!({"given": ["a", null], "_given": [null, {"extension": [{"url": "u", "valueCode": "v"}]}]});
        let operation = operation("delete", "Patient.name[0].given[1].extension[0]", &[]);

        let removed = patched(patient(json!({"name": [extended]})), vec![operation]).unwrap();

        assert_eq!(removed, patient(json!({"name": [{"given": ["a"]}]})));
    }

    #[test]
    fn a_deletion_takes_along_what_held_nothing_else() {
        let contact = json!({"contact": [{"name": {"given": ["a"]}}]});

        let removed = patched(patient(contact), vec![operation("delete", "Patient.contact[0].name.given[0]", &[])]);

        assert_eq!(removed.unwrap(), patient(json!({})));
    }

    #[test]
    fn deleting_what_is_not_there_changes_nothing_but_deleting_several_is_refused() {
        let named = || patient(json!({"name": [{"text": "a"}, {"text": "b"}]}));

        assert_eq!(patched(named(), vec![operation("delete", "Patient.birthDate", &[])]).unwrap(), named());
        assert!(is_refused(patched(named(), vec![operation("delete", "Patient.name", &[])])));
        assert!(is_refused(patched(named(), vec![operation("delete", "Patient", &[])])));
    }

    #[test]
    fn replace_and_add_need_exactly_one_place() {
        let named = || patient(json!({"name": [{"text": "a"}, {"text": "b"}]}));
        let missing = patched(named(), vec![replace("Patient.birthDate", "valueDate", json!("2020"))]);

        assert!(matches!(missing, Err(PatchError::NoSuchPlace { operation: 0, .. })));
        assert!(is_refused(patched(named(), vec![replace("Patient.name.text", "valueString", json!("c"))])));
        assert!(is_refused(patched(named(), vec![add("Patient.name", "family", "valueString", json!("c"))])));
        assert!(is_refused(patched(named(), vec![replace("Patient", "valueString", json!("c"))])));
    }

    #[test]
    fn insert_and_move_need_a_whole_list_and_positions_within_it() {
        let two = || patient(json!({"name": [{"text": "a", "given": ["p"]}, {"given": ["q"]}], "gender": "male"}));
        let name = || json!({"text": "c"});

        assert!(patched(two(), vec![insert("Patient.name", 2, "valueHumanName", name())]).is_ok());
        assert!(is_refused(patched(two(), vec![insert("Patient.name", 3, "valueHumanName", name())])));
        assert!(is_refused(patched(two(), vec![insert("Patient.name[0]", 0, "valueHumanName", name())])));
        assert!(is_refused(patched(two(), vec![insert("Patient.name.given", 0, "valueString", json!("x"))])));
        assert!(is_refused(patched(two(), vec![insert("Patient.gender", 0, "valueCode", json!("male"))])));
        assert!(patched(two(), vec![shift("Patient.name", 1, 1)]).is_ok());
        assert!(is_refused(patched(two(), vec![shift("Patient.name", 2, 0)])));
        assert!(is_refused(patched(two(), vec![shift("Patient.name", 0, 2)])));
        assert!(is_malformed(patched(two(), vec![operation("move", "Patient.name", &[])])));
        let negative = json!([part("index", "valueInteger", json!(-1)), part("value", "valueHumanName", name())]);
        assert!(is_malformed(patched(two(), vec![operation("insert", "Patient.name", negative.as_array().unwrap())])));
    }

    #[test]
    fn a_list_without_items_takes_its_first_at_0() {
        let bare = || patient(json!({}));
        let name = || json!({"text": "a"});

        let started = patched(bare(), vec![insert("Patient.name", 0, "valueHumanName", name())]);

        assert_eq!(started.unwrap(), patient(json!({"name": [{"text": "a"}]})));
        assert!(is_refused(patched(bare(), vec![insert("Patient.name", 1, "valueHumanName", name())])));
        assert!(is_refused(patched(bare(), vec![insert("Patient.gender", 0, "valueCode", json!("male"))])));
    }

    #[test]
    fn the_last_name_is_split_off_plain_paths_only() {
        assert_eq!(split_last_name("Patient.contact[0].telecom"), Some(("Patient.contact[0]", "telecom")));
        assert_eq!(
            split_last_name("Patient.contact.where(name.text = 'a b').telecom"),
            Some(("Patient.contact.where(name.text = 'a b')", "telecom"))
        );
        for path in ["Patient", "Patient.name[0]", "a | b.name", "a or b.name", "a.first()", "a).b", "a.where('", ""] {
            assert_eq!(split_last_name(path), None, "{path}");
        }
    }

    #[test]
    fn what_identifies_a_resource_stays() {
        let operations = vec![replace("Patient.id", "valueId", json!("2"))];

        assert_eq!(patched(patient(json!({})), operations), Err(PatchError::IdentityChanged("id")));
        let operations = vec![operation("delete", "Patient.id", &[])];
        assert_eq!(patched(patient(json!({})), operations), Err(PatchError::IdentityChanged("id")));
    }

    #[test]
    fn too_many_operations_and_too_large_results_are_refused() {
        let mut resource = patient(json!({}));
        let many = parameters(vec![operation("delete", "Patient.name", &[]); 10_000]);
        assert_eq!(apply(&mut resource, &many, ROOM), Err(PatchError::TooManyOperations(10_000)));

        let long = parameters(vec![add("Patient", "language", "valueCode", "x".repeat(2_000).into())]);
        let refusal = apply(&mut resource, &long, 1_000);
        assert_eq!(refusal, Err(PatchError::TooLarge { operation: 0, max_bytes: 1_000 }));
    }

    #[test]
    fn extensions_nested_by_operation_after_operation_stop_at_the_depth_of_a_resource() {
        let mut path = "Patient".to_owned();
        let mut operations = Vec::new();
        for _ in 0..80 {
            operations.push(add(&path, "extension", "part", json!([{"name": "url", "valueUri": "u"}])));
            path.push_str(".extension[0]");
        }

        assert!(is_refused(patched(patient(json!({})), operations)));
    }
}
