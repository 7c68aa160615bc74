//! `GET /brands`
//!
//! Spec: SMART App Launch 2.2 brands.html

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::auth::brands;
use crate::fhir::format_instant;
use crate::http::{App, HttpError};
use crate::store::SecretHash;

/// Whose server this is, as a Bundle, where the settings say it. Who has it already need not have it again.
pub async fn brands(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, HttpError> {
    let brand = app.apps.brand.as_ref().ok_or(HttpError::UnknownAddress)?;
    let mut timestamp = Vec::new();
    format_instant(app.begun_us, &mut timestamp);
    let endpoints = &app.auth.endpoints;
    let tag_of =
        |timestamp: &str| SecretHash::of(brands::bundle(endpoints, brand, timestamp).to_string().as_bytes()).tail();
    // The same content has the same tag, also after a restart.
    let tag = tag_of("");
    let held = request.headers().get(header::IF_NONE_MATCH).and_then(|held| held.to_str().ok()).unwrap_or_default();
    let has_it = held.split(',').any(|held| held.trim().trim_start_matches("W/").trim_matches('"') == tag);
    let mut response = if has_it { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        // Weak: answers are packed on the way.
        .insert_header((header::ETAG, format!("W/\"{tag}\"")))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")));
    if has_it {
        return Ok(response.finish());
    }
    let body = brands::bundle(endpoints, brand, &String::from_utf8_lossy(&timestamp)).to_string();
    Ok(response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"))).body(body))
}
