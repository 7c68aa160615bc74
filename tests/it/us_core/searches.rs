//! Queries for one combination of parameters, with values that resources have.

use serde_json::Value;

use crate::search_oracle::includes::Include;
use crate::search_oracle::oracle::{Criterion, World, elements, type_of};
use crate::search_oracle::parameters::{Shape, find};
use crate::search_oracle::queries::Query;
use crate::search_oracle::values::{escaped, texts, tokens};
use crate::us_core::metadata::Group;

/// The queries of a combination: values of up to `sources` resources in each of their forms, several values, each
/// comparator, chains, and with all that is to be included. None when no resource has all parameters.
pub fn queries(world: &World, group: &Group, combination: &[String], sources: usize) -> Vec<Query> {
    let has_all = |resource: &&Value| {
        type_of(resource) == group.resource && combination.iter().all(|code| !values(resource, code).is_empty())
    };
    let is_of_profile = |resource: &&Value| {
        resource["meta"]["profile"].as_array().is_some_and(|all| {
            all.iter().any(|profile| profile.as_str().is_some_and(|profile| profile.starts_with(&group.profile)))
        })
    };
    let mut found: Vec<&Value> = world.resources.iter().filter(has_all).collect();
    // Those of the profile first.
    found.sort_by_key(|resource| !is_of_profile(resource));
    let mut queries = Vec::new();
    for (number, resource) in found.iter().take(sources).enumerate() {
        let other = found[(number * 7 + 1) % found.len()];
        queries.extend(of_values(group, combination, resource, other));
    }
    queries
}

fn of_values(group: &Group, combination: &[String], resource: &Value, other: &Value) -> Vec<Query> {
    let first: Vec<Criterion> = combination.iter().map(|code| one(code, &values(resource, code)[0])).collect();
    let plain = query(group, first.clone());
    let mut queries = vec![plain.clone(), Query { is_posted: true, ..plain.clone() }];
    for (place, code) in combination.iter().enumerate() {
        let mut with = |name: &str, values: Vec<String>| {
            let mut criteria = first.clone();
            criteria[place] = Criterion { name: name.to_owned(), values };
            queries.push(query(group, criteria));
        };
        let mine = values(resource, code);
        for form in &mine[1..] {
            with(code, vec![form.clone()]);
        }
        with(code, vec![mine[0].clone(), values(other, code)[0].clone()]);
        for prefix in group.comparators(code) {
            for form in &mine {
                with(code, vec![format!("{prefix}{form}")]);
            }
        }
    }
    for (place, code) in combination.iter().enumerate() {
        let comparators = group.comparators(code);
        if comparators.contains(&"ge") && comparators.contains(&"le") {
            // Both ends of a span: the parameter twice.
            let mut criteria = first.clone();
            let day = values(resource, code).last().unwrap().clone();
            criteria[place] = one(code, &format!("ge{day}"));
            criteria.push(one(code, &format!("le{day}")));
            queries.push(query(group, criteria));
        }
    }
    let mut includes: Vec<Include> = group.includes.iter().map(|text| include(text, false)).collect();
    includes.extend(group.revincludes.iter().map(|text| include(text, true)));
    for include in &includes {
        queries.push(Query { includes: vec![include.clone()], page: 20, ..plain.clone() });
    }
    if includes.len() > 1 {
        queries.push(Query { includes, ..plain.clone() });
    }
    queries
}

/// The chains of a combination of one parameter, asked by what their targets say.
pub fn chains(world: &World, group: &Group, code: &str, sources: usize) -> Vec<Query> {
    let mut queries = Vec::new();
    for rest in group.chains(code) {
        let mut found = 0;
        for (place, resource) in world.resources.iter().enumerate() {
            if type_of(resource) != group.resource || found == sources {
                continue;
            }
            for target in world.targets(place, code) {
                let target = &world.resources[target];
                let named = format!("{code}:{}.{rest}", type_of(target));
                for value in values(target, rest) {
                    found += 1;
                    queries.push(query(group, vec![one(&format!("{code}.{rest}"), &value)]));
                    queries.push(query(group, vec![one(&named, &value)]));
                }
            }
        }
    }
    queries
}

fn query(group: &Group, criteria: Vec<Criterion>) -> Query {
    Query {
        compartment: None,
        types: vec![group.resource.clone()],
        criteria,
        includes: Vec::new(),
        sort: None,
        page: 1000,
        is_posted: false,
    }
}

fn one(name: &str, value: &str) -> Criterion {
    Criterion { name: name.to_owned(), values: vec![value.to_owned()] }
}

fn include(text: &str, is_reverse: bool) -> Include {
    let mut parts = text.split(':').map(str::to_owned);
    Include { is_reverse, is_iterated: false, source: parts.next(), code: parts.next(), target: parts.next() }
}

/// The forms in which a client may write what the resource says; the first is the usual one.
fn values(resource: &Value, code: &str) -> Vec<String> {
    if code == "_id" {
        return vec![resource["id"].as_str().unwrap().to_owned()];
    }
    let parameter = find(type_of(resource), code);
    let parameter = parameter.unwrap_or_else(|| panic!("the oracle does not know {code} of {}", type_of(resource)));
    elements(resource, parameter).into_iter().map(forms).find(|forms| !forms.is_empty()).unwrap_or_default()
}

fn forms((shape, element): (Shape, &Value)) -> Vec<String> {
    match shape {
        Shape::Reference => {
            let Some(text) = element["reference"].as_str().filter(|text| text.contains('/')) else { return Vec::new() };
            let id = text.rsplit('/').next().unwrap();
            vec![id.to_owned(), text.to_owned()]
        }
        Shape::Code(_) | Shape::Concept | Shape::Coding | Shape::Identifier | Shape::Contact => {
            let stored = tokens(shape, element);
            let Some((system, Some(code))) = stored.first() else { return Vec::new() };
            let whole = system.as_ref().map(|system| format!("{}|{}", escaped(system), escaped(code)));
            [escaped(code)].into_iter().chain(whole).collect()
        }
        Shape::Date => dates(element.as_str().unwrap_or_default()),
        Shape::Period => dates(element["start"].as_str().unwrap_or_default()),
        Shape::Text | Shape::Family | Shape::Name | Shape::Address => {
            texts(shape, element).into_iter().take(3).map(escaped).collect()
        }
        Shape::Canonical => {
            let text = element.as_str().unwrap();
            let bare = text.split('|').next().unwrap();
            [text, bare].map(escaped).into()
        }
        _ => Vec::new(),
    }
}

/// As written, and the day of it.
fn dates(text: &str) -> Vec<String> {
    match text.len() {
        0 => Vec::new(),
        1..=10 => vec![text.to_owned()],
        _ => vec![text.to_owned(), text[..10].to_owned()],
    }
}
