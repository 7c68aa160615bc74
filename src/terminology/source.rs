//! Where definitions come from.

use std::convert::Infallible;

use serde_json::Value;

use crate::fhir::definitions;

/// Gives ValueSets and CodeSystems by their canonical URL.
pub trait Source {
    type Error: std::error::Error + 'static;

    /// The ValueSet `url`, in the given version or else the current one; `None` when it isn't known.
    fn value_set(&mut self, url: &str, version: Option<&str>) -> Result<Option<Value>, Self::Error>;

    /// The CodeSystem `url`, in the given version or else the current one; `None` when it isn't known.
    fn code_system(&mut self, url: &str, version: Option<&str>) -> Result<Option<Value>, Self::Error>;
}

/// The definitions of R4 that the program embeds.
pub struct Bundled;

impl Source for Bundled {
    type Error = Infallible;

    fn value_set(&mut self, url: &str, version: Option<&str>) -> Result<Option<Value>, Infallible> {
        Ok(definitions::value_set_definition(url).filter(|found| is_version(found, version)))
    }

    fn code_system(&mut self, url: &str, version: Option<&str>) -> Result<Option<Value>, Infallible> {
        Ok(definitions::code_system_definition(url).filter(|found| is_version(found, version)))
    }
}

fn is_version(found: &Value, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| found["version"] == wanted)
}

/// A canonical as URL and version.
///
/// Spec: R4 references.html#canonical
pub(super) fn split(canonical: &str) -> (&str, Option<&str>) {
    match canonical.split_once('|') {
        Some((url, version)) => (url, Some(version)),
        None => (canonical, None),
    }
}
