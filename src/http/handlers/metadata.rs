//! `GET [base]/metadata`
//!
//! Spec: R4 http.html#capabilities

use actix_web::web::Data;

use crate::http::response::FhirResponse;
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};

/// What this server can do; anybody may ask.
pub async fn metadata(wanted: Wanted, app: Data<App>) -> Result<FhirResponse, HttpError> {
    for (name, value) in &wanted.query {
        // `full` is what there is; `normative` could only leave things out, and the specification lets a server not do so.
        if name == "mode" && !matches!(value.as_str(), "full" | "normative") {
            let problem = "give full or normative; this server has no TerminologyCapabilities".to_owned();
            return Err(HttpError::Parameter { name: "mode", problem });
        }
    }
    let shared = app.clone();
    // Reads the definitions of all types when it is first asked for.
    let body = app.block(move |_| Ok::<_, HttpError>(shared.capabilities()?.to_vec()));
    Ok(FhirResponse::ok(body.await?, wanted.format))
}
