//! The rules by which index rows are made: a generation, counted with each change to them, and the zone of dates without one.
//!
//! Whoever makes index rows says by which generation; a write whose rows are by another than the present one is refused
//! (`StoreError::OtherRules`), so that after a change no resource lacks rows, whichever process writes.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Nullable, SmallInt};

use crate::store::job::JobState;
use crate::store::reader::{Link, Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// By which rules the index is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRules {
    pub generation: i64,
    /// Minutes east of UTC, for dates that name no zone; `None` when an earlier release has not noted it.
    pub zone_minutes: Option<i16>,
    /// Resources are in the database that searches would not find, or find by other rules.
    pub is_stale: bool,
}

impl Reader<'_> {
    /// The generation of the rules by which index rows are made.
    pub fn rules(&mut self) -> Result<i64, StoreError> {
        let select = fixed!(BigInt, "SELECT generation FROM index_rules", &[]);
        Ok(on!(self.link, connection => select.get_result(*connection))?)
    }

    /// All that is noted of the rules by which index rows are made.
    pub fn index_rules(&mut self) -> Result<IndexRules, StoreError> {
        let select = fixed!(
            (BigInt, Nullable<SmallInt>, SmallInt),
            "SELECT generation, zone_minutes, is_stale FROM index_rules",
            &[],
        );
        let (generation, zone_minutes, is_stale): (i64, Option<i16>, i16) =
            on!(self.link, connection => select.get_result(*connection))?;
        Ok(IndexRules { generation, zone_minutes, is_stale: is_stale != 0 })
    }

    /// Whether any resource is there that is not deleted.
    fn has_resources(&mut self) -> Result<bool, StoreError> {
        let select = fixed!(BigInt, "SELECT rid FROM resource WHERE method <> 2 LIMIT 1", &[]);
        let found: Vec<i64> = on!(self.link, connection => select.load(*connection))?;
        Ok(!found.is_empty())
    }
}

impl Tx<'_> {
    /// Notes that dates without a zone are in the index by `zone_minutes`, unless another zone is noted and resources are
    /// there. Answers with the zone that holds.
    pub fn settle_zone(&mut self, zone_minutes: i16) -> Result<i16, StoreError> {
        match self.reader.index_rules()?.zone_minutes {
            Some(noted) if noted == zone_minutes || self.reader.has_resources()? => Ok(noted),
            _ => {
                self.note_zone(zone_minutes)?;
                Ok(zone_minutes)
            }
        }
    }

    /// From now on dates without a zone go into the index by `zone_minutes`. If that is another zone than before, the index
    /// is stale until a reindex of all is done, and one that is under way is cancelled.
    pub fn change_zone(&mut self, zone_minutes: i16) -> Result<(), StoreError> {
        // No reindex begins meanwhile.
        self.lock_text("job")?;
        if self.reader.index_rules()?.zone_minutes == Some(zone_minutes) {
            return Ok(());
        }
        if let Some(job) = self.reader.running_job()? {
            self.end_job(&job.id, JobState::Cancelled, "")?;
        }
        self.note_zone(zone_minutes)?;
        if self.reader.has_resources()? {
            let update = fixed!((), "UPDATE index_rules SET is_stale = 1", &[]);
            on!(self.reader.link, connection => update.execute(*connection))?;
        }
        Ok(())
    }

    fn note_zone(&mut self, zone_minutes: i16) -> Result<(), StoreError> {
        self.has_written = true;
        self.next_rules(None)?;
        let values = [Value::Integer(i64::from(zone_minutes))];
        let update = fixed!((), "UPDATE index_rules SET zone_minutes = ?", &values);
        on!(self.reader.link, connection => update.execute(*connection))?;
        Ok(())
    }

    /// Ends the present generation of rules, which must be `present` if that is given, and gives the next.
    pub(super) fn next_rules(&mut self, present: Option<i64>) -> Result<i64, StoreError> {
        // Others that change the rules wait here, and then find that theirs are not the present ones.
        let changed = match present {
            Some(present) => {
                let values = [Value::Integer(present)];
                let update =
                    fixed!((), "UPDATE index_rules SET generation = generation + 1 WHERE generation = ?", &values);
                on!(self.reader.link, connection => update.execute(*connection))?
            }
            None => {
                let update = fixed!((), "UPDATE index_rules SET generation = generation + 1", &[]);
                on!(self.reader.link, connection => update.execute(*connection))?
            }
        };
        if changed == 0 {
            return Err(StoreError::OtherRules);
        }
        self.reader.rules()
    }

    /// Refuses rows that were made by other rules than the present ones; on PostgreSQL the statement that writes them
    /// tells the present ones, which spares a round trip.
    pub(super) fn check_rules(&mut self, rules: impl Iterator<Item = i64>) -> Result<(), StoreError> {
        let mut rules = rules.peekable();
        if rules.peek().is_none() || matches!(self.reader.link, Link::Postgres(_)) {
            return Ok(());
        }
        let present = self.reader.rules()?;
        if rules.all(|rules| rules == present) { Ok(()) } else { Err(StoreError::OtherRules) }
    }
}
