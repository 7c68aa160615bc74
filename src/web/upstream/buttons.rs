//! The ways to sign in by a provider, as the sign-in page shows them.

use crate::http::App;

/// A way to a provider.
#[derive(Clone, Debug)]
pub struct Button {
    pub title: String,
    /// An address of this server.
    pub href: String,
}

/// The providers by which somebody can sign in who then goes on to `next`.
pub fn buttons(app: &App, root: &str, next: &str) -> Vec<Button> {
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let button = |provider: &crate::auth::upstream::Provider| Button {
        title: provider.title().to_owned(),
        href: format!("{root}/auth/upstream/{}/start?next={next}", provider.name()),
    };
    app.auth.upstream.providers().iter().map(button).collect()
}
