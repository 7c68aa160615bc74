//! `POST /auth/revoke`
//!
//! Spec: RFC 7009

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::auth;
use crate::http::body::FormBody;
use crate::http::handlers::auth::client::{authenticated, blocking};
use crate::http::oauth::{OAuthError, answer};
use crate::http::{App, HttpError};
use crate::store::SecretHash;

/// Ends a token of the client that asks. RFC 7009 section 2.2: 200 "if the token has been revoked successfully or if the
/// client submitted an invalid token".
pub async fn revoke(
    request: HttpRequest,
    body: Result<FormBody, HttpError>,
    app: Data<App>,
) -> Result<HttpResponse, OAuthError> {
    let form = body?.form()?;
    let token = SecretHash::of(form.need("token")?.as_bytes());
    let client = authenticated(&request, &form, &app).await?;
    blocking(&app, move |engine| auth::revoke(&engine.store, &client, token)).await?;
    Ok(answer(StatusCode::OK, &json!({})))
}
