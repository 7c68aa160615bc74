//! A CodeSystem made ready for questions: its concepts in one list, with the ways up and down.
//!
//! Spec: R4 codesystem.html#hierarchy, R4 codesystem-concept-properties.html

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::budget::Budget;
use super::{Direction, LookupError, Source, TerminologyError};

const STANDARD_PROPERTIES: &str = "http://hl7.org/fhir/concept-properties#";

/// A CodeSystem of which all codes are known.
pub struct CodeSystem {
    url: Box<str>,
    pub concepts: Vec<Concept>,
    places: HashMap<Box<str>, usize>,
    /// What the hierarchy means when not `is-a`.
    other_meaning: Option<Box<str>>,
    declared: HashSet<Box<str>>,
}

/// One code of a CodeSystem.
pub struct Concept {
    pub code: Box<str>,
    /// Places of the concepts directly above.
    pub parents: Vec<usize>,
    /// Places of the concepts directly below.
    pub children: Vec<usize>,
    /// Property codes and values as text.
    pub properties: Vec<(Box<str>, Box<str>)>,
    /// It groups others and is never used in data.
    pub is_abstract: bool,
    pub is_inactive: bool,
}

/// What this server makes of a property, whatever its code is.
enum Role {
    Above,
    Below,
    NotSelectable,
    Inactive,
    Status,
    Other,
}

/// What is known here of a CodeSystem.
pub enum Content {
    Complete(CodeSystem),
    /// There is such a resource, but it lacks codes.
    Incomplete {
        content: String,
    },
    Absent,
}

impl Content {
    /// Looks the CodeSystem up and reads it if it has all of its codes.
    pub fn load<S: Source>(
        url: &str,
        version: Option<&str>,
        source: &mut S,
        budget: &mut Budget,
    ) -> Result<Content, LookupError<S::Error>> {
        let Some(definition) = source.code_system(url, version).map_err(LookupError::Source)? else {
            return Ok(Content::Absent);
        };
        let content = definition.get("content").and_then(Value::as_str).unwrap_or_default();
        if content == "complete" {
            return Ok(Content::Complete(CodeSystem::read(url, definition, budget)?));
        }
        Ok(Content::Incomplete { content: content.to_owned() })
    }
}

impl CodeSystem {
    /// Reads the resource `definition`; codes that occur twice are one concept below several others.
    pub fn read(url: &str, mut definition: Value, budget: &mut Budget) -> Result<CodeSystem, TerminologyError> {
        let declarations = declarations(&definition);
        let concepts = definition.get_mut("concept").map(Value::take);
        let mut system = CodeSystem {
            url: url.into(),
            concepts: Vec::new(),
            places: HashMap::new(),
            other_meaning: definition["hierarchyMeaning"].as_str().filter(|meaning| *meaning != "is-a").map(Box::from),
            declared: declarations.keys().cloned().collect(),
        };
        let mut relations = Vec::new();
        // A stack instead of recursion: the depth is the client's choice.
        let mut levels = vec![(members(concepts), None)];
        while let Some((level, above)) = levels.last_mut() {
            let above = *above;
            let Some(mut concept) = level.next() else {
                levels.pop();
                continue;
            };
            budget.spend(1)?;
            let code = concept["code"].as_str().ok_or_else(|| system.invalid("every concept needs a code"))?;
            let place = system.place_of(code);
            if let Some(above) = above {
                system.link(above, place);
            }
            for property in concept["property"].as_array().into_iter().flatten() {
                budget.spend(1)?;
                system.take_property(place, property, &declarations, &mut relations)?;
            }
            let below = concept.get_mut("concept").map(Value::take);
            levels.push((members(below), Some(place)));
        }
        for (role, place, other) in relations {
            // A relation to a code that isn't there relates nothing.
            match (role, system.places.get(&other).copied()) {
                (Role::Above, Some(other)) => system.link(other, place),
                (Role::Below, Some(other)) => system.link(place, other),
                _ => {}
            }
        }
        for concept in &mut system.concepts {
            for related in [&mut concept.parents, &mut concept.children] {
                related.sort_unstable();
                related.dedup();
            }
        }
        Ok(system)
    }

    fn invalid(&self, problem: &'static str) -> TerminologyError {
        TerminologyError::Invalid { url: self.url.to_string(), problem }
    }

