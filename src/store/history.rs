//! History: the versions of one resource, of a type, of everything, newest first.

use crate::fhir::{Interval, ResourceKey, ResourceType};
use crate::store::query::Query;
use crate::store::reader::{Reader, on};
use crate::store::rows::{Method, ResourceRow};
use crate::store::statement::Built;
use crate::store::{Guard, StoreError, deadline};

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, Text};

/// Whose versions are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryScope {
    Instance(ResourceKey),
    Type(ResourceType),
    System,
}

/// A page of history.
#[derive(Clone, Debug)]
pub struct HistoryRequest {
    pub scope: HistoryScope,
    /// Only versions written at or after this instant, in microseconds; to be asked of `Store::read_settled`.
    pub since_us: Option<i64>,
    /// Only versions that were current at some time in this span.
    pub at: Option<Interval>,
    /// Only rows before this place; the `place` of the last row of the page before.
    pub before: Option<i64>,
    pub limit: i64,
}

/// One version in a history, with the place from which the next page goes on.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    pub place: i64,
    pub row: ResourceRow,
    /// Whether it is the current version.
    pub is_current: bool,
    /// Whether the resource is deleted by now.
    pub is_deleted_now: bool,
}

type Sql = (BigInt, BigInt, SmallInt, Text, BigInt, BigInt, SmallInt, SmallInt, Nullable<Binary>, SmallInt, BigInt);
type Tuple = (i64, i64, i16, String, i64, i64, i16, i16, Option<Vec<u8>>, i16, i64);

/// The change log with each version's own columns, wherever that version is kept.
const SELECT: &str = "SELECT c.seq, r.rid, r.rtype, r.id, c.version, c.updated_us, \
     CASE WHEN v.rid IS NULL THEN r.method ELSE v.method END, \
     CASE WHEN v.rid IS NULL THEN r.codec ELSE v.codec END, \
     CASE WHEN v.rid IS NULL THEN r.tail ELSE v.tail END, r.method, r.version \
     FROM change c JOIN resource r ON r.rid = c.rid \
     LEFT JOIN version v ON v.rid = c.rid AND v.version = c.version WHERE 1 = 1";

impl Reader<'_> {
    /// One page of history, newest first: the versions of the resources whose current version `guard` lets pass, or of these
    /// the current one only.
    pub fn history(
        &mut self,
        request: &HistoryRequest,
        guard: &Guard,
        is_current_only: bool,
    ) -> Result<Vec<HistoryRow>, StoreError> {
        let mut query = Query::new();
        query.sql(SELECT);
        if let Some(condition) = guard.condition() {
            query.append(condition.clone());
        }
        if is_current_only {
            query.sql(" AND c.version = r.version AND r.method <> 2");
        }
        match &request.scope {
            HistoryScope::Instance(key) => {
                // Served by change_by_resource.
                query.sql(" AND c.rid = (SELECT k.rid FROM resource k WHERE k.key = ").integer(self.hasher.key(key));
                query.sql(" AND k.id = ").text(key.id.as_str()).sql(")");
            }
            HistoryScope::Type(resource_type) => {
                query.sql(" AND c.rtype = ").integer(i64::from(resource_type.code()));
            }
            HistoryScope::System => {}
        }
        if let Some(before) = request.before {
            query.sql(" AND c.seq < ").integer(before);
        }
        if let Some(since_us) = request.since_us {
            query.sql(" AND c.updated_us >= ").integer(since_us);
        }
        if let Some(at) = request.at {
            query.sql(" AND c.updated_us < ").integer(at.hi_us);
            query.sql(" AND NOT EXISTS (SELECT 1 FROM change n WHERE n.rid = c.rid AND n.version = c.version + 1");
            query.sql(" AND n.updated_us <= ").integer(at.lo_us).sql(")");
        }
        query.sql(" ORDER BY c.seq DESC LIMIT ").integer(request.limit);
        deadline::check(&mut self.link)?;
        let built = Built::<Sql>::new(&query);
        let rows: Vec<Tuple> = on!(self.link, connection => built.load(*connection))?;
        rows.into_iter()
            .map(|(place, rid, rtype, id, version, updated_us, method, codec, tail, current, newest)| {
                let row = self.row_from((rid, rtype, id, version, updated_us, method, codec, tail))?;
                let (is_current, is_deleted_now) = (version == newest, current == Method::Delete as i16);
                Ok(HistoryRow { place, row, is_current, is_deleted_now })
            })
            .collect()
    }
}
