//! `/sign-in` and `/sign-out`

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use crate::auth::sessions;
use crate::auth::sign_in::{Proven, SignInError, half};
use crate::clock;
use crate::http::{App, HttpError, whence};
use crate::web::account::{PasskeyForm, hashing, second_factor, sentence};
use crate::web::session::own_address;
use crate::web::upstream::{Button, buttons};
use crate::web::{Frame, Page, PageError, PageForm, Visitor};

/// Where to go on.
#[derive(Debug, Deserialize)]
pub struct Next {
    pub(super) next: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    frame: Frame,
    next: &'a str,
    email: &'a str,
    passkey: Option<PasskeyForm>,
    problem: Option<&'a str>,
    providers: Vec<Button>,
}

/// `GET /sign-in`
pub async fn page(visitor: Visitor, query: Query<Next>, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(query.next.as_deref());
    if visitor.signed_in.is_some() {
        return Ok(go_on(visitor.root(), next));
    }
    Ok(sign_in_page(&app, &visitor, next, "", None).await?.answer())
}

/// `POST /sign-in`: by `email` and `password`.
pub async fn sign_in(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(form.get("next"));
    let (email, password) = (form.get("email").unwrap_or_default(), form.get("password").unwrap_or_default());
    let (name, secret, from) = (email.to_owned(), password.to_owned(), whence(&app, &request));
    let proven =
        hashing(&app, move |app| app.auth.sign_ins.by_password(&app.engine.store, &name, &secret, &from)).await?;
    match proven {
        Ok(proven) => begun(&request, &form.visitor, &app, proven, next).await,
        Err(error @ SignInError::Wrong) => {
            let page = sign_in_page(&app, &form.visitor, next, email, Some(&sentence(error))).await?;
            Ok(page.status(StatusCode::UNAUTHORIZED).answer())
        }
        Err(error) => Err(error.into()),
    }
}

/// The page with the form.
pub(super) async fn sign_in_page(
    app: &Data<App>,
    visitor: &Visitor,
    next: &str,
    email: &str,
    problem: Option<&str>,
) -> Result<Page, PageError> {
    let passkey = PasskeyForm::of(app, visitor, "/sign-in/passkey").await?;
    let providers = buttons(app, visitor.root(), next);
    let template = SignIn { frame: visitor.frame(), next, email, passkey, problem, providers };
    Ok(Page::new(visitor, &template)?.with_script().leading_on(next))
}

/// Begins the session of somebody who has shown who they are, and goes on to `next`; if a code is to be asked for, there first.
pub(super) async fn begun(
    request: &HttpRequest,
    visitor: &Visitor,
    app: &Data<App>,
    proven: Proven,
    next: &str,
) -> Result<HttpResponse, PageError> {
    if proven.needs_code {
        let half = half(&app.engine.store, &proven, visitor.csrf())?;
        return Ok(go_on(visitor.root(), &second_factor::address(second_factor::PATH, &half, next)));
    }
    let (before, from) = (visitor.cookie, whence(app, request));
    let begun = app.block(move |engine| {
        Ok::<_, HttpError>(sessions::begin(&engine.store, &proven, &from, before, clock::now_us()))
    });
    let secret = begun.await??;
    let mut response = go_on(visitor.root(), next);
    add_cookie(&mut response, &visitor.session_cookie(&secret));
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

/// Adds a cookie to the answer.
pub(super) fn add_cookie(response: &mut HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) {
    if let Err(error) = response.add_cookie(cookie) {
        tracing::error!(%error, "A cookie can't be written");
    }
}
