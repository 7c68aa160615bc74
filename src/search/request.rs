//! A search as it was understood.
//!
//! Spec: R4 search.html

use crate::fhir::{Interval, Issue, PartialDate, ResourceKey, ResourceType};
use crate::search::Parameter;

/// What becomes of parameters that the server does not know.
///
/// Spec: R4 search.html#errors, http.html#prefer
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// They refuse the search.
    Strict,
    /// They are left out and reported.
    Lenient,
}

/// A search: every criterion must hold.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// `None` searches all types, or those of `types`.
    pub resource_type: Option<ResourceType>,
    /// The `_type` list of a search without a type; empty means all.
    pub types: Vec<ResourceType>,
    pub criteria: Vec<Criterion>,
    /// Each entry admits only what is in the compartment of one of its Patients. Compartment routes and access rules add
    /// to it; an empty entry admits nothing.
    pub compartments: Vec<Vec<ResourceKey>>,
    pub control: Control,
    /// The parameters that took effect, as the self link says them.
    pub used: Vec<(String, String)>,
    /// What was left out, and why.
    pub ignored: Vec<Issue>,
}

/// How the answer is to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Matches per page; 0 asks for the total alone.
    pub count: u32,
    /// Where the page begins, as the server's own link said it.
    pub cursor: Option<String>,
    /// `None` when the client did not say.
    pub total: Option<Total>,
    pub summary: Summary,
    /// Elements that the client wants; empty means all.
    pub elements: Vec<String>,
    pub sort: Sort,
}

/// How the total is to be found.
///
/// Spec: R4 search.html#total
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    None,
    Estimate,
    Accurate,
}

/// Which part of each match is wanted.
///
/// Spec: R4 search.html#summary
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Summary {
    #[default]
    False,
    True,
    Text,
    Data,
    Count,
}

/// The order of the matches. Ties are broken by age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    pub key: SortKey,
    pub is_descending: bool,
}

/// What matches are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// The order of creation: what the server does when the client asks for nothing.
    #[default]
    Created,
    LastUpdated,
    Id,
}

/// The last match of a page, in terms of its order: the next page begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub rid: i64,
    pub updated_us: i64,
    pub id: String,
}

/// One condition: `parameter[:modifier]=value,value`.
#[derive(Clone, Debug)]
pub struct Criterion {
    pub subject: Subject,
    pub modifier: Option<Modifier>,
    /// One of them must match.
    pub values: Values,
    /// Name, modifier and sorted values as text; equal criteria have equal texts.
    pub text: String,
}

/// What a criterion is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// `_id`
    Id,
    /// `_lastUpdated`
    LastUpdated,
    /// A parameter with rows in the index.
    Index(&'static Parameter),
}

/// How a criterion departs from the usual comparison.
///
/// Spec: R4 search.html#modifiers
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    Missing,
    Not,
    Exact,
    Contains,
    Below,
    Above,
    Type(ResourceType),
}

/// The values of a criterion, of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// `:missing=true` or `false`.
    Missing(bool),
    Ids(Vec<String>),
    Tokens(Vec<TokenValue>),
    /// As written; the compiler folds them.
    Strings(Vec<String>),
    References(Vec<ReferenceValue>),
    Dates(Vec<DateValue>),
    /// Numbers, too: they name no unit.
    Quantities(Vec<QuantityValue>),
    Uris(Vec<String>),
}

/// `code`, `system|code`, `|code` or `system|`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenValue {
    /// `None` admits any system, an empty text only tokens without one.
    pub system: Option<String>,
    /// `None` admits any code.
    pub code: Option<String>,
}

/// A target of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceValue {
    /// A resource of this server.
    Local(ResourceKey),
    /// An id whose type may be any that the parameter points to.
    Id(String, Vec<ResourceType>),
    /// Another server's resource, a canonical URL or a URN.
    Url(String),
}

/// How a value of an ordered kind is compared.
///
/// Spec: R4 search.html#prefix
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    /// Starts after.
    Sa,
    /// Ends before.
    Eb,
    /// Approximately.
    Ap,
}

/// A date with its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateValue {
    pub prefix: Prefix,
    pub date: PartialDate,
}

