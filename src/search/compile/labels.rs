//! Security labels, which keep from callers what is more sensitive than they may see.
//!
//! Spec: R4 security-labels.html

use crate::fhir::ResourceType;
use crate::search::compile::CompileContext;
use crate::search::compile::filters::Row;
use crate::search::compile::write::separated;
use crate::search::{LabelSet, Registry, dialect};
use crate::store::Query;

/// ` AND ..`: `row` bears none of the labels, and nothing that a Provenance is about does.
pub(super) fn unlabelled(row: Row<'_>, labels: LabelSet, context: &CompileContext<'_>, query: &mut Query) {
    if row.is_number() {
        unlabelled_number(row, labels, context, query);
    } else if row.is_resource() {
        query.sql(" AND ");
        free(row.alias(), labels, context, query);
    } else if row.is_target() {
        // What is contained bears none.
        query.sql(" AND (").sql(row.alias()).sql(".labels IS NULL OR ");
        free(row.alias(), labels, context, query);
        query.sql(")");
    }
    if row.types().is_empty() || row.types().contains(&ResourceType::PROVENANCE) {
        about_unlabelled(row, labels, context, query);
    }
}

/// ` AND ..`: the resource with the number that `row` is bears none. Those that bear any have an index of their own, so that nothing is
/// looked up of the others.
fn unlabelled_number(row: Row<'_>, labels: LabelSet, context: &CompileContext<'_>, query: &mut Query) {
    query.sql(" AND NOT EXISTS (SELECT 1 FROM resource l");
    query.sql(dialect::by_index(context.dialect, " INDEXED BY resource_labelled")).sql(" WHERE l.rid = ");
    row.rid(query);
    query.sql(" AND l.labels <> 0");
    if labels != LabelSet::ALL {
        query.sql(" AND NOT ");
        free("l", labels, context, query);
    }
    query.sql(row.end(context));
}

/// ` AND ..`: `row` is no Provenance of what bears one of the labels.
fn about_unlabelled(row: Row<'_>, labels: LabelSet, context: &CompileContext<'_>, query: &mut Query) {
    let Some(target) = Registry::bundled().parameter(ResourceType::PROVENANCE, "target") else { return };
    query.sql(" AND NOT (");
    if row.types().len() != 1 {
        query.sql(row.alias()).sql(".rtype = ").integer(i64::from(ResourceType::PROVENANCE.code())).sql(" AND ");
    }
    query.sql("EXISTS (SELECT 1 FROM index_reference t CROSS JOIN resource about WHERE t.rid = ");
    row.rid(query);
    query.sql(" AND t.param = ").integer(i64::from(target.id())).sql(" AND about.key = t.target AND NOT ");
    free("about", labels, context, query);
    query.sql("))");
}

/// `..`: the row of `resource` bears none of the labels.
fn free(alias: &'static str, labels: LabelSet, context: &CompileContext<'_>, query: &mut Query) {
    if !dialect::keeps_statistics(context.dialect) {
        query.sql("(").sql(alias).sql(".labels & ").integer(i64::from(labels.bits())).sql(") = 0");
        return;
    }
    // By the values themselves, of which there are statistics: of what is computed, a two-hundredth would be expected.
    query.sql(alias).sql(".labels IN (");
    separated(query, &labels.free().collect::<Vec<_>>(), ", ", |query, bits| {
        query.integer(i64::from(*bits));
    });
    query.sql(")");
}
