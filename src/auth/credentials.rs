//! How a client shows who it is: by an assertion that its key has signed, or by a secret. A public one can only say so.
//!
//! Spec: RFC 6749 sections 2.3 and 3.2.1, RFC 7521 section 4.2

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::auth::{Assertion, AuthError, Form};
use crate::clock;
use crate::store::{Client, ClientKind, SecretHash, Store};

/// An assertion is remembered so much longer than it could be accepted.
const CLOCK_US: i64 = 3_600_000_000;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request says of its client.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// `private_key_jwt`: a signed JWT.
    Assertion(String),
    /// `client_secret_basic` or `client_secret_post`.
    Secret(SecretCredentials),
    /// `none`: a client_id alone, which shows nothing.
    Named(String),
    /// A token that was issued to a client, in place of the client.
    Token(String),
}

/// An id and a secret. No log shows the secret.
#[derive(Clone)]
pub struct SecretCredentials {
    client_id: String,
    secret: String,
}

impl fmt::Debug for SecretCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretCredentials({}, ..)", self.client_id)
    }
}

impl SecretCredentials {
    /// Whose secret it is said to be.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }
}

impl Credentials {
    /// Reads the header `Authorization` and the body, of which exactly one must tell.
    pub fn read(authorization: Option<&str>, form: &Form) -> Result<Credentials, AuthError> {
        let header = authorization.map(header).transpose()?;
        let assertion = assertion(form)?;
        let posted = match form.get("client_secret") {
            // Whose secret it is matters only where nothing else is sent.
            Some(_) if authorization.is_some() || form.get("client_assertion").is_some() => return Err(several()),
            Some(secret) => Some(Credentials::Secret(SecretCredentials {
                client_id: form.need("client_id")?.to_owned(),
                secret: secret.to_owned(),
            })),
            None => None,
        };
        if let (Some(Credentials::Secret(secret)), Some(client_id)) = (&header, form.get("client_id"))
            && secret.client_id != client_id
        {
            let text = "client_id is not that of the header Authorization: name one client";
            return Err(AuthError::InvalidRequest(text.to_owned()));
        }
        let mut told = [header, assertion, posted].into_iter().flatten();
        let Some(credentials) = told.next() else {
            return form
                .get("client_id")
                .map(|id| Credentials::Named(id.to_owned()))
                .ok_or_else(AuthError::shows_nothing);
        };
        if told.next().is_some() {
            return Err(several());
        }
        Ok(credentials)
    }
}

fn several() -> AuthError {
    AuthError::InvalidRequest("the client shows who it is in more than one way: choose one".to_owned())
}

fn assertion(form: &Form) -> Result<Option<Credentials>, AuthError> {
    match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(ASSERTION_TYPE), Some(assertion)) => Ok(Some(Credentials::Assertion(assertion.to_owned()))),
        (Some(ASSERTION_TYPE), None) => Err(AuthError::InvalidRequest("client_assertion is missing".to_owned())),
        _ => Err(AuthError::InvalidRequest(format!("client_assertion_type must be {ASSERTION_TYPE}"))),
    }
}

