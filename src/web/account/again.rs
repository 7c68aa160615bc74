//! `/sign-in/again`: whoever is signed in shows anew who they are, before what matters.
//!
//! Spec: OWASP ASVS 5.0 sections 7.2.4 and 7.5

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::auth::sign_in::{Proven, SignInError, half};
use crate::auth::{SignedIn, sessions};
use crate::clock;
use crate::http::{App, HttpError, whence};
use crate::web::account::{PasskeyForm, hashing, second_factor, sentence, work};
use crate::web::session::own_address;
use crate::web::sign_in::{Next, add_cookie, go_on};
use crate::web::upstream::{Button, buttons_again};
use crate::web::{Frame, Page, PageError, PageForm, SignedInVisitor, Visitor};

const BY_PASSKEY: &str = "/sign-in/again/passkey";

#[derive(Template)]
#[template(path = "account_again.html")]
struct Again<'a> {
    frame: Frame,
    email: &'a str,
    has_password: bool,
    next: &'a str,
    passkey: Option<PasskeyForm>,
    /// Those that are linked.
    providers: Vec<Button>,
    problem: Option<String>,
}

/// `GET /sign-in/again`
pub async fn page(who: SignedInVisitor, query: Query<Next>, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(query.next.as_deref());
    Ok(again_page(&app, &who, next, None).await?.answer())
}

/// `POST /sign-in/again`: the field `password`.
pub async fn by_password(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(form.get("next")).to_owned();
    let password = form.get("password").unwrap_or_default().to_owned();
    let who = SignedInVisitor::of(form.visitor, &next)?;
    let (account, from) = (who.signed_in.account.clone(), whence(&app, &request));
    let shown =
        hashing(&app, move |app| app.auth.sign_ins.again_by_password(&app.engine.store, &account, &password, &from));
    match shown.await? {
        Ok(proven) => shown_again(&app, &who.visitor, &who.signed_in, proven, &next).await,
        Err(error) => refused(&app, &who, &next, error).await,
    }
}

/// `POST /sign-in/again/passkey`: the browser's `answer` to the challenge in `state`.
pub async fn by_passkey(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(form.get("next")).to_owned();
    let field = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let (state, answer, holder) = (field("state"), field("answer"), form.visitor.csrf().to_owned());
    let who = SignedInVisitor::of(form.visitor, &next)?;
    let (shared, from) = (Data::clone(&app), whence(&app, &request));
    let proven =
        work(&app, move |engine| shared.auth.sign_ins.by_passkey(&engine.store, &state, &answer, &holder, &from));
    match proven.await? {
        Ok(proven) if proven.account.id == who.signed_in.account.id => {
            shown_again(&app, &who.visitor, &who.signed_in, proven, &next).await
        }
        // Somebody else's passkey is nobody's here.
        Ok(_) => refused(&app, &who, &next, SignInError::PasskeyNotAccepted).await,
        Err(error) => refused(&app, &who, &next, error).await,
    }
}

/// Goes on to `next` with the session of whoever has shown anew who they are; if a code is to be asked for, there first.
pub(in crate::web) async fn shown_again(
    app: &Data<App>,
    visitor: &Visitor,
    signed_in: &SignedIn,
    proven: Proven,
    next: &str,
) -> Result<HttpResponse, PageError> {
    if proven.needs_code {
        let half = half(&app.engine.store, &proven, visitor.csrf())?;
        return Ok(go_on(visitor.root(), &second_factor::address(second_factor::PATH_AGAIN, &half, next)));
    }
    let session = signed_in.session.clone();
    let cookie = app.block(move |engine| {
        Ok::<_, HttpError>(sessions::renew(&engine.store, &session, &proven.factors, clock::now_us()))
    });
    let cookie = cookie.await??;
    let mut response = go_on(visitor.root(), next);
    add_cookie(&mut response, &visitor.session_cookie(&cookie));
    Ok(response)
}

async fn refused(
    app: &Data<App>,
    who: &SignedInVisitor,
    next: &str,
    error: SignInError,
) -> Result<HttpResponse, PageError> {
    match error {
        SignInError::WrongPassword | SignInError::PasskeyNotAccepted | SignInError::Expired => {
            let page = again_page(app, who, next, Some(sentence(error))).await?;
            Ok(page.status(StatusCode::UNAUTHORIZED).answer())
        }
        error => Err(error.into()),
    }
}

async fn again_page(
    app: &Data<App>,
    who: &SignedInVisitor,
    next: &str,
    problem: Option<String>,
) -> Result<Page, PageError> {
    let page = Again {
        frame: who.visitor.frame(),
        email: &who.signed_in.account.email,
        has_password: who.signed_in.account.password.is_some(),
        next,
        passkey: PasskeyForm::of(app, &who.visitor, BY_PASSKEY).await?,
        providers: buttons_again(app, &who.signed_in, who.visitor.root(), next).await?,
        problem,
    };
    Ok(Page::new(&who.visitor, &page)?.with_script().leading_on(next))
}
