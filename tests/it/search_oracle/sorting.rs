//! In which order matches come, from what the resources themselves say.
//!
//! Spec: R4 search.html#sort

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::search_oracle::decimals::Decimal;
use crate::search_oracle::oracle::{Criterion, World, elements, type_of};
use crate::search_oracle::parameters::{COMMON, Parameter, Shape, TYPES, find, own};
use crate::search_oracle::queries::Query;
use crate::search_oracle::random::Random;
use crate::search_oracle::spans::Span;
use crate::search_oracle::values::{fold, span, texts, texts_and_words, tokens, unescaped};

/// What a resource is sorted by; those of one key are of one kind.
#[derive(Clone, Debug)]
enum Sorted {
    Text(String),
    Span(Span),
    Number(Decimal),
}

impl Sorted {
    fn compare(&self, other: &Sorted) -> Ordering {
        match (self, other) {
            (Sorted::Text(left), Sorted::Text(right)) => left.cmp(right),
            (Sorted::Span(left), Sorted::Span(right)) => (left.from, left.to).cmp(&(right.from, right.to)),
            (Sorted::Number(left), Sorted::Number(right)) => {
                let place = left.place().min(right.place());
                left.at(place).cmp(&right.at(place))
            }
            _ => panic!("{self:?} and {other:?} are of one key"),
        }
    }
}

/// The value of one key, and how it may be written: one that folds to the same may be written in several ways.
struct Place {
    value: Sorted,
    writings: Vec<String>,
}

/// Keys for resources of one type, the last part of `_sort`.
pub fn keys(random: &mut Random, type_name: &str) -> String {
    let count = *random.pick(&[1, 1, 2, 2, 3]);
    let keys: Vec<String> = (0..count).map(|_| signed(random, |random| key(random, type_name, 2))).collect();
    keys.join(",")
}

/// A key that resources of all types have.
pub fn common_key(random: &mut Random) -> String {
    signed(random, |random| random.of(&["_id", "_lastUpdated", "_tag", "_profile", "_source", "_security"]).to_owned())
}

fn signed(random: &mut Random, key: impl FnOnce(&mut Random) -> String) -> String {
    let sign = if random.percent(40) { "-" } else { "" };
    format!("{sign}{}", key(random))
}

fn key(random: &mut Random, type_name: &str, links: usize) -> String {
    if links > 0 && random.percent(25) {
        let linked = (0..20).find_map(|_| linked_key(random, type_name, links));
        if let Some(linked) = linked {
            return linked;
        }
    }
    let parameters: Vec<&Parameter> = own(type_name).iter().chain(COMMON).filter(|one| one.roots.is_empty()).collect();
    match random.below(parameters.len() + 2) {
        0 => "_id".to_owned(),
        1 => "_lastUpdated".to_owned(),
        place => parameters[place - 2].code.to_owned(),
    }
}

/// What a reference leads to as a key.
fn linked_key(random: &mut Random, type_name: &str, links: usize) -> Option<String> {
    let parameter = random.pick(own(type_name));
    let target = random.pick(TYPES).0;
    let is_reference = parameter.paths.iter().any(|(_, shape)| *shape == Shape::Reference);
    if !is_reference || !(parameter.targets.is_empty() || parameter.targets.contains(&target)) {
        return None;
    }
    let named = if parameter.targets == [target] && random.percent(50) { "" } else { &format!(":{target}") };
    Some(format!("{}{named}.{}", parameter.code, key(random, target, links - 1)))
}

