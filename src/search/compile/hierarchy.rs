//! The rows of a reference whose targets are above or below others in a hierarchy of resources.
//!
//! Spec: R4 search.html#recursive

use crate::search::compile::CompileContext;
use crate::search::compile::rows::{from, hashes_of};
use crate::search::compile::write::{one_of, separated};
use crate::search::extract::NO_TARGET;
use crate::search::{Modifier, Parameter, ReferenceValue};
use crate::store::Query;

/// ` FROM index_reference i WHERE ..`: the rows whose `target` is one of the resources, or above or below one. What was
/// found once is not followed again, so that a circle ends.
pub(super) fn rows(
    query: &mut Query,
    parameter: &Parameter,
    target: &'static str,
    direction: Modifier,
    resources: &[ReferenceValue],
    context: &CompileContext<'_>,
) {
    from(query, parameter);
    query.sql(" AND ").sql(target).sql(" IN (WITH RECURSIVE h(key) AS (SELECT v.column1 FROM (VALUES (");
    separated(query, &hashes_of(resources, context), "), (", |query, hash| {
        query.integer(*hash);
    });
    query.sql(match direction {
        Modifier::Above => {
            ")) AS v UNION SELECT s.target FROM h CROSS JOIN resource c CROSS JOIN index_reference s \
             WHERE c.key = h.key AND s.rid = c.rid AND s.param"
        }
        _ => {
            ")) AS v UNION SELECT c.key FROM h CROSS JOIN index_reference s CROSS JOIN resource c \
             WHERE s.target = h.key AND c.rid = s.rid AND s.param"
        }
    });
    one_of(query, &parameter.hierarchies(), |query, by| {
        query.integer(i64::from(by.id));
    });
    // A reference that names no target leads nowhere.
    query.sql(" AND s.target <> ").integer(NO_TARGET).sql(") SELECT h.key FROM h)");
}
