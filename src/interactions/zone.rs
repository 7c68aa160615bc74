//! The zone of dates that name none. The index is made by one, which the database has noted; that is the one that holds, in
//! all processes, and the settings must name the same.
//!
//! Spec: R4 search.html#date

use thiserror::Error;

use crate::fhir::Zone;
use crate::interactions::Engine;
use crate::store::StoreError;

/// The settings name another zone than that of the index.
#[derive(Debug, Error)]
pub enum ZoneError {
    #[error(
        "the database holds dates without a zone as those of {noted}, and the settings say {wanted}: searches would find \
         other days than were meant. Set the zone to {noted} ('--zone={noted}'), or run 'emberwell reindex --zone={wanted}', \
         which makes the index anew by {wanted}"
    )]
    Other { noted: Zone, wanted: Zone },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks that the index is made by the zone of the settings; the first time, and while no resource is there, that is noted
/// as the zone of the database.
pub fn settle(engine: &Engine) -> Result<(), ZoneError> {
    let wanted = engine.fhir.zone_minutes;
    if engine.store.read_one(|reader| reader.index_rules())?.zone_minutes == Some(wanted) {
        return Ok(());
    }
    let noted = engine.store.write(move |tx| tx.settle_zone(wanted))?;
    engine.refresh()?;
    if noted == wanted {
        return Ok(());
    }
    Err(ZoneError::Other { noted: Zone::from_minutes(noted), wanted: Zone::from_minutes(wanted) })
}

/// Makes the zone of the settings that of the database. If it was another, the index is stale until a reindex of all is done.
pub fn change(engine: &Engine) -> Result<(), StoreError> {
    let wanted = engine.fhir.zone_minutes;
    engine.store.write(move |tx| tx.change_zone(wanted))?;
    engine.refresh()
}
