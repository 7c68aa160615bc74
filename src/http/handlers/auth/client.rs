//! Who asks: the client of a request to an endpoint.

use std::net::IpAddr;

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};

use crate::access::Agent;
use crate::auth::{self, Assertion, AuthError, Credentials, Form};
use crate::clock;
use crate::http::oauth::OAuthError;
use crate::http::rates::Kind;
use crate::http::told::Shown;
use crate::http::{App, HttpError, peer};
use crate::interactions::Engine;
use crate::store::{Client, SecretHash};

/// The client, once it has shown who it is. An assertion is used up by that.
pub async fn authenticated(request: &HttpRequest, form: &Form, app: &App) -> Result<Client, OAuthError> {
    let authorization = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let address = peer::address(app, request).map(peer::household);
    let client = identified(authorization, form, address, app).await;
    match &client {
        Ok(client) => {
            let agent = Agent { client: Some(client.id.clone()), ..Agent::default() };
            request.extensions_mut().insert(Shown(agent));
        }
        Err(error) if error.is_refusal() => {
            if let Some(rates) = &app.rates {
                rates.take(Kind::Refused, address)?;
            }
        }
        Err(_) => {}
    }
    if authorization.is_some() { client.map_err(OAuthError::challenging) } else { client }
}

async fn identified(
    authorization: Option<&str>,
    form: &Form,
    address: Option<IpAddr>,
    app: &App,
) -> Result<Client, OAuthError> {
    match Credentials::read(authorization, form)? {
        Credentials::Secret(secret) => {
            let client_id = secret.client_id().to_owned();
            let work = blocking(app, move |engine| auth::client_by_secret(&engine.store, &secret));
            attempt(app, &client_id, address, work).await
        }
        Credentials::Assertion(text) => {
            let now_us = clock::now_us();
            let assertion = Assertion::parse(&text, &app.auth.endpoints, now_us)?;
            attempt(app, &assertion.client_id, address, by_assertion(&assertion, form, app, now_us)).await
        }
    }
}

/// Does `work`, unless the client has failed too often. Counted by address, too: else anybody could keep a client out by
/// failing in its name.
async fn attempt(
    app: &App,
    client_id: &str,
    address: Option<IpAddr>,
    work: impl Future<Output = Result<Client, OAuthError>>,
) -> Result<Client, OAuthError> {
    let Some(rates) = &app.rates else { return work.await };
    // Counted before it is known, so that not even many at once are more than the limit.
    rates.take(Kind::Failure, (client_id, address))?;
    let client = work.await;
    if !client.as_ref().is_err_and(OAuthError::is_refusal) {
        rates.give_back(Kind::Failure, (client_id, address));
    }
    client
}

async fn by_assertion(assertion: &Assertion, form: &Form, app: &App, now_us: i64) -> Result<Client, OAuthError> {
    let (said, form) = (assertion.clone(), form.clone());
    let client = blocking(app, move |engine| auth::client_by_assertion(&engine.store, &said, &form)).await?;
    let keys = app.auth.keys.keys(&client, assertion, now_us).await?;
    let signed = assertion.clone();
    blocking(app, move |engine| {
        signed.verify(&keys)?;
        auth::use_assertion(&engine.store, &signed)
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
