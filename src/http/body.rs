//! Request bodies: collected once, within bounds of size and time.
//!
//! The time limit of the HTTP library ends with the head of a request, so the body is watched here.

use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::{BodyStream, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;

use crate::auth::{AuthError, Form};
use crate::config::{LimitSettings, NetworkSettings};
use crate::fhir::{Issue, IssueCode, Resource, json};
use crate::http::media::BodyMedia;
use crate::http::oauth::OAuthError;
use crate::http::unpack::Packing;
use crate::http::{App, HttpError};
use crate::interactions::InteractionError;
use crate::search::{SearchError, parse_query_string};

/// A body up to this takes its memory without asking.
const FREE_BYTES: usize = 64 * 1024;
/// The largest body at the endpoints of OAuth.
const FORM_BYTES: usize = 64 * 1024;
/// A packed body below this is unpacked on the worker itself.
const SMALL_PACKED_BYTES: usize = 16 * 1024;

/// The bytes of a body, together with the room that was made for them: that is free again when they are dropped.
#[derive(Debug)]
pub struct Held {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A body that is complete and unpacked.
#[derive(Debug)]
pub struct Body {
    pub bytes: Held,
    /// `None` when the client did not say.
    media: Option<BodyMedia>,
}

/// The body of an address that takes one resource, a patch or a form.
pub struct ResourceBody(pub Body);

/// The body of the address that takes Bundles.
pub struct BundleBody(pub Body);

/// The body of an endpoint of OAuth.
pub struct FormBody(Body);

impl FormBody {
    /// The parameters.
    pub fn form(&self) -> Result<Form, OAuthError> {
        let is_form = self.0.media == Some(BodyMedia::Form);
        let pairs = std::str::from_utf8(&self.0.bytes).ok().and_then(|text| parse_query_string(text).ok());
        let unread =
            || AuthError::InvalidRequest("send the parameters as application/x-www-form-urlencoded".to_owned());
        Ok(Form::new(pairs.filter(|_| is_form).ok_or_else(unread)?)?)
    }

    /// The fields of a form of a page, of which some may come more than once.
    pub fn pairs(&self) -> Result<Vec<(String, String)>, HttpError> {
        let is_form = self.0.media == Some(BodyMedia::Form);
        let pairs = std::str::from_utf8(&self.0.bytes).ok().and_then(|text| parse_query_string(text).ok());
        pairs.filter(|_| is_form).ok_or(HttpError::UnsupportedMediaType("this address takes forms only"))
    }
}

impl Body {
    /// The bytes of a body that must be FHIR JSON.
    pub fn fhir_json(self) -> Result<Held, HttpError> {
        match self.media()? {
            BodyMedia::FhirJson => Ok(self.bytes),
            BodyMedia::JsonPatch => Err(HttpError::UnsupportedMediaType(
                "a JSON Patch can only be sent by PATCH: send application/fhir+json here",
            )),
            BodyMedia::Form => Err(HttpError::UnsupportedMediaType(
                "a form can only be sent to _search: send application/fhir+json here",
            )),
        }
    }

    /// What the body of a request that needs one is.
    pub fn media(&self) -> Result<BodyMedia, HttpError> {
        if self.bytes.is_empty() {
            return Err(HttpError::BodyMissing);
        }
        self.media.ok_or(HttpError::UnsupportedMediaType(
            "the request has a body, but no Content-Type: for FHIR JSON it is application/fhir+json",
        ))
    }

    /// The text of a form; empty when there is no body.
    pub fn form(&self) -> Result<&str, HttpError> {
        if self.bytes.is_empty() {
            return Ok("");
        }
        match self.media()? {
            BodyMedia::Form => std::str::from_utf8(&self.bytes).map_err(|_| SearchError::Encoding.into()),
            BodyMedia::FhirJson | BodyMedia::JsonPatch => Err(HttpError::UnsupportedMediaType(
                "_search takes its parameters as application/x-www-form-urlencoded",
            )),
        }
    }
}

/// Parses the body as JSON. `root` names what was expected, for the places in the findings.
pub fn parse_value(bytes: &[u8], root: &str) -> Result<serde_json::Value, InteractionError> {
    json::parse(bytes).map_err(|error| {
        let place = json::expression(root, &error.path);
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
    let mut intake = Intake { app: app(&request), packing, announced, limit_bytes, room: None };
    let bytes = intake.receive(payload).await?;
    let bytes = match packing {
        None => bytes,
        Some(packing) => {
            intake.make_room(bytes.len(), Instant::now() + intake.app.network.grace).await?;
            if bytes.len() <= SMALL_PACKED_BYTES {
                packing.unpack(&bytes, limit_bytes)?.into()
            } else {
                let unpacked = web::block(move || packing.unpack(&bytes, limit_bytes)).await;
                unpacked.unwrap_or(Err(HttpError::BrokeOff))?.into()
            }
        }
    };
    Ok(Body { bytes: Held { bytes, _room: intake.room }, media })
}

/// How long a body may take of which so many bytes have come.
fn time_for(so_far_bytes: usize, network: &NetworkSettings) -> Duration {
    let earned_ms = (so_far_bytes as u64).saturating_mul(1000).checked_div(u64::from(network.bytes_per_second));
    (network.grace + Duration::from_millis(earned_ms.unwrap_or(0))).min(network.request_time)
}

/// A body on its way in.
struct Intake<'r> {
    app: &'r App,
    packing: Option<Packing>,
    announced: Option<usize>,
    limit_bytes: usize,
    room: Option<OwnedSemaphorePermit>,
}

impl Intake<'_> {
    /// Takes in what the client sends, unless that is too much or comes too slowly.
    async fn receive(&mut self, payload: Payload) -> Result<Bytes, HttpError> {
        let (limit_bytes, network) = (self.limit_bytes, &self.app.network);
        let mut stream = pin!(BodyStream::new(payload));
        let started = Instant::now();
        let mut received = BytesMut::new();
        let mut whole = None;
        loop {
            let so_far = received.len() + whole.as_ref().map_or(0, Bytes::len);
            let deadline = started + time_for(so_far, network);
            let chunk = timeout_at(deadline.into(), poll_fn(|context| stream.as_mut().poll_next(context)));
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
            if so_far + chunk.len() > FREE_BYTES {
                self.make_room(so_far + chunk.len(), deadline).await?;
            }
            if let Some(first) = whole.take() {
                received.reserve(self.announced.unwrap_or(0).min(FREE_BYTES));
                received.extend_from_slice(&first);
            }
            received.extend_from_slice(&chunk);
        }
        Ok(whole.unwrap_or_else(|| received.freeze()))
    }

    /// Waits until there is memory for all that this body may still become; does so once only, because two bodies that
    /// have some and wait for more would wait for each other.
    async fn make_room(&mut self, so_far_bytes: usize, deadline: Instant) -> Result<(), HttpError> {
        if self.room.is_some() {
            return Ok(());
        }
        let arriving_bytes = self.announced.unwrap_or(self.limit_bytes).max(so_far_bytes);
        let unpacked_bytes = self.packing.map_or(0, |_| Packing::most_bytes(arriving_bytes, self.limit_bytes));
        let bytes = (arriving_bytes + unpacked_bytes).min(self.app.body_memory_bytes());
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        let room = timeout_at(deadline.into(), Arc::clone(&self.app.body_memory).acquire_many_owned(kib));
        match room.await {
            Ok(Ok(room)) => self.room = Some(room),
            // The semaphore is never closed, so that this is the time being up.
            Ok(Err(_)) | Err(_) => return Err(HttpError::Overloaded),
        }
        Ok(())
    }
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

impl FromRequest for FormBody {
    type Error = HttpError;
    type Future = Collecting<FormBody>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { collect(request, payload, FORM_BYTES).await.map(FormBody) })
    }
}

/// A body of JSON that is no FHIR.
pub struct JsonBody(pub serde_json::Value);

impl FromRequest for JsonBody {
    type Error = HttpError;
    type Future = Collecting<JsonBody>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = collect(request, payload, FORM_BYTES).await?;
            serde_json::from_slice(&body.bytes).map(JsonBody).map_err(|_| HttpError::NotJson)
        })
    }
}

fn limits(request: &HttpRequest) -> &LimitSettings {
    &app(request).engine.limits
}

fn app(request: &HttpRequest) -> &App {
    let app: &web::Data<App> = request.app_data().expect("every route is configured together with the App");
    app
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_earns_its_time_by_coming() {
        let network = NetworkSettings::default();
        let seconds = |so_far_bytes| time_for(so_far_bytes, &network).as_secs();

        assert_eq!((seconds(0), seconds(1023), seconds(1024)), (10, 10, 11));
        assert_eq!((seconds(110 * 1024), seconds(32 << 20)), (120, 120));
        let at_once = NetworkSettings { bytes_per_second: 0, ..network.clone() };
        assert_eq!(time_for(1 << 20, &at_once), network.grace);
    }
}
