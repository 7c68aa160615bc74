//! The header in which a client says where what it writes comes from.
//!
//! Spec: R4 provenance.html#header

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpRequest};
use serde_json::Value;

use crate::access::Caller;
use crate::fhir::ResourceType;
use crate::http::HttpError;
use crate::http::body::parse_value;
use crate::interactions::{self, Engine, InteractionError};

const X_PROVENANCE: HeaderName = HeaderName::from_static("x-provenance");

/// The Provenance in the header `X-Provenance`, if there is one.
#[derive(Debug, Default)]
pub struct Claim(Option<Value>);

impl Claim {
    /// `caller` in the request that says so. `of` is the one type that is written, if it is one.
    pub fn by(self, caller: Caller, of: Option<ResourceType>, engine: &Engine) -> Result<Caller, InteractionError> {
        match self.0 {
            Some(claim) => interactions::claimed(engine, caller, of, claim),
            None => Ok(caller),
        }
    }

    /// Refuses the header where nothing is written that could have a Provenance.
    pub fn none(self) -> Result<(), HttpError> {
        match self.0 {
            Some(_) => Err(refused("it goes with a create, an update, a patch, a batch or a transaction")),
            None => Ok(()),
        }
    }

    fn from_headers(headers: &HeaderMap) -> Result<Claim, HttpError> {
        let mut all = headers.get_all(X_PROVENANCE);
        match (all.next(), all.next()) {
            (None, _) => Ok(Claim(None)),
            (Some(only), None) => Ok(Claim(Some(parse_value(only.as_bytes(), "Provenance")?))),
            (Some(_), Some(_)) => Err(refused("give it once, with one Provenance")),
        }
    }
}

fn refused(problem: &'static str) -> HttpError {
    HttpError::Header { name: "X-Provenance", problem }
}

impl FromRequest for Claim {
    type Error = HttpError;
    type Future = Ready<Result<Claim, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Claim::from_headers(request.headers()))
    }
}
