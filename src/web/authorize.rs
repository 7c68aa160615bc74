//! `/auth/authorize`, where an app sends a person, and the consent page.
//!
//! Spec: RFC 6749 section 3.1; SMART App Launch 2.2 app-launch.html#obtain-authorization-code

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use askama::Template;
use url::{Url, form_urlencoded};

use crate::auth::{
    self, Answer, AuthorizeRefused, AuthorizeRequest, Desk, Question, SignedIn, Step, Unanswered, read_authorize,
};
use crate::clock;
use crate::fhir::PartialDate;
use crate::http::{App, FormBody, HttpError};
use crate::interactions::Engine;
use crate::web::session::SignedInVisitor;
use crate::web::{Frame, Page, PageError, PageForm, Visitor};

const ADDRESS: &str = "/auth/authorize";
/// The way from a sign-in back here takes at most so long.
const BACK_S: i64 = 30;

/// `GET /auth/authorize`
pub async fn asked(request: HttpRequest, visitor: Visitor, app: Data<App>) -> Result<HttpResponse, PageError> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    ask(visitor, pairs, &app).await
}

/// `POST /auth/authorize`: the same, from a form of the app. It changes nothing by itself, so that it may come from anywhere.
pub async fn posted(visitor: Visitor, body: FormBody, app: Data<App>) -> Result<HttpResponse, PageError> {
    ask(visitor, body.pairs()?, &app).await
}

