//! Which events a caller may see.
//!
//! Whoever sees all of a record sees all that was done with it, refusals and searches too, but what a search was for only where that
//! can't be about anybody else. Others who may read its AuditEvents see
//! an event only by what it names, as they see a Provenance by what it is about: all of that must be seen. What is about no
//! record is for those who administer the server.
//!
//! Spec: SMART App Launch 2.2, scopes for requesting clinical data

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Caller, Denied};
use crate::audit::{Event, Outcome, Queries};
use crate::fhir::{ResourceKey, ResourceType};
use crate::interactions::InteractionError;
use crate::interactions::sight::seen_keys;
use crate::interactions::trail::asked::{Test, key_of};
use crate::interactions::trail::walk::Found;
use crate::search::{Reach, Right};
use crate::store::Reader;

/// What of the trail is open to a caller.
pub(super) struct Sight {
    is_all: bool,
    permits: Vec<Permit>,
    /// The keys of the Patients whose records the caller sees whole.
    whole: BTreeSet<i64>,
}

/// Whose trail, and what of it.
struct Permit {
    /// The keys of the Patients; `None` is all of them.
    records: Option<BTreeSet<i64>>,
    only: Vec<Test>,
}

impl Sight {
    /// What `caller` may do `right` with; a refusal where that is nothing.
    pub fn of(reader: &Reader<'_>, caller: &Caller, right: Right) -> Result<Sight, InteractionError> {
        let (filter, hasher) = (caller.filter(), reader.hasher());
        filter.permitted(ResourceType::AUDIT_EVENT, right).map_err(Denied::from)?;
        let mut sight = Sight { is_all: filter.administers(), permits: Vec::new(), whole: BTreeSet::new() };
        for (reach, only) in filter.trail_permits(right) {
            let only: Option<Vec<Test>> = only.iter().map(|criterion| Test::of(criterion, &hasher)).collect();
            // What a scope demands and the trail can't tell is met by nothing.
            let Some(only) = only else { continue };
            let records = match reach {
                Reach::Everything => None,
                Reach::Records(patients) => {
                    let whole = patients.iter().filter(|patient| filter.sees_whole(patient));
                    sight.whole.extend(whole.map(|patient| hasher.key(patient)));
                    Some(patients.iter().map(|patient| hasher.key(patient)).collect())
                }
            };
            sight.permits.push(Permit { records, only });
        }
        Ok(sight)
    }

    /// What is told of queries.
    pub fn queries(&self) -> Queries {
        if self.is_all { Queries::Whole } else { Queries::OfOneRecord }
    }

    /// The keys of the Patients to whom the caller is limited; `None` where that is nobody.
    pub fn records(&self) -> Option<BTreeSet<i64>> {
        if self.is_all {
            return None;
        }
        let mut records = BTreeSet::new();
        for permit in &self.permits {
            records.extend(permit.records.as_ref()?);
        }
        Some(records)
    }

    /// Those of the events that the caller may see, in their order.
    pub fn seen(
        &self,
        reader: &mut Reader<'_>,
        caller: &Caller,
        mut events: Vec<Found>,
    ) -> Result<Vec<Found>, InteractionError> {
        if self.is_all {
            return Ok(events);
        }
        events.retain(|found| self.is_permitted(&found.event));
        let by_name = |found: &Found| !self.is_whole(&found.event);
        let mut named: BTreeMap<ResourceType, BTreeSet<i64>> = BTreeMap::new();
        let hasher = reader.hasher();
        for key in events.iter().filter(|found| by_name(found)).flat_map(|found| keys(&found.event)) {
            named.entry(key.resource_type).or_default().insert(hasher.key(&key));
        }
        let mut seen: BTreeMap<ResourceType, BTreeSet<i64>> = BTreeMap::new();
        for (of, named) in named {
            let (named, filter): (Vec<i64>, _) = (named.into_iter().collect(), caller.filter());
            seen.insert(of, seen_keys(reader, filter, &named, of, &filter.view(&[of], Right::Read))?);
        }
        let is_seen =
            |key: &ResourceKey| seen.get(&key.resource_type).is_some_and(|seen| seen.contains(&hasher.key(key)));
        events.retain(|found| !by_name(found) || tells_only_what_is_named(&found.event, is_seen));
        Ok(events)
    }

    /// Whether a scope is for this event.
    fn is_permitted(&self, event: &Event) -> bool {
        let Some(patient) = event.patient else { return false };
        self.permits.iter().any(|permit| {
            let is_in_reach = permit.records.as_ref().is_none_or(|records| records.contains(&patient));
            is_in_reach && permit.only.iter().all(|test| test.is_met_by(event))
        })
    }

    fn is_whole(&self, event: &Event) -> bool {
        event.patient.is_some_and(|patient| self.whole.contains(&patient))
    }
}

fn keys(event: &Event) -> impl Iterator<Item = ResourceKey> {
    event.entities.iter().filter_map(|entity| key_of(entity))
}

/// Whether the event says that something was done with resources that are all seen, and nothing else.
fn tells_only_what_is_named(event: &Event, is_seen: impl Fn(&ResourceKey) -> bool) -> bool {
    event.outcome == Outcome::Done
        && event.query.is_none()
        && !event.entities.is_empty()
        && event.entities.iter().all(|entity| key_of(entity).is_some_and(|key| is_seen(&key)))
}
