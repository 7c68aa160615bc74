//! A resource as JSON plus a few checked facts.
//!
//! What the server itself decides about a resource (type, id, version, instant) is kept apart from what was sent. The
//! stored body is the *tail*: the text that follows `meta.lastUpdated` in the JSON that goes out. A read writes the
//! head from a few columns and copies the tail; nothing is parsed or printed again.
//!
//! Spec: R4 resource.html

use serde_json::{Map, Value};

use crate::fhir::{Id, Issue, IssueCode, ResourceKey, ResourceType, format_instant, json, json::JsonError};

/// A resource as it was sent: `resourceType` is known, `id` well-formed if there is one, `meta` an object if there is one.
#[derive(Clone, Debug)]
pub struct Resource {
    pub resource_type: ResourceType,
    pub id: Option<Id>,
    /// The whole JSON object as received, key order and digits kept.
    pub value: Value,
}

impl Resource {
    /// Checks the facts that everything else builds on; all other rules are the business of `validation`.
    pub fn from_value(value: Value) -> Result<Resource, Issue> {
        let Some(object) = value.as_object() else {
            return Err(Issue::request(IssueCode::Structure, "the body must be one JSON object that holds a resource"));
        };
        let resource_type = match object.get("resourceType") {
            Some(Value::String(name)) => ResourceType::parse(name)
                .map_err(|unknown| Issue::error(IssueCode::Structure, "resourceType", unknown.to_string()))?,
            Some(_) => {
                return Err(Issue::error(IssueCode::Structure, "resourceType", "resourceType must be a string"));
            }
            None => {
                return Err(Issue::error(
                    IssueCode::Structure,
                    "resourceType",
                    "resourceType is missing: every resource names its type",
                ));
            }
        };
        let id = match object.get("id") {
            None => None,
            Some(Value::String(text)) => Some(Id::parse(text).map_err(|not_an_id| {
                Issue::error(IssueCode::Value, format!("{resource_type}.id"), not_an_id.to_string())
            })?),
            Some(_) => {
                return Err(Issue::error(IssueCode::Value, format!("{resource_type}.id"), "the id must be a string"));
            }
        };
        if object.get("meta").is_some_and(|meta| !meta.is_object()) {
            return Err(Issue::error(IssueCode::Structure, format!("{resource_type}.meta"), "meta must be an object"));
        }
        Ok(Resource { resource_type, id, value })
    }

    /// The JSON object.
    pub fn object(&self) -> &Map<String, Value> {
        self.value.as_object().expect("from_value admits objects only")
    }

    /// Sets the logical id, as create and conditional update do.
    pub fn set_id(&mut self, id: Id) {
        if let Some(object) = self.value.as_object_mut() {
            object.insert("id".to_owned(), Value::String(id.as_str().to_owned()));
        }
        self.id = Some(id);
    }

    /// The text that follows `meta.lastUpdated` on the way out: the rest of `meta`, then every other element as received.
    pub fn tail(&self) -> Vec<u8> {
        let mut tail = Vec::with_capacity(1024);
        if let Some(Value::Object(meta)) = self.object().get("meta") {
            let kept = |name: &str| !matches!(name, "versionId" | "lastUpdated" | "_versionId" | "_lastUpdated");
            for (name, value) in meta.iter().filter(|(name, _)| kept(name)) {
                member(name, value, &mut tail);
            }
        }
        tail.push(b'}');
        for (name, value) in self.object() {
            if !matches!(name.as_str(), "resourceType" | "id" | "meta") {
                member(name, value, &mut tail);
            }
        }
        tail.push(b'}');
        tail
    }
}

fn member(name: &str, value: &Value, out: &mut Vec<u8>) {
    out.push(b',');
    json::write_text(name, out);
    out.push(b':');
    json::write(value, out);
}

/// A stored version as a whole, read back from its head and its tail.
pub fn whole(key: &ResourceKey, version: i64, updated_us: i64, tail: &[u8]) -> Result<Value, JsonError> {
    let mut text = Vec::with_capacity(160 + tail.len());
    write_head(key, version, updated_us, &mut text);
    text.extend_from_slice(tail);
    json::parse(&text)
}

/// Writes what comes before the tail: type, id, version and instant.
pub fn write_head(key: &ResourceKey, version: i64, updated_us: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"resourceType\":\"");
    out.extend_from_slice(key.resource_type.name().as_bytes());
    out.extend_from_slice(b"\",\"id\":\"");
    out.extend_from_slice(key.id.as_str().as_bytes());
    out.extend_from_slice(b"\",\"meta\":{\"versionId\":\"");
    out.extend_from_slice(version.to_string().as_bytes());
    out.extend_from_slice(b"\",\"lastUpdated\":\"");
    format_instant(updated_us, out);
    out.push(b'"');
}
