//! What an answer of 401 or 403 says of the token that would do.
//!
//! Spec: RFC 6750 section 3

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::web::Data;

use crate::access::Denied;
use crate::http::caller::bearer;
use crate::http::{App, HttpError};
use crate::interactions::InteractionError;

/// To a request without a token. RFC 6750 section 3.1: such an answer has no error code.
pub const TOKEN_NEEDED: &str = "Bearer realm=\"emberwell\"";
pub const INVALID_TOKEN: &str = "Bearer realm=\"emberwell\", error=\"invalid_token\"";
pub const INSUFFICIENT_SCOPE: &str = "Bearer realm=\"emberwell\", error=\"insufficient_scope\"";

/// The layer that names the scope for want of which a request was refused. It says nothing of any resource: what is asked for
/// is known to whoever asks.
pub async fn challenged<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    if response.status() == StatusCode::FORBIDDEN
        && let Some(challenge) = with_scope(&response)
    {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    Ok(response)
}

fn with_scope<B>(response: &ServiceResponse<B>) -> Option<HeaderValue> {
    let denied = denied(response.response().error()?.as_error::<HttpError>()?)?;
    let app: &Data<App> = response.request().app_data()?;
    let context = app.callers.needs(bearer(response.request().headers()).ok()?)?;
    let scope = denied.scope_needed(context)?;
    HeaderValue::from_str(&format!("{INSUFFICIENT_SCOPE}, scope=\"{scope}\"")).ok()
}

fn denied(error: &HttpError) -> Option<&Denied> {
    let HttpError::Interaction(error) = error else { return None };
    let error = match error {
        InteractionError::Entry { error, .. } => error,
        error => error,
    };
    match error {
        InteractionError::Denied(denied) => Some(denied),
        _ => None,
    }
}
