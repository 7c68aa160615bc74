//! The cookie that keeps an attempt while the person is at the provider.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

use crate::auth::upstream::ATTEMPT_SECONDS;
use crate::http::App;

/// On https no other host, and nobody on the way, can set it.
fn name(app: &App) -> &'static str {
    if is_https(app) { "__Host-emberwell-upstream" } else { "emberwell-upstream" }
}

fn is_https(app: &App) -> bool {
    app.base().starts_with("https:")
}

/// With `SameSite=Lax` it comes along when the provider sends the person back, which is a navigation by GET.
pub(super) fn keeping(app: &App, value: String) -> Cookie<'static> {
    Cookie::build(name(app), value)
        .path("/")
        .http_only(true)
        .secure(is_https(app))
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(ATTEMPT_SECONDS))
        .finish()
}

/// Takes it away.
pub(super) fn ending(app: &App) -> Cookie<'static> {
    let mut cookie = keeping(app, String::new());
    cookie.make_removal();
    cookie
}

/// What the browser keeps.
pub(super) fn kept(app: &App, request: &HttpRequest) -> Option<String> {
    request.cookie(name(app)).map(|cookie| cookie.value().to_owned())
}
