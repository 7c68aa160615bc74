//! `/account/providers`: by which providers somebody can sign in to their account.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::auth::upstream;
use crate::http::{App, HttpError, whence};
use crate::store::Identity;
use crate::web::account::Moment;
use crate::web::sign_in::go_on;
use crate::web::upstream::{Button, PROVIDERS, blocking, fresh, problem};
use crate::web::{Frame, Page, PageError, PageForm, SignedInVisitor};

/// A provider that is linked.
struct Linked {
    id: i64,
    title: String,
    label: Option<String>,
    since: Moment,
}

#[derive(Template)]
#[template(path = "upstream_providers.html")]
struct ProvidersPage {
    frame: Frame,
    linked: Vec<Linked>,
    others: Vec<Button>,
}

/// `GET /account/providers`
pub async fn linked(visitor: SignedInVisitor, app: Data<App>) -> Result<HttpResponse, PageError> {
    let account = visitor.signed_in.account.id;
    let identities = app.block(move |engine| -> Result<_, HttpError> {
        Ok(engine.store.read_one(|reader| reader.identities_of(account))?)
    });
    let identities = identities.await?;
    let root = visitor.visitor.root();
    let others = app.auth.upstream.providers().iter();
    let others = others.map(|provider| Button::to(provider, root, "for=link&", PROVIDERS));
    let template = ProvidersPage {
        frame: visitor.visitor.frame(),
        others: others.collect(),
        linked: identities.into_iter().map(|identity| shown(&app, identity)).collect(),
    };
    Ok(Page::new(&visitor.visitor, &template)?.answer())
}

fn shown(app: &App, identity: Identity) -> Linked {
    Linked {
        id: identity.id,
        title: app.auth.upstream.title_of(&identity.issuer).to_owned(),
        label: identity.label,
        since: Moment::of(identity.created_us),
    }
}

/// `POST /account/providers`: unlinks the one whose number is in the field `identity`.
pub async fn unlink(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let who = SignedInVisitor::of(form.visitor.clone(), PROVIDERS)?.signed_in;
    let account = fresh(&who, form.visitor.root(), PROVIDERS)?.account.clone();
    let Some(identity) = form.get("identity").and_then(|number| number.parse().ok()) else {
        return Ok(go_on(form.visitor.root(), PROVIDERS));
    };
    let (shared, from) = (Data::clone(&app), whence(&app, &request));
    let unlinked = blocking(&app, move |engine| {
        engine.store.write(move |tx| {
            let title = |issuer: &str| shared.auth.upstream.title_of(issuer).to_owned();
            upstream::unlink(tx, &account, identity, title, &from)
        })
    });
    match unlinked.await? {
        // One that was unlinked before is not there any more, as was wanted.
        Ok(_) => Ok(go_on(form.visitor.root(), PROVIDERS)),
        Err(error) => problem::page_about(&form.visitor, "this provider", error),
    }
}
