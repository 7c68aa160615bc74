//! Reading: one resource, a page of a search, counts.

use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, Text};
use diesel::{PgConnection, RunQueryDsl, SqliteConnection};

use crate::fhir::{ResourceKey, ResourceType};
use crate::store::codec;
use crate::store::dictionaries::Dictionaries;
use crate::store::query::Query;
use crate::store::rows::{Method, ResourceRow, key_from};
use crate::store::statement::{Built, Fixed, Statement, Value, fixed};
use crate::store::trace::{StepAnswer, Trace};
use crate::store::{Dialect, Guard, Hasher, Seal, StoreError};

/// A connection of either kind, borrowed for one piece of work.
pub(super) enum Link<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// Writes the same expression once for both kinds of connection.
macro_rules! on {
    ($link:expr, $connection:ident => $body:expr) => {
        match &mut $link {
            $crate::store::reader::Link::Sqlite($connection) => $body,
            $crate::store::reader::Link::Postgres($connection) => $body,
        }
    };
}
pub(super) use on;

/// Reads the database; all its answers come from the same snapshot if it was got by `Store::read`.
pub struct Reader<'c> {
    pub(super) link: Link<'c>,
    pub(super) hasher: Hasher,
    pub(super) seal: Seal,
    pub(super) dictionaries: &'c Dictionaries,
    /// What was run so far, if that is recorded.
    pub(super) trace: Option<Trace>,
}

pub(super) type RowSql = (BigInt, SmallInt, Text, BigInt, BigInt, SmallInt, SmallInt, Nullable<Binary>);
pub(super) type RowTuple = (i64, i16, String, i64, i64, i16, i16, Option<Vec<u8>>);

