//! Who is calling.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};

use crate::access::Caller;
use crate::http::{App, HttpError};

impl FromRequest for Caller {
    type Error = HttpError;
    type Future = Ready<Result<Caller, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_open = request.app_data::<web::Data<App>>().is_some_and(|app| app.is_open);
        ready(if is_open { Ok(Caller::open()) } else { Err(HttpError::SignInNeeded) })
    }
}
