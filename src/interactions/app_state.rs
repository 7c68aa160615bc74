//! What apps keep on the server as Basic: settings, keys to what they have elsewhere.
//!
//! It bears a label that the server gives it, and that keeps it from apps whose scopes don't name its code.
//!
//! Spec: SMART App Launch 2.2 app-state.html

use crate::access::Caller;
use crate::fhir::{Issue, IssueCode, Resource, ResourceKey, ResourceType};
use crate::interactions::InteractionError;
use crate::interactions::whole::{read_back, resource_of};
use crate::search::{LabelSet, codings, mark_as_state};
use crate::store::{Guard, IndexRows, Locked, StoreError, Tx};

/// The most that one may have as JSON.
const MOST_BYTES: usize = 256 << 10;

/// Whether what stands is what an app keeps.
pub(super) fn is_state(of: ResourceType, standing: &Locked) -> Result<bool, StoreError> {
    Ok(of == ResourceType::BASIC && bears_label(&standing.rows()?))
}

fn bears_label(rows: &IndexRows) -> bool {
    LabelSet::of_bits(rows.labels).is_state()
}

/// `resource` with the label, where it is to get it by this caller's writing it.
pub(super) fn stated(caller: &Caller, resource: &Resource) -> Option<Resource> {
    if !caller.filter().keeps_as_state(resource) || LabelSet::of(&resource.value).is_state() {
        return None;
    }
    let mut stated = resource.clone();
    mark_as_state(&mut stated.value);
    Some(stated)
}

/// Refuses what is not as the specification wants it.
pub(super) fn check(resource: &Resource) -> Result<(), InteractionError> {
    if resource.resource_type != ResourceType::BASIC || !LabelSet::of(&resource.value).is_state() {
        return Ok(());
    }
    if codings(&resource.value).len() != 1 {
        let text = "what an app keeps has exactly one coding: leave out the others, or keep them apart";
        let issue = Issue::error(IssueCode::BusinessRule, "Basic.code.coding", text);
        return Err(InteractionError::Unprocessable(vec![issue]));
    }
    if resource.tail().len() > MOST_BYTES {
        return Err(InteractionError::StateTooLarge { most_bytes: MOST_BYTES });
    }
    Ok(())
}

/// Refuses a version by which what an app keeps would be of another kind or about somebody else, or by which anything would become or
/// cease to be such.
pub(super) fn check_change(
    tx: &mut Tx<'_>,
    key: &ResourceKey,
    previous: Option<&Locked>,
    rows: &IndexRows,
    tail: &[u8],
) -> Result<(), InteractionError> {
    let Some(standing) = previous.filter(|previous| !previous.is_deleted && key.resource_type == ResourceType::BASIC)
    else {
        return Ok(());
    };
    let (was, is) = (bears_label(&standing.rows()?), bears_label(rows));
    let changed = |element| InteractionError::StateChanged { key: key.clone(), element };
    if was != is {
        return Err(changed("its security label"));
    }
    if !was {
        return Ok(());
    }
    let Some(row) = tx.current(key, &Guard::unbounded("what an app keeps"))? else { return Ok(()) };
    let before = resource_of(&row)?;
    let after = read_back(key, standing.version, standing.updated_us, tail).map_err(StoreError::Damaged)?;
    let differs = |element: &str| before.value.get(element) != after.value.get(element);
    match () {
        () if differs("code") => Err(changed("Basic.code")),
        () if differs("subject") => Err(changed("Basic.subject")),
        () => Ok(()),
    }
}
