//! `GET /auth/upstream/{name}/callback`, and `POST /auth/upstream/{name}/link`

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::auth::SignedIn;
use crate::auth::sign_in::Proven;
use crate::auth::upstream::{
    self, Answer, Attempt, Contact, Known, LinkOffer, Provider, Purpose, UpstreamError, Verified,
};
use crate::clock;
use crate::http::{App, HttpError, whence};
use crate::web::account::shown_again;
use crate::web::sign_in::{add_cookie, begun, go_on};
use crate::web::upstream::{PROVIDERS, blocking, cookie, fresh, problem};
use crate::web::{Frame, Page, PageError, PageForm, SignedInVisitor, Visitor};

/// What came of an answer.
enum Ended {
    /// It goes on there.
    Response(HttpResponse),
    /// Something is to be asked first.
    Page(Page),
}

#[derive(Template)]
#[template(path = "upstream_link.html")]
struct LinkPage<'a> {
    frame: Frame,
    provider: &'a str,
    title: &'a str,
    label: Option<&'a str>,
    email: &'a str,
    offer: String,
}

/// Takes what the provider sends the person back with.
pub async fn callback(
    request: HttpRequest,
    visitor: Visitor,
    name: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let provider = app.auth.upstream.named(&name).ok_or(HttpError::UnknownAddress)?;
    let counted = app.auth.sign_ins.answer(&whence(&app, &request))?;
    let mut response = match answered(&request, &visitor, provider, &app).await? {
        Ok(ended) => {
            counted.give_back();
            match ended {
                Ended::Response(response) => response,
                Ended::Page(page) => page.answer(),
            }
        }
        // Whoever answers to something that another browser began is not to end what this one has begun.
        Err(error @ UpstreamError::OtherState) => return problem::page(&visitor, provider, error),
        Err(error) => problem::page(&visitor, provider, error)?,
    };
    add_cookie(&mut response, &cookie::ending(&app));
    Ok(response)
}

async fn answered(
    request: &HttpRequest,
    visitor: &Visitor,
    provider: &Provider,
    app: &Data<App>,
) -> Result<Result<Ended, UpstreamError>, PageError> {
    let verified = match verified(request, visitor, provider, app).await? {
        Ok(verified) => verified,
        Err(error) => return Ok(Err(error)),
    };
    let (attempt, verified) = verified;
    let sought = verified.clone();
    let known = match blocking(app, move |engine| engine.store.read(|reader| upstream::known(reader, &sought))).await? {
        Ok(known) => known,
        Err(error) => return Ok(Err(error)),
    };
    match (&attempt.purpose, &visitor.signed_in, known) {
        (Purpose::SignIn, _, Some(known)) => signed_in(request, visitor, app, &attempt, &verified, known).await,
        (Purpose::SignIn, None, None) => admitted(request, visitor, provider, app, &attempt, verified).await,
        (Purpose::SignIn, Some(signed_in), None) => {
            offered(visitor, signed_in, provider, app, &attempt, &verified).await
        }
        (Purpose::Link { account }, Some(signed_in), known) if signed_in.account.id == *account => match known {
            None => offered(visitor, signed_in, provider, app, &attempt, &verified).await,
            Some(known) if known.account.id == *account => {
                Ok(Ok(Ended::Response(go_on(visitor.root(), &attempt.next))))
            }
            Some(_) => Ok(Err(UpstreamError::LinkedElsewhere)),
        },
        (Purpose::Again { account }, Some(signed_in), known) if signed_in.account.id == *account => match known {
            Some(known) if known.account.id == *account => {
                again(visitor, signed_in, app, &attempt, &verified, known).await
            }
            _ => Ok(Err(UpstreamError::OtherPerson)),
        },
        (Purpose::Link { .. } | Purpose::Again { .. }, ..) => Ok(Err(UpstreamError::OtherSession)),
    }
}

/// Who the provider says that it is, for the attempt of this browser.
async fn verified(
    request: &HttpRequest,
    visitor: &Visitor,
    provider: &Provider,
    app: &Data<App>,
) -> Result<Result<(Attempt, Verified), UpstreamError>, PageError> {
    let now_us = clock::now_us();
    let (state, answer) = match read_answer(request.query_string()) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    let sealed = cookie::kept(app, request);
    let (seal, visit) = (app.engine.store.seal(), visitor.csrf());
    let opened = Attempt::opened(seal, visit, sealed.as_deref(), provider.name(), state.as_deref(), now_us);
    let attempt = match opened {
        Ok(attempt) => attempt,
        Err(error) => return Ok(Err(error)),
    };
    let used = attempt.clone();
    if let Err(error) = blocking(app, move |engine| used.use_up(&engine.store)).await? {
        return Ok(Err(error));
    }
    Ok(provider.finish(&attempt, &answer, now_us).await.map(|verified| (attempt, verified)))
}

/// The parameters of an answer. One that comes twice would let two readers see two things.
fn read_answer(query: &str) -> Result<(Option<String>, Answer), UpstreamError> {
    let (mut state, mut answer) = (None, Answer::default());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let place = match &*name {
            "state" => &mut state,
            "code" => &mut answer.code,
            "iss" => &mut answer.iss,
            "error" => &mut answer.error,
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(UpstreamError::Unreadable(format!("it sent {name} twice")));
        }
    }
    Ok((state, answer))
}

