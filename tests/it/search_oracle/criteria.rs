//! Criteria about one parameter of a resource itself, mostly made of values that some resource has.

use serde_json::Value;

use crate::search_oracle::date_table::PREFIXES;
use crate::search_oracle::oracle::{Criterion, World, elements, steps};
use crate::search_oracle::parameters::{COMMON, Parameter, Shape, own};
use crate::search_oracle::random::Random;
use crate::search_oracle::units;
use crate::search_oracle::values::{escaped, fold, readings, texts, tokens};

pub fn criterion(parameter: &Parameter, modifier: &str, values: Vec<String>) -> Criterion {
    let colon = if modifier.is_empty() { "" } else { ":" };
    Criterion { name: format!("{}{colon}{modifier}", parameter.code), values }
}

/// An element of a parameter in a random resource.
pub fn element<'a>(
    random: &mut Random,
    world: &'a World,
    type_name: &str,
    parameter: &Parameter,
) -> Option<(Shape, &'a Value)> {
    let resource = random.pick(&world.resources);
    if resource["resourceType"] != type_name {
        return None;
    }
    let elements = elements(resource, parameter);
    if elements.is_empty() { None } else { Some(*random.pick(&elements)) }
}

pub fn value(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    value_of(random, world, type_name, parameter)
}

/// A value of this parameter.
pub fn value_of(random: &mut Random, world: &World, type_name: &str, parameter: &Parameter) -> Option<Criterion> {
    let element = element(random, world, type_name, parameter)?;
    Some(criterion(parameter, "", vec![one_value(random, world, element)?]))
}

pub fn alternatives(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    let count = if random.percent(10) { 12 } else { 2 };
    let mut values = Vec::new();
    // A parameter that no resource has must not hold this up.
    for _ in 0..count * 40 {
        let element = element(random, world, type_name, parameter);
        values.extend(element.and_then(|element| one_value(random, world, element)));
        if values.len() == count {
            return Some(criterion(parameter, "", values));
        }
    }
    None
}

pub fn common(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(COMMON);
    let element = element(random, world, type_name, parameter)?;
    Some(criterion(parameter, "", vec![one_value(random, world, element)?]))
}

pub fn missing(random: &mut Random, _: &World, type_name: &str) -> Option<Criterion> {
    let all: Vec<&Parameter> = own(type_name).iter().chain(COMMON).collect();
    let parameter = random.pick(&all);
    // What is true or false is never missing.
    let is_presence = matches!(parameter.paths.first(), Some((_, Shape::Presence)));
    let truth = random.of(&["true", "false"]);
    (!is_presence).then(|| criterion(parameter, "missing", vec![truth.to_owned()]))
}

pub fn not(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    let (shape, value) = element(random, world, type_name, parameter)?;
    let is_token = matches!(
        shape,
        Shape::Boolean | Shape::Code(_) | Shape::Concept | Shape::Coding | Shape::Identifier | Shape::Contact
    );
    if !is_token {
        return None;
    }
    Some(criterion(parameter, "not", vec![one_value(random, world, (shape, value))?]))
}

pub fn with_modifier(
    random: &mut Random,
    world: &World,
    type_name: &str,
    of: Shape,
    modifier: &str,
) -> Option<Criterion> {
    let all: Vec<&Parameter> = own(type_name).iter().chain(COMMON).collect();
    let parameter = random.pick(&all);
    let (shape, value) = element(random, world, type_name, parameter)?;
    let mut text = value.as_str().filter(|_| shape == of)?.to_owned();
    match modifier {
        "contains" => return Some(criterion(parameter, modifier, vec![escaped(&cut(random, &text))])),
        "above" => text.push_str(random.of(&["", "/x", "/ValueSet/1/_history/5", "x"])),
        _ => text.truncate(text.len() - text.len().min(random.below(4) * 5)),
    }
    // Partial matches are for URLs: a URN has no levels.
    text.contains("://").then(|| criterion(parameter, modifier, vec![escaped(&text)]))
}

