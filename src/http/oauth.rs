//! The answers of the endpoints of OAuth, which are no FHIR.
//!
//! Spec: RFC 6749 sections 5.1 and 5.2

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};
use thiserror::Error;

use crate::auth::AuthError;
use crate::http::HttpError;
use crate::http::challenge::INVALID_TOKEN;
use crate::http::outcome::refusal;
use crate::http::response::keep_small_body_plain;

/// A refusal as OAuth writes it.
#[derive(Debug, Error)]
#[error("{error}: {description}")]
pub struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: String,
    header: Option<(HeaderName, HeaderValue)>,
    is_last: bool,
}

impl OAuthError {
    /// Its code, as RFC 6749 names it.
    pub fn code(&self) -> &'static str {
        self.error
    }

    /// Whether the client is at fault, not the server.
    pub fn is_refusal(&self) -> bool {
        self.status.is_client_error()
    }
}

impl From<AuthError> for OAuthError {
    fn from(error: AuthError) -> OAuthError {
        let (status, code) = match error {
            AuthError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            AuthError::InvalidClient(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
            AuthError::InvalidToken(_) => (StatusCode::UNAUTHORIZED, "invalid_token"),
            AuthError::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            AuthError::UnauthorizedClient(_) => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            AuthError::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            AuthError::InvalidScope(_) => (StatusCode::BAD_REQUEST, "invalid_scope"),
            AuthError::InvalidRedirectUri(_) => (StatusCode::BAD_REQUEST, "invalid_redirect_uri"),
            AuthError::InvalidClientMetadata(_) => (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
            AuthError::AuthorizationPending => (StatusCode::BAD_REQUEST, "authorization_pending"),
            AuthError::SlowDown => (StatusCode::BAD_REQUEST, "slow_down"),
            AuthError::AccessDenied => (StatusCode::BAD_REQUEST, "access_denied"),
            AuthError::ExpiredToken => (StatusCode::BAD_REQUEST, "expired_token"),
            AuthError::Record(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            AuthError::Store(error) => return HttpError::from(error).into(),
        };
        // RFC 9110 section 15.5.2: an answer of 401 "MUST send a WWW-Authenticate header field".
        let challenge = match error {
            AuthError::InvalidClient(_) => Some("Basic realm=\"emberwell\""),
            AuthError::InvalidToken(_) => Some(INVALID_TOKEN),
            _ => None,
        };
        let header = challenge.map(|text| (header::WWW_AUTHENTICATE, HeaderValue::from_static(text)));
        OAuthError { status, error: code, description: error.to_string(), header, is_last: false }
    }
}

impl From<HttpError> for OAuthError {
    fn from(error: HttpError) -> OAuthError {
        let refusal = refusal(&error);
        let code = match refusal.status {
            // RFC 6749 has no word for the former.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request",
        };
        // What a client may read, which is less than what the error says.
        let texts: Vec<&str> = refusal.issues.iter().map(|issue| issue.text.as_str()).collect();
        OAuthError {
            status: refusal.status,
            error: code,
            description: texts.join("; "),
            header: refusal.header,
            is_last: refusal.is_last,
        }
    }
}

impl ResponseError for OAuthError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        // RFC 6749 leaves out what would have to be escaped within quotes.
        let fits = |character: char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
        let description: String = self.description.chars().map(|it| if fits(it) { it } else { '\'' }).collect();
        let mut response = answer(self.status, &json!({ "error": self.error, "error_description": description }));
        if let Some((name, value)) = &self.header {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        if self.is_last {
            response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
        }
        response
    }
}

/// An answer that is nobody else's: nothing on the way may keep it.
pub fn answer(status: StatusCode, body: &Value) -> HttpResponse {
    let body = body.to_string();
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
    response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    response.insert_header((header::PRAGMA, HeaderValue::from_static("no-cache")));
    keep_small_body_plain(&mut response, body.len());
    response.body(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn each_refusal_has_its_status_and_code() {
        let text = || "text".to_owned();
        let too_many = HttpError::TooManyRequests { what: "tests", per_minute: 1, wait_s: 60 };
        let table: [(OAuthError, u16, &str); 18] = [
            (AuthError::AuthorizationPending.into(), 400, "authorization_pending"),
            (AuthError::SlowDown.into(), 400, "slow_down"),
            (AuthError::AccessDenied.into(), 400, "access_denied"),
            (AuthError::ExpiredToken.into(), 400, "expired_token"),
            (AuthError::InvalidRedirectUri(text()).into(), 400, "invalid_redirect_uri"),
            (AuthError::InvalidClientMetadata(text()).into(), 400, "invalid_client_metadata"),
            (AuthError::InvalidGrant("text").into(), 400, "invalid_grant"),
            (AuthError::InvalidRequest(text()).into(), 400, "invalid_request"),
            (AuthError::InvalidClient(text()).into(), 401, "invalid_client"),
            (AuthError::InvalidToken("text").into(), 401, "invalid_token"),
            (AuthError::UnauthorizedClient("text").into(), 400, "unauthorized_client"),
            (AuthError::UnsupportedGrantType.into(), 400, "unsupported_grant_type"),
            (AuthError::InvalidScope(text()).into(), 400, "invalid_scope"),
            (AuthError::Store(StoreError::Busy).into(), 503, "temporarily_unavailable"),
            (AuthError::Store(StoreError::Damaged(text())).into(), 500, "server_error"),
            (HttpError::BodyTooLarge { limit_bytes: 1 }.into(), 413, "invalid_request"),
            (HttpError::Overloaded.into(), 503, "temporarily_unavailable"),
            (too_many.into(), 429, "temporarily_unavailable"),
        ];
        for (error, status, code) in table {
            assert_eq!((error.status.as_u16(), error.error), (status, code));
        }
    }

    #[test]
    fn a_fault_of_the_server_is_not_described() {
        let error = OAuthError::from(AuthError::Store(StoreError::Damaged("the role of account 7".to_owned())));

        assert!(!error.description.contains("account"), "{}", error.description);
    }
}
