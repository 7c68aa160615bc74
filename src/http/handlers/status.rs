//! Addresses beside `/fhir`: is it alive, is it ready, what is this.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
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

/// `GET /`: for somebody who came with a browser.
pub async fn front_page(app: Data<App>) -> HttpResponse {
    let version = env!("CARGO_PKG_VERSION");
    let access = if app.is_open {
        "This server runs with <code>--open</code>: whoever reaches it can read and change everything. Use it to try \
         things out, with made-up data."
    } else {
        "Reading and writing need a sign-in, which this release does not have yet. Start the server with \
         <code>--open</code> on loopback to try it."
    };
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Emberwell</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"></head>\n<body>\n<main>\n\
         <h1>Emberwell</h1>\n<p>A health data server that speaks HL7 FHIR R4 (version {version}).</p>\n\
         <p>{access}</p>\n<ul>\n\
         <li>The FHIR base is <a href=\"/fhir/metadata?_pretty=true\"><code>/fhir</code></a>; the link shows what it can do.</li>\n\
         <li>For monitoring: <a href=\"/health\"><code>/health</code></a> and <a href=\"/ready\"><code>/ready</code></a>.</li>\n\
         </ul>\n</main>\n</body>\n</html>\n"
    );
    let policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .body(page)
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.content_type("text/plain").insert_header((header::CACHE_CONTROL, "no-store"));
    keep_small_body_plain(&mut response, text.len());
    response.body(text)
}
