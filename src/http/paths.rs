//! What the path of a request names.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest};

use crate::fhir::{Id, NotAnId, ResourceKey, ResourceType};
use crate::http::HttpError;

/// `[type]`
pub struct TypePath(pub ResourceType);

/// `[type]/[id]`
pub struct KeyPath(pub ResourceKey);

/// `[compartment]/[id]/[type]`; no type where `*` stands for it.
pub struct CompartmentPath(pub ResourceKey, pub Option<ResourceType>);

/// `[type]/[id]/_history/[vid]`; the version as it was written.
pub struct VersionPath(pub ResourceKey, pub String);

fn type_of(request: &HttpRequest) -> Result<ResourceType, HttpError> {
    Ok(ResourceType::parse(request.match_info().query("type"))?)
}

fn key_of(request: &HttpRequest) -> Result<ResourceKey, HttpError> {
    let resource_type = type_of(request)?;
    let id = Id::parse(request.match_info().query("id")).map_err(|error| not_an_id(request.method(), error))?;
    Ok(ResourceKey { resource_type, id })
}

/// Where nothing can be, nothing is found; and nothing can be put there.
pub fn not_an_id(method: &Method, error: NotAnId) -> HttpError {
    match *method {
        Method::GET | Method::HEAD | Method::DELETE => HttpError::NothingUnder(error),
        _ => HttpError::NotAnId(error),
    }
}

impl FromRequest for TypePath {
    type Error = HttpError;
    type Future = Ready<Result<TypePath, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(type_of(request).map(TypePath))
    }
}

impl FromRequest for KeyPath {
    type Error = HttpError;
    type Future = Ready<Result<KeyPath, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(key_of(request).map(KeyPath))
    }
}

impl FromRequest for CompartmentPath {
    type Error = HttpError;
    type Future = Ready<Result<CompartmentPath, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let center = key_of(request);
        let member = match request.match_info().query("member") {
            "*" => Ok(None),
            name => ResourceType::parse(name).map(Some).map_err(HttpError::from),
        };
        ready(center.and_then(|center| Ok(CompartmentPath(center, member?))))
    }
}

impl FromRequest for VersionPath {
    type Error = HttpError;
    type Future = Ready<Result<VersionPath, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let version = request.match_info().query("version").to_owned();
        ready(key_of(request).map(|key| VersionPath(key, version)))
    }
}
