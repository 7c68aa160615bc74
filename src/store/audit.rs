//! The audit trail as the database keeps it: chains of blocks, each with the hash of the one before.
//!
//! What a block says is none of this room's business. SQLite has one chain, for it has one writer. PostgreSQL has 64, of which
//! a transaction takes one that is free, so that writers of one process or of several don't wait for each other.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, SmallInt, Text};
use sha2::{Digest, Sha256};

use crate::fhir::ResourceKey;
use crate::store::query::Query;
use crate::store::reader::{Link, Reader, on};
use crate::store::rows::{IndexRows, key_from};
use crate::store::statement::{Built, Value, fixed};
use crate::store::trace::StepAnswer;
use crate::store::{StoreError, Tx};

/// Events to add to the trail.
#[derive(Clone, Debug)]
pub struct AuditBlock {
    pub at_us: i64,
    pub events: Vec<u8>,
    /// The keys of the Patients that the events are about, each once.
    pub patients: Vec<i64>,
}

/// A block in its chain.
#[derive(Clone, Debug)]
pub struct AuditLink {
    pub chain: i64,
    pub seq: i64,
    pub at_us: i64,
    pub events: Vec<u8>,
    pub hash: Vec<u8>,
}

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    pub chain: i64,
    /// Of the last block; 0 when there is none.
    pub seq: i64,
    pub hash: Vec<u8>,
}

/// Blocks in the order of their moments, those of one moment by chain and number.
#[derive(Clone, Copy, Debug)]
pub struct AuditWalk<'w> {
    /// Those with something about one of these Patients; `None` for all.
    pub patients: Option<&'w [i64]>,
    pub is_ascending: bool,
    /// Moment, chain and number: those behind it.
    pub behind: (i64, i64, i64),
    /// The last moment, which is included.
    pub until_us: i64,
    pub most: i64,
}

impl AuditWalk<'_> {
    fn bounds(&self, query: &mut Query) {
        let (is_behind, is_within) = match self.is_ascending {
            true => (" > (", "b.at_us <= "),
            false => (" < (", "b.at_us >= "),
        };
        let (at_us, chain, seq) = self.behind;
        query.sql("(b.at_us, b.chain, b.seq)").sql(is_behind);
        query.integer(at_us).sql(", ").integer(chain).sql(", ").integer(seq).sql(") AND ");
        query.sql(is_within).integer(self.until_us);
    }

    fn order(&self, query: &mut Query) {
        query.sql(match self.is_ascending {
            true => " ORDER BY b.at_us, b.chain, b.seq",
            false => " ORDER BY b.at_us DESC, b.chain DESC, b.seq DESC",
        });
    }
}

/// Whose a resource is.
#[derive(Clone, Debug)]
pub struct Ownership {
    pub rid: i64,
    pub key: ResourceKey,
    /// The current version, which is what `rows` are of.
    pub version: i64,
    /// `None` when what the index says of it can't be read.
    pub rows: Option<IndexRows>,
}

impl AuditLink {
    /// The hash that it has to have behind a block with the hash `before`.
    pub fn hash_behind(&self, before: &[u8]) -> Vec<u8> {
        hash(before, self.chain, self.seq, self.at_us, &self.events)
    }
}

fn hash(before: &[u8], chain: i64, seq: i64, at_us: i64, events: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(before);
    for number in [chain, seq, at_us] {
        hash.update(number.to_be_bytes());
    }
    hash.update(events);
    hash.finalize().to_vec()
}

type LinkSql = (BigInt, BigInt, BigInt, Binary, Binary);
type LinkTuple = (i64, i64, i64, Vec<u8>, Vec<u8>);

