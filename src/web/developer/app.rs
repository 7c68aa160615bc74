//! `/developer/new` and `/developer/apps/{client_id}`: registering an app, and looking after it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use askama::Template;

use crate::clock;
use crate::http::{App, HttpError};
use crate::records::{
    Email, LOGO_BYTES, RecordError, Registered, Registrar, Registration, Secret, ask_member, change as change_client,
    known_client, logo, register as register_client, remove_member, rotate_secret,
};
use crate::store::{Client, Part};
use crate::web::developer::said::{Problem, Said, problem};
use crate::web::session::SignedInVisitor;
use crate::web::{Frame, Page, PageError, PageForm, Visitor};

/// The secret before stays good for so long.
const OVERLAP_US: i64 = 7 * 24 * 3_600 * 1_000_000;

/// What is told whether there is an account with the address or not: that is not for everybody to ask.
const ASKED: &str = "If there is an account with this address, it is asked on its page “For makers of apps”, and stands below once it says yes.";
const REMOVED: &str = "Saved. Whoever has this address has no part in the app.";

#[derive(Template)]
#[template(path = "developer_app.html")]
struct Form<'f> {
    frame: Frame,
    /// `None` for a new app.
    client: Option<&'f Client>,
    said: &'f Said,
    /// Addresses of accounts, with whether each is an owner.
    members: &'f [(String, bool)],
    secret: Option<&'f str>,
    notice: Option<&'f str>,
    problem: Option<&'f Problem>,
}

impl Form<'_> {
    /// What is wrong with a field.
    fn at(&self, field: &str) -> Option<&str> {
        self.problem.filter(|problem| problem.field == field).map(|problem| problem.text.as_str())
    }
}

/// What is shown beside the fields.
#[derive(Default)]
struct Told {
    secret: Option<Secret>,
    notice: Option<&'static str>,
    problem: Option<Problem>,
}

/// `GET /developer/new`
pub async fn new(visitor: SignedInVisitor) -> Result<Page, PageError> {
    shown(&visitor.visitor, None, &Said::nothing(), &[], &Told::default())
}

/// `POST /developer/new`
pub async fn register(form: PageForm, app: Data<App>) -> Result<Page, PageError> {
    let SignedInVisitor { visitor, signed_in } = SignedInVisitor::of(form.visitor.clone(), "/developer/new")?;
    let said = Said::sent(&form);
    let by = Registrar::Account(signed_in.account.id);
    let done = match registration(&said, None, &app).await {
        Ok(registration) => write(&app, registration, None, by).await?,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(registered) => {
            let notice =
                Some("The app is registered. You and those whom you name can try it; the operator can let all use it.");
            let (client, members) = owned(&app, &registered.client.id, signed_in.account.id).await?;
            let told = Told { secret: registered.secret, notice, problem: None };
            shown(&visitor, Some(&client), &Said::of(&client), &members, &told)
        }
        Err(problem) => unfit(shown(&visitor, None, &said, &[], &Told { problem: Some(problem), ..Told::default() })?),
    }
}

/// `GET /developer/apps/{client_id}`
pub async fn page(visitor: SignedInVisitor, id: Path<String>, app: Data<App>) -> Result<Page, PageError> {
    let (client, members) = owned(&app, &id, visitor.signed_in.account.id).await?;
    shown(&visitor.visitor, Some(&client), &Said::of(&client), &members, &Told::default())
}

/// `POST /developer/apps/{client_id}`: keys and addresses, too.
pub async fn change(form: PageForm, id: Path<String>, app: Data<App>) -> Result<Page, PageError> {
    let SignedInVisitor { visitor, signed_in } = fresh(&form, &id)?;
    let (client, members) = owned(&app, &id, signed_in.account.id).await?;
    let said = Said::sent(&form);
    let by = Registrar::Account(signed_in.account.id);
    let done = match registration(&said, Some(&client), &app).await {
        Ok(registration) => write(&app, registration, Some(client.clone()), by).await?,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(registered) => {
            let notice = Some("Saved. What people decide by counts once the operator has looked at it again.");
            let told = Told { secret: registered.secret, notice, problem: None };
            shown(&visitor, Some(&registered.client), &Said::of(&registered.client), &members, &told)
        }
        Err(problem) => {
            let told = Told { problem: Some(problem), ..Told::default() };
            unfit(shown(&visitor, Some(&client), &said, &members, &told)?)
        }
    }
}

/// `POST /developer/apps/{client_id}/secret`: another secret, beside which the one before stays good for a week.
pub async fn rotate(form: PageForm, id: Path<String>, app: Data<App>) -> Result<Page, PageError> {
    let SignedInVisitor { visitor, signed_in } = fresh(&form, &id)?;
    let (client, members) = owned(&app, &id, signed_in.account.id).await?;
    let until_us = clock::now_us() + OVERLAP_US;
    let (name, by) = (client.id.clone(), Registrar::Account(signed_in.account.id));
    let made = app
        .block(move |engine| Ok::<_, HttpError>(engine.store.write(move |tx| rotate_secret(tx, &name, until_us, by))));
    let told =
        Told { secret: Some(made.await??), notice: Some("The secret before stays good for a week."), problem: None };
    shown(&visitor, Some(&client), &Said::of(&client), &members, &told)
}

