//! Whose record the resources are part of that were given out.

use std::collections::{BTreeSet, HashMap};

use crate::audit::written;
use crate::fhir::{Resource, ResourceKey, whole};
use crate::search::{Registry, holder_of, owners};
use crate::store::{Guard, IndexRows, Ownership, Reader, StoreError};

/// So many resources are looked up by one statement.
const AT_ONCE: usize = 500;

/// A version, by the number of its resource.
pub(super) type Version = (i64, i64);

/// A version with the Patients whose record it is part of.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    /// As events name it.
    pub(super) entity: String,
    pub(super) patients: BTreeSet<i64>,
}

/// Whose the versions are. A resource that has changed since is asked for its version of then.
pub(super) fn owned(
    reader: &mut Reader<'_>,
    bases: &[String],
    versions: &BTreeSet<Version>,
) -> Result<HashMap<Version, Owned>, StoreError> {
    let mut rids: Vec<i64> = versions.iter().map(|(rid, _)| *rid).collect();
    rids.dedup();
    let mut found = HashMap::with_capacity(versions.len());
    for some in rids.chunks(AT_ONCE) {
        for standing in reader.ownership(some)? {
            for version in versions.range((standing.rid, i64::MIN)..=(standing.rid, i64::MAX)) {
                let patients = match &standing.rows {
                    Some(rows) if standing.version == version.1 => of_rows(reader, &standing, rows)?,
                    _ => of_version(reader, bases, &standing.key, version.1)?,
                };
                let entity = format!("{}/_history/{}", standing.key, version.1);
                found.insert(*version, Owned { entity, patients });
            }
        }
    }
    Ok(found)
}

/// Whose what stands at `key` is, which may be another version by now.
pub(super) fn of_key(reader: &mut Reader<'_>, key: &ResourceKey) -> Result<BTreeSet<i64>, StoreError> {
    let hash = reader.hasher().key(key);
    let rids = reader.targets(&[hash])?.into_iter().filter(|target| target.key == *key).map(|target| target.rid);
    let rids: Vec<i64> = rids.collect();
    let mut patients = BTreeSet::new();
    for standing in reader.ownership(&rids)? {
        if let Some(rows) = &standing.rows {
            patients.extend(of_rows(reader, &standing, rows)?);
        }
    }
    Ok(patients)
}

/// The owners that the index tells; those of what leads to it, where it has none of its own.
fn of_rows(reader: &mut Reader<'_>, of: &Ownership, rows: &IndexRows) -> Result<BTreeSet<i64>, StoreError> {
    let own: BTreeSet<i64> = written::owners(rows).collect();
    if !own.is_empty() {
        return Ok(own);
    }
    let leading: Vec<i64> = match of.key.resource_type.name() {
        "Binary" => reader.numbers(&holder_of(reader.hasher().key(&of.key)))?,
        "Provenance" => {
            let target = Registry::bundled().parameter(of.key.resource_type, "target").map(|target| target.id());
            let targets = rows.references.iter().filter(|row| Some(row.param) == target).map(|row| row.target);
            let targets: Vec<i64> = targets.collect();
            reader.targets(&targets)?.into_iter().map(|target| target.rid).collect()
        }
        _ => return Ok(own),
    };
    let leading = reader.ownership(&leading)?;
    Ok(leading.iter().filter_map(|leading| leading.rows.as_ref()).flat_map(written::owners).collect())
}

/// The owners that a version names itself.
fn of_version(
    reader: &mut Reader<'_>,
    bases: &[String],
    key: &ResourceKey,
    version: i64,
) -> Result<BTreeSet<i64>, StoreError> {
    let row = reader.version(key, version, &Guard::unbounded("audit"))?;
    let Some((row, tail)) = row.and_then(|mut row| row.tail.take().map(|tail| (row, tail))) else {
        return Ok(BTreeSet::new());
    };
    let damaged = || StoreError::Damaged(format!("version {version} of {key}"));
    let value = whole(&row.key, row.version, row.updated_us, &tail).map_err(|_| damaged())?;
    let resource = Resource::from_value(value).map_err(|_| damaged())?;
    let hasher = reader.hasher();
    Ok(owners(&resource, &hasher, bases).into_iter().collect())
}
