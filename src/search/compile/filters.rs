//! One condition of the statement for each demand.

use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::search::compile::driver::leaves_few;
use crate::search::compile::rows::{self, MAX_OR, boxes_of};
use crate::search::compile::write::{Or, list, one_of, separated};
use crate::search::compile::{CompileContext, access, consents, contained, labels, linked, words};
use crate::search::{
    Bound, Compartment, Condition, Criterion, Modifier, SearchRequest, Subject, Values, Words, dialect, near,
};
use crate::store::Query;

/// How many keys `_id` may stand for in a search over several types before ids are compared alone.
const MAX_KEYS: usize = 2_000;

/// A row of `resource` in the statement, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    /// How many references lie between it and the resources searched.
    depth: usize,
    /// The types that it may be of; empty means any.
    types: &'a [ResourceType],
    table: Table,
    /// Whether its number comes from what leads the statement, before the row itself is looked up.
    is_streamed: bool,
    /// Whether its number is all that the statement has of it.
    is_number: bool,
    /// Whether its rows are few, or come until a page is full, so that each is asked by itself.
    is_asked_alone: bool,
}

/// What a row is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Resource,
    Contained,
    /// What a reference leads to, of the one or the other; with the columns that conditions ask for.
    Target,
}

impl<'a> Row<'a> {
    /// A resource that is searched.
    pub(super) fn searched(request: &'a SearchRequest) -> Row<'a> {
        let types = request.resource_type.as_ref().map_or(request.types.as_slice(), std::slice::from_ref);
        Row { depth: 0, types, table: Table::Resource, is_streamed: false, is_number: false, is_asked_alone: false }
    }

    /// Any resource of one of `types`; empty means of any.
    pub(super) fn any(types: &'a [ResourceType]) -> Row<'a> {
        Row { depth: 0, types, table: Table::Resource, is_streamed: false, is_number: false, is_asked_alone: true }
    }

    /// The types that it may be of; empty means any.
    pub(super) fn types(self) -> &'a [ResourceType] {
        self.types
    }

    /// The same, whose numbers a stream gives: `d`.
    pub(super) fn streamed(self, is_streamed: bool) -> Row<'a> {
        Row { is_streamed, ..self }
    }

    /// The same, of which the statement has nothing but the number in the stream `d`.
    pub(super) fn number_alone(self, is_number: bool) -> Row<'a> {
        Row { is_streamed: self.is_streamed || is_number, is_number, ..self }
    }

    /// Whether its number is all that the statement has of it.
    pub(super) fn is_number(self) -> bool {
        self.is_number
    }

    /// Whether it is a row of `resource`.
    pub(super) fn is_resource(self) -> bool {
        self.table == Table::Resource
    }

    /// Its number. That of the stream is known before the resource is looked up, which what does not match is spared.
    pub(super) fn rid(self, query: &mut Query) {
        match self.is_streamed {
            true => query.sql("d.rid"),
            false => query.sql(self.alias()).sql(".rid"),
        };
    }

    /// The number of the resource that it is, or that contains it.
    pub(super) fn container(self, query: &mut Query) {
        match self.table {
            Table::Contained => {
                query.sql("-").sql(self.alias()).sql(".rid / 262144");
            }
            _ => self.rid(query),
        }
    }

    /// Whether it may be contained in what a reference to it stands in.
    pub(super) fn is_target(self) -> bool {
        self.table == Table::Target
    }

    /// Its number, for asking whether it is in a set.
    pub(super) fn rid_for_set(self, context: &CompileContext<'_>, query: &mut Query) {
        if self.is_streamed {
            query.sql(dialect::without_index(context.dialect));
        }
        self.rid(query);
    }

    /// Its name in the statement. Deeper than any search goes, names would come again.
    pub(super) fn alias(self) -> &'static str {
        const ALIASES: [&str; 20] = [
            "r", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "r16",
            "r17", "r18", "r19",
        ];
        ALIASES[self.depth % ALIASES.len()]
    }

    /// A resource one reference away.
    pub(super) fn inner(self) -> Row<'static> {
        Row {
            depth: self.depth + 1,
            types: &[],
            table: Table::Resource,
            is_streamed: false,
            is_number: false,
            is_asked_alone: false,
        }
    }

    /// The same, of which each row is asked by itself.
    pub(super) fn asked_alone(self, is_asked_alone: bool) -> Row<'a> {
        Row { is_asked_alone, ..self }
    }

    /// A resource one reference away that is looked up for a single row of this one.
    pub(super) fn inner_of_one(self) -> Row<'static> {
        self.inner().asked_alone(self.is_asked_alone)
    }

    /// The same, to be asked what it is linked with. PostgreSQL finds no good order for joins within the outer joins that a
    /// target comes from, so that each target is asked by itself.
    pub(super) fn linking(self) -> Row<'a> {
        self.asked_alone(self.is_asked_alone || self.table == Table::Target)
    }

    /// What ends a question about it that stands in brackets: `EXISTS (..`.
    pub(super) fn end(self, context: &CompileContext<'_>) -> &'static str {
        if self.is_asked_alone { dialect::one_by_one(context.dialect) } else { ")" }
    }

    /// A resource within it.
    pub(super) fn contained(self) -> Row<'static> {
        Row { table: Table::Contained, ..self.inner() }
    }

    /// Another row of the same table.
    pub(super) fn alike(self) -> Row<'static> {
        Row { table: self.table, ..self.inner() }
    }

    /// What it refers to, a resource by itself or a contained one.
    pub(super) fn target(self) -> Row<'static> {
        Row { table: Table::Target, ..self.inner_of_one() }
    }

    /// `resource r WHERE ..`: all that it may be, of whatever type.
    pub(super) fn all(self, query: &mut Query) {
        match self.table {
            Table::Contained => query.sql("contained ").sql(self.alias()).sql(" WHERE 1 = 1"),
            _ => query.sql("resource ").sql(self.alias()).sql(" WHERE ").sql(self.alias()).sql(".method <> 2"),
        };
    }

    /// What references to it have for a target: its column in the statement.
    pub(super) fn key(self) -> &'static str {
        if self.table == Table::Contained { ".rid" } else { ".key" }
    }

    /// The same row, whose type is known.
    pub(super) fn of<'t>(self, types: &'t [ResourceType]) -> Row<'t>
    where
        'a: 't,
    {
        Row { types, ..self }
    }
}