    fn place_of(&mut self, code: &str) -> usize {
        if let Some(place) = self.places.get(code) {
            return *place;
        }
        let place = self.concepts.len();
        self.places.insert(code.into(), place);
        self.concepts.push(Concept {
            code: code.into(),
            parents: Vec::new(),
            children: Vec::new(),
            properties: Vec::new(),
            is_abstract: false,
            is_inactive: false,
        });
        place
    }

    fn link(&mut self, above: usize, below: usize) {
        self.concepts[above].children.push(below);
        self.concepts[below].parents.push(above);
    }

    fn take_property(
        &mut self,
        place: usize,
        property: &Value,
        declarations: &HashMap<Box<str>, Box<str>>,
        relations: &mut Vec<(Role, usize, Box<str>)>,
    ) -> Result<(), TerminologyError> {
        let code = property["code"].as_str().ok_or_else(|| self.invalid("every property of a concept needs a code"))?;
        let value = value_text(property).ok_or_else(|| self.invalid("every property of a concept needs a value"))?;
        let concept = &mut self.concepts[place];
        match role(declarations.get(code).map_or(code, |standard| standard)) {
            role @ (Role::Above | Role::Below) => relations.push((role, place, value.clone())),
            Role::NotSelectable => concept.is_abstract |= *value == *"true",
            Role::Inactive => concept.is_inactive |= *value == *"true",
            Role::Status => concept.is_inactive |= matches!(&*value, "retired" | "inactive"),
            Role::Other => {}
        }
        concept.properties.push((code.into(), value));
        Ok(())
    }

    /// The place of `code` in `concepts`.
    pub fn place(&self, code: &str) -> Result<usize, TerminologyError> {
        let unknown = || TerminologyError::UnknownCode { system: self.url.to_string() };
        self.places.get(code).copied().ok_or_else(unknown)
    }

    /// The concept `code`, if there is one.
    pub fn concept(&self, code: &str) -> Option<&Concept> {
        self.places.get(code).map(|place| &self.concepts[*place])
    }

    /// Whether concepts of this system may have the property `code`.
    pub fn declares(&self, code: &str) -> bool {
        self.declared.contains(code) || !matches!(role(code), Role::Other)
    }

    /// The places of the concept at `start` and of all that it subsumes, or that subsume it, nearest first.
    pub fn related(
        &self,
        start: usize,
        direction: Direction,
        budget: &mut Budget,
    ) -> Result<Vec<usize>, TerminologyError> {
        if let Some(meaning) = &self.other_meaning {
            let (url, meaning) = (self.url.to_string(), meaning.to_string());
            return Err(TerminologyError::NoSubsumption { url, meaning });
        }
        let mut seen = HashSet::from([start]);
        let mut found = vec![start];
        let mut next = 0;
        while let Some(place) = found.get(next) {
            let concept = &self.concepts[*place];
            let neighbours = match direction {
                Direction::Below => &concept.children,
                Direction::Above => &concept.parents,
            };
            budget.spend(1 + neighbours.len())?;
            found.extend(neighbours.iter().filter(|neighbour| seen.insert(**neighbour)));
            next += 1;
        }
        Ok(found)
    }
}

/// The members of an array; none of anything else.
fn members(value: Option<Value>) -> std::vec::IntoIter<Value> {
    match value {
        Some(Value::Array(members)) => members.into_iter(),
        _ => Vec::new().into_iter(),
    }
}

/// The declared properties: the code of each, and its standard name if it has one.
fn declarations(definition: &Value) -> HashMap<Box<str>, Box<str>> {
    let declared = definition["property"].as_array().into_iter().flatten();
    declared
        .filter_map(|property| {
            let code = property["code"].as_str()?;
            let standard = property["uri"].as_str().and_then(|uri| uri.strip_prefix(STANDARD_PROPERTIES));
            Some((code.into(), standard.unwrap_or(code).into()))
        })
        .collect()
}

fn role(standard: &str) -> Role {
    match standard {
        "parent" | "subsumedBy" => Role::Above,
        "child" => Role::Below,
        "notSelectable" => Role::NotSelectable,
        "inactive" => Role::Inactive,
        "status" => Role::Status,
        _ => Role::Other,
    }
}

/// `value[x]` of a concept's property as text; of a Coding its code.
fn value_text(property: &Value) -> Option<Box<str>> {
    let (_, value) = property.as_object()?.iter().find(|(name, _)| name.starts_with("value"))?;
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string().into()),
        Value::Object(coding) => coding.get("code")?.as_str().map(Box::from),
        Value::Null | Value::Array(_) => None,
    }
}
