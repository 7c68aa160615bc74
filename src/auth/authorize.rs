//! What an app asks for at the authorization endpoint, checked before anybody is asked.
//!
//! Where it is not certain who asks and where the answer goes, nothing is sent there: a page says what is wrong.
//!
//! Spec: RFC 6749 section 4.1, RFC 7636, RFC 9207; SMART App Launch 2.2 app-launch.html#obtain-authorization-code

use thiserror::Error;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::access::{Context, ScopeSet, Word};
use crate::auth::AuthError;
use crate::records::redirect_matches;
use crate::store::{Client, ClientKind, ClientOrigin, Store, StoreError};

/// What an app asks for.
#[derive(Clone, Debug)]
pub struct AuthorizeRequest {
    pub client: Client,
    /// Where the answer goes.
    pub redirect_uri: String,
    pub state: Option<String>,
    /// SHA-256 of the verifier, as base64url.
    pub challenge: String,
    /// What it asks for, as far as it has registered it.
    pub scopes: ScopeSet,
    pub nonce: Option<String>,
    /// The handle of a launch.
    pub launch: Option<String>,
    pub prompt: Prompt,
    /// The person must have shown who they are so lately, in seconds.
    pub max_age_s: Option<i64>,
    /// The request as it came, to be gone through again.
    pub query: String,
}

/// What the app wants the person to be asked.
///
/// Spec: OpenID Connect Core 1.0 section 3.1.2.1
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Nothing at all.
    pub none: bool,
    /// Who they are, also if that is known.
    pub login: bool,
    /// What they allow, also if they allowed it before.
    pub consent: bool,
}

