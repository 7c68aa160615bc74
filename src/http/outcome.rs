//! The one table from an error to a status and an OperationOutcome.
//!
//! What a client reads here is written for clients: no statement, path or name of a part of the server.
//!
//! Spec: R4 http.html#Status-Codes, operationoutcome.html

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{StatusCode, header::HeaderName};

use crate::fhir::{Issue, IssueCode, json, outcome};
use crate::http::{HttpError, response};
use crate::interactions::InteractionError;
use crate::interactions::patch::PatchError;
use crate::store::StoreError;

/// A client that is turned away for lack of resources should wait so long, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// An answer that says no.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub issues: Vec<Issue>,
    /// A header that belongs to this status.
    pub header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, code: IssueCode, text: impl Into<String>) -> Refusal {
        Refusal { status, issues: vec![Issue::request(code, text)], header: None }
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Refusal {
        Refusal { header: Some((name, value)), ..self }
    }

    /// The OperationOutcome, as compact JSON.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(256);
        json::write(&outcome(&self.issues), &mut body);
        body
    }

    /// The whole answer.
    pub fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::CONTENT_TYPE, response::FHIR_JSON));
        response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
        let body = self.body();
        response::keep_small_body_plain(&mut response, body.len());
        if let Some(header) = self.header {
            response.insert_header(header);
        }
        response.body(body)
    }
}

/// What to answer to `error`.
pub fn refusal(error: &HttpError) -> Refusal {
    use HttpError as E;
    let text = || error.to_string();
    // A client that goes on sending what was refused would be read as the next request.
    let close = (header::CONNECTION, HeaderValue::from_static("close"));
    match error {
        E::Interaction(error) => interaction(error),
        E::UnknownType(_) => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotSupported, text()),
        E::NotAnId(_) => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Value, text()),
        E::UnknownAddress => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotSupported, text()),
        E::UnknownOperation => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotSupported, text()),
        E::MethodNotAllowed { allowed } => {
            let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, IssueCode::NotSupported, text());
            match HeaderValue::from_str(allowed) {
                Ok(allowed) => refusal.with(header::ALLOW, allowed),
                Err(_) => refusal,
            }
        }
        E::NotAcceptable(_) => Refusal::new(StatusCode::NOT_ACCEPTABLE, IssueCode::NotSupported, text()),
        E::UnsupportedMediaType(_) => Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueCode::NotSupported, text()),
        E::Header { .. } => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Invalid, text()),
        E::Parameter { .. } => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Value, text()),
        E::BodyMissing => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Required, text()),
        E::BodyTooLarge { .. } | E::BodyTooDense { .. } => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, IssueCode::TooLong, text()).with(close.0, close.1)
        }
        E::BodyNotPacked => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Structure, text()),
        E::BodyIncomplete => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Structure, text()).with(close.0, close.1),
        E::BodyTooSlow => Refusal::new(StatusCode::REQUEST_TIMEOUT, IssueCode::Timeout, text()).with(close.0, close.1),
        E::AddressTooLong { .. } => Refusal::new(StatusCode::URI_TOO_LONG, IssueCode::TooLong, text()),
        E::SignInNeeded => Refusal::new(StatusCode::UNAUTHORIZED, IssueCode::Login, text())
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        E::Overloaded => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, IssueCode::Transient, text())
            .with(header::RETRY_AFTER, RETRY_AFTER),
        E::BrokeOff => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, IssueCode::Exception, text()),
    }
}

