//! What a search finds, by asking every resource every question.
//!
//! Where the specification leaves it open, this reads as docs/conformance.md says.
//!
//! Spec: R4 search.html

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::search_oracle::decimals::split_prefix;
use crate::search_oracle::filters;
use crate::search_oracle::parameters::{COMPARTMENTS, Parameter, Shape, find};
use crate::search_oracle::queries::Query;
use crate::search_oracle::spans::Span;
use crate::search_oracle::values::{
    fold, is_of_type, number_meets, parts, quantity_meets, readings, span, text_meets, token_meets, tokens, unescaped,
};
use crate::search_oracle::words::Words;

/// All resources of a server.
pub struct World {
    pub resources: Vec<Value>,
    /// The server's FHIR base.
    pub base: String,
    /// Microseconds since 1970, for `ap` of dates.
    pub now: i64,
    /// Where the resource `Type/id` is.
    places: HashMap<String, usize>,
    /// Of each resource.
    words: OnceCell<Vec<Words>>,
}

/// One criterion: `name` with its chain and modifier, and values of which one is enough, escaped as in a query.
#[derive(Clone, Debug)]
pub struct Criterion {
    pub name: String,
    pub values: Vec<String>,
}

/// Places of resources.
pub type Places = HashSet<usize>;

impl World {
    pub fn new(resources: Vec<Value>, base: String, now: i64) -> World {
        let places = resources.iter().enumerate().map(|(place, resource)| (key(resource), place)).collect();
        World { resources, base, now, places, words: OnceCell::new() }
    }

    /// The resources that a query finds, in the order in which they were made.
    pub fn found(&self, query: &Query) -> Vec<usize> {
        let mut types: Vec<&str> = self.resources.iter().map(type_of).collect();
        types.sort_unstable();
        types.dedup();
        types.retain(|name| query.types.is_empty() || query.types.iter().any(|asked| asked == name));
        let mut found = Vec::new();
        for of in types {
            let mut places: Vec<usize> = self.of_type(of).collect();
            for criterion in &query.criteria {
                let matching = self.matching(of, &criterion.name, &criterion.values);
                places.retain(|place| matching.contains(place));
            }
            if let Some(center) = &query.compartment {
                places.retain(|place| self.is_in_compartment(&self.resources[*place], center));
            }
            found.extend(places);
        }
        found.sort_unstable();
        found
    }

    /// `Type/id`
    pub fn key(&self, place: usize) -> String {
        key(&self.resources[place])
    }

    /// `None` when there is no such resource.
    pub fn place(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// The year that it is, in UTC.
    pub fn year(&self) -> String {
        chrono::DateTime::from_timestamp_micros(self.now).expect("a time near now").format("%Y").to_string()
    }

    /// The words of each resource.
    pub fn words(&self) -> &[Words] {
        self.words.get_or_init(|| self.resources.iter().map(Words::of).collect())
    }

    pub fn of_type<'a>(&'a self, of: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.resources.iter().enumerate().filter(move |(_, one)| type_of(one) == of).map(|(place, _)| place)
    }

    /// The resources of a type that meet `name=values`.
    fn matching(&self, of: &str, name: &str, values: &[String]) -> Places {
        if let Some(rest) = name.strip_prefix("_has:") {
            let pieces: Vec<&str> = rest.splitn(3, ':').collect();
            let [source, by, rest] = pieces[..] else { panic!("{name} is no _has") };
            let sources = self.matching(source, rest, values);
            let targets = sources.iter().flat_map(|source| self.targets(*source, by));
            return targets.filter(|target| type_of(&self.resources[*target]) == of).collect();
        }
        if let Some((head, rest)) = name.split_once('.') {
            let (code, named) = head.split_once(':').map_or((head, None), |(code, named)| (code, Some(named)));
            let Some(parameter) = find(of, code) else { return Places::new() };
            let types = named.map_or_else(|| parameter.targets.to_vec(), |named| vec![named]);
            let meeting: Places = types.iter().flat_map(|target| self.matching(target, rest, values)).collect();
            let leads = |place: &usize| self.targets(*place, code).iter().any(|target| meeting.contains(target));
            return self.of_type(of).filter(leads).collect();
        }
        let (code, modifier) = name.split_once(':').unwrap_or((name, ""));
        match code {
            "_filter" => return self.filtered(of, &filters::read(&values[0])),
            "_text" | "_content" => {
                let meets = |place: &usize| {
                    let words = &self.words()[*place];
                    match modifier {
                        "missing" => words.has_narrative() != (values[0] == "true"),
                        _ => words.meet(code == "_content", values),
                    }
                };
                return self.of_type(of).filter(meets).collect();
            }
            _ => {}
        }
        self.of_type(of).filter(|place| self.meets(&self.resources[*place], code, modifier, values)).collect()
    }

