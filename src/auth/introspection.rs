//! What a token is worth.
//!
//! It is decided by what decides on requests, so that the two never differ.
//!
//! Spec: RFC 7662; SMART App Launch 2.2 token-introspection.html

use serde_json::{Map, Value, json};

use crate::access::{Agent, ScopeSet, Word};
use crate::auth::holder::Holder;
use crate::auth::{AuthError, Endpoints, LaunchContext, TokenRefused, Tokens, fhir_user, subject};
use crate::store::{AccessToken, SecretHash};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client that has shown who it is. It holds the token that it asks about, and could as well use it.
    Client,
    /// A token, which a public app can have, too: it tells of tokens of its own client, and where it administers the server, of all.
    Token { client: String, administers: bool },
}

impl Asker {
    /// Who asks by the token with this hash. One that is worth nothing, or was issued to no client, does not serve for that.
    pub fn by_token(tokens: &Tokens<'_>, hash: &SecretHash, now_us: i64) -> Result<(Asker, Agent), AuthError> {
        let Some(holder) = worth_something(tokens, hash, now_us)? else {
            return Err(AuthError::InvalidToken(
                "the token in the header Authorization is not valid, or lets nothing be done",
            ));
        };
        let client = holder.client().map(|client| client.id.clone());
        let client = client.ok_or(AuthError::InvalidToken("the token in the header Authorization is no client's"))?;
        let asker = Asker::Token { client, administers: holder.caller.filter().administers() };
        Ok((asker, holder.caller.agent().cloned().unwrap_or_default()))
    }

    fn may_know(&self, token: &AccessToken) -> bool {
        match self {
            Asker::Client => true,
            Asker::Token { client, administers } => *administers || token.client.as_ref() == Some(client),
        }
    }
}

/// What a token lets do at this moment. Of one that would open nothing, or about which the asker is not to know, no more is said
/// than that.
pub fn introspect(
    tokens: &Tokens<'_>,
    endpoints: &Endpoints,
    asker: &Asker,
    token: &SecretHash,
    now_us: i64,
) -> Result<Value, AuthError> {
    let holder = worth_something(tokens, token, now_us)?.filter(|holder| asker.may_know(holder.token()));
    match holder {
        Some(holder) => active(tokens, &holder, endpoints),
        None => Ok(json!({ "active": false })),
    }
}

/// The holder of a token by which a request could be granted something.
fn worth_something(tokens: &Tokens<'_>, token: &SecretHash, now_us: i64) -> Result<Option<Holder>, AuthError> {
    match tokens.holder(token, now_us) {
        Ok(holder) => Ok(Some(holder).filter(Holder::opens_anything)),
        Err(TokenRefused::Invalid | TokenRefused::Unfit(_)) => Ok(None),
        Err(TokenRefused::Store(error)) => Err(error.into()),
    }
}

fn active(tokens: &Tokens<'_>, holder: &Holder, endpoints: &Endpoints) -> Result<Value, AuthError> {
    let token = holder.token();
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    tell("active", true.into());
    tell("scope", tokens.scopes(holder).to_string().into());
    if let Some(client) = holder.client() {
        tell("client_id", client.id.clone().into());
    }
    tell("token_type", "Bearer".into());
    tell("iss", endpoints.issuer.clone().into());
    tell("iat", (token.issued_us / 1_000_000).into());
    tell("exp", (token.expires_us / 1_000_000).into());
    for (name, id) in [("patient", &token.patient), ("encounter", &token.encounter)] {
        if let Some(id) = id {
            tell(name, id.as_str().into());
        }
    }
    if let Some(context) = &token.context {
        // Beside patient and encounter, which the token itself has.
        let scopes = ScopeSet::parse(&token.scopes);
        LaunchContext::parse(context)?.tell(&scopes, endpoints, &mut told);
    }
    if let (Some(client), Some(account)) = (holder.client(), holder.account()) {
        let scopes = ScopeSet::parse(&token.scopes);
        if scopes.has(Word::OpenId) {
            told.insert("sub".to_owned(), subject(tokens.store, &client.id, account.id).into());
            if let Some(user) = fhir_user(endpoints, account).filter(|_| scopes.has(Word::FhirUser)) {
                told.insert("fhirUser".to_owned(), user.into());
            }
        }
    }
    Ok(told.into())
}
