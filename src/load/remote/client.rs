//! The requests, and when one is sent again.
//!
//! Again only when the server surely has done nothing: it can't be connected to, or says 429 or 503. A request whose
//! answer is lost is sent again only when doing it twice is the same as doing it once.
//!
//! Spec: R4 http.html#transaction; RFC 6750 section 2.1, RFC 9110 section 10.2.3

use std::fmt;
use std::io::Read as _;
use std::str::FromStr;
use std::time::Duration;

use reqwest::blocking::{Client as HttpClient, Response};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Url, redirect};
use serde_json::Value;
use thiserror::Error;

use crate::clock;
use crate::load::LoadError;

const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");
/// A large transaction takes a slow server minutes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// A connection is not used again after this: the server may be closing it at the same moment.
const IDLE: Duration = Duration::from_secs(4);
/// A request is sent so often at most.
const TRIES: u32 = 8;
/// The first wait; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// No wait is longer, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// Longer answers are not read.
const LARGEST_ANSWER: u64 = 256 << 20;

/// Where the server is: an address with http or https, and without user or password.
#[derive(Clone, Debug)]
pub struct ServerAddress(Url);

/// Why a text is no address of a server.
#[derive(Debug, Error)]
#[error("the address of a FHIR server begins with http:// or https:// and has no user, password, query or fragment")]
pub struct BadAddress;

impl FromStr for ServerAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<ServerAddress, BadAddress> {
        let url = Url::parse(text.trim_end_matches('/')).map_err(|_| BadAddress)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
        if is_plain && is_http && url.fragment().is_none() { Ok(ServerAddress(url)) } else { Err(BadAddress) }
    }
}

impl ServerAddress {
    /// Whether all that is sent can be read on the way: no TLS, and not on this machine.
    pub fn is_readable_on_the_way(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        self.0.scheme() == "http" && !is_here
    }

    /// The FHIR bases that this may mean: itself, and for the root of a server what Emberwell has there.
    fn bases(&self) -> Vec<String> {
        let text = self.to_string();
        if self.0.path() == "/" { vec![text.clone(), format!("{text}/fhir")] } else { vec![text] }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// A bearer token; nothing prints it.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes any text, so that no refusal has to repeat it; an empty one is no token.
    pub fn new(text: &str) -> Option<Token> {
        let text = text.trim();
        (!text.is_empty()).then(|| Token(text.to_owned()))
    }

    fn header(&self) -> Result<HeaderValue, LoadError> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).map_err(|_| LoadError::BadToken)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What became of a request.
pub(super) enum Exchange {
    Answered {
        status: u16,
        body: Vec<u8>,
    },
    /// The connection broke: it may have been done or not.
    Lost(String),
}

pub(super) struct Client {
    http: HttpClient,
    base: String,
}

impl Client {
    /// A client for the FHIR server at `address`, which is looked for.
    pub(super) fn new(address: &ServerAddress, token: Option<&Token>) -> Result<Client, LoadError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, FHIR_JSON);
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token.header()?);
        }
        let http = HttpClient::builder()
            .default_headers(headers)
            .user_agent(concat!("emberwell/", env!("CARGO_PKG_VERSION")))
            // A token is for the server that it was given for, and for no other that this one names.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_idle_timeout(IDLE)
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            .build()
            .map_err(|error| unreachable(address, &error))?;
        let mut found = String::new();
        for base in address.bases() {
            let answer = http.get(format!("{base}/metadata")).send().map_err(|error| unreachable(address, &error))?;
            let status = answer.status().as_u16();
            if matches!(status, 401 | 403) {
                return Err(LoadError::Denied { status });
            }
            let what = whole(answer).ok().and_then(|body| serde_json::from_slice::<Value>(&body).ok());
            let name = what.as_ref().and_then(|what| what.get("resourceType")).and_then(Value::as_str);
            if status == 200 && name == Some("CapabilityStatement") {
                return Ok(Client { http, base });
            }
            found = format!("{base}/metadata answers with status {status} and no CapabilityStatement");
        }
        Err(LoadError::NoServer { address: address.to_string(), found })
    }

    /// Posts a Bundle to the base; `is_repeatable` when doing it twice is the same as doing it once.
    pub(super) fn post(&self, body: &[u8], is_repeatable: bool) -> Result<Exchange, LoadError> {
        let mut wait = FIRST_WAIT;
        let mut tries = 1;
        loop {
            let request = self.http.post(&self.base).header(CONTENT_TYPE, FHIR_JSON).header("Prefer", "return=minimal");
            let is_last = tries == TRIES;
            match request.body(body.to_vec()).send() {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    match status {
                        401 | 403 => return Err(LoadError::Denied { status }),
                        429 | 503 if is_last => return Err(LoadError::TurnedAway { status }),
                        429 | 503 => pause(asked_wait(answer.headers()).unwrap_or(wait)),
                        _ => match whole(answer) {
                            Ok(body) => return Ok(Exchange::Answered { status, body }),
                            Err(_) if is_repeatable && !is_last => pause(wait),
                            Err(problem) => return Ok(Exchange::Lost(format!("the answer broke off: {problem}"))),
                        },
                    }
                }
                Err(error) if error.is_connect() => {
                    if is_last {
                        return Err(LoadError::NoAnswer(text_of(&error)));
                    }
                    pause(wait);
                }
                Err(_) if is_repeatable && !is_last => pause(wait),
                Err(error) => return Ok(Exchange::Lost(format!("no answer came: {}", text_of(&error)))),
            }
            tries += 1;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

fn whole(answer: Response) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    answer.take(LARGEST_ANSWER).read_to_end(&mut body)?;
    Ok(body)
}