/// What to answer to what an interaction says; an entry of a batch is answered by the same table.
pub fn interaction(error: &InteractionError) -> Refusal {
    use InteractionError as E;
    let text = || error.to_string();
    let listed = |status, issues: &[Issue]| Refusal { status, issues: issues.to_vec(), header: None };
    match error {
        E::NotFound(_) => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotFound, text()),
        E::Deleted { version, .. } => {
            Refusal::new(StatusCode::GONE, IssueCode::Deleted, text()).with(header::ETAG, response::etag(*version))
        }
        E::NoSuchVersion(..) => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotFound, text()),
        E::Invalid(issues) => listed(StatusCode::BAD_REQUEST, issues),
        E::Unprocessable(issues) => listed(StatusCode::UNPROCESSABLE_ENTITY, issues),
        E::VersionConflict { .. } => Refusal::new(StatusCode::PRECONDITION_FAILED, IssueCode::Conflict, text()),
        E::Exists(_) => Refusal::new(StatusCode::PRECONDITION_FAILED, IssueCode::Duplicate, text()),
        E::NothingToMatch(_) => Refusal::new(StatusCode::PRECONDITION_FAILED, IssueCode::NotFound, text()),
        E::MultipleMatches(_) => Refusal::new(StatusCode::PRECONDITION_FAILED, IssueCode::MultipleMatches, text()),
        E::NoMatch(_) => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotFound, text()),
        // R4 http.html#update: "the server SHALL return a 405 Method Not Allowed" where clients don't choose ids.
        E::ClientIdRefused(_) => Refusal::new(StatusCode::METHOD_NOT_ALLOWED, IssueCode::NotSupported, text())
            .with(header::ALLOW, HeaderValue::from_static("GET, HEAD")),
        E::Search(error) => {
            let code = if error.is_unsupported() { IssueCode::NotSupported } else { IssueCode::Value };
            Refusal::new(StatusCode::BAD_REQUEST, code, text())
        }
        E::Patch(error) => patch(error),
        E::TooManyEntries { .. } => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::TooCostly, text()),
        E::Entry { index, error } => {
            let mut refusal = interaction(error);
            for issue in &mut refusal.issues {
                *issue = in_entry(issue, *index);
            }
            refusal
        }
        E::Stale | E::Contended => Refusal::new(StatusCode::CONFLICT, IssueCode::Transient, text()),
        E::Store(error) => store(error),
    }
}

/// The finding, told of the entry of a Bundle that it is about.
fn in_entry(issue: &Issue, index: usize) -> Issue {
    match issue.expression.as_deref() {
        Some(place) if place.starts_with("Bundle.entry[") => issue.clone(),
        Some(place) if place.starts_with(|first: char| first.is_ascii_uppercase()) => {
            issue.clone().within(&format!("Bundle.entry[{index}].resource"))
        }
        _ => Issue { expression: Some(format!("Bundle.entry[{index}]")), ..issue.clone() },
    }
}

fn patch(error: &PatchError) -> Refusal {
    use PatchError as E;
    let text = error.to_string();
    match error {
        E::NotAPatch(_) | E::Malformed { .. } => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Structure, text),
        E::TooManyOperations(_) => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::TooCostly, text),
        E::TestFailed { .. } => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, IssueCode::Conflict, text),
        E::NoSuchPlace { .. } => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, IssueCode::NotFound, text),
        E::Refused { .. } => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, IssueCode::Processing, text),
        E::TooLarge { .. } => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, IssueCode::TooLong, text),
        E::TooCostly { .. } => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, IssueCode::TooCostly, text),
        E::IdentityChanged(_) => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, IssueCode::BusinessRule, text),
    }
}

fn store(error: &StoreError) -> Refusal {
    use StoreError as E;
    let unavailable = |text: &str| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, IssueCode::Transient, text).with(header::RETRY_AFTER, RETRY_AFTER)
    };
    match error {
        E::Busy => unavailable("the server is too busy: try again in a moment"),
        E::Unreachable(_) => {
            tracing::error!(%error, "A request failed for want of the database");
            unavailable("the database can't be reached at the moment: try again later")
        }
        E::Collision => Refusal::new(
            StatusCode::CONFLICT,
            IssueCode::Conflict,
            "another request changed the same resource at the same time: try again",
        ),
        E::DiskFull => {
            tracing::error!(%error, "A write failed");
            let text = "the server has no space left to store anything; reading goes on";
            Refusal::new(StatusCode::INSUFFICIENT_STORAGE, IssueCode::Transient, text)
        }
        E::Timeout => {
            let text = "the database took too long to answer: narrow the request, or try again later";
            Refusal { issues: vec![Issue::request(IssueCode::Timeout, text)], ..unavailable(text) }
        }
        E::Newer(_) | E::Address(_) | E::Damaged(_) | E::Panicked | E::Database(_) => {
            tracing::error!(%error, "A request failed");
            let text = "the request could not be finished because of a fault in the server";
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, IssueCode::Exception, text)
        }
    }
}