/// `POST /auth/consent`: what the person decided.
pub async fn answered(form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let query = form.get("request").unwrap_or_default();
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let Asked::Request(request) = read(pairs, &app).await? else { return Err(PageError::Forged) };
    let SignedInVisitor { visitor, signed_in } =
        SignedInVisitor::of(form.visitor.clone(), &format!("{ADDRESS}?{}", request.query))?;
    let issuer = app.auth.endpoints.issuer.clone();
    match form.get("decision") {
        Some("allow" | "seek") => {}
        Some("deny") => {
            let back = request.back("access_denied", "the person did not allow it");
            return Ok(leave(&back.address(&issuer)?));
        }
        _ => {
            let text = "The form did not say whether to allow or to deny. Go back and choose one of the two buttons.";
            return Err(PageError::told(StatusCode::BAD_REQUEST, "Nothing was decided", text));
        }
    }
    let (answer, until) = given(&form, app.engine.fhir.zone_minutes);
    let (asked, chosen, who) = (request.clone(), answer.clone(), signed_in.clone());
    if form.get("decision") == Some("seek") {
        let step = at_desk(&app, move |desk| desk.seek(&asked, &who, &chosen)).await?;
        let given = Given { answer: &answer, until: until.as_deref(), unanswered: None };
        return gone_on(&visitor, &signed_in, &request, step, Some(given), &app);
    }
    let outcome = at_desk(&app, move |desk| desk.answer(&asked, &who, &chosen)).await?;
    match outcome {
        // The person has decided, so that whatever came of it goes to the app.
        Ok(Step::Back(back)) => Ok(leave(&back.address(&issuer)?)),
        Ok(step) => gone_on(&visitor, &signed_in, &request, step, None, &app),
        Err((question, unanswered)) => {
            let shown = Shown {
                visitor: &visitor,
                signed_in: &signed_in,
                request: &request,
                question: &question,
                device: None,
            };
            let page =
                shown.page(Some(Given { answer: &answer, until: until.as_deref(), unanswered: Some(&unanswered) }))?;
            // Whose visits are to choose from was not known before: that is no mistake.
            let is_first = unanswered == Unanswered::Visit && answer.visit.is_none();
            let status = if is_first { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            Ok(page.status(status).answer())
        }
    }
}

/// What the person chose, and the end as they wrote it.
pub(super) fn given(form: &PageForm, zone_minutes: i16) -> (Answer, Option<String>) {
    let until = form.get("until").map(str::to_owned);
    let answer = Answer {
        ticked: form.all("scope").map(str::to_owned).collect(),
        record: form.get("record").map(str::to_owned),
        sought: form.get("sought").map(str::to_owned),
        visit: form.all("encounter").next().map(str::to_owned),
        // What can't be read as a day is told like one in the past.
        until_us: until.as_deref().map(|until| end_of(until, zone_minutes).unwrap_or(0)),
    };
    (answer, until)
}

/// First moment behind a day, as a date field writes it.
fn end_of(text: &str, zone_minutes: i16) -> Option<i64> {
    let date = PartialDate::parse(text).ok()?;
    Some(date.interval(zone_minutes).hi_us)
}

/// What came of reading a request.
enum Asked {
    Request(Box<AuthorizeRequest>),
    Back(auth::Back),
}

async fn read(pairs: Vec<(String, String)>, app: &Data<App>) -> Result<Asked, PageError> {
    let read = app.block(move |engine| {
        Ok::<_, HttpError>(match read_authorize(&engine.store, &engine.bases, &pairs) {
            Ok(request) => Ok(Asked::Request(Box::new(request))),
            Err(AuthorizeRefused::Back(back)) => Ok(Asked::Back(*back)),
            Err(AuthorizeRefused::Store(error)) => return Err(error.into()),
            Err(AuthorizeRefused::Told(text)) => Err(text),
        })
    });
    read.await?.map_err(|text| {
        let text = format!("{text} Go back to the app, and tell its makers.");
        PageError::told(StatusCode::BAD_REQUEST, "This app can’t be let in", text)
    })
}

async fn ask(visitor: Visitor, pairs: Vec<(String, String)>, app: &Data<App>) -> Result<HttpResponse, PageError> {
    let issuer = &app.auth.endpoints.issuer;
    let request = match read(pairs, app).await? {
        Asked::Request(request) => request,
        Asked::Back(back) => return sent_back(&visitor, &back, issuer),
    };
    let again = format!("{ADDRESS}?{}", request.query);
    let Some(signed_in) = visitor.signed_in.clone() else {
        if request.prompt.none {
            return sent_back(&visitor, &request.back("login_required", "nobody is signed in"), issuer);
        }
        return Err(PageError::SignInNeeded {
            root: visitor.root().to_owned(),
            next: format!("{ADDRESS}?{}", request.query_without_login()),
        });
    };
    let now_us = clock::now_us();
    let is_old =
        |seconds: i64| now_us > signed_in.session.verified_us.saturating_add(seconds.saturating_mul(1_000_000));
    // Who was sent to show anew who they are comes back some moments later.
    if request.prompt.login || request.max_age_s.map(|seconds| seconds.max(BACK_S)).is_some_and(is_old) {
        if request.prompt.none {
            return sent_back(&visitor, &request.back("login_required", "the sign-in is too long ago"), issuer);
        }
        let next = if request.prompt.login { format!("{ADDRESS}?{}", request.query_without_login()) } else { again };
        return Err(PageError::ShowAgain { root: visitor.root().to_owned(), next });
    }
    let (asked, who) = (request.clone(), signed_in.clone());
    let step = at_desk(app, move |desk| desk.look(&asked, &who)).await?;
    gone_on(&visitor, &signed_in, &request, step, None, app)
}

/// Does `work` with all that it needs, on a blocking thread.
pub(super) async fn at_desk<T: Send + 'static>(
    app: &Data<App>,
    work: impl FnOnce(&Desk<'_>) -> Result<T, auth::AuthError> + Send + 'static,
) -> Result<T, PageError> {
    let shared = app.clone();
    let done = app.block(move |engine: &Engine| {
        let tokens = auth::Tokens { store: &engine.store, registry: engine.registry(), bases: &engine.bases };
        Ok::<_, HttpError>(work(&Desk { engine, server: &shared.auth, tokens, now_us: clock::now_us() }))
    });
    Ok(done.await??)
}

fn gone_on(
    visitor: &Visitor,
    signed_in: &SignedIn,
    request: &AuthorizeRequest,
    step: Step,
    given: Option<Given<'_>>,
    app: &Data<App>,
) -> Result<HttpResponse, PageError> {
    match step {
        Step::Back(back) => sent_back(visitor, &back, &app.auth.endpoints.issuer),
        Step::Go(address) => Ok(leave(&address)),
        Step::Ask(question) => {
            let shown = Shown { visitor, signed_in, request, question: &question, device: None };
            Ok(shown.page(given)?.answer())
        }
    }
}

/// To the app with an error that came before the person decided anything. Where nobody vouches for the app, the person goes there by
/// hand: anybody could send people on to an address of theirs by way of this server otherwise.
fn sent_back(visitor: &Visitor, back: &auth::Back, issuer: &str) -> Result<HttpResponse, PageError> {
    let address = back.address(issuer)?;
    let Some(name) = &back.unvouched else { return Ok(leave(&address)) };
    let url = Url::parse(&address).ok();
    let host = url.as_ref().and_then(Url::host_str).map_or_else(|| "an app on this device".to_owned(), str::to_owned);
    let template = Refused { frame: visitor.frame(), name, reason: back.description, address: &address, host };
    Ok(Page::new(visitor, &template)?.status(StatusCode::BAD_REQUEST).answer())
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'r> {
    frame: Frame,
    name: &'r str,
    reason: &'r str,
    address: &'r str,
    host: String,
}

/// To the app. RFC 9700 section 4.12: 303, so that no browser posts the form again there.
fn leave(address: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// The consent page.
pub(super) struct Shown<'s> {
    pub visitor: &'s Visitor,
    pub signed_in: &'s SignedIn,
    pub request: &'s AuthorizeRequest,
    pub question: &'s Question,
    /// Where it is a device that is to be let in.
    pub device: Option<Showing<'s>>,
}

/// A device that shows a code.
#[derive(Clone, Copy)]
pub(super) struct Showing<'s> {
    pub code: &'s str,
    /// Says that the code was typed in this session.
    pub ticket: &'s str,
}

