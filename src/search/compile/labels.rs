//! Security labels, which keep from callers what is more sensitive than they may see.
//!
//! Most databases have no such label at all. A statement asks so once, and a search that would ask it of several resources is
//! told before, by the same snapshot: each question costs PostgreSQL more to plan than to answer.
//!
//! Spec: R4 security-labels.html

use crate::fhir::ResourceType;
use crate::search::compile::CompileContext;
use crate::search::compile::filters::Row;
use crate::search::compile::write::separated;
use crate::search::fold::fold_code;
use crate::search::{Condition, Extent, Registry, SearchRequest, TokenValue};
use crate::store::Query;

/// From so many questions on, whether there is any label is asked first.
const MANY: usize = 2;

/// ` AND ..`: `row` bears none of the labels, and nothing that a Provenance is about does. Where nothing bears one, which is told
/// once, no row is asked for its own.
pub(super) fn unlabelled(row: Row<'_>, labels: &[TokenValue], context: &CompileContext<'_>, query: &mut Query) {
    query.sql(" AND NOT (EXISTS (SELECT 1 FROM index_token i WHERE ");
    one_of_labels(None, labels, context, query);
    query.sql(") AND EXISTS (SELECT 1 FROM index_token i WHERE ");
    one_of_labels(Some(&|query| row.rid(query)), labels, context, query);
    query.sql(row.end(context)).sql(")");
    if row.types().is_empty() || row.types().contains(&ResourceType::PROVENANCE) {
        about_unlabelled(row, labels, context, query);
    }
}

/// ` AND ..`: `row` is no Provenance of what bears one of the labels.
fn about_unlabelled(row: Row<'_>, labels: &[TokenValue], context: &CompileContext<'_>, query: &mut Query) {
    let Some(target) = Registry::bundled().parameter(ResourceType::PROVENANCE, "target") else { return };
    query.sql(" AND NOT (");
    if row.types().len() != 1 {
        query.sql(row.alias()).sql(".rtype = ").integer(i64::from(ResourceType::PROVENANCE.code())).sql(" AND ");
    }
    query.sql("EXISTS (SELECT 1 FROM index_token i WHERE ");
    one_of_labels(None, labels, context, query);
    query.sql(") AND EXISTS (SELECT 1 FROM index_reference t CROSS JOIN resource about CROSS JOIN index_token i WHERE t.rid = ");
    row.rid(query);
    query.sql(" AND t.param = ").integer(i64::from(target.id())).sql(" AND about.key = t.target AND (");
    let of_target = |query: &mut Query| {
        query.sql("about.rid");
    };
    one_of_labels(Some(&of_target), labels, context, query);
    query.sql(")))");
}

/// The number of resources that bear one of the labels, where one is enough: 0 or 1. One column, one row.
pub fn any_labelled(labels: &[TokenValue], context: &CompileContext<'_>) -> Query {
    let mut query = Query::new();
    query.sql("SELECT COUNT(*) FROM (SELECT i.rid FROM index_token i WHERE ");
    one_of_labels(None, labels, context, &mut query);
    query.sql(" LIMIT 1) AS s");
    query
}

/// `(..) OR (..)`: the row `i` of the index has one of the labels, and is of the resource that `of` writes if it is there.
fn one_of_labels(
    of: Option<&dyn Fn(&mut Query)>,
    labels: &[TokenValue],
    context: &CompileContext<'_>,
    query: &mut Query,
) {
    // One number serves all types.
    let security =
        Registry::bundled().parameter(ResourceType::PATIENT, "_security").map_or(0, |security| security.id());
    separated(query, labels, " OR ", |query, label| {
        let hash = |text: &Option<String>| context.hasher.text(text.as_deref().unwrap_or_default());
        let code = label.code.as_deref().map(fold_code).map_or(0, |code| context.hasher.text(&code));
        query.sql("(i.param = ").integer(i64::from(security)).sql(" AND i.code = ").integer(code);
        query.sql(" AND i.system = ").integer(hash(&label.system));
        if let Some(of) = of {
            query.sql(" AND i.rid = ");
            of(query);
        }
        query.sql(")");
    });
}

/// The labels that the search asks for in many places, each once; none where it asks in few.
pub(in crate::search) fn asked_often(request: &SearchRequest) -> Vec<TokenValue> {
    let (mut places, mut all) = (0, Vec::<TokenValue>::new());
    for condition in request.conditions().flat_map(|condition| condition.walk(Extent::Everything)) {
        if let Condition::Unlabelled(labels) = condition {
            places += 1;
            let new: Vec<_> = labels.iter().filter(|label| !all.contains(label)).cloned().collect();
            all.extend(new);
        }
    }
    if places < MANY { Vec::new() } else { all }
}

/// Takes the questions out of a search of what bears no label.
pub(in crate::search) fn forget(request: &mut SearchRequest) {
    let demanded = request.demands.iter_mut().map(|demand| &mut demand.condition);
    demanded.chain(&mut request.access).for_each(forget_within);
}

fn forget_within(condition: &mut Condition) {
    if matches!(condition, Condition::Unlabelled(_)) {
        *condition = Condition::And(Vec::new());
    }
    condition.inner_mut(Extent::Everything).for_each(forget_within);
}
