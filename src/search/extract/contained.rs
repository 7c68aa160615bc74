//! Rows of the resources within a resource.
//!
//! Each has the rows that it would have by itself, but for its words and compartments, which are those of the container.
//! Nothing is sorted by them.
//!
//! Spec: R4 search.html#contained, references.html#contained

use std::collections::HashMap;

use serde_json::Value;

use crate::fhir::Resource;
use crate::search::ExtractContext;
use crate::search::extract::{ExtractError, MAX_ROWS, row_count, values_of};
use crate::store::{ContainedHead, ContainedRows, Edge, IndexRows};

/// Where the resources within a resource stand, counted from 1, by their ids.
#[derive(Debug, Default)]
pub struct Places<'a>(HashMap<&'a str, i64>);

impl<'a> Places<'a> {
    pub(super) fn of(resource: &'a Resource) -> Places<'a> {
        let ids = contained(resource).iter().map(|inner| inner.get("id").and_then(Value::as_str));
        Places((1..).zip(ids).filter_map(|(place, id)| Some((id?, place))).collect())
    }

    pub(super) fn get(&self, id: &str) -> Option<i64> {
        self.0.get(id).copied()
    }
}

fn contained(resource: &Resource) -> &[Value] {
    resource.object().get("contained").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Adds the rows of what `resource` contains to `rows`, its own.
pub(super) fn index(
    resource: &Resource,
    context: &ExtractContext<'_>,
    rows: &mut IndexRows,
) -> Result<(), ExtractError> {
    let mut count = row_count(rows);
    for (place, value) in (1..).zip(contained(resource)) {
        // Validation has told what is no resource.
        let Ok(inner) = Resource::from_value(value.clone()) else { continue };
        let mut inner_rows = values_of(&inner, context)?;
        inner_rows.patients.clear();
        leave_unsorted(&mut inner_rows);
        rows.texts.append(&mut inner_rows.texts);
        count += 1 + row_count(&inner_rows);
        if count > MAX_ROWS {
            return Err(ExtractError::TooManyRows { limit: MAX_ROWS });
        }
        let id = inner.id.map(|id| id.as_str().to_owned()).unwrap_or_default();
        let head = Some(ContainedHead { rtype: inner.resource_type.code(), id });
        rows.contained.push(ContainedRows { place, head, rows: inner_rows });
    }
    rows.texts.sort_unstable();
    rows.texts.dedup();
    Ok(())
}

fn leave_unsorted(rows: &mut IndexRows) {
    rows.tokens.iter_mut().for_each(|row| row.edge = Edge::Neither);
    rows.strings.iter_mut().for_each(|row| row.edge = Edge::Neither);
    rows.dates.iter_mut().for_each(|row| row.edge = Edge::Neither);
    rows.quantities.iter_mut().for_each(|row| row.edge = Edge::Neither);
    rows.uris.iter_mut().for_each(|row| row.edge = Edge::Neither);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fhir::ResourceType;
    use crate::search::{Registry, extract};
    use crate::store::Hasher;

    fn rows(value: Value) -> IndexRows {
        let resource = Resource::from_value(value).unwrap();
        let (hasher, registry) = (Hasher::new([3; 16]), Registry::bundled());
        extract(&resource, &ExtractContext { hasher: &hasher, bases: &[], zone_minutes: 0, registry, places: None })
            .unwrap()
    }

    fn targets(rows: &IndexRows, type_name: &str, code: &str) -> Vec<i64> {
        let resource_type = ResourceType::parse(type_name).unwrap();
        let param = Registry::bundled().parameter(resource_type, code).unwrap().id();
        rows.references.iter().filter(|row| row.param == param).map(|row| row.target).collect()
    }

    fn request() -> Value {
        json!({
            "resourceType": "MedicationRequest", "id": "r1", "status": "active", "intent": "order",
            "contained": [
                { "resourceType": "Organization", "id": "org", "name": "Maker" },
                {
                    "resourceType": "Medication", "id": "med", "code": { "coding": [{ "code": "x" }] },
                    "manufacturer": { "reference": "#org" }
                }
            ],
            "medicationReference": { "reference": "#med" }, "subject": { "reference": "Patient/1" }
        })
    }

    #[test]
    fn what_is_contained_has_its_rows_at_its_place() {
        let rows = rows(request());

        let heads: Vec<(i64, &str)> =
            rows.contained.iter().map(|inner| (inner.place, inner.head.as_ref().unwrap().id.as_str())).collect();
        assert_eq!(heads, [(1, "org"), (2, "med")]);
        assert_eq!(targets(&rows, "MedicationRequest", "medication"), [2]);
        assert_eq!(targets(&rows.contained[1].rows, "Medication", "manufacturer"), [1]);
        assert!(rows.contained.iter().all(|inner| inner.rows.texts.is_empty() && inner.rows.words.count == 0));
        assert!(rows.contained[1].rows.tokens.iter().all(|row| row.edge == Edge::Neither));
        assert!(rows.texts.iter().any(|text| text.text == "x"));
    }

    #[test]
    fn the_container_has_the_rows_that_it_has_without() {
        let with = rows(request());
        let mut without = request();
        without["contained"] = json!([]);
        let without = rows(without);

        assert_eq!((&with.tokens, &with.dates), (&without.tokens, &without.dates));
        assert_eq!(with.references.len(), without.references.len());
    }
}
