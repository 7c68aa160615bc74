//! One condition of the statement for each criterion.

use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::search::compile::CompileContext;
use crate::search::compile::boxes::{DateBox, ValueRange, date_boxes, value_ranges};
use crate::search::fold::{end_of_prefix, fold, fold_code};
use crate::search::{
    Criterion, DateValue, Modifier, Parameter, ParameterKind, QuantityValue, ReferenceValue, SearchRequest, Subject,
    TokenValue, Values,
};
use crate::store::Query;

/// Up to so many alternatives are written as `OR`; more become a table of values, which has no limit of depth.
const MAX_OR: usize = 8;

/// How many keys `_id` may stand for in a search over several types before ids are compared alone.
const MAX_KEYS: usize = 2_000;

/// The types that are searched.
pub(super) fn scope(request: &SearchRequest, query: &mut Query) {
    match (request.resource_type.as_ref(), request.types.as_slice()) {
        (Some(only), _) | (None, [only]) => {
            query.sql(" AND r.rtype = ").integer(i64::from(only.code()));
        }
        (None, []) => {}
        (None, types) => {
            query.sql(" AND r.rtype IN (");
            list(query, types, |query, resource_type| {
                query.integer(i64::from(resource_type.code()));
            });
            query.sql(")");
        }
    }
}

/// The compartments that bound the search.
pub(super) fn compartments(request: &SearchRequest, context: &CompileContext<'_>, query: &mut Query) {
    for patients in &request.compartments {
        if patients.is_empty() {
            query.sql(" AND 1 = 0");
            continue;
        }
        query.sql(" AND r.rid IN (SELECT c.rid FROM compartment c WHERE c.patient");
        one_of(query, patients, |query, patient| {
            query.integer(context.hasher.key(patient));
        });
        if let Some(resource_type) = request.resource_type {
            query.sql(" AND c.rtype = ").integer(i64::from(resource_type.code()));
        }
        query.sql(")");
    }
}

/// The condition that `criterion` stands for.
pub(super) fn criterion(
    request: &SearchRequest,
    criterion: &Criterion,
    context: &CompileContext<'_>,
    query: &mut Query,
) {
    let is_not = criterion.modifier == Some(Modifier::Not);
    let parameter = match criterion.subject {
        Subject::Id => return ids(request, &criterion.values, is_not, context, query),
        Subject::LastUpdated => return last_updated(&criterion.values, context, query),
        Subject::Index(parameter) => parameter,
    };
    let is_absent = criterion.values == Values::Missing(true);
    let (open, close) = match is_not || is_absent {
        true => context.dialect.leave_out(),
        false => (" AND r.rid IN (SELECT i.rid", ")"),
    };
    query.sql(open);
    match &criterion.values {
        Values::Missing(_) => {
            from(query, parameter);
        }
        Values::Ids(_) => {}
        Values::Tokens(tokens) => tokens_among(query, parameter, tokens, context),
        Values::Strings(texts) => match criterion.modifier {
            Some(Modifier::Exact) => strings_exact(query, parameter, texts, context),
            Some(Modifier::Contains) => strings_containing(query, parameter, texts, context),
            _ => {
                let prefixes: Vec<String> = texts.iter().map(|text| fold(text)).collect();
                beginning_with(query, parameter, &prefixes, "i.folded >= ", "i.folded < ");
            }
        },
        Values::References(targets) => references(query, parameter, targets, context),
        Values::Dates(dates) => dates_among(query, parameter, dates, context),
        Values::Quantities(quantities) => quantities_among(query, parameter, quantities, context),
        Values::Uris(uris) => match criterion.modifier {
            Some(Modifier::Below) => beginning_with(query, parameter, uris, "i.value >= ", "i.value < "),
            Some(Modifier::Above) => {
                let above: Vec<&str> = uris.iter().flat_map(|uri| levels_of(uri)).collect();
                uris_among(query, parameter, &above);
            }
            _ => uris_among(query, parameter, uris),
        },
    }
    query.sql(close);
}

/// ` FROM .. i WHERE i.param = ..`: the rows of `parameter`.
fn from(query: &mut Query, parameter: &Parameter) {
    query.sql(match parameter.kind {
        ParameterKind::Token | ParameterKind::Composite | ParameterKind::Special => " FROM index_token i",
        ParameterKind::String => " FROM index_string i",
        ParameterKind::Reference => " FROM index_reference i",
        ParameterKind::Date => " FROM index_date i",
        ParameterKind::Number | ParameterKind::Quantity => " FROM index_quantity i",
        ParameterKind::Uri => " FROM index_uri i",
    });
    rows_of(query, parameter);
}