/// ` AND ..`: what `row` must meet. `is_driven` as of [`criterion`].
pub(super) fn condition(
    row: Row<'_>,
    condition: &Condition,
    is_driven: bool,
    context: &CompileContext<'_>,
    query: &mut Query,
) {
    match condition {
        Condition::Criterion(only) => criterion(row, only, false, is_driven, context, query),
        Condition::Chain(chain) => linked::chain(row, chain, context, query),
        Condition::Has(has) => linked::has(row, has, context, query),
        Condition::Listed(lists) => linked::listed(row, lists, context, query),
        Condition::And(all) => {
            let leading = if is_driven { None } else { all.iter().position(leaves_few) };
            if let Some(leading) = leading {
                self::condition(row, &all[leading], false, context, query);
            }
            for (_, other) in all.iter().enumerate().filter(|(place, _)| Some(*place) != leading) {
                self::condition(row, other, is_driven || leading.is_some(), context, query);
            }
        }
        Condition::Or(any) => alternatives(row, any, is_driven, context, query),
        Condition::Not(negated) => match &**negated {
            Condition::Criterion(only @ Criterion { subject: Subject::Index(_), .. }) => {
                criterion(row, only, true, is_driven, context, query);
            }
            other => {
                query.sql(" AND NOT (1 = 1");
                self::condition(row, other, true, context, query);
                query.sql(")");
            }
        },
        Condition::ByType(types) => {
            query.sql(" AND (");
            linked::by_type(row, types, context, query);
            query.sql(")");
        }
        Condition::Contains(contains) => contained::within(row, contains, context, query),
        Condition::Owned(patients) => {
            let bound = Bound { patients: patients.clone(), is_owned: true };
            compartment(row, &bound, false, context, query);
        }
        Condition::OfTypes(of) if of.is_empty() => {
            query.sql(" AND 1 = 0");
        }
        Condition::OfTypes(of) => types(row.of(of), true, query),
        Condition::Unlabelled(labels) => labels::unlabelled(row, *labels, context, query),
        Condition::Consented(party, put_to) => consents::consented(row, party, *put_to, context, query),
        Condition::Targets(inner) => access::targets(row, inner, context, query),
        Condition::AttachedTo(inner) => access::attached_to(row, inner, context, query),
        Condition::CreatedBy(holder) => access::created_by(row, holder, context, query),
    }
}

