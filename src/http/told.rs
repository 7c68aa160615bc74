//! Telling the audit trail of each request: what it was given, or that it was refused.
//!
//! Writes are told where they are written.
//!
//! Spec: IHE BALP 1.1

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use url::form_urlencoded;

use crate::access::{Act, Agent, Deed, Note};
use crate::audit::Story;
use crate::clock;
use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::http::caller::bearer;
use crate::http::edge::RequestId;
use crate::http::oauth::OAuthError;
use crate::http::{App, HttpError, peer};
use crate::interactions::InteractionError;
use crate::store::SecretHash;

/// The layer within the edge. A request for which the trail has no room is refused before it does anything.
pub async fn told<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let journal = request.app_data::<web::Data<App>>().and_then(|app| app.journal.clone());
    let Some(journal) = journal else { return Ok(next.call(request).await?.map_into_left_body()) };
    if !journal.has_room() {
        return Ok(request.error_response(HttpError::Overloaded).map_into_right_body());
    }
    let response = next.call(request).await?;
    let error = response.response().error();
    let story = match response.request().path().strip_prefix("/auth/") {
        Some(endpoint) => of_endpoint(endpoint, response.request(), response.status(), error),
        None => story(response.request(), response.status(), error.and_then(|error| error.as_error())),
    };
    if let Some(story) = story {
        journal.add(story);
    }
    Ok(response.map_into_left_body())
}

/// What there is to tell, if anything.
fn story(request: &HttpRequest, status: StatusCode, error: Option<&HttpError>) -> Option<Story> {
    // All else is about no record.
    let path = request.path().strip_prefix("/fhir")?;
    let act = request.extensions_mut().remove::<Arc<Act>>();
    let noted = act.as_ref().map(|act| act.take()).unwrap_or_default();
    let deed = deed(request);
    let mut refused: Vec<_> = noted.refused.into_iter().map(|refused| (deed, refused.status, refused.key)).collect();
    let is_refusal = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        // What is no address of a resource is of no record.
        StatusCode::NOT_FOUND | StatusCode::GONE => act.is_some(),
        _ => false,
    };
    if is_refusal {
        refused.push((deed, status.as_u16(), error.and_then(key_of_error).or_else(|| key_of_address(request))));
    }
    if noted.given.is_empty() && refused.is_empty() {
        return None;
    }
    // Plain reads, the most frequent, don't tell it.
    let tells_query = !refused.is_empty()
        || noted.given.iter().any(|note| note.query.is_none() && matches!(note.deed, Deed::Search | Deed::History));
    let query = if tells_query { query(path, request, act.as_deref()) } else { String::new() };
    Some(match act {
        Some(act) => Story {
            agent: Arc::clone(&act.agent),
            network: None,
            request: Arc::clone(&act.request),
            error: None,
            at_us: act.at_us,
            query,
            given: noted.given,
            refused,
        },
        None => Story {
            agent: Arc::new(unknown(request)),
            network: network(request),
            request: id(request),
            at_us: clock::now_us(),
            error: None,
            query,
            given: noted.given,
            refused,
        },
    })
}

/// Who has shown who it is at an endpoint of OAuth, and the token that it got or asked about.
pub struct Shown(pub Agent);

/// What there is to tell of a request to an endpoint of OAuth: who got a token or ended one, and who was refused. That a token was
/// found good by a client that may ask is told where it is used.
///
/// Nothing of the address or of the form is told: there may be secrets in either.
fn of_endpoint(endpoint: &str, request: &HttpRequest, status: StatusCode, error: Option<&Error>) -> Option<Story> {
    let deed = match endpoint {
        "token" => Deed::Login,
        "introspect" => Deed::Introspect,
        "revoke" => Deed::Revoke,
        _ => return None,
    };
    let code = error.and_then(|error| error.as_error::<OAuthError>()).map(OAuthError::code);
    // A device asks every five seconds until somebody has let it in: only what becomes of it is told.
    if matches!(code, Some("authorization_pending" | "slow_down")) {
        return None;
    }
    let is_refusal = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let is_told = is_refusal || status == StatusCode::OK && deed != Deed::Introspect;
    if !is_told {
        return None;
    }
    let shown = request.extensions_mut().remove::<Shown>();
    let note = || Note { deed, query: None, given: Vec::new(), events: Vec::new() };
    Some(Story {
        agent: shown.map(|Shown(agent)| Arc::new(agent)).unwrap_or_default(),
        network: network(request),
        request: id(request),
        at_us: clock::now_us(),
        error: code,
        query: String::new(),
        given: if is_refusal { Vec::new() } else { vec![note()] },
        refused: if is_refusal { vec![(deed, status.as_u16(), None)] } else { Vec::new() },
    })
}

