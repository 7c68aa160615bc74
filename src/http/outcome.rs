//! The one table from an error to a status and an OperationOutcome.
//!
//! What a client reads here is written for clients: no statement, path or name of a part of the server.
//!
//! Spec: R4 http.html#Status-Codes, operationoutcome.html

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{StatusCode, header::HeaderName};

use crate::auth::TokenRefused;
use crate::fhir::{Issue, IssueCode, json, outcome};
use crate::http::{HttpError, challenge, response};
use crate::interactions::InteractionError;
use crate::interactions::patch::PatchError;
use crate::search::SearchError;
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
    /// The connection ends with this answer: a client that goes on sending what was refused would be read as the next
    /// request.
    pub is_last: bool,
}

impl Refusal {
    fn new(status: StatusCode, code: IssueCode, text: impl Into<String>) -> Refusal {
        Refusal { status, issues: vec![Issue::request(code, text)], header: None, is_last: false }
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Refusal {
        Refusal { header: Some((name, value)), ..self }
    }

    fn closing(self) -> Refusal {
        Refusal { is_last: true, ..self }
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
        if self.is_last {
            response.force_close();
        }
        response.body(body)
    }
}

/// What to answer to `error`.
pub fn refusal(error: &HttpError) -> Refusal {
    use HttpError as E;
    let text = || error.to_string();
    match error {
        E::Interaction(error) => interaction(error),
        E::UnknownType(_) => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotSupported, text()),
        E::NotAnId(_) => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Value, text()),
        E::NothingUnder(_) => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotFound, text()),
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
        E::UnknownParameter { .. } => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::NotSupported, text()),
        E::NotJson => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Structure, text()),
        E::BodyMissing => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Required, text()),
        E::BodyTooLarge { .. } | E::BodyTooDense { .. } => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, IssueCode::TooLong, text()).closing()
        }
        E::BodyNotPacked => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Structure, text()),
        E::BodyIncomplete => Refusal::new(StatusCode::BAD_REQUEST, IssueCode::Structure, text()).closing(),
        E::BodyTooSlow => Refusal::new(StatusCode::REQUEST_TIMEOUT, IssueCode::Timeout, text()).closing(),
        E::HeadTooLong { .. } => Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, IssueCode::TooLong, text()),
        E::AddressTooLong { .. } => Refusal::new(StatusCode::URI_TOO_LONG, IssueCode::TooLong, text()),
        E::SignInNeeded => Refusal::new(StatusCode::UNAUTHORIZED, IssueCode::Login, text())
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge::TOKEN_NEEDED)),
        E::TokenRefused(TokenRefused::Unfit(_)) => Refusal::new(StatusCode::FORBIDDEN, IssueCode::Forbidden, text())
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge::INSUFFICIENT_SCOPE)),
        E::TokenRefused(_) => Refusal::new(StatusCode::UNAUTHORIZED, IssueCode::Login, text())
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge::INVALID_TOKEN)),
        E::ExplainOff => Refusal::new(StatusCode::FORBIDDEN, IssueCode::Forbidden, text()),
        E::UnknownHost => Refusal::new(StatusCode::MISDIRECTED_REQUEST, IssueCode::Processing, text()),
        E::TookTooLong => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, IssueCode::Timeout, text()).closing(),
        E::TooManyRequests { wait_s, .. } => Refusal::new(StatusCode::TOO_MANY_REQUESTS, IssueCode::Throttled, text())
            .with(header::RETRY_AFTER, HeaderValue::from(*wait_s)),
        E::Overloaded => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, IssueCode::Transient, text())
            .with(header::RETRY_AFTER, RETRY_AFTER),
        E::UnknownJob => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotFound, text()),
        E::JobFailed(_) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, IssueCode::Processing, text()),
        E::BrokeOff => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, IssueCode::Exception, text()),
    }
}

