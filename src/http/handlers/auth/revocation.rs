//! `POST /auth/revoke`
//!
//! Spec: RFC 7009

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::auth;
use crate::http::body::FormBody;
use crate::http::handlers::auth::client::{blocking, identified, note_token};
use crate::http::oauth::{OAuthError, answer};
use crate::http::{App, HttpError};
use crate::store::SecretHash;

/// Ends a token of the client that asks. RFC 7009 section 2.2: 200 "if the token has been revoked successfully or if the
/// client submitted an invalid token". A `token_type_hint` is not needed to find it.
pub async fn revoke(
    request: HttpRequest,
    body: Result<FormBody, HttpError>,
    app: Data<App>,
) -> Result<HttpResponse, OAuthError> {
    let form = body?.form()?;
    let token = SecretHash::of(form.need("token")?.as_bytes());
    let client = identified(&request, &form, &app).await?;
    note_token(&request, &token);
    blocking(&app, move |engine| auth::revoke(&engine.store, &client, token)).await?;
    Ok(answer(StatusCode::OK, &json!({})))
}
