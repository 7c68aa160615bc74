//! What a caller may see and do, as conditions that every statement carries.
//!
//! An [`AccessFilter`] is made once per caller and never changes. A search is [narrowed](crate::search::SearchRequest::narrowed) by it
//! before it can be compiled: the matches, and each resource that a chain, `_has` or `_list` passes through, must meet the conditions of
//! their type. What can't be seen is then as if it were not there.
//!
//! - `right`: what may be done with a resource
//! - `permit`: one thing that is allowed, and what it is made of
//! - `filter`: all that a caller may do, and the conditions that open it
//! - `admission`: what of it old versions meet, which are in no index
//! - `narrowed`: searches that have been bounded by it
//!
//! Spec: SMART App Launch 2.2, scopes for requesting clinical data

mod admission;
mod filter;
mod narrowed;
mod permit;
mod right;

pub use admission::Admission;
pub use filter::{AccessFilter, Bounds, Deletions, Lack, NotPermitted, View, is_recorded};
pub use narrowed::{Bound, NarrowedSearch};
pub use permit::{Permit, RECORDED, RECORDED_SYSTEM, Reach, SHARED_TYPES, Sensitivity};
pub use right::{Right, Rights};