pub fn text(random: &mut Random, world: &World, type_name: &str, modifier: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    let (shape, value) = element(random, world, type_name, parameter)?;
    if !matches!(shape, Shape::Text | Shape::Family | Shape::Name | Shape::Address) {
        return None;
    }
    let texts = texts(shape, value);
    let text = (!texts.is_empty()).then(|| *random.pick(&texts))?;
    let text = match modifier {
        "contains" => cut(random, text),
        _ => cased(random, text),
    };
    (!fold(&text).is_empty()).then(|| criterion(parameter, modifier, vec![escaped(&text)]))
}

pub fn typed_reference(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    let (shape, value) = element(random, world, type_name, parameter)?;
    if shape != Shape::Reference {
        return None;
    }
    let without_version = value["reference"].as_str()?.split("/_history/").next()?;
    let (_, id) = without_version.rsplit_once('/')?;
    let named = if parameter.targets.is_empty() { "Patient" } else { random.of(parameter.targets) };
    Some(criterion(parameter, named, vec![id.to_owned()]))
}

/// A value for each component of a composite, of one repetition.
pub fn composite(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let composites: Vec<&Parameter> = own(type_name).iter().filter(|one| !one.roots.is_empty()).collect();
    let parameter = *(!composites.is_empty()).then(|| random.pick(&composites))?;
    let mut values = Vec::new();
    for _ in 0..1 + usize::from(random.percent(20)) {
        let resource = random.pick(&world.resources);
        if resource["resourceType"] != type_name {
            return None;
        }
        let repetitions = steps(resource, random.of(parameter.roots));
        let repetition = *(!repetitions.is_empty()).then(|| random.pick(&repetitions))?;
        let mut parts = Vec::new();
        for (path, shape) in parameter.components {
            let there = steps(repetition, path);
            let element = *(!there.is_empty()).then(|| random.pick(&there))?;
            parts.push(one_value(random, world, (*shape, element))?);
        }
        values.push(parts.join("$"));
    }
    Some(criterion(parameter, "", values))
}

/// `:text` of tokens: how what people read begins.
pub fn reading(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    let (shape, value) = element(random, world, type_name, parameter)?;
    let texts = readings(shape, value);
    let text = *(!texts.is_empty()).then(|| random.pick(&texts))?;
    let kept = 1 + random.below(text.chars().count());
    let start: String = text.chars().take(kept).collect();
    let start = cased(random, &start);
    (!fold(&start).is_empty()).then(|| criterion(parameter, "text", vec![escaped(&start)]))
}

/// `:of-type` of identifiers.
pub fn of_type(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    let (shape, value) = element(random, world, type_name, parameter)?;
    let coding = (shape == Shape::Identifier).then(|| &value["type"]["coding"][0])?;
    let (system, code, number) = (coding["system"].as_str()?, coding["code"].as_str()?, value["value"].as_str()?);
    let parts = [system, code, number].map(escaped);
    Some(criterion(parameter, "of-type", vec![parts.join("|")]))
}

/// `:identifier` of references.
pub fn target_identifier(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    let (shape, value) = element(random, world, type_name, parameter)?;
    let identifier = (shape == Shape::Reference).then(|| value.get("identifier"))??;
    Some(criterion(parameter, "identifier", vec![one_value(random, world, (Shape::Identifier, identifier))?]))
}

pub fn id(random: &mut Random, world: &World, _: &str) -> Option<Criterion> {
    let mut id = || random.pick(&world.resources)["id"].as_str().unwrap().to_owned();
    let values = vec![id(), id(), "nobody".to_owned()];
    let name = if random.percent(20) { "_id:not" } else { "_id" };
    Some(Criterion { name: name.to_owned(), values })
}

