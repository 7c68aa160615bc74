//! `POST [base]/[type]/$validate` and `POST [base]/[type]/[id]/$validate`
//!
//! Spec: R4 resource-operation-validate.html

use actix_web::http::StatusCode;
use actix_web::web::Data;

use crate::access::Caller;
use crate::fhir::{Id, ResourceType};
use crate::http::body::{Body, ResourceBody, parse_value};
use crate::http::paths::{KeyPath, TypePath};
use crate::http::response::FhirResponse;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::operations::{ValidateMode, validate};

/// Validates a resource that is not stored.
pub async fn of_type(
    TypePath(resource_type): TypePath,
    wanted: Wanted,
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    findings(resource_type, None, wanted, body, caller, &app).await
}

/// Validates what is to become the next version of a resource, or its deletion.
pub async fn of_instance(
    KeyPath(key): KeyPath,
    wanted: Wanted,
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    findings(key.resource_type, Some(key.id), wanted, body, caller, &app).await
}

async fn findings(
    resource_type: ResourceType,
    id: Option<Id>,
    wanted: Wanted,
    body: Body,
    caller: Caller,
    app: &Data<App>,
) -> Result<FhirResponse, HttpError> {
    let mut mode = None;
    for (name, value) in &wanted.query {
        if name == "mode" {
            let problem = || "the mode is create, update or delete".to_owned();
            let known = ValidateMode::parse(value);
            mode = Some(known.ok_or_else(|| HttpError::Parameter { name: "mode", problem: problem() })?);
        }
    }
    // A deletion needs no body.
    let bytes = if body.bytes.is_empty() { None } else { Some(body.fhir_json()?) };
    let work = app.block(move |engine| {
        let value = bytes.map(|bytes| parse_value(&bytes, resource_type.name())).transpose()?;
        Ok::<_, HttpError>(validate(engine, &caller, resource_type, id.as_ref(), value, mode)?)
    });
    Ok(FhirResponse::outcome(StatusCode::OK, &work.await?, wanted.format))
}
