//! The grant of client credentials: a token for a system that acts on nobody's behalf.
//!
//! Spec: RFC 6749 section 4.4; SMART App Launch 2.2 backend-services.html#obtain-access-token

use serde_json::{Value, json};

use crate::access::{Context, ScopeSet};
use crate::auth::AuthError;
use crate::records::Secret;
use crate::store::{AccessToken, Client, ClientKind, Grant, Reader, SecretHash, Store, StoreError, TokenKind};

/// How long a token of a backend client lives.
pub const TOKEN_SECONDS: i64 = 300;

/// A token that was stored and can be handed out.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    token: Secret,
    scopes: ScopeSet,
}

impl IssuedToken {
    /// The hash that is kept of it.
    pub fn hash(&self) -> SecretHash {
        self.token.hash()
    }

    /// The answer of the token endpoint.
    pub fn answer(&self) -> Value {
        json!({
            "access_token": self.token.as_str(),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": self.scopes.to_string(),
        })
    }
}

/// Issues a token to a client that has shown who it is: for what it asks, as far as that is registered and granted.
pub fn client_credentials(
    store: &Store,
    client: &Client,
    asked: Option<&str>,
    now_us: i64,
) -> Result<IssuedToken, AuthError> {
    if client.kind != ClientKind::Backend {
        return Err(AuthError::UnauthorizedClient("only a backend client gets a token for itself"));
    }
    let asked = asked.ok_or_else(|| AuthError::InvalidScope("name the scopes, such as system/*.rs".to_owned()))?;
    let standing = store.read_one(|reader| standing(reader, client, now_us))?;
    let scopes = ScopeSet::parse(asked).in_context(Context::System).intersection(&standing);
    if scopes.is_empty() {
        let text =
            "none of the scopes is one that this client has registered and was granted; they look like system/*.rs";
        return Err(AuthError::InvalidScope(text.to_owned()));
    }
    let token = Secret::random().map_err(|error| StoreError::Unreachable(error.to_string()))?;
    let kept = AccessToken {
        hash: token.hash(),
        kind: TokenKind::Access,
        client: Some(client.id.clone()),
        account: None,
        grant: None,
        patient: None,
        encounter: None,
        scopes: scopes.to_string(),
        issued_us: now_us,
        expires_us: now_us + TOKEN_SECONDS * 1_000_000,
        revoked_us: None,
        family: None,
        session: None,
        context: None,
        auth_time_us: None,
    };
    store.write(move |tx| tx.add_token(&kept).map_err(AuthError::from))?;
    Ok(IssuedToken { token, scopes })
}

/// All that the client may do at this moment.
fn standing(reader: &mut Reader<'_>, client: &Client, now_us: i64) -> Result<ScopeSet, StoreError> {
    let grants = reader.grants_of_client(&client.id)?;
    let in_force: Vec<Grant> = grants.into_iter().filter(|grant| grant.is_in_force(now_us)).collect();
    Ok(registered_and_granted(client, &in_force))
}

/// What the client has registered, as far as the grants give it.
pub(super) fn registered_and_granted(client: &Client, grants: &[Grant]) -> ScopeSet {
    let granted: Vec<&str> = grants.iter().map(|grant| grant.scopes.as_str()).collect();
    ScopeSet::parse(&client.scopes).intersection(&ScopeSet::parse(&granted.join(" ")))
}