impl Reader<'_> {
    /// Which database answers.
    pub fn dialect(&self) -> Dialect {
        match self.link {
            Link::Sqlite(_) => Dialect::Sqlite,
            Link::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The hash under which the index keeps texts.
    pub fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// The seal of what clients carry back and forth.
    pub fn seal(&self) -> Seal {
        self.seal
    }

    /// The current version of `key`, which may be a deletion; `None` when it never existed, or `guard` is against it.
    pub fn current(&mut self, key: &ResourceKey, guard: &Guard) -> Result<Option<ResourceRow>, StoreError> {
        if let Some(condition) = guard.condition() {
            let mut query = Query::new();
            query
                .sql("SELECT r.rid, r.rtype, r.id, r.version, r.updated_us, r.method, r.codec, r.tail FROM resource r");
            query.sql(" WHERE r.key = ").integer(self.hasher.key(key)).append(condition.clone());
            return Ok(self.rows(&query)?.into_iter().find(|row| row.key == *key));
        }
        let values = [Value::Integer(self.hasher.key(key))];
        let select = fixed!(
            RowSql,
            "SELECT rid, rtype, id, version, updated_us, method, codec, tail FROM resource WHERE key = ?",
            &values,
        );
        self.one(select, key)
    }

    /// The version `version` of `key`, current or older; `None` when there is none, or `guard` is against the current one.
    pub fn version(
        &mut self,
        key: &ResourceKey,
        version: i64,
        guard: &Guard,
    ) -> Result<Option<ResourceRow>, StoreError> {
        if let Some(condition) = guard.condition() {
            let mut query = Query::new();
            query.sql(
                "SELECT r.rid, r.rtype, r.id, v.version, v.updated_us, v.method, v.codec, v.tail FROM resource r ",
            );
            query.sql("CROSS JOIN (SELECT rid, version, updated_us, method, codec, tail FROM version UNION ALL ");
            query.sql("SELECT rid, version, updated_us, method, codec, tail FROM resource) AS v ");
            query.sql("WHERE v.rid = r.rid AND r.key = ").integer(self.hasher.key(key));
            query.sql(" AND v.version = ").integer(version).append(condition.clone());
            return Ok(self.rows(&query)?.into_iter().find(|row| row.key == *key));
        }
        let values = [
            Value::Integer(self.hasher.key(key)),
            Value::Integer(version),
            Value::Integer(self.hasher.key(key)),
            Value::Integer(version),
        ];
        let select = fixed!(
            RowSql,
            "SELECT rid, rtype, id, version, updated_us, method, codec, tail FROM resource \
             WHERE key = ? AND version = ? \
             UNION ALL \
             SELECT r.rid, r.rtype, r.id, v.version, v.updated_us, v.method, v.codec, v.tail \
             FROM resource r JOIN version v ON v.rid = r.rid WHERE r.key = ? AND v.version = ?",
            &values,
        );
        self.one(select, key)
    }

    fn one<S: Statement<Rows = RowSql>>(
        &mut self,
        select: Fixed<'_, S>,
        key: &ResourceKey,
    ) -> Result<Option<ResourceRow>, StoreError> {
        let rows: Vec<RowTuple> = on!(self.link, connection => select.load(*connection))?;
        let row = rows.into_iter().next().map(|row| self.row_from(row)).transpose()?;
        // Two keys may, in theory, share a hash.
        Ok(row.filter(|row| row.key == *key))
    }

    /// The rows of a statement that selects `rid, rtype, id, version, updated_us, method, codec, tail`.
    pub fn rows(&mut self, query: &Query) -> Result<Vec<ResourceRow>, StoreError> {
        let run = |reader: &mut Self| {
            let built = Built::<RowSql>::new(query);
            let rows: Vec<RowTuple> = on!(reader.link, connection => built.load(*connection))?;
            rows.into_iter().map(|row| reader.row_from(row)).collect::<Result<Vec<_>, _>>()
        };
        self.traced(query, run, |rows| StepAnswer::Rows(rows.len()))
    }

    /// As [`Reader::rows`], of those that `guard` lets pass: the statement ends with conditions on `resource r`.
    pub fn guarded_rows(&mut self, query: &Query, guard: &Guard) -> Result<Vec<ResourceRow>, StoreError> {
        match guard.condition() {
            None => self.rows(query),
            Some(condition) => self.rows(query.clone().append(condition.clone())),
        }
    }

    /// The one number that a statement selects.
    pub fn number(&mut self, query: &Query) -> Result<i64, StoreError> {
        let run = |reader: &mut Self| {
            let built = Built::<BigInt>::new(query);
            Ok(on!(reader.link, connection => built.get_result(*connection))?)
        };
        self.traced(query, run, |number| StepAnswer::Number(*number))
    }

    /// How many resources of each type there are, and how many versions; types without any are left out.
    pub fn type_counts(&mut self) -> Result<Vec<TypeCount>, StoreError> {
        let select = fixed!(
            (SmallInt, BigInt, BigInt),
            "SELECT rtype, CAST(SUM(current) AS BIGINT), CAST(SUM(versions) AS BIGINT) \
             FROM type_count GROUP BY rtype ORDER BY rtype",
            &[],
        );
        let rows: Vec<(i16, i64, i64)> = on!(self.link, connection => select.load(*connection))?;
        rows.into_iter()
            .map(|(rtype, current, versions)| {
                let resource_type = ResourceType::from_code(rtype)
                    .ok_or_else(|| StoreError::Damaged(format!("a count of resource type {rtype}")))?;
                Ok(TypeCount { resource_type, current, versions })
            })
            .collect()
    }

    pub(super) fn row_from(&mut self, row: RowTuple) -> Result<ResourceRow, StoreError> {
        let (rid, rtype, id, version, updated_us, method, codec, tail) = row;
        let key = key_from(rtype, &id).ok_or_else(|| StoreError::Damaged(format!("key of resource {rid}")))?;
        let tail = tail.map(|bytes| self.unpack(codec, bytes)).transpose()?;
        Ok(ResourceRow { rid, key, version, updated_us, method: method_from(method)?, tail })
    }

    fn unpack(&mut self, packing: i16, bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let dictionary = self.dictionaries.needed(packing, &mut self.link)?;
        codec::unpack(packing, bytes, dictionary.as_deref())
    }
}

/// How much there is of one resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeCount {
    pub resource_type: ResourceType,
    /// Resources that are not deleted.
    pub current: i64,
    /// All versions ever written, deletions included.
    pub versions: i64,
}

fn method_from(code: i16) -> Result<Method, StoreError> {
    match code {
        0 => Ok(Method::Create),
        1 => Ok(Method::Update),
        2 => Ok(Method::Delete),
        other => Err(StoreError::Damaged(format!("method {other}"))),
    }
}
