//! FHIR operations: one file for each.
//!
//! Spec: R4 operations.html

mod reindex;
mod validate;

pub use reindex::{Reindexer, progress, report};
pub use validate::{ValidateMode, validate};
