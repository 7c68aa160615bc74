//! `PUT [base]/[type]/[id]` and `PUT [base]/[type]?[criteria]`
//!
//! Spec: R4 http.html#update, #cond-update

use actix_web::web::Data;

use crate::access::Caller;
use crate::http::body::{ResourceBody, parse_resource};
use crate::http::conditions::Conditions;
use crate::http::paths::{KeyPath, TypePath};
use crate::http::provenance::Claim;
use crate::http::response::FhirResponse;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::interactions::{ConditionalUpdate, Update};

/// Makes the body the next version of the resource.
pub async fn update(
    KeyPath(key): KeyPath,
    (wanted, conditions, claim): (Wanted, Conditions, Claim),
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let bytes = body.fhir_json()?;
    let precondition = conditions.precondition()?;
    let caller = claim.by(caller, Some(key.resource_type), &app.engine)?;
    let work = app.write(bytes.len(), move |engine| {
        let resource = parse_resource(&bytes, key.resource_type.name())?;
        Update::prepare(engine, &caller, &key, resource, precondition.clone())
    });
    Ok(FhirResponse::written(app.base(), &work.await?, &wanted))
}

/// Makes the body the next version of the one resource that the criteria match, or a new resource.
pub async fn conditional_update(
    TypePath(resource_type): TypePath,
    (wanted, conditions, claim): (Wanted, Conditions, Claim),
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let bytes = body.fhir_json()?;
    let precondition = conditions.precondition()?;
    let caller = claim.by(caller, Some(resource_type), &app.engine)?;
    let criteria = wanted.criteria.clone();
    let work = app.write_conditional(move |engine| {
        let resource = parse_resource(&bytes, resource_type.name())?;
        ConditionalUpdate::prepare(engine, &caller, resource_type, &criteria, resource, precondition.clone())
    });
    Ok(FhirResponse::written(app.base(), &work.await?, &wanted))
}
