//! Which address has which page.

use actix_web::web::{QueryConfig, ServiceConfig};

use crate::http::at;
use crate::web::{PageError, account, apps, authorize, developer, device, front, sign_in, style, upstream};

/// Adds all pages; `web::Data<App>` must be there, too.
pub fn configure(config: &mut ServiceConfig) {
    use actix_web::http::Method;
    config
        .app_data(QueryConfig::default().error_handler(|error, _| PageError::from(error).into()))
        .service(at("/").get(front::page).done_as::<PageError>())
        .service(at("/auth/authorize").get(authorize::asked).on(Method::POST, authorize::posted).done_as::<PageError>())
        .service(at("/auth/consent").on(Method::POST, authorize::answered).done_as::<PageError>())
        .service(at("/apps").get(apps::page).on(Method::POST, apps::remove).done_as::<PageError>())
        .service(at("/apps/open").on(Method::POST, apps::open).done_as::<PageError>())
        .service(at("/developer").get(developer::list).on(Method::POST, developer::answer).done_as::<PageError>())
        .service(at("/developer/new").get(developer::new).on(Method::POST, developer::register).done_as::<PageError>())
        .service(
            at("/developer/review").get(developer::review).on(Method::POST, developer::decide).done_as::<PageError>(),
        )
        .service(
            at("/developer/apps/{client_id}")
                .get(developer::page)
                .on(Method::POST, developer::change)
                .done_as::<PageError>(),
        )
        .service(at("/developer/apps/{client_id}/secret").on(Method::POST, developer::rotate).done_as::<PageError>())
        .service(at("/developer/apps/{client_id}/members").on(Method::POST, developer::members).done_as::<PageError>())
        .service(at("/device").get(device::page).on(Method::POST, device::typed).done_as::<PageError>())
        .service(at("/device/consent").on(Method::POST, device::answered).done_as::<PageError>())
        .service(at("/style.css").get(style::style).done_as::<PageError>())
        .service(at("/sign-in").get(sign_in::page).on(Method::POST, sign_in::sign_in).done_as::<PageError>())
        .service(at("/sign-out").on(Method::POST, sign_in::sign_out).done_as::<PageError>())
        .service(at("/auth/upstream/{name}/start").get(upstream::start).done_as::<PageError>())
        .service(at("/auth/upstream/{name}/callback").on(Method::GET, upstream::callback).done_as::<PageError>())
        .service(at("/auth/upstream/{name}/link").on(Method::POST, upstream::link).done_as::<PageError>())
        .service(
            at("/account/providers").get(upstream::linked).on(Method::POST, upstream::unlink).done_as::<PageError>(),
        )
        .configure(account::configure);
}
