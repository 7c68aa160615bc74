//! Which condition leads the statement.
//!
//! A guess from the form of the search: databases plan the rest, but SQLite without statistics takes what it is given.

use crate::fhir::ResourceType;
use crate::search::compile::{Walk, rows};
use crate::search::{
    Condition, Criterion, Extent, Modifier, Parameter, Prefix, SearchRequest, Size, Subject, TokenValue, Values,
};

/// What leads the statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Driver {
    /// Nothing: resources of the type are read in order until the page is full.
    Type,
    /// `_id`, which leaves one resource for each type.
    Id,
    /// The criterion at `place`; a stream when it names one key of its table, whose resources come in order.
    Criterion { place: usize, parameter: &'static Parameter, is_stream: bool },
    /// The chain, `_has`, `_list`, the words or alternatives at `place`, which leave few.
    Linked { place: usize },
    /// The only Patient of the compartments at `place`.
    Compartment { place: usize, resource_type: ResourceType },
    /// The members of a compartment, as a set: those of the only Patient at `place`, of whatever type, or those of a
    /// compartment that no table lists.
    Members { place: Option<usize> },
}

impl Driver {
    /// Whether there is one that leaves few resources.
    pub(super) fn is_some(self) -> bool {
        !matches!(self, Driver::Type)
    }

    /// Whether its resources come in order, as `d.rid`.
    pub(super) fn is_stream(self) -> bool {
        matches!(self, Driver::Criterion { is_stream: true, .. } | Driver::Compartment { .. })
    }

    /// The number of a match in the statement.
    pub(super) fn rid(self) -> &'static str {
        if self.is_stream() { "d.rid" } else { "r.rid" }
    }

    /// Whether this is a stream whose rows are of the type that is searched and of nothing deleted, and the other
    /// demands ask no more than its numbers.
    pub(super) fn tells_all(self, request: &SearchRequest) -> bool {
        let bounds = match self {
            Driver::Criterion { parameter, is_stream: true, .. } if parameter.is_of_one_type() => 0,
            Driver::Compartment { .. } => 1,
            _ => return false,
        };
        asks_numbers(request, bounds)
    }

    pub(super) fn of(request: &SearchRequest) -> Driver {
        let demands = request.demands.iter().map(|demand| &demand.condition);
        let is_id = |condition: &Condition| {
            matches!(condition, Condition::Criterion(Criterion { subject: Subject::Id, modifier: None, .. }))
        };
        if demands.clone().any(is_id) {
            return Driver::Id;
        }
        let criteria = demands.enumerate().filter_map(|(place, condition)| {
            if !matches!(condition, Condition::Criterion(_))
                || matches!(condition, Condition::Criterion(Criterion { values: Values::Words(_), .. }))
            {
                return leaves_few(condition).then_some(((RANK_OF_LINKS, 0), Driver::Linked { place }));
            }
            let Condition::Criterion(criterion @ Criterion { subject: Subject::Index(parameter), .. }) = condition
            else {
                return None;
            };
            let is_stream = rows::exact_keys(criterion, parameter) == Some(1);
            Some((counted_rank(criterion, parameter)?, Driver::Criterion { place, parameter, is_stream }))
        });
        let patients = request.compartments.iter().enumerate().filter(|(_, bound)| bound.patients.len() == 1);
        let compartments = patients.map(|(place, _)| match request.resource_type {
            Some(resource_type) => Driver::Compartment { place, resource_type },
            None => Driver::Members { place: Some(place) },
        });
        let unlisted = request.unlisted_compartment().map(|_| Driver::Members { place: None });
        let compartments = compartments.chain(unlisted).map(|driver| ((RANK_OF_COMPARTMENT, 0), driver));
        let fewest = criteria.chain(compartments).min_by_key(|(rank, _)| *rank);
        fewest.map_or(Driver::Type, |(_, driver)| driver)
    }
}

/// Whether all demands can be asked of the number of a resource, without its row, and no compartment bounds the search
/// but so many.
pub(super) fn asks_numbers(request: &SearchRequest, bounds: usize) -> bool {
    request.compartments.len() == bounds
        && request.unlisted_compartment().is_none()
        && request.access.as_ref().is_none_or(asks_number)
        && request.demands.iter().all(|demand| asks_number(&demand.condition))
}

/// Whether something leaves so few resources that gathering them costs less than reading a table in the order of `walk`. What
/// bounds the walk itself does not count.
pub fn is_narrow(request: &SearchRequest, walk: Walk<'_>) -> bool {
    let bounds_walk = |condition: &Condition| match condition {
        Condition::Criterion(Criterion { subject: Subject::Index(parameter), .. }) => {
            walk.parameter().is_some_and(|walked| walked.id() == parameter.id())
        }
        _ => false,
    };
    !request.compartments.is_empty()
        || request.unlisted_compartment().is_some()
        || request.demands.iter().any(|demand| leaves_few(&demand.condition) && !bounds_walk(&demand.condition))
}

/// Whether a condition can be asked of the number of a resource, without its row.
fn asks_number(condition: &Condition) -> bool {
    match condition {
        Condition::Criterion(Criterion { subject, .. }) => matches!(subject, Subject::Index(_)),
        Condition::Chain(_) | Condition::Owned(_) | Condition::Unlabelled(_) | Condition::Consented(..) => true,
        Condition::And(_) | Condition::Or(_) | Condition::Not(_) => condition.inner(Extent::Itself).all(asks_number),
        _ => false,
    }
}

