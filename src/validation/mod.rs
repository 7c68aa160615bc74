//! Is this resource good R4? JSON Schema first, then what the schema can't see. Returns issues, never fails.
//!
//! Spec: R4 validation.html

use crate::fhir::{Issue, Resource};

/// All findings about `resource`, not only the first; empty when there is nothing to say.
///
/// `bases` are this server's own base URLs, without a slash at the end.
pub fn validate(resource: &Resource, bases: &[String]) -> Vec<Issue> {
    let _ = (resource, bases);
    todo!()
}
