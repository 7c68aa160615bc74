//! Who asks: the client of a request to an endpoint.

use std::net::IpAddr;

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};

use crate::access::Agent;
use crate::auth::{self, Asker, Assertion, AuthError, Credentials, Form, SecretCredentials};
use crate::clock;
use crate::http::caller::tokens;
use crate::http::oauth::OAuthError;
use crate::http::rates::Kind;
use crate::http::told::Shown;
use crate::http::{App, HttpError, peer};
use crate::interactions::Engine;
use crate::store::{Client, SecretHash};

/// The client, once it has shown who it is. An assertion is used up by that.
pub async fn authenticated(request: &HttpRequest, form: &Form, app: &App) -> Result<Client, OAuthError> {
    let asking = Asking { form, app, address: peer::address(app, request).map(peer::household) };
    let client = match asking.credentials(request) {
        Ok(credentials) => asking.shown(credentials).await,
        Err(error) => Err(error.into()),
    };
    asking.settled(request, client, agent)
}

/// As [`authenticated`]; a public client, which can't show who it is, says so by its `client_id`.
pub async fn identified(request: &HttpRequest, form: &Form, app: &App) -> Result<Client, OAuthError> {
    let asking = Asking { form, app, address: peer::address(app, request).map(peer::household) };
    let client = match asking.credentials(request) {
        Ok(Credentials::Named(client_id)) => asking.named(client_id).await,
        Ok(credentials) => asking.shown(credentials).await,
        Err(error) => Err(error.into()),
    };
    asking.settled(request, client, agent)
}

/// Who asks what a token is worth: a client as by [`authenticated`], or a token in its place.
pub async fn asker(request: &HttpRequest, form: &Form, app: &App) -> Result<Asker, OAuthError> {
    let asking = Asking { form, app, address: peer::address(app, request).map(peer::household) };
    let asker = match asking.credentials(request) {
        Ok(Credentials::Token(token)) => asking.by_token(&token).await,
        Ok(credentials) => asking.shown(credentials).await.map(|client| (Asker::Client, agent(&client))),
        Err(error) => Err(error.into()),
    };
    Ok(asking.settled(request, asker, |(_, agent)| agent.clone())?.0)
}

fn agent(client: &Client) -> Agent {
    Agent { client: Some(client.id.clone()), ..Agent::default() }
}

/// A request of somebody who is not known yet.
struct Asking<'a> {
    form: &'a Form,
    app: &'a App,
    address: Option<IpAddr>,
}

impl Asking<'_> {
    fn credentials(&self, request: &HttpRequest) -> Result<Credentials, AuthError> {
        let mut headers = request.headers().get_all(header::AUTHORIZATION);
        let authorization = headers.next().map(|value| value.to_str().unwrap_or_default());
        if headers.next().is_some() {
            return Err(AuthError::InvalidRequest("the header Authorization is there twice: send it once".to_owned()));
        }
        Credentials::read(authorization, self.form)
    }

    async fn shown(&self, credentials: Credentials) -> Result<Client, OAuthError> {
        match credentials {
            Credentials::Secret(secret) => self.by_secret(secret).await,
            Credentials::Assertion(text) => {
                let now_us = clock::now_us();
                let assertion = Assertion::parse(&text, &self.app.auth.endpoints, now_us)?;
                self.attempt(&assertion.client_id, self.by_assertion(&assertion, now_us)).await
            }
            Credentials::Named(_) | Credentials::Token(_) => Err(AuthError::shows_nothing().into()),
        }
    }

    async fn by_secret(&self, secret: SecretCredentials) -> Result<Client, OAuthError> {
        let client_id = secret.client_id().to_owned();
        let work = blocking(self.app, move |engine| auth::client_by_secret(&engine.store, &secret));
        self.attempt(&client_id, work).await
    }

    async fn named(&self, client_id: String) -> Result<Client, OAuthError> {
        let name = client_id.clone();
        let work = blocking(self.app, move |engine| auth::client_by_id(&engine.store, &name));
        self.attempt(&client_id, work).await
    }

    async fn by_assertion(&self, assertion: &Assertion, now_us: i64) -> Result<Client, OAuthError> {
        let (said, form) = (assertion.clone(), self.form.clone());
        let client = blocking(self.app, move |engine| auth::client_by_assertion(&engine.store, &said, &form)).await?;
        let keys = self.app.auth.keys.keys(&client, assertion, now_us).await?;
        let signed = assertion.clone();
        blocking(self.app, move |engine| {
            signed.verify(&keys)?;
            auth::use_assertion(&engine.store, &signed)
        })
        .await?;
        Ok(client)
    }

    async fn by_token(&self, token: &str) -> Result<(Asker, Agent), OAuthError> {
        let token = SecretHash::of(token.as_bytes());
        blocking(self.app, move |engine| Asker::by_token(&tokens(engine), &token, clock::now_us())).await
    }

    /// Does `work`, unless the client has failed too often. Counted by address, too: else anybody could keep a client out by
    /// failing in its name.
    async fn attempt(
        &self,
        client_id: &str,
        work: impl Future<Output = Result<Client, OAuthError>>,
    ) -> Result<Client, OAuthError> {
        let Some(rates) = &self.app.rates else { return work.await };
        // Counted before it is known, so that not even many at once are more than the limit.
        rates.take(Kind::Failure, (client_id, self.address))?;
        let client = work.await;
        if !client.as_ref().is_err_and(OAuthError::is_refusal) {
            rates.give_back(Kind::Failure, (client_id, self.address));
        }
        client
    }

    /// Notes for the audit trail who it was, and counts who it was not.
    fn settled<T>(
        &self,
        request: &HttpRequest,
        found: Result<T, OAuthError>,
        agent: impl Fn(&T) -> Agent,
    ) -> Result<T, OAuthError> {
        match &found {
            Ok(found) => drop(request.extensions_mut().insert(Shown(agent(found)))),
            Err(error) if error.is_refusal() => {
                if let Some(rates) = &self.app.rates {
                    rates.take(Kind::Refused, self.address)?;
                }
            }
            Err(_) => {}
        }
        found
    }
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