/// ` AND ..`: one of the conditions is met. Where nothing leaves few resources yet, they are gathered as one set.
fn alternatives(row: Row<'_>, any: &[Condition], is_driven: bool, context: &CompileContext<'_>, query: &mut Query) {
    if !is_driven && any.iter().all(linked::can_gather) {
        query.sql(" AND ");
        row.rid_for_set(context, query);
        query.sql(" IN (");
        separated(query, any, " UNION ", |query, condition| {
            linked::set(row.alike(), row.types, condition, context, query);
        });
        query.sql(")");
        return;
    }
    query.sql(" AND (");
    separated(query, any, " OR ", |query, condition| {
        query.sql("(1 = 1");
        self::condition(row, condition, true, context, query);
        query.sql(")");
    });
    query.sql(")");
}

/// ` AND ..`: the types that `row` may be of. `is_driven` says that something else finds the rows.
pub(super) fn types(row: Row<'_>, is_driven: bool, query: &mut Query) {
    if !row.types.is_empty() {
        query.sql(if is_driven { " AND +" } else { " AND " }).sql(row.alias()).sql(".rtype");
        one_of(query, row.types, |query, of| {
            query.integer(i64::from(of.code()));
        });
    }
}

/// The types that are searched; `sign` stands before the column.
pub(super) fn scope(request: &SearchRequest, sign: &'static str, query: &mut Query) {
    match (request.resource_type.as_ref(), request.types.as_slice()) {
        (Some(only), _) | (None, [only]) => {
            query.sql(" AND ").sql(sign).sql("r.rtype = ").integer(i64::from(only.code()));
        }
        (None, []) => {}
        (None, types) => {
            query.sql(" AND ").sql(sign).sql("r.rtype IN (");
            list(query, types, |query, resource_type| {
                query.integer(i64::from(resource_type.code()));
            });
            query.sql(")");
        }
    }
}

/// One of the sets of compartments that bound the search. `is_driving` says that their members are few, so that they
/// are gathered.
pub(super) fn compartment(
    row: Row<'_>,
    bound: &Bound,
    is_driving: bool,
    context: &CompileContext<'_>,
    query: &mut Query,
) {
    let Bound { patients, is_owned } = bound;
    if patients.is_empty() {
        query.sql(" AND 1 = 0");
        return;
    }
    // A Patient is part of its own record alone. What is searched may be known by its number only.
    if *is_owned && row.depth > 0 && row.types == [ResourceType::PATIENT] && row.table != Table::Contained {
        query.sql(" AND (");
        if row.table == Table::Target {
            query.sql(row.alias()).sql(".rid < 0 OR ");
        }
        query.sql(row.alias()).sql(".key");
        one_of_patients(patients, context, query);
        query.sql(")");
        return;
    }
    query.sql(" AND ");
    if is_driving {
        row.rid(query);
        query.sql(" IN (SELECT c.rid FROM compartment c WHERE c.patient");
        one_of_patients(patients, context, query);
        query.sql(bond(*is_owned)).sql(")");
        return;
    }
    if row.table == Table::Target {
        // What is contained is where the reference is, which is bound already.
        query.sql("(").sql(row.alias()).sql(".rid < 0 OR ");
    }
    query.sql("EXISTS (SELECT 1 FROM compartment c WHERE c.patient");
    one_of_patients(patients, context, query);
    match (row.table, row.types) {
        (Table::Contained, _) => {
            query.sql(" AND c.rtype = (SELECT k.rtype FROM resource k WHERE k.rid = -").sql(row.alias());
            query.sql(".rid / 262144) AND c.rid = -").sql(row.alias()).sql(".rid / 262144");
        }
        // What is known needs no look at the resource.
        (_, [only]) => {
            query.sql(" AND c.rtype = ").integer(i64::from(only.code())).sql(" AND c.rid = ");
            row.rid(query);
        }
        _ => {
            query.sql(" AND c.rtype = ").sql(row.alias()).sql(".rtype AND c.rid = ");
            row.rid(query);
        }
    }
    query.sql(bond(*is_owned)).sql(row.end(context));
    if row.table == Table::Target {
        query.sql(")");
    }
}

