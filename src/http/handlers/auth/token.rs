//! `POST /auth/token`
//!
//! Spec: RFC 6749 section 3.2; SMART App Launch 2.2 app-launch.html, backend-services.html

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::auth::{self, AuthError, Form, device};
use crate::clock;
use crate::http::body::FormBody;
use crate::http::handlers::auth::client::{authenticated, blocking, identified, note_token};
use crate::http::oauth::{OAuthError, answer};
use crate::http::{App, HttpError};

/// Issues tokens.
pub async fn token(
    request: HttpRequest,
    body: Result<FormBody, HttpError>,
    app: Data<App>,
) -> Result<HttpResponse, OAuthError> {
    let form = body?.form()?;
    let shared = app.clone();
    let (hash, body) = match form.need("grant_type")? {
        "client_credentials" => {
            let client = authenticated(&request, &form, &app).await?;
            let issued = blocking(&app, move |engine| {
                auth::client_credentials(&engine.store, &client, form.get("scope"), clock::now_us())
            });
            let issued = issued.await?;
            (issued.hash(), issued.answer())
        }
        "authorization_code" => {
            let client = identified(&request, &form, &app).await?;
            let issued = blocking(&app, move |engine| {
                auth::redeem(&engine.store, &shared.auth, &client, &form, clock::now_us())
            });
            let issued = issued.await?;
            (issued.hash(), issued.answer())
        }
        "refresh_token" => {
            let form = with_client(&request, form, &app).await?;
            let client = identified(&request, &form, &app).await?;
            let issued = blocking(&app, move |engine| {
                auth::refresh(&engine.store, &shared.auth, &client, &form, clock::now_us())
            });
            let issued = issued.await?;
            (issued.hash(), issued.answer())
        }
        device::GRANT => {
            let client = identified(&request, &form, &app).await?;
            let issued = blocking(&app, move |engine| {
                device::redeem(&engine.store, &shared.auth, &client, &form, clock::now_us())
            });
            let issued = issued.await?;
            (issued.hash(), issued.answer())
        }
        _ => return Err(AuthError::UnsupportedGrantType.into()),
    };
    note_token(&request, &hash);
    Ok(answer(StatusCode::OK, &body))
}

/// The form, with the client to which its refresh token was given where it says nothing of a client: libraries of public apps leave
/// it out. A client that has to show who it is does not get by with that.
async fn with_client(request: &HttpRequest, form: Form, app: &Data<App>) -> Result<Form, OAuthError> {
    let says = ["client_id", "client_assertion", "client_secret"].iter().any(|name| form.get(name).is_some());
    if says || request.headers().contains_key(actix_web::http::header::AUTHORIZATION) {
        return Ok(form);
    }
    let sent = form.clone();
    let client = blocking(app, move |engine| auth::client_by_refresh_token(&engine.store, &sent)).await?;
    Ok(form.with("client_id", client))
}
