//! `/developer`: the apps that somebody makes, and those in which they are asked to take a part.

use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;

use crate::http::{App, HttpError};
use crate::records::{RecordError, answer_asked};
use crate::store::{Client, Part, Role};
use crate::web::session::SignedInVisitor;
use crate::web::sign_in::go_on;
use crate::web::{Frame, Page, PageError, PageForm};

const ADDRESS: &str = "/developer";

#[derive(Template)]
#[template(path = "developer.html")]
struct Apps {
    frame: Frame,
    clients: Vec<Client>,
    /// In which they are asked to take a part, and whether as an owner.
    asked: Vec<(Client, bool)>,
    is_operator: bool,
    base: String,
}

/// `GET /developer`
pub async fn list(visitor: SignedInVisitor, app: Data<App>) -> Result<Page, PageError> {
    let account = visitor.signed_in.account.id;
    let read = app.block(move |engine| {
        Ok::<_, HttpError>(engine.store.read(|reader| {
            let mut asked = Vec::new();
            for (client, part) in reader.asked_parts(account)? {
                asked.extend(reader.client(&client)?.map(|client| (client, part == Part::Owner)));
            }
            Ok::<_, RecordError>((reader.clients_owned_by(account)?, asked))
        }))
    });
    let (clients, asked) = read.await??;
    let template = Apps {
        frame: visitor.visitor.frame(),
        clients,
        asked,
        is_operator: visitor.signed_in.account.role == Role::Operator,
        base: app.base().to_owned(),
    };
    Page::new(&visitor.visitor, &template)
}

/// `POST /developer`: whether they take the part in `client_id` that they are asked to.
pub async fn answer(form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let SignedInVisitor { visitor, signed_in } = SignedInVisitor::of(form.visitor.clone(), ADDRESS)?;
    let client = form.get("client_id").unwrap_or_default().to_owned();
    let (account, is_yes) = (signed_in.account.id, form.get("answer") == Some("yes"));
    let done = app.block(move |engine| {
        Ok::<_, HttpError>(engine.store.write(move |tx| answer_asked(tx, &client, account, is_yes)))
    });
    done.await??;
    Ok(go_on(visitor.root(), ADDRESS))
}
