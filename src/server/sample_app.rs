//! The pages of the sample app, which are there with `--demo` only.
//!
//! They are an app's, and not this server's: they hold a token like any other's, and no cookie of a person is read for them.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{self, Path, ServiceConfig};

use crate::demo;
use crate::http::HttpError;

/// Nothing of another origin is loaded or asked, and no page shows it within itself.
const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds the addresses of the app.
pub fn configure(config: &mut ServiceConfig) {
    config
        // A slash at the end is not told apart.
        .route("/sample-app", web::get().to(|| page(String::new().into())))
        .route("/sample-app/{name}", web::get().to(page));
}

async fn page(name: Path<String>) -> Result<HttpResponse, HttpError> {
    let page = demo::page(&name).ok_or(HttpError::UnknownAddress)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, page.content_type))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        // The next release may bring other pages.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(page.bytes))
}