fn one_of_patients(patients: &[ResourceKey], context: &CompileContext<'_>, query: &mut Query) {
    one_of(query, patients, |query, patient| {
        query.integer(context.hasher.key(patient));
    });
}

/// ` AND ..`: which rows of `compartment` count, by `store::Bond`.
pub(super) fn bond(is_owned: bool) -> &'static str {
    if is_owned { " AND c.bond <> 2" } else { " AND c.bond <> 3" }
}

/// A compartment of which no table lists the members: they are found by their references. A parameter's number belongs
/// to one type, so that the numbers of all members can stand in one list.
pub(super) fn unlisted(compartment: &Compartment, is_driving: bool, context: &CompileContext<'_>, query: &mut Query) {
    let center = context.hasher.key(&compartment.center);
    let referring = |query: &mut Query| {
        query.sql(" FROM index_reference i WHERE i.param");
        one_of(query, &compartment.parameters, |query, id| {
            query.integer(i64::from(*id));
        });
        query.sql(" AND i.target = ").integer(center);
    };
    let has_members = !compartment.parameters.is_empty();
    if is_driving {
        query.sql(" AND r.rid IN (");
        if has_members {
            query.sql("SELECT i.rid");
            referring(query);
        }
        if compartment.has_center {
            query.sql(if has_members { " UNION " } else { "" });
            query.sql("SELECT c.rid FROM resource c WHERE c.key = ").integer(center);
        }
        query.sql(")");
        return;
    }
    let mut or = Or::default();
    query.sql(if has_members && compartment.has_center { " AND (" } else { " AND " });
    if has_members {
        query.sql(or.next()).sql("EXISTS (SELECT 1");
        referring(query);
        query.sql(" AND i.rid = r.rid)");
    }
    if compartment.has_center {
        query.sql(or.next()).sql("r.key = ").integer(center);
    }
    query.sql(if has_members && compartment.has_center { ")" } else { "" });
}

/// ` AND ..`: the condition that `criterion` stands for, or its opposite, where it does not drive the statement. `is_driven`
/// says that another condition leaves few resources, so that looking up each of them costs less than gathering all that match.
fn criterion(
    row: Row<'_>,
    criterion: &Criterion,
    is_opposite: bool,
    is_driven: bool,
    context: &CompileContext<'_>,
    query: &mut Query,
) {
    let is_not = criterion.modifier == Some(Modifier::Not);
    let parameter = match criterion.subject {
        Subject::Id => return ids(row, &criterion.values, is_not, context, query),
        Subject::LastUpdated => return last_updated(row, criterion, context, query),
        Subject::Near => return located(row, &criterion.values, context, query),
        Subject::Text | Subject::Content => return worded(row, criterion, context, query),
        Subject::Index(parameter) => parameter,
    };
    let is_absent = criterion.values == Values::Missing(true);
    let can_probe = rows::can_probe(criterion, parameter);
    let is_negated = (is_not || is_absent) != is_opposite;
    let is_probe = match is_negated {
        true => can_probe || !dialect::fills_sets_to_leave_out(context.dialect),
        false => can_probe && is_driven,
    };
    query.sql(" AND ");
    if is_probe {
        query.sql(if is_negated { "NOT EXISTS (SELECT 1" } else { "EXISTS (SELECT 1" });
        rows::write_probe(query, criterion, parameter, context);
        query.sql(" AND i.rid = ");
        row.rid(query);
        query.sql(row.end(context));
    } else {
        row.rid_for_set(context, query);
        query.sql(if is_negated { " NOT IN (SELECT i.rid" } else { " IN (SELECT i.rid" });
        rows::write(query, criterion, parameter, context);
        query.sql(")");
    }
}

/// `_id`: the key is unique and serves the search, the id tells that the hash did not deceive.
fn ids(row: Row<'_>, values: &Values, is_not: bool, context: &CompileContext<'_>, query: &mut Query) {
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
        query.sql(" AND ").sql(row.alias()).sql(".id NOT IN (");
        list(query, &ids, |query, id| {
            query.text(id.as_str());
        });
        query.sql(")");
        return;
    }
    let types: Vec<ResourceType> = match row.types {
        [] => ResourceType::all().collect(),
        types => types.to_vec(),
    };
    // What is contained is known by its id alone.
    if row.table == Table::Resource && types.len() * ids.len() <= MAX_KEYS {
        let key = |resource_type: &ResourceType, id: &Id| ResourceKey { resource_type: *resource_type, id: id.clone() };
        let keys: Vec<i64> =
            ids.iter().flat_map(|id| types.iter().map(move |of| context.hasher.key(&key(of, id)))).collect();
        query.sql(" AND ").sql(row.alias()).sql(".key");
        one_of(query, &keys, |query, key| {
            query.integer(*key);
        });
    }
    query.sql(" AND ").sql(row.alias()).sql(".id");
    one_of(query, &ids, |query, id| {
        query.text(id.as_str());
    });
}

