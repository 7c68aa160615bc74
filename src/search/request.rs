//! A search as it was understood.
//!
//! Spec: R4 search.html

use std::sync::Arc;

use crate::fhir::{Interval, Issue, PartialDate, ResourceKey, ResourceType};
use crate::search::compile::lead::leading_range;
use crate::search::{
    Bound, Circle, CodeQuery, Codes, Compartment, Condition, Include, Parameter, Registry, Sort, Words,
};

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

/// A search: every demand must be met.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// The parameters that were in force when it was read.
    pub registry: Arc<Registry>,
    /// `None` searches all types, or those of `types`.
    pub resource_type: Option<ResourceType>,
    /// The `_type` list of a search without a type; empty means all.
    pub types: Vec<ResourceType>,
    pub demands: Vec<Demand>,
    /// Each entry admits only what is bound to one of its Patients. Compartment routes and access rules add to it.
    pub compartments: Vec<Bound>,
    /// What the matches must meet besides, because of who is asking.
    pub(super) access: Option<Condition>,
    /// Tells the pages of one caller from those of another.
    pub(super) stamp: u64,
    /// The compartment that the address names.
    pub compartment: Option<Compartment>,
    pub includes: Vec<Include>,
    pub control: Control,
    /// The parameters that took effect, as the self link says them.
    pub used: Vec<(String, String)>,
    /// What was left out, and why.
    pub ignored: Vec<Issue>,
}

/// How the answer is to look.
#[derive(Clone, Debug)]
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
    /// How many matches all pages may have together; `None` is all.
    pub max_results: Option<u32>,
    /// What becomes of resources within resources; `None` passes over them.
    pub contained: Option<Containment>,
}

/// How resources within resources are searched.
///
/// Spec: R4 search.html#contained
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Containment {
    /// `_contained=both`: resources by themselves as well.
    pub is_both: bool,
    pub returned: Returned,
}

/// What is returned of a contained resource that matches: `_containedType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Returned {
    #[default]
    Container,
    Contained,
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

/// The match next to which a page begins, in the order of creation or of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub rid: i64,
    pub id: String,
    /// The page ends before the match instead of beginning after it; it comes in reverse.
    pub is_backward: bool,
    /// What was created after this snapshot (`Reader::mark`) is left out.
    pub mark: String,
}

/// One parameter of a query: `name=value,value`.
#[derive(Clone, Debug)]
pub struct Demand {
    pub condition: Condition,
    /// Name, modifier and sorted values as text; equal demands have equal texts.
    pub text: String,
}

/// `parameter[:modifier]=value,value`.
#[derive(Clone, Debug)]
pub struct Criterion {
    pub subject: Subject,
    pub modifier: Option<Modifier>,
    /// One of them must match.
    pub values: Values,
    /// `None` as long as nobody has counted.
    pub size: Option<Size>,
}

/// How many rows a criterion has in the index. It decides how the search is done, never what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Few(u32),
    Many,
}

/// What a criterion is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// `_id`
    Id,
    /// `_lastUpdated`
    LastUpdated,
    /// `near` of Location.
    Near,
    /// `_text`: the words of the narrative.
    Text,
    /// `_content`: all words of the resource.
    Content,
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
    /// Of a string or uri: the value is somewhere in it.
    Contains,
    /// Of a token: a code and all that it subsumes. Of a uri: all that begin with it. Of a reference: a resource and all
    /// that are part of it.
    Below,
    /// The other way round.
    Above,
    Type(ResourceType),
    /// Of a token: what people read begins with the value.
    Text,
    /// Of an identifier: its type and its value.
    OfType,
    /// Of a reference: the identifier of its target.
    Identifier,
    /// Of a string: all of it is the value, folded (`eq` of a filter).
    Whole,
    /// Of a string or token: one of them is another than the value (`ne` of a filter).
    Unequal,
    /// Of a string: it ends with the value, folded (`ew` of a filter).
    Ending,
    /// Of a string: its first character is compared with that of the value (`gt`, `lt`, `ge`, `le` of a filter).
    Initial(Prefix),
    /// Of a date: the span holds all of the value (`co` of a filter).
    Covering,
    /// Of a date: the span has something in common with the value (`po` of a filter).
    Overlapping,
    /// Of a token: one of the codes of a value set.
    In,
    /// Of a token: none of the codes of a value set.
    NotIn,
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
    Near(Vec<Circle>),
    Words(Words),
    /// Each has a value for each component, in their order.
    Composites(Vec<Vec<Values>>),
    /// System and code of the type, and the value.
    TypedIdentifiers(Vec<TypedIdentifier>),
    /// Codes that terminology is still to tell.
    CodeQueries(Vec<CodeQuery>),
    /// Codes that it has told.
    Codes(Codes),
}

/// `system|code|value` of `:of-type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedIdentifier {
    pub system: String,
    pub code: String,
    pub value: String,
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
    /// The same in the unit of the index, when the code is one of UCUM that is understood.
    pub canonical: Option<CanonicalQuantity>,
}

/// A number in the unit in which the index compares all of its dimension.
///
/// Spec: R4 search.html#quantity, "a server .. MAY choose to perform a search based on canonical units"
#[derive(Clone, Debug, PartialEq)]
pub struct CanonicalQuantity {
    /// As [`crate::fhir::ucum::usual`] gives it.
    pub unit: String,
    pub value: f64,
    /// The bounds of the written precision, each converted.
    pub implicit: (f64, f64),
    /// A tenth of the number below and above, taken before it is converted: ten percent of 37 degrees Celsius are not
    /// those of 310 kelvin.
    pub near: (f64, f64),
}

impl SearchRequest {
    /// What the matches must meet: the demands, and what is demanded because of who is asking.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.demands.iter().map(|demand| &demand.condition).chain(&self.access)
    }

    /// The same text for searches that ask for the same in any order of parameters and values; for locks on conditions.
    pub fn canonical(&self) -> String {
        let mut demands: Vec<&str> = self.demands.iter().map(|demand| &*demand.text).collect();
        demands.sort_unstable();
        demands.dedup();
        let scope = self.resource_type.map_or("", ResourceType::name);
        format!("{scope}?{}", demands.join("&"))
    }

    /// True when all resources of the types match.
    pub fn is_unconditional(&self) -> bool {
        self.asks_no_more_than(&[])
    }

    /// True when whatever meets the demands at these places matches.
    pub fn asks_no_more_than(&self, met: &[usize]) -> bool {
        let is_bound = !self.compartments.is_empty() || self.compartment.is_some() || self.access.is_some();
        !is_bound && (0..self.demands.len()).all(|place| met.contains(&place))
    }

    /// True when only the number of matches is wanted.
    pub fn is_count_only(&self) -> bool {
        self.control.count == 0 || self.control.summary == Summary::Count
    }

    /// True when the database is asked once: for the page or for the total, not for both, nor for
    /// what is included, nor whether own parameters are still what they were.
    pub fn is_one_statement(&self) -> bool {
        let is_total_free = matches!(self.control.total, None | Some(Total::None));
        let is_self_contained = !self.uses_own() && !self.asks_terminology() && self.control.contained.is_none();
        let is_read_at_once =
            self.control.sort.is_by_creation_or_id() && leading_range(self).is_none() && self.includes.is_empty();
        is_self_contained && (self.is_count_only() || (is_total_free && is_read_at_once))
    }
}

impl DateValue {
    /// The span that the text stands for; `zone_minutes` applies where it names no zone.
    pub fn interval(&self, zone_minutes: i16) -> Interval {
        self.date.interval(zone_minutes)
    }
}
