//! The filters of a ValueSet: which concepts of a CodeSystem one of them selects.
//!
//! Spec: R4 valueset-filter-operator.html

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::budget::Budget;
use super::code_system::{CodeSystem, Concept};
use super::{Direction, TerminologyError};

/// The longest pattern of a `regex` filter, in bytes.
const MAX_PATTERN_BYTES: usize = 1000;
/// The most memory that a pattern may take, in bytes.
const MAX_PATTERN_MEMORY_BYTES: usize = 1 << 20;

/// One `compose.include.filter`.
struct Filter<'a> {
    system: &'a str,
    property: &'a str,
    op: &'a str,
    value: &'a str,
}

/// Sets `kept` to false for each concept of `codes` that the filter does not select.
pub fn apply(
    url: &str,
    codes: &CodeSystem,
    filter: &Value,
    kept: &mut [bool],
    budget: &mut Budget,
) -> Result<(), TerminologyError> {
    let text = |name: &str| filter[name].as_str().filter(|text| !text.is_empty());
    let (Some(property), Some(op), Some(value)) = (text("property"), text("op"), text("value")) else {
        let problem = "every filter needs a property, an op and a value";
        return Err(TerminologyError::Invalid { url: url.to_owned(), problem });
    };
    let filter = Filter { system: url, property, op, value };
    budget.spend(codes.concepts.len())?;
    match op {
        "is-a" | "descendent-of" | "is-not-a" | "generalizes" => filter.hierarchy(codes, kept, budget),
        _ => filter.property(codes, kept, budget),
    }
}

impl Filter<'_> {
    fn refused(&self, problem: &'static str) -> TerminologyError {
        let [system, property, op] = [self.system, self.property, self.op].map(str::to_owned);
        TerminologyError::Filter { system, property, op, problem }
    }

    fn is_on_codes(&self) -> bool {
        matches!(self.property, "concept" | "code")
    }

    fn hierarchy(&self, codes: &CodeSystem, kept: &mut [bool], budget: &mut Budget) -> Result<(), TerminologyError> {
        if !self.is_on_codes() {
            return Err(self.refused("the property of this op is 'concept'"));
        }
        let direction = if self.op == "generalizes" { Direction::Above } else { Direction::Below };
        let mut selected = vec![false; kept.len()];
        let start = codes.place(self.value)?;
        for place in codes.related(start, direction, budget)? {
            selected[place] = true;
        }
        if self.op == "descendent-of" {
            selected[start] = false;
        }
        let negated = self.op == "is-not-a";
        for (kept, selected) in kept.iter_mut().zip(selected) {
            *kept &= selected != negated;
        }
        Ok(())
    }

    fn property(&self, codes: &CodeSystem, kept: &mut [bool], budget: &mut Budget) -> Result<(), TerminologyError> {
        if !self.is_on_codes() && !codes.declares(self.property) {
            return Err(self.refused("use a property that the CodeSystem declares, or 'concept'"));
        }
        let list: Vec<&str> = self.value.split(',').map(str::trim).collect();
        let matches: Box<dyn Fn(&str) -> bool> = match self.op {
            "=" => Box::new(|text| text == self.value),
            "in" | "not-in" => {
                budget.spend(codes.concepts.len().saturating_mul(list.len()))?;
                Box::new(move |text| list.contains(&text))
            }
            "regex" => {
                let pattern = self.pattern()?;
                Box::new(move |text| pattern.is_match(text))
            }
            "exists" if matches!(self.value, "true" | "false") => Box::new(|_| true),
            "exists" => return Err(self.refused("the value of 'exists' is 'true' or 'false'")),
            _ => {
                let problem = "use =, is-a, descendent-of, is-not-a, generalizes, regex, in, not-in or exists";
                return Err(self.refused(problem));
            }
        };
        let negated = self.op == "not-in" || (self.op == "exists" && self.value == "false");
        for (kept, concept) in kept.iter_mut().zip(&codes.concepts) {
            if *kept {
                budget.spend(1 + concept.properties.len() + concept.parents.len() + concept.children.len())?;
                *kept = self.values(codes, concept).into_iter().any(&*matches) != negated;
            }
        }
        Ok(())
    }

    /// What the concept has as the property, its place in the hierarchy and absent flags included.
    fn values<'c>(&self, codes: &'c CodeSystem, concept: &'c Concept) -> Vec<&'c str> {
        if self.is_on_codes() {
            return vec![&concept.code];
        }
        let stated = concept.properties.iter().filter(|(code, _)| **code == *self.property).map(|(_, value)| &**value);
        let mut values: Vec<&str> = stated.collect();
        let related = match self.property {
            "parent" => &concept.parents[..],
            "child" => &concept.children[..],
            _ => &[],
        };
        values.extend(related.iter().map(|place| &*codes.concepts[*place].code));
        // "default value is false" (codesystem-concept-properties); the question whether they are stated stays.
        if values.is_empty() && matches!(self.property, "notSelectable" | "inactive") && self.op != "exists" {
            values.push("false");
        }
        values
    }

    /// The value as a pattern for a whole text, as XML Schema has it: `a` does not match `cat`.
    fn pattern(&self) -> Result<Regex, TerminologyError> {
        let build =
            |pattern: &str| RegexBuilder::new(pattern).size_limit(MAX_PATTERN_MEMORY_BYTES).nest_limit(32).build();
        if self.value.len() > MAX_PATTERN_BYTES {
            return Err(self.refused("the pattern may have at most 1000 bytes"));
        }
        // First alone, so that a stray bracket can't close the group around it.
        build(self.value)
            .and_then(|_| build(&format!(r"\A(?:{})\z", self.value)))
            .map_err(|_| self.refused("use a regular expression without look-around, references back or large counts"))
    }
}
