//! What apps keep on the server as Basic: which kind each is, and what it bears.
//!
//! Spec: SMART App Launch 2.2 app-state.html

use serde_json::Value;

use crate::fhir::{Resource, ResourceType};
use crate::search::{APP_STATE, LABEL_SYSTEM};

/// One kind of state: the only coding of `Basic.code`, as a scope names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateCode {
    pub system: String,
    pub code: String,
}

impl StateCode {
    /// The kind that a value of the search parameter `code` names; `None` unless it is one system with one code.
    pub fn parse(text: &str) -> Option<StateCode> {
        let (system, code) = text.split_once('|')?;
        let is_plain = |part: &str| !part.is_empty() && !part.contains(['|', ',', '\\']);
        (is_plain(system) && is_plain(code)).then(|| StateCode { system: system.to_owned(), code: code.to_owned() })
    }

    /// Whether the code of a Basic names it.
    pub fn is_of(&self, resource: &Resource) -> bool {
        resource.resource_type == ResourceType::BASIC
            && codings(&resource.value).iter().any(|coding| {
                coding["system"].as_str() == Some(&self.system) && coding["code"].as_str() == Some(&self.code)
            })
    }
}

/// The codings of `Basic.code`.
pub fn codings(value: &Value) -> &[Value] {
    value.pointer("/code/coding").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Lets a Basic bear the label of state, beside those that it has.
pub fn mark_as_state(value: &mut Value) {
    let label = serde_json::json!({ "system": LABEL_SYSTEM, "code": APP_STATE });
    let Some(resource) = value.as_object_mut() else { return };
    let meta = resource.entry("meta").or_insert_with(|| Value::Object(Default::default()));
    let Some(meta) = meta.as_object_mut() else { return };
    // Validation refuses what is no array.
    if let Value::Array(labels) = meta.entry("security").or_insert_with(|| Value::Array(Vec::new())) {
        labels.push(label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_one_system_and_one_code() {
        let state = StateCode::parse("https://app.example|keys").unwrap();
        assert_eq!((state.system.as_str(), state.code.as_str()), ("https://app.example", "keys"));
        for text in
            ["keys", "|keys", "https://app.example|", "https://a|b,https://a|c", "https://a|b|c", r"https://a|b\,c"]
        {
            assert_eq!(StateCode::parse(text), None, "{text}");
        }
    }
}
