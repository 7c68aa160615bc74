//! The frame of who is signed in, around pages of problems, and a page where nothing is.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpRequest};

use crate::http::HttpError;
use crate::web::{PageError, Visitor};

/// Programs ask below these: they read the answer, whatever they accept.
const OF_PROGRAMS: [&str; 3] = ["/fhir", "/auth", "/.well-known"];

/// The layer around all pages. An error does not know who asks: here its page is made anew for them.
pub async fn framed<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let response = next.call(request).await?;
    let is_of_visitor = response.status().is_client_error();
    let problem = response.response().error().filter(|_| is_of_visitor).and_then(|error| error.as_error::<PageError>());
    let Some(problem) = problem else { return Ok(response.map_into_left_body()) };
    // Where it can't be told who asks, the page stays as it is.
    let Ok(visitor) = Visitor::extract(response.request()).await else { return Ok(response.map_into_left_body()) };
    let Ok(html) = problem.html(&visitor) else { return Ok(response.map_into_left_body()) };
    Ok(response.map_body(|_, _| EitherBody::right(BoxBody::new(html))))
}

/// Answers what no route takes: browsers, which ask for a page, with one.
pub async fn unknown_address(request: HttpRequest) -> Result<&'static str, Error> {
    let asks_for_page = asks_for_page(&request);
    Err(if asks_for_page {
        PageError::from(HttpError::UnknownAddress).into()
    } else {
        HttpError::UnknownAddress.into()
    })
}

fn asks_for_page(request: &HttpRequest) -> bool {
    let is_below =
        |root: &&str| request.path().strip_prefix(*root).is_some_and(|rest| matches!(rest.as_bytes(), [] | [b'/', ..]));
    let mut accepted = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    !OF_PROGRAMS.iter().any(is_below) && accepted.any(|value| value.contains("text/html"))
}
