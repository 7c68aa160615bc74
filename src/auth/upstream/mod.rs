//! Sign-in by OpenID providers: this server as the one that relies on another.
//!
//! The provider says who it is that signs in; which account that is, or whether there is to be one, is decided here. It says
//! so in an id token, which is believed by its signature and for its claims alone.
//!
//! Spec: OpenID Connect Core 1.0 section 3.1, OpenID Connect Discovery 1.0, RFC 9700, RFC 9207

mod accounts;
mod asking;
mod attempt;
mod error;
mod id_token;
mod offer;
mod provider;

use std::sync::Arc;

use crate::config::SignInSettings;
use crate::outbound::Outbound;

pub use accounts::{Known, admit, known, link, proven, unlink};
pub use attempt::{ATTEMPT_SECONDS, Attempt, Purpose};
pub use error::{BadIdToken, UpstreamError};
pub use id_token::{Contact, Verified};
pub use offer::LinkOffer;
pub use provider::{Answer, Provider};

/// The providers by which people may sign in.
#[derive(Default)]
pub struct Upstream {
    providers: Vec<Provider>,
}

impl Upstream {
    /// Those of the settings, for the server whose root is `issuer`.
    pub fn new(settings: &SignInSettings, issuer: &str, outbound: &Arc<Outbound>) -> Upstream {
        let provider = |settings| Provider::new(settings, issuer, Arc::clone(outbound));
        Upstream { providers: settings.providers.iter().cloned().map(provider).collect() }
    }

    /// In the order of the settings.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The provider of this name.
    pub fn named(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name() == name)
    }

    /// What people know an issuer by: the title of its provider, or the issuer itself when the settings have it no more.
    pub fn title_of<'a>(&'a self, issuer: &'a str) -> &'a str {
        self.providers.iter().find(|provider| provider.issuer() == issuer).map_or(issuer, Provider::title)
    }
}
