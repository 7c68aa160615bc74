//! `GET /apps/{client_id}/logo`

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path};

use crate::http::{App, HttpError};
use crate::store::StoreError;

/// The logo of an app, from here: a page that shows it tells nobody else that it was read.
pub async fn logo(client: Path<String>, app: Data<App>) -> Result<HttpResponse, HttpError> {
    let read = move |reader: &mut crate::store::Reader<'_>| reader.client_logo(&client);
    let logo = app.block(move |engine| engine.store.read_one(read).map_err(|error: StoreError| HttpError::from(error)));
    let logo = logo.await?.ok_or(HttpError::UnknownAddress)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, logo.media))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")))
        .body(logo.bytes))
}
