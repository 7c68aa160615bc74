//! `/sign-in` and `/sign-out`

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use crate::auth::{sessions, sign_in};
use crate::clock;
use crate::http::{App, HttpError};
use crate::web::session::own_address;
use crate::web::{Frame, Page, PageError, PageForm, Visitor};

/// Where to go on.
#[derive(Debug, Deserialize)]
pub struct Next {
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    frame: Frame,
    next: &'a str,
    email: &'a str,
    problem: Option<&'a str>,
}

/// `GET /sign-in`
pub async fn page(visitor: Visitor, query: Query<Next>) -> Result<HttpResponse, PageError> {
    let next = own_address(query.next.as_deref());
    if visitor.signed_in.is_some() {
        return Ok(go_on(visitor.root(), next));
    }
    let template = SignIn { frame: visitor.frame(), next, email: "", problem: None };
    Ok(Page::new(&visitor, &template)?.answer())
}

/// `POST /sign-in`: by `email` and `password`.
pub async fn sign_in(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(form.get("next"));
    let (email, password) = (form.get("email").unwrap_or_default(), form.get("password").unwrap_or_default());
    let agent = header_text(&request, header::USER_AGENT);
    let (name, secret, before) = (email.to_owned(), password.to_owned(), form.visitor.cookie);
    let begun = app.block(move |engine| -> Result<_, HttpError> {
        let Some(account) = sign_in::by_password(&engine.store, &name, &secret)? else { return Ok(None) };
        Ok(Some(sessions::begin(&engine.store, account.id, "pwd", &agent, before, clock::now_us())))
    });
    let Some(begun) = begun.await? else {
        let problem = Some("There is no account with this address and this password.");
        let template = SignIn { frame: form.visitor.frame(), next, email, problem };
        return Ok(Page::new(&form.visitor, &template)?.status(StatusCode::UNAUTHORIZED).answer());
    };
    let mut response = go_on(form.visitor.root(), next);
    add_cookie(&mut response, &form.visitor.session_cookie(&begun?));
    Ok(response)
}

/// `POST /sign-out`
pub async fn sign_out(form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    if let Some(cookie) = form.visitor.cookie {
        app.block(move |engine| sessions::end(&engine.store, cookie).map_err(HttpError::from)).await?;
    }
    let mut response = go_on(form.visitor.root(), "/sign-in");
    add_cookie(&mut response, &form.visitor.no_session_cookie());
    Ok(response)
}

/// The way to another page, by GET.
pub(super) fn go_on(root: &str, path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, format!("{root}{path}")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

fn header_text(request: &HttpRequest, name: header::HeaderName) -> String {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn add_cookie(response: &mut HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) {
    if let Err(error) = response.add_cookie(cookie) {
        tracing::error!(%error, "A cookie can't be written");
    }
}
