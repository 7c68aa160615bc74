//! Reading the operations of a FHIRPath Patch from its Parameters resource.
//!
//! Spec: R4 fhirpatch.html

use serde_json::{Map, Value};

use super::content::named;
use super::limits::measure;
use super::{Fault, MAX_OPERATIONS, PatchError};

/// Reads all operations in `parameters`.
pub(super) fn read(parameters: &Value) -> Result<Vec<Operation<'_>>, PatchError> {
    if parameters.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(PatchError::NotAPatch("a FHIRPath patch is a Parameters resource"));
    }
    let known = |name: &String| {
        matches!(name.as_str(), "resourceType" | "id" | "meta" | "implicitRules" | "language" | "parameter")
    };
    if !parameters.as_object().is_some_and(|members| members.keys().all(known)) {
        return Err(PatchError::NotAPatch("a FHIRPath patch has no elements but Parameters.parameter"));
    }
    let list = match parameters.get("parameter") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(_) => return Err(PatchError::NotAPatch("Parameters.parameter is a list of operations, at least one")),
    };
    if list.len() > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations(list.len()));
    }
    list.iter()
        .enumerate()
        .map(|(number, parameter)| {
            // Its depth is checked before anything walks down into the parts.
            let operation = measure(parameter).and_then(|_| Operation::read(parameter));
            operation.map_err(|fault| fault.of(number, "", 0))
        })
        .collect()
}

/// One operation, its parts told apart.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub path: &'a str,
    pub action: Action<'a>,
}

