//! Is this resource good R4? JSON Schema first, then what the schema can't see. Returns issues, never fails.
//!
//! Spec: R4 validation.html

mod bindings;
mod bundle;
mod findings;
mod path;
mod primitives;
mod references;
mod schema;
mod structure;
mod xhtml;

#[cfg(test)]
mod broken_resources;
#[cfg(test)]
mod published_examples;

use crate::fhir::{Issue, Resource};

use findings::Findings;
use path::Path;
use structure::{Setting, Walk};

/// All findings about `resource`, not only the first; empty when there is nothing to say.
///
/// At most 100 are listed; one more that is no error then says how many are not. `bases` are this server's own base
/// URLs, without a slash at the end.
pub fn validate(resource: &Resource, bases: &[String]) -> Vec<Issue> {
    let mut walk = Walk { bases, findings: Findings::default() };
    let root = Path::Root(resource.resource_type.name());
    walk.resource(&resource.value, Setting::Whole { in_transaction: false }, &root);
    walk.findings.into_issues()
}
