//! Which address has which page.

use actix_web::web::ServiceConfig;

use crate::http::at;
use crate::web::{PageError, authorize, sign_in, style};

/// Adds all pages; `web::Data<App>` must be there, too.
pub fn configure(config: &mut ServiceConfig) {
    use actix_web::http::Method;
    config
        .service(at("/auth/authorize").get(authorize::asked).on(Method::POST, authorize::posted).done_as::<PageError>())
        .service(at("/auth/consent").on(Method::POST, authorize::answered).done_as::<PageError>())
        .service(at("/style.css").get(style::style).done_as::<PageError>())
        .service(at("/sign-in").get(sign_in::page).on(Method::POST, sign_in::sign_in).done_as::<PageError>())
        .service(at("/sign-out").on(Method::POST, sign_in::sign_out).done_as::<PageError>());
}
