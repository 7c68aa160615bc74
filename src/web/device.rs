//! `/device`, where somebody lets in a device by the code that it shows.
//!
//! Spec: RFC 8628 sections 3.3 and 5

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use crate::auth::device::{self, Waiting};
use crate::auth::{AuthError, Question, Step};
use crate::clock;
use crate::http::{App, HttpError, UserCodes};
use crate::interactions::Engine;
use crate::store::SecretHash;
use crate::web::authorize::{Given, Showing, Shown, at_desk, given};
use crate::web::session::SignedInVisitor;
use crate::web::{Frame, Page, PageError, PageForm};

const ADDRESS: &str = "/device";

/// What the address may bring along.
#[derive(Debug, Deserialize)]
pub struct Complete {
    user_code: Option<String>,
}

#[derive(Template)]
#[template(path = "device.html")]
struct Typing<'a> {
    frame: Frame,
    user_code: &'a str,
    problem: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "device_done.html")]
struct Done<'a> {
    frame: Frame,
    name: &'a str,
    is_let_in: bool,
}

/// `GET /device`. RFC 8628 section 3.3.1: also with the code in the address, whoever comes must see that the device shows it.
pub async fn page(visitor: SignedInVisitor, query: Query<Complete>) -> Result<Page, PageError> {
    let user_code = query.user_code.as_deref().unwrap_or_default();
    let template = Typing { frame: visitor.visitor.frame(), user_code, problem: None };
    Page::new(&visitor.visitor, &template)
}

/// `POST /device`: the code was typed.
pub async fn typed(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<Page, PageError> {
    let SignedInVisitor { visitor, signed_in } = SignedInVisitor::of(form.visitor.clone(), ADDRESS)?;
    let user_code = form.get("user_code").unwrap_or_default().chars().take(40).collect::<String>();
    let tries = UserCodes::take(&app, &request, signed_in.account.id)?;
    let Some(waiting) = typed_now(&app, user_code.clone()).await? else {
        let problem =
            Some("No device shows this code, or it is too old. Look at the device, and type what it shows now.");
        let template = Typing { frame: visitor.frame(), user_code: &user_code, problem };
        return Ok(Page::new(&visitor, &template)?.status(StatusCode::BAD_REQUEST));
    };
    tries.give_back();
    let (request, who) = (waiting.request.clone(), signed_in.clone());
    let question = match at_desk(&app, move |desk| desk.look(&request, &who)).await? {
        Step::Ask(question) => question,
        Step::Back(back) => return Err(told(back.description)),
        Step::Go(_) => return Err(told("the device was not asked about")),
    };
    let ticket = waiting.sealed(app.engine.store.seal(), &signed_in.session.hash);
    shown(&visitor, &signed_in, &waiting, &ticket, &question).page(None)
}

/// `POST /device/consent`: what the person decided.
pub async fn answered(form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let SignedInVisitor { visitor, signed_in } = SignedInVisitor::of(form.visitor.clone(), ADDRESS)?;
    let ticket = form.get("device").unwrap_or_default().to_owned();
    let Some(waiting) = typed_before(&app, ticket.clone(), signed_in.session.hash).await? else {
        return Err(told(
            "its code was not typed here, is too old, or was decided about before: begin anew on the device",
        ));
    };
    let (answer, until) = given(&form, app.engine.fhir.zone_minutes);
    let is_let_in = match form.get("decision") {
        Some("allow") => {
            let (request, who, chosen) = (waiting.request.clone(), signed_in.clone(), answer.clone());
            match at_desk(&app, move |desk| desk.answer(&request, &who, &chosen)).await? {
                Err((question, unanswered)) => {
                    let page = shown(&visitor, &signed_in, &waiting, &ticket, &question);
                    let page = page.page(Some(Given {
                        answer: &answer,
                        until: until.as_deref(),
                        unanswered: Some(&unanswered),
                    }))?;
                    return Ok(page.status(StatusCode::BAD_REQUEST).answer());
                }
                Ok(Step::Go(address)) => {
                    let waiting = waiting.clone();
                    at_store(&app, move |engine| device::let_in(&engine.store, &waiting, &address)).await?
                }
                Ok(Step::Back(back)) => return Err(told(back.description)),
                Ok(Step::Ask(_)) => return Err(told("the device was not asked about")),
            }
        }
        Some("seek") => {
            let (request, who, chosen) = (waiting.request.clone(), signed_in.clone(), answer.clone());
            let question = match at_desk(&app, move |desk| desk.seek(&request, &who, &chosen)).await? {
                Step::Ask(question) => question,
                Step::Back(back) => return Err(told(back.description)),
                Step::Go(_) => return Err(told("the device was not asked about")),
            };
            let given = Given { answer: &answer, until: until.as_deref(), unanswered: None };
            return Ok(shown(&visitor, &signed_in, &waiting, &ticket, &question).page(Some(given))?.answer());
        }
        Some("deny") => {
            let waiting = waiting.clone();
            at_store(&app, move |engine| device::keep_out(&engine.store, &waiting)).await?;
            false
        }
        _ => {
            return Err(told(
                "the form did not say whether to allow or to deny: go back, and choose one of the buttons",
            ));
        }
    };
    let template = Done { frame: visitor.frame(), name: &waiting.request.client.name, is_let_in };
    Ok(Page::new(&visitor, &template)?.answer())
}

fn shown<'s>(
    visitor: &'s crate::web::Visitor,
    signed_in: &'s crate::auth::SignedIn,
    waiting: &'s Waiting,
    ticket: &'s str,
    question: &'s Question,
) -> Shown<'s> {
    Shown {
        visitor,
        signed_in,
        request: &waiting.request,
        question,
        device: Some(Showing { code: &waiting.user_code, ticket }),
    }
}

fn told(why: &str) -> PageError {
    PageError::told(StatusCode::BAD_REQUEST, "The device was not let in", format!("Reason: {why}."))
}

async fn typed_now(app: &Data<App>, user_code: String) -> Result<Option<Waiting>, PageError> {
    let shared = app.clone();
    at_store(app, move |engine| device::typed_now(&engine.store, &shared.auth, &user_code, clock::now_us())).await
}

async fn typed_before(app: &Data<App>, ticket: String, session: SecretHash) -> Result<Option<Waiting>, PageError> {
    let shared = app.clone();
    at_store(app, move |engine| device::typed_before(&engine.store, &shared.auth, &ticket, &session, clock::now_us()))
        .await
}

async fn at_store<T: Send + 'static>(
    app: &Data<App>,
    work: impl FnOnce(&Engine) -> Result<T, AuthError> + Send + 'static,
) -> Result<T, PageError> {
    Ok(app.block(move |engine| Ok::<_, HttpError>(work(engine))).await??)
}
