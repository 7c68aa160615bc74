//! JSON Patch on the JSON form of a resource.
//!
//! Written here rather than taken from the `json-patch` crate for four reasons: that one removes a member by swapping
//! the last one into its place, which stirs the order of a resource's members; it compares numbers by their spelling; it
//! does not know the size of what it copies; and its errors do not tell which of two paths was wrong.
//!
//! Spec: RFC 6902, R4 http.html#patch

use serde_json::{Map, Value};

use super::equality::same;
use super::limits::{Budget, check_depth, measure, text_bytes};
use super::pointer::{Pointer, gap_index, item_index};
use super::{Fault, Identity, MAX_OPERATIONS, PatchError, emptiness};

/// Applies `operations`, a JSON Patch document, to `document`, which may grow to `max_bytes` of compact JSON.
///
/// All operations are read before the first is done. Where a `remove` or `move` leaves an empty object or list behind,
/// it goes too once all operations are done: FHIR JSON has no empty ones (R4 json.html), and a client that removes the
/// last identifier can't know that it is the last.
///
/// After an error `document` is half changed and must be dropped.
pub fn apply(document: &mut Value, operations: &Value, max_bytes: usize) -> Result<(), PatchError> {
    let Value::Array(operations) = operations else {
        return Err(PatchError::NotAPatch("a JSON patch is a list of operations"));
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations(operations.len()));
    }
    let operations = operations
        .iter()
        .enumerate()
        .map(|(number, operation)| Operation::read(operation).map_err(|fault| fault.of(number, "", max_bytes)))
        .collect::<Result<Vec<_>, _>>()?;

    let identity = Identity::of(document);
    let bytes = measure(document).map_err(|fault| fault.of(0, "", max_bytes))?.bytes;
    let mut patch = Run { document, budget: Budget::new(bytes, max_bytes), has_emptied: false };
    for (number, operation) in operations.iter().enumerate() {
        patch.run(operation).map_err(|(fault, pointer)| fault.of(number, pointer, max_bytes))?;
    }
    if patch.has_emptied {
        emptiness::remove_empty(patch.document);
    }
    identity.check(document)
}

/// One operation, its pointers parsed.
enum Operation<'a> {
    Add { path: Pointer<'a>, value: &'a Value },
    Remove { path: Pointer<'a> },
    Replace { path: Pointer<'a>, value: &'a Value },
    Move { from: Pointer<'a>, path: Pointer<'a> },
    Copy { from: Pointer<'a>, path: Pointer<'a> },
    Test { path: Pointer<'a>, value: &'a Value },
}

impl<'a> Operation<'a> {
    fn read(operation: &'a Value) -> Result<Operation<'a>, Fault> {
        let Value::Object(members) = operation else {
            return Err(Fault::Malformed("an operation is an object".to_owned()));
        };
        let path = pointer(members, "path");
        let from = || pointer(members, "from");
        let value = || members.get("value").ok_or_else(|| Fault::Malformed("'value' is missing".to_owned()));
        match text(members, "op")? {
            "add" => Ok(Operation::Add { path: path?, value: value()? }),
            "remove" => Ok(Operation::Remove { path: path? }),
            "replace" => Ok(Operation::Replace { path: path?, value: value()? }),
            "move" => Ok(Operation::Move { from: from()?, path: path? }),
            "copy" => Ok(Operation::Copy { from: from()?, path: path? }),
            "test" => Ok(Operation::Test { path: path?, value: value()? }),
            _ => Err(Fault::Malformed("'op' must be add, remove, replace, move, copy or test".to_owned())),
        }
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, Fault> {
    match members.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Fault::Malformed(format!("'{name}' must be a string"))),
        None => Err(Fault::Malformed(format!("'{name}' is missing"))),
    }
}

fn pointer<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Pointer<'a>, Fault> {
    Pointer::parse(text(members, name)?).map_err(|fault| match fault {
        Fault::Malformed(problem) => Fault::Malformed(format!("'{name}': {problem}")),
        other => other,
    })
}

/// A patch under way.
struct Run<'d> {
    document: &'d mut Value,
    budget: Budget,
    /// True once a removal has left an empty object or list.
    has_emptied: bool,
}

