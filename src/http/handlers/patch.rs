//! `PATCH [base]/[type]/[id]` and `PATCH [base]/[type]?[criteria]`
//!
//! Spec: R4 http.html#patch

use actix_web::web::Data;

use crate::access::Caller;
use crate::http::body::{Body, ResourceBody, parse_value};
use crate::http::conditions::Conditions;
use crate::http::media::BodyMedia;
use crate::http::paths::{KeyPath, TypePath};
use crate::http::provenance::Claim;
use crate::http::response::FhirResponse;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::interactions::{Patch, PatchDocument};

/// Changes parts of a resource.
pub async fn patch(
    KeyPath(key): KeyPath,
    (wanted, conditions, claim): (Wanted, Conditions, Claim),
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let document = document(&body)?;
    let precondition = conditions.precondition()?;
    let caller = claim.by(caller, Some(key.resource_type), &app.engine)?;
    let work = app
        .write(body.bytes.len(), move |engine| Patch::prepare(engine, &caller, &key, &document, precondition.clone()));
    Ok(FhirResponse::written(app.base(), &work.await?, &wanted))
}

/// Changes parts of the one resource that the criteria match.
pub async fn conditional_patch(
    TypePath(resource_type): TypePath,
    (wanted, conditions, claim): (Wanted, Conditions, Claim),
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let document = document(&body)?;
    let precondition = conditions.precondition()?;
    let caller = claim.by(caller, Some(resource_type), &app.engine)?;
    let criteria = wanted.criteria.clone();
    let work = app.write_conditional(move |engine| {
        Patch::prepare_conditional(engine, &caller, resource_type, &criteria, &document, precondition.clone())
    });
    Ok(FhirResponse::written(app.base(), &work.await?, &wanted))
}

/// Reads the patch; which kind it is, the Content-Type says.
fn document(body: &Body) -> Result<PatchDocument, HttpError> {
    match body.media()? {
        BodyMedia::JsonPatch => Ok(PatchDocument::JsonPatch(parse_value(&body.bytes, "patch")?)),
        BodyMedia::FhirJson => Ok(PatchDocument::FhirPath(parse_value(&body.bytes, "Parameters")?)),
        BodyMedia::Form => Err(HttpError::UnsupportedMediaType(
            "a form is no patch: send application/json-patch+json, or a Parameters as application/fhir+json",
        )),
    }
}
