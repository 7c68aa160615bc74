//! `/auth/register`: apps that register themselves, and look after that.
//!
//! Spec: RFC 7591 section 3, RFC 7592 section 2

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use crate::auth::AuthError;
use crate::auth::registration::{self, LOGO_BYTES, Metadata};
use crate::config::RegistrationPolicy;
use crate::http::body::JsonBody;
use crate::http::caller::bearer;
use crate::http::handlers::auth::client::blocking;
use crate::http::oauth::{OAuthError, answer};
use crate::http::rates::Kind;
use crate::http::{App, HttpError, peer};
use crate::store::{Client, SecretHash};

/// `POST /auth/register`
pub async fn register(
    request: HttpRequest,
    body: Result<JsonBody, HttpError>,
    app: Data<App>,
) -> Result<HttpResponse, OAuthError> {
    counted(&request, &app)?;
    let invitation = match app.apps.registration {
        RegistrationPolicy::Off => return Err(HttpError::UnknownAddress.into()),
        RegistrationPolicy::Invite => Some(token(&request)?),
        RegistrationPolicy::Open => None,
    };
    let said = with_logo(Metadata::read(&body?.0)?, &app).await?;
    let shared = app.clone();
    let registered = blocking(&app, move |engine| {
        registration::register(engine, &shared.auth.endpoints, &shared.outbound, said, invitation)
    });
    Ok(answer(StatusCode::CREATED, &registered.await?))
}

/// `GET /auth/register/{client_id}`
pub async fn read(request: HttpRequest, client: Path<String>, app: Data<App>) -> Result<HttpResponse, OAuthError> {
    let client = looked_after(&request, &client, &app).await?;
    Ok(answer(StatusCode::OK, &with_token(&request, registration::described(&client, &app.auth.endpoints))))
}

/// `PUT /auth/register/{client_id}`
pub async fn change(
    request: HttpRequest,
    client: Path<String>,
    body: Result<JsonBody, HttpError>,
    app: Data<App>,
) -> Result<HttpResponse, OAuthError> {
    let client = looked_after(&request, &client, &app).await?;
    let said = body?.0;
    registration::names(&said, &client)?;
    let said = with_logo(Metadata::read(&said)?, &app).await?;
    let shared = app.clone();
    let changed = blocking(&app, move |engine| {
        registration::change(engine, &shared.auth.endpoints, &shared.outbound, &client, said)
    });
    Ok(answer(StatusCode::OK, &with_token(&request, changed.await?)))
}

/// `DELETE /auth/register/{client_id}`
pub async fn remove(request: HttpRequest, client: Path<String>, app: Data<App>) -> Result<HttpResponse, OAuthError> {
    let client = looked_after(&request, &client, &app).await?;
    blocking(&app, move |engine| registration::remove(&engine.store, &client)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// RFC 7592 section 3: an app that keeps the answer in the place of the last one must find its token there.
fn with_token(request: &HttpRequest, mut told: Value) -> Value {
    if let Ok(token) = bearer(request.headers()) {
        told["registration_access_token"] = token.into();
    }
    told
}

/// Counts a request of this address: each may have the server ask another one for a logo.
fn counted(request: &HttpRequest, app: &App) -> Result<(), HttpError> {
    match &app.rates {
        Some(rates) => rates.take(Kind::Registration, peer::address(app, request).map(peer::household)),
        None => Ok(()),
    }
}

/// The token in the header.
fn token(request: &HttpRequest) -> Result<SecretHash, AuthError> {
    let token = bearer(request.headers());
    let missing = AuthError::InvalidToken("this needs a token in the header Authorization, as Bearer");
    token.map(|token| SecretHash::of(token.as_bytes())).map_err(|_| missing)
}

/// The client that whoever asks may look after. That goes on where no others may register any more.
async fn looked_after(request: &HttpRequest, client: &str, app: &Data<App>) -> Result<Client, OAuthError> {
    counted(request, app)?;
    let (token, client) = (token(request)?, client.to_owned());
    blocking(app, move |engine| registration::by_token(&engine.store, &client, &token)).await
}

async fn with_logo(said: Metadata, app: &App) -> Result<Metadata, OAuthError> {
    let Some(address) = said.logo_uri().map(str::to_owned) else { return Ok(said) };
    let fetched = app.auth.outbound.get_at_most(&address, LOGO_BYTES).await;
    let fetched = fetched.map_err(|error| AuthError::InvalidClientMetadata(format!("logo_uri: {error}")))?;
    Ok(said.with_logo(fetched.body)?)
}
