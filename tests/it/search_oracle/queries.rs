//! Random queries, mostly made of values that some resource has.

use serde_json::Value;

use crate::search_oracle::oracle::{Criterion, World, elements, escaped, fold, texts, tokens};
use crate::search_oracle::parameters::{COMMON, Parameter, Shape, TYPES, own};
use crate::search_oracle::random::Random;
use crate::search_oracle::{date_table::PREFIXES, encoded};

/// A search over one type, or over several or all from the root.
#[derive(Clone, Debug)]
pub struct Query {
    pub types: Vec<String>,
    pub criteria: Vec<Criterion>,
    /// Matches of one page; the others are fetched by `next`.
    pub page: usize,
}

impl Query {
    /// The address below the base. `_elements` keeps the answers short.
    pub fn address(&self) -> String {
        let mut address = match self.types.as_slice() {
            [only] => format!("{only}?"),
            types => format!("?_type={}&", types.join(",")),
        };
        for criterion in &self.criteria {
            address.push_str(&format!("{}={}&", criterion.name, encoded(&criterion.values.join(","))));
        }
        address + &format!("_elements=id&_total=accurate&_count={}", self.page)
    }
}

/// Makes a criterion of its kind for a resource type; `None` when the type has none.
type Maker = fn(&mut Random, &World, &str) -> Option<Criterion>;

/// What is asked for, by its name: each is generated, and must give what the oracle says.
pub const KINDS: &[(&str, Maker)] = &[
    ("any value of a parameter", value),
    ("several values", alternatives),
    (":missing", missing),
    (":not", not),
    (":exact", |random, world, type_name| text(random, world, type_name, "exact")),
    (":contains", |random, world, type_name| text(random, world, type_name, "contains")),
    (":above", |random, world, type_name| with_modifier(random, world, type_name, Shape::Uri, "above")),
    (":below", |random, world, type_name| with_modifier(random, world, type_name, Shape::Uri, "below")),
    (":[type]", typed_reference),
    ("_id", id),
    ("_lastUpdated", last_updated),
    ("what all types have", common),
];

/// One to three criteria of any kind over one type; now and then over several types, of what all have.
pub fn query(random: &mut Random, world: &World) -> Query {
    let page = *random.pick(&[1000, 1000, 1000, 1000, 7, 3]);
    let type_name = random.pick(TYPES).0;
    if random.percent(8) {
        let mut types = vec![type_name.to_owned(), random.pick(TYPES).0.to_owned()];
        types.sort();
        types.dedup();
        let makers: [Maker; 3] = [common, id, last_updated];
        let criterion = made(random, |random| random.pick(&makers)(random, world, type_name));
        return Query { types, criteria: vec![criterion], page: 1000 };
    }
    let count = *random.pick(&[1, 1, 2, 2, 3]);
    let criteria = (0..count).map(|_| made(random, |random| random.pick(KINDS).1(random, world, type_name))).collect();
    Query { types: vec![type_name.to_owned()], criteria, page }
}

/// Tries until a criterion can be made.
fn made(random: &mut Random, make: impl Fn(&mut Random) -> Option<Criterion>) -> Criterion {
    loop {
        if let Some(criterion) = make(random) {
            return criterion;
        }
    }
}

fn criterion(parameter: &Parameter, modifier: &str, values: Vec<String>) -> Criterion {
    let colon = if modifier.is_empty() { "" } else { ":" };
    Criterion { name: format!("{}{colon}{modifier}", parameter.code), values }
}

/// An element of a parameter in a random resource.
fn element<'a>(
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

fn value(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    let element = element(random, world, type_name, parameter)?;
    Some(criterion(parameter, "", vec![one_value(random, world, element)?]))
}

fn alternatives(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
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

fn common(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(COMMON);
    let element = element(random, world, type_name, parameter)?;
    Some(criterion(parameter, "", vec![one_value(random, world, element)?]))
}

fn missing(random: &mut Random, _: &World, type_name: &str) -> Option<Criterion> {
    let all: Vec<&Parameter> = own(type_name).iter().chain(COMMON).collect();
    let parameter = random.pick(&all);
    // What is true or false is never missing.
    let is_presence = matches!(parameter.paths[0].1, Shape::Presence);
    let truth = random.of(&["true", "false"]);
    (!is_presence).then(|| criterion(parameter, "missing", vec![truth.to_owned()]))
}

fn not(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
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

fn with_modifier(random: &mut Random, world: &World, type_name: &str, of: Shape, modifier: &str) -> Option<Criterion> {
    let all: Vec<&Parameter> = own(type_name).iter().chain(COMMON).collect();
    let parameter = random.pick(&all);
    let (shape, value) = element(random, world, type_name, parameter)?;
    let mut text = value.as_str().filter(|_| shape == of)?.to_owned();
    match modifier {
        "above" => text.push_str(random.of(&["", "/x", "/ValueSet/1/_history/5", "x"])),
        _ => text.truncate(text.len() - text.len().min(random.below(4) * 5)),
    }
    // Partial matches are for URLs: a URN has no levels.
    text.contains("://").then(|| criterion(parameter, modifier, vec![escaped(&text)]))
}

fn text(random: &mut Random, world: &World, type_name: &str, modifier: &str) -> Option<Criterion> {
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

fn typed_reference(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let parameter = random.pick(own(type_name));
    let (shape, value) = element(random, world, type_name, parameter)?;
    if shape != Shape::Reference {
        return None;
    }
    let without_version = value["reference"].as_str()?.split("/_history/").next()?;
    let (_, id) = without_version.rsplit_once('/')?;
    let named = random.of(parameter.targets);
    Some(criterion(parameter, named, vec![id.to_owned()]))
}

fn id(random: &mut Random, world: &World, _: &str) -> Option<Criterion> {
    let mut id = || random.pick(&world.resources)["id"].as_str().unwrap().to_owned();
    let values = vec![id(), id(), "nobody".to_owned()];
    let name = if random.percent(20) { "_id:not" } else { "_id" };
    Some(Criterion { name: name.to_owned(), values })
}

fn last_updated(random: &mut Random, world: &World, _: &str) -> Option<Criterion> {
    let instant = random.pick(&world.resources)["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let value = dated(random, world, &instant)?;
    Some(Criterion { name: "_lastUpdated".to_owned(), values: vec![value] })
}

/// A value that the element may meet, or nearly.
fn one_value(random: &mut Random, world: &World, (shape, element): (Shape, &Value)) -> Option<String> {
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
        Shape::Period => {
            let end = element.get(random.of(&["start", "end"]))?;
            dated(random, world, end.as_str()?)?
        }
        Shape::Number => numbered(random, &element.to_string()),
        Shape::Quantity => {
            let number = numbered(random, &element.get("value")?.to_string());
            let part = |name: &str| element[name].as_str();
            match (random.below(4), part("system"), part("code"), part("unit")) {
                (0, Some(system), Some(code), _) => format!("{number}|{system}|{code}"),
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
        Shape::Uri => {
            let text = element.as_str()?;
            escaped(&if random.percent(20) { text.to_lowercase() } else { text.to_owned() })
        }
    })
}

fn cased(random: &mut Random, text: &str) -> String {
    match random.below(4) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text.to_owned(),
    }
}

/// Some letters in a row.
fn cut(random: &mut Random, text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let start = random.below(letters.len());
    let end = start + 1 + random.below(letters.len() - start);
    letters[start..end].iter().collect()
}

/// A prefix and a date, often in a coarser precision.
fn dated(random: &mut Random, world: &World, text: &str) -> Option<String> {
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