/// What to answer to what an interaction says; an entry of a batch is answered by the same table.
pub fn interaction(error: &InteractionError) -> Refusal {
    use InteractionError as E;
    let text = || error.to_string();
    let listed = |status, issues: &[Issue]| match issues {
        // An outcome without an issue would not be valid.
        [] => Refusal::new(status, IssueCode::Invalid, text()),
        issues => Refusal { status, issues: issues.to_vec(), header: None, is_last: false },
    };
    match error {
        E::NotFound(_) => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotFound, text()),
        E::Deleted { version, .. } => {
            Refusal::new(StatusCode::GONE, IssueCode::Deleted, text()).with(header::ETAG, response::etag(*version))
        }
        E::NoSuchVersion(..) => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotFound, text()),
        E::Invalid(issues) => listed(StatusCode::BAD_REQUEST, issues),
        E::Unprocessable(issues) => listed(StatusCode::UNPROCESSABLE_ENTITY, issues),
        E::VersionConflict { .. } => Refusal::new(StatusCode::PRECONDITION_FAILED, IssueCode::Conflict, text()),
        E::VersionNeeded(_) => Refusal::new(StatusCode::PRECONDITION_REQUIRED, IssueCode::Required, text()),
        E::StateChanged { .. } => Refusal::new(StatusCode::PRECONDITION_FAILED, IssueCode::BusinessRule, text()),
        E::StateTooLarge { .. } => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, IssueCode::TooLong, text()),
        E::Exists(_) => Refusal::new(StatusCode::PRECONDITION_FAILED, IssueCode::Duplicate, text()),
        E::NothingToMatch(_) => Refusal::new(StatusCode::PRECONDITION_FAILED, IssueCode::NotFound, text()),
        E::MultipleMatches(_) => Refusal::new(StatusCode::PRECONDITION_FAILED, IssueCode::MultipleMatches, text()),
        E::NoMatch(_) => Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotFound, text()),
        // R4 http.html#update: "the server SHALL return a 405 Method Not Allowed" where clients don't choose ids.
        E::ClientIdRefused(_) => Refusal::new(StatusCode::METHOD_NOT_ALLOWED, IssueCode::NotSupported, text())
            .with(header::ALLOW, HeaderValue::from_static("GET, HEAD")),
        E::Denied(_) => Refusal::new(StatusCode::FORBIDDEN, IssueCode::Forbidden, text())
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge::INSUFFICIENT_SCOPE)),
        E::Search(error) if error.is_unknown_address() => {
            Refusal::new(StatusCode::NOT_FOUND, IssueCode::NotSupported, text())
        }
        E::Search(error) if error.is_pending() => Refusal::new(StatusCode::CONFLICT, IssueCode::Conflict, text()),
        E::Search(SearchError::Codes { code, .. }) => Refusal::new(StatusCode::BAD_REQUEST, *code, text()),
        E::Search(error) => {
            let code = if error.is_unsupported() { IssueCode::NotSupported } else { IssueCode::Value };
            Refusal::new(StatusCode::BAD_REQUEST, code, text())
        }
        E::Patch(error) => patch(error),
        // No Retry-After: what was too much stays too much, and a client that repeats it by itself would only add to it.
        E::CostlySearch(_) | E::CostlyBatch { .. } => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, IssueCode::Timeout, text())
        }
        E::PagesOutdated { .. } => Refusal::new(StatusCode::GONE, IssueCode::Processing, text()),
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
        E::Collision | E::OtherRules => Refusal::new(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{Id, ResourceKey, ResourceType, UnknownType};

    fn key() -> ResourceKey {
        ResourceKey { resource_type: ResourceType::PATIENT, id: Id::parse("1").unwrap() }
    }

    fn issue() -> Issue {
        Issue::error(IssueCode::Structure, "Patient.name", "name must be a list")
    }

    fn row(refusal: &Refusal) -> (u16, &'static str) {
        (refusal.status.as_u16(), refusal.issues[0].code.as_str())
    }

    #[test]
    fn each_error_of_an_interaction_has_its_status_and_code() {
        use InteractionError as E;
        let patient = ResourceType::PATIENT;
        let empty = SearchError::EmptyValue { parameter: "name".to_owned() };
        let unsupported = SearchError::Unsupported { parameter: "_has".to_owned(), what: "this" };
        let codes = |code| SearchError::Codes { parameter: "code:in".to_owned(), code, problem: String::new() };
        let place = || "/name".to_owned();
        let table = [
            (E::NotFound(key()), 404, "not-found"),
            (E::Deleted { key: key(), version: 2 }, 410, "deleted"),
            (E::NoSuchVersion(key(), "9".to_owned()), 404, "not-found"),
            (E::Invalid(vec![issue()]), 400, "structure"),
            (E::Invalid(Vec::new()), 400, "invalid"),
            (E::Unprocessable(vec![issue()]), 422, "structure"),
            (E::VersionConflict { key: key(), current: 3 }, 412, "conflict"),
            (E::Exists(key()), 412, "duplicate"),
            (E::NothingToMatch(key()), 412, "not-found"),
            (E::MultipleMatches(patient), 412, "multiple-matches"),
            (E::NoMatch(patient), 404, "not-found"),
            (E::ClientIdRefused(key()), 405, "not-supported"),
            (E::Search(empty), 400, "value"),
            (E::Search(unsupported), 400, "not-supported"),
            (E::Search(SearchError::Pending { parameter: "eyes".to_owned() }), 409, "conflict"),
            (E::Search(codes(IssueCode::NotFound)), 400, "not-found"),
            (E::Search(codes(IssueCode::TooCostly)), 400, "too-costly"),
            (E::Denied(crate::access::Denied::Administration), 403, "forbidden"),
            (E::Patch(PatchError::NotAPatch("a patch is a list")), 400, "structure"),
            (E::Patch(PatchError::TooManyOperations(2000)), 400, "too-costly"),
            (E::Patch(PatchError::Malformed { operation: 0, problem: String::new() }), 400, "structure"),
            (E::Patch(PatchError::TestFailed { operation: 0, path: place() }), 422, "conflict"),
            (
                E::Patch(PatchError::NoSuchPlace { operation: 0, path: place(), problem: String::new() }),
                422,
                "not-found",
            ),
            (E::Patch(PatchError::Refused { operation: 0, path: place(), problem: String::new() }), 422, "processing"),
            (E::Patch(PatchError::TooLarge { operation: 0, max_bytes: 1 }), 413, "too-long"),
            (E::Patch(PatchError::TooCostly { operation: 0 }), 422, "too-costly"),
            (E::Patch(PatchError::IdentityChanged("id")), 422, "business-rule"),
            (E::CostlyBatch { limit: std::time::Duration::from_secs(60) }, 503, "timeout"),
            (E::PagesOutdated { most: 1 }, 410, "processing"),
            (E::TooManyEntries { entries: 2, most: 1 }, 400, "too-costly"),
            (E::Stale, 409, "transient"),
            (E::Contended, 409, "transient"),
            (E::Store(StoreError::Busy), 503, "transient"),
            (E::Store(StoreError::Unreachable("10.0.0.1".to_owned())), 503, "transient"),
            (E::Store(StoreError::Collision), 409, "conflict"),
            (E::Store(StoreError::OtherRules), 409, "conflict"),
            (E::Store(StoreError::DiskFull), 507, "transient"),
            (E::Store(StoreError::Timeout), 503, "timeout"),
            (E::Store(StoreError::Newer("9".to_owned())), 500, "exception"),
            (E::Store(StoreError::Address("x".to_owned())), 500, "exception"),
            (E::Store(StoreError::Damaged("x".to_owned())), 500, "exception"),
            (E::Store(StoreError::Panicked), 500, "exception"),
        ];
        for (error, status, code) in table {
            assert_eq!(row(&interaction(&error)), (status, code), "{error:?}");
        }
    }

    #[test]
    fn each_error_of_http_has_its_status_and_code() {
        use HttpError as E;
        let table = [
            (E::UnknownType(UnknownType("Foo".to_owned())), 404, "not-supported"),
            (E::NotAnId(crate::fhir::NotAnId), 400, "value"),
            (E::NothingUnder(crate::fhir::NotAnId), 404, "not-found"),
            (E::UnknownJob, 404, "not-found"),
            (E::JobFailed("Patient/1".to_owned()), 500, "processing"),
            (E::UnknownAddress, 404, "not-supported"),
            (E::UnknownOperation, 404, "not-supported"),
            (E::MethodNotAllowed { allowed: "GET".to_owned() }, 405, "not-supported"),
            (E::NotAcceptable("no"), 406, "not-supported"),
            (E::UnsupportedMediaType("no"), 415, "not-supported"),
            (E::Header { name: "If-Match", problem: "no" }, 400, "invalid"),
            (E::Parameter { name: "_count", problem: "no".to_owned() }, 400, "value"),
            (E::UnknownParameter { taken: "_count" }, 400, "not-supported"),
            (E::BodyMissing, 400, "required"),
            (E::NotJson, 400, "structure"),
            (E::BodyTooLarge { limit_bytes: 1 }, 413, "too-long"),
            (E::BodyTooDense { most: 1 }, 413, "too-long"),
            (E::BodyNotPacked, 400, "structure"),
            (E::BodyIncomplete, 400, "structure"),
            (E::BodyTooSlow, 408, "timeout"),
            (E::AddressTooLong { limit_bytes: 1 }, 414, "too-long"),
            (E::HeadTooLong { limit_bytes: 1 }, 431, "too-long"),
            (E::SignInNeeded, 401, "login"),
            (E::TokenRefused(TokenRefused::Invalid), 401, "login"),
            (E::TokenRefused(TokenRefused::Unfit(crate::access::Unfit::NoPatient)), 403, "forbidden"),
            (E::ExplainOff, 403, "forbidden"),
            (E::TooManyRequests { what: "x", per_minute: 1, wait_s: 7 }, 429, "throttled"),
            (E::UnknownHost, 421, "processing"),
            (E::TookTooLong, 503, "timeout"),
            (E::Overloaded, 503, "transient"),
            (E::BrokeOff, 500, "exception"),
        ];
        for (error, status, code) in table {
            assert_eq!(row(&refusal(&error)), (status, code), "{error:?}");
        }
    }

    #[test]
    fn some_refusals_carry_a_header() {
        let header = |error: HttpError| refusal(&error).header.map(|(name, value)| format!("{name}: {value:?}"));

        assert_eq!(
            header(InteractionError::Deleted { key: key(), version: 2 }.into()).unwrap(),
            "etag: \"W/\\\"2\\\"\""
        );
        assert_eq!(header(StoreError::Busy.into()).unwrap(), "retry-after: \"2\"");
        assert_eq!(header(HttpError::MethodNotAllowed { allowed: "GET".to_owned() }).unwrap(), "allow: \"GET\"");
        let too_many = HttpError::TooManyRequests { what: "x", per_minute: 1, wait_s: 7 };
        assert_eq!(header(too_many).unwrap(), "retry-after: \"7\"");
        assert_eq!(header(HttpError::SignInNeeded).unwrap(), r#"www-authenticate: "Bearer realm=\"emberwell\"""#);
        assert_eq!(header(HttpError::UnknownAddress), None);
    }

    #[test]
    fn what_went_wrong_inside_stays_inside() {
        let secrets = [StoreError::Unreachable("secret".to_owned()), StoreError::Damaged("secret".to_owned())];
        for error in secrets {
            let refusal = refusal(&error.into());
            assert!(!String::from_utf8(refusal.body()).unwrap().contains("secret"));
        }
    }

    #[test]
    fn findings_about_an_entry_name_the_entry() {
        let place = |error: InteractionError| {
            let error = InteractionError::Entry { index: 3, error: Box::new(error) };
            let refusal = interaction(&error);
            (refusal.status.as_u16(), refusal.issues[0].expression.clone().unwrap())
        };
        let placed = Issue::error(IssueCode::Value, "Bundle.entry[3].request.url", "no");

        assert_eq!(place(InteractionError::Invalid(vec![issue()])), (400, "Bundle.entry[3].resource.name".to_owned()));
        assert_eq!(place(InteractionError::NotFound(key())), (404, "Bundle.entry[3]".to_owned()));
        assert_eq!(place(InteractionError::Invalid(vec![placed])), (400, "Bundle.entry[3].request.url".to_owned()));
    }
}
