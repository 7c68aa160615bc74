//! `GET [base]/[type]?..`, `GET [base]?..`, `GET [base]/[compartment]/[id]/[type]?..`, and all by `POST .../_search`
//!
//! Spec: R4 http.html#search

use std::time::Instant;

use actix_web::web::Data;

use crate::access::Caller;
use crate::fhir::ResourceType;
use crate::http::body::ResourceBody;
use crate::http::bundle_writer;
use crate::http::links::query_text;
use crate::http::paths::{CompartmentPath, TypePath};
use crate::http::response::FhirResponse;
use crate::http::wanted::{Wanted, WantedWithForm};
use crate::http::{App, HttpError, explain};
use crate::interactions::{self, InteractionError};
use crate::search::{Compartment, ParseContext, parse};

/// Searches one type.
pub async fn by_type(
    TypePath(resource_type): TypePath,
    wanted: Wanted,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    search(Some(resource_type), None, wanted, caller, &app).await
}

/// Searches one type; the parameters may stand in the body, the address or both.
pub async fn by_type_posted(
    TypePath(resource_type): TypePath,
    wanted: WantedWithForm,
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    search(Some(resource_type), None, told(&caller, wanted.completed(body.form()?)?), caller, &app).await
}

/// Searches all types.
pub async fn system(wanted: Wanted, caller: Caller, app: Data<App>) -> Result<FhirResponse, HttpError> {
    search(None, None, wanted, caller, &app).await
}

/// Searches all types; the parameters may stand in the body, the address or both.
pub async fn system_posted(
    wanted: WantedWithForm,
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    search(None, None, told(&caller, wanted.completed(body.form()?)?), caller, &app).await
}

/// Searches a compartment for one type, or for all.
pub async fn in_compartment(
    CompartmentPath(center, resource_type): CompartmentPath,
    wanted: Wanted,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let compartment = Compartment::of(center, resource_type)?;
    search(resource_type, Some(compartment), wanted, caller, &app).await
}

/// Searches a compartment; the parameters may stand in the body, the address or both.
pub async fn in_compartment_posted(
    CompartmentPath(center, resource_type): CompartmentPath,
    wanted: WantedWithForm,
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let compartment = Compartment::of(center, resource_type)?;
    search(resource_type, Some(compartment), told(&caller, wanted.completed(body.form()?)?), caller, &app).await
}

/// Has the audit trail know what a form asks for, which the address does not say.
fn told(caller: &Caller, wanted: Wanted) -> Wanted {
    if let Some(act) = caller.act() {
        act.ask(|| query_text(&wanted.query));
    }
    wanted
}

async fn search(
    resource_type: Option<ResourceType>,
    compartment: Option<Compartment>,
    wanted: Wanted,
    caller: Caller,
    app: &App,
) -> Result<FhirResponse, HttpError> {
    let Wanted { format, prefer, mut query, .. } = wanted;
    let is_explained = explain::is_asked(&mut query)?;
    if is_explained && !app.explains {
        return Err(HttpError::ExplainOff);
    }
    let work = app.block(move |engine| {
        let begun = Instant::now();
        let understood = || {
            let mut request = engine.understood(|registry| {
                let context = ParseContext { handling: prefer.handling, bases: &engine.bases, registry };
                parse(resource_type, &query, &context)
            })?;
            if let Some(compartment) = &compartment {
                request.bound_by(compartment.clone());
            }
            Ok::<_, InteractionError>(request)
        };
        if is_explained {
            let once = || {
                let request = understood()?;
                explain::explain(engine, &caller, &request, begun.elapsed())
            };
            return Ok(engine.by_present_rules(once, InteractionError::is_stale)?);
        }
        let once = || {
            let request = understood()?;
            let page = interactions::search_in_time(engine, &caller, &request)?;
            Ok((request, page))
        };
        let (request, page) = engine.by_present_rules(once, InteractionError::is_stale)?;
        let is_shape = |pair: &&(String, String)| matches!(pair.0.as_str(), "_format" | "_pretty");
        let shape: Vec<(String, String)> = query.iter().filter(is_shape).cloned().collect();
        Ok::<_, HttpError>(bundle_writer::searchset(&engine.fhir.base_url, &request, &page, &shape))
    });
    Ok(FhirResponse::ok(work.await?, format))
}
