//! Request bodies: collected once, within bounds of size and time.
//!
//! The time limit of the HTTP library ends with the head of a request, so the body is watched here.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use actix_web::body::{BodyStream, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};

use crate::fhir::{Issue, IssueCode, Resource, json};
use crate::http::media::BodyMedia;
use crate::http::unpack::Packing;
use crate::http::{App, HttpError};
use crate::interactions::InteractionError;

/// The whole body must be there by then.
const WHOLE_BODY: Duration = Duration::from_secs(120);
/// A body may be slow so long ..
const GRACE: Duration = Duration::from_secs(10);
/// .. then it must have come at so many bytes per second.
const SLOWEST: usize = 1024;
/// A packed body below this is unpacked on the worker itself.
const SMALL_PACKED_BYTES: usize = 16 * 1024;

/// A body that is complete and unpacked.
#[derive(Debug)]
pub struct Body {
    pub bytes: Bytes,
    /// `None` when the client did not say.
    media: Option<BodyMedia>,
}

/// The body of an address that takes one resource, a patch or a form.
pub struct ResourceBody(pub Body);

/// The body of the address that takes Bundles.
pub struct BundleBody(pub Body);

impl Body {
    /// The bytes of a body that must be FHIR JSON.
    pub fn fhir_json(self) -> Result<Bytes, HttpError> {
        match self.media()? {
            BodyMedia::FhirJson => Ok(self.bytes),
            BodyMedia::JsonPatch => Err(HttpError::UnsupportedMediaType("a JSON Patch can only be sent by PATCH")),
            BodyMedia::Form => Err(HttpError::UnsupportedMediaType("a form can only be sent to _search")),
        }
    }

    /// What the body of a request that needs one is.
    pub fn media(&self) -> Result<BodyMedia, HttpError> {
        if self.bytes.is_empty() {
            return Err(HttpError::BodyMissing);
        }
        self.media.ok_or(HttpError::UnsupportedMediaType("the request has a body, but no Content-Type"))
    }

    /// The text of a form; empty when there is no body.
    pub fn form(&self) -> Result<&str, HttpError> {
        if self.bytes.is_empty() {
            return Ok("");
        }
        match self.media()? {
            BodyMedia::Form => std::str::from_utf8(&self.bytes).map_err(|_| HttpError::BodyNotPacked),
            BodyMedia::FhirJson | BodyMedia::JsonPatch => Err(HttpError::UnsupportedMediaType(
                "_search takes its parameters as application/x-www-form-urlencoded",
            )),
        }
    }
}

/// Parses the body as JSON. `root` names what was expected, for the places in the findings.
pub fn parse_value(bytes: &[u8], root: &str) -> Result<serde_json::Value, InteractionError> {
    json::parse(bytes).map_err(|error| {
        let place = match error.path.as_str() {
            "" => root.to_owned(),
            path => format!("{root}.{path}"),
        };
        InteractionError::Invalid(vec![Issue::error(IssueCode::Structure, place, error.to_string())])
    })
}

/// Parses the body as a resource.
pub fn parse_resource(bytes: &[u8], root: &str) -> Result<Resource, InteractionError> {
    let value = parse_value(bytes, root)?;
    Resource::from_value(value).map_err(|issue| InteractionError::Invalid(vec![issue]))
}

async fn collect(request: HttpRequest, payload: Payload, limit_bytes: usize) -> Result<Body, HttpError> {
    let headers = request.headers();
    let media = BodyMedia::from_headers(headers)?;
    let packing = Packing::from_headers(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > limit_bytes) {
        return Err(HttpError::BodyTooLarge { limit_bytes });
    }
    let bytes = receive(payload, announced, limit_bytes).await?;
    let bytes = match packing {
        None => bytes,
        Some(packing) if bytes.len() <= SMALL_PACKED_BYTES => packing.unpack(&bytes, limit_bytes)?.into(),
        Some(packing) => {
            let unpacked = web::block(move || packing.unpack(&bytes, limit_bytes)).await;
            unpacked.unwrap_or(Err(HttpError::BrokeOff))?.into()
        }
    };
    Ok(Body { bytes, media })
}

/// Takes in what the client sends, unless that is too much or comes too slowly.
async fn receive(payload: Payload, announced: Option<usize>, limit_bytes: usize) -> Result<Bytes, HttpError> {
    let mut stream = pin!(BodyStream::new(payload));
    let started = Instant::now();
    let mut received = BytesMut::new();
    let mut whole = None;
    loop {
        let so_far = received.len() + whole.as_ref().map_or(0, Bytes::len);
        let earned = Duration::from_secs((so_far / SLOWEST) as u64);
        let deadline = started + (GRACE + earned).min(WHOLE_BODY);
        let chunk = tokio::time::timeout_at(deadline.into(), poll_fn(|context| stream.as_mut().poll_next(context)));
        let chunk = match chunk.await {
            Err(_) => return Err(HttpError::BodyTooSlow),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(HttpError::BodyIncomplete),
            Ok(Some(Ok(chunk))) => chunk,
        };
        if so_far + chunk.len() > limit_bytes {
            return Err(HttpError::BodyTooLarge { limit_bytes });
        }
        if so_far == 0 {
            // Most bodies come in one piece, which is then taken as it is.
            whole = Some(chunk);
            continue;
        }
        if let Some(first) = whole.take() {
            received.reserve(announced.unwrap_or(0).max(first.len() + chunk.len()));
            received.extend_from_slice(&first);
        }
        received.extend_from_slice(&chunk);
    }
    Ok(whole.unwrap_or_else(|| received.freeze()))
}

type Collecting<T> = Pin<Box<dyn Future<Output = Result<T, HttpError>>>>;

impl FromRequest for ResourceBody {
    type Error = HttpError;
    type Future = Collecting<ResourceBody>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit_bytes = limits(request).resource_bytes;
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { collect(request, payload, limit_bytes).await.map(ResourceBody) })
    }
}

impl FromRequest for BundleBody {
    type Error = HttpError;
    type Future = Collecting<BundleBody>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit_bytes = limits(request).bundle_bytes;
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { collect(request, payload, limit_bytes).await.map(BundleBody) })
    }
}

fn limits(request: &HttpRequest) -> &crate::config::LimitSettings {
    let app: &web::Data<App> = request.app_data().expect("every route is configured together with the App");
    &app.engine.limits
}
