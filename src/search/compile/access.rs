//! What a caller may see, as parts of statements.
//!
//! Spec: SMART App Launch 2.2, scopes for requesting clinical data

use crate::fhir::{ResourceKey, ResourceType};
use crate::search::compile::CompileContext;
use crate::search::compile::filters::{self, Row};
use crate::search::compile::write::one_of;
use crate::search::extract::ATTACHED;
use crate::search::{Condition, Deletions, Registry, SHARED_TYPES, View};
use crate::store::Query;

/// ` AND ..`: what must hold of `resource r`, of one of `types` (of any, when there are none), to be in `view`.
pub fn guard(view: &View, types: &[ResourceType], context: &CompileContext<'_>) -> Query {
    let mut query = Query::new();
    match view {
        View::Everything => filters::types(Row::any(types), true, &mut query),
        View::Nothing => {
            query.sql(" AND 1 = 0");
        }
        View::Where(condition) => {
            query.for_caller(|query| {
                // What the condition says is said of these types alone.
                filters::types(Row::any(types), true, query);
                filters::condition(Row::any(types), condition, true, context, query);
            });
        }
    }
    query
}

/// As [`guard`], and besides `resource r` may be one that was deleted, of one of `deletions`.
pub fn guard_of_deletions(
    view: &View,
    types: &[ResourceType],
    deletions: &[Deletions],
    context: &CompileContext<'_>,
) -> Query {
    let mut query = Query::new();
    query.for_caller(|query| {
        query.sql(" AND (r.method <> 2").append(guard(view, types, context));
        for Deletions { types, records } in deletions {
            query.sql(" OR (r.method = 2");
            filters::types(Row::any(types), true, query);
            if let Some(patients) = records {
                query.sql(" AND EXISTS (SELECT 1 FROM deleted_from p WHERE p.rid = r.rid AND p.patient");
                one_of(query, patients, |query, patient| {
                    query.integer(context.hasher.key(patient));
                });
                query.sql(")");
            }
            query.sql(")");
        }
        query.sql(")");
    });
    query
}

/// Which of the resources `rids` are in `view`.
pub fn visible(rids: &[i64], view: &View, context: &CompileContext<'_>) -> Query {
    let mut query = Query::new();
    query.sql("SELECT r.rid FROM resource r WHERE r.rid").among(context.dialect, rids);
    query.sql(" AND r.method <> 2").append(guard(view, &[], context));
    query
}

/// `SELECT ..`: the numbers of all resources of the types (of any, when there are none) that are part of a record.
pub(super) fn owned(types: &[ResourceType], patients: &[ResourceKey], context: &CompileContext<'_>, query: &mut Query) {
    query.sql("SELECT c.rid FROM compartment c WHERE c.patient");
    one_of(query, patients, |query, patient| {
        query.integer(context.hasher.key(patient));
    });
    if !types.is_empty() {
        query.sql(" AND c.rtype");
        one_of(query, types, |query, of| {
            query.integer(i64::from(of.code()));
        });
    }
    query.sql(filters::bond(true));
}

/// ` AND ..`: something that the Provenance `row` is about meets the condition, and all that it is about does, but for shared
/// types. What is deleted, unknown here or elsewhere meets nothing: that it was somebody else's could not be told.
pub(super) fn targets(row: Row<'_>, condition: &Condition, context: &CompileContext<'_>, query: &mut Query) {
    let target = row.inner();
    let by = ResourceType::parse("Provenance").ok().and_then(|of| Registry::bundled().parameter(of, "target"));
    let about = |query: &mut Query| {
        query.sql(" WHERE i.rid = ");
        row.rid(query);
        query.sql(" AND i.param = ").integer(by.map_or(0, |by| i64::from(by.id())));
    };
    query.sql(" AND EXISTS (SELECT 1 FROM index_reference i CROSS JOIN resource ").sql(target.alias());
    about(query);
    query.sql(" AND ").sql(target.alias()).sql(".key = i.target AND ").sql(target.alias()).sql(".method <> 2");
    filters::condition(target, condition, true, context, query);
    query.sql(") AND NOT EXISTS (SELECT 1 FROM index_reference i");
    about(query);
    query.sql(" AND NOT EXISTS (SELECT 1 FROM resource ").sql(target.alias()).sql(" WHERE ");
    query.sql(target.alias()).sql(".key = i.target AND ").sql(target.alias()).sql(".method <> 2 AND (");
    query.sql(target.alias()).sql(".rtype");
    one_of(query, &SHARED_TYPES, |query, of| {
        query.integer(i64::from(of.code()));
    });
    query.sql(" OR (1 = 1");
    filters::condition(target, condition, true, context, query);
    query.sql("))))");
}

/// Which of the resources with these keys, of a type, are in `view`, by their keys.
pub fn visible_keys(keys: &[i64], of: ResourceType, view: &View, context: &CompileContext<'_>) -> Query {
    let mut query = Query::new();
    query.sql("SELECT r.key FROM resource r WHERE r.key").among(context.dialect, keys);
    query.sql(" AND r.method <> 2 AND r.rtype = ").integer(i64::from(of.code()));
    query.append(guard(view, &[of], context));
    query
}

/// ` AND ..`: the first resource that came to have the Binary `row` as an attachment meets the condition. Whoever names the
/// Binary of another later gains nothing by it.
pub(super) fn attached_to(row: Row<'_>, condition: &Condition, context: &CompileContext<'_>, query: &mut Query) {
    let holder = row.inner();
    query.sql(" AND EXISTS (SELECT 1 FROM resource ").sql(holder.alias()).sql(" WHERE ").sql(holder.alias());
    query.sql(".rid = (SELECT MIN(i.rid) FROM index_reference i WHERE i.param = ").integer(i64::from(ATTACHED));
    query.sql(" AND i.target = ").sql(row.alias()).sql(".key AND i.rid > 0) AND ");
    query.sql(holder.alias()).sql(".method <> 2");
    filters::condition(holder, condition, true, context, query);
    query.sql(")");
}

/// ` AND ..`: the Binary `row` was created by this holder of tokens, and nothing has had it as an attachment since.
pub(super) fn created_by(row: Row<'_>, holder: &str, context: &CompileContext<'_>, query: &mut Query) {
    query.sql(" AND EXISTS (SELECT 1 FROM binary_creator b WHERE b.rid = ");
    row.rid(query);
    query.sql(" AND b.creator = ").integer(context.hasher.text(holder)).sql(")");
}

/// `SELECT ..`: the number of the first resource that came to have the Binary of this key as an attachment.
pub fn holder_of(binary: i64) -> Query {
    let mut query = Query::new();
    query.sql("SELECT MIN(i.rid) FROM index_reference i WHERE i.param = ").integer(i64::from(ATTACHED));
    query.sql(" AND i.target = ").integer(binary).sql(" AND i.rid > 0 HAVING COUNT(*) > 0");
    query
}
