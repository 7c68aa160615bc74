//! Authorization codes: given when a person allows what an app asks for, exchanged for tokens once.
//!
//! Spec: RFC 6749 sections 4.1.2 to 4.1.4, RFC 7636, RFC 9700 section 4.5; SMART App Launch 2.2 app-launch.html#obtain-access-token

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::access::{ScopeSet, Word};
use crate::auth::id_token::Identity;
use crate::auth::issue::{Issued, TokenTerms, Tokens, behind, family_tokens};
use crate::auth::{AuthError, AuthServer, AuthorizeRequest, Form, LaunchContext, SignedIn};
use crate::records::Secret;
use crate::store::{Account, AuthorizationCode, Client, Grant, SecretHash, Store, StoreError, Tx};

/// A code counts so long.
const CODE_US: i64 = 60 * 1_000_000;
/// RFC 7636 section 4.1.
const VERIFIER_BYTES: std::ops::RangeInclusive<usize> = 43..=128;

/// A code for what was allowed, to be kept with [`Tx::add_authorization_code`].
pub fn new_code(
    request: &AuthorizeRequest,
    signed_in: &SignedIn,
    grant: &Grant,
    scopes: &ScopeSet,
    context: &LaunchContext,
    now_us: i64,
) -> Result<(Secret, AuthorizationCode), StoreError> {
    let random = || Secret::random().map_err(|error| StoreError::Unreachable(error.to_string()));
    let code = random()?;
    let kept = AuthorizationCode {
        hash: code.hash(),
        client: request.client.id.clone(),
        account: signed_in.account.id,
        grant: grant.id,
        session: signed_in.session.hash,
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        scopes: scopes.to_string(),
        context: context.to_json(),
        nonce: request.nonce.clone(),
        auth_time_us: signed_in.session.verified_us,
        expires_us: now_us + CODE_US,
        used_us: None,
        family: random()?.hash(),
    };
    Ok((code, kept))
}

/// Exchanges a code for tokens.
pub fn redeem(
    store: &Store,
    server: &AuthServer,
    client: &Client,
    form: &Form,
    now_us: i64,
) -> Result<Issued, AuthError> {
    let hash = SecretHash::of(form.need("code")?.as_bytes());
    let kept = store.read_one(|reader| reader.authorization_code(&hash).map_err(AuthError::from))?;
    let kept = kept.filter(|kept| kept.client == client.id).ok_or_else(unknown)?;
    if kept.used_us.is_some() {
        return Err(used_again(store, kept.family)?);
    }
    if now_us >= kept.expires_us {
        return Err(AuthError::InvalidGrant("the code is over: it counts for 60 seconds"));
    }
    if form.get("redirect_uri") != Some(kept.redirect_uri.as_str()) {
        return Err(AuthError::InvalidGrant("redirect_uri must be the one for which the code was given"));
    }
    check_verifier(form.get("code_verifier"), &kept.challenge)?;
    let code = kept.clone();
    let issued = store.write(move |tx| {
        if !tx.use_authorization_code(&code.hash)? {
            return Ok(None);
        }
        Ok::<_, AuthError>(Some(first_tokens(tx, &code, Ends::WithItsSession, now_us)?))
    })?;
    // Somebody else used it between the look and the write.
    let Some((tokens, account)) = issued else { return Err(used_again(store, kept.family)?) };
    hand_out(store, server, client, &kept, &account, &tokens, now_us)
}

/// When a code counts no more, beside its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Once the session ends in which it was given.
    WithItsSession,
    /// Once what it brings ends: for a device, which asks by itself, and may do so after the person has signed out.
    WithItsAccess,
}

