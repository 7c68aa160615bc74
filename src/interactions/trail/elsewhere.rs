//! AuditEvents in searches of other resources: those of the trail can't be found there, and none is to seem to be.

use std::borrow::Cow;

use crate::access::Caller;
use crate::fhir::ResourceType;
use crate::interactions::InteractionError;
use crate::search::{Condition, Demand, Extent, SearchError, SearchRequest, SortBy};
use crate::store::Reader;

const REMEDY: &str =
    "AuditEvents are kept in the audit trail: search [base]/AuditEvent by itself, by patient or entity";

/// Refuses a search that goes through AuditEvents.
pub fn is_elsewhere(caller: &Caller, request: &SearchRequest) -> Result<(), SearchError> {
    if !caller.is_served_with_trail() {
        return Ok(());
    }
    let refused = |parameter: &str| SearchError::BadValue {
        parameter: parameter.chars().take(80).collect(),
        problem: REMEDY.to_owned(),
    };
    if request.types.contains(&ResourceType::AUDIT_EVENT) {
        return Err(refused("_type"));
    }
    let leads = |of: Option<ResourceType>| of == Some(ResourceType::AUDIT_EVENT);
    if request.includes.iter().any(|include| leads(include.source) || leads(include.target)) {
        return Err(refused("_include or _revinclude"));
    }
    let is_through = |by: &SortBy| matches!(by, SortBy::Linked(link) if link.targets == [ResourceType::AUDIT_EVENT]);
    if request.control.sort.keys.iter().any(|key| is_through(&key.by)) {
        return Err(refused("_sort"));
    }
    match request.demands.iter().find(|demand| passes(&demand.condition)) {
        Some(demand) => Err(refused(demand.text.split_once('=').map_or("", |(name, _)| name))),
        None => Ok(()),
    }
}

/// Whether the condition asks something of AuditEvents alone.
fn passes(condition: &Condition) -> bool {
    condition.walk(Extent::Linked).any(|part| match part {
        Condition::Chain(chain) => chain.targets.iter().all(|(of, _)| *of == ResourceType::AUDIT_EVENT),
        Condition::Has(has) => has.source == ResourceType::AUDIT_EVENT,
        _ => false,
    })
}

/// A search of all types, without the AuditEvents that were stored while nothing was told, if there are any.
pub fn stored_left_out<'r>(
    reader: &mut Reader<'_>,
    caller: &Caller,
    request: &'r SearchRequest,
) -> Result<Cow<'r, SearchRequest>, InteractionError> {
    if !caller.is_served_with_trail() || request.resource_type.is_some() || !request.types.is_empty() {
        return Ok(Cow::Borrowed(request));
    }
    let counts = reader.type_counts()?;
    if !counts.iter().any(|count| count.resource_type == ResourceType::AUDIT_EVENT && count.current > 0) {
        return Ok(Cow::Borrowed(request));
    }
    let mut request = request.clone();
    let stored = Condition::OfTypes(vec![ResourceType::AUDIT_EVENT]);
    request.demands.push(Demand { condition: Condition::Not(Box::new(stored)), text: String::new() });
    Ok(Cow::Owned(request))
}
