//! Where ValueSets and CodeSystems come from: the resources of the store, and those that R4 defines.
//!
//! Of several resources with one canonical URL that is meant which is active, then the one with the highest version, then
//! the one that was written last. Those that R4 defines stand behind active resources, and before all others.
//!
//! Spec: R4 references.html#canonical, valueset.html, codesystem.html

use std::cmp::Ordering;

use serde_json::Value;
use thiserror::Error;

use crate::fhir::{ResourceKey, ResourceType};
use crate::interactions::InteractionError;
use crate::interactions::sight::guard_of;
use crate::interactions::whole::whole;
use crate::search::{AccessFilter, Right, defined};
use crate::store::{Reader, ResourceRow};
use crate::terminology::{Bundled, Source};

/// The most definitions that one request may look up.
const MOST_LOOK_UPS: usize = 1_000;
/// The most bytes of resources that one request may read to find definitions.
const MOST_BYTES: usize = 32 << 20;
/// The most resources of one type that may have the same URL, and the same version if one is asked for.
const MOST_ALIKE: usize = 16;

/// Why a definition could not be read.
#[derive(Debug, Error)]
pub(super) enum DefinitionError {
    #[error("more than {MOST_LOOK_UPS} ValueSets and CodeSystems would have to be looked up: ask for fewer at once")]
    TooMany,
    #[error(
        "the ValueSets and CodeSystems that tell it have more than {} MiB together: ask for fewer at once, or for those of one version",
        MOST_BYTES >> 20
    )]
    TooLarge,
    #[error(
        "more than {MOST_ALIKE} resources of type {of} have the url '{url}': name a version, as url|version, or delete those that nobody needs"
    )]
    TooManyAlike { of: ResourceType, url: String },
    #[error(transparent)]
    Interaction(#[from] InteractionError),
}

/// The definitions that one request may use, all from its snapshot.
pub(super) struct StoredDefinitions<'r, 'c> {
    reader: &'r mut Reader<'c>,
    /// What the caller may see: the others are as if they were not there.
    filter: AccessFilter,
    look_ups: usize,
    bytes: usize,
}

impl<'r, 'c> StoredDefinitions<'r, 'c> {
    pub(super) fn new(reader: &'r mut Reader<'c>, filter: AccessFilter) -> Self {
        StoredDefinitions { reader, filter, look_ups: 0, bytes: 0 }
    }

    /// The resource at `key`; `None` when there is none.
    pub(super) fn resource(&mut self, key: &ResourceKey) -> Result<Option<Value>, DefinitionError> {
        self.look_up()?;
        let guard = guard_of(self.reader, &self.filter, &[key.resource_type], Right::Read);
        let row = self.reader.current(key, &guard).map_err(InteractionError::from)?;
        row.map(|row| self.read(&row)).transpose().map(Option::flatten)
    }

    fn look_up(&mut self) -> Result<(), DefinitionError> {
        self.look_ups += 1;
        if self.look_ups > MOST_LOOK_UPS { Err(DefinitionError::TooMany) } else { Ok(()) }
    }

    /// The resource of a row; `None` when it is deleted.
    fn read(&mut self, row: &ResourceRow) -> Result<Option<Value>, DefinitionError> {
        let Some(tail) = &row.tail else { return Ok(None) };
        self.bytes += tail.len();
        if self.bytes > MOST_BYTES {
            return Err(DefinitionError::TooLarge);
        }
        Ok(Some(whole(row)?))
    }

    /// The definition that is meant by `url` and `version`, or else `bundled`.
    fn find(
        &mut self,
        of: ResourceType,
        url: &str,
        version: Option<&str>,
        bundled: impl FnOnce() -> Option<Value>,
    ) -> Result<Option<Value>, DefinitionError> {
        self.look_up()?;
        let stored = self.stored(of, url, version)?;
        if stored.as_ref().is_some_and(|(_, status)| *status == Status::Active) {
            return Ok(stored.map(|(value, _)| value));
        }
        Ok(bundled().or(stored.map(|(value, _)| value)))
    }

    fn stored(
        &mut self,
        of: ResourceType,
        url: &str,
        version: Option<&str>,
    ) -> Result<Option<(Value, Status)>, DefinitionError> {
        // PostgreSQL knows no text with this character, and no URL has it.
        if url.contains('\0') {
            return Ok(None);
        }
        let hasher = self.reader.hasher();
        let Some(query) = defined(of, url, version, &hasher, MOST_ALIKE + 1) else { return Ok(None) };
        let guard = guard_of(self.reader, &self.filter, &[of], Right::Read);
        let rows = self.reader.guarded_rows(&query, &guard).map_err(InteractionError::from)?;
        if rows.len() > MOST_ALIKE {
            return Err(DefinitionError::TooManyAlike { of, url: url.to_owned() });
        }
        let mut best: Option<(Value, Status, i64)> = None;
        for row in &rows {
            let Some(value) = self.read(row)? else { continue };
            // The index does not tell upper from lower case.
            if version.is_some_and(|version| value["version"] != version) {
                continue;
            }
            let status = Status::of(&value);
            let is_better = best.as_ref().is_none_or(|(known, known_status, known_us)| {
                let versions = by_version(text(&value, "version"), text(known, "version"));
                status.cmp(known_status).then(versions).then(row.updated_us.cmp(known_us)).is_ge()
            });
            if is_better {
                best = Some((value, status, row.updated_us));
            }
        }
        Ok(best.map(|(value, status, _)| (value, status)))
    }
}

impl Source for StoredDefinitions<'_, '_> {
    type Error = DefinitionError;

    fn value_set(&mut self, url: &str, version: Option<&str>) -> Result<Option<Value>, DefinitionError> {
        self.find(ResourceType::VALUE_SET, url, version, || {
            let Ok(found) = Bundled.value_set(url, version);
            found
        })
    }

    fn code_system(&mut self, url: &str, version: Option<&str>) -> Result<Option<Value>, DefinitionError> {
        self.find(ResourceType::CODE_SYSTEM, url, version, || {
            let Ok(found) = Bundled.code_system(url, version);
            found
        })
    }
}

/// How much a definition counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Retired,
    /// Draft or unknown.
    Other,
    Active,
}

impl Status {
    fn of(definition: &Value) -> Status {
        match text(definition, "status") {
            "active" => Status::Active,
            "retired" => Status::Retired,
            _ => Status::Other,
        }
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// Compares versions piece by piece, numbers by their value: 1.10 comes after 1.9, and no version before any.
fn by_version(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (pieces(left), pieces(right));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => left.cmp(&right),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// A piece of a version. Words come before numbers, so that 2.0.0-draft comes before 2.0.0.1, and longer numbers, which
/// have no zero in front, after shorter ones.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece<'a> {
    Word(&'a str),
    Number(usize, &'a str),
}

fn pieces(version: &str) -> impl Iterator<Item = Piece<'_>> {
    let is_digit = |letter: char| letter.is_ascii_digit();
    let parts = version.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(move |part| match part.chars().all(is_digit) {
        true => {
            let digits = part.trim_start_matches('0');
            Piece::Number(digits.len(), digits)
        }
        false => Piece::Word(part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let ascending = ["", "draft", "0.9", "1", "1.0.0", "1.9.3", "1.10", "2.draft", "2.0.1", "20190101", "20250101"];

        for (place, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                assert_eq!(by_version(left, right), place.cmp(&other), "{left} {right}");
            }
        }
        assert_eq!(by_version("01.2", "1-2"), Ordering::Equal);
    }
}