impl World {
    /// Two matches of a query that stand the wrong way round. Without `_sort` they come in the order of creation, or in that
    /// of the dates or texts that one of its criteria asks for.
    pub fn disorder_of(&self, query: &Query, found: &[usize]) -> Option<String> {
        let disorder = self.disorder(query.sort.as_deref(), found)?;
        let ([type_name], None, None) = (query.types.as_slice(), &query.compartment, &query.sort) else {
            return Some(disorder);
        };
        let is_in_order_of = |code: &str, value: &str| {
            let shape = find(type_name, code).and_then(|parameter| Some(parameter.paths.first()?.1));
            match shape {
                Some(Shape::Date | Shape::Period | Shape::Timing) => self.disorder(Some(code), found).is_none(),
                Some(Shape::Text | Shape::Family | Shape::Name | Shape::Address) => {
                    self.are_in_order_of_beginnings(code, &fold(value), found)
                }
                _ => false,
            }
        };
        let leads = |criterion: &Criterion| match criterion.values.as_slice() {
            // A filter may ask for the same: `name sw oak and gender eq male`.
            [filter] if criterion.name == "_filter" => filter.split(" and ").any(|part| {
                let mut words = part.trim_matches(['(', ')']).splitn(3, ' ');
                let code = words.next().unwrap_or_default();
                words.nth(1).is_some_and(|value| is_in_order_of(code, value.trim_matches('"')))
            }),
            values => is_in_order_of(&criterion.name, &unescaped(&values.join(","))),
        };
        (!query.criteria.iter().any(leads)).then_some(disorder)
    }

    /// Whether the resources come in the order of the lowest of their texts that begin so, those of equal texts that are
    /// written alike in the order of creation.
    fn are_in_order_of_beginnings(&self, code: &str, beginning: &str, found: &[usize]) -> bool {
        let lowest = |place: &usize| {
            let resource = &self.resources[*place];
            let elements = elements(resource, find(type_of(resource), code)?);
            let texts = elements.iter().flat_map(|(shape, element)| texts_and_words(*shape, element));
            let texts: Vec<(String, &str)> = texts.map(|text| (fold(text), text)).collect();
            let lowest = texts.iter().map(|(folded, _)| folded).filter(|folded| folded.starts_with(beginning)).min()?;
            let written: BTreeSet<&str> =
                texts.iter().filter(|(folded, _)| folded == lowest).map(|(_, written)| *written).collect();
            Some((lowest.clone(), written))
        };
        let lowest: Vec<Option<(String, BTreeSet<&str>)>> = found.iter().map(lowest).collect();
        lowest.windows(2).zip(found.windows(2)).all(|(texts, places)| match (&texts[0], &texts[1]) {
            (Some((before, written)), Some((after, written_after))) => {
                let are_alike = before == after && written.len() == 1 && written == written_after;
                before < after || before == after && (!are_alike || places[0] < places[1])
            }
            _ => false,
        })
    }

    /// Two matches that stand the wrong way round by `sort`, or by creation when there is none.
    pub fn disorder(&self, sort: Option<&str>, found: &[usize]) -> Option<String> {
        let keys: Vec<(bool, &str)> = sort
            .map(|sort| sort.split(',').map(|key| (key.starts_with('-'), key.trim_start_matches('-'))).collect())
            .unwrap_or_default();
        let is_descending = keys.first().is_some_and(|(is_descending, _)| *is_descending);
        let values: Vec<Vec<Option<Place>>> = found
            .iter()
            .map(|place| keys.iter().map(|(is_descending, key)| self.place_of(*place, key, *is_descending)).collect())
            .collect();
        let mut written: HashMap<&str, usize> = HashMap::new();
        for at in 1..found.len() {
            let (before, after) = (&values[at - 1], &values[at]);
            let orders = keys.iter().zip(before.iter().zip(after));
            let order = orders
                .map(|((is_descending, _), (left, right))| compare(*is_descending, left.as_ref(), right.as_ref()));
            let order = order.fold(Ordering::Equal, Ordering::then);
            let told = || Some(format!("{} stands before {}", self.key(found[at - 1]), self.key(found[at])));
            if order.is_gt() {
                return told();
            }
            if order.is_lt() {
                written.clear();
                continue;
            }
            // With a single key of the resource itself, what is written alike stands together.
            let wrong = match (&before[..], &after[..]) {
                ([Some(left)], [Some(right)]) if !keys[0].1.contains('.') => {
                    let ([left], [right]) = (&left.writings[..], &right.writings[..]) else { continue };
                    written.insert(left, at - 1);
                    if left != right && written.contains_key(right.as_str()) {
                        return told();
                    }
                    left == right && (found[at - 1] > found[at]) != is_descending
                }
                _ => (found[at - 1] > found[at]) != is_descending,
            };
            if wrong {
                return told();
            }
        }
        None
    }

