//! Statements that read the rows of a table in the order of their values, so that a page costs what it holds.
//!
//! Columns as of `store::SortRow`.
//!
//! Spec: R4 search.html#sort

use crate::fhir::ResourceType;
use crate::search::compile::driver::asks_numbers;
use crate::search::compile::filters::{self, Row};
use crate::search::compile::write::separated;
use crate::search::compile::{CompileContext, DateBounds, Span};
use crate::search::{Beginning, Parameter, ParameterKind, ResolvedSearch, SortBy, SortKey, SortValue, dialect};
use crate::store::Query;

/// Where the reading of a table begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// At its end, in the direction of the walk.
    Edge,
    /// At this value, and all rows that have it.
    At(SortValue),
    /// After the row of this value that belongs to this resource.
    After(SortValue, i64),
}

/// A table that is in the order of a key.
#[derive(Clone, Copy, Debug)]
pub enum Walk<'a> {
    Parameter(&'static Parameter),
    /// The part with the texts that begin so; a resource may have several of them.
    Beginning(&'a Beginning),
    /// Of this type, or of all.
    LastUpdated(Option<ResourceType>),
}

impl<'a> Walk<'a> {
    /// The table for the first key of a search of `resource_type`; `None` when there is none.
    pub fn of(key: &'a SortKey, resource_type: Option<ResourceType>) -> Option<Walk<'a>> {
        match &key.by {
            SortBy::LastUpdated => Some(Walk::LastUpdated(resource_type)),
            SortBy::Index(parameters) => match parameters.as_slice() {
                [only] if only.kind != ParameterKind::Reference => Some(Walk::Parameter(only)),
                _ => None,
            },
            SortBy::Beginning(beginning) => Some(Walk::Beginning(beginning)),
            SortBy::Id | SortBy::Linked(_) => None,
        }
    }

    /// The parameter whose values it reads.
    pub fn parameter(self) -> Option<&'static Parameter> {
        match self {
            Walk::Parameter(parameter) => Some(parameter),
            Walk::Beginning(beginning) => Some(beginning.by),
            Walk::LastUpdated(_) => None,
        }
    }

    /// Whether all its rows belong to resources of this type.
    pub fn is_only_of(self, resource_type: Option<ResourceType>) -> bool {
        let Some(only) = resource_type else { return false };
        match self {
            Walk::LastUpdated(of) => of == Some(only),
            // Parameters of `Resource` share one number.
            _ => self.parameter().is_some_and(|parameter| *parameter.definition.base == *only.name()),
        }
    }
}

/// The next `limit` rows. `is_highest` reads the highest value of each resource instead of the lowest, `is_descending`
/// from high to low. Of tokens: see [`token_texts`].
pub fn entries(walk: Walk<'_>, is_highest: bool, is_descending: bool, start: &Start, limit: usize) -> Query {
    let mut query = Query::new();
    let order = rows_from(walk, is_highest, is_descending, start, &mut query);
    in_order(&order, is_descending, limit, &mut query);
    query
}

/// The first `limit` of those of the next `reach` rows that belong to matches, in the order of dates or of whatever else has a table
/// of the type that is searched. `bounds` has what is asked of the rows themselves, when no resource is aside; no resource has
/// several rows. `None` where one statement can't tell.
pub fn matching_entries(
    request: &ResolvedSearch<'_>,
    context: &CompileContext<'_>,
    (walk, is_descending): (Walk<'_>, bool),
    bounds: Option<&DateBounds>,
    reach: usize,
    limit: usize,
) -> Option<Query> {
    if !asks_numbers(request, 0) || !walk.is_only_of(request.resource_type) {
        return None;
    }
    let mut query = Query::new();
    query.sql("SELECT d.* FROM (");
    let order = reached(walk, is_descending, bounds, reach, &mut query);
    query.sql(") AS d WHERE d.rid > 0");
    if let Some(bounds) = bounds {
        bounds.write(&mut query)?;
    }
    let row = Row::searched(request).number_alone(true).asked_alone(true);
    for (place, demand) in request.demands.iter().enumerate() {
        if bounds.is_none_or(|bounds| !bounds.places.contains(&place)) {
            filters::condition(row, &demand.condition, true, context, &mut query);
        }
    }
    if let Some(access) = &request.access {
        filters::condition(row, access, true, context, &mut query);
    }
    if !dialect::keeps_order_of_subqueries(context.dialect) {
        query.sql(" ORDER BY ");
        separated(&mut query, &order, ", ", |query, column| {
            query.sql("d.").sql(column.split_once('.').map_or(column, |(_, name)| name));
            query.sql(if is_descending { " DESC" } else { "" });
        });
    }
    query.sql(" LIMIT ").integer(limit as i64);
    Some(query)
}

/// The number of the rows that [`matching_entries`] looks at, `reach` at most. One column, one row.
pub fn entries_within(walk: Walk<'_>, is_descending: bool, bounds: Option<&DateBounds>, reach: usize) -> Query {
    let mut query = Query::new();
    query.sql("SELECT COUNT(*) FROM (");
    reached(walk, is_descending, bounds, reach, &mut query);
    query.sql(") AS d");
    query
}

/// Writes the rows, and returns the columns that they are in the order of.
fn reached(
    walk: Walk<'_>,
    is_descending: bool,
    bounds: Option<&DateBounds>,
    reach: usize,
    query: &mut Query,
) -> Vec<&'static str> {
    let order = match (walk, bounds) {
        (Walk::Parameter(parameter), Some(DateBounds { span: Span { from, to }, .. })) => {
            // Each row is the only one of its resource. So none need be told from others by its edge, which no index has.
            query.sql(DATES).integer(i64::from(parameter.id()));
            query.sql(" AND i.lo_us >= ").integer(*from).sql(" AND i.lo_us < ").integer(*to);
            vec!["i.lo_us", "i.hi_us", "i.rid"]
        }
        _ => rows_from(walk, is_descending, is_descending, &Start::Edge, query),
    };
    in_order(&order, is_descending, reach, query);
    order
}

/// Writes what [`entries`] selects, from `start` on; returns the columns that the rows are to be in the order of.
fn rows_from(
    walk: Walk<'_>,
    is_highest: bool,
    is_descending: bool,
    start: &Start,
    query: &mut Query,
) -> Vec<&'static str> {
    let (order, columns) = match walk {
        Walk::LastUpdated(resource_type) => last_updated(resource_type, query),
        Walk::Beginning(Beginning { by, from, to, .. }) => {
            query.sql(STRINGS).integer(i64::from(by.id())).sql(" AND i.rid > 0");
            // Where the walk has come to is a nearer bound, and two bounds on one side would hide it from the database.
            let is_under_way = matches!(start, Start::After(..));
            if is_descending || !is_under_way {
                query.sql(" AND i.folded >= ").text(&**from);
            }
            if !is_descending || !is_under_way {
                query.sql(" AND i.folded < ").text(&**to);
            }
            (["i.folded", "i.exact", "", "i.rid"], 2)
        }
        Walk::Parameter(parameter) => {
            let (table, order, columns) = match parameter.kind {
                ParameterKind::String => (STRINGS, ["i.folded", "i.exact", ""], 2),
                ParameterKind::Date => (DATES, ["i.lo_us", "i.hi_us", ""], 2),
                ParameterKind::Number | ParameterKind::Quantity => (QUANTITIES, ["i.value", "i.code", "i.system"], 3),
                _ => (URIS, ["i.value", "", ""], 1),
            };
            query.sql(table).integer(i64::from(parameter.id()));
            match parameter.kind {
                // Their marks tell the sides of Ranges, too.
                ParameterKind::Number | ParameterKind::Quantity if is_highest => {
                    query.sql(" AND i.edge IN (0, 2, 4, 6, 8, 10)");
                }
                ParameterKind::Number | ParameterKind::Quantity => {
                    query.sql(" AND i.edge IN (0, 1, 4, 5, 8, 9)");
                }
                _ => edge(is_highest, query),
            }
            ([order[0], order[1], order[2], "i.rid"], columns)
        }
    };
    let order: Vec<&'static str> = order[..columns].iter().chain(&order[3..]).copied().collect();
    let above = if is_descending { " < " } else { " > " };
    match start {
        Start::Edge => {}
        Start::At(value) => {
            let above = if is_descending { " <= " } else { " >= " };
            match value {
                SortValue::Span(first, end) => {
                    query.sql(" AND (i.lo_us, i.hi_us)").sql(above);
                    query.sql("(").integer(*first).sql(", ").integer(*end).sql(")");
                }
                _ => {
                    query.sql(" AND ").sql(order[0]).sql(above);
                    first(value, query);
                }
            }
        }
        Start::After(value, rid) => {
            query.sql(" AND (");
            columns_of(&order, "", query);
            query.sql(")").sql(above).sql("(");
            first(value, query);
            match value {
                SortValue::Text(_, writing) if columns == 2 => query.sql(", ").integer(writing[0]),
                SortValue::Span(_, end) => query.sql(", ").integer(*end),
                SortValue::Number(_, writing) => query.sql(", ").integer(writing[0]).sql(", ").integer(writing[1]),
                SortValue::Text(..) | SortValue::Instant(_) => query,
            };
            query.sql(", ").integer(*rid).sql(")");
        }
    }
    order
}

