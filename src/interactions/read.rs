//! The read and vread interactions: one version of one resource.
//!
//! Spec: R4 http.html#read, #vread

use crate::access::{Caller, Deed};
use crate::fhir::ResourceKey;
use crate::interactions::InteractionError;
use crate::interactions::history::may_see_version;
use crate::interactions::recorded::give;
use crate::interactions::sight::{guard_of_deletions, permitted, sees_deletion};
use crate::interactions::trail;
use crate::search::Right;
use crate::store::{Method, Reader, ResourceRow};

/// The current version of `key`.
///
/// A resource the caller may not see answers as `NotFound`, so that its existence does not leak. One statement, and of a deletion another
/// for a version that never changes: fit for `Store::read_one`.
pub fn read(reader: &mut Reader<'_>, caller: &Caller, key: &ResourceKey) -> Result<ResourceRow, InteractionError> {
    if trail::keeps(caller, key.resource_type) {
        return trail::read(reader, caller, key, Deed::Read);
    }
    permitted(caller, key.resource_type, Right::Read)?;
    let guard = guard_of_deletions(reader, caller, &[key.resource_type], Right::Read);
    let row = reader.current(key, &guard)?.ok_or_else(|| InteractionError::NotFound(key.clone()))?;
    if row.method == Method::Delete {
        return Err(match sees_deletion(reader, caller, &row.key, row.version, Right::Read)? {
            true => InteractionError::Deleted { key: row.key, version: row.version },
            false => InteractionError::NotFound(row.key),
        });
    }
    give(caller, Deed::Read, [&row].into_iter());
    Ok(row)
}

/// The version `version` of `key`, current or older; a version that is a deletion answers as `Deleted`.
pub fn vread(
    reader: &mut Reader<'_>,
    caller: &Caller,
    key: &ResourceKey,
    version: &str,
) -> Result<ResourceRow, InteractionError> {
    let unknown = || InteractionError::NoSuchVersion(key.clone(), version.chars().take(64).collect());
    // Canonical digits only: "01" names no version.
    let number = version.parse::<i64>().ok().filter(|number| number.to_string() == version).ok_or_else(unknown)?;
    if trail::keeps(caller, key.resource_type) {
        let row = trail::read(reader, caller, key, Deed::Vread)?;
        return if row.version == number { Ok(row) } else { Err(unknown()) };
    }
    permitted(caller, key.resource_type, Right::Read)?;
    let guard = guard_of_deletions(reader, caller, &[key.resource_type], Right::Read);
    let row = reader.version(key, number, &guard)?.ok_or_else(unknown)?;
    if !may_see_version(reader, caller, &guard, &row)? {
        return Err(unknown());
    }
    if row.method == Method::Delete {
        return Err(InteractionError::Deleted { key: row.key, version: row.version });
    }
    give(caller, Deed::Vread, [&row].into_iter());
    Ok(row)
}
