//! `/sign-in/second`: the code that is asked for after a password.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use crate::auth::sign_in::SignInError;
use crate::http::{App, whence};
use crate::web::account::{sentence, work};
use crate::web::session::own_address;
use crate::web::sign_in::{begun, go_on};
use crate::web::{Frame, Page, PageError, PageForm, Visitor};

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
    half: &'a str,
    next: &'a str,
    problem: Option<String>,
}

/// `GET /sign-in/second`
pub async fn page(visitor: Visitor, query: Query<Step>) -> Result<HttpResponse, PageError> {
    let next = own_address(query.next.as_deref());
    if visitor.signed_in.is_some() {
        return Ok(go_on(visitor.root(), next));
    }
    let Some(half) = query.half.as_deref() else { return Ok(go_on(visitor.root(), "/sign-in")) };
    let page = SecondFactor { frame: visitor.frame(), half, next, problem: None };
    Ok(Page::new(&visitor, &page)?.answer())
}

/// `POST /sign-in/second`: the field `code`.
pub async fn check(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(form.get("next")).to_owned();
    let field = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let (half, code, holder) = (field("half"), field("code"), form.visitor.csrf().to_owned());
    let (shared, from, sealed) = (Data::clone(&app), whence(&app, &request), half.clone());
    let proven =
        work(&app, move |engine| shared.auth.sign_ins.by_code(&engine.store, &sealed, &code, &holder, &from)).await?;
    match proven {
        Ok(proven) => begun(&request, &form.visitor, &app, proven, &next).await,
        Err(error @ SignInError::WrongCode) => {
            let problem = Some(sentence(error));
            let page = SecondFactor { frame: form.visitor.frame(), half: &half, next: &next, problem };
            Ok(Page::new(&form.visitor, &page)?.status(StatusCode::UNAUTHORIZED).answer())
        }
        Err(error) => Err(error.into()),
    }
}