    /// The lowest, or the highest, of what a resource is sorted by.
    fn place_of(&self, place: usize, key: &str, is_descending: bool) -> Option<Place> {
        let values = self.sorted_by(place, key);
        let first = values.iter().map(|(value, _)| value).reduce(|best, value| {
            let order = value.compare(best);
            let is_better = if is_descending { order.is_gt() } else { order.is_lt() };
            if is_better { value } else { best }
        })?;
        let mut writings: Vec<String> = values
            .iter()
            .filter(|(value, _)| value.compare(first).is_eq())
            .map(|(_, writing)| writing.clone())
            .collect();
        writings.sort();
        writings.dedup();
        Some(Place { value: first.clone(), writings })
    }

    /// All that a resource has of a key, and how it is written.
    fn sorted_by(&self, place: usize, key: &str) -> Vec<(Sorted, String)> {
        let resource = &self.resources[place];
        if let Some((head, rest)) = key.split_once('.') {
            let (code, named) = head.split_once(':').map_or((head, None), |(code, named)| (code, Some(named)));
            let is_meant = |target: &usize| named.is_none_or(|named| type_of(&self.resources[*target]) == named);
            let targets = self.targets(place, code).into_iter().filter(is_meant);
            return targets.flat_map(|target| self.sorted_by(target, rest)).collect();
        }
        let text = |text: &str| vec![(Sorted::Text(text.to_owned()), text.to_owned())];
        match key {
            "_id" => return text(resource["id"].as_str().unwrap()),
            "_lastUpdated" => return text(resource["meta"]["lastUpdated"].as_str().unwrap()),
            _ => {}
        }
        let Some(parameter) = find(type_of(resource), key) else { return Vec::new() };
        let elements = elements(resource, parameter);
        if let Some((_, Shape::Presence)) = parameter.paths.first() {
            let is_there = elements.iter().any(|(_, element)| **element != Value::Bool(false));
            return text(if is_there { "true" } else { "false" });
        }
        elements.into_iter().flat_map(|(shape, element)| self.values_of(shape, element)).collect()
    }

    fn values_of(&self, shape: Shape, element: &Value) -> Vec<(Sorted, String)> {
        match shape {
            Shape::Boolean => vec![(Sorted::Text(element.to_string()), element.to_string())],
            Shape::Code(_) | Shape::Concept | Shape::Coding | Shape::Identifier | Shape::Contact => {
                let of_token = |(system, code): (Option<String>, Option<String>)| {
                    let code = code?.to_lowercase();
                    Some((Sorted::Text(code), system.unwrap_or_default()))
                };
                tokens(shape, element).into_iter().filter_map(of_token).collect()
            }
            Shape::Text | Shape::Family | Shape::Name | Shape::Address => {
                texts(shape, element).into_iter().map(|text| (Sorted::Text(fold(text)), text.to_owned())).collect()
            }
            Shape::Date | Shape::Period | Shape::Timing => {
                span(shape, element).map(|span| (Sorted::Span(span), String::new())).into_iter().collect()
            }
            Shape::Number => vec![(Sorted::Number(Decimal::read(&element.to_string()).unwrap()), String::new())],
            Shape::Quantity => {
                let Some(number) = element.get("value") else { return Vec::new() };
                let number = Sorted::Number(Decimal::read(&number.to_string()).unwrap());
                let mut written = vec![(number.clone(), format!("{} {}", element["code"], element["system"]))];
                // What people read of the unit is another way of writing it.
                if element.get("unit").is_some_and(|unit| element.get("code") != Some(unit)) {
                    written.push((number, element["unit"].to_string()));
                }
                written
            }
            Shape::Reference => {
                let Some(text) = element["reference"].as_str().filter(|text| !text.starts_with('#')) else {
                    return Vec::new();
                };
                let target = self.target(text);
                vec![(Sorted::Text(target.clone()), target)]
            }
            Shape::Uri | Shape::Canonical => {
                let text = element.as_str().unwrap().to_owned();
                vec![(Sorted::Text(text.clone()), text)]
            }
            Shape::Presence => unreachable!("judged above"),
        }
    }
}

/// What has no value comes last, whichever way the key goes.
fn compare(is_descending: bool, left: Option<&Place>, right: Option<&Place>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => {
            let order = left.value.compare(&right.value);
            if is_descending { order.reverse() } else { order }
        }
        (left, right) => right.is_some().cmp(&left.is_some()),
    }
}
