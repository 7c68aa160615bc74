//! `GET [base]/.well-known/smart-configuration` and `GET /.well-known/oauth-authorization-server`
//!
//! Spec: SMART App Launch 2.2 conformance.html; RFC 8414 section 3

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;

use crate::auth;
use crate::http::{App, HttpError};

/// What clients need to know before they ask for a token, whatever `Accept` says. A server that needs no token has none.
pub async fn document(app: Data<App>) -> Result<HttpResponse, HttpError> {
    if app.is_open {
        return Err(HttpError::UnknownAddress);
    }
    let body = auth::document(&app.auth.endpoints, &app.apps).to_string();
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-cache")))
        .body(body))
}
