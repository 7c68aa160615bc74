//! Logical ids and the `Type/id` key of a resource.
//!
//! Spec: R4 datatypes.html#id, references.html#literal

use std::fmt;

use thiserror::Error;

use crate::fhir::ResourceType;

/// A logical id: 1 to 64 characters of `A-Z a-z 0-9 - .`
///
/// Spec: R4 datatypes.html#id
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

/// The text is no logical id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("an id has 1 to 64 characters of A-Z, a-z, 0-9, '-' and '.'")]
pub struct NotAnId;

impl Id {
    /// Parses `text`; an `Id` in hand is always valid.
    pub fn parse(text: &str) -> Result<Id, NotAnId> {
        let fits = (1..=64).contains(&text.len());
        let clean = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
        if fits && clean { Ok(Id(text.to_owned())) } else { Err(NotAnId) }
    }

    /// A new id that nobody can guess (UUID version 4).
    pub fn random() -> Id {
        Id(uuid::Uuid::new_v4().to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What identifies one resource on this server: its type and its logical id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    pub resource_type: ResourceType,
    pub id: Id,
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.resource_type, self.id)
    }
}
