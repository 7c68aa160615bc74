//! Who asks: the client of a request to an endpoint.

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};

use crate::access::Agent;
use crate::auth::{self, Assertion, AuthError, Credentials, Form};
use crate::clock;
use crate::http::oauth::OAuthError;
use crate::http::told::Shown;
use crate::http::{App, HttpError};
use crate::interactions::Engine;
use crate::store::{Client, SecretHash};

/// The client, once it has shown who it is. An assertion is used up by that.
pub async fn authenticated(request: &HttpRequest, form: &Form, app: &App) -> Result<Client, OAuthError> {
    let authorization = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let client = async {
        match Credentials::read(authorization, form)? {
            Credentials::Secret(secret) => {
                blocking(app, move |engine| auth::client_by_secret(&engine.store, &secret)).await
            }
            Credentials::Assertion(text) => by_assertion(&text, form, app).await,
        }
    };
    let client = client.await;
    if let Ok(client) = &client {
        let agent = Agent { client: Some(client.id.clone()), ..Agent::default() };
        request.extensions_mut().insert(Shown(agent));
    }
    if authorization.is_some() { client.map_err(OAuthError::challenging) } else { client }
}

async fn by_assertion(text: &str, form: &Form, app: &App) -> Result<Client, OAuthError> {
    let now_us = clock::now_us();
    let assertion = Assertion::parse(text, &app.auth.endpoints, now_us)?;
    let (said, form) = (assertion.clone(), form.clone());
    let client = blocking(app, move |engine| auth::client_by_assertion(&engine.store, &said, &form)).await?;
    let keys = app.auth.keys.keys(&client, &assertion, now_us).await?;
    blocking(app, move |engine| {
        assertion.verify(&keys)?;
        auth::use_assertion(&engine.store, &assertion)
    })
    .await?;
    Ok(client)
}

/// Notes the token that the client got, or ends, for the audit trail.
pub fn note_token(request: &HttpRequest, token: &SecretHash) {
    if let Some(Shown(agent)) = request.extensions_mut().get_mut::<Shown>() {
        agent.token = Some(token.tail());
    }
}

/// Does `work`, which may wait for the database, on a blocking thread.
pub async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Engine) -> Result<T, AuthError> + Send + 'static,
) -> Result<T, OAuthError> {
    Ok(app.block(move |engine| Ok::<_, HttpError>(work(engine))).await??)
}
