//! Why a search is refused.

use thiserror::Error;

use crate::fhir::{IssueCode, ResourceType};
use crate::search::CENTERS;

/// Why a search is refused. Every text names the parameter and says what would be right; none repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SearchError {
    /// The query string is no UTF-8 once the `%` escapes are undone, or an escape is broken.
    #[error("the query string is not valid: after '%' come two hexadecimal digits, and the result must be UTF-8")]
    Encoding,
    /// `scope` is the resource type, or what else was searched.
    #[error("'{parameter}' is not a search parameter of {scope}{}", suggestion(.near))]
    UnknownParameter { parameter: String, scope: String, near: Vec<&'static str> },
    #[error("'{parameter}' does not take the modifier ':{modifier}'; it takes {allowed}")]
    UnknownModifier { parameter: String, modifier: String, allowed: String },
    /// The specification has it, this server does not.
    #[error("{what} (in '{parameter}') is not supported by this server yet; leave it out")]
    Unsupported { parameter: String, what: &'static str },
    #[error(
        "'{parameter}' has an empty value: give a value, or leave the parameter out; to find absent values, use ':missing=true'"
    )]
    EmptyValue { parameter: String },
    #[error("a value of '{parameter}' is not valid: {problem}")]
    BadValue { parameter: String, problem: String },
    /// The name of a chain or of `_has` leads nowhere.
    #[error("'{parameter}' can't be searched by: {problem}")]
    BadName { parameter: String, problem: String },
    /// An own parameter for which older resources have no index rows yet.
    #[error(
        "'{parameter}' waits for $reindex, for resources from before its definition would not be found: POST \
         [base]/$reindex, and search again when that is done"
    )]
    Pending { parameter: String },
    #[error("'{parameter}' goes through more than {limit} references; ask for less at once")]
    TooDeep { parameter: String, limit: usize },
    #[error(
        "the search comes to more than {limit} conditions at '{parameter}', each counted for every type that it may be asked \
         of, and twice for every reference before it: name types, as in subject:Patient, or ask for less at once"
    )]
    TooWide { parameter: String, limit: usize },
    #[error("'{parameter}' may be given only once")]
    Repeated { parameter: String },
    #[error("'{parameter}' has more than {limit} values separated by commas; split the search")]
    TooManyValues { parameter: String, limit: usize },
    #[error("the search has more than {limit} parameters; split the search")]
    TooManyParameters { limit: usize },
    #[error("a value of '{parameter}' is longer than {limit} bytes")]
    TooLong { parameter: String, limit: usize },
    /// The definitions of value sets and code systems don't tell which codes are meant. `problem` names the one that is
    /// missing or wrong.
    #[error("what '{parameter}' means is not known: {problem}")]
    Codes { parameter: String, code: IssueCode, problem: String },
    /// The address asks for a compartment of a type that has none.
    #[error("{} has no compartment; {} have", .center.with_article(), CENTERS.join(", "))]
    NoCompartment { center: ResourceType },
    #[error(
        "{} is never in the compartment of {}; search [base]/{member} instead",
        .member.with_article(),
        .center.with_article()
    )]
    NotInCompartment { center: ResourceType, member: ResourceType },
}

impl SearchError {
    /// True when the address names nothing that can be searched.
    pub fn is_unknown_address(&self) -> bool {
        matches!(self, SearchError::NoCompartment { .. } | SearchError::NotInCompartment { .. })
    }

    /// True when the same search would be answered once the index is made anew.
    pub fn is_pending(&self) -> bool {
        matches!(self, SearchError::Pending { .. })
    }

    /// True when the answer may be another one once search parameters are defined or ready.
    pub fn depends_on_rules(&self) -> bool {
        matches!(
            self,
            SearchError::Pending { .. }
                | SearchError::UnknownParameter { .. }
                | SearchError::UnknownModifier { .. }
                | SearchError::BadName { .. }
                | SearchError::BadValue { .. }
        )
    }

    /// True when the specification has the feature and only this server lacks it.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, SearchError::Unsupported { .. })
    }
}

fn suggestion(near: &[&'static str]) -> String {
    match near {
        [] => String::new(),
        [only] => format!("; did you mean '{only}'?"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|name| format!("'{name}'")).collect();
            format!("; did you mean {} or '{last}'?", first.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_parameter_is_named_with_its_near_ones() {
        let error = SearchError::UnknownParameter {
            parameter: "brithdate".to_owned(),
            scope: "Patient".to_owned(),
            near: vec!["birthdate", "deathdate"],
        };

        assert_eq!(
            error.to_string(),
            "'brithdate' is not a search parameter of Patient; did you mean 'birthdate' or 'deathdate'?"
        );
    }
}
