//! One provider: what it says of itself, where people are sent, and what its answer is worth.

use std::sync::Arc;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJsonWebKeySet,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType, CoreTokenResponse,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DiscoveryError,
    EmptyAdditionalClaims, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, RequestTokenError, Scope, SubjectIdentifier,
    TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};

use crate::auth::upstream::asking::Asking;
use crate::auth::upstream::id_token::{Expected, usable, verify};
use crate::auth::upstream::{Attempt, BadIdToken, Contact, Purpose, UpstreamError, Verified};
use crate::clock;
use crate::config::{NewAccounts, ProviderSettings};
use crate::outbound::{Outbound, OutboundError};
use crate::records::Secret;

/// What a provider says of itself is believed so long.
const KEPT_US: i64 = 3_600_000_000;
/// A provider that could not be asked is left alone so long.
const REST_US: i64 = 2_000_000;
/// A key that is missing is sought again after this time at the earliest.
const REFETCH_US: i64 = 10_000_000;
/// What a provider says of why it refuses is told up to this length.
const MOST_CODE_CHARACTERS: usize = 60;

/// Beside what the library knows of.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Promises {
    /// RFC 9207 section 3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Promises {}

type Metadata = ProviderMetadata<
    Promises,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// A client of a provider whose endpoints are known.
type Ready =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// An OpenID provider by which people may sign in.
pub struct Provider {
    settings: ProviderSettings,
    /// Where it sends people back to.
    callback: String,
    outbound: Arc<Outbound>,
    known: tokio::sync::Mutex<KnownOfIt>,
}

/// What a provider said of itself.
#[derive(Default)]
struct KnownOfIt {
    metadata: Option<Arc<Metadata>>,
    /// First moment when it must be asked anew.
    until_us: i64,
    /// When it was asked in vain last.
    failed_us: Option<i64>,
    /// When it was last asked for a key that was missing.
    sought_us: Option<i64>,
}

/// What a provider sends a person back with.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub code: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
}

impl Provider {
    /// A provider of the server whose root is `issuer`.
    pub(super) fn new(settings: ProviderSettings, issuer: &str, outbound: Arc<Outbound>) -> Provider {
        let callback = format!("{issuer}/auth/upstream/{}/callback", settings.name);
        Provider { settings, callback, outbound, known: tokio::sync::Mutex::default() }
    }

    /// In addresses.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What people read.
    pub fn title(&self) -> &str {
        &self.settings.title
    }

    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    pub fn settings(&self) -> &ProviderSettings {
        &self.settings
    }

    /// Whether somebody who comes for the first time may be let in at all.
    pub fn admits(&self) -> bool {
        self.settings.new_accounts == NewAccounts::Make || self.settings.link_by_email
    }

