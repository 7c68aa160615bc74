//! Which codes are meant by a value set, or by a code and all that it subsumes: what the search modifiers `:in`, `:not-in`,
//! `:below` and `:above` ask.
//!
//! Spec: R4 valueset.html#compositions, R4 codesystem.html#hierarchy, R4 search.html#token

mod budget;
mod code_set;
mod code_system;
mod expand;
mod filter;
mod source;
#[cfg(test)]
mod tests;

pub use code_set::{CodeSet, Extent};
pub use expand::Lookup;
pub use source::{Bundled, Source};

use thiserror::Error;

/// Which way to go in a hierarchy.
///
/// Spec: R4 codesystem.html#subsumption
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To more special codes: `:below`.
    Below,
    /// To more general codes: `:above`.
    Above,
}

/// The most codes that an answer may have, counting those that it leaves out of whole code systems.
pub const MAX_CODES: usize = 50_000;
/// How deeply value sets may import each other.
pub const MAX_DEPTH: usize = 32;
/// How many concepts and codes may be looked at for one answer.
pub const MAX_STEPS: usize = 5_000_000;

/// Why there is no answer: the definitions don't give one, or they couldn't be read.
#[derive(Debug, Error)]
pub enum LookupError<E> {
    #[error(transparent)]
    Terminology(#[from] TerminologyError),
    /// The source failed.
    #[error(transparent)]
    Source(E),
}

/// Why the definitions don't tell which codes are meant. Every text names the definition and says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TerminologyError {
    #[error("the ValueSet '{url}' is not known here: check its url, or create the ValueSet on this server")]
    UnknownValueSet { url: String },
    #[error(
        "the CodeSystem '{url}' is not known here, so its hierarchy and properties aren't either: create it with all of its codes, or list the codes that are meant"
    )]
    UnknownCodeSystem { url: String },
    /// All codes of one version of a system are asked for.
    #[error(
        "version '{version}' of the CodeSystem '{url}' is not known here: create it, or leave the version out to mean all codes of the system"
    )]
    UnknownVersion { url: String, version: String },
    /// `content` is `fragment`, `example`, `not-present` or `supplement`.
    #[error(
        "the CodeSystem '{url}' does not have all of its codes here (its content is '{content}'): create it with content 'complete', or list the codes that are meant"
    )]
    IncompleteCodeSystem { url: String, content: String },
    #[error("the CodeSystem '{system}' has no such code: check the code, also for upper and lower case")]
    UnknownCode { system: String },
    #[error(
        "the hierarchy of the CodeSystem '{url}' means '{meaning}', so no code of it subsumes another: list the codes that are meant"
    )]
    NoSubsumption { url: String, meaning: String },
    #[error("the ValueSet '{url}' imports itself, maybe through others: remove one of the imports")]
    Cycle { url: String },
    #[error("the ValueSet '{url}' has a part of its expansion only: give it a compose, or the whole expansion")]
    PartialExpansion { url: String },
    /// `problem` says what would be right.
    #[error("the ValueSet has a filter '{op}' on '{property}' of '{system}' that is not supported: {problem}")]
    Filter { system: String, property: String, op: String, problem: &'static str },
    /// `problem` says what would be right.
    #[error("the definition '{url}' is not valid: {problem}")]
    Invalid { url: String, problem: &'static str },
    #[error("more than {MAX_CODES} codes are meant: narrow the ValueSet, or take a more special code")]
    TooManyCodes,
    #[error("the ValueSet '{url}' is imported through more than {MAX_DEPTH} others: import it directly")]
    TooDeep { url: String },
    #[error("finding the codes takes more than {MAX_STEPS} steps: use fewer imports, filters or codes")]
    TooManySteps,
}

impl TerminologyError {
    /// True when the definitions may well give an answer, but one that takes too much.
    pub fn is_too_costly(&self) -> bool {
        use TerminologyError::{TooDeep, TooManyCodes, TooManySteps};
        matches!(self, TooManyCodes | TooManySteps | TooDeep { .. })
    }
}
