//! `/sign-in/second` and `/sign-in/again/second`: the code that is asked for after a password.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::auth::sign_in::{Proven, SignInError};
use crate::http::{App, whence};
use crate::web::account::{sentence, shown_again, work};
use crate::web::session::own_address;
use crate::web::sign_in::{begun, go_on};
use crate::web::{Frame, Page, PageError, PageForm, SignedInVisitor, Visitor};

/// Where a code is asked for before a session begins.
pub const PATH: &str = "/sign-in/second";
/// The same, of whoever is signed in and shows it anew.
pub const PATH_AGAIN: &str = "/sign-in/again/second";
const AGAIN: &str = "/sign-in/again";

/// What the page before tells: that the password was right, and where to go on.
#[derive(Debug, Deserialize)]
pub struct Step {
    half: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct SecondFactor<'a> {
    frame: Frame,
    /// Where the form goes.
    path: &'a str,
    half: &'a str,
    next: &'a str,
    /// Where else it can be shown who it is, and what that is called.
    elsewhere: String,
    elsewhere_name: &'a str,
    problem: Option<String>,
}

impl<'a> SecondFactor<'a> {
    fn first(visitor: &Visitor, half: &'a str, next: &'a str, problem: Option<String>) -> SecondFactor<'a> {
        let (elsewhere, elsewhere_name) = ("/sign-in".to_owned(), "Sign in another way");
        SecondFactor { frame: visitor.frame(), path: PATH, half, next, elsewhere, elsewhere_name, problem }
    }

    fn again(visitor: &Visitor, half: &'a str, next: &'a str, problem: Option<String>) -> SecondFactor<'a> {
        let (elsewhere, elsewhere_name) = (begin_again(next), "Show it another way");
        SecondFactor { frame: visitor.frame(), path: PATH_AGAIN, half, next, elsewhere, elsewhere_name, problem }
    }
}

/// The address of the page at `path` for whoever has shown the first factor, as `half` tells.
pub fn address(path: &str, half: &str, next: &str) -> String {
    let step = Serializer::new(String::new()).extend_pairs([("half", half), ("next", next)]).finish();
    format!("{path}?{step}")
}

fn begin_again(next: &str) -> String {
    format!("{AGAIN}?{}", Serializer::new(String::new()).append_pair("next", next).finish())
}

/// `GET /sign-in/second`
pub async fn page(visitor: Visitor, query: Query<Step>) -> Result<HttpResponse, PageError> {
    let next = own_address(query.next.as_deref());
    if visitor.signed_in.is_some() {
        return Ok(go_on(visitor.root(), next));
    }
    let Some(half) = query.half.as_deref() else { return Ok(go_on(visitor.root(), "/sign-in")) };
    Ok(Page::new(&visitor, &SecondFactor::first(&visitor, half, next, None))?.leading_on(next).answer())
}

/// `POST /sign-in/second`: the field `code`.
pub async fn check(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(form.get("next"));
    match proven(&request, &form, &app).await? {
        Ok(proven) => begun(&request, &form.visitor, &app, proven, next).await,
        Err(error @ SignInError::WrongCode) => {
            let half = form.get("half").unwrap_or_default();
            let page = SecondFactor::first(&form.visitor, half, next, Some(sentence(error)));
            Ok(Page::new(&form.visitor, &page)?.leading_on(next).status(StatusCode::UNAUTHORIZED).answer())
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /sign-in/again/second`
pub async fn page_again(who: SignedInVisitor, query: Query<Step>) -> Result<HttpResponse, PageError> {
    let (visitor, next) = (&who.visitor, own_address(query.next.as_deref()));
    let Some(half) = query.half.as_deref() else { return Ok(go_on(visitor.root(), &begin_again(next))) };
    Ok(Page::new(visitor, &SecondFactor::again(visitor, half, next, None))?.leading_on(next).answer())
}

/// `POST /sign-in/again/second`: the field `code`.
pub async fn check_again(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(form.get("next"));
    let SignedInVisitor { visitor, signed_in } = SignedInVisitor::of(form.visitor.clone(), next)?;
    match proven(&request, &form, &app).await? {
        Ok(proven) if proven.account.id == signed_in.account.id => {
            shown_again(&app, &visitor, &signed_in, proven, next).await
        }
        // Somebody else has begun to sign in within this session.
        Ok(_) => Err(SignInError::Expired.into()),
        Err(error @ SignInError::WrongCode) => {
            let half = form.get("half").unwrap_or_default();
            let page = SecondFactor::again(&visitor, half, next, Some(sentence(error)));
            Ok(Page::new(&visitor, &page)?.leading_on(next).status(StatusCode::UNAUTHORIZED).answer())
        }
        Err(error) => Err(error.into()),
    }
}

/// Who has shown both the first factor and the code of the form.
async fn proven(
    request: &HttpRequest,
    form: &PageForm,
    app: &Data<App>,
) -> Result<Result<Proven, SignInError>, PageError> {
    let field = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let (half, code, holder) = (field("half"), field("code"), form.visitor.csrf().to_owned());
    let (shared, from) = (Data::clone(app), whence(app, request));
    work(app, move |engine| shared.auth.sign_ins.by_code(&engine.store, &half, &code, &holder, &from)).await
}