/// The first tokens of what was allowed, with the account that allowed it.
pub(super) fn first_tokens(
    tx: &mut Tx<'_>,
    code: &AuthorizationCode,
    ends: Ends,
    now_us: i64,
) -> Result<(Tokens, Account), AuthError> {
    let live = standing(tx, code, ends, now_us)?;
    let scopes = ScopeSet::parse(&code.scopes);
    let terms = TokenTerms {
        client: &code.client,
        account: live.account.id,
        grant: &live.grant,
        session: live.session_expires_us.map(|expires_us| (code.session, expires_us)),
        scopes: &scopes,
        granted: &scopes,
        context: &code.context,
        auth_time_us: code.auth_time_us,
        family: code.family,
    };
    let tokens = family_tokens(tx, &terms, None, now_us)?;
    Ok((tokens, live.account))
}

/// The answer with the first tokens.
pub(super) fn hand_out(
    store: &Store,
    server: &AuthServer,
    client: &Client,
    code: &AuthorizationCode,
    account: &Account,
    tokens: &Tokens,
    now_us: i64,
) -> Result<Issued, AuthError> {
    let scopes = ScopeSet::parse(&code.scopes);
    let issued = Issued::new(server, &scopes, &code.context, tokens, now_us)?;
    let (nonce, auth_time_us) = (code.nonce.as_deref(), code.auth_time_us);
    let identity = Identity { client, account, tells_user: false, nonce, auth_time_us };
    issued.identified(store, server, &scopes, identity, now_us)
}

fn unknown() -> AuthError {
    AuthError::InvalidGrant("the code is not one that was given to this client")
}

/// RFC 6749 section 4.1.2: a code that is used again may have been stolen, and all that came of it with it.
fn used_again(store: &Store, family: SecretHash) -> Result<AuthError, AuthError> {
    store.write(move |tx| tx.revoke_family(&family).map_err(AuthError::from))?;
    Ok(AuthError::InvalidGrant("the code was used before: all tokens that came of it are revoked"))
}

/// The verifier is missing, too short or long, or not the one of which the challenge was made: told alike.
fn check_verifier(verifier: Option<&str>, challenge: &str) -> Result<(), AuthError> {
    let is_right = |verifier: &str| {
        let made = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        VERIFIER_BYTES.contains(&verifier.len()) && verifier != challenge && made == challenge
    };
    if verifier.is_some_and(is_right) {
        return Ok(());
    }
    Err(AuthError::InvalidGrant("code_verifier must be the text whose SHA-256 was sent as code_challenge"))
}

/// What stands behind a code at the moment when it is used.
struct Live {
    account: Account,
    grant: Grant,
    /// When the session ends at the latest, for access that ends with it; `None` for what outlives it.
    session_expires_us: Option<i64>,
}

fn standing(tx: &mut Tx<'_>, code: &AuthorizationCode, ends: Ends, now_us: i64) -> Result<Live, AuthError> {
    let over = || AuthError::InvalidGrant("what the code was given for was taken back");
    let (account, grant) = behind(tx, &code.client, code.account, code.grant, now_us)?.ok_or_else(over)?;
    // Whoever let the app in may have been another than the owner, who has ended that session since: by a new password, say.
    let session = tx.session(&code.session)?.filter(|session| now_us < session.expires_us);
    let outlives = ScopeSet::parse(&code.scopes).has(Word::OfflineAccess);
    if session.is_none() && !(outlives && ends == Ends::WithItsAccess) {
        return Err(over());
    }
    let session_expires_us = session.filter(|_| !outlives).map(|session| session.expires_us);
    Ok(Live { account, grant, session_expires_us })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_of_which_the_challenge_was_made_verifies_it() {
        // RFC 7636 appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");

        assert!(check_verifier(Some(verifier), challenge).is_ok());
        for wrong in
            [None, Some(""), Some(challenge), Some("dBjftJeZ4CVP"), Some("eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")]
        {
            assert!(check_verifier(wrong, challenge).is_err(), "{wrong:?}");
        }
        let long = "a".repeat(129);
        let of_long = URL_SAFE_NO_PAD.encode(Sha256::digest(long.as_bytes()));
        assert!(check_verifier(Some(&long), &of_long).is_err());
    }
}
