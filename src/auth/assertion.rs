//! What a client says of itself in a signed assertion, and whether that may be believed.
//!
//! Spec: RFC 7523 section 3; SMART App Launch 2.2 client-confidential-asymmetric.html#authentication-jwt-header-values

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::auth::jwks::SigningAlgorithm;
use crate::auth::{AuthError, Endpoints, KeySet};
use crate::store::SecretHash;

/// Longer ones are not looked at.
const MOST_BYTES: usize = 16 * 1024;
/// The longest kid, jti or client id.
const MOST_NAME_BYTES: usize = 256;
/// How far ahead an assertion may expire.
const MOST_SECONDS: f64 = 300.0;
/// By how much the clock of a client may be ahead, where it says from when on its assertion holds.
const CLOCK_SECONDS: f64 = 30.0;

/// An assertion whose form and claims are in order; only its signature is still to be verified.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// Who it says that it is from.
    pub client_id: String,
    /// By which key.
    pub kid: String,
    pub algorithm: SigningAlgorithm,
    /// Where it says that its keys are.
    pub jku: Option<String>,
    /// Until when it must not be accepted again.
    pub expires_us: i64,
    jti: String,
    signed: String,
    signature: String,
}

#[derive(Deserialize)]
struct Header {
    typ: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    jku: Option<String>,
    // A key that comes with what it signs proves nothing.
    jwk: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
    // Extensions that must be understood: there are none.
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<serde_json::Value>,
    exp: Option<f64>,
    nbf: Option<f64>,
    jti: Option<String>,
}

