//! Random queries, and the list of what they ask for.

use crate::search_oracle::encoded;
use crate::search_oracle::includes::Include;
use crate::search_oracle::oracle::{Criterion, World};
use crate::search_oracle::parameters::{COMPARTMENTS, Parameter, Shape, TYPES, own};
use crate::search_oracle::random::Random;
use crate::search_oracle::{criteria, filter_criteria, hierarchies, links, sorting, terms, words};

/// A search over one type, over several or all from the root, or within a compartment.
#[derive(Clone, Debug)]
pub struct Query {
    /// `Type/id`
    pub compartment: Option<String>,
    pub types: Vec<String>,
    pub criteria: Vec<Criterion>,
    pub includes: Vec<Include>,
    /// The value of `_sort`.
    pub sort: Option<String>,
    /// Matches of one page; the others are fetched by `next`.
    pub page: usize,
    /// Sent as a form instead of in the address.
    pub is_posted: bool,
}

impl Query {
    /// What stands in front of the question mark, below the base.
    pub fn path(&self) -> String {
        match (&self.compartment, self.types.as_slice()) {
            (Some(center), [only]) => format!("{center}/{only}"),
            (Some(center), _) => format!("{center}/*"),
            (None, [only]) => only.clone(),
            (None, _) => String::new(),
        }
    }

    /// The parameters. `_elements` keeps the answers short.
    pub fn parameters(&self) -> String {
        let mut text = String::new();
        if self.types.len() > 1 {
            text.push_str(&format!("_type={}&", self.types.join(",")));
        }
        for criterion in &self.criteria {
            text.push_str(&format!("{}={}&", criterion.name, encoded(&criterion.values.join(","))));
        }
        for include in &self.includes {
            text.push_str(&format!("{}&", include.written()));
        }
        if let Some(sort) = &self.sort {
            text.push_str(&format!("_sort={sort}&"));
        }
        text + &format!("_elements=id&_total=accurate&_count={}", self.page)
    }
}

/// Makes a criterion of its kind for a resource type; `None` when the type has none, or by chance.
pub type Maker = fn(&mut Random, &World, &str) -> Option<Criterion>;

/// What is asked for, by its name: each is generated, and must give what the oracle says.
pub const KINDS: &[(&str, Maker)] = &[
    ("any value of a parameter", criteria::value),
    ("several values", criteria::alternatives),
    (":missing", criteria::missing),
    (":not", criteria::not),
    (":exact", |random, world, type_name| criteria::text(random, world, type_name, "exact")),
    (":contains", |random, world, type_name| criteria::text(random, world, type_name, "contains")),
    (":above", |random, world, type_name| criteria::with_modifier(random, world, type_name, Shape::Uri, "above")),
    (":below", |random, world, type_name| criteria::with_modifier(random, world, type_name, Shape::Uri, "below")),
    (":contains of uris", |random, world, type_name| {
        criteria::with_modifier(random, world, type_name, Shape::Uri, "contains")
    }),
    (":above of references", |random, world, type_name| hierarchies::related(random, world, type_name, "above")),
    (":below of references", |random, world, type_name| hierarchies::related(random, world, type_name, "below")),
    (":[type]", criteria::typed_reference),
    (":identifier", criteria::target_identifier),
    (":text of tokens", criteria::reading),
    (":of-type", criteria::of_type),
    ("a composite", criteria::composite),
    ("_id", criteria::id),
    ("_lastUpdated", criteria::last_updated),
    ("what all types have", criteria::common),
    ("_list", links::listed),
    ("a chain that names the type", links::typed_chain),
    ("a chain that does not", links::open_chain),
    ("_has", links::has),
    (":in", |random, world, type_name| terms::within(random, world, type_name, "in")),
    (":not-in", |random, world, type_name| terms::within(random, world, type_name, "not-in")),
    (":above of codes", |random, world, type_name| terms::related(random, world, type_name, "above")),
    (":below of codes", |random, world, type_name| terms::related(random, world, type_name, "below")),
    ("_filter", filter_criteria::filter),
    ("_filter, which has many forms, once more", filter_criteria::filter),
    ("_text", words::text),
    ("_content", words::content),
];

