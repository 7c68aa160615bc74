//! `POST /auth/launch`: an EHR or a portal obtains the handle of a launch.
//!
//! Spec: SMART App Launch 2.2 app-launch.html#launch-app-ehr-launch

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::access::Caller;
use crate::auth::{self, AuthError};
use crate::clock;
use crate::http::body::JsonBody;
use crate::http::handlers::auth::client::blocking;
use crate::http::oauth::{OAuthError, answer};
use crate::http::{App, HttpError};

/// Keeps what the launch is about, and gives the handle.
pub async fn launch(
    _: HttpRequest,
    caller: Result<Caller, HttpError>,
    body: Result<JsonBody, HttpError>,
    app: Data<App>,
) -> Result<HttpResponse, OAuthError> {
    let caller = caller.map_err(|_| AuthError::InvalidToken("send the access token of the person who launches"))?;
    let body = body?.0;
    let handle =
        blocking(&app, move |engine| auth::begin_launch(&engine.store, &caller, &body, clock::now_us())).await?;
    Ok(answer(StatusCode::OK, &json!({ "launch": handle.as_str() })))
}
