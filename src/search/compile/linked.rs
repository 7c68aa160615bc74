//! Conditions on other resources: those that a resource refers to, and those that refer to it.
//!
//! Each is either gathered into a set, when what decides seems to leave few resources, or looked up for one resource
//! at a time, so that a page costs the same however many there are. Canonical references are joined by the names of what
//! they lead to, which are rows of the same table, as `n`.
//!
//! Spec: R4 search.html#chaining, #has, #list

use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::search::compile::driver::leaves_few;
use crate::search::compile::filters::{self, Row};
use crate::search::compile::write::{one_of, separated};
use crate::search::compile::{CompileContext, access, contained, rows};
use crate::search::{Chain, Condition, Criterion, Has, Modifier, Registry, Subject, Values, canonical};
use crate::store::Query;

/// ` AND ..`: something that `row` refers to meets the chain.
pub(super) fn chain(row: Row<'_>, chain: &Chain, context: &CompileContext<'_>, query: &mut Query) {
    let by = i64::from(chain.by.id());
    if chain.targets.iter().all(|(_, condition)| leaves_few(condition)) {
        query.sql(" AND ");
        row.rid_for_set(context, query);
        query.sql(" IN (SELECT i.rid");
        chain_rows(row, chain, context, query);
        query.sql(")");
        return;
    }
    let row = row.linking();
    if chain.reaches_contained && !chain.by.has_canonicals() {
        return chain_to_all(row, chain, context, query);
    }
    let target = row.inner_of_one();
    query.sql(" AND EXISTS (SELECT 1 FROM index_reference i CROSS JOIN ");
    if chain.by.has_canonicals() {
        query.sql("index_reference n CROSS JOIN ");
    }
    query.sql("resource ").sql(target.alias()).sql(" WHERE i.rid = ");
    row.rid(query);
    query.sql(" AND i.param = ").integer(by);
    if chain.by.has_canonicals() {
        query.sql(" AND n.target = i.target AND ");
        named(chain.targets.iter().map(|(of, _)| *of), query);
        query.sql(" AND ").sql(target.alias()).sql(".rid = n.rid");
    } else {
        query.sql(" AND ").sql(target.alias()).sql(".key = i.target");
    }
    query.sql(" AND ").sql(target.alias()).sql(".method <> 2 AND (");
    by_type(target, &chain.targets, context, query);
    query.sql(")").sql(row.end(context));
}

/// ` AND EXISTS ..`: a resource by itself or a contained one that `row` refers to meets the chain.
fn chain_to_all(row: Row<'_>, chain: &Chain, context: &CompileContext<'_>, query: &mut Query) {
    let target = row.target();
    let of = |query: &mut Query| {
        one_of(query, &chain.targets, |query, (of, _)| {
            query.integer(i64::from(of.code()));
        });
    };
    query.sql(" AND EXISTS (SELECT 1 FROM (").sql(TARGETS);
    // The types stand in the joins as well, so that PostgreSQL reads those alone when it puts the tables together.
    query.sql(" LEFT JOIN resource k ON k.key = i.target AND k.method <> 2 AND k.rtype");
    of(query);
    query.sql(" LEFT JOIN contained n ON n.rid = i.target AND n.rtype");
    of(query);
    query.sql(" WHERE i.param = ").integer(i64::from(chain.by.id())).sql(") AS ");
    query.sql(target.alias()).sql(" WHERE ").sql(target.alias()).sql(".source = ");
    row.rid(query);
    match chain.targets.as_slice() {
        // The joins leave nothing of another type. PostgreSQL would take the type of what is joined for a rare one, and
        // read all references for a page.
        [(only, condition)] => {
            query.sql(" AND ").sql(target.alias()).sql(".rid IS NOT NULL");
            filters::condition(target.of(&[*only]), condition, true, context, query);
        }
        several => {
            query.sql(" AND (");
            by_type(target, several, context, query);
            query.sql(")");
        }
    }
    query.sql(row.end(context));
}

/// What references lead to, a resource by itself or one in the same container, with the columns that conditions ask for.
/// Both are outer joins, so that neither database has to put two tables together first.
const TARGETS: &str = "SELECT i.rid AS source, COALESCE(k.rid, n.rid) AS rid, COALESCE(k.key, n.rid) AS key, \
     COALESCE(k.rtype, n.rtype) AS rtype, k.labels AS labels, COALESCE(k.id, n.id) AS id, COALESCE(k.updated_us, \
     (SELECT c.updated_us FROM resource c WHERE c.rid = -n.rid / 262144)) AS updated_us FROM index_reference i";