/// As [`from`], with a table `v` of the `rows` in front: the loop over `v` is the outer one.
fn from_values<T>(query: &mut Query, parameter: &Parameter, rows: &[T], row: impl Fn(&mut Query, &T)) {
    query.sql(" FROM (VALUES (");
    separated(query, rows, "), (", row);
    query.sql(match parameter.kind {
        ParameterKind::Date => ")) AS v CROSS JOIN index_date i",
        ParameterKind::Number | ParameterKind::Quantity => ")) AS v CROSS JOIN index_quantity i",
        ParameterKind::Uri => ")) AS v CROSS JOIN index_uri i",
        _ => ")) AS v CROSS JOIN index_string i",
    });
    rows_of(query, parameter);
}

fn rows_of(query: &mut Query, parameter: &Parameter) {
    query.sql(" WHERE i.param = ").integer(i64::from(parameter.id()));
}

/// `_id`: the key is unique and serves the search, the id tells that the hash did not deceive.
fn ids(request: &SearchRequest, values: &Values, is_not: bool, context: &CompileContext<'_>, query: &mut Query) {
    let ids: Vec<Id> = match values {
        Values::Ids(ids) => ids.iter().filter_map(|id| Id::parse(id).ok()).collect(),
        // Every resource has an id.
        Values::Missing(false) => return,
        _ => Vec::new(),
    };
    if ids.is_empty() {
        if !is_not {
            query.sql(" AND 1 = 0");
        }
        return;
    }
    if is_not {
        query.sql(" AND r.id NOT IN (");
        list(query, &ids, |query, id| {
            query.text(id.as_str());
        });
        query.sql(")");
        return;
    }
    let types: Vec<ResourceType> = match (request.resource_type, request.types.as_slice()) {
        (Some(only), _) => vec![only],
        (None, []) => ResourceType::all().collect(),
        (None, types) => types.to_vec(),
    };
    if types.len() * ids.len() <= MAX_KEYS {
        let key = |resource_type: &ResourceType, id: &Id| ResourceKey { resource_type: *resource_type, id: id.clone() };
        let keys: Vec<i64> =
            ids.iter().flat_map(|id| types.iter().map(move |of| context.hasher.key(&key(of, id)))).collect();
        query.sql(" AND r.key");
        one_of(query, &keys, |query, key| {
            query.integer(*key);
        });
    }
    query.sql(" AND r.id");
    one_of(query, &ids, |query, id| {
        query.text(id.as_str());
    });
}

/// `_lastUpdated`: an instant of milliseconds is a span of one millisecond.
fn last_updated(values: &Values, context: &CompileContext<'_>, query: &mut Query) {
    let dates = match values {
        Values::Dates(dates) => dates,
        Values::Missing(false) => return,
        _ => {
            query.sql(" AND 1 = 0");
            return;
        }
    };
    const WIDTH_US: i64 = 1_000;
    let spans: Vec<(i64, i64)> = boxes_of(dates, context)
        .iter()
        .map(|bounds| {
            let from = bounds.lo_from.max(bounds.hi_from.saturating_sub(WIDTH_US - 1));
            let to = match bounds.hi_to {
                i64::MAX => bounds.lo_to,
                hi_to => bounds.lo_to.min(hi_to.saturating_sub(WIDTH_US - 1)),
            };
            (from, to)
        })
        .collect();
    if spans.len() <= MAX_OR {
        query.sql(" AND (");
        separated(query, &spans, " OR ", |query, (from, to)| {
            query.sql("r.updated_us >= ").integer(*from).sql(" AND r.updated_us < ").integer(*to);
        });
        query.sql(")");
    } else {
        query.sql(" AND EXISTS (SELECT 1 FROM (VALUES (");
        separated(query, &spans, "), (", |query, (from, to)| {
            query.integer(*from).sql(", ").integer(*to);
        });
        query.sql(")) AS v WHERE r.updated_us >= v.column1 AND r.updated_us < v.column2)");
    }
}

fn tokens_among(query: &mut Query, parameter: &Parameter, tokens: &[TokenValue], context: &CompileContext<'_>) {
    let hash_code = |code: &String| context.hasher.text(&fold_code(code));
    let hash_system = |system: &String| if system.is_empty() { 0 } else { context.hasher.text(system) };
    let mut codes = Vec::new();
    let mut pairs = Vec::new();
    let mut systems = Vec::new();
    for token in tokens {
        match (&token.system, &token.code) {
            (None, Some(code)) => codes.push(hash_code(code)),
            (Some(system), Some(code)) => pairs.push((hash_code(code), hash_system(system))),
            (Some(system), None) => systems.push(hash_system(system)),
            (None, None) => {}
        }
    }
    from(query, parameter);
    query.sql(" AND (");
    let mut or = Or::default();
    if !codes.is_empty() {
        query.sql(or.next()).sql("i.code");
        one_of(query, &codes, |query, code| {
            query.integer(*code);
        });
    }
    if !pairs.is_empty() {
        query.sql(or.next());
        pairs_among(
            query,
            &pairs,
            "i.code = ",
            " AND i.system = ",
            "(i.code, i.system) IN (VALUES (",
            |query, code| {
                query.integer(*code);
            },
        );
    }
    if !systems.is_empty() {
        query.sql(or.next()).sql("i.system");
        one_of(query, &systems, |query, system| {
            query.integer(*system);
        });
    }
    query.sql(")");
}