/// What was asked for, below the base: by the address, or by a form in its stead.
fn query(path: &str, request: &HttpRequest, act: Option<&Act>) -> String {
    let path = path.trim_start_matches('/');
    let path = path.strip_suffix("/_search").unwrap_or(path);
    let asked = without_tokens(act.and_then(Act::asked).unwrap_or(request.query_string()));
    match &*asked {
        "" => path.to_owned(),
        asked => format!("{path}?{asked}"),
    }
}

/// `asked` without the tokens that clients put where none is read: whoever reads the trail could use them.
fn without_tokens(asked: &str) -> Cow<'_, str> {
    const NAME: &str = "access_token";
    let is_token = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| name == NAME);
    if !asked.split('&').any(|pair| is_token(&pair)) {
        return asked.into();
    }
    let pairs: Vec<&str> = asked.split('&').map(|pair| if is_token(&pair) { NAME } else { pair }).collect();
    pairs.join("&").into()
}

/// The address that it comes from.
fn network(request: &HttpRequest) -> Option<String> {
    let app: &web::Data<App> = request.app_data()?;
    peer::address(app, request).map(|address| address.to_string())
}

/// Whoever sent a token that is not accepted, or none.
fn unknown(request: &HttpRequest) -> Agent {
    let token = bearer(request.headers()).ok().map(|token| SecretHash::of(token.as_bytes()).tail());
    Agent { token, ..Agent::default() }
}

fn id(request: &HttpRequest) -> Arc<str> {
    let extensions = request.extensions();
    extensions.get::<RequestId>().and_then(|id| id.0.to_str().ok()).unwrap_or_default().into()
}

/// What the request was to do, by its address and method.
fn deed(request: &HttpRequest) -> Deed {
    let route = request.match_name().unwrap_or_default();
    match *request.method() {
        Method::GET | Method::HEAD if route.ends_with("_history/{version}") => Deed::Vread,
        Method::GET | Method::HEAD if route.ends_with("_history") => Deed::History,
        Method::GET | Method::HEAD if route == "/{type}/{id}" => Deed::Read,
        _ if route.contains('$') => Deed::Operation,
        Method::GET | Method::HEAD => Deed::Search,
        Method::POST if route.ends_with("_search") => Deed::Search,
        Method::POST if route == "/{type}" => Deed::Create,
        Method::PUT => Deed::Update,
        Method::PATCH => Deed::Patch,
        Method::DELETE => Deed::Delete,
        _ => Deed::Batch,
    }
}

fn key_of_address(request: &HttpRequest) -> Option<ResourceKey> {
    let (resource_type, id) = (request.match_info().get("type")?, request.match_info().get("id")?);
    Some(ResourceKey { resource_type: ResourceType::parse(resource_type).ok()?, id: Id::parse(id).ok()? })
}

/// What was refused of a transaction.
fn key_of_error(error: &HttpError) -> Option<ResourceKey> {
    let HttpError::Interaction(InteractionError::Entry { error, .. }) = error else { return None };
    match &**error {
        InteractionError::NotFound(key) | InteractionError::NoSuchVersion(key, _) => Some(key.clone()),
        InteractionError::Deleted { key, .. } => Some(key.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_told() {
        let table = [
            ("", ""),
            ("name=a&_count=2", "name=a&_count=2"),
            ("access_token=secret", "access_token"),
            ("name=a&access_token=secret&_count=2", "name=a&access_token&_count=2"),
            ("access%5Ftoken=secret&name=a", "access_token&name=a"),
            ("name=access_token", "name=access_token"),
        ];
        for (asked, told) in table {
            assert_eq!(without_tokens(asked), told);
        }
    }
}
