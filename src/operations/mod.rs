//! FHIR operations: one file for each.
//!
//! Spec: R4 operations.html

mod validate;

pub use validate::{ValidateMode, validate};
