//! Removing what holds nothing: FHIR JSON has neither empty objects nor empty lists.
//!
//! Spec: R4 json.html ("objects are never empty", "an array is never empty")

use serde_json::Value;

/// Removes every empty object and list below `document`, and what becomes empty by that; the root stays.
pub(super) fn remove_empty(document: &mut Value) {
    clean(document, false);
}

/// Returns whether `value` is left empty; `keeps_places` says that it belongs to a member with a leading underscore.
fn clean(value: &mut Value, keeps_places: bool) -> bool {
    match value {
        Value::Object(members) => {
            members.retain(|name, member| !clean(member, name.starts_with('_')));
            members.is_empty()
        }
        // The items of `_given` belong to those of `given` by their position: an empty one becomes null.
        Value::Array(items) if keeps_places => {
            for item in items.iter_mut() {
                if clean(item, false) {
                    *item = Value::Null;
                }
            }
            items.iter().all(Value::is_null)
        }
        Value::Array(items) => {
            items.retain_mut(|item| !clean(item, false));
            items.is_empty()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_containers_go_and_all_else_stays() {
        let mut document = json!({
            "a": {"b": [{}, []]},
            "c": [1, {}, {"d": null}],
            "_given": [{"id": "x"}, {}, null],
            "_family": [{}, null],
            "given": ["p", "q", null],
        });

        remove_empty(&mut document);

        assert_eq!(
            document,
            json!({"c": [1, {"d": null}], "_given": [{"id": "x"}, null, null], "given": ["p", "q", null]})
        );
    }

    #[test]
    fn an_empty_root_stays() {
        let mut document = json!({"a": {}});

        remove_empty(&mut document);

        assert_eq!(document, json!({}));
    }
}