pub fn last_updated(random: &mut Random, world: &World, _: &str) -> Option<Criterion> {
    let instant = random.pick(&world.resources)["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let value = dated(random, world, &instant)?;
    Some(Criterion { name: "_lastUpdated".to_owned(), values: vec![value] })
}

/// A value that the element may meet, or nearly.
pub fn one_value(random: &mut Random, world: &World, (shape, element): (Shape, &Value)) -> Option<String> {
    Some(match shape {
        Shape::Boolean | Shape::Presence => random.of(&["true", "false"]).to_owned(),
        Shape::Contact => escaped(&cased(random, element["value"].as_str()?)),
        Shape::Code(_) | Shape::Concept | Shape::Coding | Shape::Identifier => {
            let stored = tokens(shape, element);
            let (system, code) = (!stored.is_empty()).then(|| random.pick(&stored))?;
            let code = code.as_ref().map(|code| escaped(&cased(random, code)));
            let system = escaped(system.as_deref().unwrap_or_default());
            match (random.below(5), code) {
                (0 | 1, Some(code)) => code,
                (2, Some(code)) => format!("{system}|{code}"),
                (3, Some(code)) => format!("|{code}"),
                (_, _) if !system.is_empty() => format!("{system}|"),
                _ => return None,
            }
        }
        Shape::Text | Shape::Family | Shape::Name | Shape::Address => {
            let texts = texts(shape, element);
            let text = (!texts.is_empty()).then(|| *random.pick(&texts))?;
            let words: Vec<&str> = text.split([' ', '-']).filter(|word| !word.is_empty()).collect();
            // Mostly fails to be found, but for names of families.
            let text = if random.percent(10) { *words.last()? } else { text };
            let letters = text.chars().count();
            let kept = 1 + random.below(letters);
            let start: String = text.chars().take(kept).collect();
            let start = cased(random, &start);
            let start = if random.percent(20) { fold(&start) } else { start };
            (!fold(&start).is_empty()).then(|| escaped(&start))?
        }
        Shape::Date => dated(random, world, element.as_str()?)?,
        Shape::Timing => dated(random, world, element["event"][0].as_str()?)?,
        Shape::Period => {
            let end = element.get(random.of(&["start", "end"]))?;
            dated(random, world, end.as_str()?)?
        }
        Shape::Number => numbered(random, &element.to_string()),
        Shape::Quantity => {
            let number = numbered(random, &element.get("value")?.to_string());
            let part = |name: &str| element[name].as_str();
            match (random.below(4), part("system"), part("code"), part("unit")) {
                (0, Some(system), Some(code), _) => {
                    let alike = units::alike(code);
                    let code = if alike.is_empty() { code } else { random.of(&alike) };
                    format!("{number}|{system}|{code}")
                }
                (1, _, Some(code), _) => format!("{number}||{code}"),
                (2, _, _, Some(unit)) => format!("{number}||{unit}"),
                _ => number,
            }
        }
        Shape::Reference => {
            let text = element["reference"].as_str()?;
            if text.starts_with("urn:") {
                return Some(text.to_owned());
            }
            let without = text.split("/_history").next()?;
            let relative = without.rsplit('/').take(2).collect::<Vec<_>>();
            match random.below(4) {
                0 => relative[0].to_owned(),
                1 => format!("{}/{}", relative[1], relative[0]),
                2 => format!("{}/{}/{}", world.base, relative[1], relative[0]),
                _ => text.to_owned(),
            }
        }
        Shape::Uri | Shape::Canonical => {
            let text = element.as_str()?;
            escaped(&if random.percent(20) { text.to_lowercase() } else { text.to_owned() })
        }
    })
}

pub fn cased(random: &mut Random, text: &str) -> String {
    match random.below(4) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text.to_owned(),
    }
}

/// Some letters in a row.
pub fn cut(random: &mut Random, text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let start = random.below(letters.len());
    let end = start + 1 + random.below(letters.len() - start);
    letters[start..end].iter().collect()
}

/// A prefix and a date, often in a coarser precision.
pub fn dated(random: &mut Random, world: &World, text: &str) -> Option<String> {
    let coarser = *random.pick(&[4, 7, 10, 16, 99, 99]);
    let date = if coarser < text.len() { &text[..coarser] } else { text };
    let prefix = random.pick(&PREFIXES);
    // How far "about" reaches depends on the clock, so that what is recent can't be judged from here.
    let is_recent = *prefix == "ap" && date.starts_with(&world.year());
    (!is_recent).then(|| format!("{prefix}{date}"))
}

fn numbered(random: &mut Random, text: &str) -> String {
    let number = match random.below(5) {
        0 => random.of(&["5", "5.4", "5.40", "1e2", "0", "-0.5", "100"]).to_owned(),
        1 if !text.contains(['e', 'E']) => format!("{text}{}", if text.contains('.') { "0" } else { ".0" }),
        2 if text.contains('.') => text[..text.len() - 1].trim_end_matches('.').to_owned(),
        _ => text.to_owned(),
    };
    format!("{}{number}", random.pick(&PREFIXES))
}