impl Reader<'_> {
    /// The ends of all chains, by number.
    pub fn audit_heads(&mut self) -> Result<Vec<AuditHead>, StoreError> {
        let select = fixed!((BigInt, BigInt, Binary), "SELECT chain, seq, hash FROM audit_chain ORDER BY chain", &[]);
        let rows: Vec<(i64, i64, Vec<u8>)> = on!(self.link, connection => select.load(*connection))?;
        Ok(rows.into_iter().map(|(chain, seq, hash)| AuditHead { chain, seq, hash }).collect())
    }

    /// The `most` blocks that follow block `after` of chain `chain`; 0 and 0 begin with the first of all.
    pub fn audit_links(&mut self, chain: i64, after: i64, most: i64) -> Result<Vec<AuditLink>, StoreError> {
        let values = [Value::Integer(chain), Value::Integer(after), Value::Integer(chain), Value::Integer(most)];
        let select = fixed!(
            LinkSql,
            "SELECT chain, seq, at_us, events, hash FROM audit_block \
             WHERE chain = ? AND seq > ? OR chain > ? ORDER BY chain, seq LIMIT ?",
            &values,
        );
        let rows: Vec<LinkTuple> = on!(self.link, connection => select.load(*connection))?;
        let link = |(chain, seq, at_us, events, hash)| AuditLink { chain, seq, at_us, events, hash };
        Ok(rows.into_iter().map(link).collect())
    }

    /// The blocks of a walk, in its order.
    pub fn audit_walk(&mut self, walk: &AuditWalk<'_>) -> Result<Vec<AuditLink>, StoreError> {
        let mut query = Query::new();
        query.sql("SELECT b.chain, b.seq, b.at_us, b.events, b.hash FROM ");
        match walk.patients {
            None => {
                query.sql("audit_block b WHERE ");
                walk.bounds(&mut query);
            }
            Some(patients) => {
                // Of one Patient the index gives them in order, and each once.
                query.sql(if patients.len() > 1 { "(SELECT DISTINCT " } else { "(SELECT " });
                query.sql("b.chain, b.seq, b.at_us FROM audit_patient b WHERE b.patient");
                match patients {
                    [only] => query.sql(" = ").integer(*only),
                    several => query.among(self.dialect(), several),
                };
                query.sql(" AND ");
                walk.bounds(&mut query);
                walk.order(&mut query);
                query.sql(" LIMIT ").integer(walk.most);
                query.sql(") AS p CROSS JOIN audit_block b WHERE b.chain = p.chain AND b.seq = p.seq");
            }
        }
        walk.order(&mut query);
        query.sql(" LIMIT ").integer(walk.most);
        let run = |reader: &mut Self| {
            let built = Built::<LinkSql>::new(&query);
            Ok(on!(reader.link, connection => built.load(*connection))?)
        };
        let rows: Vec<LinkTuple> = self.traced(&query, run, |rows: &Vec<_>| StepAnswer::Rows(rows.len()))?;
        let link = |(chain, seq, at_us, events, hash)| AuditLink { chain, seq, at_us, events, hash };
        Ok(rows.into_iter().map(link).collect())
    }

    /// Under how many of these Patients the block can be found.
    pub fn audit_patients(&mut self, link: &AuditLink, patients: &[i64]) -> Result<i64, StoreError> {
        let mut query = Query::new();
        query.sql("SELECT COUNT(*) FROM audit_patient WHERE at_us = ").integer(link.at_us);
        query.sql(" AND chain = ").integer(link.chain).sql(" AND seq = ").integer(link.seq);
        query.sql(" AND patient").among(self.dialect(), patients);
        self.number(&query)
    }

    /// Under how many Patients all blocks can be found, together.
    pub fn audit_patient_count(&mut self) -> Result<i64, StoreError> {
        let mut query = Query::new();
        query.sql("SELECT COUNT(*) FROM audit_patient");
        self.number(&query)
    }

    /// Whose the resources `rids` are.
    pub fn ownership(&mut self, rids: &[i64]) -> Result<Vec<Ownership>, StoreError> {
        let mut query = Query::new();
        query.sql("SELECT rid, rtype, id, version, index_rows FROM resource WHERE rid");
        query.among(self.dialect(), rids);
        let built = Built::<(BigInt, SmallInt, Text, BigInt, Binary)>::new(&query);
        type Row = (i64, i16, String, i64, Vec<u8>);
        let rows: Vec<Row> = on!(self.link, connection => built.load(*connection))?;
        rows.into_iter()
            .map(|(rid, rtype, id, version, rows)| {
                let key = key_from(rtype, &id).ok_or_else(|| StoreError::Damaged(format!("key of resource {rid}")))?;
                Ok(Ownership { rid, key, version, rows: IndexRows::decode(&rows) })
            })
            .collect()
    }
}

