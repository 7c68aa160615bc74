//! Which address takes which method, and who answers.
//!
//! Spec: R4 http.html#summary

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, Resource, Responder, Route};

use crate::fhir::NotAnId;
use crate::http::HttpError;
use crate::http::handlers::{
    auth, bundle, create, delete, history, metadata, patch, read, reindex, search, status, update, validate,
};
use crate::http::oauth::OAuthError;
use crate::http::paths::{TypePath, not_an_id};

/// Adds all routes; `web::Data<App>` must be there, too.
pub fn configure(config: &mut ServiceConfig) {
    let fhir = web::scope("/fhir")
        // The most frequent first: addresses are tried in this order.
        .service(
            at("/{type}/{id}")
                .get(read::read)
                .on(Method::PUT, update::update)
                .on(Method::PATCH, patch::patch)
                .on(Method::DELETE, delete::delete)
                .done(),
        )
        .service(
            at("/{type}")
                .get(search::by_type)
                .on(Method::POST, create::create)
                .on(Method::PUT, update::conditional_update)
                .on(Method::PATCH, patch::conditional_patch)
                .on(Method::DELETE, delete::conditional_delete)
                .done(),
        )
        .service(at("").get(search::system).on(Method::POST, bundle::process).done())
        .service(at("/{type}/_search").on(Method::POST, search::by_type_posted).done())
        .service(at("/_search").on(Method::POST, search::system_posted).done())
        .service(at("/{type}/{id}/{member}").get(search::in_compartment).done())
        .service(at("/{type}/{id}/{member}/_search").on(Method::POST, search::in_compartment_posted).done())
        .service(at("/{type}/{id}/_history/{version}").get(read::vread).done())
        .service(at("/{type}/{id}/_history").get(history::of_instance).done())
        .service(at("/{type}/_history").get(history::of_type).done())
        .service(at("/_history").get(history::of_system).done())
        .service(at("/metadata").get(metadata::metadata).done())
        .service(at("/.well-known/smart-configuration").get(auth::discovery::document).done())
        .service(at("/{type}/$validate").on(Method::POST, validate::of_type).done())
        .service(at("/{type}/{id}/$validate").on(Method::POST, validate::of_instance).done())
        .service(at("/$reindex").on(Method::POST, reindex::of_all).done())
        .service(at("/{type}/$reindex").on(Method::POST, reindex::of_type).done())
        .service(at("/$reindex-status/{id}").get(reindex::status).on(Method::DELETE, reindex::cancel).done())
        .service(web::resource("/${operation}").to(unknown_operation))
        .service(web::resource("/{type}/${operation}").to(unknown_operation))
        .service(web::resource("/{type}/{id}/${operation}").to(unknown_operation))
        .service(web::resource("/{type:[A-Z][A-Za-z]*}/{id:[^_][^/]*}").to(unfit_id))
        .default_service(web::to(unknown_address));
    config
        .service(fhir)
        .service(at("/auth/token").on(Method::POST, auth::token::token).done_as::<OAuthError>())
        .service(at("/auth/introspect").on(Method::POST, auth::introspection::introspect).done_as::<OAuthError>())
        .service(at("/auth/launch").on(Method::POST, auth::launch::launch).done_as::<OAuthError>())
        .service(at("/auth/jwks").get(auth::keys::keys).done_as::<OAuthError>())
        .service(at("/auth/smart-style-1.json").get(auth::keys::style).done())
        .service(at("/.well-known/openid-configuration").get(auth::discovery::document).done())
        .service(at("/auth/revoke").on(Method::POST, auth::revocation::revoke).done_as::<OAuthError>())
        .service(at("/brands").get(auth::brands::brands).done())
        .service(at("/auth/device").on(Method::POST, auth::device::begin).done_as::<OAuthError>())
        .service(at("/auth/register").on(Method::POST, auth::registration::register).done_as::<OAuthError>())
        .service(
            at("/auth/register/{client_id}")
                .get(auth::registration::read)
                .on(Method::PUT, auth::registration::change)
                .on(Method::DELETE, auth::registration::remove)
                .done_as::<OAuthError>(),
        )
        .service(at("/.well-known/oauth-authorization-server").get(auth::discovery::document).done())
        .service(at("/apps/{client_id}/logo").get(auth::logo::logo).done())
        .service(at("/health").get(status::health).done())
        .service(at("/ready").get(status::ready).done());
}

/// Answers what no route below the base takes.
async fn unknown_address() -> Result<&'static str, HttpError> {
    Err(HttpError::UnknownAddress)
}

async fn unknown_operation() -> Result<&'static str, HttpError> {
    Err(HttpError::UnknownOperation)
}

/// Answers where an id belongs, but something else stands.
async fn unfit_id(TypePath(_): TypePath, method: Method) -> Result<&'static str, HttpError> {
    Err(not_an_id(&method, NotAnId))
}

/// The methods of one address under way.
pub struct At {
    resource: Resource,
    allowed: Vec<&'static str>,
}

/// The address `path`, in which `{type}`, `{id}` and `{member}` (a type, or `*` for all) admit only what can be one. By `path` it goes in the log.
pub fn at(path: &str) -> At {
    let pattern = path.replace("{type}", "{type:[A-Z][A-Za-z]*}").replace("{id}", "{id:[A-Za-z0-9.\\-]+}");
    let pattern = pattern.replace("{member}", r"{member:[A-Z][A-Za-z]*|\*}");
    let name = if path.is_empty() { "[base]" } else { path };
    At { resource: web::resource(pattern).name(name), allowed: Vec::new() }
}

impl At {
    /// GET, and with it HEAD: the same answer, of which the HTTP library sends no body.
    pub fn get<F, A>(mut self, handler: F) -> At
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.allowed.push("HEAD");
        self.resource = self.resource.route(Route::new().method(Method::HEAD).to(handler.clone()));
        self.on(Method::GET, handler)
    }

    /// Adds a method.
    pub fn on<F, A>(mut self, method: Method, handler: F) -> At
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.allowed.push(match method {
            Method::GET => "GET",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "POST",
        });
        self.resource = self.resource.route(Route::new().method(method).to(handler));
        self
    }

    /// Every other method is answered with those that are allowed.
    fn done(self) -> Resource {
        self.done_as::<HttpError>()
    }

    /// The same, where errors are written as `E` writes them.
    pub fn done_as<E: From<HttpError> + Into<actix_web::Error> + 'static>(self) -> Resource {
        let allowed = self.allowed.join(", ");
        self.resource.default_service(web::to(move || {
            let allowed = allowed.clone();
            async move { Err::<&'static str, E>(HttpError::MethodNotAllowed { allowed }.into()) }
        }))
    }
}
