//! Providers by which people may sign in.

use std::fmt;

/// How people sign in, beside their password.
#[derive(Clone, Debug, Default)]
pub struct SignInSettings {
    pub providers: Vec<ProviderSettings>,
}

/// An OpenID provider by which people may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSettings {
    /// In addresses: lower-case letters, digits and `-`.
    pub name: String,
    /// What people read on the button.
    pub title: String,
    /// To the byte as the provider's own documents say it.
    pub issuer: String,
    /// As what this server is registered there.
    pub client_id: String,
    /// `None` when it is registered there as a public client.
    pub client_secret: Option<ProviderSecret>,
    /// What is asked for; `openid` among them.
    pub scopes: Vec<String>,
    /// What becomes of somebody who has no account here.
    pub new_accounts: NewAccounts,
    /// Whether an account is known by an address that the provider has verified.
    pub link_by_email: bool,
}

/// What becomes of somebody whom a provider knows, and this server does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewAccounts {
    /// They are turned away.
    #[default]
    Refuse,
    /// They are given an account, if the provider has verified their address.
    Make,
}

/// The secret of this server at a provider. No log shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderSecret(pub String);

impl fmt::Debug for ProviderSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderSecret(..)")
    }
}
