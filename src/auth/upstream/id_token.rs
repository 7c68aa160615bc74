//! What an id token says, once it is believed.
//!
//! Spec: OpenID Connect Core 1.0 section 3.1.3.7, RFC 8725

use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreGenderClaim, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKey, CoreJsonWebKeySet,
    CoreJwsSigningAlgorithm,
};
use openidconnect::{AccessToken, AccessTokenHash, ClientId, EndUserEmail, IssuerUrl, Nonce, StandardClaims};

use crate::auth::upstream::BadIdToken;
use crate::records::{Email, Name};

/// What is accepted. A shared secret would let whoever reads these settings sign for the provider.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// By how much the clocks of two servers may differ.
const CLOCK_US: i64 = 60_000_000;
/// The smallest RSA modulus that is accepted, in bytes.
const LEAST_RSA_BYTES: usize = 256;
/// OpenID Connect Core 1.0 section 2: sub "MUST NOT exceed 255 ASCII characters".
const MOST_SUBJECT_BYTES: usize = 255;

/// Who signed in at a provider.
#[derive(Clone, Debug)]
pub struct Verified {
    pub issuer: String,
    /// Whom the provider means; stable, and never given to somebody else there.
    pub subject: String,
    /// How they showed who they are, by RFC 8176, as far as the provider tells.
    pub amr: Vec<String>,
    /// When they did, as far as the provider tells.
    pub authenticated_us: Option<i64>,
    /// How to reach them, as far as the id token tells.
    pub contact: Contact,
    /// By which more is asked of the provider.
    pub(super) access_token: AccessToken,
}

/// How somebody is called and reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    pub email: Option<Email>,
    /// Whether the provider says that the address is theirs.
    pub is_verified: bool,
    pub name: Option<Name>,
}

impl Contact {
    pub(super) fn of(claims: &StandardClaims<CoreGenderClaim>) -> Contact {
        let name = claims.name().and_then(|names| names.get(None));
        Contact::read(claims.email(), claims.email_verified(), name.map(|name| name.as_str()))
    }

    /// What can't be an address or a name here is left out.
    fn read(email: Option<&EndUserEmail>, is_verified: Option<bool>, name: Option<&str>) -> Contact {
        let email = email.and_then(|email| email.as_str().parse().ok());
        Contact {
            is_verified: email.is_some() && is_verified == Some(true),
            email,
            name: name.and_then(|name| name.parse().ok()),
        }
    }

    /// The address, if the provider has verified it.
    pub fn verified_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.is_verified)
    }

    /// What its owner knows it by.
    pub fn label(&self) -> Option<String> {
        let email = self.email.as_ref().map(|email| email.as_str());
        email.or(self.name.as_ref().map(Name::as_str)).map(str::to_owned)
    }
}

/// What an id token must say.
pub(super) struct Expected<'a> {
    pub issuer: &'a IssuerUrl,
    pub client_id: &'a str,
    pub nonce: &'a str,
    /// When the attempt was begun that it answers.
    pub begun_us: i64,
    /// Whether the person had to sign in anew.
    pub is_fresh: bool,
    pub now_us: i64,
}

/// Checks an id token that came together with `access_token`.
pub(super) fn verify(
    token: &CoreIdToken,
    access_token: &AccessToken,
    keys: &CoreJsonWebKeySet,
    expected: &Expected<'_>,
) -> Result<Verified, BadIdToken> {
    let now = DateTime::<Utc>::from_timestamp_micros(expected.now_us).unwrap_or_default();
    let (begun_us, now_us) = (expected.begun_us, expected.now_us);
    let client_id = ClientId::new(expected.client_id.to_owned());
    let verifier = CoreIdTokenVerifier::new_public_client(client_id, expected.issuer.clone(), keys.clone())
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || now)
        .set_issue_time_verifier_fn(move |issued| {
            let fits = (begun_us - CLOCK_US..=now_us + CLOCK_US).contains(&issued.timestamp_micros());
            if fits { Ok(()) } else { Err("issued before the attempt or in the future".to_owned()) }
        });
    let nonce = Nonce::new(expected.nonce.to_owned());
    let claims = token.claims(&verifier, &nonce)?;
    check_party(claims, expected.client_id)?;
    check_access_token(token, claims, access_token, &verifier)?;
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > MOST_SUBJECT_BYTES || subject.contains(char::is_control) {
        return Err(BadIdToken::Subject);
    }
    let authenticated_us = claims.auth_time().map(|time| time.timestamp_micros());
    if expected.is_fresh && authenticated_us.is_none_or(|time_us| time_us < begun_us - CLOCK_US) {
        return Err(BadIdToken::NotFresh);
    }
    let name = claims.name().and_then(|names| names.get(None));
    Ok(Verified {
        issuer: expected.issuer.as_str().to_owned(),
        subject: subject.to_owned(),
        amr: claims.auth_method_refs().into_iter().flatten().map(|method| method.as_str().to_owned()).collect(),
        authenticated_us,
        contact: Contact::read(claims.email(), claims.email_verified(), name.map(|name| name.as_str())),
        access_token: access_token.clone(),
    })
}

/// The library leaves `azp` to whoever uses it. Section 3.1.3.7, 4 and 5: it must be there when there are several audiences,
/// and name this client when it is there. (Several are refused by the library, unless all are this client.)
fn check_party(claims: &CoreIdTokenClaims, client_id: &str) -> Result<(), BadIdToken> {
    match claims.authorized_party() {
        Some(party) if party.as_str() == client_id => Ok(()),
        None if claims.audiences().len() == 1 => Ok(()),
        _ => Err(BadIdToken::Audience),
    }
}

/// Section 3.1.3.8: the token belongs to the id token, where that says so.
fn check_access_token(
    token: &CoreIdToken,
    claims: &CoreIdTokenClaims,
    access_token: &AccessToken,
    verifier: &CoreIdTokenVerifier<'_>,
) -> Result<(), BadIdToken> {
    let Some(told) = claims.access_token_hash() else { return Ok(()) };
    let (algorithm, key) = (token.signing_alg()?, token.signing_key(verifier)?);
    let hash = AccessTokenHash::from_token(access_token, algorithm, key).map_err(|_| BadIdToken::AccessToken)?;
    if hash == *told { Ok(()) } else { Err(BadIdToken::AccessToken) }
}

/// Without the keys by which nothing is believed: shared ones, those whose private half is shown, short ones.
pub(super) fn usable(keys: &CoreJsonWebKeySet) -> CoreJsonWebKeySet {
    CoreJsonWebKeySet::new(keys.keys().iter().filter(|key| is_usable(key)).cloned().collect())
}

fn is_usable(key: &CoreJsonWebKey) -> bool {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let Ok(written) = serde_json::to_value(key) else { return false };
    if written.get("d").is_some() || written.get("k").is_some() {
        return false;
    }
    let modulus = written.get("n").and_then(|n| URL_SAFE_NO_PAD.decode(n.as_str()?).ok());
    let bytes = modulus.map(|bytes| bytes.iter().skip_while(|byte| **byte == 0).count());
    written["kty"] != "RSA" || bytes.is_some_and(|bytes| bytes >= LEAST_RSA_BYTES)
}

#[cfg(test)]
mod tests;
