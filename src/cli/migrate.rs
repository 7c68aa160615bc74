//! `emberwell migrate`

use crate::cli::Failure;
use crate::config::Settings;
use crate::store::Store;

/// Brings the database to the form that this release writes; opening does it.
pub(super) fn migrate(settings: &Settings) -> Result<(), Failure> {
    Store::open(&settings.server.database, 1, None).map_err(Failure::failed)?;
    eprintln!("emberwell: the database is up to date");
    Ok(())
}