impl Run<'_> {
    /// Does one operation; an error comes with the text of the pointer that it is about.
    fn run<'a>(&mut self, operation: &Operation<'a>) -> Result<(), (Fault, &'a str)> {
        match operation {
            Operation::Add { path, value } => self.add_copy(path, value).map_err(|fault| (fault, path.text)),
            Operation::Remove { path } => self.remove(path).map(drop).map_err(|fault| (fault, path.text)),
            Operation::Replace { path, value } => self.replace(path, value).map_err(|fault| (fault, path.text)),
            Operation::Move { from, path } => {
                if from.is_proper_prefix_of(path) {
                    let problem = "a value can't be moved into itself".to_owned();
                    return Err((Fault::Refused(problem), path.text));
                }
                let value = self.remove(from).map_err(|fault| (fault, from.text))?;
                self.add(path, value).map_err(|fault| (fault, path.text))
            }
            Operation::Copy { from, path } => {
                // Paid for before it is copied.
                let value = from.find(self.document).map_err(|fault| (fault, from.text))?;
                let measured = measure(value).map_err(|fault| (fault, from.text))?;
                self.budget.spend_on_copy(measured).map_err(|fault| (fault, from.text))?;
                let copy = value.clone();
                self.add(path, copy).map_err(|fault| (fault, path.text))
            }
            Operation::Test { path, value } => {
                let found = path.find(self.document).map_err(|fault| (fault, path.text))?;
                if same(found, value) { Ok(()) } else { Err((Fault::TestFailed, path.text)) }
            }
        }
    }

    fn add_copy(&mut self, path: &Pointer, value: &Value) -> Result<(), Fault> {
        self.add(path, value.clone())
    }

    fn add(&mut self, path: &Pointer, value: Value) -> Result<(), Fault> {
        let measured = measure(&value)?;
        check_depth(path.tokens.len(), measured.depth)?;
        self.budget.spend(measured.bytes)?;
        let Some((parent, last)) = path.find_parent(self.document)? else {
            return self.replace_whole(value, measured.bytes);
        };
        match parent {
            Value::Object(members) => {
                let lost = match members.get(last) {
                    Some(old) => text_bytes(last) + 1 + measure(old)?.bytes,
                    None => 0,
                };
                // The comma counts with every member but the first.
                let comma = usize::from(lost == 0 && !members.is_empty());
                self.budget.spend(lost)?;
                self.budget.exchange(lost, text_bytes(last) + 1 + measured.bytes + comma)?;
                members.insert(last.to_owned(), value);
            }
            Value::Array(items) => {
                let index = gap_index(last, items.len())?;
                self.budget.spend(items.len() - index)?;
                self.budget.exchange(0, measured.bytes + usize::from(!items.is_empty()))?;
                items.insert(index, value);
            }
            _ => return Err(nothing_inside()),
        }
        Ok(())
    }

    fn replace(&mut self, path: &Pointer, value: &Value) -> Result<(), Fault> {
        let measured = measure(value)?;
        check_depth(path.tokens.len(), measured.depth)?;
        let old = path.find_mut(self.document)?;
        let lost = measure(old)?.bytes;
        self.budget.spend(lost + measured.bytes)?;
        self.budget.exchange(lost, measured.bytes)?;
        *old = value.clone();
        Ok(())
    }

    fn replace_whole(&mut self, value: Value, bytes: usize) -> Result<(), Fault> {
        let lost = measure(self.document)?.bytes;
        self.budget.spend(lost)?;
        self.budget.exchange(lost, bytes)?;
        *self.document = value;
        Ok(())
    }

    fn remove(&mut self, path: &Pointer) -> Result<Value, Fault> {
        let Some((parent, last)) = path.find_parent(self.document)? else {
            return Err(Fault::Refused("the whole resource can't be removed by a patch".to_owned()));
        };
        let (removed, name_bytes, left) = match parent {
            Value::Object(members) => {
                self.budget.spend(members.len())?;
                // Not `remove`: that would put the last member into the gap.
                let removed = members
                    .shift_remove(last)
                    .ok_or_else(|| Fault::NoSuchPlace("the object has no member of that name".to_owned()))?;
                (removed, text_bytes(last) + 1, members.len())
            }
            Value::Array(items) => {
                let index = item_index(last, items.len())?;
                self.budget.spend(items.len() - index)?;
                (items.remove(index), 0, items.len())
            }
            _ => return Err(nothing_inside()),
        };
        self.has_emptied |= left == 0;
        let bytes = measure(&removed)?.bytes;
        self.budget.spend(bytes)?;
        self.budget.exchange(name_bytes + bytes + usize::from(left > 0), 0)?;
        Ok(removed)
    }
}