/// Why a request is not gone on with.
#[derive(Debug, Error)]
pub enum AuthorizeRefused {
    /// Nothing is sent back: a page tells.
    #[error("{0}")]
    Told(&'static str),
    /// Sent back to the app.
    #[error("{}", .0.error)]
    Back(Box<Back>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An error that goes back to the app.
#[derive(Clone, Debug)]
pub struct Back {
    pub redirect_uri: String,
    pub state: Option<String>,
    pub error: &'static str,
    pub description: &'static str,
    /// The app, where nobody vouches for it: RFC 9700 section 4.11.2, a browser is not sent there before the person decided.
    pub unvouched: Option<String>,
}

/// The name of an app that registered itself, or that the operator has not let in for all yet; `None` where somebody vouches for it.
fn unvouched(client: &Client) -> Option<String> {
    let is_vouched = match client.origin {
        ClientOrigin::Registration => client.verified_us.is_some(),
        ClientOrigin::Command | ClientOrigin::Page => client.approved_us.is_some(),
    };
    (!is_vouched).then(|| client.name.clone())
}

/// Reads what an app asks for. `bases` are the server's own base URLs.
pub fn read(store: &Store, bases: &[String], pairs: &[(String, String)]) -> Result<AuthorizeRequest, AuthorizeRefused> {
    use AuthorizeRefused::Told;
    // RFC 6749 section 3.1: what has no value counts as left out, and nothing may come twice.
    let given: Vec<&(String, String)> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    let get = |name: &str| given.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let comes_twice = |name: &str| given.iter().filter(|(known, _)| known == name).count() > 1;
    if comes_twice("client_id") || comes_twice("redirect_uri") {
        return Err(Told("The app sent its name or its address twice."));
    }
    let client_id = get("client_id").ok_or(Told("The app did not say which app it is (client_id)."))?;
    let client = store.read_one(|reader| reader.client(client_id))?;
    let client = client.filter(|client| client.suspended_us.is_none() && client.kind != ClientKind::Backend);
    let client = client.ok_or(Told("No app is registered here under the name that this one gave (client_id)."))?;
    let redirect_uri = get("redirect_uri").ok_or(Told("The app did not say where to come back to (redirect_uri)."))?;
    if !client.redirect_uris.iter().any(|registered| redirect_matches(registered, redirect_uri)) {
        return Err(Told(
            "The app wants to come back to an address that it has not registered (redirect_uri). Nothing was sent there.",
        ));
    }
    let challenge = get("code_challenge").ok_or(Told(
        "This app begins the sign-in in an old way, which others on the device could listen in to (PKCE is missing). Ask the maker \
         of the app for a newer version.",
    ))?;
    let back = |error: &'static str, description: &'static str| {
        let (redirect_uri, state) = (redirect_uri.to_owned(), get("state").map(str::to_owned));
        let unvouched = unvouched(&client);
        AuthorizeRefused::Back(Box::new(Back { redirect_uri, state, error, description, unvouched }))
    };
    let invalid = |description| Err(back("invalid_request", description));
    if given.iter().any(|(name, _)| comes_twice(name)) {
        return invalid("a parameter is there twice: send each once");
    }
    match get("response_type") {
        Some("code") => {}
        Some(_) => return Err(back("unsupported_response_type", "response_type must be code")),
        None => return invalid("response_type is missing: it must be code"),
    }
    if get("response_mode").is_some_and(|mode| mode != "query") {
        return invalid("response_mode must be query, or left out");
    }
    if get("request").is_some() {
        return Err(back("request_not_supported", "send the parameters themselves, not a request object"));
    }
    if get("request_uri").is_some() {
        return Err(back("request_uri_not_supported", "send the parameters themselves, not their address"));
    }
    let is_digest = |text: &str| {
        text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if get("code_challenge_method") != Some("S256") || !is_digest(challenge) {
        return invalid(
            "code_challenge must be the SHA-256 of the verifier in base64url, with code_challenge_method=S256",
        );
    }
    let aud = get("aud").or(get("resource")).map(|aud| bases.iter().any(|base| base == aud));
    match aud {
        Some(true) => {}
        None if client.goes_without_aud => {}
        Some(false) => return invalid("aud must be the FHIR base of this server, to the letter"),
        None => return invalid("aud is missing: it must be the FHIR base of this server"),
    }
    let asked = ScopeSet::parse(get("scope").ok_or(back("invalid_scope", "scope is missing"))?);
    let scopes = asked.intersection(&ScopeSet::parse(&client.scopes));
    let is_for_person = |scopes: &ScopeSet| scopes.in_context(Context::System).is_empty();
    if scopes.is_empty() || !is_for_person(&scopes) {
        return Err(back("invalid_scope", "none of the scopes is one that this app has registered"));
    }
    let launch = get("launch").map(str::to_owned);
    if asked.has(Word::Launch) && launch.is_none() {
        return invalid(
            "the scope launch is for a launch from an EHR, whose launch parameter is missing: ask for launch/patient",
        );
    }
    let max_age = get("max_age").map(|text| text.parse::<i64>().ok().filter(|seconds| *seconds >= 0));
    let max_age_s = match max_age {
        Some(None) => return invalid("max_age must be a whole number of seconds"),
        Some(seconds) => seconds,
        None => None,
    };
    let prompts: Vec<&str> = get("prompt").unwrap_or_default().split_ascii_whitespace().collect();
    let prompt = Prompt {
        none: prompts.contains(&"none"),
        login: prompts.contains(&"login"),
        consent: prompts.contains(&"consent"),
    };
    if prompt.none && prompts.len() > 1 {
        return invalid("prompt=none stands alone");
    }
    let query = given.iter().fold(Serializer::new(String::new()), |mut query, (name, value)| {
        query.append_pair(name, value);
        query
    });
    Ok(AuthorizeRequest {
        redirect_uri: redirect_uri.to_owned(),
        state: get("state").map(str::to_owned),
        challenge: challenge.to_owned(),
        nonce: get("nonce").map(str::to_owned),
        client,
        scopes,
        launch,
        prompt,
        max_age_s,
        query: { query }.finish(),
    })
}

impl AuthorizeRequest {
    /// An error that goes back to the app.
    pub fn back(&self, error: &'static str, description: &'static str) -> Back {
        Back {
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            error,
            description,
            unvouched: unvouched(&self.client),
        }
    }

    /// The request again, without what was done meanwhile.
    pub fn query_without_login(&self) -> String {
        let pairs = url::form_urlencoded::parse(self.query.as_bytes());
        let rest = pairs.filter(|(name, value)| !(name == "prompt" && value == "login"));
        Serializer::new(String::new()).extend_pairs(rest).finish()
    }

    /// The address to which a code goes back.
    pub fn with_code(&self, issuer: &str, code: &str) -> Result<String, AuthError> {
        answer(&self.redirect_uri, issuer, self.state.as_deref(), &[("code", code)])
    }

    /// Whether the app is told apart from one that only says it is this one: it has an address of its own, or shows who it is.
    pub fn is_certain(&self) -> bool {
        // One that registered itself may have become another since.
        if self.client.origin == ClientOrigin::Registration {
            return false;
        }
        self.client.kind == ClientKind::Confidential || self.redirect_uri.starts_with("https:")
    }
}

impl Back {
    /// The address to which it goes back.
    pub fn address(&self, issuer: &str) -> Result<String, AuthError> {
        let told = [("error", self.error), ("error_description", self.description)];
        answer(&self.redirect_uri, issuer, self.state.as_deref(), &told)
    }
}

/// RFC 9207: the answer names who gives it.
fn answer(redirect_uri: &str, issuer: &str, state: Option<&str>, told: &[(&str, &str)]) -> Result<String, AuthError> {
    let unfit = |_| AuthError::InvalidRequest("the redirect URI of the app can't be read".to_owned());
    // Byte for byte what was registered, with the answer behind it.
    Url::parse(redirect_uri).map_err(unfit)?;
    let mut query = Serializer::new(String::new());
    query.extend_pairs(told).extend_pairs(state.map(|state| ("state", state))).append_pair("iss", issuer);
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    Ok(format!("{redirect_uri}{joint}{}", query.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_stands_behind_the_address_as_it_was_registered() {
        let told = [("code", "c d")];

        let plain = answer("https://app.example/done", "https://a.org", Some("s&t"), &told).unwrap();
        let with_query = answer("https://app.example/done?a=b", "https://a.org", None, &told).unwrap();

        assert_eq!(plain, "https://app.example/done?code=c+d&state=s%26t&iss=https%3A%2F%2Fa.org");
        assert_eq!(with_query, "https://app.example/done?a=b&code=c+d&iss=https%3A%2F%2Fa.org");
    }
}
