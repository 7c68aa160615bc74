//! `POST /auth/introspect`
//!
//! Spec: RFC 7662

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::auth;
use crate::clock;
use crate::http::body::FormBody;
use crate::http::caller::tokens;
use crate::http::handlers::auth::client::{asker, blocking};
use crate::http::oauth::{OAuthError, answer};
use crate::http::{App, HttpError};
use crate::store::SecretHash;

/// Tells what a token is worth.
pub async fn introspect(
    request: HttpRequest,
    body: Result<FormBody, HttpError>,
    app: Data<App>,
) -> Result<HttpResponse, OAuthError> {
    let form = body?.form()?;
    let token = SecretHash::of(form.need("token")?.as_bytes());
    let asker = asker(&request, &form, &app).await?;
    let shared = app.clone();
    let told = blocking(&app, move |engine| {
        auth::introspect(&tokens(engine), &shared.auth.endpoints, &asker, &token, clock::now_us())
    });
    Ok(answer(StatusCode::OK, &told.await?))
}
