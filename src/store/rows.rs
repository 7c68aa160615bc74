//! The rows that the database holds: resources, and what the index knows of them.

use crate::fhir::{Id, ResourceKey, ResourceType};

/// Which interaction made a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Create = 0,
    Update = 1,
    Delete = 2,
}

/// One version of a resource as it is stored.
#[derive(Clone, Debug)]
pub struct ResourceRow {
    /// Number of the resource in this database; ascending by creation.
    pub rid: i64,
    pub key: ResourceKey,
    /// Counted from 1.
    pub version: i64,
    /// Instant of the write, in microseconds, whole milliseconds.
    pub updated_us: i64,
    pub method: Method,
    /// The tail of the JSON (see `fhir::Resource::tail`), unpacked; `None` for a deletion.
    pub tail: Option<Vec<u8>>,
}

/// What the index says of one resource; written with it or not at all.
///
/// `param` is `fhir::definitions::SearchParameterDefinition::id`. Codes, systems and targets are keyed 64-bit hashes
/// (`store::Hasher`), so that a row takes 25 to 40 bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexRows {
    pub tokens: Vec<TokenRow>,
    pub strings: Vec<StringRow>,
    pub dates: Vec<DateRow>,
    pub quantities: Vec<QuantityRow>,
    pub references: Vec<ReferenceRow>,
    pub uris: Vec<UriRow>,
    /// The Patients in whose compartment the resource is, as reference targets.
    pub patients: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenRow {
    pub param: i16,
    pub code: i64,
    /// 0 when the token has no system.
    pub system: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StringRow {
    pub param: i16,
    /// Lower case, without accents, at most 200 characters.
    pub folded: String,
    /// Hash of the text as written, for `:exact`.
    pub exact: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateRow {
    pub param: i16,
    /// First moment; `i64::MIN` when open.
    pub lo_us: i64,
    /// First moment after; `i64::MAX` when open.
    pub hi_us: i64,
}

/// A quantity or a number; a number has no code and no system.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct QuantityRow {
    pub param: i16,
    pub value: f64,
    /// 0 when absent.
    pub code: i64,
    /// 0 when absent.
    pub system: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferenceRow {
    pub param: i16,
    /// `Hasher::key` of a local target, `Hasher::text` of any other URL.
    pub target: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UriRow {
    pub param: i16,
    pub value: String,
}

/// A key from its parts as the database holds them; `None` when a row was damaged.
pub(super) fn key_from(rtype: i16, id: &str) -> Option<ResourceKey> {
    Some(ResourceKey { resource_type: ResourceType::from_code(rtype)?, id: Id::parse(id).ok()? })
}