fn strings_exact(query: &mut Query, parameter: &Parameter, texts: &[String], context: &CompileContext<'_>) {
    let pairs: Vec<(String, i64)> = texts.iter().map(|text| (fold(text), context.hasher.text(text))).collect();
    from(query, parameter);
    query.sql(" AND ");
    pairs_among(query, &pairs, "i.folded = ", " AND i.exact = ", "(i.folded, i.exact) IN (VALUES (", |query, text| {
        query.text(&**text);
    });
}

/// No index can serve this: the rows of the parameter are read.
fn strings_containing(query: &mut Query, parameter: &Parameter, texts: &[String], context: &CompileContext<'_>) {
    let position_of = context.dialect.position_of();
    match texts {
        [only] => {
            from(query, parameter);
            query.sql(" AND ").sql(position_of).sql("i.folded, ").text(fold(only)).sql(") > 0");
        }
        _ => {
            from_values(query, parameter, texts, |query, text| {
                query.text(fold(text));
            });
            query.sql(" AND ").sql(position_of).sql("i.folded, v.column1) > 0");
        }
    }
}

/// A text that begins with a prefix lies between it and the end of all that begin so.
fn beginning_with(
    query: &mut Query,
    parameter: &Parameter,
    prefixes: &[impl AsRef<str>],
    from_here: &'static str,
    to_here: &'static str,
) {
    // Only prefixes of the very last code point have no end; this is above all other text.
    let end = |prefix: &str| end_of_prefix(prefix).unwrap_or_else(|| "\u{10FFFF}".repeat(4));
    match prefixes {
        [only] => {
            let only = only.as_ref();
            from(query, parameter);
            query.sql(" AND ").sql(from_here).text(only).sql(" AND ").sql(to_here).text(end(only));
        }
        _ => {
            from_values(query, parameter, prefixes, |query, prefix| {
                query.text(prefix.as_ref()).sql(", ").text(end(prefix.as_ref()));
            });
            query.sql(" AND ").sql(from_here).sql("v.column1 AND ").sql(to_here).sql("v.column2");
        }
    }
}

fn references(query: &mut Query, parameter: &Parameter, targets: &[ReferenceValue], context: &CompileContext<'_>) {
    let mut hashes = Vec::with_capacity(targets.len());
    for target in targets {
        match target {
            ReferenceValue::Local(key) => hashes.push(context.hasher.key(key)),
            ReferenceValue::Id(id, types) => {
                hashes.extend(types.iter().map(|of| context.hasher.text(&format!("{of}/{id}"))));
            }
            ReferenceValue::Url(url) => hashes.push(context.hasher.text(url)),
        }
    }
    from(query, parameter);
    query.sql(" AND i.target");
    one_of(query, &hashes, |query, hash| {
        query.integer(*hash);
    });
}

fn uris_among(query: &mut Query, parameter: &Parameter, uris: &[impl AsRef<str>]) {
    from(query, parameter);
    query.sql(" AND i.value");
    one_of(query, uris, |query, uri| {
        query.text(uri.as_ref());
    });
}

/// The URL itself and all that end at one of its slashes, as `:above` asks; a URN has no levels.
fn levels_of(url: &str) -> Vec<&str> {
    let mut levels = vec![url];
    if let Some(authority) = url.find("://").map(|at| at + 3) {
        for (at, _) in url[authority..].match_indices('/').take(64) {
            let slash = authority + at;
            levels.extend([&url[..slash], &url[..=slash]]);
        }
    }
    levels.dedup();
    levels
}

fn boxes_of(dates: &[DateValue], context: &CompileContext<'_>) -> Vec<DateBox> {
    let mut boxes = Vec::with_capacity(dates.len());
    for date in dates {
        date_boxes(date, context.now_us, context.zone_minutes, &mut boxes);
    }
    boxes
}

