//! A stored version as a whole, as a read gives it: read back from its head and its tail.

use serde_json::Value;

use crate::fhir::{Resource, ResourceKey, whole as value};
use crate::interactions::InteractionError;
use crate::store::{ResourceRow, StoreError};

/// The resource of a row.
pub(super) fn whole(row: &ResourceRow) -> Result<Value, InteractionError> {
    let tail = row.tail.as_deref().unwrap_or_default();
    let value = value(&row.key, row.version, row.updated_us, tail);
    value.map_err(|error| StoreError::Damaged(format!("{}: {error}", row.key)).into())
}

/// The same, as a resource.
pub(super) fn resource_of(row: &ResourceRow) -> Result<Resource, InteractionError> {
    Resource::from_value(whole(row)?).map_err(|issue| InteractionError::Unprocessable(vec![issue]))
}

/// The resource of a version, or what is wrong with its text.
pub(super) fn read_back(key: &ResourceKey, version: i64, updated_us: i64, tail: &[u8]) -> Result<Resource, String> {
    let value = value(key, version, updated_us, tail).map_err(|error| format!("the text is damaged: {error}"))?;
    Resource::from_value(value).map_err(|issue| format!("the text is damaged: {}", issue.text))
}
