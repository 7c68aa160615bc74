//! Headers that tell browsers and caches what not to do with an answer.
//!
//! Spec: Fetch standard, CSP level 3, RFC 6797

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// An answer is data: nothing in it runs, is loaded, or is shown within a page of somebody else's.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// An address may tell of a person.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// No page of another origin gets it as an image, a script or a style. Whoever asks by CORS is not concerned.
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
/// A year.
const HTTPS_ALONE: HeaderValue = HeaderValue::from_static("max-age=31536000");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Sets what the answer does not say by itself. `is_https` tells whether clients reach the server by https.
pub fn shield(headers: &mut HeaderMap, is_https: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    let or_else = [
        (header::REFERRER_POLICY, NO_REFERRER),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (RESOURCE_POLICY, SAME_ORIGIN),
        // What a handler does not call fit to be kept is not.
        (header::CACHE_CONTROL, NO_STORE),
    ];
    for (name, value) in or_else {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ALONE);
    }
}

/// Lets pages of any origin have the answer, in whatever way.
pub fn open_to_all(headers: &mut HeaderMap) {
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
}