/// ` FROM index_reference i WHERE ..`: the rows of the reference whose targets meet the chain.
pub(super) fn chain_rows(row: Row<'_>, chain: &Chain, context: &CompileContext<'_>, query: &mut Query) {
    query.sql(" FROM index_reference i WHERE i.param = ").integer(i64::from(chain.by.id()));
    query.sql(" AND i.target IN (");
    separated(query, &chain.targets, " UNION ALL ", |query, (of, condition)| {
        if chain.by.has_canonicals() {
            // The sign keeps SQLite from reading the names of all.
            query.sql("SELECT n.target FROM index_reference n WHERE +n.param = ");
            query.integer(canonical::names_of_type(*of).map_or(0, i64::from)).sql(" AND n.rid IN (");
            set(row.inner(), &[*of], condition, context, query);
            query.sql(")");
        } else {
            targets(row.inner(), *of, condition, context, query);
        }
    });
    query.sql(")");
}

/// `SELECT ..`: under what references have the resources of the type that meet the condition for targets, those within
/// others, too, whose number that is. `row` is free.
fn targets(row: Row<'_>, of: ResourceType, condition: &Condition, context: &CompileContext<'_>, query: &mut Query) {
    let shared = match condition {
        Condition::Criterion(Criterion { subject: Subject::Index(parameter), .. }) if can_gather(condition) => {
            Some(!parameter.is_of_one_type())
        }
        Condition::Chain(chain) if chain.by.is_of_one_type() => Some(false),
        _ => None,
    };
    let Some(is_shared) = shared else {
        query.sql("SELECT ").sql(row.alias()).sql(".key FROM resource ").sql(row.alias());
        query.sql(" WHERE ").sql(row.alias()).sql(".rid IN (");
        set(row.inner(), &[of], condition, context, query);
        query.sql(") UNION ALL SELECT s.rid FROM (");
        set(row.contained(), &[of], condition, context, query);
        query.sql(") AS s WHERE s.rid < 0");
        return;
    };
    // The rows of the index are of both, so that they are read once.
    query.sql("SELECT COALESCE(k.key, s.rid) FROM (");
    set(row, &[], condition, context, query);
    query.sql(") AS s LEFT JOIN resource k ON k.rid = s.rid");
    if is_shared {
        query.sql(" LEFT JOIN contained n ON n.rid = s.rid WHERE COALESCE(k.rtype, n.rtype) = ");
        query.integer(i64::from(of.code()));
    }
}

/// ` AND ..`: something that refers to `row` meets the condition.
pub(super) fn has(row: Row<'_>, has: &Has, context: &CompileContext<'_>, query: &mut Query) {
    let by = i64::from(has.by.id());
    let source = row.inner();
    let is_canonical = has.by.has_canonicals();
    if leaves_few(&has.condition) {
        query.sql(" AND ").sql(row.alias());
        if is_canonical {
            query.sql(".rid IN (SELECT n.rid FROM index_reference n WHERE ");
            named(targets_of(has, row), query);
            query.sql(" AND n.target IN (");
        } else {
            query.sql(row.key()).sql(" IN (");
        }
        query.sql("SELECT i.target FROM index_reference i WHERE +i.param = ");
        // The sign keeps SQLite from reading all references by the parameter: `index_reference_by_rid` serves. What is
        // contained refers to nothing by itself.
        query.integer(by).sql(" AND +i.rid > 0 AND i.rid IN (");
        set(source, &[has.source], &has.condition, context, query);
        query.sql(if is_canonical { ")))" } else { "))" });
        return;
    }
    let row = row.linking();
    let source = row.inner_of_one();
    query.sql(" AND EXISTS (SELECT 1 FROM ");
    if is_canonical {
        query.sql("index_reference n CROSS JOIN ");
    }
    query.sql("index_reference i CROSS JOIN resource ").sql(source.alias()).sql(" WHERE i.param = ").integer(by);
    if is_canonical {
        query.sql(" AND n.rid = ").sql(row.alias()).sql(".rid AND ");
        named(targets_of(has, row), query);
        query.sql(" AND i.target = n.target AND ");
    } else {
        query.sql(" AND i.target = ").sql(row.alias()).sql(row.key()).sql(" AND ");
    }
    query.sql(source.alias()).sql(".rid = i.rid AND ").sql(source.alias()).sql(".method <> 2");
    if !has.by.is_of_one_type() {
        query.sql(" AND ").sql(source.alias()).sql(".rtype = ").integer(i64::from(has.source.code()));
    }
    filters::condition(source.of(&[has.source]), &has.condition, true, context, query);
    query.sql(row.end(context));
}

