//! The rows of one index table that a criterion admits: what follows `SELECT i.rid`.

use crate::search::compile::boxes::{DateBox, ValueRange, covering, date_boxes, overlapping, value_ranges};
use crate::search::compile::write::{And, Or, one_of, separated};
use crate::search::compile::{CompileContext, coded, composites, hierarchy};
use crate::search::extract::CANONICAL_SYSTEM;
use crate::search::facet::{Facet, type_of_identifier};
use crate::search::fold::{end_of_prefix, fold, fold_code};
use crate::search::{
    Criterion, DateValue, Modifier, Parameter, ParameterKind, Prefix, QuantityValue, ReferenceValue, TokenValue,
    TypedIdentifier, Values, dialect,
};
use crate::store::{Query, Side};

/// Up to so many alternatives are written as `OR`; more become a table of values, which has no limit of depth.
pub(super) const MAX_OR: usize = 8;

/// Up to so many exact keys are looked up for each resource; more are gathered into a set once.
const MAX_PROBES: usize = 8;

/// Writes ` FROM .. i WHERE ..`: the rows of `parameter` that `criterion` admits, whatever its negation.
pub(super) fn write(query: &mut Query, criterion: &Criterion, parameter: &Parameter, context: &CompileContext<'_>) {
    match &criterion.values {
        Values::Missing(_) | Values::Ids(_) | Values::Near(_) | Values::Words(_) => from(query, parameter),
        Values::Tokens(tokens) if criterion.modifier == Some(Modifier::Identifier) => {
            identifiers_among(query, parameter, tokens, context);
        }
        Values::Tokens(tokens) if criterion.modifier == Some(Modifier::Unequal) => {
            tokens_unequal(query, parameter, tokens, context);
        }
        Values::Tokens(tokens) => tokens_among(query, parameter, tokens, context),
        Values::Codes(codes) => coded::among(query, parameter, codes, context),
        // A resolved search has none.
        Values::CodeQueries(_) => {
            from(query, parameter);
            query.sql(" AND 1 = 0");
        }
        Values::TypedIdentifiers(identifiers) => typed_identifiers(query, parameter, identifiers, context),
        Values::Composites(composites) => composites::among(query, parameter, composites, context),
        Values::Strings(texts) => match criterion.modifier {
            Some(Modifier::Text) => tokens_reading(query, parameter, texts),
            Some(Modifier::Exact) => strings_exact(query, parameter, texts, context),
            Some(Modifier::Contains) => {
                let folded: Vec<String> = texts.iter().map(|text| fold(text)).collect();
                containing(query, parameter, &folded, "i.folded", context);
            }
            Some(modifier @ (Modifier::Whole | Modifier::Unequal | Modifier::Ending | Modifier::Initial(_))) => {
                whole_strings(query, parameter, texts, modifier);
            }
            _ => {
                let prefixes: Vec<String> = texts.iter().map(|text| fold(text)).collect();
                beginning_with(query, parameter, &prefixes, "i.folded >= ", "i.folded < ");
            }
        },
        Values::References(targets) => match criterion.modifier {
            Some(direction @ (Modifier::Below | Modifier::Above)) => {
                hierarchy::rows(query, parameter, "i.target", direction, targets, context);
            }
            _ => references(query, parameter, targets, context),
        },
        Values::Dates(dates) => dates_among(query, parameter, &boxes_of(dates, criterion.modifier, context)),
        Values::Quantities(quantities) => quantities_among(query, parameter, quantities, context),
        Values::Uris(uris) => match criterion.modifier {
            Some(Modifier::Below) => beginning_with(query, parameter, uris, "i.value >= ", "i.value < "),
            Some(Modifier::Above) => {
                let above: Vec<&str> = uris.iter().flat_map(|uri| levels_of(uri)).collect();
                uris_among(query, parameter, &above);
            }
            Some(Modifier::Contains) => containing(query, parameter, uris, "i.value", context),
            _ => uris_among(query, parameter, uris),
        },
    }
}