/// What to do, with the parts that it needs; positions count from 0.
#[derive(Debug)]
pub(super) enum Action<'a> {
    Add { name: &'a str, value: &'a Map<String, Value> },
    Insert { index: usize, value: &'a Map<String, Value> },
    Delete,
    Replace { value: &'a Map<String, Value> },
    Move { source: usize, destination: usize },
}

impl<'a> Operation<'a> {
    fn read(parameter: &'a Value) -> Result<Operation<'a>, Fault> {
        let (parameter, name) = named(parameter)?;
        if name != "operation" {
            return Err(Fault::Malformed("each parameter is called 'operation'".to_owned()));
        }
        if parameter.keys().any(|member| !matches!(member.as_str(), "id" | "extension" | "name" | "part")) {
            return Err(Fault::Malformed("an operation has a name and parts, nothing else".to_owned()));
        }
        let parts = Parts::of(parameter)?;
        let path = parts.text("path")?;
        let action = match parts.text("type")? {
            "add" => Action::Add { name: parts.text("name")?, value: parts.part("value")? },
            "insert" => Action::Insert { index: parts.position("index")?, value: parts.part("value")? },
            "delete" => Action::Delete,
            "replace" => Action::Replace { value: parts.part("value")? },
            "move" => Action::Move { source: parts.position("source")?, destination: parts.position("destination")? },
            _ => return Err(Fault::Malformed("'type' must be add, insert, delete, replace or move".to_owned())),
        };
        Ok(Operation { path, action })
    }
}

/// The parts of one operation, each at most once.
struct Parts<'a>(Vec<(&'a str, &'a Map<String, Value>)>);

impl<'a> Parts<'a> {
    fn of(parameter: &'a Map<String, Value>) -> Result<Parts<'a>, Fault> {
        let list = match parameter.get("part") {
            Some(Value::Array(list)) => list,
            _ => return Err(Fault::Malformed("an operation has the parts 'type' and 'path'".to_owned())),
        };
        let mut parts: Vec<(&str, &Map<String, Value>)> = Vec::with_capacity(7);
        for part in list {
            let (part, name) = named(part)?;
            if !matches!(name, "type" | "path" | "name" | "value" | "index" | "source" | "destination") {
                return Err(Fault::Malformed(
                    "the parts of an operation are type, path, name, value, index, source and destination".to_owned(),
                ));
            }
            let content =
                |member: &&String| !matches!(member.as_str(), "id" | "extension" | "name") && !member.starts_with('_');
            if part.keys().filter(content).count() != 1 {
                return Err(Fault::Malformed(format!(
                    "the part '{name}' has one value[x], or parts, and nothing else"
                )));
            }
            if parts.iter().any(|(known, _)| *known == name) {
                return Err(Fault::Malformed(format!("the part '{name}' is given twice")));
            }
            parts.push((name, part));
        }
        Ok(Parts(parts))
    }

    fn part(&self, name: &str) -> Result<&'a Map<String, Value>, Fault> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, part)| *part).ok_or_else(|| Fault::Malformed(format!("the part '{name}' is missing")))
    }

    fn text(&self, name: &str) -> Result<&'a str, Fault> {
        let part = self.part(name)?;
        let text = part.get("valueString").or_else(|| part.get("valueCode"));
        text.and_then(Value::as_str)
            .ok_or_else(|| Fault::Malformed(format!("the part '{name}' is given as valueString or valueCode")))
    }

    fn position(&self, name: &str) -> Result<usize, Fault> {
        let number = self.part(name)?.get("valueInteger").and_then(Value::as_u64);
        number
            .and_then(|number| usize::try_from(number).ok())
            .ok_or_else(|| Fault::Malformed(format!("the part '{name}' is given as valueInteger, counted from 0")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operation(parts: Value) -> Value {
        json!({"name": "operation", "part": parts})
    }

    #[test]
    fn an_operation_that_can_not_be_read_is_named_by_its_number() {
        let delete = operation(json!([
            {"name": "type", "valueCode": "delete"},
            {"name": "path", "valueString": "Patient.gender"},
        ]));
        for unreadable in [
            json!(1),
            json!({"name": "operation"}),
            json!({"name": "other", "part": []}),
            json!({"name": "operation", "shoeSize": 1, "part": delete["part"]}),
            operation(json!([
                {"name": "type", "valueCode": "delete"},
                {"name": "path", "valueString": "Patient", "shoeSize": 1},
            ])),
            operation(json!([{"name": "type", "valueCode": "delete"}, {"name": "path"}])),
            operation(json!([{"name": "type", "valueCode": "delete"}])),
            operation(json!([{"name": "path", "valueString": "Patient"}])),
            operation(json!([{"name": "type", "valueCode": "merge"}, {"name": "path", "valueString": "Patient"}])),
            operation(json!([{"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Patient"}])),
            operation(json!([{"name": "type", "valueCode": "delete"}, {"name": "path", "valueInteger": 1}])),
            operation(json!([
                {"name": "type", "valueCode": "delete"},
                {"name": "path", "valueString": "Patient.name"},
                {"name": "path", "valueString": "Patient.id"},
            ])),
            operation(json!([
                {"name": "type", "valueCode": "delete"},
                {"name": "path", "valueString": "Patient.name"},
                {"name": "where", "valueString": "Patient.id"},
            ])),
            operation(json!([
                {"name": "type", "valueCode": "move"},
                {"name": "path", "valueString": "Patient.name"},
                {"name": "source", "valueInteger": -1},
                {"name": "destination", "valueInteger": 0},
            ])),
        ] {
            let patch = json!({"resourceType": "Parameters", "parameter": [delete, unreadable]});

            let refusal = read(&patch).unwrap_err();

            assert!(matches!(refusal, PatchError::Malformed { operation: 1, .. }), "{refusal}");
        }
    }

    #[test]
    fn another_resource_is_no_patch() {
        for body in [
            json!([]),
            json!({}),
            json!({"resourceType": "Bundle"}),
            json!({"resourceType": "Parameters", "parameter": {}}),
            json!({"resourceType": "Parameters", "parameter": []}),
            json!({"resourceType": "Parameters", "shoeSize": 1}),
        ] {
            assert!(matches!(read(&body), Err(PatchError::NotAPatch(_))), "{body}");
        }
    }
}