/// What the person filled in before, on a page that is shown again.
#[derive(Clone, Copy)]
pub(super) struct Given<'g> {
    pub answer: &'g Answer,
    /// The end as they wrote it.
    pub until: Option<&'g str>,
    /// What is amiss, if anything.
    pub unanswered: Option<&'g Unanswered>,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'c> {
    frame: Frame,
    request: &'c AuthorizeRequest,
    question: &'c Question,
    device: Option<Showing<'c>>,
    email: &'c str,
    /// Where the app lives, as people would say it.
    home: String,
    has_logo: bool,
    is_sandbox: bool,
    ticked: Vec<Ticked<'c>>,
    record: Option<&'c str>,
    until: &'c str,
    visit: Option<&'c str>,
    record_problem: bool,
    visit_problem: bool,
    until_problem: bool,
    has_problem: bool,
}

/// A line with what is ticked of it.
struct Ticked<'c> {
    line: &'c auth::consent::Line,
    number: usize,
    is_ticked: bool,
    is_lacking: bool,
    /// Value, words and whether it is ticked.
    parts: Vec<(&'c str, &'c str, bool)>,
    is_open: bool,
}

impl Shown<'_> {
    pub(super) fn page(&self, given: Option<Given<'_>>) -> Result<Page, PageError> {
        let Shown { visitor, signed_in, request, question, device } = self;
        let client = &request.client;
        let answer = given.map(|given| given.answer);
        let unanswered = given.and_then(|given| given.unanswered);
        let lacking: &[String] = match unanswered {
            Some(Unanswered::Needed(lacking)) => lacking,
            _ => &[],
        };
        let is_ticked = |value: &str, at_first: bool| {
            answer.map_or(at_first, |answer| answer.ticked.iter().any(|ticked| ticked == value))
        };
        let ticked = question.offer.lines.iter().enumerate().map(|(number, line)| {
            let parts = line.parts.iter();
            let parts: Vec<_> =
                parts.map(|part| (part.value.as_str(), part.words.as_str(), is_ticked(&part.value, false))).collect();
            Ticked {
                line,
                number,
                is_ticked: is_ticked(&line.value, true),
                is_lacking: lacking.contains(&line.value),
                is_open: parts.iter().any(|(_, _, is_ticked)| *is_ticked),
                parts,
            }
        });
        // Whose visits are to choose from was not known before.
        let is_first = unanswered == Some(&Unanswered::Visit) && answer.is_some_and(|answer| answer.visit.is_none());
        let home = Url::parse(&request.redirect_uri).ok();
        let template = Consent {
            frame: visitor.frame(),
            request,
            question,
            device: *device,
            email: &signed_in.account.email,
            home: match &home {
                Some(url) if request.is_certain() => url.host_str().unwrap_or_default().to_owned(),
                _ => "this device".to_owned(),
            },
            has_logo: client.logo_media.is_some(),
            is_sandbox: client.approved_us.is_none(),
            ticked: ticked.collect(),
            record: answer.and_then(|answer| answer.record.as_deref()),
            until: given.and_then(|given| given.until).unwrap_or_default(),
            visit: answer.and_then(|answer| answer.visit.as_deref()),
            record_problem: unanswered == Some(&Unanswered::Record),
            visit_problem: unanswered == Some(&Unanswered::Visit) && !is_first,
            until_problem: unanswered == Some(&Unanswered::Until),
            has_problem: unanswered.is_some() && !is_first,
        };
        let page = Page::new(visitor, &template)?;
        Ok(page.leading_back(&request.redirect_uri))
    }
}
