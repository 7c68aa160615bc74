//! `POST [base]/[type]`
//!
//! Spec: R4 http.html#create, #ccreate

use actix_web::web::Data;

use crate::access::Caller;
use crate::http::body::{ResourceBody, parse_resource};
use crate::http::conditions::Conditions;
use crate::http::paths::TypePath;
use crate::http::provenance::Claim;
use crate::http::response::FhirResponse;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::interactions::{Create, Engine};

/// Creates a resource, unless `If-None-Exist` finds one.
pub async fn create(
    TypePath(resource_type): TypePath,
    (wanted, conditions, claim): (Wanted, Conditions, Claim),
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let bytes = body.fhir_json()?;
    let caller = claim.by(caller, Some(resource_type), &app.engine)?;
    let if_none_exist = conditions.if_none_exist;
    let (size_bytes, is_conditional) = (bytes.len(), if_none_exist.is_some());
    let prepare = move |engine: &Engine| {
        let resource = parse_resource(&bytes, resource_type.name())?;
        Create::prepare(engine, &caller, resource_type, resource, if_none_exist.as_deref())
    };
    let answer = match is_conditional {
        true => app.write_conditional(prepare).await?,
        false => app.write(size_bytes, prepare).await?,
    };
    Ok(FhirResponse::written(app.base(), &answer, &wanted))
}
