//! Writing: everything that one request changes, in one transaction.

use std::ops::{Deref, DerefMut};

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Binary, SmallInt};

use crate::fhir::{ResourceKey, ResourceType};
use crate::store::codec::Packed;
use crate::store::known_texts::KnownTexts;
use crate::store::reader::{Link, Reader, on};
use crate::store::rows::{IndexRows, Method};
use crate::store::statement::{Value, fixed};
use crate::store::{Creator, Definition, StoreError, WorkError, postgres, sqlite};

/// A write transaction. Dropped without success, nothing of it stays.
pub struct Tx<'c> {
    pub(super) reader: Reader<'c>,
    /// The instant of the next version; never before that of one that was written earlier.
    pub(super) now_us: i64,
    pub(super) numbers: &'c mut Numbers,
    /// Whether anything was asked of the database that would have to be undone.
    pub(super) has_written: bool,
    pub(super) known_texts: &'c KnownTexts,
    /// Texts of tokens that this transaction told the database.
    pub(super) told_texts: Vec<(i16, i64)>,
    /// Whether what anybody may do has changed.
    pub(super) has_changed_access: bool,
}

/// Hands out numbers for new resources.
pub(super) struct Numbers {
    pub(super) next: i64,
    /// First number that is not ours to give.
    pub(super) end: i64,
}

/// The current version of a resource that nobody else can change until this transaction ends.
#[derive(Clone, Debug)]
pub struct Locked {
    pub(super) rid: i64,
    pub version: i64,
    pub updated_us: i64,
    pub is_deleted: bool,
    pub(super) index_rows: Vec<u8>,
}

impl Locked {
    /// The number of the resource.
    pub fn rid(&self) -> i64 {
        self.rid
    }

    /// What the index says of it.
    pub fn rows(&self) -> Result<IndexRows, StoreError> {
        IndexRows::decode(&self.index_rows)
            .ok_or_else(|| StoreError::Damaged(format!("index rows of resource {}", self.rid)))
    }
}

/// A version to write.
pub struct Put {
    pub key: ResourceKey,
    /// What `Tx::lock` found; `None` creates the resource.
    pub previous: Option<Locked>,
    pub method: Method,
    /// `None` exactly for a deletion.
    pub tail: Option<Packed>,
    /// Normalized; of a deletion, whose record it was part of.
    pub rows: IndexRows,
    /// The generation of the rules that `rows` were made by (`Reader::rules`); `None` for a deletion, which has none.
    pub rules: Option<i64>,
    /// Of a SearchParameter: what it puts in force, if anything.
    pub definition: Option<Definition>,
    /// Of a Binary: who is known to have created it.
    pub creator: Creator,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub rid: i64,
    pub key: ResourceKey,
    pub version: i64,
    pub updated_us: i64,
    pub method: Method,
}

/// Whether rows of a resource of this type that come and go change what anybody may do: rules of Consents, and whom a Person or a
/// PractitionerRole leads to, for Consents may name those.
pub(super) fn changes_access(of: ResourceType, added: &IndexRows, gone: &IndexRows) -> bool {
    let leads = matches!(of.name(), "Person" | "PractitionerRole");
    let changes = |rows: &IndexRows| !rows.consents.is_empty() || leads && !rows.references.is_empty();
    changes(added) || changes(gone)
}

/// A `Put` with the numbers that it gets.
pub(super) struct Numbered {
    pub(super) put: Put,
    pub(super) rid: i64,
    pub(super) key_hash: i64,
    pub(super) version: i64,
    pub(super) updated_us: i64,
    /// The index rows that are to come and those that are to go.
    pub(super) added: IndexRows,
    pub(super) gone: IndexRows,
    pub(super) encoded_rows: Vec<u8>,
}

impl Numbered {
    /// By how much this write changes the number of resources that are not deleted.
    pub(super) fn current_delta(&self) -> i64 {
        let was = self.put.previous.as_ref().is_some_and(|previous| !previous.is_deleted);
        let is = self.put.method != Method::Delete;
        i64::from(is) - i64::from(was)
    }
}

impl<'c> Deref for Tx<'c> {
    type Target = Reader<'c>;

    fn deref(&self) -> &Reader<'c> {
        &self.reader
    }
}

impl<'c> DerefMut for Tx<'c> {
    fn deref_mut(&mut self) -> &mut Reader<'c> {
        &mut self.reader
    }
}

impl<'c> Tx<'c> {
    /// A transaction that has begun.
    pub(super) fn begun(
        reader: Reader<'c>,
        now_us: i64,
        numbers: &'c mut Numbers,
        known_texts: &'c KnownTexts,
    ) -> Tx<'c> {
        let told_texts = Vec::new();
        Tx { reader, now_us, numbers, has_written: false, known_texts, told_texts, has_changed_access: false }
    }
}

