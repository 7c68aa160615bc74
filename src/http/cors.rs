//! Which pages in a browser may read the answers.
//!
//! What says nothing of anybody may be read by all. The rest may be read by the pages of registered apps, which hold a token:
//! nothing here looks at cookies. The token endpoint alone allows credentials, for libraries that insist.
//!
//! Spec: Fetch standard, CORS protocol; SMART App Launch 2.2 app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};

use crate::clock;
use crate::http::shield::open_to_all;
use crate::http::{App, HttpError};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const TAKEN: HeaderValue = HeaderValue::from_static(
    "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, X-Provenance, X-Request-Id",
);
const SHOWN: HeaderValue = HeaderValue::from_static(
    "Content-Location, ETag, Last-Modified, Location, Retry-After, WWW-Authenticate, X-Progress, X-Request-Id",
);
/// A browser may keep the answer to its question so long, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// Whose pages may read what an address answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readers {
    Anybody,
    RegisteredApps,
    Nobody,
}

/// The layer that answers the questions of browsers, and marks the answers that their pages may read.
pub async fn cors<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let readers = readers(request.path());
    let allowed = allowed(&request, readers).await;
    let is_question =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_question && allowed.is_some() {
        let mut answer = HttpResponse::new(StatusCode::NO_CONTENT);
        let headers = answer.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, TAKEN);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        request.into_response(answer).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    let is_token = response.request().path() == "/auth/token";
    mark(response.headers_mut(), readers, allowed, is_token);
    Ok(response)
}

fn mark(headers: &mut HeaderMap, readers: Readers, allowed: Option<HeaderValue>, is_token: bool) {
    if readers == Readers::Anybody {
        open_to_all(headers);
    }
    if readers == Readers::RegisteredApps {
        // Also where no origin was sent: what a cache keeps must not be given to a page.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(allowed) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
        if is_token && readers == Readers::RegisteredApps {
            // Some libraries ask so that cookies would go along; none is ever read there.
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

fn readers(path: &str) -> Readers {
    let is_public = matches!(path, "/auth/jwks" | "/auth/smart-style-1.json" | "/brands" | "/fhir/metadata");
    let is_page = matches!(path, "/auth/authorize" | "/auth/consent") || path.starts_with("/auth/upstream/");
    if is_page {
        Readers::Nobody
    } else if is_public || path.starts_with("/fhir/.well-known/") || path.starts_with("/.well-known/") {
        Readers::Anybody
    } else if path == "/fhir" || path.starts_with("/fhir/") || path.starts_with("/auth/") {
        Readers::RegisteredApps
    } else {
        Readers::Nobody
    }
}

/// What the answer says of the page that asks; `None` when no page asks, or it is not to read the answer.
async fn allowed(request: &ServiceRequest, readers: Readers) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    match readers {
        Readers::Anybody => Some(HeaderValue::from_static("*")),
        Readers::Nobody => None,
        Readers::RegisteredApps => {
            let app: &Data<App> = request.app_data()?;
            let is_registered = is_registered(app, origin.to_str().ok()?).await;
            // The request itself goes on, and is answered for what it is.
            let is_registered =
                is_registered.inspect_err(|error| tracing::warn!(%error, "No origin could be looked up"));
            is_registered.unwrap_or(false).then(|| origin.clone())
        }
    }
}

async fn is_registered(app: &Data<App>, origin: &str) -> Result<bool, HttpError> {
    let now_us = clock::now_us();
    let origins = match app.auth.origins.recent(now_us) {
        Some(origins) => origins,
        None => {
            let shared = app.clone();
            app.block(move |engine| shared.auth.origins.refresh(&engine.store, now_us)).await?
        }
    };
    Ok(origins.contains(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_of_anybody_may_be_read_by_all() {
        let table = [
            ("/fhir/metadata", Readers::Anybody),
            ("/fhir/.well-known/smart-configuration", Readers::Anybody),
            ("/.well-known/oauth-authorization-server", Readers::Anybody),
            ("/fhir", Readers::RegisteredApps),
            ("/fhir/Patient", Readers::RegisteredApps),
            ("/fhir/metadata/x", Readers::RegisteredApps),
            ("/auth/token", Readers::RegisteredApps),
            ("/", Readers::Nobody),
            ("/health", Readers::Nobody),
            ("/fhirs", Readers::Nobody),
            ("/sign-in", Readers::Nobody),
            ("/auth/authorize", Readers::Nobody),
            ("/auth/jwks", Readers::Anybody),
        ];
        for (path, wanted) in table {
            assert_eq!(readers(path), wanted, "{path}");
        }
    }
}
