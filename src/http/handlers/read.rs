//! `GET [base]/[type]/[id]` and `GET [base]/[type]/[id]/_history/[vid]`
//!
//! Spec: R4 http.html#read, #vread, #cread

use actix_web::web::Data;

use crate::access::Caller;
use crate::http::conditions::Conditions;
use crate::http::paths::{KeyPath, VersionPath};
use crate::http::response::FhirResponse;
use crate::http::subset::Subset;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::interactions;
use crate::store::ResourceRow;

/// Answers with the current version.
pub async fn read(
    KeyPath(key): KeyPath,
    wanted: Wanted,
    conditions: Conditions,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let work = app.read_resource(move |reader| interactions::read(reader, &caller, &key));
    answer(&app, &work.await?, &wanted, &conditions)
}

/// Answers with one version, current or older.
pub async fn vread(
    VersionPath(key, version): VersionPath,
    wanted: Wanted,
    conditions: Conditions,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let work = app.read_resource(move |reader| interactions::vread(reader, &caller, &key, &version));
    answer(&app, &work.await?, &wanted, &conditions)
}

fn answer(app: &App, row: &ResourceRow, wanted: &Wanted, conditions: &Conditions) -> Result<FhirResponse, HttpError> {
    let subset = Subset::of_query(&wanted.query)?;
    Ok(if conditions.is_not_modified(row) {
        FhirResponse::not_modified(app.base(), row, wanted.format)
    } else {
        FhirResponse::resource(app.base(), row, &subset, wanted.format)
    })
}