fn in_order(order: &[&'static str], is_descending: bool, limit: usize, query: &mut Query) {
    query.sql(" ORDER BY ");
    columns_of(order, if is_descending { " DESC" } else { "" }, query);
    query.sql(" LIMIT ").integer(i64::try_from(limit).unwrap_or(i64::MAX));
}

const STRINGS: &str = "SELECT i.folded, i.exact, CAST(0 AS BIGINT), CAST(0 AS DOUBLE PRECISION), i.rid \
     FROM index_string i WHERE i.param = ";
const DATES: &str = "SELECT CAST('' AS TEXT), i.lo_us, i.hi_us, CAST(0 AS DOUBLE PRECISION), i.rid \
     FROM index_date i WHERE i.param = ";
const QUANTITIES: &str = "SELECT CAST('' AS TEXT), i.code, i.system, i.value, i.rid \
     FROM index_quantity i WHERE i.param = ";
const URIS: &str = "SELECT i.value, CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS DOUBLE PRECISION), i.rid \
     FROM index_uri i WHERE i.param = ";
const INSTANTS_OF_TYPE: &str = "SELECT CAST('' AS TEXT), r.updated_us, CAST(0 AS BIGINT), \
     CAST(0 AS DOUBLE PRECISION), r.rid FROM resource r WHERE r.method <> 2 AND r.rtype = ";
/// Instants of all types stand in order in the change log only.
const INSTANTS: &str = "SELECT CAST('' AS TEXT), c.updated_us, CAST(0 AS BIGINT), \
     CAST(0 AS DOUBLE PRECISION), c.rid FROM change c CROSS JOIN resource r \
     WHERE r.rid = c.rid AND r.version = c.version AND r.method <> 2";

fn last_updated(resource_type: Option<ResourceType>, query: &mut Query) -> ([&'static str; 4], usize) {
    match resource_type {
        Some(only) => {
            query.sql(INSTANTS_OF_TYPE).integer(i64::from(only.code()));
            (["r.updated_us", "", "", "r.rid"], 1)
        }
        None => {
            query.sql(INSTANTS);
            (["c.updated_us", "", "", "c.rid"], 1)
        }
    }
}

/// The row that a resource is sorted by, see `store::Edge`. Not for quantities.
fn edge(is_highest: bool, query: &mut Query) {
    query.sql(if is_highest { " AND i.edge IN (0, 2)" } else { " AND i.edge IN (0, 1)" });
}

fn first(value: &SortValue, query: &mut Query) {
    match value {
        SortValue::Text(text, _) => query.text(&**text),
        SortValue::Span(first, _) | SortValue::Instant(first) => query.integer(*first),
        SortValue::Number(number, _) => query.real(*number),
    };
}

/// The columns between commas, with `after` behind each.
fn columns_of(columns: &[&'static str], after: &'static str, query: &mut Query) {
    separated(query, columns, ", ", |query, column| {
        query.sql(column).sql(after);
    });
}

/// The next `limit` texts of the tokens of a parameter, with their hashes: `after` one of them, or from the text `at` on.
pub fn token_texts(
    parameter: &Parameter,
    is_descending: bool,
    at: Option<&str>,
    after: Option<(&str, i64)>,
    limit: usize,
) -> Query {
    let mut query = Query::new();
    query.sql("SELECT x.text, x.code FROM token_text x WHERE x.param = ").integer(i64::from(parameter.id()));
    if let Some(at) = at {
        query.sql(if is_descending { " AND x.text <= " } else { " AND x.text >= " }).text(at);
    }
    if let Some((text, code)) = after {
        query.sql(if is_descending { " AND (x.text, x.code) < (" } else { " AND (x.text, x.code) > (" });
        query.text(text).sql(", ").integer(code).sql(")");
    }
    query.sql(if is_descending {
        " ORDER BY x.text DESC, x.code DESC LIMIT "
    } else {
        " ORDER BY x.text, x.code LIMIT "
    });
    query.integer(limit as i64);
    query
}

/// For each of `codes` the first `limit` rows of the token, `after` a system and a resource if it goes with the code.
/// `low` is the code and `high` the system; the text is empty.
pub fn token_entries(
    parameter: &Parameter,
    is_highest: bool,
    is_descending: bool,
    codes: &[(i64, Option<(i64, i64)>)],
    limit: usize,
) -> Query {
    let mut query = Query::new();
    for (place, (code, after)) in codes.iter().enumerate() {
        query.sql(if place == 0 { "" } else { " UNION ALL " });
        query.sql("SELECT * FROM (SELECT CAST('' AS TEXT), i.code, i.system, CAST(0 AS DOUBLE PRECISION), i.rid");
        query.sql(" FROM index_token i WHERE i.param = ").integer(i64::from(parameter.id()));
        query.sql(" AND i.code = ").integer(*code);
        edge(is_highest, &mut query);
        if let Some((system, rid)) = after {
            query.sql(if is_descending { " AND (i.system, i.rid) < (" } else { " AND (i.system, i.rid) > (" });
            query.integer(*system).sql(", ").integer(*rid).sql(")");
        }
        query.sql(if is_descending { " ORDER BY i.system DESC, i.rid DESC" } else { " ORDER BY i.system, i.rid" });
        query.sql(" LIMIT ").integer(limit as i64).sql(") AS t");
    }
    query
}
