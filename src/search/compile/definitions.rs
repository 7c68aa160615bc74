//! The statement that finds definitions by their canonical URL.
//!
//! Spec: R4 references.html#canonical

use crate::fhir::ResourceType;
use crate::search::Registry;
use crate::search::compile::COLUMNS;
use crate::search::fold::fold_code;
use crate::store::{Hasher, Query};

/// At most `limit` resources of the type `of` with this `url` and, if one is given, this `version` but for its case; `None`
/// when the type has no search parameters for these.
///
/// Columns as of [`page`](super::page).
pub fn defined(of: ResourceType, url: &str, version: Option<&str>, hasher: &Hasher, limit: usize) -> Option<Query> {
    let number = |code| Some(i64::from(Registry::bundled().parameter(of, code)?.id()));
    let mut query = Query::new();
    query.sql(COLUMNS).sql(" FROM (SELECT DISTINCT i.rid FROM index_uri i WHERE i.param = ").integer(number("url")?);
    query.sql(" AND i.rid > 0 AND i.value = ").text(url);
    if let Some(version) = version {
        query.sql(" AND EXISTS (SELECT 1 FROM index_token t WHERE t.param = ").integer(number("version")?);
        query.sql(" AND t.code = ").integer(hasher.text(&fold_code(version)));
        query.sql(" AND t.system = 0 AND t.rid = i.rid)");
    }
    query.sql(" LIMIT ").integer(limit as i64);
    query.sql(") AS d CROSS JOIN resource r WHERE r.rid = d.rid AND r.method <> 2");
    Some(query)
}
