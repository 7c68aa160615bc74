//! Search: the parameter registry, extraction of index rows, and the one compiler from a query to a statement.
//!
//! A query goes `parse_query_string` -> [`parse`] -> [`SearchRequest::narrowed`] -> [`page`], [`count`] or [`matches`]. A resource goes
//! [`extract`] -> index rows. Both sides read values with the same functions, so that they can't drift apart.
//!
//! Spec: R4 search.html

mod app_state;
mod canonical;
mod codes;
mod compartment;
mod compile;
mod condition;
mod contained;
mod dialect;
mod error;
mod extract;
mod facet;
mod fold;
mod hierarchy;
mod include;
mod labels;
mod near;
mod own;
mod parse;
mod party;
mod path;
mod query_text;
mod registry;
mod request;
mod rights;
mod sort;
mod words;

pub use app_state::{StateCode, codings, mark_as_state};
pub use codes::{CodeQuery, Codes, ResolvedSearch};
pub use compartment::{CENTERS, Compartment};
pub use compile::{
    CompileContext, DateBounds, ResourceRange, Span, Start, Walk, any_contained, aside, bounds, called,
    contained_count, contained_page, count, count_up_to, defined, driven, entries, entries_within, guard,
    guard_of_deletions, holder_of, is_narrow, kept_from, leads_to_many, matches, matching, matching_entries,
    order_of_lead, page, referred, referring, rows_of, screened, size, token_entries, token_texts, updated_since,
    visible, visible_keys,
};

pub use condition::{Chain, Condition, Contains, Extent, Has};
pub use dialect::keeps_statistics;
pub use error::SearchError;
use extract::makes_owner;
pub use extract::{
    ATTACHED, ExtractContext, ExtractError, Places, element_of_owner, extract, has_parties, owners, reference_texts,
};
pub use fold::{STRING_INDEX_CHARS, fold};
pub use include::{Direction, Include};
pub use labels::{APP_STATE, LABEL_SYSTEM, LabelSet, PERSONAL};
pub use near::Circle;
pub use own::{OwnParameter, problem as problem_of_parameter, read as read_own_parameter};
pub use parse::{MAX_COUNT, ParseContext, parse};
pub use party::{Party, Use, actor_of_client, actor_of_user};
pub use query_text::parse_query_string;
pub use registry::{OwnDefinition, Parameter, ParameterKind, Registry};
pub use request::{
    CanonicalQuantity, Containment, Control, Criterion, DateValue, Demand, Handling, Modifier, Position, Prefix,
    QuantityValue, ReferenceValue, Returned, SearchRequest, Size, Subject, Summary, TokenValue, Total, TypedIdentifier,
    Values,
};
pub use rights::{
    AccessFilter, Admission, Bound, Bounds, Deletions, Lack, NarrowedSearch, NotPermitted, Permit, RECORDED,
    RECORDED_SYSTEM, Reach, Right, Rights, SHARED_TYPES, Sensitivity, View, is_recorded,
};
pub use sort::{Beginning, IndexedValue, Link, Order, Place, Sort, SortBy, SortKey, SortValue, indexed_value};
pub use words::Words;
