//! A made-up family, to have something to look at.

use thiserror::Error;

use crate::access::Caller;
use crate::fhir::{Resource, json};
use crate::interactions::{Engine, InteractionError, bundle};
use crate::store::StoreError;

/// A transaction; everybody in it is invented.
const FAMILY: &[u8] = include_bytes!("family.json");

/// Why the demonstration data could not be stored.
#[derive(Debug, Error)]
pub enum DemoError {
    #[error("the demonstration data could not be stored: {0}")]
    Refused(#[from] InteractionError),
    #[error("the database could not be read: {0}")]
    Store(#[from] StoreError),
    #[error("the demonstration data are damaged: {0}")]
    Damaged(String),
}

/// Fills a database that never held anything; any other stays as it is.
pub fn fill(engine: &Engine) -> Result<(), DemoError> {
    let counts = engine.store.read_one(|reader| reader.type_counts())?;
    if counts.iter().any(|count| count.versions > 0) {
        tracing::info!("The database is not empty: no demonstration data are added");
        return Ok(());
    }
    let value = json::parse(FAMILY).map_err(|error| DemoError::Damaged(error.to_string()))?;
    let bundle = Resource::from_value(value).map_err(|issue| DemoError::Damaged(issue.text))?;
    let answer = bundle::process(engine, &Caller::system("demo"), bundle)?;
    tracing::info!(resources = answer.entries.len(), "Stored a made-up family");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation;

    #[test]
    fn the_family_is_valid() {
        let bundle = Resource::from_value(json::parse(FAMILY).unwrap()).unwrap();

        let issues = validation::validate(&bundle, &[]);

        assert!(issues.iter().all(|issue| !issue.is_error()), "{issues:#?}");
    }
}
