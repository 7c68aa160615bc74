//! What a token is worth, and its end before its time.
//!
//! Spec: RFC 7662, RFC 7009; SMART App Launch 2.2 token-introspection.html

use serde_json::{Map, Value, json};

use crate::access::ScopeSet;
use crate::auth::token::registered_and_granted;
use crate::auth::{AuthError, Endpoints};
use crate::store::{Client, SecretHash, Store, TokenContext};

/// What a token lets do at this moment. Of one that lets nothing be done, no more is said than that.
pub fn introspect(store: &Store, endpoints: &Endpoints, token: &SecretHash, now_us: i64) -> Result<Value, AuthError> {
    let context = store.read(|reader| reader.token_context(token, now_us).map_err(AuthError::from))?;
    Ok(context.and_then(|context| active(&context, endpoints)).unwrap_or_else(|| json!({ "active": false })))
}

fn active(context: &TokenContext, endpoints: &Endpoints) -> Option<Value> {
    let token = &context.token;
    // A system's token is worth what the grants to its client give by now.
    let client = context.client.as_ref().filter(|_| token.account.is_none())?;
    let scopes = ScopeSet::parse(&token.scopes).intersection(&registered_and_granted(client, &context.grants));
    if scopes.is_empty() {
        return None;
    }
    let mut told = Map::new();
    told.insert("active".to_owned(), true.into());
    told.insert("scope".to_owned(), scopes.to_string().into());
    told.insert("client_id".to_owned(), client.id.clone().into());
    told.insert("token_type".to_owned(), "Bearer".into());
    told.insert("iss".to_owned(), endpoints.issuer.clone().into());
    told.insert("iat".to_owned(), (token.issued_us / 1_000_000).into());
    told.insert("exp".to_owned(), (token.expires_us / 1_000_000).into());
    Some(told.into())
}

/// Ends a token, with all that came from the same authorization if it has one. A token that is unknown, or another client's,
/// is left alone, and the answer is the same.
pub fn revoke(store: &Store, client: &Client, token: SecretHash) -> Result<(), AuthError> {
    let client_id = client.id.clone();
    store.write(move |tx| {
        let Some(known) = tx.access_token(&token)?.filter(|token| token.client.as_ref() == Some(&client_id)) else {
            return Ok(());
        };
        match known.family {
            Some(family) => drop(tx.revoke_family(&family)?),
            None => drop(tx.revoke_token(&token)?),
        }
        Ok(())
    })
}