const RANK_OF_COMPARTMENT: u8 = 1;
/// Of what was counted and is few.
const RANK_OF_COUNTED: u8 = 2;
const RANK_OF_LINKS: u8 = 3;
/// Of dates within a span of some weeks.
pub(super) const NARROW_DATES: u8 = 4;
/// Up to this rank, what matches is gathered rather than looked up.
const RANK_OF_FEW: u8 = 4;

/// Whether a condition seems to leave so few resources that gathering them costs less than asking each.
pub(super) fn leaves_few(condition: &Condition) -> bool {
    match condition {
        Condition::Criterion(Criterion { subject: Subject::Id, modifier, .. }) => modifier.is_none(),
        Condition::Criterion(criterion @ Criterion { subject: Subject::Index(parameter), .. }) => {
            criterion.size != Some(Size::Many)
                && counted_rank(criterion, parameter).is_some_and(|(rank, _)| rank <= RANK_OF_FEW)
        }
        Condition::Criterion(Criterion { values: Values::Words(words), .. }) => !words.is_negated,
        Condition::Criterion(_) => false,
        Condition::Chain(chain) => chain.targets.iter().all(|(_, condition)| leaves_few(condition)),
        Condition::Has(has) => leaves_few(&has.condition),
        Condition::Listed(_) => true,
        Condition::And(all) => all.iter().any(leaves_few),
        Condition::Or(any) => any.iter().all(leaves_few),
        // A record may have thousands of resources; whoever is bound to it is asked of each that something else finds.
        Condition::Not(_)
        | Condition::Owned(_)
        | Condition::OfTypes(_)
        | Condition::Unlabelled(_)
        | Condition::Consented(..)
        | Condition::Targets(_)
        | Condition::AttachedTo(_)
        | Condition::CreatedBy(_) => false,
        Condition::Contains(contains) => leaves_few(&contains.condition),
        Condition::ByType(types) => types.iter().all(|(_, condition)| leaves_few(condition)),
    }
}

/// As [`rank`], and better where the rows have been counted: those of several are compared by their numbers.
fn counted_rank(criterion: &Criterion, parameter: &Parameter) -> Option<(u8, u32)> {
    let guess = rank(criterion, parameter)?;
    Some(match criterion.size {
        // Of several that are many the guess is what there is.
        None | Some(Size::Many) => (guess, 0),
        Some(Size::Few(rows)) => (guess.min(RANK_OF_COUNTED), rows),
    })
}

/// How many resources a criterion seems to leave: lower is fewer. `None` when it says what resources are not.
pub(super) fn rank(criterion: &Criterion, parameter: &Parameter) -> Option<u8> {
    const DAYS_32_US: i64 = 32 * 86_400_000_000;
    if criterion.modifier == Some(Modifier::Not) {
        return None;
    }
    Some(match &criterion.values {
        Values::Missing(true) | Values::Ids(_) | Values::Near(_) | Values::Words(_) => return None,
        Values::Missing(false) => 9,
        Values::Tokens(_) if criterion.modifier == Some(Modifier::Identifier) => 1,
        Values::Tokens(_) | Values::Strings(_) if criterion.modifier == Some(Modifier::Unequal) => 9,
        Values::Tokens(tokens) => {
            let has_code = |token: &TokenValue| token.code.is_some();
            match tokens.iter().all(has_code) {
                true if parameter.tokens.are_identifiers => 0,
                true if parameter.tokens.are_few => 7,
                true => 5,
                false => 8,
            }
        }
        Values::Codes(codes) if codes.systems.is_empty() => 5,
        Values::Codes(_) | Values::CodeQueries(_) => 8,
        Values::References(_) if matches!(criterion.modifier, Some(Modifier::Below | Modifier::Above)) => 5,
        Values::References(_) => 1,
        Values::TypedIdentifiers(_) => 0,
        Values::Composites(_) => 5,
        Values::Uris(_) if criterion.modifier.is_none() => 2,
        Values::Strings(_) if criterion.modifier == Some(Modifier::Text) => 6,
        Values::Strings(_) if matches!(criterion.modifier, Some(Modifier::Exact | Modifier::Whole)) => 2,
        Values::Strings(_)
            if matches!(criterion.modifier, Some(Modifier::Contains | Modifier::Ending | Modifier::Initial(_))) =>
        {
            8
        }
        Values::Strings(_) => 3,
        Values::Uris(_) if criterion.modifier == Some(Modifier::Contains) => 8,
        Values::Uris(_) => 4,
        Values::Dates(dates) => {
            let is_narrow = criterion.modifier.is_none()
                && dates.iter().all(|date| {
                    let span = date.interval(0);
                    date.prefix == Prefix::Eq && span.hi_us.saturating_sub(span.lo_us) <= DAYS_32_US
                });
            if is_narrow { NARROW_DATES } else { 8 }
        }
        Values::Quantities(amounts) => {
            if amounts.iter().all(|amount| amount.prefix == Prefix::Eq) {
                6
            } else {
                8
            }
        }
    })
}