/// Begins a session of somebody who is known.
async fn signed_in(
    request: &HttpRequest,
    visitor: &Visitor,
    app: &Data<App>,
    attempt: &Attempt,
    verified: &Verified,
    known: Known,
) -> Result<Result<Ended, UpstreamError>, PageError> {
    match proven(app, verified, known).await? {
        Ok(proven) => Ok(Ok(Ended::Response(begun(request, visitor, app, proven, &attempt.next).await?))),
        Err(error) => Ok(Err(error)),
    }
}

/// Signs in somebody who comes for the first time, if the settings have an account for them.
async fn admitted(
    request: &HttpRequest,
    visitor: &Visitor,
    provider: &Provider,
    app: &Data<App>,
    attempt: &Attempt,
    verified: Verified,
) -> Result<Result<Ended, UpstreamError>, PageError> {
    // How to reach them is asked for only where it can help.
    if !provider.admits() {
        return Ok(Err(UpstreamError::NoAccount));
    }
    let contact = match provider.contact(&verified, clock::now_us()).await {
        Ok(contact) => contact,
        Err(error) => return Ok(Err(error)),
    };
    let (settings, comes, from) = (provider.settings().clone(), verified.clone(), whence(app, request));
    let admitted = blocking(app, move |engine| {
        engine.store.write(move |tx| upstream::admit(tx, &settings, &comes, &contact, &from))
    });
    match admitted.await? {
        Ok(known) => signed_in(request, visitor, app, attempt, &verified, known).await,
        Err(error) => Ok(Err(error)),
    }
}

/// Asks somebody who is signed in whether this identity is to be linked to their account.
async fn offered(
    visitor: &Visitor,
    signed_in: &SignedIn,
    provider: &Provider,
    app: &Data<App>,
    attempt: &Attempt,
    verified: &Verified,
) -> Result<Result<Ended, UpstreamError>, PageError> {
    let now_us = clock::now_us();
    let contact = match provider.contact(verified, now_us).await {
        Ok(contact) => contact,
        // What it is called is only for its owner to read.
        Err(error) => {
            tracing::warn!(provider = provider.name(), %error, "A provider does not tell what somebody is called");
            Contact::default()
        }
    };
    let offer = LinkOffer::new(signed_in.account.id, verified, &contact, &attempt.next, now_us);
    let template = LinkPage {
        frame: visitor.frame(),
        provider: provider.name(),
        title: provider.title(),
        label: offer.label.as_deref(),
        email: &signed_in.account.email,
        offer: offer.sealed(app.engine.store.seal()),
    };
    Ok(Ok(Ended::Page(Page::new(visitor, &template)?)))
}

/// Notes that somebody who is signed in has shown anew who they are.
async fn again(
    visitor: &Visitor,
    signed_in: &SignedIn,
    app: &Data<App>,
    attempt: &Attempt,
    verified: &Verified,
    known: Known,
) -> Result<Result<Ended, UpstreamError>, PageError> {
    match proven(app, verified, known).await? {
        Ok(proven) => Ok(Ok(Ended::Response(shown_again(app, visitor, signed_in, proven, &attempt.next).await?))),
        Err(error) => Ok(Err(error)),
    }
}

/// What somebody has shown who is known, by a link that counts as used from now on.
async fn proven(
    app: &Data<App>,
    verified: &Verified,
    known: Known,
) -> Result<Result<Proven, UpstreamError>, HttpError> {
    let shown = verified.clone();
    blocking(app, move |engine| {
        let identity = known.identity.id;
        engine.store.write(move |tx| tx.use_identity(identity))?;
        engine.store.read(|reader| upstream::proven(reader, &known, &shown))
    })
    .await
}

/// `POST /auth/upstream/{name}/link`: the person has confirmed what is to be linked.
pub async fn link(
    request: HttpRequest,
    form: PageForm,
    name: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let provider = app.auth.upstream.named(&name).ok_or(HttpError::UnknownAddress)?;
    let who = SignedInVisitor::of(form.visitor.clone(), PROVIDERS)?.signed_in;
    let (account, now_us) = (fresh(&who, form.visitor.root(), PROVIDERS)?.account.clone(), clock::now_us());
    let (title, from) = (provider.title().to_owned(), whence(&app, &request));
    let sealed = form.get("offer").unwrap_or_default().to_owned();
    let linked = blocking(&app, move |engine| {
        let offer = LinkOffer::opened(engine.store.seal(), &sealed, account.id, now_us)?;
        offer.use_up(&engine.store)?;
        let identity = offer.identity();
        engine.store.write(move |tx| upstream::link(tx, &account, &identity, &title, &from))?;
        Ok(offer.next)
    });
    match linked.await? {
        Ok(next) => Ok(go_on(form.visitor.root(), &next)),
        Err(error) => problem::page(&form.visitor, provider, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_is_refused() {
        let read = |query: &str| read_answer(query).map(|(state, answer)| (state, answer.code, answer.error)).ok();
        let text = |text: &str| Some(text.to_owned());

        assert_eq!(read("state=a&code=b%20c&x=1&x=2"), Some((text("a"), text("b c"), None)));
        assert_eq!(read("error=access_denied"), Some((None, None, text("access_denied"))));
        for query in ["state=a&state=a", "code=a&code=b", "iss=a&code=a&iss=b", "error=a&error=b"] {
            assert_eq!(read(query), None, "{query}");
        }
    }
}
