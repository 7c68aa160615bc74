//! Why a page is not shown, on a page.

use actix_web::body::BoxBody;
use actix_web::error::QueryPayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use askama::Template;
use thiserror::Error;

use crate::auth::AuthError;
use crate::auth::sign_in::SignInError;
use crate::http::HttpError;
use crate::records::RecordError;
use crate::store::StoreError;
use crate::web::account::sentence;
use crate::web::{Frame, Page, Visitor};

/// Why a page is not shown.
#[derive(Debug, Error)]
pub enum PageError {
    /// Nobody is signed in; from there it goes on to this address.
    #[error("a sign-in is needed")]
    SignInNeeded { root: String, next: String },
    /// Who is signed in must show it anew; from there it goes on to this address.
    #[error("the sign-in is too long ago")]
    ShowAgain { root: String, next: String },
    /// The query of the address is not one that a link of this server has.
    #[error("the query of the address can't be read: {0}")]
    Query(#[from] QueryPayloadError),
    /// A form that did not come from a page of this server, or from one that is too old.
    #[error("the form is not one of this server, or it is too old")]
    Forged,
    /// What a person should know, with a heading.
    #[error("{title}")]
    Told { status: StatusCode, title: &'static str, text: String },
    #[error("a template could not be filled: {0}")]
    Template(String),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PageError {
    /// What a person should know, with a heading.
    pub fn told(status: StatusCode, title: &'static str, text: impl Into<String>) -> PageError {
        PageError::Told { status, title, text: text.into() }
    }

    /// The page that says it, for `visitor`.
    pub(super) fn html(&self, visitor: &Visitor) -> Result<String, askama::Error> {
        let (_, title, text) = self.texts();
        Problem { frame: visitor.frame(), title, text }.render()
    }

    fn texts(&self) -> (StatusCode, &'static str, String) {
        const UNABLE: &str = "That did not work";
        match self {
            PageError::SignInNeeded { .. } | PageError::ShowAgain { .. } => {
                (StatusCode::SEE_OTHER, "Sign in", String::new())
            }
            PageError::Query(_) => (
                StatusCode::BAD_REQUEST,
                "This address can't be read",
                "Something in it is there twice, or is not whole. Open the link anew, or begin at the start.".to_owned(),
            ),
            PageError::Forged => (
                StatusCode::FORBIDDEN,
                "Please try again",
                "This form was open for too long, or was not sent from a page of this server. Go back, load the page anew, and send \
                 it again. Nothing was changed."
                    .to_owned(),
            ),
            PageError::Told { status, title, text } => (*status, title, text.clone()),
            PageError::SignIn(SignInError::TooMany { .. }) => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many attempts", sentence(self))
            }
            PageError::SignIn(SignInError::Store(error)) => unreadable(error),
            PageError::SignIn(error) => (StatusCode::BAD_REQUEST, UNABLE, sentence(error)),
            PageError::Record(error) if !matches!(error, RecordError::Store(_) | RecordError::Interaction(_)) => {
                (StatusCode::BAD_REQUEST, UNABLE, error.to_string())
            }
            PageError::Auth(error) if !matches!(error, AuthError::Store(_)) => {
                (StatusCode::BAD_REQUEST, UNABLE, error.to_string())
            }
            PageError::Http(error) => match error.status_code() {
                StatusCode::NOT_FOUND => {
                    (StatusCode::NOT_FOUND, "Nothing here", "This server has no page at this address.".to_owned())
                }
                status if status.is_client_error() => (status, UNABLE, error.to_string()),
                status => (status, "Sorry", busy(status)),
            },
            PageError::Store(error) | PageError::Auth(AuthError::Store(error)) => unreadable(error),
            PageError::Template(_) | PageError::Record(_) | PageError::Auth(_) => {
                tracing::error!(error = %self, "A page could not be made");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                (status, "Sorry", busy(status))
            }
        }
    }
}

/// What a person is told when the database does not answer.
fn unreadable(error: &StoreError) -> (StatusCode, &'static str, String) {
    tracing::error!(%error, "A page could not be made");
    let status = StatusCode::SERVICE_UNAVAILABLE;
    (status, "Sorry", busy(status))
}

fn busy(status: StatusCode) -> String {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => "The server is busy just now. Please try again in a moment.".to_owned(),
        _ => "Something went wrong on our side. It is noted in the log of the server.".to_owned(),
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem {
    frame: Frame,
    title: &'static str,
    text: String,
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.texts().0
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let way = match self {
            PageError::SignInNeeded { root, next } => Some((root, "/sign-in", next)),
            PageError::ShowAgain { root, next } => Some((root, "/sign-in/again", next)),
            _ => None,
        };
        if let Some((root, path, next)) = way {
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            return HttpResponse::SeeOther()
                .insert_header((header::LOCATION, format!("{root}{path}?next={next}")))
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .finish();
        }
        let (status, title, text) = self.texts();
        let visitor = Visitor::nobody();
        let problem = Problem { frame: visitor.frame(), title, text };
        let page = Page::new(&visitor, &problem).map(|page| page.status(status).answer());
        let mut response = page.unwrap_or_else(|_| HttpResponse::new(status));
        if let PageError::SignIn(SignInError::TooMany { wait_s }) = self {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(*wait_s));
        }
        if let PageError::Http(error) = self {
            let told = error.error_response();
            for name in [header::RETRY_AFTER, header::ALLOW] {
                if let Some(value) = told.headers().get(&name) {
                    response.headers_mut().insert(name, value.clone());
                }
            }
        }
        response
    }
}
