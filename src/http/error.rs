//! Why a request is refused.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use thiserror::Error;

use crate::auth::TokenRefused;
use crate::fhir::{NotAnId, UnknownType};
use crate::http::outcome;
use crate::interactions::InteractionError;
use crate::search::SearchError;
use crate::store::StoreError;

/// Why a request is refused: what an interaction says, or what HTTP itself adds.
#[derive(Debug, Error)]
pub enum HttpError {
    #[error(transparent)]
    Interaction(#[from] InteractionError),
    #[error(transparent)]
    UnknownType(#[from] UnknownType),
    /// A change was asked for under it. No `From`: `paths::not_an_id` tells the two apart.
    #[error(transparent)]
    NotAnId(NotAnId),
    /// Something was asked for that can't be there.
    #[error("nothing is known under this id, for {0}")]
    NothingUnder(NotAnId),
    #[error("this server has nothing at this address")]
    UnknownAddress,
    #[error("this server has no operation of this name here")]
    UnknownOperation,
    #[error("this address takes {allowed} only")]
    MethodNotAllowed { allowed: String },
    /// Neither `Accept` nor `_format` admits anything that the server can write.
    #[error("{0}; this server writes application/fhir+json")]
    NotAcceptable(&'static str),
    /// The text says what would be right.
    #[error("{0}")]
    UnsupportedMediaType(&'static str),
    #[error("the header {name} is not valid: {problem}")]
    Header { name: &'static str, problem: &'static str },
    #[error("the parameter {name} is not valid: {problem}")]
    Parameter { name: &'static str, problem: String },
    #[error("the query has a parameter that is not known here; this address takes {taken}")]
    UnknownParameter { taken: &'static str },
    #[error("the request needs a body, but it has none")]
    BodyMissing,
    #[error("the body must be JSON")]
    NotJson,
    #[error("the body is larger than the {limit_bytes} bytes that are allowed here")]
    BodyTooLarge { limit_bytes: usize },
    #[error("the body unpacks to more than {most} times its size")]
    BodyTooDense { most: usize },
    #[error("the body can't be unpacked: it is not what Content-Encoding says")]
    BodyNotPacked,
    #[error("the body broke off")]
    BodyIncomplete,
    #[error("the body came too slowly")]
    BodyTooSlow,
    #[error("the address is longer than {limit_bytes} bytes: send a long search by POST to _search")]
    AddressTooLong { limit_bytes: usize },
    #[error("the headers are longer than {limit_bytes} bytes together")]
    HeadTooLong { limit_bytes: usize },
    #[error(
        "this address needs an access token in the header Authorization, as Bearer; the tokens of addresses and bodies are not read"
    )]
    SignInNeeded,
    #[error(transparent)]
    TokenRefused(TokenRefused),
    #[error("this server does not explain its searches: start it with --explain, or leave _explain out")]
    ExplainOff,
    #[error("too many {what}: {per_minute} a minute are allowed; wait {wait_s} s, as Retry-After says")]
    TooManyRequests { what: &'static str, per_minute: u32, wait_s: u64 },
    /// No name of this server is told: whoever asks by another need not know it.
    #[error(
        "this server does not go by the name in the header Host: ask by the host of its base, or have the operator add the name to \
         the setting hosts"
    )]
    UnknownHost,
    #[error(
        "the server has worked on this request for too long, and does so no more; whether it was done, a read will tell"
    )]
    TookTooLong,
    #[error("too many requests are under way: try again in a moment")]
    Overloaded,
    #[error("there is no such job: it was cancelled, or ended long ago")]
    UnknownJob,
    /// The text names resources, not what they say.
    #[error("the job failed: {0}")]
    JobFailed(String),
    /// The work panicked; the log has the panic.
    #[error("the request could not be finished because of a fault in the server")]
    BrokeOff,
}

impl From<SearchError> for HttpError {
    fn from(error: SearchError) -> HttpError {
        HttpError::Interaction(error.into())
    }
}

impl From<TokenRefused> for HttpError {
    fn from(refused: TokenRefused) -> HttpError {
        match refused {
            TokenRefused::Store(error) => error.into(),
            refused => HttpError::TokenRefused(refused),
        }
    }
}

impl From<StoreError> for HttpError {
    fn from(error: StoreError) -> HttpError {
        HttpError::Interaction(error.into())
    }
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        outcome::refusal(self).status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        outcome::refusal(self).into_response()
    }
}
