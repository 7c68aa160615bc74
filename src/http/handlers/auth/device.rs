//! `POST /auth/device`
//!
//! Spec: RFC 8628 section 3.1

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::auth::device;
use crate::clock;
use crate::http::body::FormBody;
use crate::http::handlers::auth::client::{blocking, identified};
use crate::http::oauth::{OAuthError, answer};
use crate::http::rates::Kind;
use crate::http::{App, HttpError, peer};

/// Gives a device a code of its own, and one to show.
pub async fn begin(
    request: HttpRequest,
    body: Result<FormBody, HttpError>,
    app: Data<App>,
) -> Result<HttpResponse, OAuthError> {
    let form = body?.form()?;
    let client = identified(&request, &form, &app).await?;
    if let Some(rates) = &app.rates {
        rates.take(Kind::Device, peer::address(&app, &request).map(peer::household))?;
    }
    let shared = app.clone();
    let begun =
        blocking(&app, move |engine| device::begin(&engine.store, &shared.auth, &client, &form, clock::now_us()));
    Ok(answer(StatusCode::OK, &begun.await?))
}