/// A number with its prefix and unit.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantityValue {
    pub prefix: Prefix,
    pub value: f64,
    /// The span that the written precision stands for, lower bound included, upper excluded.
    pub implicit: (f64, f64),
    /// `None` admits any.
    pub system: Option<String>,
    /// `None` admits any.
    pub code: Option<String>,
    /// The same in the canonical unit, when the code is one of UCUM that is understood.
    pub canonical: Option<CanonicalQuantity>,
}

/// A number in the canonical unit of its dimension.
///
/// Spec: R4 search.html#quantity, "a server .. MAY choose to perform a search based on canonical units"
#[derive(Clone, Debug, PartialEq)]
pub struct CanonicalQuantity {
    /// As [`crate::fhir::ucum::Conversion::unit`] writes it.
    pub unit: String,
    pub value: f64,
    /// The bounds of the written precision, each converted.
    pub implicit: (f64, f64),
    /// A tenth of the number below and above, taken before it is converted: ten percent of 37 degrees Celsius are not
    /// those of 310 kelvin.
    pub near: (f64, f64),
}

impl SearchRequest {
    /// The same text for searches that ask for the same in any order of parameters and values; for locks on conditions.
    pub fn canonical(&self) -> String {
        let mut criteria: Vec<&str> = self.criteria.iter().map(|criterion| &*criterion.text).collect();
        criteria.sort_unstable();
        criteria.dedup();
        let scope = self.resource_type.map_or("", ResourceType::name);
        format!("{scope}?{}", criteria.join("&"))
    }

    /// True when only the number of matches is wanted.
    pub fn is_count_only(&self) -> bool {
        self.control.count == 0 || self.control.summary == Summary::Count
    }

    /// True when the database is asked once: for the page or for the total, not for both.
    pub fn is_one_statement(&self) -> bool {
        self.is_count_only() || matches!(self.control.total, None | Some(Total::None))
    }
}

impl Position {
    /// As text for a link; holds nothing but the row's number and what it is sorted by.
    pub fn to_text(&self, sort: Sort) -> String {
        match sort.key {
            SortKey::Created => format!("{}", self.rid),
            SortKey::LastUpdated => format!("{}_{}", self.rid, self.updated_us),
            SortKey::Id => format!("{}_{}", self.rid, self.id),
        }
    }

    /// Reads what `to_text` wrote for the same order.
    pub fn parse(text: &str, sort: Sort) -> Option<Position> {
        let (rid, rest) = text.split_once('_').map_or((text, None), |(rid, rest)| (rid, Some(rest)));
        let rid = rid.parse().ok()?;
        match (sort.key, rest) {
            (SortKey::Created, None) => Some(Position { rid, updated_us: 0, id: String::new() }),
            (SortKey::LastUpdated, Some(us)) => Some(Position { rid, updated_us: us.parse().ok()?, id: String::new() }),
            (SortKey::Id, Some(id)) => {
                crate::fhir::Id::parse(id).ok()?;
                Some(Position { rid, updated_us: 0, id: id.to_owned() })
            }
            _ => None,
        }
    }
}

impl DateValue {
    /// The span that the text stands for; `zone_minutes` applies where it names no zone.
    pub fn interval(&self, zone_minutes: i16) -> Interval {
        self.date.interval(zone_minutes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_link() {
        let position = Position { rid: 17, updated_us: 1_700_000_000_000_000, id: "a-1.b".to_owned() };
        let by = |key| Sort { key, is_descending: true };

        assert_eq!(Position::parse("17", by(SortKey::Created)).unwrap().rid, 17);
        let updated = Position::parse(&position.to_text(by(SortKey::LastUpdated)), by(SortKey::LastUpdated)).unwrap();
        assert_eq!((updated.rid, updated.updated_us), (17, position.updated_us));
        let id = Position::parse(&position.to_text(by(SortKey::Id)), by(SortKey::Id)).unwrap();
        assert_eq!((id.rid, id.id), (17, position.id));
    }

    #[test]
    fn a_position_of_another_order_is_refused() {
        for text in ["", "x", "1_", "1_2_3", "99999999999999999999"] {
            assert_eq!(Position::parse(text, Sort::default()), None, "{text}");
        }
        assert_eq!(Position::parse("5", Sort { key: SortKey::Id, is_descending: false }), None);
    }
}
