//! What every request passes on its way in and out: bounds on its address, its id, headers for safety, the log.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use tokio::time::sleep;

use crate::fhir::{Issue, IssueCode};
use crate::http::log::log;
use crate::http::outcome::Refusal;
use crate::http::seat::Seat;
use crate::http::shield::shield;
use crate::http::{App, HttpError, Phase};

/// What is turned away at the door is told so after this time.
const RESPITE: Duration = Duration::from_secs(1);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request, for all that tells of it.
pub(super) struct RequestId(pub(super) HeaderValue);

/// The outermost layer around all routes.
pub async fn edge<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let started = Instant::now();
    let request_id = request_id(request.headers());
    let method = request.method().clone();
    let app = app(&request);
    let _asked = request.conn_data::<Rc<Phase>>().map(Phase::begin);
    let mut response = match admitted(&request, &app) {
        Err(error) => {
            if matches!(error, HttpError::Overloaded) {
                // Whoever asks again at once would be answered at once, and keep the server busy with that.
                sleep(RESPITE).await;
            }
            request.error_response(error).map_into_right_body()
        }
        Ok(seat) => {
            without_last_slash(&mut request);
            request.extensions_mut().insert(RequestId(request_id.clone()));
            let response = explained(caught(next.call(request), 2 * app.network.request_time).await?);
            drop(seat);
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id.clone());
    shield(headers, app.base().starts_with("https:"));
    // The mark that kept a small body from being packed; on the wire it would say nothing.
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        headers.remove(header::CONTENT_ENCODING);
    }
    log(&response, method.as_str(), &request_id, started);
    Ok(response)
}

fn app(request: &ServiceRequest) -> web::Data<App> {
    request.app_data::<web::Data<App>>().expect("the layers are wrapped around routes that have the App").clone()
}

/// What a request must keep to before anything else is looked at; a seat for it, where it needs one.
fn admitted(request: &ServiceRequest, app: &App) -> Result<Option<Seat>, HttpError> {
    let address = request.uri().path_and_query().map_or("", |address| address.as_str());
    let limits = &app.engine.limits;
    if address.len() > limits.address_bytes {
        return Err(HttpError::AddressTooLong { limit_bytes: limits.address_bytes });
    }
    if head_bytes(request.headers()) > limits.head_bytes {
        return Err(HttpError::HeadTooLong { limit_bytes: limits.head_bytes });
    }
    let authorities = [request.uri().authority().map(|it| it.as_str()), host(request.headers())];
    // RFC 9112 section 3.2.2: of an address with a host, that is what counts; a proxy on the way may have gone by the header.
    let is_known = |authority: &str| app.hosts.knows(authority);
    let is_asked_by_name = authorities.iter().flatten().all(|authority| is_known(authority));
    // Who watches the server must hear from it above all when it has much to do.
    match request.path() {
        "/health" | "/ready" => Ok(None),
        _ if !is_asked_by_name => Err(HttpError::UnknownHost),
        _ if app.waiting_bytes.load(Ordering::Relaxed) > app.network.waiting_bytes => Err(HttpError::Overloaded),
        _ => Seat::take(&app.requests, limits.requests).map(Some),
    }
}

/// What the header says; empty when that is no text. HTTP/1.0 needs none.
fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default())
}

fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// The client's own id for its request if that is fit for a log, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_fit = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=64).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    headers.get(REQUEST_ID).filter(is_fit).cloned().unwrap_or_else(new_request_id)
}

/// A number that no other request of this or another run has. Nobody needs to be kept from guessing it.
fn new_request_id() -> HeaderValue {
    static RUN: OnceLock<String> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let run = RUN.get_or_init(|| format!("{:016x}-", uuid::Uuid::new_v4().as_u64_pair().0));
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    HeaderValue::try_from(run.clone() + &count.to_string()).expect("digits are fit for a header")
}

/// `Patient/` is taken for `Patient`.
fn without_last_slash(request: &mut ServiceRequest) {
    let uri = request.uri();
    let path = uri.path();
    if path.len() < 2 || !path.ends_with('/') {
        return;
    }
    let path = path.trim_end_matches('/');
    let address = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None if path.is_empty() => "/".to_owned(),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    let Ok(address) = address.parse() else { return };
    parts.path_and_query = Some(address);
    let Ok(uri) = Uri::from_parts(parts) else { return };
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
}

/// Turns a panic of a handler into an answer, and a request that takes longer than `most`. `hop` has caught the panics of the work
/// itself already.
async fn caught<T>(work: impl Future<Output = Result<T, Error>>, most: Duration) -> Result<T, Error> {
    let mut work = pin!(work);
    // Most requests are answered at once, and need none.
    let mut timer = None;
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        match polled.unwrap_or_else(|_| Poll::Ready(Err(HttpError::BrokeOff.into()))) {
            Poll::Pending => {
                let timer = timer.get_or_insert_with(|| Box::pin(sleep(most)));
                timer.as_mut().poll(context).map(|()| Err(HttpError::TookTooLong.into()))
            }
            ready => ready,
        }
    })
    .await
}

/// Gives an OperationOutcome to what the HTTP library itself refuses.
fn explained<B: MessageBody + 'static>(response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let is_plain =
        response.headers().get(header::CONTENT_TYPE).is_none_or(|media| media == "text/plain; charset=utf-8");
    if status.as_u16() < 400 || !is_plain {
        return response.map_into_left_body();
    }
    let text = match status.canonical_reason() {
        Some(reason) => format!("the request was refused: {}", reason.to_ascii_lowercase()),
        None => "the request was refused".to_owned(),
    };
    let refusal =
        Refusal { status, issues: vec![Issue::request(IssueCode::Processing, text)], header: None, is_last: false };
    response.into_response(refusal.into_response()).map_into_right_body()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[actix_web::test]
    async fn what_takes_too_long_or_panics_is_answered() {
        let soon = Duration::from_millis(20);
        let told =
            |outcome: Result<(), Error>| outcome.err().map(|error| error.as_response_error().status_code().as_u16());

        assert_eq!(told(caught(ready(Ok(())), Duration::ZERO).await), None);
        assert_eq!(told(caught(pending(), soon).await), Some(503));
        assert_eq!(told(caught(async { panic!("on purpose") }, soon).await), Some(500));
    }
}
