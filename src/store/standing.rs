//! What resources are sorted by: rows of the index in their order, and single resources as they stood at a mark.
//!
//! Spec: R4 search.html#sort

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Double, SmallInt, Text};

use crate::fhir::ResourceKey;
use crate::store::StoreError;
use crate::store::query::Query;
use crate::store::reader::{Reader, on};
use crate::store::rows::{IndexRows, Method, ResourceRow, key_from};
use crate::store::statement::Built;
use crate::store::trace::StepAnswer;

/// A row of an index table, or of another that has an order; what it does not use is 0 or empty.
#[derive(Clone, Debug, PartialEq)]
pub struct SortRow {
    pub text: String,
    pub low: i64,
    pub high: i64,
    pub value: f64,
    pub rid: i64,
}

/// A resource as it stood at a mark.
#[derive(Clone, Debug)]
pub struct Standing {
    pub rid: i64,
    pub key: ResourceKey,
    pub updated_us: i64,
    pub content: StandingContent,
}

/// What is at hand of a resource.
#[derive(Clone, Debug)]
pub enum StandingContent {
    /// It has not changed since: these are its rows in the index.
    Rows(Box<IndexRows>),
    /// It has changed since: this is the version of then.
    Version(ResourceRow),
}

/// A resource that a hash in the index stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub hash: i64,
    pub rid: i64,
    pub key: ResourceKey,
}

type StandingSql = (BigInt, SmallInt, Text, BigInt, SmallInt, BigInt, Binary);
type StandingTuple = (i64, i16, String, i64, i16, i64, Vec<u8>);

impl Reader<'_> {
    /// The whole numbers that a statement selects, one a row.
    pub fn numbers(&mut self, query: &Query) -> Result<Vec<i64>, StoreError> {
        let run = |reader: &mut Self| {
            let built = Built::<BigInt>::new(query);
            Ok(on!(reader.link, connection => built.load(*connection))?)
        };
        self.traced(query, run, |numbers: &Vec<i64>| StepAnswer::Rows(numbers.len()))
    }

    /// The rows of a statement that selects the columns of [`SortRow`].
    pub fn sort_rows(&mut self, query: &Query) -> Result<Vec<SortRow>, StoreError> {
        let run = |reader: &mut Self| {
            let built = Built::<(Text, BigInt, BigInt, Double, BigInt)>::new(query);
            Ok(on!(reader.link, connection => built.load(*connection))?)
        };
        let rows: Vec<(String, i64, i64, f64, i64)> =
            self.traced(query, run, |rows: &Vec<_>| StepAnswer::Rows(rows.len()))?;
        Ok(rows.into_iter().map(|(text, low, high, value, rid)| SortRow { text, low, high, value, rid }).collect())
    }

    /// The texts that a statement selects, with the hashes that they belong to.
    pub fn texts(&mut self, query: &Query) -> Result<Vec<(String, i64)>, StoreError> {
        let run = |reader: &mut Self| {
            let built = Built::<(Text, BigInt)>::new(query);
            Ok(on!(reader.link, connection => built.load(*connection))?)
        };
        self.traced(query, run, |texts: &Vec<_>| StepAnswer::Rows(texts.len()))
    }

    /// What the hashes `codes` stand for among the tokens of the parameter `param`.
    pub fn token_texts(&mut self, param: i16, codes: &[i64]) -> Result<Vec<(String, i64)>, StoreError> {
        let mut query = Query::new();
        query.sql("SELECT x.text, x.code FROM token_text x WHERE x.param = ").integer(i64::from(param));
        query.sql(" AND x.code").among(self.dialect(), codes);
        self.texts(&query)
    }

    /// The resources whose keys have the hashes `hashes`, deleted ones too.
    pub fn targets(&mut self, hashes: &[i64]) -> Result<Vec<Target>, StoreError> {
        let mut query = Query::new();
        query.sql("SELECT r.key, r.rid, r.rtype, r.id FROM resource r WHERE r.key").among(self.dialect(), hashes);
        let run = |reader: &mut Self| {
            let built = Built::<(BigInt, BigInt, SmallInt, Text)>::new(&query);
            Ok(on!(reader.link, connection => built.load(*connection))?)
        };
        let rows: Vec<(i64, i64, i16, String)> =
            self.traced(&query, run, |rows: &Vec<_>| StepAnswer::Rows(rows.len()))?;
        rows.into_iter().map(|(hash, rid, rtype, id)| Ok(Target { hash, rid, key: key_of(rid, rtype, &id)? })).collect()
    }

    /// The resources `rids` as they stood at `mark`, or as they stand now when there is none; those that were not there,
    /// or deleted, are left out.
    pub fn standing(&mut self, rids: &[i64], mark: Option<&str>) -> Result<Vec<Standing>, StoreError> {
        let dialect = self.dialect();
        let mut query = Query::new();
        query.sql("SELECT r.rid, r.rtype, r.id, r.updated_us, r.method, CAST(");
        match mark {
            None => query.sql("0"),
            Some(mark) => {
                query
                    .sql("CASE WHEN EXISTS (SELECT 1 FROM change c WHERE c.rid = r.rid AND c.version = r.version AND ");
                query.is_after(dialect, mark).sql(") THEN 1 ELSE 0 END")
            }
        };
        query.sql(" AS BIGINT), r.index_rows FROM resource r WHERE r.rid").among(dialect, rids);
        let run = |reader: &mut Self| {
            let built = Built::<StandingSql>::new(&query);
            Ok(on!(reader.link, connection => built.load(*connection))?)
        };
        let rows: Vec<StandingTuple> = self.traced(&query, run, |rows: &Vec<_>| StepAnswer::Rows(rows.len()))?;
        let mut standing = Vec::with_capacity(rows.len());
        let mut changed = Vec::new();
        for (rid, rtype, id, updated_us, method, is_changed, index_rows) in rows {
            if is_changed == 1 {
                changed.push(rid);
            } else if method != Method::Delete as i16 {
                let rows = IndexRows::decode(&index_rows);
                let rows = rows.ok_or_else(|| StoreError::Damaged(format!("index rows of resource {rid}")))?;
                let content = StandingContent::Rows(Box::new(rows));
                standing.push(Standing { rid, key: key_of(rid, rtype, &id)?, updated_us, content });
            }
        }
        if let Some(mark) = mark.filter(|_| !changed.is_empty()) {
            for row in self.older(&changed, mark)? {
                let (rid, key, updated_us) = (row.rid, row.key.clone(), row.updated_us);
                standing.push(Standing { rid, key, updated_us, content: StandingContent::Version(row) });
            }
        }
        Ok(standing)
    }

    /// The versions that stood at `mark` of resources that have changed since; no deletions.
    fn older(&mut self, rids: &[i64], mark: &str) -> Result<Vec<ResourceRow>, StoreError> {
        let dialect = self.dialect();
        let mut query = Query::new();
        query.sql("SELECT r.rid, r.rtype, r.id, v.version, v.updated_us, v.method, v.codec, v.tail");
        query.sql(" FROM resource r CROSS JOIN version v WHERE v.rid = r.rid AND v.method <> 2 AND v.version = ");
        query.sql("(SELECT MAX(c.version) FROM change c WHERE c.rid = r.rid AND NOT (").is_after(dialect, mark);
        query.sql(")) AND r.rid").among(dialect, rids);
        self.rows(&query)
    }
}

fn key_of(rid: i64, rtype: i16, id: &str) -> Result<ResourceKey, StoreError> {
    key_from(rtype, id).ok_or_else(|| StoreError::Damaged(format!("key of resource {rid}")))
}
