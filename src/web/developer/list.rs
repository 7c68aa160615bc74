//! `/developer`: the apps that somebody makes.

use actix_web::web::Data;
use askama::Template;

use crate::http::{App, HttpError};
use crate::store::{Client, Role};
use crate::web::session::SignedInVisitor;
use crate::web::{Frame, Page, PageError};

#[derive(Template)]
#[template(path = "developer.html")]
struct Apps {
    frame: Frame,
    clients: Vec<Client>,
    is_operator: bool,
    base: String,
}

/// `GET /developer`
pub async fn list(visitor: SignedInVisitor, app: Data<App>) -> Result<Page, PageError> {
    let account = visitor.signed_in.account.id;
    let read = app
        .block(move |engine| engine.store.read_one(|reader| reader.clients_owned_by(account)).map_err(HttpError::from));
    let template = Apps {
        frame: visitor.visitor.frame(),
        clients: read.await?,
        is_operator: visitor.signed_in.account.role == Role::Operator,
        base: app.base().to_owned(),
    };
    Page::new(&visitor.visitor, &template)
}