impl Tx<'_> {
    /// Adds a block to a chain.
    pub fn append_audit(&mut self, block: &AuditBlock) -> Result<(), StoreError> {
        self.has_written = true;
        match &mut self.reader.link {
            Link::Sqlite(_) => self.append_alone(block),
            Link::Postgres(_) => self.append_to_free_chain(block),
        }
    }

    /// The writer of SQLite is alone.
    fn append_alone(&mut self, block: &AuditBlock) -> Result<(), StoreError> {
        let heads = self.reader.audit_heads()?;
        let head = heads.first().ok_or_else(|| StoreError::Damaged("no chain of the audit trail".to_owned()))?;
        let (chain, seq) = (head.chain, head.seq + 1);
        let hash = hash(&head.hash, chain, seq, block.at_us, &block.events);
        let Link::Sqlite(connection) = &mut self.reader.link else { return Ok(()) };
        let values = [
            Value::Integer(chain),
            Value::Integer(seq),
            Value::Integer(block.at_us),
            Value::Bytes(Some(&block.events)),
            Value::Bytes(Some(&hash)),
        ];
        fixed!((), "INSERT INTO audit_block (chain, seq, at_us, events, hash) VALUES (?, ?, ?, ?, ?)", &values)
            .execute(*connection)?;
        for patient in &block.patients {
            let values =
                [Value::Integer(*patient), Value::Integer(block.at_us), Value::Integer(chain), Value::Integer(seq)];
            fixed!((), "INSERT INTO audit_patient (patient, at_us, chain, seq) VALUES (?, ?, ?, ?)", &values)
                .execute(*connection)?;
        }
        let values = [Value::Integer(seq), Value::Bytes(Some(&hash)), Value::Integer(chain)];
        fixed!((), "UPDATE audit_chain SET seq = ?, hash = ? WHERE chain = ?", &values).execute(*connection)?;
        Ok(())
    }

    /// One statement, one round trip: PostgreSQL takes the hash itself. A chain that another transaction holds is passed
    /// over; when all are held, this waits for one.
    fn append_to_free_chain(&mut self, block: &AuditBlock) -> Result<(), StoreError> {
        let Link::Postgres(connection) = &mut self.reader.link else { return Ok(()) };
        let patients: Vec<String> = block.patients.iter().map(i64::to_string).collect();
        let patients = patients.join(",");
        let values = [
            Value::Integer(block.at_us),
            Value::Bytes(Some(&block.events)),
            Value::Integer(block.at_us),
            Value::Bytes(Some(&block.events)),
            Value::Text(&patients),
        ];
        macro_rules! append {
            ($which:literal) => {
                fixed!(
                    (),
                    concat!(
                        "WITH head AS (SELECT chain, seq, hash FROM audit_chain ",
                        $which,
                        "), added AS (INSERT INTO audit_block (chain, seq, at_us, events, hash) ",
                        "SELECT chain, seq + 1, ?, ?, ",
                        "sha256(hash || int8send(chain) || int8send(seq + 1) || int8send(?) || ?) FROM head ",
                        "RETURNING chain, seq, at_us, hash), owners AS (INSERT INTO audit_patient (patient, at_us, chain, seq) ",
                        "SELECT p.patient, a.at_us, a.chain, a.seq FROM added a, ",
                        "unnest(CAST(string_to_array(?, ',') AS BIGINT[])) AS p(patient)) ",
                        "UPDATE audit_chain c SET seq = a.seq, hash = a.hash FROM added a WHERE c.chain = a.chain"
                    ),
                    &values
                )
                .execute(*connection)
            };
        }
        if append!("ORDER BY chain LIMIT 1 FOR UPDATE SKIP LOCKED")? == 1 {
            return Ok(());
        }
        match append!("ORDER BY chain LIMIT 1 FOR UPDATE")? {
            1 => Ok(()),
            _ => Err(StoreError::Damaged("no chain of the audit trail".to_owned())),
        }
    }
}
