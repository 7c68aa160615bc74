//! What people read when a sign-in by a provider came to nothing.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use crate::auth::upstream::{BadIdToken, Provider, UpstreamError};
use crate::web::{Frame, Page, PageError, Visitor};

#[derive(Template)]
#[template(path = "upstream_problem.html")]
struct ProblemPage<'a> {
    frame: Frame,
    heading: &'a str,
    text: String,
    /// Where to go from here: an address of this server, and what it is called.
    way: (String, &'a str),
}

/// The page that says why, and what to do.
pub(super) fn page(visitor: &Visitor, provider: &Provider, error: UpstreamError) -> Result<HttpResponse, PageError> {
    let name = provider.name();
    if told(&error, "").0.is_server_error() {
        tracing::warn!(provider = name, %error, "Nobody can be signed in by a provider");
    } else {
        tracing::info!(provider = name, %error, "Somebody could not be signed in by a provider");
    }
    page_about(visitor, provider.title(), error)
}

/// The same, about the provider that people know as `title`.
pub(super) fn page_about(visitor: &Visitor, title: &str, error: UpstreamError) -> Result<HttpResponse, PageError> {
    let error = match error {
        UpstreamError::Store(error) => return Err(error.into()),
        UpstreamError::Record(error) => return Err(error.into()),
        error => error,
    };
    let (status, heading, text) = told(&error, title);
    let root = visitor.root();
    let way = match visitor.signed_in {
        Some(_) => (format!("{root}/account/providers"), "Linked providers"),
        None => (format!("{root}/sign-in"), "Back to the sign-in"),
    };
    let template = ProblemPage { frame: visitor.frame(), heading, text, way };
    Ok(Page::new(visitor, &template)?.status(status).answer())
}

/// Status, heading, and what to do.
fn told(error: &UpstreamError, title: &str) -> (StatusCode, &'static str, String) {
    const AGAIN: &str = "Please sign in again";
    const AT_PROVIDER: &str = "The provider can't be used just now";
    let operator = "Sign in another way, or tell whoever runs this server.";
    match error {
        UpstreamError::NoAttempt => (
            StatusCode::BAD_REQUEST,
            AGAIN,
            "The sign-in took too long, or was begun in another browser or another window. Begin anew, and allow cookies for \
             this server."
                .to_owned(),
        ),
        UpstreamError::OtherState => (
            StatusCode::BAD_REQUEST,
            AGAIN,
            "This answer does not belong to the sign-in that was begun in this browser, so nobody was signed in. If you \
             followed a link that somebody sent you, don't."
                .to_owned(),
        ),
        UpstreamError::Replayed => (
            StatusCode::BAD_REQUEST,
            AGAIN,
            "This sign-in was used already: an answer counts once. Begin anew.".to_owned(),
        ),
        UpstreamError::Unreachable(_) | UpstreamError::Resting => (
            StatusCode::BAD_GATEWAY,
            AT_PROVIDER,
            format!("{title} does not answer. Try again in a minute, or sign in another way."),
        ),
        UpstreamError::Unreadable(_) | UpstreamError::Refused(_) | UpstreamError::CodeRefused(_) => (
            StatusCode::BAD_GATEWAY,
            AT_PROVIDER,
            format!("{title} gave an answer that this server can't use. Try again. If that does not help: {operator}"),
        ),
        UpstreamError::OtherIssuer => (
            StatusCode::BAD_GATEWAY,
            AT_PROVIDER,
            format!("The answer names another issuer than {title}, so nobody was signed in. {operator}"),
        ),
        UpstreamError::IdToken(BadIdToken::NotFresh) => (
            StatusCode::FORBIDDEN,
            AGAIN,
            format!("You were to sign in at {title} anew, and it did not ask you. Show who you are another way."),
        ),
        UpstreamError::IdToken(_) => (
            StatusCode::BAD_GATEWAY,
            AT_PROVIDER,
            format!("What {title} says of who you are can't be trusted, so nobody was signed in. {operator}"),
        ),
        UpstreamError::Denied => (
            StatusCode::FORBIDDEN,
            "You were not signed in",
            format!("{title} was not allowed to tell this server who you are. Begin anew to allow it, or sign in another way."),
        ),
        UpstreamError::NoAccount => (
            StatusCode::FORBIDDEN,
            "No account is linked yet",
            format!(
                "{title} knows you, but no account on this server is linked to that. If you have an account here, sign in to it \
                 another way and link {title} under Account, Linked providers. If you have none, ask whoever runs this server \
                 for one."
            ),
        ),
        UpstreamError::NotVerified => (
            StatusCode::FORBIDDEN,
            "Your email address is not verified",
            format!(
                "{title} has not verified an email address of yours, so this server can't tell which account is yours. Verify it \
                 there and begin anew, or sign in another way."
            ),
        ),
        UpstreamError::AddressTaken => (
            StatusCode::CONFLICT,
            "You have an account already",
            format!(
                "There is an account with your email address on this server. Sign in to it another way, and link {title} under \
                 Account, Linked providers."
            ),
        ),
        UpstreamError::Disabled => (
            StatusCode::FORBIDDEN,
            "This account can't be used",
            "The account that is linked to this is disabled. Ask whoever runs this server.".to_owned(),
        ),
        UpstreamError::LinkedElsewhere => (
            StatusCode::CONFLICT,
            "Linked to another account",
            format!(
                "This sign-in at {title} is linked to another account on this server. Sign in to that one and unlink it there \
                 first, or choose another sign-in at {title}."
            ),
        ),
        UpstreamError::OnlyWay => (
            StatusCode::CONFLICT,
            "This is the only way in",
            format!(
                "Without {title} you could not sign in to your account any more. Give it another way first, such as a password."
            ),
        ),
        UpstreamError::OtherSession => (
            StatusCode::FORBIDDEN,
            AGAIN,
            "You are signed in with another account than the one that this was begun with. Nothing was changed.".to_owned(),
        ),
        UpstreamError::OtherPerson => (
            StatusCode::FORBIDDEN,
            "Not your account",
            format!("You signed in at {title} as somebody who is not linked to your account here. Nothing was changed."),
        ),
        UpstreamError::Record(error) => (StatusCode::BAD_REQUEST, "That did not work", error.to_string()),
        UpstreamError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "Sorry", "The server is busy just now.".to_owned()),
    }
}
