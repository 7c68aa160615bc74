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

/// What is wanted of an address that takes a form, which may say part of it, too.
#[derive(Debug)]
pub struct WantedWithForm {
    accept: Option<String>,
    prefer: Prefer,
    query: Vec<(String, String)>,
}

impl Wanted {
    fn new(headers: &HeaderMap, query_string: &str) -> Result<Wanted, HttpError> {
        let query = parse_query_string(query_string)?;
        let format = format(accept(headers), &query)?;
        Ok(Wanted { format, prefer: Prefer::from_headers(headers), query, criteria: criteria(query_string) })
    }
}

impl WantedWithForm {
    fn new(headers: &HeaderMap, query_string: &str) -> Result<WantedWithForm, HttpError> {
        let query = parse_query_string(query_string)?;
        let accept = accept(headers).map(str::to_owned);
        Ok(WantedWithForm { accept, prefer: Prefer::from_headers(headers), query })
    }

    /// The whole, once the form is there.
    pub fn completed(self, form: &str) -> Result<Wanted, HttpError> {
        let mut query = self.query;
        query.extend(parse_query_string(form)?);
        let format = format(self.accept.as_deref(), &query)?;
        Ok(Wanted { format, prefer: self.prefer, query, criteria: String::new() })
    }
}

fn accept(headers: &HeaderMap) -> Option<&str> {
    headers.get(ACCEPT).map(|value| value.to_str().unwrap_or_default())
}

fn format(accept: Option<&str>, query: &[(String, String)]) -> Result<Format, HttpError> {
    // R4 http.html#general: `_format` overrides `Accept`, also one that admits nothing.
    let accept = accept.filter(|_| !query.iter().any(|(name, _)| name == "_format"));
    Format::from_accept(accept)?.with_parameters(query)
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

impl FromRequest for WantedWithForm {
    type Error = HttpError;
    type Future = Ready<Result<WantedWithForm, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(WantedWithForm::new(request.headers(), request.query_string()))
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