/// As [`write`], where an index leads from one resource to its rows: they are all there is to read.
pub(super) fn write_probe(
    query: &mut Query,
    criterion: &Criterion,
    parameter: &Parameter,
    context: &CompileContext<'_>,
) {
    match (&criterion.values, criterion.modifier) {
        (Values::References(targets), Some(direction @ (Modifier::Below | Modifier::Above))) => {
            // The sign keeps SQLite from looking up each resource of the hierarchy instead.
            hierarchy::rows(query, parameter, "+i.target", direction, targets, context);
        }
        _ => write(query, criterion, parameter, context),
    }
}

/// How many exact keys of the table the criterion names; `None` when it names a range of them.
pub(super) fn exact_keys(criterion: &Criterion, parameter: &Parameter) -> Option<usize> {
    match (&criterion.values, criterion.modifier) {
        (Values::Tokens(_), Some(Modifier::Identifier | Modifier::Unequal)) => None,
        (Values::References(_), Some(Modifier::Below | Modifier::Above)) => None,
        (Values::TypedIdentifiers(identifiers), _) => Some(identifiers.len()),
        (Values::Tokens(tokens), _) => {
            let is_whole = |token: &TokenValue| token.code.is_some() && system_of(token, parameter).is_some();
            tokens.iter().all(is_whole).then_some(tokens.len())
        }
        (Values::References(targets), _) => Some(
            targets
                .iter()
                .map(|target| match target {
                    ReferenceValue::Id(_, types) => types.len(),
                    ReferenceValue::Local(_) | ReferenceValue::Url(_) => 1,
                })
                .sum(),
        ),
        (Values::Strings(texts), Some(Modifier::Exact)) => Some(texts.len()),
        (Values::Uris(uris), None) => Some(uris.len()),
        _ => None,
    }
}

/// Whether an index tells for one resource that it has such a row, without reading the others.
pub(super) fn can_probe(criterion: &Criterion, parameter: &Parameter) -> bool {
    match (parameter.kind, &criterion.values) {
        // `index_date_by_rid`
        (ParameterKind::Date, _) => true,
        (_, Values::Tokens(_)) if criterion.modifier == Some(Modifier::Unequal) => false,
        // `index_reference_by_rid`
        (_, Values::References(_)) if matches!(criterion.modifier, Some(Modifier::Below | Modifier::Above)) => true,
        // The few systems of one code are found first, see `tokens_among`.
        (ParameterKind::Token, Values::Tokens(tokens)) if matches!(tokens.as_slice(), [only] if only.code.is_some()) => {
            true
        }
        _ => exact_keys(criterion, parameter).is_some_and(|keys| keys <= MAX_PROBES),
    }
}

/// The system that a token must have; an empty text is none.
pub(super) fn system_of<'a>(token: &'a TokenValue, parameter: &Parameter) -> Option<&'a str> {
    token.system.as_deref().or(parameter.tokens.system)
}

