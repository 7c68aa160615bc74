//! `GET /style.css`: how all pages look.

use actix_web::HttpResponse;
use actix_web::http::header;

const STYLE: &str = include_str!("style.css");

/// The one style sheet. Browsers ask again with each release.
pub async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "max-age=300"))
        .body(STYLE)
}