/// `near`: the Locations within the circles, those that have a position, or those that have none.
fn located(row: Row<'_>, values: &Values, context: &CompileContext<'_>, query: &mut Query) {
    let circles = match values {
        Values::Near(circles) => circles.as_slice(),
        _ => &[],
    };
    let is_absent = *values == Values::Missing(true);
    query.sql(" AND ");
    if is_absent && !dialect::fills_sets_to_leave_out(context.dialect) {
        query.sql("NOT EXISTS (SELECT 1");
        near::rows(query, circles);
        query.sql(" AND i.rid = ");
        row.rid(query);
        query.sql(row.end(context));
    } else {
        row.rid_for_set(context, query);
        query.sql(if is_absent { " NOT IN (SELECT i.rid" } else { " IN (SELECT i.rid" });
        near::rows(query, circles);
        query.sql(")");
    }
}

/// `_text` and `_content`: what has the words, or all but that.
fn worded(row: Row<'_>, criterion: &Criterion, context: &CompileContext<'_>, query: &mut Query) {
    let presence;
    let wanted = match (&criterion.values, criterion.subject) {
        (Values::Words(wanted), _) => wanted,
        (Values::Missing(is_missing), Subject::Text) => {
            presence = Words::narrative(!is_missing);
            &presence
        }
        // Every resource has content.
        (Values::Missing(false), _) => return,
        _ => {
            query.sql(" AND 1 = 0");
            return;
        }
    };
    query.sql(" AND ");
    if wanted.is_negated && !dialect::fills_sets_to_leave_out(context.dialect) {
        query.sql("NOT EXISTS (SELECT 1");
        words::among(query, criterion.subject, &wanted.tree, context.dialect);
        query.sql(" AND ").sql(words::number(context.dialect)).sql(" = ");
        row.rid(query);
        query.sql(row.end(context));
    } else {
        row.rid_for_set(context, query);
        query.sql(if wanted.is_negated { " NOT IN (SELECT " } else { " IN (SELECT " });
        query.sql(words::number(context.dialect));
        words::among(query, criterion.subject, &wanted.tree, context.dialect);
        query.sql(")");
    }
}

/// `_lastUpdated`: an instant of milliseconds is a span of one millisecond.
fn last_updated(row: Row<'_>, criterion: &Criterion, context: &CompileContext<'_>, query: &mut Query) {
    let modifier = criterion.modifier;
    let dates = match &criterion.values {
        Values::Dates(dates) => dates,
        Values::Missing(false) => return,
        _ => {
            query.sql(" AND 1 = 0");
            return;
        }
    };
    const WIDTH_US: i64 = 1_000;
    let spans: Vec<(i64, i64)> = boxes_of(dates, modifier, context)
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
            updated_us(row, query);
            query.sql(" >= ").integer(*from).sql(" AND ");
            updated_us(row, query);
            query.sql(" < ").integer(*to);
        });
        query.sql(")");
    } else {
        query.sql(" AND EXISTS (SELECT 1 FROM (VALUES (");
        separated(query, &spans, "), (", |query, (from, to)| {
            query.integer(*from).sql(", ").integer(*to);
        });
        query.sql(")) AS v WHERE ");
        updated_us(row, query);
        query.sql(" >= v.column1 AND ");
        updated_us(row, query);
        query.sql(" < v.column2)");
    }
}

/// When a resource was written; what is contained was written with its container.
fn updated_us(row: Row<'_>, query: &mut Query) {
    match row.table {
        Table::Resource | Table::Target => query.sql(row.alias()).sql(".updated_us"),
        Table::Contained => {
            query.sql("(SELECT k.updated_us FROM resource k WHERE k.rid = -").sql(row.alias()).sql(".rid / 262144)")
        }
    };
}
