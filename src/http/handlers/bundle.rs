//! `POST [base]` with a batch or transaction.
//!
//! Spec: R4 http.html#transaction

use actix_web::web::Data;

use crate::access::Caller;
use crate::http::body::{BundleBody, parse_resource};
use crate::http::bundle_writer;
use crate::http::provenance::Claim;
use crate::http::response::FhirResponse;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::interactions;

/// Does the entries of a Bundle, each for itself or all or none.
pub async fn process(
    (wanted, claim): (Wanted, Claim),
    BundleBody(body): BundleBody,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let bytes = body.fhir_json()?;
    let caller = claim.by(caller, None, &app.engine)?;
    let returned = wanted.prefer.returned;
    let work = app.block(move |engine| {
        let bundle = parse_resource(&bytes, "Bundle")?;
        // What was parsed is larger than its text; both at once need not be.
        drop(bytes);
        let answer = interactions::bundle::process(engine, &caller, bundle)?;
        Ok::<_, HttpError>(bundle_writer::response(&engine.fhir.base_url, &answer, returned))
    });
    Ok(FhirResponse::ok(work.await?, wanted.format))
}
