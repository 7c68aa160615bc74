//! `GET [base]/[type]/[id]/_history`, `GET [base]/[type]/_history` and `GET [base]/_history`
//!
//! Spec: R4 http.html#history

use actix_web::web::Data;

use crate::access::Caller;
use crate::fhir::PartialDate;
use crate::http::bundle_writer::{self, CURSOR, HistoryLinks};
use crate::http::paths::{KeyPath, TypePath};
use crate::http::response::FhirResponse;
use crate::http::subset::Subset;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::interactions;
use crate::search::{Handling, MAX_COUNT, SearchError};
use crate::store::{HistoryRequest, HistoryScope, Reader};

/// Versions on a page when the client does not say.
const DEFAULT_COUNT: i64 = 50;

/// The versions of one resource.
pub async fn of_instance(
    KeyPath(key): KeyPath,
    wanted: Wanted,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let path = format!("{key}/_history");
    history(HistoryScope::Instance(key), path, wanted, caller, &app).await
}

/// The versions of all resources of a type.
pub async fn of_type(
    TypePath(resource_type): TypePath,
    wanted: Wanted,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let path = format!("{resource_type}/_history");
    history(HistoryScope::Type(resource_type), path, wanted, caller, &app).await
}

/// All versions of all resources.
pub async fn of_system(wanted: Wanted, caller: Caller, app: Data<App>) -> Result<FhirResponse, HttpError> {
    history(HistoryScope::System, "_history".to_owned(), wanted, caller, &app).await
}

async fn history(
    scope: HistoryScope,
    path: String,
    wanted: Wanted,
    caller: Caller,
    app: &App,
) -> Result<FhirResponse, HttpError> {
    let subset = Subset::of_query(&wanted.query)?;
    let (request, links) = understood(scope, path, &wanted, app.engine.registry().zone_minutes())?;
    let work = app.block(move |engine| {
        let cursor = links.cursor.as_deref();
        let history = |reader: &mut Reader<'_>| interactions::history(reader, &caller, &request, cursor);
        // Who polls with `_since` must not miss what is still being written.
        let page = match request.since_us {
            Some(_) => engine.store.read_settled(history),
            None => engine.store.read(history),
        }?;
        Ok::<_, HttpError>(bundle_writer::history(&engine.fhir.base_url, &links, &page, &subset))
    });
    Ok(FhirResponse::ok(work.await?, wanted.format))
}

/// Reads the query; what is not known is refused, or left out if the client prefers that.
fn understood(
    scope: HistoryScope,
    path: String,
    wanted: &Wanted,
    zone_minutes: i16,
) -> Result<(HistoryRequest, HistoryLinks), HttpError> {
    let mut request = HistoryRequest { scope, since_us: None, at: None, before: None, limit: DEFAULT_COUNT };
    let mut links = HistoryLinks { path, ..HistoryLinks::default() };
    for (name, value) in &wanted.query {
        let refused = |name: &'static str, problem: &str| HttpError::Parameter { name, problem: problem.to_owned() };
        let interval = |name: &'static str| {
            let date = PartialDate::parse_search(value).map_err(|error| refused(name, &error.to_string()))?;
            Ok::<_, HttpError>(date.interval(zone_minutes))
        };
        let mut used = value.clone();
        if links.used.iter().any(|(given, _)| given == name) && matches!(name.as_str(), "_count" | "_since" | "_at") {
            return Err(SearchError::Repeated { parameter: name.clone() }.into());
        }
        match name.as_str() {
            "_count" => {
                if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(refused("_count", "give a whole number from 0"));
                }
                // More digits than a number holds is still a number above the limit.
                request.limit = value.parse().unwrap_or(i64::MAX).min(i64::from(MAX_COUNT));
                used = request.limit.to_string();
            }
            "_since" => request.since_us = Some(interval("_since")?.lo_us),
            "_at" => request.at = Some(interval("_at")?),
            CURSOR => {
                links.cursor = Some(value.clone());
                continue;
            }
            "_format" | "_pretty" | "_summary" | "_elements" => {}
            _ if wanted.prefer.handling == Handling::Lenient => continue,
            _ => {
                let taken = "_count, _since, _at, _summary, _elements, _format and _pretty";
                return Err(HttpError::UnknownParameter { taken });
            }
        }
        links.used.push((name.clone(), used));
    }
    Ok((request, links))
}