/// Up to three criteria of any kind over one type; now and then over several types or in a compartment.
pub fn query(random: &mut Random, world: &World) -> Query {
    let type_name = random.pick(TYPES).0;
    let mut query = Query {
        compartment: None,
        types: vec![type_name.to_owned()],
        criteria: Vec::new(),
        includes: Vec::new(),
        sort: None,
        page: *random.pick(&[1000, 1000, 1000, 1000, 20, 7]),
        is_posted: random.percent(10),
    };
    match random.below(20) {
        0 => {
            let makers: [Maker; 4] = [criteria::common, criteria::id, criteria::last_updated, links::listed];
            query.types.extend([random.pick(TYPES).0.to_owned()]);
            query.types.sort();
            query.types.dedup();
            let make = *random.pick(&makers);
            query.criteria.push(made(random, world, type_name, make));
            query.page = 1000;
        }
        1 | 2 => shared(random, world, &mut query),
        3 | 4 => within(random, world, &mut query),
        _ => {
            for _ in 0..*random.pick(&[1, 1, 2, 2, 3]) {
                let kind = random.pick(KINDS).1;
                query.criteria.push(made(random, world, type_name, kind));
            }
        }
    }
    if random.percent(35) {
        query.sort = Some(match query.types.as_slice() {
            [only] => sorting::keys(random, only),
            _ => sorting::common_key(random),
        });
    }
    if random.percent(15) {
        include(random, &mut query);
    }
    query
}

/// Tries until a criterion can be made, at last of another kind.
fn made(random: &mut Random, world: &World, type_name: &str, make: Maker) -> Criterion {
    let first = (0..200).find_map(|_| make(random, world, type_name));
    first.unwrap_or_else(|| {
        loop {
            if let Some(criterion) = criteria::id(random, world, type_name) {
                break criterion;
            }
        }
    })
}

/// Two types by a parameter that both have.
fn shared(random: &mut Random, world: &World, query: &mut Query) {
    let type_name = query.types[0].clone();
    let mut pairs: Vec<(&str, &Parameter)> = Vec::new();
    for (other, parameters) in TYPES.iter().filter(|(other, _)| **other != *type_name) {
        let of_both = own(&type_name).iter().filter(|one| parameters.iter().any(|same| is_alike(one, same)));
        pairs.extend(of_both.map(|parameter| (*other, parameter)));
    }
    if pairs.is_empty() {
        return;
    }
    let (other, parameter) = *random.pick(&pairs);
    let value = (0..200).find_map(|_| criteria::value_of(random, world, &type_name, parameter));
    query.criteria.extend(value);
    query.types = vec![type_name, other.to_owned()];
}

/// Whether a value of the one is a value of the other.
fn is_alike(one: &Parameter, other: &Parameter) -> bool {
    let shape = |parameter: &Parameter| parameter.paths.first().map(|(_, shape)| std::mem::discriminant(shape));
    one.code == other.code && shape(one) == shape(other)
}

/// A compartment, perhaps of nobody, for one type or all.
fn within(random: &mut Random, world: &World, query: &mut Query) {
    let (about, member, _) = random.pick(COMPARTMENTS);
    query.compartment = Some(format!("{about}/{}{}", about[..1].to_lowercase(), random.below(18)));
    if random.percent(25) {
        query.types.clear();
        let makers: [Maker; 3] = [criteria::common, criteria::id, criteria::last_updated];
        if random.percent(50) {
            let make = *random.pick(&makers);
            query.criteria.push(made(random, world, member, make));
        }
        return;
    }
    query.types = vec![(*member).to_owned()];
    if random.percent(60) {
        let kind = random.pick(KINDS).1;
        query.criteria.push(made(random, world, member, kind));
    }
}

/// One or two includes that the types of the query admit.
fn include(random: &mut Random, query: &mut Query) {
    let [only] = query.types.as_slice() else { return };
    let only = only.clone();
    for _ in 0..1 + random.below(2) {
        query.includes.extend((0..60).find_map(|_| one_include(random, &only)));
    }
    // Together with deep ones, so that there is something to go on from.
    if random.percent(30) {
        query.includes.extend((0..60).find_map(|_| {
            let (source, _) = *random.pick(TYPES);
            Some(Include { is_iterated: true, ..one_include(random, source)? })
        }));
    }
}

/// An include that leads from, or to, resources of the type.
fn one_include(random: &mut Random, of: &str) -> Option<Include> {
    let is_reverse = random.percent(40);
    let is_iterated = random.percent(30);
    let holder = if is_reverse { random.pick(TYPES).0 } else { of };
    let references: Vec<&Parameter> =
        own(holder).iter().filter(|one| one.paths.iter().any(|(_, shape)| *shape == Shape::Reference)).collect();
    let parameter = *(!references.is_empty()).then(|| random.pick(&references))?;
    let leads_to = |of: &str| parameter.targets.is_empty() || parameter.targets.contains(&of);
    if is_reverse && !leads_to(of) {
        return None;
    }
    let target = if is_reverse { of } else { random.pick(TYPES).0 };
    let target = (random.percent(30) && leads_to(target)).then(|| target.to_owned());
    let (source, code) = match random.below(8) {
        0 if !is_reverse => (None, None),
        1 => (Some(holder.to_owned()), None),
        _ => (Some(holder.to_owned()), Some(parameter.code.to_owned())),
    };
    let target = target.filter(|_| source.is_some());
    Some(Include { is_reverse, is_iterated, source, code, target })
}