impl Assertion {
    /// Reads an assertion and checks all that needs no key, at the moment `now_us`.
    pub fn parse(text: &str, endpoints: &Endpoints, now_us: i64) -> Result<Assertion, AuthError> {
        let no_jwt = || AuthError::client("the assertion is no signed JWT: header, claims and signature in base64url");
        if text.len() > MOST_BYTES {
            return Err(AuthError::client("the assertion is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(no_jwt)?;
        let (header, claims) = signed.split_once('.').ok_or_else(no_jwt)?;
        let header: Header = part(header).ok_or_else(no_jwt)?;
        let claims: Claims = part(claims).ok_or_else(no_jwt)?;
        let (algorithm, kid) = signer(&header)?;
        let (client_id, jti) = issuer(&claims)?;
        addressed(&claims, endpoints)?;
        let expires_us = in_time(&claims, now_us)?;
        let (signed, signature) = (signed.to_owned(), signature.to_owned());
        Ok(Assertion { client_id, kid, algorithm, jku: header.jku, expires_us, jti, signed, signature })
    }

    /// Whether one of these keys has signed it.
    pub fn verify(&self, keys: &KeySet) -> Result<(), AuthError> {
        match keys.verify(&self.kid, self.algorithm, &self.signed, &self.signature) {
            Ok(true) => Ok(()),
            Ok(false) => Err(AuthError::client("the signature of the assertion is not that of the client's key")),
            Err(no_key) => Err(AuthError::InvalidClient(no_key.to_string())),
        }
    }

    /// Under which it is remembered: its name is the client's own, and others may use the same.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(format!("{}:{}:{}", self.client_id.len(), self.client_id, self.jti).as_bytes())
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn signer(header: &Header) -> Result<(SigningAlgorithm, String), AuthError> {
    if header.typ.as_deref() != Some("JWT") {
        return Err(AuthError::client("the header of the assertion must have typ JWT"));
    }
    let alg = header.alg.as_deref().unwrap_or_default();
    let algorithm = SigningAlgorithm::ALL.into_iter().find(|known| known.name() == alg);
    let algorithm = algorithm.ok_or_else(|| AuthError::client("the assertion must be signed by RS384 or ES384"))?;
    if header.jwk.is_some() || header.x5u.is_some() || header.x5c.is_some() {
        return Err(AuthError::client("the assertion must not bring its own key: jwk, x5u and x5c are not taken"));
    }
    if header.crit.is_some() {
        return Err(AuthError::client("this server understands no extension that crit names"));
    }
    let kid = named(header.kid.as_deref());
    Ok((algorithm, kid.ok_or_else(|| AuthError::client("the header of the assertion must have a kid"))?))
}

fn issuer(claims: &Claims) -> Result<(String, String), AuthError> {
    let client_id = named(claims.iss.as_deref()).filter(|iss| claims.sub.as_deref() == Some(iss));
    let client_id =
        client_id.ok_or_else(|| AuthError::client("the assertion must have the client_id as both iss and sub"))?;
    let jti = named(claims.jti.as_deref());
    Ok((client_id, jti.ok_or_else(|| AuthError::client("the assertion must have a jti of its own"))?))
}

/// A text that names something.
fn named(text: Option<&str>) -> Option<String> {
    text.filter(|text| (1..=MOST_NAME_BYTES).contains(&text.len())).map(str::to_owned)
}

/// It must be meant for this server, and for nobody else: another that gets it could use it here.
fn addressed(claims: &Claims, endpoints: &Endpoints) -> Result<(), AuthError> {
    let aud = claims.aud.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    if aud == endpoints.token() || aud == endpoints.issuer {
        return Ok(());
    }
    let (token, issuer) = (endpoints.token(), &endpoints.issuer);
    Err(AuthError::InvalidClient(format!("the aud of the assertion must be one text: {token} or {issuer}")))
}

/// The instant when it expires.
fn in_time(claims: &Claims, now_us: i64) -> Result<i64, AuthError> {
    let now = now_us as f64 / 1e6;
    let exp = claims.exp.ok_or_else(|| AuthError::client("the assertion must have an exp, in seconds"))?;
    if exp <= now {
        return Err(AuthError::client("the assertion has expired"));
    }
    if exp > now + MOST_SECONDS {
        return Err(AuthError::client("the assertion must expire within 300 seconds"));
    }
    if claims.nbf.is_some_and(|nbf| nbf > now + CLOCK_SECONDS) {
        return Err(AuthError::client("the assertion does not hold yet: see its nbf, and the clock"));
    }
    Ok((exp * 1e6).ceil() as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW_US: i64 = 1_800_000_000_000_000;
    const NOW: i64 = NOW_US / 1_000_000;

    fn header() -> Value {
        json!({ "typ": "JWT", "alg": "ES384", "kid": "k" })
    }

    fn claims() -> Value {
        json!({ "iss": "c", "sub": "c", "aud": "https://a.org/auth/token", "exp": NOW + 300, "jti": "1" })
    }

    fn parsed(header: &Value, claims: &Value) -> Result<Assertion, AuthError> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}.c2ln", part(header), part(claims));
        Assertion::parse(&text, &Endpoints::of("https://a.org/fhir"), NOW_US)
    }

    fn with(value: Value, member: &str, new: Value) -> Value {
        let mut value = value;
        match new {
            Value::Null => drop(value.as_object_mut().unwrap().remove(member)),
            new => value[member] = new,
        }
        value
    }

    #[test]
    fn what_is_in_order_is_read() {
        let assertion = parsed(&header(), &claims()).unwrap();

        assert_eq!((assertion.client_id.as_str(), assertion.kid.as_str(), assertion.jku), ("c", "k", None));
        assert_eq!(assertion.expires_us, NOW_US + 300_000_000);
        let fitting = [
            ("aud", json!("https://a.org")),
            ("exp", json!(NOW as f64 + 0.5)),
            ("nbf", json!(NOW)),
            ("iat", json!(NOW)),
            ("https://a.org/own", json!("claims of one's own")),
        ];
        for (member, value) in fitting {
            assert!(parsed(&header(), &with(claims(), member, value)).is_ok(), "{member}");
        }
    }

    #[test]
    fn a_header_that_is_not_as_it_must_be_is_refused() {
        let table = [
            ("typ", Value::Null),
            ("typ", json!("at+jwt")),
            ("alg", Value::Null),
            ("alg", json!("none")),
            ("alg", json!("HS384")),
            ("alg", json!("RS256")),
            ("alg", json!("es384")),
            ("kid", Value::Null),
            ("kid", json!("")),
            ("kid", json!(7)),
            ("jwk", json!({})),
            ("x5u", json!("https://a.org")),
            ("x5c", json!([])),
            ("crit", json!(["exp"])),
        ];
        for (member, value) in table {
            let outcome = parsed(&with(header(), member, value.clone()), &claims());

            assert!(matches!(outcome, Err(AuthError::InvalidClient(_))), "{member} {value}: {outcome:?}");
        }
    }

    #[test]
    fn claims_that_are_not_as_they_must_be_are_refused() {
        let table = [
            ("iss", Value::Null),
            ("iss", json!("d")),
            ("sub", Value::Null),
            ("sub", json!("d")),
            ("aud", Value::Null),
            ("aud", json!("https://a.org/auth/token/")),
            ("aud", json!("https://a.org/fhir")),
            ("aud", json!("https://a.org.example/auth/token")),
            ("aud", json!(["https://a.org/auth/token"])),
            ("aud", json!(["https://a.org/auth/token", "https://b.org"])),
            ("exp", Value::Null),
            ("exp", json!(NOW)),
            ("exp", json!(NOW - 1)),
            ("exp", json!(NOW + 301)),
            ("exp", json!(1e300)),
            ("exp", json!("soon")),
            ("nbf", json!(NOW + 60)),
            ("jti", Value::Null),
            ("jti", json!("")),
            ("jti", json!("x".repeat(257))),
        ];
        for (member, value) in table {
            let outcome = parsed(&header(), &with(claims(), member, value.clone()));

            assert!(matches!(outcome, Err(AuthError::InvalidClient(_))), "{member} {value}: {outcome:?}");
        }
    }

    #[test]
    fn what_is_no_jwt_is_refused() {
        let twice = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"ES384","alg":"none","kid":"k"}"#);
        let good = URL_SAFE_NO_PAD.encode(header().to_string());
        let claims = URL_SAFE_NO_PAD.encode(claims().to_string());
        let texts = [
            String::new(),
            "a".to_owned(),
            "a.b".to_owned(),
            "a.b.c".to_owned(),
            format!("{good}.{claims}"),
            format!("{good}.{claims}.c2ln.c2ln"),
            format!("{good}==.{claims}.c2ln"),
            format!(" {good}.{claims}.c2ln"),
            format!("{twice}.{claims}.c2ln"),
            format!("{good}.{claims}.{}", "A".repeat(MOST_BYTES)),
        ];
        for text in texts {
            let outcome = Assertion::parse(&text, &Endpoints::of("https://a.org/fhir"), NOW_US);

            assert!(matches!(outcome, Err(AuthError::InvalidClient(_))), "{text:.80}");
        }
    }

    #[test]
    fn the_same_name_of_another_client_is_another_assertion() {
        let of = |client: &str, jti: &str| {
            let claims = with(with(claims(), "iss", json!(client)), "sub", json!(client));
            parsed(&header(), &with(claims, "jti", json!(jti))).unwrap().hash()
        };

        assert_eq!(of("c", "1"), of("c", "1"));
        assert_ne!(of("c", "1"), of("c", "2"));
        assert_ne!(of("c", "1"), of("d", "1"));
        assert_ne!(of("c:1", "1"), of("c", "1:1"));
    }
}