fn dates_among(query: &mut Query, parameter: &Parameter, dates: &[DateValue], context: &CompileContext<'_>) {
    let boxes = boxes_of(dates, context);
    if boxes.len() > MAX_OR {
        from_values(query, parameter, &boxes, |query, bounds| {
            query.integer(bounds.lo_from).sql(", ").integer(bounds.lo_to).sql(", ");
            query.integer(bounds.hi_from).sql(", ").integer(bounds.hi_to);
        });
        query.sql(" AND i.lo_us >= v.column1 AND i.lo_us < v.column2 AND i.hi_us > v.column3 AND i.hi_us <= v.column4");
        return;
    }
    from(query, parameter);
    query.sql(" AND (");
    separated(query, &boxes, " OR ", |query, bounds| {
        let mut and = And::default();
        if bounds.lo_from != i64::MIN {
            query.sql(and.next()).sql("i.lo_us >= ").integer(bounds.lo_from);
        }
        if bounds.lo_to != i64::MAX {
            query.sql(and.next()).sql("i.lo_us < ").integer(bounds.lo_to);
        }
        if bounds.hi_from != i64::MIN {
            query.sql(and.next()).sql("i.hi_us > ").integer(bounds.hi_from);
        }
        if bounds.hi_to != i64::MAX {
            query.sql(and.next()).sql("i.hi_us <= ").integer(bounds.hi_to);
        }
    });
    query.sql(")");
}

/// A range of values with the unit they must have; 0 admits any.
struct Amount {
    range: ValueRange,
    code: i64,
    system: i64,
}

fn quantities_among(
    query: &mut Query,
    parameter: &Parameter,
    quantities: &[QuantityValue],
    context: &CompileContext<'_>,
) {
    let hash = |text: &Option<String>| text.as_ref().map_or(0, |text| context.hasher.text(text));
    let amounts: Vec<Amount> = quantities
        .iter()
        .flat_map(|quantity| {
            let (code, system) = (hash(&quantity.code), hash(&quantity.system));
            value_ranges(quantity).into_iter().map(move |range| Amount { range, code, system })
        })
        .collect();
    if amounts.len() > MAX_OR {
        from_values(query, parameter, &amounts, |query, amount| {
            query.real(amount.range.from.unwrap_or(f64::NEG_INFINITY)).sql(", ");
            query.real(amount.range.to.unwrap_or(f64::INFINITY)).sql(", ");
            query.integer(amount.code).sql(", ").integer(amount.system);
        });
        query.sql(" AND i.value >= v.column1 AND i.value < v.column2");
        query.sql(" AND (v.column3 = 0 OR i.code = v.column3) AND (v.column4 = 0 OR i.system = v.column4)");
        return;
    }
    from(query, parameter);
    query.sql(" AND (");
    separated(query, &amounts, " OR ", |query, amount| {
        let mut and = And::default();
        if let Some(from) = amount.range.from {
            query.sql(and.next()).sql("i.value >= ").real(from);
        }
        if let Some(to) = amount.range.to {
            query.sql(and.next()).sql("i.value < ").real(to);
        }
        if amount.code != 0 {
            query.sql(and.next()).sql("i.code = ").integer(amount.code);
        }
        if amount.system != 0 {
            query.sql(and.next()).sql("i.system = ").integer(amount.system);
        }
    });
    query.sql(")");
}

/// Two columns that must agree with one of the pairs.
fn pairs_among<T>(
    query: &mut Query,
    pairs: &[(T, i64)],
    first: &'static str,
    second: &'static str,
    among: &'static str,
    bind: impl Fn(&mut Query, &T),
) {
    match pairs {
        [(left, right)] => {
            query.sql(first);
            bind(query, left);
            query.sql(second).integer(*right);
        }
        _ => {
            query.sql(among);
            separated(query, pairs, "), (", |query, (left, right)| {
                bind(query, left);
                query.sql(", ").integer(*right);
            });
            query.sql("))");
        }
    }
}

/// ` = ..` or ` IN (..)`.
fn one_of<T>(query: &mut Query, values: &[T], bind: impl Fn(&mut Query, &T)) {
    match values {
        [only] => {
            query.sql(" = ");
            bind(query, only);
        }
        _ => {
            query.sql(" IN (");
            list(query, values, bind);
            query.sql(")");
        }
    }
}

fn list<T>(query: &mut Query, values: &[T], bind: impl Fn(&mut Query, &T)) {
    separated(query, values, ", ", bind);
}

fn separated<T>(query: &mut Query, values: &[T], separator: &'static str, write: impl Fn(&mut Query, &T)) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            query.sql(separator);
        }
        write(query, value);
    }
}

/// What stands before the next of several alternatives.
#[derive(Default)]
struct Or(bool);

impl Or {
    fn next(&mut self) -> &'static str {
        if std::mem::replace(&mut self.0, true) { " OR " } else { "" }
    }
}

/// What stands before the next of several demands.
#[derive(Default)]
struct And(bool);

impl And {
    fn next(&mut self) -> &'static str {
        if std::mem::replace(&mut self.0, true) { " AND " } else { "" }
    }
}
