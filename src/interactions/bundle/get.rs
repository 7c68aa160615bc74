//! The GET entries of a batch or transaction.

use crate::access::Caller;
use crate::fhir::{Issue, IssueCode, PartialDate, ResourceType};
use crate::interactions::bundle::EntryAnswer;
use crate::interactions::bundle::plan::{ReadConditions, Target};
use crate::interactions::{Engine, InteractionError, SearchSettings, history, read, search, vread};
use crate::search::{Compartment, Handling, ParseContext, SearchRequest, parse, parse_query_string};
use crate::store::{HistoryRequest, HistoryScope, Reader};

/// How many versions a history inside a Bundle gives when it does not say, and at most.
const VERSIONS: i64 = 50;
const MOST_VERSIONS: i64 = 1000;

/// A GET entry that is understood.
pub(super) struct Get {
    what: What,
    caller: Caller,
}

enum What {
    Read(Target, ReadConditions),
    Search(Box<SearchRequest>, SearchSettings),
    History(HistoryRequest, String),
}

impl Get {
    /// Understands the query of the entry, if it has one.
    pub(super) fn prepare(
        engine: &Engine,
        caller: &Caller,
        target: &Target,
        url: &str,
        conditions: &ReadConditions,
    ) -> Result<Get, InteractionError> {
        let what = match target {
            Target::Resource(_) | Target::Version(..) => What::Read(target.clone(), conditions.clone()),
            Target::Search { resource_type, query } => {
                let request = understood(engine, *resource_type, query)?;
                What::Search(Box::new(request), engine.search_settings())
            }
            Target::Compartment { center, resource_type, query } => {
                let mut request = understood(engine, *resource_type, query)?;
                request.bound_by(Compartment::of(center.clone(), *resource_type)?);
                What::Search(Box::new(request), engine.search_settings())
            }
            Target::History { key, resource_type, query } => {
                let scope = match (key, resource_type) {
                    (Some(key), _) => HistoryScope::Instance(key.clone()),
                    (None, Some(resource_type)) => HistoryScope::Type(*resource_type),
                    (None, None) => HistoryScope::System,
                };
                What::History(history_request(scope, query, engine.registry().zone_minutes())?, url.to_owned())
            }
        };
        Ok(Get { what, caller: caller.asking(url) })
    }

    /// Does a search whose answer nobody needs: one that takes too long is to end where it holds up no write.
    pub(super) fn try_out(&self, reader: &mut Reader<'_>) -> Result<(), InteractionError> {
        if let What::Search(request, settings) = &self.what {
            search(reader, &self.caller, request, settings)?;
        }
        Ok(())
    }

    /// Reads what the entry asks for.
    pub(super) fn run(&self, reader: &mut Reader<'_>) -> Result<EntryAnswer, InteractionError> {
        let caller = &self.caller;
        Ok(match &self.what {
            What::Read(Target::Version(key, version), _) => EntryAnswer::Read(vread(reader, caller, key, version)?),
            What::Read(Target::Resource(key), conditions) => {
                let row = read(reader, caller, key)?;
                let number = row.version.to_string();
                let is_known = match (&conditions.if_none_match, conditions.if_modified_since_us) {
                    (Some(versions), _) => versions.iter().any(|version| *version == number || version == "*"),
                    // HTTP dates have whole seconds.
                    (None, Some(since_us)) => row.updated_us / 1_000_000 <= since_us / 1_000_000,
                    (None, None) => false,
                };
                if is_known { EntryAnswer::NotModified(row) } else { EntryAnswer::Read(row) }
            }
            What::Read(..) => return Err(InteractionError::Invalid(Vec::new())),
            What::Search(request, settings) => {
                let page = search(reader, caller, request, settings)?;
                EntryAnswer::Searched { request: request.clone(), page }
            }
            What::History(request, url) => {
                EntryAnswer::History { url: url.clone(), page: history(reader, caller, request, None)? }
            }
        })
    }
}

fn understood(
    engine: &Engine,
    resource_type: Option<ResourceType>,
    query: &str,
) -> Result<SearchRequest, InteractionError> {
    let pairs = parse_query_string(query)?;
    engine.understood(|registry| {
        let context = ParseContext { handling: Handling::Strict, bases: &engine.bases, registry };
        parse(resource_type, &pairs, &context)
    })
}

fn history_request(scope: HistoryScope, query: &str, zone_minutes: i16) -> Result<HistoryRequest, InteractionError> {
    let mut request = HistoryRequest { scope, since_us: None, at: None, before: None, limit: VERSIONS };
    for (name, value) in parse_query_string(query)? {
        let refused = |text: &str| {
            let text = format!("'{name}' of the history: {text}");
            InteractionError::Invalid(vec![Issue::request(IssueCode::Value, text)])
        };
        let date = || PartialDate::parse_search(&value).map_err(|error| refused(&error.to_string()));
        match name.as_str() {
            "_count" => {
                let count = value.parse().ok().filter(|count| (1..=MOST_VERSIONS).contains(count));
                request.limit = count.ok_or_else(|| refused("a count is a number from 1 to 1000"))?;
            }
            "_since" => request.since_us = Some(date()?.interval(zone_minutes).lo_us),
            "_at" => request.at = Some(date()?.interval(zone_minutes)),
            "_format" => {}
            _ => return Err(refused("history takes _count, _since and _at")),
        }
    }
    Ok(request)
}
