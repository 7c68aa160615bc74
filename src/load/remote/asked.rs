//! What the entries of a Bundle ask for, as far as the answer must be read by it.

use serde_json::Value;

use crate::fhir::{Resource, ResourceType};

/// What one entry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    /// Done twice, it leaves the same as done once.
    pub(super) is_repeatable: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Creates, updates or patches a resource of this type.
    Write(ResourceType),
    /// Creates one unless there is one.
    ConditionalCreate(ResourceType),
    Delete,
    Other,
}

/// What each entry of `bundle` asks for.
pub(super) fn entries(bundle: &Resource) -> Vec<Asked> {
    let entries = bundle.object().get("entry").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(asked).collect()
}

fn asked(entry: &Value) -> Asked {
    let request = |name: &str| entry.get("request").and_then(|request| request.get(name)).and_then(Value::as_str);
    let named = entry.pointer("/resource/resourceType").and_then(Value::as_str);
    let resource_type = named.and_then(|name| ResourceType::parse(name).ok());
    let method = request("method").unwrap_or_default();
    let is_conditional = request("ifNoneExist").is_some();
    let kind = match (method, resource_type) {
        ("POST", Some(name)) if is_conditional => Kind::ConditionalCreate(name),
        ("POST" | "PUT", Some(name)) => Kind::Write(name),
        ("PATCH", _) => type_in(request("url").unwrap_or_default()).map_or(Kind::Other, Kind::Write),
        ("DELETE", _) => Kind::Delete,
        _ => Kind::Other,
    };
    Asked { kind, is_repeatable: !matches!(method, "POST" | "PATCH") || method == "POST" && is_conditional }
}

/// The type that an address such as `Patient/1`, `Patient?name=a` or `http://there/fhir/Patient/1` is about.
fn type_in(url: &str) -> Option<ResourceType> {
    let path = url.split('?').next().unwrap_or_default();
    path.rsplit('/').take(2).find_map(|piece| ResourceType::parse(piece).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_create_without_a_condition_and_a_patch_are_not_sent_twice() {
        let patient = json!({ "resourceType": "Patient" });
        let patch = json!({ "resourceType": "Parameters" });
        let table = [
            (json!({ "method": "POST", "url": "Patient" }), &patient, Kind::Write(ResourceType::PATIENT), false),
            (
                json!({ "method": "POST", "url": "Patient", "ifNoneExist": "identifier=1" }),
                &patient,
                Kind::ConditionalCreate(ResourceType::PATIENT),
                true,
            ),
            (json!({ "method": "PUT", "url": "Patient/1" }), &patient, Kind::Write(ResourceType::PATIENT), true),
            (json!({ "method": "PATCH", "url": "Patient/1" }), &patch, Kind::Write(ResourceType::PATIENT), false),
            (json!({ "method": "PATCH", "url": "Patient?a=b" }), &patch, Kind::Write(ResourceType::PATIENT), false),
            (json!({ "method": "DELETE", "url": "Patient/1" }), &Value::Null, Kind::Delete, true),
            (json!({ "method": "GET", "url": "Patient/1" }), &Value::Null, Kind::Other, true),
        ];
        for (request, resource, kind, is_repeatable) in table {
            let entry = json!({ "request": request, "resource": resource });

            assert_eq!(asked(&entry), Asked { kind, is_repeatable }, "{entry}");
        }
    }
}
