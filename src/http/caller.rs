//! Who is calling: the holder of the Bearer token.
//!
//! Spec: RFC 6750

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};

use crate::access::Caller;
use crate::auth::{Callers, TokenRefused, Tokens};
use crate::clock;
use crate::http::edge::RequestId;
use crate::http::rates::Kind;
use crate::http::{App, HttpError, peer};
use crate::interactions::Engine;
use crate::store::Dialect;

/// A caller that is known, or is being looked up.
pub enum CallerFuture {
    Known(Option<Result<Caller, HttpError>>),
    LookedUp(Pin<Box<dyn Future<Output = Result<Caller, HttpError>>>>),
}

impl Future for CallerFuture {
    type Output = Result<Caller, HttpError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            CallerFuture::Known(known) => match known.take() {
                Some(known) => Poll::Ready(known),
                None => Poll::Pending,
            },
            CallerFuture::LookedUp(look_up) => look_up.as_mut().poll(context),
        }
    }
}

impl FromRequest for Caller {
    type Error = HttpError;
    type Future = CallerFuture;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> CallerFuture {
        let Some(app) = request.app_data::<web::Data<App>>() else {
            return CallerFuture::Known(Some(Err(HttpError::SignInNeeded)));
        };
        if app.is_open {
            return CallerFuture::Known(Some(Ok(told_of(app, request, Caller::open()))));
        }
        match bearer(request.headers()) {
            Ok(token) => of_token(app, request, token),
            Err(error) => CallerFuture::Known(Some(Err(refused(app, request, error)))),
        }
    }
}

/// `caller` in this request, of which is told where anything is.
fn told_of(app: &App, request: &HttpRequest, caller: Caller) -> Caller {
    if app.journal.is_none() {
        return caller;
    }
    let mut extensions = request.extensions_mut();
    let id = extensions.get::<RequestId>().and_then(|id| id.0.to_str().ok()).unwrap_or_default().into();
    let caller = caller.acting(id, clock::now_us());
    if let Some(act) = caller.act() {
        extensions.insert(Arc::clone(act));
    }
    caller
}

/// Lets a known caller in, unless it asks too often.
fn admitted(app: &App, request: &HttpRequest, caller: Caller) -> Result<Caller, HttpError> {
    if let (Some(rates), Some(agent)) = (&app.rates, caller.agent()) {
        rates.take(Kind::of(request.method(), request.path()), (&agent.client, agent.account))?;
    }
    Ok(told_of(app, request, caller))
}

fn settled(app: &App, request: &HttpRequest, found: Result<Caller, HttpError>) -> Result<Caller, HttpError> {
    match found {
        Ok(caller) => admitted(app, request, caller),
        Err(error) => Err(refused(app, request, error)),
    }
}

/// Counts who has no token that is accepted. A token is looked up all the same, so that nobody is kept out by a neighbour.
fn refused(app: &App, request: &HttpRequest, error: HttpError) -> HttpError {
    let is_unknown = matches!(error, HttpError::SignInNeeded | HttpError::TokenRefused(TokenRefused::Invalid));
    match &app.rates {
        Some(rates) if is_unknown => {
            rates.take(Kind::Refused, peer::address(app, request).map(peer::household)).err().unwrap_or(error)
        }
        _ => error,
    }
}

/// The token of the header; the address and the body are no place for one.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, HttpError> {
    let mut all = headers.get_all(header::AUTHORIZATION);
    let (Some(only), None) = (all.next(), all.next()) else { return Err(HttpError::SignInNeeded) };
    let text = only.to_str().map_err(|_| HttpError::SignInNeeded)?;
    let (scheme, token) = text.split_once(' ').ok_or(HttpError::SignInNeeded)?;
    let token = token.trim_matches(' ');
    match scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty() {
        true => Ok(token),
        false => Err(HttpError::SignInNeeded),
    }
}

fn look_up(engine: &Engine, callers: &Callers, token: &str) -> Result<Caller, HttpError> {
    Ok(callers.look_up(&tokens(engine), token)?)
}

/// The tokens of this server.
pub(super) fn tokens(engine: &Engine) -> Tokens<'_> {
    Tokens { store: &engine.store, registry: engine.registry(), bases: &engine.bases }
}

fn of_token(app: &web::Data<App>, request: &HttpRequest, token: &str) -> CallerFuture {
    let engine = &app.engine;
    match app.callers.at_hand(&engine.store, &engine.registry(), token) {
        Ok(Some(caller)) => return CallerFuture::Known(Some(admitted(app, request, caller))),
        Ok(None) => {}
        Err(error) => return CallerFuture::Known(Some(Err(error.into()))),
    }
    if engine.store.dialect() == Dialect::Sqlite {
        // A few keyed reads, once per token and change.
        let caller = look_up(engine, &app.callers, token);
        return CallerFuture::Known(Some(settled(app, request, caller)));
    }
    let (app, request, token) = (app.clone(), request.clone(), token.to_owned());
    CallerFuture::LookedUp(Box::pin(async move {
        let callers = Arc::clone(&app.callers);
        let caller = app.block(move |engine| look_up(engine, &callers, &token)).await;
        settled(&app, &request, caller)
    }))
}
