//! The ways to a provider, as the pages of the sign-in show them.

use actix_web::web::Data;

use crate::auth::SignedIn;
use crate::auth::upstream::Provider;
use crate::http::{App, HttpError};
use crate::web::PageError;

/// A way to a provider.
#[derive(Clone, Debug)]
pub struct Button {
    pub title: String,
    /// An address of this server.
    pub href: String,
}

impl Button {
    /// To `provider`, for what `purpose` says in the query, and then on to `next`.
    pub(super) fn to(provider: &Provider, root: &str, purpose: &str, next: &str) -> Button {
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        Button {
            title: provider.title().to_owned(),
            href: format!("{root}/auth/upstream/{}/start?{purpose}next={next}", provider.name()),
        }
    }
}

/// The providers by which somebody can sign in who then goes on to `next`.
pub fn buttons(app: &App, root: &str, next: &str) -> Vec<Button> {
    app.auth.upstream.providers().iter().map(|provider| Button::to(provider, root, "", next)).collect()
}

/// The linked providers by which whoever is signed in can show it anew, and then go on to `next`.
pub async fn buttons_again(
    app: &Data<App>,
    signed_in: &SignedIn,
    root: &str,
    next: &str,
) -> Result<Vec<Button>, PageError> {
    let account = signed_in.account.id;
    let linked = app.block(move |engine| -> Result<_, HttpError> {
        Ok(engine.store.read_one(|reader| reader.identities_of(account))?)
    });
    let linked = linked.await?;
    let is_linked = |provider: &&Provider| linked.iter().any(|identity| identity.issuer == provider.issuer());
    let providers = app.auth.upstream.providers().iter().filter(is_linked);
    Ok(providers.map(|provider| Button::to(provider, root, "for=again&", next)).collect())
}
