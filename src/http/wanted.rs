//! What the client says about its answer, from headers and query together.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT, HeaderMap};
use actix_web::{FromRequest, HttpRequest};

use crate::http::HttpError;
use crate::http::format::Format;
use crate::http::prefer::Prefer;
use crate::search::parse_query_string;

/// What the client wants, and the query that says part of it.
#[derive(Debug)]
pub struct Wanted {
    pub format: Format,
    pub prefer: Prefer,
    /// The decoded pairs of the query string, in order.
    pub query: Vec<(String, String)>,
    /// The query string as sent, without what only shapes the answer.
    pub criteria: String,
}

impl Wanted {
    fn new(headers: &HeaderMap, query_string: &str) -> Result<Wanted, HttpError> {
        let accept = headers.get(ACCEPT).map(|value| value.to_str().unwrap_or_default());
        let query = parse_query_string(query_string)?;
        // R4 http.html#general: `_format` overrides `Accept`, also one that admits nothing.
        let accept = accept.filter(|_| !query.iter().any(|(name, _)| name == "_format"));
        Ok(Wanted {
            format: Format::from_accept(accept)?.with_parameters(&query)?,
            prefer: Prefer::from_headers(headers),
            query,
            criteria: criteria(query_string),
        })
    }
}

/// Leaves out `_format` and `_pretty`: they select nothing.
fn criteria(query_string: &str) -> String {
    let shapes =
        |pair: &&str| matches!(pair.split_once('=').map_or(*pair, |(name, _)| name), "" | "_format" | "_pretty");
    let pairs: Vec<&str> = query_string.split('&').filter(|pair| !shapes(pair)).collect();
    pairs.join("&")
}

impl FromRequest for Wanted {
    type Error = HttpError;
    type Future = Ready<Result<Wanted, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Wanted::new(request.headers(), request.query_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria_are_what_selects() {
        let wanted = Wanted::new(&HeaderMap::new(), "_format=json&identifier=a%7Cb&_pretty=true&name=x").unwrap();

        assert_eq!(wanted.criteria, "identifier=a%7Cb&name=x");
        assert!(wanted.format.is_pretty);
        assert_eq!(Wanted::new(&HeaderMap::new(), "_format=json&").unwrap().criteria, "");
    }
}
