//! `/apps`: what a person lets apps do, and the way to take it back.
//!
//! Spec: SMART App Launch 2.2 conformance.html (`management_endpoint`)

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::Data;
use askama::Template;
use url::Url;

use crate::auth::apps::{HeldApp, held_apps, launch, other_apps};
use crate::clock;
use crate::http::{App, HttpError};
use crate::records::take_back;
use crate::store::{Client, Grantee};
use crate::web::account::Moment;
use crate::web::authorize::at_desk;
use crate::web::session::SignedInVisitor;
use crate::web::sign_in::go_on;
use crate::web::{Frame, Page, PageError, PageForm};

const ADDRESS: &str = "/apps";

#[derive(Template)]
#[template(path = "apps.html")]
struct Apps {
    frame: Frame,
    apps: Vec<Shown>,
    others: Vec<Client>,
    /// Names of apps with access that nobody has used for long.
    forgotten: Vec<String>,
}

/// An app as the page shows it.
struct Shown {
    app: HeldApp,
    accesses: Vec<ShownAccess>,
}

struct ShownAccess {
    record: Option<String>,
    record_name: String,
    scopes: Vec<String>,
    since: Moment,
    used: Option<Moment>,
    until: Option<Moment>,
    is_offline: bool,
    is_forgotten: bool,
}

/// `GET /apps`
pub async fn page(visitor: SignedInVisitor, app: Data<App>) -> Result<Page, PageError> {
    let SignedInVisitor { visitor, signed_in } = visitor;
    let (held, others) = at_desk(&app, move |desk| {
        let held = held_apps(desk, &signed_in)?;
        let others = other_apps(desk, signed_in.account.id, &held)?;
        Ok((held, others))
    })
    .await?;
    let forgotten = held.iter().filter(|app| app.accesses.iter().any(|access| access.is_forgotten));
    let template = Apps {
        frame: visitor.frame(),
        forgotten: forgotten.map(|app| app.client.name.clone()).collect(),
        apps: held.into_iter().map(shown).collect(),
        others,
    };
    let apps = template.apps.iter().map(|shown| &shown.app.client).chain(&template.others);
    let origins: Vec<String> = apps.filter_map(origin).collect();
    let mut page = Page::new(&visitor, &template)?;
    // Browsers hold the way to an app, which follows its form, against the policy of this page.
    for origin in &origins {
        page = page.leading_to(origin);
    }
    Ok(page)
}

fn origin(client: &Client) -> Option<String> {
    Some(Url::parse(client.launch_uri.as_deref()?).ok()?.origin().ascii_serialization())
}

fn shown(app: HeldApp) -> Shown {
    let accesses = app.accesses.iter().map(|access| ShownAccess {
        record: access.record.clone(),
        record_name: match (&access.record, &access.record_name) {
            (_, Some(name)) => name.clone(),
            (Some(_), None) => "A record that you can’t see any more".to_owned(),
            (None, None) => "Every record that you may see".to_owned(),
        },
        scopes: access.scopes.clone(),
        since: Moment::of(access.since_us),
        used: access.used_us.map(Moment::of),
        // The last moment, not the first one behind it.
        until: access.until_us.map(|until_us| Moment::of(until_us - 1)),
        is_offline: access.is_offline,
        is_forgotten: access.is_forgotten,
    });
    Shown { accesses: accesses.collect(), app }
}

/// `POST /apps`: takes back what `client_id` may do, or with `all` what all apps may.
pub async fn remove(form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let SignedInVisitor { visitor, signed_in } = SignedInVisitor::of(form.visitor.clone(), ADDRESS)?;
    let account = signed_in.account.id;
    let named = form.get("client_id").map(str::to_owned);
    let is_all = form.get("all").is_some();
    if named.is_none() && !is_all {
        let text = "The form did not say which app. Go back and choose one.";
        return Err(PageError::told(StatusCode::BAD_REQUEST, "No app was named", text));
    }
    let done = app.block(move |engine| {
        let work = engine.store.write(move |tx| {
            let clients: Vec<String> = match (&named, is_all) {
                (Some(client), false) => vec![client.clone()],
                _ => tx.grants_to_apps(account)?.into_iter().filter_map(|grant| client_of(&grant.to)).collect(),
            };
            clients.iter().try_for_each(|client| take_back(tx, client, account, clock::now_us()).map(drop))
        });
        Ok::<_, HttpError>(work)
    });
    done.await??;
    Ok(go_on(visitor.root(), ADDRESS))
}

fn client_of(to: &Grantee) -> Option<String> {
    match to {
        Grantee::Client(client) => Some(client.clone()),
        Grantee::Account(_) => None,
    }
}

/// `POST /apps/open`: to the app `client_id`, on `record` if that is named.
pub async fn open(form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let SignedInVisitor { signed_in, .. } = SignedInVisitor::of(form.visitor.clone(), ADDRESS)?;
    let client = form.get("client_id").unwrap_or_default().to_owned();
    let record = form.get("record").map(str::to_owned);
    let address = at_desk(&app, move |desk| launch(desk, &signed_in, &client, record.as_deref())).await?;
    Ok(HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish())
}
