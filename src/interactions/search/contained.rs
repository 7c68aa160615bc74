//! Pages of resources within resources.
//!
//! They come with their containers, in the order of these, each container before what it contains.
//!
//! Spec: R4 search.html#contained

use std::collections::HashMap;

use serde_json::Value;

use crate::interactions::InteractionError;
use crate::interactions::search::cursor::{Cursor, foreign};
use crate::interactions::whole::whole;
use crate::search::{CompileContext, Position, ResolvedSearch, contained_count, contained_page, count, page};
use crate::store::{Reader, ResourceRow, StoreError, container_of, order_of};

/// The first `limit` matches next to the cursor, in the direction that it leads; the number of a row is that of the
/// contained resource, all else is of its container.
pub(super) fn rows(
    reader: &mut Reader<'_>,
    request: &ResolvedSearch<'_>,
    context: &CompileContext<'_>,
    at: Option<&Cursor>,
    limit: u32,
) -> Result<Vec<ResourceRow>, InteractionError> {
    let at = at.map(|at| position(reader, at)).transpose()?;
    reader.about("page");
    let mut rows = reader.rows(&contained_page(request, context, at.as_ref(), limit))?;
    if is_both(request) {
        let at = at.as_ref().map(beside);
        rows.extend(reader.rows(&page(request, context, at.as_ref(), limit))?);
        let is_backward = at.is_some_and(|at| at.is_backward);
        rows.sort_unstable_by_key(|row| if is_backward { -order_of(row.rid) } else { order_of(row.rid) });
        rows.truncate(limit as usize);
    }
    Ok(rows)
}

/// The number of all matches, `_maxresults` at most.
pub(super) fn total(
    reader: &mut Reader<'_>,
    request: &ResolvedSearch<'_>,
    context: &CompileContext<'_>,
) -> Result<i64, InteractionError> {
    let mut total = reader.number(&contained_count(request, context))?;
    if is_both(request) {
        total += reader.number(&count(request, context))?;
    }
    Ok(request.control.max_results.map_or(total, |most| total.min(i64::from(most))))
}

/// What of `rows` is contained, read from its container, by its number.
pub(super) fn resources(rows: &[ResourceRow]) -> Result<HashMap<i64, Value>, InteractionError> {
    let mut resources = HashMap::new();
    for row in rows {
        let Some((_, place)) = container_of(row.rid) else { continue };
        let mut container = whole(row)?;
        let place = usize::try_from(place - 1).unwrap_or(usize::MAX);
        let found = container.get_mut("contained").and_then(|all| all.get_mut(place)).map(Value::take);
        let found = found.ok_or_else(|| StoreError::Damaged(format!("the index of what {} contains", row.key)))?;
        resources.insert(row.rid, found);
    }
    Ok(resources)
}

fn is_both(request: &ResolvedSearch<'_>) -> bool {
    request.control.contained.is_some_and(|contained| contained.is_both)
}

fn position(reader: &mut Reader<'_>, cursor: &Cursor) -> Result<Position, InteractionError> {
    let Cursor { rid, is_backward, mark, .. } = cursor.clone();
    let container = container_of(rid).map_or(rid, |(container, _)| container);
    let id = reader.stood(container, &mark)?.ok_or_else(foreign)?;
    Ok(Position { rid, id, is_backward, mark })
}

/// The same position among the resources that are by themselves.
fn beside(at: &Position) -> Position {
    let rid = match container_of(at.rid) {
        None => at.rid,
        // A container stands before what it contains.
        Some((container, _)) => container + i64::from(at.is_backward),
    };
    Position { rid, ..at.clone() }
}
