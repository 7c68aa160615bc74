//! A code and its kin: what the modifiers `:below` and `:above` ask.
//!
//! Spec: R4 search.html#token, R4 codesystem.html#subsumption

use serde_json::Value;

use super::budget::Budget;
use super::code_system::CodeSystem;
use super::source::split;
use super::{LookupError, MAX_CODES, Source, TerminologyError};

/// Which way to go in a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To more special codes: `:below`.
    Below,
    /// To more general codes: `:above`.
    Above,
}

/// The code itself, then the codes of its system that it subsumes (or that subsume it), nearest first. `system` is the URL
/// of the CodeSystem, with `|version` if one is meant. Fails when the CodeSystem is not known completely or lacks the code.
pub fn subsumed<S: Source>(
    system: &str,
    code: &str,
    direction: Direction,
    source: &mut S,
) -> Result<Vec<Box<str>>, LookupError<S::Error>> {
    let mut budget = Budget::full();
    let (url, version) = split(system);
    let codes = match Content::load(url, version, source, &mut budget)? {
        Content::Complete(codes) => codes,
        Content::Incomplete { content } => {
            return Err(TerminologyError::IncompleteCodeSystem { url: url.to_owned(), content }.into());
        }
        Content::Absent => return Err(TerminologyError::UnknownCodeSystem { url: url.to_owned() }.into()),
    };
    let places = codes.related(codes.place(code)?, direction, &mut budget)?;
    if places.len() > MAX_CODES {
        return Err(TerminologyError::TooManyCodes.into());
    }
    Ok(places.into_iter().map(|place| codes.concepts[place].code.clone()).collect())
}

/// What is known here of a CodeSystem.
pub(super) enum Content {
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
