//! Tokens of one authorization: how they are made, and the answer that hands them out.
//!
//! Spec: RFC 6749 section 5.1; SMART App Launch 2.2 app-launch.html#response-5

use serde_json::{Map, Value};

use crate::access::{ScopeSet, Word};
use crate::auth::id_token::{Identity, id_token};
use crate::auth::{AuthError, AuthServer, LaunchContext};
use crate::records::{Secret, may_use};
use crate::store::{AccessToken, Account, Grant, SecretHash, Store, StoreError, TokenKind, Tx};

/// How long an access token of an app lives.
const ACCESS_US: i64 = 3_600 * 1_000_000;
/// A refresh token that outlives sessions, and is not used, counts so long.
const OFFLINE_US: i64 = 90 * 24 * 3_600 * 1_000_000;

/// What tokens are to be good for.
pub(super) struct TokenTerms<'t> {
    pub client: &'t str,
    pub account: i64,
    pub grant: &'t Grant,
    /// With which they end, and when that ends at the latest.
    pub session: Option<(SecretHash, i64)>,
    /// Of the access token.
    pub scopes: &'t ScopeSet,
    /// Of the refresh token, which stays as it was granted.
    pub granted: &'t ScopeSet,
    pub context: &'t str,
    pub auth_time_us: i64,
    pub family: SecretHash,
}

/// An access token, and a refresh token where there is one.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    pub access: Secret,
    pub expires_us: i64,
    pub refresh: Option<Secret>,
}

/// Makes and keeps the next tokens of a family; of which refresh token, if any, `before` tells.
///
/// The same comes out of the same refresh token: whoever did not get the answer can ask again. It takes the key of the database to
/// know what comes out.
pub(super) fn family_tokens(
    tx: &mut Tx<'_>,
    terms: &TokenTerms<'_>,
    before: Option<&str>,
    now_us: i64,
) -> Result<Tokens, AuthError> {
    let context = LaunchContext::parse(terms.context)?;
    let bound_us = [terms.grant.until_us, terms.session.map(|(_, expires_us)| expires_us)];
    let ends = |lives_us: i64| bound_us.iter().flatten().fold(now_us + lives_us, |ends, bound| ends.min(*bound));
    let (access, refresh) = match before {
        Some(before) => successors(tx, before),
        None => (random()?, random()?),
    };
    let is_offline = terms.granted.has(Word::OfflineAccess);
    let has_refresh = is_offline || terms.granted.has(Word::OnlineAccess);
    let token = |kind, secret: &Secret, scopes: &ScopeSet, expires_us| -> Result<AccessToken, StoreError> {
        Ok(AccessToken {
            hash: secret.hash(),
            kind,
            client: Some(terms.client.to_owned()),
            account: Some(terms.account),
            grant: Some(terms.grant.id),
            patient: context.patient_id()?,
            encounter: context.encounter_id()?,
            scopes: scopes.to_string(),
            issued_us: now_us,
            expires_us,
            revoked_us: None,
            family: Some(terms.family),
            session: terms.session.map(|(session, _)| session),
            context: Some(terms.context.to_owned()),
            auth_time_us: Some(terms.auth_time_us),
        })
    };
    let expires_us = ends(ACCESS_US);
    tx.add_token(&token(TokenKind::Access, &access, terms.scopes, expires_us)?)?;
    let refresh = match has_refresh {
        true => {
            let lives_us = if is_offline { OFFLINE_US } else { i64::MAX / 4 };
            tx.add_token(&token(TokenKind::Refresh, &refresh, terms.granted, ends(lives_us))?)?;
            Some(refresh)
        }
        false => None,
    };
    Ok(Tokens { access, expires_us, refresh })
}

/// The account and the grant behind what a client was given, while both count: the account is not disabled, the client is one that it may
/// use, and the grant is in force.
pub(super) fn behind(
    tx: &mut Tx<'_>,
    client: &str,
    account: i64,
    grant: i64,
    now_us: i64,
) -> Result<Option<(Account, Grant)>, AuthError> {
    let account = tx.account(account)?.filter(|account| account.disabled_us.is_none());
    let (Some(account), Some(client)) = (account, tx.client(client)?) else { return Ok(None) };
    if !may_use(tx, &client, account.id)? {
        return Ok(None);
    }
    let grant = tx.grant(grant)?.filter(|grant| grant.is_in_force(now_us));
    Ok(grant.map(|grant| (account, grant)))
}

/// What follows a refresh token.
pub(super) fn successors(tx: &Tx<'_>, before: &str) -> (Secret, Secret) {
    let next = |purpose: &str| Secret::of(&tx.seal().derive(purpose, before.as_bytes()));
    (next("next access token"), next("next refresh token"))
}

fn random() -> Result<Secret, StoreError> {
    Secret::random().map_err(|error| StoreError::Unreachable(error.to_string()))
}

/// Tokens that can be handed out.
#[derive(Clone, Debug)]
pub struct Issued {
    access: SecretHash,
    answer: Map<String, Value>,
}

impl Issued {
    /// The answer, but for who the person is.
    pub(super) fn new(
        server: &AuthServer,
        scopes: &ScopeSet,
        context: &str,
        tokens: &Tokens,
        now_us: i64,
    ) -> Result<Issued, AuthError> {
        let mut answer = Map::new();
        let mut tell = |name: &str, value: Value| drop(answer.insert(name.to_owned(), value));
        tell("access_token", tokens.access.as_str().into());
        tell("token_type", "Bearer".into());
        tell("expires_in", ((tokens.expires_us - now_us) / 1_000_000).max(0).into());
        tell("scope", scopes.to_string().into());
        if let Some(refresh) = &tokens.refresh {
            tell("refresh_token", refresh.as_str().into());
        }
        let context = LaunchContext::parse(context)?;
        context.tell(scopes, &server.endpoints, &mut answer);
        Ok(Issued { access: tokens.access.hash(), answer })
    }

    /// With an id_token for whoever `identity` tells of, where `scopes` let the app know who the person is.
    pub(super) fn identified(
        mut self,
        store: &Store,
        server: &AuthServer,
        scopes: &ScopeSet,
        identity: Identity<'_>,
        now_us: i64,
    ) -> Result<Issued, AuthError> {
        if scopes.has(Word::OpenId) {
            let identity = Identity { tells_user: scopes.has(Word::FhirUser), ..identity };
            let token = id_token(store, &server.signing, &server.endpoints, &identity, now_us)?;
            self.answer.insert("id_token".to_owned(), token.into());
        }
        Ok(self)
    }

    /// The hash of the access token.
    pub fn hash(&self) -> SecretHash {
        self.access
    }

    /// The answer of the token endpoint.
    pub fn answer(self) -> Value {
        self.answer.into()
    }
}
