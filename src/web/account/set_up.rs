//! `/set-up`: the first account of a new server.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use crate::auth::sign_in::{Proven, SignInError, is_set_up_link, set_up};
use crate::http::{App, whence};
use crate::records::{Email, Name, NotUsable, RecordError};
use crate::web::account::{hashing, sentence, work};
use crate::web::sign_in::begun;
use crate::web::{Frame, Page, PageError, PageForm, Visitor};

/// What the printed link has.
#[derive(Debug, Deserialize)]
pub struct Link {
    token: Option<String>,
}

/// What was filled in, and what of it can't be used.
#[derive(Clone, Debug, Default)]
struct Filled {
    token: String,
    name: String,
    email: String,
    password: String,
    name_problem: Option<String>,
    email_problem: Option<String>,
    password_problem: Option<String>,
}

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUp {
    frame: Frame,
    filled: Filled,
}

/// `GET /set-up`
pub async fn page(visitor: Visitor, query: Query<Link>, app: Data<App>) -> Result<HttpResponse, PageError> {
    let token = query.into_inner().token.unwrap_or_default();
    let link = token.clone();
    if !work(&app, move |engine| is_set_up_link(&engine.store, &link)).await?? {
        return Err(no_link());
    }
    let page = SetUp { frame: visitor.frame(), filled: Filled { token, ..Filled::default() } };
    Ok(Page::new(&visitor, &page)?.answer())
}

/// `POST /set-up`: `name`, `email` and `password` of the first operator.
pub async fn make(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let field = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let mut filled = Filled {
        token: field("token"),
        name: field("name"),
        email: field("email"),
        password: field("password"),
        ..Filled::default()
    };
    let (name, email) = (filled.name.parse::<Name>(), filled.email.parse::<Email>());
    let wrong = |refused: Option<&NotUsable>| refused.map(sentence);
    filled.name_problem = wrong(name.as_ref().err());
    filled.email_problem = wrong(email.as_ref().err());
    let (Ok(name), Ok(email)) = (name, email) else { return again(&form.visitor, filled) };
    let (link, password, from) = (filled.token.clone(), filled.password.clone(), whence(&app, &request));
    let made = hashing(&app, move |app| set_up(&app.engine.store, &link, &email, &name, &password, &from)).await?;
    match made {
        Ok(account) => {
            let proven = Proven { account, factors: "pwd".to_owned(), needs_code: false };
            begun(&request, &form.visitor, &app, proven, "/account").await
        }
        Err(SignInError::NotUsable(reason)) => {
            filled.password_problem = Some(sentence(reason));
            again(&form.visitor, filled)
        }
        Err(SignInError::Record(error @ RecordError::EmailTaken(_))) => {
            filled.email_problem = Some(sentence(error));
            again(&form.visitor, filled)
        }
        Err(SignInError::NoSetUp) => Err(no_link()),
        Err(error) => Err(error.into()),
    }
}

fn again(visitor: &Visitor, filled: Filled) -> Result<HttpResponse, PageError> {
    let page = SetUp { frame: visitor.frame(), filled };
    Ok(Page::new(visitor, &page)?.status(StatusCode::BAD_REQUEST).answer())
}

fn no_link() -> PageError {
    PageError::told(StatusCode::NOT_FOUND, "This link is not valid", sentence(SignInError::NoSetUp))
}
