//! `/account/providers`: by which providers somebody can sign in to their account.

use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;

use crate::auth::upstream;
use crate::http::{App, HttpError};
use crate::store::Identity;
use crate::web::sign_in::go_on;
use crate::web::upstream::{Button, PROVIDERS, blocking, fresh, problem};
use crate::web::{Frame, Page, PageError, PageForm, SignedInVisitor};

/// A provider that is linked.
struct Linked {
    id: i64,
    title: String,
    label: Option<String>,
    since: String,
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
    let others = app.auth.upstream.providers().iter().map(|provider| Button {
        title: provider.title().to_owned(),
        href: format!("{root}/auth/upstream/{}/start?for=link&next=%2Faccount%2Fproviders", provider.name()),
    });
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
        since: day(identity.created_us),
    }
}

/// The day of an instant, in UTC.
fn day(at_us: i64) -> String {
    chrono::DateTime::from_timestamp_micros(at_us).map(|at| at.format("%-d %B %Y").to_string()).unwrap_or_default()
}

/// `POST /account/providers`: unlinks the one whose number is in the field `identity`.
pub async fn unlink(form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let who = SignedInVisitor::of(form.visitor.clone(), PROVIDERS)?.signed_in;
    let account = fresh(&who, form.visitor.root(), PROVIDERS)?.account.id;
    let Some(identity) = form.get("identity").and_then(|number| number.parse().ok()) else {
        return Ok(go_on(form.visitor.root(), PROVIDERS));
    };
    let unlinked = blocking(&app, move |engine| engine.store.write(move |tx| upstream::unlink(tx, account, identity)));
    match unlinked.await? {
        // One that was unlinked before is not there any more, as was wanted.
        Ok(_) => Ok(go_on(form.visitor.root(), PROVIDERS)),
        Err(error) => problem::page_about(&form.visitor, "this provider", error),
    }
}