/// The types of `row` that the references may lead to.
fn targets_of<'a>(has: &'a Has, row: Row<'a>) -> impl Iterator<Item = ResourceType> + 'a {
    let is_searched = move |of: &ResourceType| row.types().is_empty() || row.types().contains(of);
    ResourceType::all().filter(move |of| is_searched(of) && has.by.points_to(*of))
}

/// `n.param ..`: the names of resources of the types.
fn named(types: impl Iterator<Item = ResourceType>, query: &mut Query) {
    let numbers: Vec<i16> = types.filter_map(canonical::names_of_type).collect();
    query.sql("n.param");
    one_of(query, &numbers, |query, number| {
        query.integer(i64::from(*number));
    });
}

/// ` AND ..`: one of the Lists has `row` among its entries.
pub(super) fn listed(row: Row<'_>, lists: &[Id], context: &CompileContext<'_>, query: &mut Query) {
    let list = row.inner();
    let item = Registry::bundled().parameter(ResourceType::LIST, "item").map_or(0, |item| i64::from(item.id()));
    query.sql(" AND ").sql(row.alias()).sql(row.key()).sql(" IN (SELECT i.target FROM resource ").sql(list.alias());
    query.sql(" CROSS JOIN index_reference i WHERE ").sql(list.alias()).sql(".key");
    one_of(query, lists, |query, id| {
        query.integer(context.hasher.key(&ResourceKey { resource_type: ResourceType::LIST, id: id.clone() }));
    });
    query.sql(" AND ").sql(list.alias()).sql(".method <> 2 AND i.rid = ").sql(list.alias());
    query.sql(".rid AND i.param = ").integer(item).sql(")");
}

/// `.. OR ..`: the type of `row` with what is demanded of it.
pub(super) fn by_type(
    row: Row<'_>,
    types: &[(ResourceType, Condition)],
    context: &CompileContext<'_>,
    query: &mut Query,
) {
    separated(query, types, " OR ", |query, (of, condition)| {
        query.sql("(").sql(row.alias()).sql(".rtype = ").integer(i64::from(of.code()));
        filters::condition(row.of(&[*of]), condition, true, context, query);
        query.sql(")");
    });
}

/// Whether [`set`] finds what meets the condition without asking each resource.
pub(super) fn can_gather(condition: &Condition) -> bool {
    match condition {
        Condition::Criterion(Criterion { subject: Subject::Index(_), modifier, values, .. }) => {
            *modifier != Some(Modifier::Not) && *values != Values::Missing(true)
        }
        Condition::Criterion(_)
        | Condition::Chain(_)
        | Condition::Has(_)
        | Condition::Listed(_)
        | Condition::Owned(_) => leaves_few(condition),
        Condition::And(all) => all.iter().any(leaves_few),
        Condition::Or(any) => any.iter().all(can_gather),
        Condition::Contains(_) => true,
        Condition::Not(_)
        | Condition::ByType(_)
        | Condition::OfTypes(_)
        | Condition::Unlabelled(_)
        | Condition::Consented(..)
        | Condition::Targets(_)
        | Condition::AttachedTo(_)
        | Condition::CreatedBy(_) => false,
    }
}

/// `SELECT ..`: the numbers of all resources of the types (of any, when there are none) that meet the condition; `row` is
/// free to stand for them.
pub(super) fn set(
    row: Row<'_>,
    types: &[ResourceType],
    condition: &Condition,
    context: &CompileContext<'_>,
    query: &mut Query,
) {
    match condition {
        // The rows of a parameter that several types share are of all of them.
        Condition::Criterion(criterion @ Criterion { subject: Subject::Index(parameter), .. })
            if can_gather(condition) && (types.is_empty() || parameter.is_of_one_type()) =>
        {
            query.sql("SELECT i.rid");
            rows::write(query, criterion, parameter, context);
        }
        Condition::Chain(chain) if chain.by.is_of_one_type() => {
            query.sql("SELECT i.rid");
            chain_rows(row, chain, context, query);
        }
        Condition::Or(any) if any.iter().all(can_gather) => {
            separated(query, any, " UNION ", |query, condition| set(row, types, condition, context, query));
        }
        Condition::Contains(contains) => contained::containers(row, contains, context, query),
        Condition::Owned(patients) => access::owned(types, patients, context, query),
        _ => {
            let row = row.of(types);
            query.sql("SELECT ").sql(row.alias()).sql(".rid FROM ");
            row.all(query);
            filters::types(row, false, query);
            filters::condition(row, condition, false, context, query);
        }
    }
}