/// The ids, secrets and tokens that this server gives have no character that a client would have to escape.
fn header(header: &str) -> Result<Credentials, AuthError> {
    let unread = || AuthError::client("the header Authorization must be Basic with the client_id and its secret");
    let (scheme, told) = header.split_once(' ').ok_or_else(unread)?;
    if scheme.eq_ignore_ascii_case("bearer") && !told.trim().is_empty() {
        return Ok(Credentials::Token(told.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(unread());
    }
    let decoded = STANDARD.decode(told.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(unread)?;
    let (client_id, secret) = decoded.split_once(':').ok_or_else(unread)?;
    Ok(Credentials::Secret(SecretCredentials { client_id: client_id.to_owned(), secret: secret.to_owned() }))
}

/// The client whose secret this is.
///
/// An unknown client, a suspended one and a wrong secret are answered alike.
pub fn client_by_secret(store: &Store, credentials: &SecretCredentials) -> Result<Client, AuthError> {
    let client = store.read_one(|reader| reader.client(&credentials.client_id).map_err(AuthError::from))?;
    let (sent, now_us) = (SecretHash::of(credentials.secret.as_bytes()), clock::now_us());
    client
        .filter(|client| client.suspended_us.is_none() && client.kind == ClientKind::Confidential)
        .filter(|client| client.has_secret(sent, now_us))
        .ok_or_else(|| AuthError::client("no client has this client_id and this secret"))
}

/// The public client of this id: nobody else goes without showing who they are.
pub fn client_by_id(store: &Store, client_id: &str) -> Result<Client, AuthError> {
    let client = store.read_one(|reader| reader.client(client_id).map_err(AuthError::from))?;
    client.filter(|client| client.suspended_us.is_none() && client.kind == ClientKind::Public).ok_or_else(|| {
        AuthError::client(
            "no public client has this client_id; others show who they are, by an assertion or by their secret",
        )
    })
}

/// The client that an assertion says it is from; whether that is so, its keys must tell.
pub fn client_by_assertion(store: &Store, assertion: &Assertion, form: &Form) -> Result<Client, AuthError> {
    // RFC 7521 section 4.2: the client_id "is unnecessary" beside an assertion, but must identify the same client.
    if form.get("client_id").is_some_and(|client_id| client_id != assertion.client_id) {
        return Err(AuthError::client("client_id is not that of the assertion"));
    }
    let client = store.read_one(|reader| reader.client(&assertion.client_id).map_err(AuthError::from))?;
    client
        .filter(|client| client.suspended_us.is_none() && client.kind != ClientKind::Public)
        .filter(|client| client.jwks.is_some() || client.jwks_uri.is_some())
        .ok_or_else(|| AuthError::client("no client with keys has the client_id of the assertion"))
}

/// Uses up an assertion whose signature was verified: it is not accepted again, not even after a restart.
pub fn use_assertion(store: &Store, assertion: &Assertion) -> Result<(), AuthError> {
    // The instants of transactions may be ahead of the clock, if that was set back.
    let (hash, forget_us) = (assertion.hash(), assertion.expires_us + CLOCK_US);
    let is_new = store.write(move |tx| tx.use_jwt(&hash, forget_us).map_err(AuthError::from))?;
    if is_new { Ok(()) } else { Err(AuthError::client("the assertion was used before: sign a new one with a new jti")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authorization: Option<&str>, pairs: &[(&str, &str)]) -> Result<Credentials, AuthError> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Credentials::read(authorization, &Form::new(pairs.collect()).unwrap())
    }

    #[test]
    fn a_client_shows_who_it_is_in_one_of_three_ways() {
        let basic = format!("Basic {}", STANDARD.encode("c:s:t"));
        let posted = [("client_id", "c"), ("client_secret", "s:t")];
        let assertion = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", "a.b.c")];

        for told in [read(Some(&basic), &[]), read(None, &posted), read(Some(&basic.replace("Basic", "basic")), &[])] {
            let Ok(Credentials::Secret(told)) = told else { panic!("{told:?}") };
            assert_eq!((told.client_id.as_str(), told.secret.as_str()), ("c", "s:t"));
            assert!(!format!("{told:?}").contains("s:t"));
        }
        assert!(matches!(read(None, &assertion), Ok(Credentials::Assertion(text)) if text == "a.b.c"));
    }

    #[test]
    fn an_id_alone_and_a_token_are_told_apart_from_what_shows_who_a_client_is() {
        let id = ("client_id", "c");

        assert!(matches!(read(None, &[id]), Ok(Credentials::Named(name)) if name == "c"));
        for header in ["Bearer abc", "bearer  abc "] {
            assert!(matches!(read(Some(header), &[id]), Ok(Credentials::Token(token)) if token == "abc"), "{header}");
        }
    }

    #[test]
    fn none_or_several_are_refused() {
        let basic = format!("Basic {}", STANDARD.encode("c:s"));
        let secret = ("client_secret", "s");
        let kind = ("client_assertion_type", ASSERTION_TYPE);
        let client = [
            read(None, &[]),
            read(None, &[("client_id", "")]),
            read(Some("Bearer"), &[]),
            read(Some("Bearer  "), &[]),
            read(Some("Basic"), &[]),
            read(Some("Basic *"), &[]),
            read(Some("Basic Yw=="), &[]),
        ];
        let request = [
            read(Some(&basic), &[("client_id", "c"), secret]),
            read(Some(&basic), &[kind, ("client_assertion", "a.b.c")]),
            read(Some("Bearer abc"), &[("client_id", "c"), secret]),
            read(Some("Bearer abc"), &[kind, ("client_assertion", "a.b.c")]),
            read(None, &[secret]),
            read(None, &[kind]),
            read(None, &[("client_assertion", "a.b.c")]),
            read(None, &[("client_assertion_type", "saml"), ("client_assertion", "a.b.c")]),
        ];
        for told in client {
            assert!(matches!(told, Err(AuthError::InvalidClient(_))), "{told:?}");
        }
        for told in request {
            assert!(matches!(told, Err(AuthError::InvalidRequest(_))), "{told:?}");
        }
    }

    #[test]
    fn who_shows_it_in_several_ways_is_told_to_choose_one() {
        let basic = format!("Basic {}", STANDARD.encode("c:s"));
        let (secret, id) = (("client_secret", "s"), ("client_id", "c"));
        let assertion = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", "a.b.c")];

        for told in [
            read(None, &[assertion[0], assertion[1], secret]),
            read(None, &[assertion[0], assertion[1], secret, id]),
            read(Some(&basic), &[secret]),
            read(Some(&basic), &assertion),
        ] {
            assert!(matches!(&told, Err(AuthError::InvalidRequest(text)) if text.contains("choose one")), "{told:?}");
        }
    }
}