fn nothing_inside() -> Fault {
    Fault::NoSuchPlace("the path goes on below a value that is neither object nor list".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROOM: usize = 1 << 20;

    fn patched(mut document: Value, operations: Value) -> Result<Value, PatchError> {
        apply(&mut document, &operations, ROOM).map(|()| document)
    }

    fn is_missing(result: Result<Value, PatchError>) -> bool {
        matches!(result, Err(PatchError::NoSuchPlace { .. }))
    }

    fn is_malformed(result: Result<Value, PatchError>) -> bool {
        matches!(result, Err(PatchError::Malformed { .. }))
    }

    #[test]
    fn a_chain_of_copies_that_doubles_a_value_is_refused_while_the_document_is_small() {
        let mut document = json!({"a": ["x".repeat(1000)]});
        let operations: Vec<Value> = (0..60).map(|_| json!({"op": "copy", "from": "/a", "path": "/a/-"})).collect();

        let refusal = apply(&mut document, &Value::Array(operations), 100_000).unwrap_err();

        assert!(matches!(refusal, PatchError::TooLarge { operation: 6, max_bytes: 100_000 }), "{refusal}");
        assert!(measure(&document).unwrap().bytes <= 100_000);
    }

    #[test]
    fn many_copies_that_each_fit_run_out_of_work() {
        let mut document = json!({"a": "x".repeat(40_000)});
        let operations: Vec<Value> =
            (0..MAX_OPERATIONS).map(|_| json!({"op": "copy", "from": "/a", "path": "/b"})).collect();

        let refusal = apply(&mut document, &Value::Array(operations), 100_000).unwrap_err();

        assert!(matches!(refusal, PatchError::TooCostly { .. }), "{refusal}");
    }

    #[test]
    fn shifting_a_long_list_again_and_again_runs_out_of_work() {
        let mut document = json!({"a": vec![1; 40_000]});
        let operations: Vec<Value> =
            (0..MAX_OPERATIONS).map(|_| json!({"op": "add", "path": "/a/0", "value": 1})).collect();

        let refusal = apply(&mut document, &Value::Array(operations), 100_000).unwrap_err();

        assert!(matches!(refusal, PatchError::TooCostly { .. }), "{refusal}");
    }

    #[test]
    fn copies_that_nest_a_value_in_itself_stop_at_the_depth_of_a_resource() {
        let mut path = "/a".to_owned();
        let mut operations = Vec::new();
        for _ in 0..200 {
            path.push_str("/a");
            operations.push(json!({"op": "add", "path": path, "value": {}}));
        }

        let refusal = patched(json!({"a": {}}), Value::Array(operations)).unwrap_err();

        assert!(matches!(refusal, PatchError::Refused { .. }), "{refusal}");
    }

    #[test]
    fn ten_thousand_operations_are_refused_before_the_first() {
        let operations = vec![json!({"op": "add", "path": "/a", "value": 1}); 10_000];
        let mut document = json!({});

        let refusal = apply(&mut document, &Value::Array(operations), ROOM).unwrap_err();

        assert_eq!(refusal, PatchError::TooManyOperations(10_000));
        assert_eq!(document, json!({}));
    }

    #[test]
    fn a_path_of_a_hundred_thousand_steps_leads_nowhere() {
        let path = "/a".repeat(100_000);

        assert!(is_missing(patched(json!({"a": {"a": 1}}), json!([{"op": "remove", "path": path}]))));
    }

    #[test]
    fn an_error_repeats_a_long_path_in_part_only() {
        let refusal = patched(json!({}), json!([{"op": "remove", "path": "/a".repeat(100_000)}])).unwrap_err();

        assert!(refusal.to_string().len() < 500);
    }

    #[test]
    fn a_test_against_a_huge_value_fails_as_any_other() {
        let huge = json!(vec!["x".repeat(100); 20_000]);

        let refusal = patched(json!({"a": 1}), json!([{"op": "test", "path": "/a", "value": huge}])).unwrap_err();

        assert_eq!(refusal, PatchError::TestFailed { operation: 0, path: "/a".to_owned() });
    }

    #[test]
    fn a_test_compares_numbers_by_value() {
        let operations = serde_json::from_str(r#"[{"op":"test","path":"/a","value":1.50}]"#).unwrap();

        assert!(patched(json!({"a": 1.5}), operations).is_ok());
    }

    #[test]
    fn a_value_can_not_be_moved_into_its_own_child() {
        let refusal =
            patched(json!({"a": {"b": {}}}), json!([{"op": "move", "from": "/a", "path": "/a/b/c"}])).unwrap_err();

        assert!(matches!(refusal, PatchError::Refused { operation: 0, .. }), "{refusal}");
    }

    #[test]
    fn a_move_onto_itself_changes_nothing() {
        let operations = json!([{"op": "move", "from": "/a", "path": "/a"}]);

        assert_eq!(patched(json!({"a": {"b": 1}}), operations).unwrap(), json!({"a": {"b": 1}}));
    }

    #[test]
    fn a_sibling_whose_name_begins_alike_is_no_child() {
        let operations = json!([{"op": "move", "from": "/a", "path": "/ab"}]);

        assert_eq!(patched(json!({"a": 1}), operations).unwrap(), json!({"ab": 1}));
    }

    #[test]
    fn an_index_beyond_the_list_is_no_place() {
        let list = || json!({"a": [1, 2]});

        assert!(patched(list(), json!([{"op": "add", "path": "/a/2", "value": 3}])).is_ok());
        assert!(is_missing(patched(list(), json!([{"op": "add", "path": "/a/3", "value": 3}]))));
        assert!(is_missing(patched(list(), json!([{"op": "remove", "path": "/a/2"}]))));
        assert!(is_missing(patched(list(), json!([{"op": "replace", "path": "/a/2", "value": 3}]))));
        assert!(is_missing(patched(list(), json!([{"op": "test", "path": "/a/99999999999999999999999", "value": 3}]))));
    }

    #[test]
    fn the_end_of_a_list_takes_an_item_but_holds_none() {
        let list = || json!({"a": [1, 2]});

        let added = patched(list(), json!([{"op": "add", "path": "/a/-", "value": 3}])).unwrap();

        assert_eq!(added, json!({"a": [1, 2, 3]}));
        for operation in [
            json!([{"op": "remove", "path": "/a/-"}]),
            json!([{"op": "replace", "path": "/a/-", "value": 3}]),
            json!([{"op": "test", "path": "/a/-", "value": 2}]),
            json!([{"op": "copy", "from": "/a/-", "path": "/a/0"}]),
            json!([{"op": "add", "path": "/a/-/b", "value": 2}]),
        ] {
            assert!(is_missing(patched(list(), operation)));
        }
    }

    #[test]
    fn the_end_sign_is_an_ordinary_member_name_in_an_object() {
        let added = patched(json!({}), json!([{"op": "add", "path": "/-", "value": 3}])).unwrap();

        assert_eq!(added, json!({"-": 3}));
    }

    #[test]
    fn an_index_has_digits_only_and_no_leading_zeros() {
        for index in ["00", "01", "+1", "-1", "1e0", "1.0", " 1", "", "١"] {
            let path = format!("/a/{index}");

            assert!(is_missing(patched(json!({"a": [1, 2]}), json!([{"op": "remove", "path": path}]))), "{index}");
        }
        assert!(patched(json!({"a": {"01": 1, "b": 2}}), json!([{"op": "remove", "path": "/a/01"}])).is_ok());
    }

    #[test]
    fn escapes_in_a_pointer_are_read_once() {
        let document = || json!({"/": 1, "~": 2, "~1": 3, "": 4});
        let test = |path: &str, value: u8| patched(document(), json!([{"op": "test", "path": path, "value": value}]));

        assert!(test("/~1", 1).is_ok());
        assert!(test("/~0", 2).is_ok());
        assert!(test("/~01", 3).is_ok());
        assert!(test("/", 4).is_ok());
        assert!(is_malformed(test("/~2", 1)));
        assert!(is_malformed(test("/~", 1)));
    }

    #[test]
    fn an_operation_that_can_not_be_read_refuses_the_patch_before_anything_is_done() {
        for operation in [
            json!(1),
            json!({"path": "/a", "value": 1}),
            json!({"op": "merge", "path": "/a", "value": 1}),
            json!({"op": "Add", "path": "/a", "value": 1}),
            json!({"op": 1, "path": "/a", "value": 1}),
            json!({"op": "add", "value": 1}),
            json!({"op": "add", "path": "/a"}),
            json!({"op": "add", "path": "a", "value": 1}),
            json!({"op": "add", "path": 1, "value": 1}),
            json!({"op": "move", "path": "/a"}),
            json!({"op": "copy", "path": "/a", "from": "b"}),
        ] {
            let mut document = json!({"b": 1});
            let operations = json!([{"op": "remove", "path": "/b"}, operation]);

            let refusal = apply(&mut document, &operations, ROOM).unwrap_err();

            assert!(matches!(refusal, PatchError::Malformed { operation: 1, .. }), "{refusal}");
            assert_eq!(document, json!({"b": 1}));
        }
        assert!(matches!(patched(json!({}), json!({"op": "add"})), Err(PatchError::NotAPatch(_))));
    }

    #[test]
    fn what_identifies_a_resource_stays() {
        let patient = || json!({"resourceType": "Patient", "id": "1", "active": true});

        for operations in [
            json!([{"op": "replace", "path": "/id", "value": "2"}]),
            json!([{"op": "remove", "path": "/id"}]),
            json!([{"op": "replace", "path": "/resourceType", "value": "Person"}]),
            json!([{"op": "move", "from": "/resourceType", "path": "/active"}]),
            json!([{"op": "replace", "path": "", "value": {"resourceType": "Patient", "id": "2"}}]),
            json!([{"op": "add", "path": "", "value": []}]),
        ] {
            assert!(matches!(patched(patient(), operations), Err(PatchError::IdentityChanged(_))));
        }
        let restored =
            json!([{"op": "move", "from": "/id", "path": "/x"}, {"op": "move", "from": "/x", "path": "/id"}]);
        assert!(patched(patient(), restored).is_ok());
    }

    #[test]
    fn the_order_of_the_other_members_survives_a_removal() {
        let document = serde_json::from_str(r#"{"a":1,"b":2,"c":3,"d":4}"#).unwrap();

        let without = patched(document, json!([{"op": "remove", "path": "/b"}])).unwrap();

        assert_eq!(without.to_string(), r#"{"a":1,"c":3,"d":4}"#);
    }

    #[test]
    fn digits_of_other_numbers_survive() {
        let document = serde_json::from_str(r#"{"a":1.00,"b":2}"#).unwrap();

        let added = patched(document, serde_json::from_str(r#"[{"op":"add","path":"/c","value":3.10}]"#).unwrap());

        assert_eq!(added.unwrap().to_string(), r#"{"a":1.00,"b":2,"c":3.10}"#);
    }

    #[test]
    fn removing_the_last_item_removes_the_list_and_what_held_only_it() {
        let patient = json!({"resourceType": "Patient", "contact": [{"name": {"given": ["a"]}}], "active": true});

        let without = patched(patient, json!([{"op": "remove", "path": "/contact/0/name/given/0"}])).unwrap();

        assert_eq!(without, json!({"resourceType": "Patient", "active": true}));
    }

    #[test]
    fn a_list_emptied_on_the_way_can_be_filled_again() {
        let operations = json!([
            {"op": "remove", "path": "/name/0"},
            {"op": "add", "path": "/name/-", "value": {"text": "b"}},
        ]);

        let patient = patched(json!({"name": [{"text": "a"}]}), operations).unwrap();

        assert_eq!(patient, json!({"name": [{"text": "b"}]}));
    }

    #[test]
    fn the_running_size_agrees_with_the_document() {
        let operations = json!([
            {"op": "add", "path": "/a", "value": [1, "two"]},
            {"op": "add", "path": "/a/1", "value": {"x\n": null}},
            {"op": "add", "path": "/a", "value": [3, 4, 5]},
            {"op": "copy", "from": "/a", "path": "/b"},
            {"op": "move", "from": "/b/1", "path": "/c"},
            {"op": "replace", "path": "/a", "value": "ä"},
            {"op": "remove", "path": "/b/0"},
            {"op": "remove", "path": "/b/0"},
            {"op": "remove", "path": "/c"},
        ]);
        let operations = operations.as_array().unwrap();
        let mut document = json!({});
        let mut run = Run { document: &mut document, budget: Budget::new(2, ROOM), has_emptied: false };

        for operation in operations {
            run.run(&Operation::read(operation).unwrap()).unwrap();

            assert_eq!(run.budget.bytes, run.document.to_string().len(), "{operation}");
        }
    }
}
