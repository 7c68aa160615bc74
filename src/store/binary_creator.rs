//! Who created a Binary that is part of no record: they alone see it until something has it as an attachment.
//!
//! The Binary itself doesn't say so, and an index is made of what resources say: these rows come with the create, and no reindex
//! makes or takes them.

use std::collections::BTreeMap;

use diesel::RunQueryDsl;

use crate::fhir::ResourceType;
use crate::store::reader::on;
use crate::store::statement::Built;
use crate::store::tx::Numbered;
use crate::store::{Query, StoreError, Tx};

/// What a version says of who created the resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Creator {
    /// Nothing is to be known of it: the resource is no Binary, says itself whose it is, or is deleted.
    #[default]
    Nobody,
    /// A Binary is created by whoever has this keyed hash, if it is new.
    Is(i64),
    /// What was known stays as it is.
    AsBefore,
}

impl Tx<'_> {
    /// Follows what versions that have been written say of creators.
    pub(super) fn note_creators(&mut self, writes: &[Numbered]) -> Result<(), StoreError> {
        let mut created: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        let mut ended = Vec::new();
        for write in writes.iter().filter(|write| write.put.key.resource_type == ResourceType::BINARY) {
            match (write.put.creator, &write.put.previous) {
                (Creator::Is(creator), None) => created.entry(creator).or_default().push(write.rid),
                (Creator::Nobody, Some(_)) => ended.push(write.rid),
                _ => {}
            }
        }
        for (creator, rids) in created {
            let mut insert = Query::new();
            insert.sql("INSERT INTO binary_creator (rid, creator) SELECT r.rid, ").integer(creator);
            insert.sql(" FROM resource r WHERE r.rid").among(self.dialect(), &rids);
            self.run(&insert)?;
        }
        if ended.is_empty() {
            return Ok(());
        }
        let mut delete = Query::new();
        delete.sql("DELETE FROM binary_creator WHERE rid").among(self.dialect(), &ended);
        self.run(&delete)
    }

    /// Notes that Binaries, by the hashes of their keys, are attachments now: whoever created them sees them no longer for that.
    pub fn end_creators(&mut self, keys: &[i64]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.has_written = true;
        let mut delete = Query::new();
        delete.sql("DELETE FROM binary_creator WHERE rid IN (SELECT r.rid FROM resource r WHERE r.key");
        delete.among(self.dialect(), keys).sql(")");
        self.run(&delete)
    }

    fn run(&mut self, change: &Query) -> Result<(), StoreError> {
        let built = Built::<()>::new(change);
        on!(self.reader.link, connection => built.execute(*connection))?;
        Ok(())
    }
}