    pub fn meets(&self, resource: &Value, code: &str, modifier: &str, values: &[String]) -> bool {
        let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
        match code {
            "_id" if modifier == "not" => return !any(&|value| resource["id"] == value),
            "_id" => return any(&|value| resource["id"] == value),
            "_lastUpdated" => {
                let stored = Span::read(resource["meta"]["lastUpdated"].as_str().unwrap()).unwrap();
                return any(&|value| self.date(value, stored));
            }
            "_list" => return any(&|value| self.is_listed(resource, value)),
            _ => {}
        }
        let Some(parameter) = find(type_of(resource), code) else { return false };
        let is_missing_asked = modifier == "missing";
        if !parameter.roots.is_empty() {
            let repetitions = parameter.roots.iter().flat_map(|root| steps(resource, root));
            let sides = |repetition: &Value, value: Option<&str>| self.components_meet(repetition, parameter, value);
            let mut repetitions = repetitions.peekable();
            return match is_missing_asked {
                true => repetitions.any(|one| sides(one, None)) != (values[0] == "true"),
                false => repetitions.any(|one| any(&|value| sides(one, Some(value)))),
            };
        }
        let elements = elements(resource, parameter);
        if is_missing_asked {
            return elements.is_empty() == (values[0] == "true");
        }
        let found = any(&|value| self.one_meets(&elements, parameter, modifier, value));
        found != matches!(modifier, "not" | "not-in")
    }

    /// Whether each component is there and, when values are given, meets its own.
    fn components_meet(&self, repetition: &Value, parameter: &Parameter, value: Option<&str>) -> bool {
        let values = value.map(|value| parts(value, '$'));
        parameter.components.iter().enumerate().all(|(number, (path, shape))| {
            let elements: Vec<(Shape, &Value)> =
                steps(repetition, path).into_iter().map(|element| (*shape, element)).collect();
            match &values {
                None => !elements.is_empty(),
                Some(values) => self.one_meets(&elements, parameter, "", values[number]),
            }
        })
    }

