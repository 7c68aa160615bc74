//! Addresses beside `/fhir`: is it alive, is it ready.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::Data;

use crate::http::response::keep_small_body_plain;
use crate::http::{App, HttpError};

/// `GET /health`: the process answers.
pub async fn health() -> HttpResponse {
    plain(StatusCode::OK, "ok\n")
}

/// `GET /ready`: the database answers, too.
pub async fn ready(app: Data<App>) -> HttpResponse {
    let checked = app.block(|engine| engine.store.check().map_err(HttpError::from)).await;
    match checked {
        Ok(()) => plain(StatusCode::OK, "ready\n"),
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.content_type("text/plain").insert_header((header::CACHE_CONTROL, "no-store"));
    keep_small_body_plain(&mut response, text.len());
    response.body(text)
}
