//! A made-up family to look at: their records, people who may sign in to them, and an app that draws what they measured.

mod people;
mod readings;
mod sample_app;

use std::sync::Arc;

use thiserror::Error;

pub use people::{Demonstrator, PASSWORD, PEOPLE};
pub use sample_app::{Page, SAMPLE_APP, page};

use crate::access::Caller;
use crate::fhir::{Resource, json};
use crate::interactions::bundle::Rider;
use crate::interactions::{Engine, InteractionError, bundle};
use crate::records::{Email, RecordError, verify_password};
use crate::store::{Reader, Store, StoreError};

/// A transaction; everybody in it is invented.
const FAMILY: &[u8] = include_bytes!("family.json");

/// Why the demonstration data could not be stored.
#[derive(Debug, Error)]
pub enum DemoError {
    #[error("the demonstration data could not be stored: {0}")]
    Refused(#[from] InteractionError),
    #[error("the people of the demonstration could not be added: {0}")]
    People(#[from] RecordError),
    #[error("the database could not be read: {0}")]
    Store(#[from] StoreError),
    #[error("the demonstration data are damaged: {0}")]
    Damaged(String),
}

/// Fills a database that never held anything; any other stays as it is. The sample app comes back to `root`, where people reach this server.
///
/// The records, the accounts and the app are written together: a start that breaks off leaves none of them.
pub fn fill(engine: &Engine, root: &str) -> Result<(), DemoError> {
    if !engine.store.read(is_empty)? {
        tracing::info!("The database is not empty: no demonstration data are added");
        return Ok(());
    }
    let people = people::prepare()?;
    let app = sample_app::registration(root)?;
    let rider: Rider = Arc::new(move |tx, _| {
        let added = people::add(tx, &people).and_then(|()| sample_app::register(tx, &app));
        added.map_err(|error| match error {
            RecordError::Store(error) => error,
            // Nothing of it comes from outside, and the database is empty.
            other => StoreError::Damaged(other.to_string()),
        })
    });
    let answer = bundle::process_with(engine, &Caller::system("demo"), family()?, &rider)?;
    tracing::info!(resources = answer.entries.len(), people = PEOPLE.len(), "Stored a made-up family");
    Ok(())
}

/// Whether there is neither a resource, nor a client, nor one of the accounts.
fn is_empty(reader: &mut Reader<'_>) -> Result<bool, StoreError> {
    let has_resources = reader.type_counts()?.iter().any(|count| count.versions > 0);
    Ok(!has_resources && reader.clients()?.is_empty() && accounts(reader)?.is_empty())
}

/// Those who can sign in with the password that everybody knows, in the order of [`PEOPLE`].
///
/// Takes as long as checking a password for each account that is there: tens of milliseconds.
pub fn present(store: &Store) -> Result<Vec<&'static Demonstrator>, StoreError> {
    let accounts = store.read(accounts)?;
    let known = accounts.into_iter().filter(|(_, account)| {
        let hash = account.password.as_ref().filter(|_| account.disabled_us.is_none());
        hash.is_some_and(|hash| verify_password(PASSWORD, Some(hash)))
    });
    Ok(known.map(|(person, _)| person).collect())
}

fn accounts(reader: &mut Reader<'_>) -> Result<Vec<(&'static Demonstrator, crate::store::Account)>, StoreError> {
    let mut found = Vec::new();
    for person in PEOPLE {
        let Ok(email) = person.email.parse::<Email>() else { continue };
        if let Some(account) = reader.account_by_email(email.as_str())? {
            found.push((person, account));
        }
    }
    Ok(found)
}

/// The transaction with all that the family has.
fn family() -> Result<Resource, DemoError> {
    let damaged = |error: &dyn std::fmt::Display| DemoError::Damaged(error.to_string());
    let mut family: serde_json::Value = serde_json::from_slice(FAMILY).map_err(|error| damaged(&error))?;
    let entries = family["entry"].as_array_mut().ok_or_else(|| damaged(&"no entries"))?;
    entries.extend(readings::entries());
    let value = json::parse(family.to_string().as_bytes()).map_err(|error| damaged(&error))?;
    Resource::from_value(value).map_err(|issue| DemoError::Damaged(issue.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation;

    #[test]
    fn the_family_is_valid() {
        let issues = validation::validate(&family().unwrap(), &[]);

        assert!(issues.iter().all(|issue| !issue.is_error()), "{issues:#?}");
    }
}