    pub fn one_meets(&self, elements: &[(Shape, &Value)], parameter: &Parameter, modifier: &str, value: &str) -> bool {
        if let Some((_, Shape::Presence)) = parameter.paths.first() {
            let is_there = elements.iter().any(|(_, element)| **element != Value::Bool(false));
            return is_there == (value == "true");
        }
        elements.iter().any(|(shape, element)| match shape {
            Shape::Boolean => element.as_bool() == Some(value == "true"),
            Shape::Code(_) | Shape::Concept | Shape::Coding | Shape::Identifier | Shape::Contact => match modifier {
                "text" => {
                    let wanted = fold(&unescaped(value));
                    readings(*shape, element).iter().any(|text| fold(text).starts_with(&wanted))
                }
                "of-type" => is_of_type(element, value),
                "in" | "not-in" | "above" | "below" => tokens(*shape, element).iter().any(|token| match token {
                    (Some(system), Some(code)) => self.is_meant(modifier, value, system, code),
                    _ => false,
                }),
                _ => tokens(*shape, element).iter().any(|stored| token_meets(stored, value)),
            },
            Shape::Text | Shape::Family | Shape::Name | Shape::Address => text_meets(*shape, element, modifier, value),
            Shape::Date | Shape::Period | Shape::Timing => {
                span(*shape, element).is_some_and(|stored| self.date(value, stored))
            }
            Shape::Number => number_meets(&element.to_string(), value),
            Shape::Quantity => quantity_meets(element, value),
            Shape::Reference if modifier == "identifier" => element.get("identifier").is_some_and(|identifier| {
                tokens(Shape::Identifier, identifier).iter().any(|stored| token_meets(stored, value))
            }),
            Shape::Reference if matches!(modifier, "above" | "below") => {
                let stored = element["reference"].as_str().filter(|text| !text.starts_with('#'));
                stored.is_some_and(|stored| self.is_part(modifier, stored, &unescaped(value)))
            }
            Shape::Reference => self.reference_meets(element, parameter, modifier, value),
            Shape::Canonical => {
                let (stored, value) = (element.as_str().unwrap(), unescaped(value));
                stored == value || stored.split_once('|').is_some_and(|(url, _)| url == value)
            }
            Shape::Uri => {
                let (stored, value) = (element.as_str().unwrap(), &*unescaped(value));
                match modifier {
                    "below" => stored.starts_with(value),
                    "contains" => stored.contains(value),
                    "above" => value
                        .strip_prefix(stored)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || stored.ends_with('/')),
                    _ => stored == value,
                }
            }
            Shape::Presence => unreachable!("judged above"),
        })
    }

    fn date(&self, value: &str, stored: Span) -> bool {
        let (prefix, date) = split_prefix(value);
        Span::read(date).unwrap().admits(prefix, stored, self.now)
    }

    pub fn reference_meets(&self, element: &Value, parameter: &Parameter, modifier: &str, value: &str) -> bool {
        let Some(stored) = element["reference"].as_str().filter(|text| !text.starts_with('#')) else { return false };
        let stored = self.target(stored);
        let value = unescaped(value);
        if value.contains(['/', ':']) {
            return stored == self.target(&value);
        }
        match (modifier, parameter.targets) {
            ("", []) => stored.split_once('/').is_some_and(|(_, id)| id == value),
            ("", types) => types.iter().any(|name| stored == format!("{name}/{value}")),
            (named, _) => stored == format!("{named}/{value}"),
        }
    }

    /// What a reference says without its version, and relative when it is to this server.
    pub fn target(&self, text: &str) -> String {
        let text = text.split("/_history/").next().unwrap();
        let own = text.strip_prefix(&self.base).and_then(|rest| rest.strip_prefix('/'));
        own.unwrap_or(text).to_owned()
    }

    /// The resources of this server to which a resource refers by the parameter `code`.
    pub fn targets(&self, place: usize, code: &str) -> Vec<usize> {
        let resource = &self.resources[place];
        let Some(parameter) = find(type_of(resource), code) else { return Vec::new() };
        let references = elements(resource, parameter).into_iter().filter(|(shape, _)| *shape == Shape::Reference);
        let texts = references.filter_map(|(_, element)| element["reference"].as_str());
        texts.filter_map(|text| self.places.get(&self.target(text)).copied()).collect()
    }

    fn refers_to(&self, resource: &Value, code: &str, target: &str) -> bool {
        let Some(parameter) = find(type_of(resource), code) else { return false };
        let mut texts =
            elements(resource, parameter).into_iter().filter_map(|(_, element)| element["reference"].as_str());
        texts.any(|text| self.target(text) == target)
    }

    fn is_listed(&self, resource: &Value, list: &str) -> bool {
        let list = self.places.get(&format!("List/{list}"));
        list.is_some_and(|list| self.refers_to(&self.resources[*list], "item", &key(resource)))
    }

    fn is_in_compartment(&self, resource: &Value, center: &str) -> bool {
        let of = center.split('/').next().unwrap();
        let parameters = COMPARTMENTS.iter().find(|(about, member, _)| *about == of && *member == type_of(resource));
        key(resource) == center
            || parameters.is_some_and(|(_, _, codes)| codes.iter().any(|code| self.refers_to(resource, code, center)))
    }
}

pub fn type_of(resource: &Value) -> &str {
    resource["resourceType"].as_str().unwrap()
}

/// `Type/id`
pub fn key(resource: &Value) -> String {
    format!("{}/{}", type_of(resource), resource["id"].as_str().unwrap())
}

/// The elements of a parameter that say something which can be searched for.
pub fn elements<'a>(resource: &'a Value, parameter: &Parameter) -> Vec<(Shape, &'a Value)> {
    let paths = parameter.paths.iter();
    paths.flat_map(|(path, shape)| steps(resource, path).into_iter().map(|value| (*shape, value))).collect()
}

/// What a path leads to; an empty one stays where it is.
pub fn steps<'a>(root: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut level = vec![root];
    let mut is_filter = false;
    // A filter may have dots of its own.
    let ends = |letter: char| {
        is_filter = letter == '[' || (is_filter && letter != ']');
        letter == '.' && !is_filter
    };
    for step in path.split(ends).filter(|step| !step.is_empty()) {
        let (name, filter) = step.split_once('[').unwrap_or((step, ""));
        let filter = filter.trim_end_matches(']');
        let all = level.iter().filter_map(|value| value.get(name));
        let items = all.flat_map(|value| value.as_array().map_or_else(|| vec![value], |items| items.iter().collect()));
        level = items.filter(|item| is_admitted(item, filter)).collect();
    }
    level
}

fn is_admitted(item: &Value, filter: &str) -> bool {
    match filter.split_once('=') {
        Some((name, wanted)) => item[name] == wanted,
        None if filter.is_empty() => true,
        // A reference to a type says so in its address, or beside it.
        None => {
            let address = item["reference"].as_str().map(|text| text.split("/_history/").next().unwrap());
            item["type"] == filter || address.and_then(|text| text.rsplit('/').nth(1)) == Some(filter)
        }
    }
}
