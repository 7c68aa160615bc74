//! Refresh tokens: each is exchanged once, for the next one.
//!
//! One that comes back later was stolen, or stolen from: all that came of the same authorization ends. For some seconds the same
//! answer is given again, to whom it did not reach.
//!
//! Spec: RFC 6749 section 6, RFC 9700 section 4.14; SMART App Launch 2.2 app-launch.html#refresh-access-token

use crate::access::ScopeSet;
use crate::auth::id_token::Identity;
use crate::auth::issue::{Issued, TokenTerms, Tokens, behind, family_tokens, successors};
use crate::auth::{AuthError, AuthServer, Form};
use crate::store::{Account, Client, SecretHash, Store, TokenKind, Tx};

/// So long the same answer is given again.
const GRACE_US: i64 = 10 * 1_000_000;

/// How an exchange ended.
enum Outcome {
    Issued(Box<Exchanged>),
    /// Used before, and not just now: the family is revoked.
    UsedAgain,
}

/// What a refresh token was exchanged for.
struct Exchanged {
    tokens: Tokens,
    account: Account,
    /// Of the new access token.
    scopes: ScopeSet,
    context: String,
    auth_time_us: i64,
}

/// The client of a refresh token, where a public one names none: some libraries do not.
pub fn client_by_refresh_token(store: &Store, form: &Form) -> Result<String, AuthError> {
    let hash = SecretHash::of(form.need("refresh_token")?.as_bytes());
    let token = store.read_one(|reader| reader.access_token(&hash).map_err(AuthError::from))?;
    let token = token.filter(|token| token.kind == TokenKind::Refresh);
    token.and_then(|token| token.client).ok_or_else(AuthError::shows_nothing)
}

/// Exchanges a refresh token.
pub fn refresh(
    store: &Store,
    server: &AuthServer,
    client: &Client,
    form: &Form,
    now_us: i64,
) -> Result<Issued, AuthError> {
    let sent = form.need("refresh_token")?.to_owned();
    let asked = form.get("scope").map(ScopeSet::parse);
    let (id, wanted) = (client.id.clone(), asked.clone());
    let outcome = store.write(move |tx| exchange(tx, &sent, &id, wanted.as_ref(), now_us))?;
    let Outcome::Issued(issued) = outcome else {
        return Err(AuthError::InvalidGrant(
            "the refresh token was used before: all tokens that came of the same authorization are revoked",
        ));
    };
    let Exchanged { tokens, account, scopes, context, auth_time_us } = *issued;
    let issued = Issued::new(server, &scopes, &context, &tokens, now_us)?;
    let identity = Identity { client, account: &account, tells_user: false, nonce: None, auth_time_us };
    issued.identified(store, server, &scopes, identity, now_us)
}

fn exchange(
    tx: &mut Tx<'_>,
    sent: &str,
    client: &str,
    asked: Option<&ScopeSet>,
    now_us: i64,
) -> Result<Outcome, AuthError> {
    let unknown = || AuthError::InvalidGrant("the refresh token is not one that was given to this client");
    let over = || AuthError::InvalidGrant("the refresh token counts no more: ask the person again");
    let hash = SecretHash::of(sent.as_bytes());
    // Two that come at once take turns.
    tx.lock_text(&format!("refresh {}", hash.tail()))?;
    let token = tx.access_token(&hash)?.filter(|token| token.kind == TokenKind::Refresh);
    let token = token.filter(|token| token.client.as_deref() == Some(client)).ok_or_else(unknown)?;
    let family = token.family.ok_or_else(unknown)?;
    if now_us >= token.expires_us {
        return Err(over());
    }
    let (account, grant) = token.account.zip(token.grant).ok_or_else(unknown)?;
    let (account, grant) = behind(tx, client, account, grant, now_us)?.ok_or_else(over)?;
    let session = match token.session {
        None => None,
        Some(hash) => {
            let session = tx.session(&hash)?.filter(|session| now_us < session.expires_us).ok_or_else(over)?;
            Some((hash, session.expires_us))
        }
    };
    let granted = ScopeSet::parse(&token.scopes);
    let scopes = narrowed(&granted, asked)?;
    let context = token.context.clone().unwrap_or_else(|| "{}".to_owned());
    let auth_time_us = token.auth_time_us.unwrap_or(token.issued_us);
    let tokens = if let Some(revoked_us) = token.revoked_us {
        let Some(tokens) = again(tx, sent, revoked_us, &scopes, now_us)? else {
            tx.revoke_family(&family)?;
            return Ok(Outcome::UsedAgain);
        };
        tokens
    } else {
        tx.revoke_token(&hash)?;
        let terms = TokenTerms {
            client,
            account: account.id,
            grant: &grant,
            session,
            scopes: &scopes,
            granted: &granted,
            context: &context,
            auth_time_us,
            family,
        };
        family_tokens(tx, &terms, Some(sent), now_us)?
    };
    Ok(Outcome::Issued(Box::new(Exchanged { tokens, account, scopes, context, auth_time_us })))
}

/// What was issued for this token just now, if that still counts and is what is asked for.
fn again(
    tx: &mut Tx<'_>,
    sent: &str,
    revoked_us: i64,
    scopes: &ScopeSet,
    now_us: i64,
) -> Result<Option<Tokens>, AuthError> {
    let (access, refresh) = successors(tx, sent);
    let is_just_now = now_us < revoked_us + GRACE_US;
    let (Some(kept), Some(next)) = (tx.access_token(&access.hash())?, tx.access_token(&refresh.hash())?) else {
        return Ok(None);
    };
    if !is_just_now || !kept.is_live(now_us) || !next.is_live(now_us) || kept.scopes != scopes.to_string() {
        return Ok(None);
    }
    Ok(Some(Tokens { access, expires_us: kept.expires_us, refresh: Some(refresh) }))
}

/// RFC 6749 section 6: the scope "MUST NOT include any scope not originally granted"; left out, it is the same as before.
fn narrowed(granted: &ScopeSet, asked: Option<&ScopeSet>) -> Result<ScopeSet, AuthError> {
    let Some(asked) = asked else { return Ok(granted.clone()) };
    if asked.is_empty() || !asked.dropped().is_empty() || !asked.is_within(granted) {
        return Err(AuthError::InvalidScope("a scope was not granted: ask for the same scopes or fewer".to_owned()));
    }
    Ok(asked.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_asks_for_the_same_or_less() {
        let granted = ScopeSet::parse("offline_access openid patient/Observation.rs patient/Patient.r");
        let asked = |text: &str| narrowed(&granted, Some(&ScopeSet::parse(text))).map(|scopes| scopes.to_string());

        assert_eq!(narrowed(&granted, None).unwrap().to_string(), granted.to_string());
        assert_eq!(asked("patient/Patient.r").unwrap(), "patient/Patient.r");
        assert_eq!(
            asked("patient/Observation.rs?category=laboratory").unwrap(),
            "patient/Observation.rs?category=laboratory"
        );
        for wider in ["patient/Patient.rs", "patient/*.rs", "user/Patient.r", "fhirUser", "nonsense"] {
            assert!(asked(wider).is_err(), "{wider}");
        }
    }
}