/// What `Retry-After` asks for: seconds, or a date.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp_micros();
            Duration::from_micros(u64::try_from(until - clock::now_us()).unwrap_or_default())
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[expect(clippy::disallowed_methods, reason = "the server asks for this time, or needs it to come back")]
fn pause(wait: Duration) {
    std::thread::sleep(wait);
}

fn unreachable(address: &ServerAddress, error: &reqwest::Error) -> LoadError {
    LoadError::NoServer { address: address.to_string(), found: text_of(error) }
}

/// The innermost reason: those around it only say that a request failed.
fn text_of(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_server_may_mean_its_fhir_base() {
        let bases = |text: &str| text.parse::<ServerAddress>().unwrap().bases();

        assert_eq!(bases("http://here:1/"), ["http://here:1", "http://here:1/fhir"]);
        assert_eq!(bases("https://there/r4/"), ["https://there/r4"]);
    }

    #[test]
    fn addresses_that_are_none_or_hold_a_password_are_refused() {
        for text in
            ["here", "ftp://here", "http://", "http://me:pw@here/fhir", "http://me@here", "http://here/fhir?a=b"]
        {
            assert!(text.parse::<ServerAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_encrypted_is_known_beyond_this_machine() {
        let is_readable = |text: &str| text.parse::<ServerAddress>().unwrap().is_readable_on_the_way();

        assert!(is_readable("http://there/fhir"));
        assert!(!is_readable("https://there/fhir") && !is_readable("http://127.0.0.1:1/fhir"));
        assert!(!is_readable("http://[::1]:1/fhir") && !is_readable("http://localhost/fhir"));
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new("secret").unwrap();

        assert_eq!(format!("{token:?} {:?}", token.header().unwrap()), "Token(..) Sensitive");
        assert!(Token::new("se\ncret").unwrap().header().is_err());
        assert!(Token::new(" ").is_none());
    }

    #[test]
    fn the_server_says_how_long_to_wait() {
        let asked = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            asked_wait(&headers)
        };

        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("100000"), Some(LONGEST_WAIT));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
    }
}