impl Tx<'_> {
    /// Packs a tail of which a part is known in the transaction alone.
    pub fn pack(&self, resource_type: ResourceType, tail: &[u8]) -> Packed {
        self.reader.dictionaries.packed(resource_type, tail)
    }

    /// The current version of `key`, held until the end; `None` when it never existed.
    pub fn lock(&mut self, key: &ResourceKey) -> Result<Option<Locked>, StoreError> {
        let values = [Value::Integer(self.hasher.key(key)), Value::Text(key.id.as_str())];
        type Sql = (BigInt, BigInt, BigInt, SmallInt, Binary);
        type Row = (i64, i64, i64, i16, Vec<u8>);
        let rows: Vec<Row> = match &mut self.reader.link {
            // The writer of SQLite is alone.
            Link::Sqlite(connection) => fixed!(
                Sql,
                "SELECT rid, version, updated_us, method, index_rows FROM resource WHERE key = ? AND id = ?",
                &values
            )
            .load(*connection)?,
            Link::Postgres(connection) => fixed!(
                Sql,
                "SELECT rid, version, updated_us, method, index_rows FROM resource WHERE key = ? AND id = ? FOR UPDATE",
                &values
            )
            .load(*connection)?,
        };
        Ok(rows.into_iter().next().map(|(rid, version, updated_us, method, index_rows)| Locked {
            rid,
            version,
            updated_us,
            is_deleted: method == 2,
            index_rows,
        }))
    }

    /// Waits until no other transaction holds the same text, and holds it until the end. What makes two equal
    /// conditional creates take turns.
    pub fn lock_text(&mut self, text: &str) -> Result<(), StoreError> {
        match &mut self.reader.link {
            // The writer of SQLite is alone.
            Link::Sqlite(_) => Ok(()),
            Link::Postgres(connection) => postgres::lock(connection, self.reader.hasher.text(text)),
        }
    }

    /// Runs `work`; when it fails, what it wrote is undone and the transaction goes on. The outer error is the
    /// database's own.
    pub fn attempt<T, E: WorkError>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        on!(self.reader.link, connection => connection.batch_execute("SAVEPOINT attempt"))?;
        let told = self.told_texts.len();
        let done = work(self);
        if done.is_err() {
            // The next write of such a text is to tell it.
            self.told_texts.truncate(told);
            on!(self.reader.link, connection => connection.batch_execute("ROLLBACK TO attempt"))?;
        }
        on!(self.reader.link, connection => connection.batch_execute("RELEASE attempt"))?;
        Ok(done)
    }

    /// Writes all of `puts`, which name each resource once; answers in their order.
    ///
    /// `StoreError::OtherRules` when the rows of one were made by other rules than the present ones.
    pub fn put_all(&mut self, puts: Vec<Put>) -> Result<Vec<Written>, StoreError> {
        self.check_rules(puts.iter().filter_map(|put| put.rules))?;
        self.has_written = true;
        let mut numbered = Vec::with_capacity(puts.len());
        for put in puts {
            let mut write = self.numbered(put)?;
            self.known_texts.keep_unknown(&mut write.added.texts, &mut self.told_texts);
            numbered.push(write);
        }
        match &mut self.reader.link {
            Link::Sqlite(connection) => sqlite::apply(connection, &numbered)?,
            Link::Postgres(connection) => postgres::apply(connection, &numbered)?,
        }
        self.note_creators(&numbered)?;
        self.follow_definitions(&numbered)?;
        if numbered.iter().any(|write| changes_access(write.put.key.resource_type, &write.added, &write.gone)) {
            self.bump()?;
        }
        let written = |write: Numbered| Written {
            rid: write.rid,
            key: write.put.key,
            version: write.version,
            updated_us: write.updated_us,
            method: write.put.method,
        };
        Ok(numbered.into_iter().map(written).collect())
    }

    /// Writes one version.
    pub fn put(&mut self, put: Put) -> Result<Written, StoreError> {
        let written = self.put_all(vec![put])?;
        written.into_iter().next().ok_or_else(|| StoreError::Damaged("a write without an answer".to_owned()))
    }

    fn numbered(&mut self, put: Put) -> Result<Numbered, StoreError> {
        let encoded_rows = put.rows.encode();
        let key_hash = self.hasher.key(&put.key);
        let Some(previous) = &put.previous else {
            let rid = self.next_rid()?;
            let added = put.rows.clone();
            let (version, updated_us) = (1, self.now_us);
            let gone = IndexRows::default();
            return Ok(Numbered { put, rid, key_hash, version, updated_us, added, gone, encoded_rows });
        };
        // Two versions within a millisecond still differ in time, so that `_at` can tell them apart.
        self.now_us = self.now_us.max(previous.updated_us + 1000);
        let standing = previous.rows()?;
        Ok(Numbered {
            rid: previous.rid,
            key_hash,
            version: previous.version + 1,
            updated_us: self.now_us,
            added: put.rows.without(&standing),
            gone: standing.without(&put.rows),
            encoded_rows,
            put,
        })
    }

    fn next_rid(&mut self) -> Result<i64, StoreError> {
        if self.numbers.next >= self.numbers.end {
            let Link::Postgres(connection) = &mut self.reader.link else {
                return Err(StoreError::Damaged("the database is out of resource numbers".to_owned()));
            };
            self.numbers.next = postgres::next_block(connection)?;
            self.numbers.end = self.numbers.next + postgres::BLOCK;
        }
        let rid = self.numbers.next;
        self.numbers.next += 1;
        Ok(rid)
    }
}
