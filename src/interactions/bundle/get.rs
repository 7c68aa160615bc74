//! The GET entries of a batch or transaction.

use crate::access::Caller;
use crate::fhir::{Issue, IssueCode, PartialDate};
use crate::interactions::bundle::EntryAnswer;
use crate::interactions::bundle::plan::{ReadConditions, Target};
use crate::interactions::{Engine, InteractionError, history, read, search, vread};
use crate::search::{Handling, ParseContext, parse, parse_query_string};
use crate::store::{HistoryRequest, HistoryScope, Reader};

/// How many versions a history inside a Bundle gives when it does not say.
const VERSIONS: i64 = 50;

/// Reads what a GET entry asks for.
pub(super) fn get(
    engine: &Engine,
    reader: &mut Reader<'_>,
    caller: &Caller,
    target: &Target,
    url: &str,
    conditions: &ReadConditions,
) -> Result<EntryAnswer, InteractionError> {
    match target {
        Target::Resource(key) => {
            let row = read(reader, caller, key)?;
            let number = row.version.to_string();
            let is_known = match (&conditions.if_none_match, conditions.if_modified_since_us) {
                (Some(versions), _) => versions.iter().any(|version| *version == number || version == "*"),
                // HTTP dates have whole seconds.
                (None, Some(since_us)) => row.updated_us / 1_000_000 <= since_us / 1_000_000,
                (None, None) => false,
            };
            Ok(if is_known { EntryAnswer::NotModified(row) } else { EntryAnswer::Read(row) })
        }
        Target::Version(key, version) => Ok(EntryAnswer::Read(vread(reader, caller, key, version)?)),
        Target::Search { resource_type, query } => {
            let context = ParseContext { handling: Handling::Strict, bases: &engine.bases };
            let request = parse(*resource_type, &parse_query_string(query)?, &context)?;
            let page = search(reader, caller, &request, engine.fhir.zone_minutes)?;
            Ok(EntryAnswer::Searched { request: Box::new(request), page })
        }
        Target::History { key, resource_type, query } => {
            let scope = match (key, resource_type) {
                (Some(key), _) => HistoryScope::Instance(key.clone()),
                (None, Some(resource_type)) => HistoryScope::Type(*resource_type),
                (None, None) => HistoryScope::System,
            };
            let page = history(reader, caller, &history_request(scope, query)?)?;
            Ok(EntryAnswer::History { url: url.to_owned(), page })
        }
    }
}

fn history_request(scope: HistoryScope, query: &str) -> Result<HistoryRequest, InteractionError> {
    let mut request = HistoryRequest { scope, since_us: None, at: None, before: None, limit: VERSIONS };
    for (name, value) in parse_query_string(query)? {
        let refused = |text: &str| {
            InteractionError::Invalid(vec![Issue::request(IssueCode::Value, format!("'{name}' of the history: {text}"))])
        };
        let date = || PartialDate::parse_search(&value).map_err(|error| refused(&error.to_string()));
        match name.as_str() {
            "_count" => request.limit = value.parse().ok().filter(|count| (1..=1000).contains(count)).ok_or_else(|| refused("a count is 1 to 1000"))?,
            "_since" => request.since_us = Some(date()?.interval(0).lo_us),
            "_at" => request.at = Some(date()?.interval(0)),
            "_format" => {}
            _ => return Err(refused("history takes _count, _since and _at")),
        }
    }
    Ok(request)
}
