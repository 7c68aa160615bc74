//! The rows of a composite parameter whose components all match.
//!
//! Spec: R4 search.html#composite

use crate::search::compile::CompileContext;
use crate::search::compile::rows::{
    AmountColumns, among_amounts, amounts_of, boxes_of, hash_system, hashes_of, range_of_prefix,
};
use crate::search::compile::write::{And, one_of, separated};
use crate::search::fold::{fold, fold_code};
use crate::search::{Parameter, Values};
use crate::store::Query;

/// ` FROM index_composite i WHERE ..`
pub(super) fn among(
    query: &mut Query,
    parameter: &Parameter,
    composites: &[Vec<Values>],
    context: &CompileContext<'_>,
) {
    query.sql(" FROM index_composite i WHERE i.param = ").integer(i64::from(parameter.id())).sql(" AND (");
    separated(query, composites, " OR ", |query, components| {
        for (place, values) in components.iter().enumerate() {
            query.sql(if place == 0 { "(" } else { " AND (" });
            component(query, place, values, context);
            query.sql(")");
        }
    });
    query.sql(")");
}

/// What the columns of the component at `place` must be; they are named in the migration that made the table.
fn component(query: &mut Query, place: usize, values: &Values, context: &CompileContext<'_>) {
    let (first, second) = if place == 0 { ("i.code = ", "i.system = ") } else { ("i.low = ", "i.high = ") };
    match values {
        Values::Tokens(tokens) => separated(query, tokens, " OR ", |query, token| {
            let mut and = And::default();
            if let Some(code) = &token.code {
                query.sql(and.next()).sql(first).integer(context.hasher.text(&fold_code(code)));
            }
            if let Some(system) = &token.system {
                query.sql(and.next()).sql(second).integer(hash_system(system, context));
            }
        }),
        Values::References(targets) => {
            query.sql(if place == 0 { "i.code" } else { "i.low" });
            one_of(query, &hashes_of(targets, context), |query, hash| {
                query.integer(*hash);
            });
        }
        Values::Strings(texts) => separated(query, texts, " OR ", |query, text| {
            let (from, to) = range_of_prefix(&fold(text));
            query.sql("i.text >= ").text(from).sql(" AND i.text < ").text(to);
        }),
        Values::Dates(dates) => separated(query, &boxes_of(dates, None, context), " OR ", |query, bounds| {
            query.sql("i.low >= ").integer(bounds.lo_from).sql(" AND i.low < ").integer(bounds.lo_to);
            query.sql(" AND i.high > ").integer(bounds.hi_from).sql(" AND i.high <= ").integer(bounds.hi_to);
        }),
        Values::Quantities(amounts) => {
            let value = if place == 2 { "i.upper" } else { "i.value" };
            let at = AmountColumns { value, code: "i.low", system: "i.high", mark: None };
            among_amounts(query, &amounts_of(amounts, context), &at, context);
        }
        // No component is of another kind: the parser has refused it.
        _ => {
            query.sql("1 = 0");
        }
    }
}
