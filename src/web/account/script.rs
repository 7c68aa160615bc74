//! `GET /passkey.js`: asks the browser for a passkey.

use actix_web::HttpResponse;
use actix_web::http::header;

const SCRIPT: &str = include_str!("passkey.js");

/// The one script of the sign-in. Browsers ask again with each release.
pub async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "max-age=300"))
        .body(SCRIPT)
}
