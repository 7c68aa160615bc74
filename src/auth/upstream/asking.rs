//! How `openidconnect` asks a provider: by the one client that this server has for others.

use std::future::Future;
use std::pin::Pin;

use openidconnect::http::header::CONTENT_TYPE;
use openidconnect::http::{Method, Response};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::outbound::{Outbound, OutboundError};

/// Asks by the client within.
pub(super) struct Asking<'o>(pub &'o Outbound);

impl<'c, 'o: 'c> AsyncHttpClient<'c> for Asking<'o> {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutboundError>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let posted = (head.method == Method::POST).then_some(body);
            let reply = self.0.ask(&head.uri.to_string(), head.headers, posted).await?;
            let mut response = Response::builder().status(reply.status);
            if let Some(media) = reply.headers.get(CONTENT_TYPE) {
                response = response.header(CONTENT_TYPE, media);
            }
            response.body(reply.body).map_err(|error| OutboundError::Failed(error.to_string()))
        })
    }
}