    /// Begins an attempt: where the person is to be sent, and what the browser is to keep meanwhile.
    pub async fn begin(&self, purpose: Purpose, next: &str, now_us: i64) -> Result<(String, Attempt), UpstreamError> {
        let metadata = self.metadata(now_us).await?;
        let random = || Secret::random().map(|secret| secret.as_str().to_owned());
        let attempt = Attempt {
            provider: self.settings.name.clone(),
            next: next.to_owned(),
            begun_us: now_us,
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            purpose,
        };
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(attempt.verifier.clone()));
        let client = self.client(&metadata)?;
        let (state, nonce) = (CsrfToken::new(attempt.state.clone()), Nonce::new(attempt.nonce.clone()));
        // The library asks for `openid` itself.
        let scopes = self.settings.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge);
        if is_fresh(&attempt.purpose) {
            request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(std::time::Duration::ZERO);
        }
        Ok((request.url().0.into(), attempt))
    }

    /// Finds out who it was that the provider sent back with `answer`.
    pub async fn finish(&self, attempt: &Attempt, answer: &Answer, now_us: i64) -> Result<Verified, UpstreamError> {
        let metadata = self.metadata(now_us).await?;
        self.check_issuer(&metadata, answer)?;
        match answer.error.as_deref() {
            None => {}
            Some("access_denied") => return Err(UpstreamError::Denied),
            Some(code) => return Err(UpstreamError::Refused(shown(code))),
        }
        let code = answer.code.clone().ok_or_else(|| UpstreamError::Unreadable("no code".to_owned()))?;
        let tokens = self.exchange(&metadata, attempt, code).await?;
        let access_token = tokens.access_token();
        // It becomes a header later.
        if !access_token.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UpstreamError::Unreadable("the access token has odd characters".to_owned()));
        }
        let id_token = tokens.id_token().ok_or(BadIdToken::Missing)?;
        let expected = Expected {
            issuer: metadata.issuer(),
            client_id: &self.settings.client_id,
            nonce: &attempt.nonce,
            begun_us: attempt.begun_us,
            is_fresh: is_fresh(&attempt.purpose),
            now_us: clock::now_us(),
        };
        match verify(id_token, access_token, metadata.jwks(), &expected) {
            Err(BadIdToken::NoKey) => {
                let keys = self.keys_anew(&metadata).await?.ok_or(BadIdToken::NoKey)?;
                Ok(verify(id_token, access_token, &keys, &expected)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// How to reach whom the provider knows. Many tell that only when they are asked for it.
    pub async fn contact(&self, verified: &Verified, now_us: i64) -> Result<Contact, UpstreamError> {
        if verified.contact.email.is_some() {
            return Ok(verified.contact.clone());
        }
        let metadata = self.metadata(now_us).await?;
        let client = self.client(&metadata)?;
        let subject = SubjectIdentifier::new(verified.subject.clone());
        // A provider without such an endpoint has said all it says.
        let Ok(request) = client.user_info(verified.access_token.clone(), Some(subject)) else {
            return Ok(verified.contact.clone());
        };
        let asking = Asking(&self.outbound);
        let told: Result<UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim>, _> =
            request.request_async(&asking).await;
        let told = told.map_err(|error| UpstreamError::Unreadable(format!("its userinfo: {error}")))?;
        Ok(Contact::of(told.standard_claims()))
    }

    /// RFC 9207 section 2.4: what comes with the answer must be this issuer, and must come if the provider promises it.
    fn check_issuer(&self, metadata: &Metadata, answer: &Answer) -> Result<(), UpstreamError> {
        let is_promised = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match &answer.iss {
            Some(iss) if *iss == self.settings.issuer => Ok(()),
            None if !is_promised => Ok(()),
            _ => Err(UpstreamError::OtherIssuer),
        }
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        attempt: &Attempt,
        code: String,
    ) -> Result<CoreTokenResponse, UpstreamError> {
        let client = self.client(metadata)?;
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| UpstreamError::Unreadable("it names no token endpoint".to_owned()))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()));
        let asking = Asking(&self.outbound);
        let outcome = request.request_async(&asking).await;
        outcome.map_err(|error| match error {
            RequestTokenError::ServerResponse(refusal) => UpstreamError::CodeRefused(shown(refusal.error().as_ref())),
            RequestTokenError::Request(error) => UpstreamError::Unreachable(error),
            RequestTokenError::Parse(error, _) => {
                UpstreamError::Unreadable(format!("its token answer, at {}", error.path()))
            }
            RequestTokenError::Other(text) => UpstreamError::Unreadable(format!("its token answer: {}", shown(&text))),
        })
    }

    fn client(&self, metadata: &Metadata) -> Result<Ready, UpstreamError> {
        let callback = RedirectUrl::new(self.callback.clone());
        let callback =
            callback.map_err(|_| UpstreamError::Unreadable("the base of this server is no URL".to_owned()))?;
        let id = ClientId::new(self.settings.client_id.clone());
        let secret = self.settings.client_secret.clone().map(|secret| ClientSecret::new(secret.0));
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, secret).set_redirect_uri(callback);
        // OpenID Connect Discovery 1.0 section 3: when nothing is said, it is client_secret_basic.
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes_basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        Ok(client.set_auth_type(if takes_basic { AuthType::BasicAuth } else { AuthType::RequestBody }))
    }

    /// What the provider says of itself, asked anew when that is no longer to be relied on.
    async fn metadata(&self, now_us: i64) -> Result<Arc<Metadata>, UpstreamError> {
        // Held while it is asked: who comes meanwhile takes what it brings.
        let mut known = self.known.lock().await;
        if let Some(metadata) = known.metadata.clone().filter(|_| now_us < known.until_us) {
            return Ok(metadata);
        }
        if known.failed_us.is_some_and(|failed_us| clock::now_us() - failed_us < REST_US) {
            return Err(UpstreamError::Resting);
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *known = KnownOfIt {
                    metadata: Some(Arc::clone(&metadata)),
                    until_us: now_us + KEPT_US,
                    ..KnownOfIt::default()
                };
                Ok(metadata)
            }
            Err(error) => {
                known.failed_us = Some(clock::now_us());
                Err(error)
            }
        }
    }

    async fn discover(&self) -> Result<Metadata, UpstreamError> {
        let issuer = IssuerUrl::new(self.settings.issuer.clone());
        let issuer =
            issuer.map_err(|_| UpstreamError::Unreadable("the issuer of the settings is no URL".to_owned()))?;
        let asking = Asking(&self.outbound);
        let metadata = Metadata::discover_async(issuer, &asking).await.map_err(discovery)?;
        let page = metadata.authorization_endpoint().url();
        if page.scheme() != "https" && page.scheme() != metadata.issuer().url().scheme() {
            return Err(UpstreamError::Unreadable("its authorization endpoint is no https address".to_owned()));
        }
        let keys = usable(metadata.jwks());
        Ok(metadata.set_jwks(keys))
    }

    /// The keys of the provider of now, unless they were asked for a moment ago.
    async fn keys_anew(&self, before: &Arc<Metadata>) -> Result<Option<CoreJsonWebKeySet>, UpstreamError> {
        let mut known = self.known.lock().await;
        // Somebody else has asked meanwhile.
        if let Some(metadata) = known.metadata.as_ref().filter(|metadata| !Arc::ptr_eq(metadata, before)) {
            return Ok(Some(metadata.jwks().clone()));
        }
        let now_us = clock::now_us();
        if known.sought_us.is_some_and(|sought_us| now_us - sought_us < REFETCH_US) {
            return Ok(None);
        }
        known.sought_us = Some(now_us);
        let keys = CoreJsonWebKeySet::fetch_async(before.jwks_uri(), &Asking(&self.outbound)).await;
        let keys = usable(&keys.map_err(discovery)?);
        known.metadata = Some(Arc::new(Metadata::clone(before).set_jwks(keys.clone())));
        Ok(Some(keys))
    }
}

fn is_fresh(purpose: &Purpose) -> bool {
    matches!(purpose, Purpose::Again { .. })
}

fn discovery(error: DiscoveryError<OutboundError>) -> UpstreamError {
    match error {
        DiscoveryError::Request(error) => UpstreamError::Unreachable(error),
        DiscoveryError::Response(status, ..) => {
            UpstreamError::Unreadable(format!("its documents: status {}, or no JSON", status.as_u16()))
        }
        DiscoveryError::Parse(error) => UpstreamError::Unreadable(format!("its documents, at {}", error.path())),
        // The library finds nothing else wrong with a document that can be read.
        DiscoveryError::Validation(_) => UpstreamError::OtherIssuer,
        other => UpstreamError::Unreadable(format!("its documents: {}", shown(&other.to_string()))),
    }
}

/// What a provider wrote, fit for a line.
fn shown(text: &str) -> String {
    text.chars().take(MOST_CODE_CHARACTERS).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
