//! FHIR JSON: a strict parser that says where, and a writer that keeps every digit.
//!
//! Spec: R4 json.html

mod parse;
mod place;
mod write;

pub use parse::{JsonError, MAX_DEPTH, parse};
pub use place::expression;
pub use write::{write, write_text};