/// ` FROM .. i WHERE i.param = ..`: the rows of `parameter`.
pub(super) fn from(query: &mut Query, parameter: &Parameter) {
    query.sql(match parameter.kind {
        ParameterKind::Token | ParameterKind::Special => " FROM index_token i",
        ParameterKind::Composite => " FROM index_composite i",
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

/// `:identifier` of references: tokens under a number of their own.
fn identifiers_among(query: &mut Query, parameter: &Parameter, tokens: &[TokenValue], context: &CompileContext<'_>) {
    facet_rows(query, Facet::Identifier, parameter);
    query.sql(" AND (");
    separated(query, tokens, " OR ", |query, token| {
        let mut and = And::default();
        if let Some(code) = &token.code {
            query.sql(and.next()).sql("i.code = ").integer(context.hasher.text(&fold_code(code)));
        }
        if let Some(system) = &token.system {
            query.sql(and.next()).sql("i.system = ").integer(hash_system(system, context));
        }
    });
    query.sql(")");
}

/// `:of-type` of identifiers.
fn typed_identifiers(
    query: &mut Query,
    parameter: &Parameter,
    identifiers: &[TypedIdentifier],
    context: &CompileContext<'_>,
) {
    facet_rows(query, Facet::OfType, parameter);
    query.sql(" AND (");
    separated(query, identifiers, " OR ", |query, identifier| {
        let kind = type_of_identifier(&identifier.system, &fold_code(&identifier.code));
        query.sql("i.code = ").integer(context.hasher.text(&fold_code(&identifier.value)));
        query.sql(" AND i.system = ").integer(context.hasher.text(&kind));
    });
    query.sql(")");
}

/// `:text` of tokens: which texts begin so is looked up where each stands once.
fn tokens_reading(query: &mut Query, parameter: &Parameter, texts: &[String]) {
    facet_rows(query, Facet::Text, parameter);
    let param = i64::from(Facet::Text.of(parameter.id()));
    query.sql(" AND i.code IN (");
    separated(query, texts, " UNION ", |query, text| {
        let (from, to) = range_of_prefix(&fold(text));
        query.sql("SELECT x.code FROM token_text x WHERE x.param = ").integer(param);
        query.sql(" AND x.text >= ").text(from).sql(" AND x.text < ").text(to);
    });
    query.sql(")");
}

fn facet_rows(query: &mut Query, facet: Facet, parameter: &Parameter) {
    query.sql(" FROM index_token i WHERE i.param = ").integer(i64::from(facet.of(parameter.id())));
}

/// No system is 0.
pub(super) fn hash_system(system: &str, context: &CompileContext<'_>) -> i64 {
    if system.is_empty() { 0 } else { context.hasher.text(system) }
}

/// The texts that begin with `prefix`: from the first one to what is above all of them.
pub(super) fn range_of_prefix(prefix: &str) -> (String, String) {
    // Only prefixes of the very last code point have no end; this is above all other text.
    let end = end_of_prefix(prefix).unwrap_or_else(|| "\u{10FFFF}".repeat(4));
    (prefix.to_owned(), end)
}

fn tokens_among(query: &mut Query, parameter: &Parameter, tokens: &[TokenValue], context: &CompileContext<'_>) {
    let (mut bare, mut whole, mut systems) = (Vec::new(), Vec::new(), Vec::new());
    for token in tokens {
        let code = token.code.as_ref().map(|code| context.hasher.text(&fold_code(code)));
        match (system_of(token, parameter), code) {
            (None, Some(code)) => bare.push(code),
            (Some(system), Some(code)) => whole.push((code, hash_system(system, context))),
            (Some(system), None) => systems.push(hash_system(system, context)),
            (None, None) => {}
        }
    }
    from(query, parameter);
    query.sql(" AND (");
    let mut or = Or::default();
    match bare.as_slice() {
        [] => {}
        [only] if tokens.len() == 1 && dialect::needs_whole_keys(context.dialect) => {
            systems_of(query, parameter, *only)
        }
        _ => {
            query.sql(or.next()).sql("i.code");
            one_of(query, &bare, |query, code| {
                query.integer(*code);
            });
        }
    }
    if let Some((_, system)) = whole.first() {
        query.sql(or.next()).sql("i.code");
        one_of(query, &whole, |query, (code, _)| {
            query.integer(*code);
        });
        if whole.iter().all(|(_, other)| other == system) {
            query.sql(" AND i.system = ").integer(*system);
        } else {
            // The list of codes alone is what SQLite looks up; the pairs then sort out the strangers.
            query.sql(" AND (i.code, i.system) IN (VALUES (");
            separated(query, &whole, "), (", |query, (code, system)| {
                query.integer(*code).sql(", ").integer(*system);
            });
            query.sql("))");
        }
    }
    if !systems.is_empty() {
        query.sql(or.next()).sql("i.system");
        one_of(query, &systems, |query, system| {
            query.integer(*system);
        });
    }
    query.sql(")");
}

/// All tokens but these; each resource that has another is among them.
fn tokens_unequal(query: &mut Query, parameter: &Parameter, tokens: &[TokenValue], context: &CompileContext<'_>) {
    from(query, parameter);
    for token in tokens {
        let mut or = Or::default();
        query.sql(" AND (");
        if let Some(code) = &token.code {
            query.sql(or.next()).sql("i.code <> ").integer(context.hasher.text(&fold_code(code)));
        }
        if let Some(system) = system_of(token, parameter) {
            query.sql(or.next()).sql("i.system <> ").integer(hash_system(system, context));
        }
        query.sql(")");
    }
}

/// One code in any system. Which systems it has is found by stepping from one to the next, a look-up each, so that
/// the whole key is known and a single resource can be looked up by it.
fn systems_of(query: &mut Query, parameter: &Parameter, code: i64) {
    let param = i64::from(parameter.id());
    query.sql("i.code = ").integer(code).sql(" AND i.system IN (WITH RECURSIVE s(system) AS (");
    query.sql("SELECT MIN(t.system) FROM index_token t WHERE t.param = ").integer(param);
    query.sql(" AND t.code = ").integer(code);
    query.sql(" UNION ALL SELECT (SELECT MIN(t.system) FROM index_token t WHERE t.param = ").integer(param);
    query.sql(" AND t.code = ").integer(code);
    query.sql(" AND t.system > s.system) FROM s WHERE s.system IS NOT NULL) ");
    query.sql("SELECT s.system FROM s WHERE s.system IS NOT NULL)");
}

fn strings_exact(query: &mut Query, parameter: &Parameter, texts: &[String], context: &CompileContext<'_>) {
    let pairs: Vec<(String, i64)> = texts.iter().map(|text| (fold(text), context.hasher.text(text))).collect();
    from(query, parameter);
    query.sql(" AND i.folded");
    one_of(query, &pairs, |query, (folded, _)| {
        query.text(&**folded);
    });
    if let [(_, exact)] = pairs.as_slice() {
        query.sql(" AND i.exact = ").integer(*exact);
    } else {
        query.sql(" AND (i.folded, i.exact) IN (VALUES (");
        separated(query, &pairs, "), (", |query, (folded, exact)| {
            query.text(&**folded).sql(", ").integer(*exact);
        });
        query.sql("))");
    }
}

/// Comparisons with whole values. The words of a family name, which are rows by themselves, have no exact hash.
fn whole_strings(query: &mut Query, parameter: &Parameter, texts: &[String], modifier: Modifier) {
    from(query, parameter);
    query.sql(" AND i.exact <> 0 AND (");
    separated(query, texts, " OR ", |query, text| {
        let text = fold(text);
        let (first, end) =
            range_of_prefix(text.get(..text.chars().next().map_or(0, char::len_utf8)).unwrap_or_default());
        match modifier {
            Modifier::Unequal => query.sql("i.folded <> ").text(text),
            // No index can serve this: the rows of the parameter are read. Nothing folded has a sign that LIKE knows.
            Modifier::Ending => query.sql("i.folded LIKE ").text(format!("%{text}")),
            Modifier::Initial(Prefix::Gt) => query.sql("i.folded >= ").text(end),
            Modifier::Initial(Prefix::Ge) => query.sql("i.folded >= ").text(first),
            Modifier::Initial(Prefix::Lt) => query.sql("i.folded < ").text(first).sql(" AND i.folded <> ''"),
            Modifier::Initial(Prefix::Le) => query.sql("i.folded < ").text(end).sql(" AND i.folded <> ''"),
            _ => query.sql("i.folded = ").text(text),
        };
    });
    query.sql(")");
}

/// Texts within those of the column. No index can serve this: the rows of the parameter are read.
fn containing(
    query: &mut Query,
    parameter: &Parameter,
    texts: &[String],
    column: &'static str,
    context: &CompileContext<'_>,
) {
    let position_of = dialect::position_of(context.dialect);
    match texts {
        [only] => {
            from(query, parameter);
            query.sql(" AND ").sql(position_of).sql(column).sql(", ").text(&**only).sql(") > 0");
        }
        _ => {
            from_values(query, parameter, texts, |query, text| {
                query.text(&**text);
            });
            query.sql(" AND ").sql(position_of).sql(column).sql(", v.column1) > 0");
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
    match prefixes {
        [only] => {
            let (first, end) = range_of_prefix(only.as_ref());
            from(query, parameter);
            query.sql(" AND ").sql(from_here).text(first).sql(" AND ").sql(to_here).text(end);
        }
        _ => {
            from_values(query, parameter, prefixes, |query, prefix| {
                let (first, end) = range_of_prefix(prefix.as_ref());
                query.text(first).sql(", ").text(end);
            });
            query.sql(" AND ").sql(from_here).sql("v.column1 AND ").sql(to_here).sql("v.column2");
        }
    }
}

fn references(query: &mut Query, parameter: &Parameter, targets: &[ReferenceValue], context: &CompileContext<'_>) {
    let hashes = hashes_of(targets, context);
    from(query, parameter);
    query.sql(" AND i.target");
    one_of(query, &hashes, |query, hash| {
        query.integer(*hash);
    });
}

/// Under what the index keeps the targets.
pub(super) fn hashes_of(targets: &[ReferenceValue], context: &CompileContext<'_>) -> Vec<i64> {
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
    hashes
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

/// Where the rows of these dates lie, compared by their prefixes unless `modifier` says how.
pub(super) fn boxes_of(dates: &[DateValue], modifier: Option<Modifier>, context: &CompileContext<'_>) -> Vec<DateBox> {
    let mut boxes = Vec::with_capacity(dates.len());
    for date in dates {
        match modifier {
            Some(Modifier::Covering) => boxes.push(covering(date, context.zone_minutes)),
            Some(Modifier::Overlapping) => boxes.push(overlapping(date, context.zone_minutes)),
            _ => date_boxes(date, context.now_us, context.zone_minutes, &mut boxes),
        }
    }
    boxes
}

fn dates_among(query: &mut Query, parameter: &Parameter, boxes: &[DateBox]) {
    if boxes.len() > MAX_OR {
        from_values(query, parameter, boxes, |query, bounds| {
            query.integer(bounds.lo_from).sql(", ").integer(bounds.lo_to).sql(", ");
            query.integer(bounds.hi_from).sql(", ").integer(bounds.hi_to);
        });
        query.sql(" AND i.lo_us >= v.column1 AND i.lo_us < v.column2 AND i.hi_us > v.column3 AND i.hi_us <= v.column4");
        return;
    }
    from(query, parameter);
    query.sql(" AND ");
    in_boxes(query, boxes, "i.lo_us", "i.hi_us");
}

/// Writes that a row with these columns lies in one of the boxes; `boxes` are no more than [`MAX_OR`].
pub(super) fn in_boxes(query: &mut Query, boxes: &[DateBox], lo: &'static str, hi: &'static str) {
    query.sql("(");
    separated(query, boxes, " OR ", |query, bounds| {
        let mut and = And::default();
        if bounds.lo_from != i64::MIN {
            query.sql(and.next()).sql(lo).sql(" >= ").integer(bounds.lo_from);
        }
        if bounds.lo_to != i64::MAX {
            query.sql(and.next()).sql(lo).sql(" < ").integer(bounds.lo_to);
        }
        if bounds.hi_from != i64::MIN {
            query.sql(and.next()).sql(hi).sql(" > ").integer(bounds.hi_from);
        }
        if bounds.hi_to != i64::MAX {
            query.sql(and.next()).sql(hi).sql(" <= ").integer(bounds.hi_to);
        }
    });
    query.sql(")");
}

/// A range of values with the unit they must have.
pub(super) struct Amount {
    range: ValueRange,
    /// 0 admits any.
    code: i64,
    /// One of these; 0 admits any that a record can have.
    systems: [i64; 2],
    /// The side of a Range by which it is not found.
    not_by: Option<Side>,
}

/// Where a table has amounts.
pub(super) struct AmountColumns {
    pub value: &'static str,
    pub code: &'static str,
    pub system: &'static str,
    /// Of the mark of a row; a table without has no sides.
    pub mark: Option<&'static str>,
}

pub(super) fn amounts_of(quantities: &[QuantityValue], context: &CompileContext<'_>) -> Vec<Amount> {
    let hash = |text: Option<&str>| text.map_or(0, |text| context.hasher.text(text));
    let mut amounts = Vec::with_capacity(quantities.len());
    for quantity in quantities {
        let system = hash(quantity.system.as_deref());
        let (code, systems) = match &quantity.canonical {
            // What is written in the unit of the index has no other row.
            Some(canonical) => (hash(Some(&canonical.unit)), [system, hash(Some(CANONICAL_SYSTEM))]),
            None => (hash(quantity.code.as_deref()), [system, system]),
        };
        // "the range above the search value contains the range of the target value": with its low end, its high one is there.
        let not_by = match quantity.prefix {
            Prefix::Sa => Some(Side::High),
            Prefix::Eb => Some(Side::Low),
            _ => None,
        };
        amounts.extend(value_ranges(quantity).into_iter().map(|range| Amount { range, code, systems, not_by }));
    }
    amounts
}

/// Writes that a row is of one of the amounts.
pub(super) fn among_amounts(query: &mut Query, amounts: &[Amount], at: &AmountColumns, context: &CompileContext<'_>) {
    separated(query, amounts, " OR ", |query, amount| {
        let mut and = And::default();
        if let Some(from) = amount.range.from {
            query.sql(and.next()).sql(at.value).sql(" >= ").real(from);
        }
        if let Some(to) = amount.range.to {
            query.sql(and.next()).sql(at.value).sql(" < ").real(to);
        }
        if amount.code != 0 {
            query.sql(and.next()).sql(at.code).sql(" = ").integer(amount.code);
        }
        query.sql(and.next()).sql(at.system);
        match amount.systems {
            // Whoever names no system means the numbers as they are written.
            [0, _] => query.sql(" <> ").integer(context.hasher.text(CANONICAL_SYSTEM)),
            [only, other] if only == other => query.sql(" = ").integer(only),
            [written, canonical] => query.sql(" IN (").integer(written).sql(", ").integer(canonical).sql(")"),
        };
        if let (Some(mark), Some(side)) = (at.mark, amount.not_by) {
            let (first, last) = side.marks();
            query.sql(and.next()).sql(mark).sql(" NOT BETWEEN ").integer(first).sql(" AND ").integer(last);
        }
    });
}

/// A span in which no mark lies.
const NO_MARKS: (i64, i64) = (-1, -1);

fn quantities_among(
    query: &mut Query,
    parameter: &Parameter,
    quantities: &[QuantityValue],
    context: &CompileContext<'_>,
) {
    let amounts = amounts_of(quantities, context);
    if amounts.len() > MAX_OR {
        from_values(query, parameter, &amounts, |query, amount| {
            query.real(amount.range.from.unwrap_or(f64::NEG_INFINITY)).sql(", ");
            // The last one within, so that an open end of a Range, which is infinite, is within what has no end.
            query.real(amount.range.to.map_or(f64::INFINITY, f64::next_down)).sql(", ");
            let [system, other] = amount.systems;
            query.integer(amount.code).sql(", ").integer(system).sql(", ").integer(other).sql(", ");
            let (first, last) = amount.not_by.map_or(NO_MARKS, Side::marks);
            query.integer(first).sql(", ").integer(last);
        });
        query.sql(" AND i.value >= v.column1 AND i.value <= v.column2");
        query.sql(" AND (v.column3 = 0 OR i.code = v.column3)");
        query.sql(" AND (i.system = v.column4 OR i.system = v.column5 OR v.column4 = 0 AND i.system <> ");
        query.integer(context.hasher.text(CANONICAL_SYSTEM)).sql(")");
        query.sql(" AND i.edge NOT BETWEEN v.column6 AND v.column7");
        return;
    }
    from(query, parameter);
    query.sql(" AND (");
    let at = AmountColumns { value: "i.value", code: "i.code", system: "i.system", mark: Some("i.edge") };
    among_amounts(query, &amounts, &at, context);
    query.sql(")");
}