/// `POST /developer/apps/{client_id}/members`: who makes the app, and who may try it.
pub async fn members(form: PageForm, id: Path<String>, app: Data<App>) -> Result<Page, PageError> {
    let SignedInVisitor { visitor, signed_in } = fresh(&form, &id)?;
    let account = signed_in.account.id;
    let (client, before) = owned(&app, &id, account).await?;
    let part = if form.get("part") == Some("owner") { Part::Owner } else { Part::Tester };
    let is_removal = form.get("remove").is_some();
    let email = form.get("email").unwrap_or_default().parse::<Email>();
    let done = match email {
        Err(error) => Err(Problem { field: "email", text: error.to_string() }),
        Ok(email) => {
            let (name, by) = (client.id.clone(), Registrar::Account(account));
            let done = app.block(move |engine| {
                Ok::<_, HttpError>(engine.store.write(move |tx| match is_removal {
                    true => remove_member(tx, &name, &email, by),
                    false => ask_member(tx, &name, &email, part, by),
                }))
            });
            sorted(done.await?)?
        }
    };
    match done {
        Ok(()) => {
            let (client, members) = owned(&app, &id, account).await?;
            let notice = Some(if is_removal { REMOVED } else { ASKED });
            let told = Told { notice, ..Told::default() };
            shown(&visitor, Some(&client), &Said::of(&client), &members, &told)
        }
        Err(problem) => {
            let told = Told { problem: Some(problem), ..Told::default() };
            unfit(shown(&visitor, Some(&client), &Said::of(&client), &before, &told)?)
        }
    }
}

/// Who is signed in, if they have shown lately that it is they: whoever changes an app can take it over.
fn fresh(form: &PageForm, id: &str) -> Result<SignedInVisitor, PageError> {
    let next = format!("/developer/apps/{id}");
    let visitor = SignedInVisitor::of(form.visitor.clone(), &next)?;
    if visitor.signed_in.is_fresh(clock::now_us()) {
        Ok(visitor)
    } else {
        Err(PageError::ShowAgain { root: visitor.visitor.root().to_owned(), next })
    }
}

fn unfit(page: Page) -> Result<Page, PageError> {
    Ok(page.status(StatusCode::BAD_REQUEST))
}

/// An app with its members, for an owner. To all others there is none.
async fn owned(app: &Data<App>, id: &str, account: i64) -> Result<(Client, Vec<(String, bool)>), PageError> {
    let id = id.to_owned();
    let read = app.block(move |engine| {
        Ok::<_, HttpError>(engine.store.read(|reader| {
            let parts = reader.client_members(&id)?;
            if !parts.contains(&(account, Part::Owner)) {
                return Ok(None);
            }
            let mut members = Vec::new();
            for (member, part) in parts {
                members.extend(reader.account(member)?.map(|account| (account.email, part == Part::Owner)));
            }
            Ok::<_, RecordError>(Some((known_client(reader, &id)?, members)))
        }))
    });
    read.await??.ok_or_else(|| HttpError::UnknownAddress.into())
}

/// What the form says, with the logo where that is a new one.
async fn registration(said: &Said, client: Option<&Client>, app: &App) -> Result<Registration, Problem> {
    let mut registration = said.registration()?;
    registration.goes_without_aud = client.is_some_and(|client| client.goes_without_aud);
    let is_kept = |uri: &String| client.is_some_and(|client| client.logo_uri.as_ref() == Some(uri));
    if let Some(uri) = registration.logo_uri.as_ref().filter(|uri| !is_kept(uri)) {
        let problem = |text: String| Problem { field: "logo_uri", text };
        let fetched = app.auth.outbound.get_at_most(uri, LOGO_BYTES).await;
        let fetched = fetched.map_err(|error| problem(error.to_string()))?;
        registration.logo = Some(logo(fetched.body).map_err(|error| problem(error.to_string()))?);
    }
    Ok(registration)
}

/// Registers an app, or changes `client`.
async fn write(
    app: &Data<App>,
    registration: Registration,
    client: Option<Client>,
    by: Registrar,
) -> Result<Result<Registered, Problem>, PageError> {
    let shared = app.clone();
    let done = app.block(move |engine| {
        let work = || match client {
            None => {
                let new = registration.prepare(by, &shared.outbound)?;
                new.check_searches(engine)?;
                engine.store.write(move |tx| register_client(tx, &new, by))
            }
            Some(client) => {
                let changed = registration.prepare_change(&client, &shared.outbound)?;
                changed.check_searches(engine)?;
                engine.store.write(move |tx| change_client(tx, &changed, by))
            }
        };
        Ok::<_, HttpError>(work())
    });
    sorted(done.await?)
}

/// Tells a refusal that belongs beside a field from one that does not.
fn sorted<T>(done: Result<T, RecordError>) -> Result<Result<T, Problem>, PageError> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(error) => match problem(&error) {
            Some(problem) => Ok(Err(problem)),
            None => Err(error.into()),
        },
    }
}

fn shown(
    visitor: &Visitor,
    client: Option<&Client>,
    said: &Said,
    members: &[(String, bool)],
    told: &Told,
) -> Result<Page, PageError> {
    let template = Form {
        frame: visitor.frame(),
        client,
        said,
        members,
        secret: told.secret.as_ref().map(Secret::as_str),
        notice: told.notice,
        problem: told.problem.as_ref(),
    };
    Page::new(visitor, &template)
}
