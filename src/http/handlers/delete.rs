//! `DELETE [base]/[type]/[id]` and `DELETE [base]/[type]?[criteria]`
//!
//! Spec: R4 http.html#delete

use actix_web::web::Data;

use crate::access::Caller;
use crate::http::conditions::Conditions;
use crate::http::paths::{KeyPath, TypePath};
use crate::http::provenance::Claim;
use crate::http::response::FhirResponse;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::interactions::{ConditionalDelete, Delete};

/// Deletes a resource; its history stays.
pub async fn delete(
    KeyPath(key): KeyPath,
    (wanted, claim): (Wanted, Claim),
    conditions: Conditions,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    claim.none()?;
    let precondition = conditions.precondition()?;
    let work = app.write(0, move |engine| Delete::prepare(engine, &caller, &key, precondition.clone()));
    Ok(FhirResponse::deleted(&[work.await?], &wanted))
}

/// Deletes what the criteria match.
pub async fn conditional_delete(
    TypePath(resource_type): TypePath,
    (wanted, claim): (Wanted, Claim),
    conditions: Conditions,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    claim.none()?;
    let precondition = conditions.precondition()?;
    let criteria = wanted.criteria.clone();
    let work = app.write_conditional(move |engine| {
        ConditionalDelete::prepare(engine, &caller, resource_type, &criteria, precondition.clone())
    });
    Ok(FhirResponse::deleted(&work.await?, &wanted))
}
