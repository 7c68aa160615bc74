//! Filters made of values that some resource has.

use serde_json::Value;

use crate::search_oracle::criteria::{cased, composite, cut, dated, element, one_value};
use crate::search_oracle::decimals::split_prefix;
use crate::search_oracle::filters::{Expression, Step, Term};
use crate::search_oracle::links::link;
use crate::search_oracle::oracle::{Criterion, World};
use crate::search_oracle::parameters::{COMMON, Parameter, Shape, TYPES, own};
use crate::search_oracle::random::Random;
use crate::search_oracle::terms;
use crate::search_oracle::values::{fold, texts};

/// Parentheses within each other.
const DEPTH: usize = 2;

pub fn filter(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let expression = expression(random, world, type_name, DEPTH)?;
    Some(Criterion { name: "_filter".to_owned(), values: vec![expression.to_string()] })
}

fn expression(random: &mut Random, world: &World, type_name: &str, depth: usize) -> Option<Expression> {
    let mut expression = Expression { first: term(random, world, type_name, depth)?, rest: Vec::new() };
    for _ in 0..*random.pick(&[0, 1, 1, 2, 3]) {
        expression.rest.push((random.percent(50), term(random, world, type_name, depth)?));
    }
    Some(expression)
}

fn term(random: &mut Random, world: &World, type_name: &str, depth: usize) -> Option<Term> {
    let tries = 0..60;
    match random.below(if depth == 0 { 6 } else { 10 }) {
        0 => tries.into_iter().find_map(|_| linked(random, world, type_name, depth)),
        6 | 7 => Some(Term::Group(Box::new(expression(random, world, type_name, depth - 1)?))),
        8 => Some(Term::Not(Box::new(expression(random, world, type_name, depth - 1)?))),
        9 => tries.into_iter().find_map(|_| has(random, world, type_name)),
        _ => tries.into_iter().find_map(|_| comparison(random, world, type_name)),
    }
}

/// Through a reference, perhaps with a filter on the way.
fn linked(random: &mut Random, world: &World, type_name: &str, depth: usize) -> Option<Term> {
    let (parameter, target) = link(random, type_name)?;
    let name = match parameter.targets {
        [_] => parameter.code.to_owned(),
        _ => format!("{}:{target}", parameter.code),
    };
    let is_filtered = depth > 0 && random.percent(30);
    let filter = if is_filtered { Some(expression(random, world, target, 0)?) } else { None };
    let Term::Comparison { mut path, operator, value } = comparison(random, world, target)? else { return None };
    path.insert(0, Step { name, filter });
    Some(Term::Comparison { path, operator, value })
}

/// Something that refers to it.
fn has(random: &mut Random, world: &World, type_name: &str) -> Option<Term> {
    let source = random.pick(TYPES).0;
    let (parameter, target) = link(random, source)?;
    let Term::Comparison { mut path, operator, value } = comparison(random, world, source)? else { return None };
    if target != type_name {
        return None;
    }
    path[0].name = format!("_has:{source}:{}:{}", parameter.code, path[0].name);
    Some(Term::Comparison { path, operator, value })
}

fn comparison(random: &mut Random, world: &World, type_name: &str) -> Option<Term> {
    let all: Vec<&Parameter> = own(type_name).iter().chain(COMMON).collect();
    let made = |name: &str, operator: &str, value: String| {
        let path = vec![Step { name: name.to_owned(), filter: None }];
        Some(Term::Comparison { path, operator: operator.to_owned(), value })
    };
    match random.below(all.len() + 2) {
        0 => {
            let id = random.pick(&world.resources)["id"].as_str().unwrap().to_owned();
            made("_id", random.of(&["eq", "ne"]), id)
        }
        1 => {
            let instant = random.pick(&world.resources)["meta"]["lastUpdated"].as_str().unwrap().to_owned();
            let (operator, value) = date(random, world, &instant)?;
            made("_lastUpdated", &operator, value)
        }
        place => {
            let parameter = all[place - 2];
            if random.percent(12) {
                return made(parameter.code, "pr", random.of(&["true", "false"]).to_owned());
            }
            if random.percent(10) {
                let (criterion, operators) = match random.percent(50) {
                    true => (terms::within(random, world, type_name, "in")?, ["in", "ni"]),
                    false => (terms::related(random, world, type_name, "below")?, ["ss", "sb"]),
                };
                let (code, _) = criterion.name.split_once(':')?;
                return made(code, random.of(&operators), criterion.values[0].clone());
            }
            if !parameter.roots.is_empty() {
                let criterion = composite(random, world, type_name).filter(|made| made.name == parameter.code)?;
                return made(parameter.code, "eq", criterion.values[0].clone());
            }
            let (shape, value) = element(random, world, type_name, parameter)?;
            let (operator, value) = compared(random, world, shape, value)?;
            made(parameter.code, &operator, value)
        }
    }
}

/// An operator and a value for it.
fn compared(random: &mut Random, world: &World, shape: Shape, element: &Value) -> Option<(String, String)> {
    match shape {
        Shape::Text | Shape::Family | Shape::Name | Shape::Address => {
            let texts = texts(shape, element);
            let text = *(!texts.is_empty()).then(|| random.pick(&texts))?;
            let operator = random.of(&["eq", "eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"]);
            let letters: Vec<char> = text.chars().collect();
            let kept = random.below(letters.len());
            let text = match operator {
                "co" => cut(random, text),
                "ew" => letters[kept..].iter().collect(),
                "sw" => letters[..=kept].iter().collect(),
                _ => text.to_owned(),
            };
            let text = cased(random, &text);
            (!fold(&text).is_empty() && !text.trim().is_empty()).then(|| (operator.to_owned(), text))
        }
        Shape::Date => date(random, world, element.as_str()?),
        Shape::Uri => Some(("eq".to_owned(), element.as_str()?.to_owned())),
        Shape::Reference => Some(("re".to_owned(), one_value(random, world, (shape, element))?)),
        _ => {
            let value = one_value(random, world, (shape, element))?;
            match shape {
                Shape::Number | Shape::Quantity | Shape::Period | Shape::Timing => {
                    let (prefix, value) = split_prefix(&value);
                    let operator = if prefix.is_empty() { "eq" } else { prefix };
                    Some((operator.to_owned(), value.replace("|http://unitsofmeasure.org|", "|ucum|")))
                }
                _ => {
                    let operator = random.of(&["eq", "eq", "ne"]).to_owned();
                    Some((operator, value.replace("http://loinc.org|", "loinc|")))
                }
            }
        }
    }
}

fn date(random: &mut Random, world: &World, text: &str) -> Option<(String, String)> {
    let value = dated(random, world, text)?;
    let (prefix, date) = split_prefix(&value);
    let prefix = if prefix.is_empty() { "eq" } else { prefix };
    let operator = if random.percent(25) { random.of(&["co", "po"]) } else { prefix };
    Some((operator.to_owned(), date.to_owned()))
}
