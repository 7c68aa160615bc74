//! `/account/password`: another password.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::auth::sign_in::{SignInError, change_password};
use crate::http::{App, whence};
use crate::web::account::{ACCOUNT, fresh, hashing, sentence};
use crate::web::sign_in::go_on;
use crate::web::{Frame, Page, PageError, PageForm, SignedInVisitor, Visitor};

const PATH: &str = "/account/password";

#[derive(Template)]
#[template(path = "account_password.html")]
struct PasswordPage<'a> {
    frame: Frame,
    email: &'a str,
    problem: Option<String>,
}

/// `GET /account/password`
pub async fn page(visitor: Visitor) -> Result<HttpResponse, PageError> {
    let who = fresh(visitor, PATH)?;
    Ok(filled(&who, None)?.answer())
}

/// `GET /.well-known/change-password`: where programs that keep passwords lead people.
///
/// Spec: W3C A Well-Known URL for Changing Passwords
pub async fn elsewhere(visitor: Visitor) -> HttpResponse {
    go_on(visitor.root(), PATH)
}

/// `POST /account/password`: the field `password`.
pub async fn change(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let password = form.get("password").unwrap_or_default().to_owned();
    let who = fresh(form.visitor, PATH)?;
    let (account, this) = (who.signed_in.account.clone(), who.signed_in.session.hash);
    let whence = whence(&app, &request);
    let changed =
        hashing(&app, move |app| change_password(&app.engine.store, &account, &password, this, &whence)).await?;
    match changed {
        Ok(()) => Ok(go_on(who.visitor.root(), ACCOUNT)),
        Err(error @ SignInError::NotUsable(_)) => {
            Ok(filled(&who, Some(sentence(error)))?.status(StatusCode::BAD_REQUEST).answer())
        }
        Err(error) => Err(error.into()),
    }
}

fn filled(who: &SignedInVisitor, problem: Option<String>) -> Result<Page, PageError> {
    let page = PasswordPage { frame: who.visitor.frame(), email: &who.signed_in.account.email, problem };
    Page::new(&who.visitor, &page)
}
