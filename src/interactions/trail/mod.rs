//! AuditEvents, where the server keeps an audit trail: read and searched there, and written by nobody else.
//!
//! Where nothing is told, AuditEvents are resources like any other.
//!
//! Spec: R4 auditevent.html; IHE BALP 1.1

mod asked;
mod cursor;
mod elsewhere;
mod sight;
mod walk;

use std::collections::HashMap;

use serde_json::Value;

use crate::access::{Caller, Deed, Denied};
use crate::audit::{EventId, Queries, audit_event, told};
use crate::clock;
use crate::fhir::{Id, Issue, IssueCode, Resource, ResourceKey, ResourceType};
use crate::interactions::recorded::give_events;
use crate::interactions::trail::asked::Asked;
use crate::interactions::trail::cursor::Cursor;
use crate::interactions::trail::sight::Sight;
use crate::interactions::trail::walk::{Found, Page, walk};
use crate::interactions::{InteractionError, SearchPage};
use crate::search::{CompileContext, Right, SearchRequest};
use crate::store::{Method, Reader, ResourceRow, StoreError};

pub use asked::TRAIL_PARAMETERS;
pub(super) use elsewhere::{is_elsewhere, stored_left_out};

/// Whether what `caller` asks of this type is answered by the trail.
pub(super) fn keeps(caller: &Caller, resource_type: ResourceType) -> bool {
    resource_type == ResourceType::AUDIT_EVENT && caller.is_served_with_trail()
}

/// Refuses the history of AuditEvents, which have one.
pub(super) fn no_history() -> InteractionError {
    let text = "an AuditEvent never changes, so that it has no history here: read it, or search [base]/AuditEvent";
    InteractionError::Invalid(vec![Issue::request(IssueCode::NotSupported, text)])
}

/// The AuditEvent `key`. One that the caller may not see is as unknown as one that isn't there.
pub(super) fn read(
    reader: &mut Reader<'_>,
    caller: &Caller,
    key: &ResourceKey,
    deed: Deed,
) -> Result<ResourceRow, InteractionError> {
    let unknown = || InteractionError::NotFound(key.clone());
    let sight = Sight::of(reader, caller, Right::Read)?;
    let id = EventId::parse(key.id.as_str()).ok_or_else(unknown)?;
    let found = event(reader, id)?.into_iter().collect();
    let found = sight.seen(reader, caller, found)?.pop().ok_or_else(unknown)?;
    let (patient, reference) = (found.event.patient, key.to_string());
    let row = rows(reader, &[found], sight.queries())?.pop().ok_or_else(unknown)?;
    give_events(caller, deed, vec![(patient, reference)]);
    Ok(row)
}

/// The event with this id, if there is one.
fn event(reader: &mut Reader<'_>, id: EventId) -> Result<Option<Found>, StoreError> {
    let links = reader.audit_links(id.chain, id.seq - 1, 1)?;
    let Some(link) = links.iter().find(|link| (link.chain, link.seq) == (id.chain, id.seq)) else { return Ok(None) };
    Ok(told(link)?.into_iter().find(|(known, _)| *known == id).map(|(id, event)| Found { id, event }))
}

/// The page of AuditEvents that `request` asks for.
pub(super) fn search(
    reader: &mut Reader<'_>,
    caller: &Caller,
    request: &SearchRequest,
) -> Result<SearchPage, InteractionError> {
    let stamp = request.narrowed(caller.filter()).map_err(Denied::from)?.stamp();
    let (hasher, zone_minutes) = (reader.hasher(), request.registry.zone_minutes());
    let context = CompileContext { hasher: &hasher, dialect: reader.dialect(), now_us: clock::now_us(), zone_minutes };
    let asked = Asked::of(request, &context)?;
    let sight = Sight::of(reader, caller, Right::Search)?;
    let seal = reader.seal();
    let purpose = cursor::purpose(request, stamp);
    let at = request.control.cursor.as_ref().map(|text| Cursor::parse(text, &purpose, &seal)).transpose()?;
    // What is told from now on belongs to later searches.
    let ends = match &at {
        Some(at) => at.ends.clone(),
        None => reader.audit_heads()?.into_iter().map(|head| (head.chain, head.seq)).collect(),
    };
    let Page { found, next } = walk(reader, caller, &asked, &sight, at.as_ref().map(|at| at.place), &ends)?;
    let total = (at.is_none() && next.is_none()).then_some(found.len() as i64);
    let next = next.map(|place| Cursor { place, ends }.to_text(&purpose, &seal));
    let rows = rows(reader, &found, sight.queries())?;
    let given = found.iter().map(|found| (found.event.patient, format!("AuditEvent/{}", found.id))).collect();
    give_events(caller, Deed::Search, given);
    Ok(SearchPage { rows, next, total, ..SearchPage::default() })
}

/// The events as resources, each with the one version that it has.
fn rows(reader: &mut Reader<'_>, found: &[Found], queries: Queries) -> Result<Vec<ResourceRow>, InteractionError> {
    let mut patients: Vec<i64> = found.iter().filter_map(|found| found.event.patient).collect();
    patients.sort_unstable();
    patients.dedup();
    let targets = if patients.is_empty() { Vec::new() } else { reader.targets(&patients)? };
    let patients: HashMap<i64, ResourceKey> = targets.into_iter().map(|target| (target.hash, target.key)).collect();
    let row = |found: &Found| {
        let patient = found.event.patient.and_then(|key| patients.get(&key));
        row(found.id, audit_event(found.id, &found.event, patient, queries), found.event.at_us)
    };
    found.iter().map(row).collect()
}

fn row(id: EventId, event: Value, at_us: i64) -> Result<ResourceRow, InteractionError> {
    let damaged = || StoreError::Damaged(format!("event {id} of the audit trail"));
    let resource = Resource::from_value(event).map_err(|_| damaged())?;
    let key = ResourceKey {
        resource_type: ResourceType::AUDIT_EVENT,
        id: Id::parse(&id.to_string()).map_err(|_| damaged())?,
    };
    let tail = Some(resource.tail());
    Ok(ResourceRow { rid: 0, key, version: 1, updated_us: at_us, method: Method::Create, tail })
}
