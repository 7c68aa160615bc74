//! `POST /auth/token`
//!
//! Spec: RFC 6749 section 3.2; SMART App Launch 2.2 backend-services.html

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::auth::{self, AuthError};
use crate::clock;
use crate::http::body::FormBody;
use crate::http::handlers::auth::client::{authenticated, blocking, note_token};
use crate::http::oauth::{OAuthError, answer};
use crate::http::{App, HttpError};

/// Issues a token.
pub async fn token(
    request: HttpRequest,
    body: Result<FormBody, HttpError>,
    app: Data<App>,
) -> Result<HttpResponse, OAuthError> {
    let form = body?.form()?;
    if form.need("grant_type")? != "client_credentials" {
        return Err(AuthError::UnsupportedGrantType.into());
    }
    let client = authenticated(&request, &form, &app).await?;
    let issued = blocking(&app, move |engine| {
        auth::client_credentials(&engine.store, &client, form.get("scope"), clock::now_us())
    });
    let issued = issued.await?;
    note_token(&request, &issued.hash());
    Ok(answer(StatusCode::OK, &issued.answer()))
}
