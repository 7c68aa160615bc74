//! `POST [base]/[type]`
//!
//! Spec: R4 http.html#create, #ccreate

use actix_web::web::Data;

use crate::access::Caller;
use crate::http::body::{ResourceBody, parse_resource};
use crate::http::conditions::Conditions;
use crate::http::paths::TypePath;
use crate::http::response::FhirResponse;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::interactions::Create;

/// Creates a resource, unless `If-None-Exist` finds one.
pub async fn create(
    TypePath(resource_type): TypePath,
    (wanted, conditions): (Wanted, Conditions),
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let bytes = body.fhir_json()?;
    let if_none_exist = conditions.if_none_exist;
    let work = app.write(bytes.len(), move |engine| {
        let resource = parse_resource(&bytes, resource_type.name())?;
        Create::prepare(engine, &caller, resource_type, resource, if_none_exist.as_deref())
    });
    Ok(FhirResponse::written(app.base(), &work.await?, &wanted))
}
