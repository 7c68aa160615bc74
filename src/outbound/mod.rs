//! The one way out: what this server asks other servers, it asks from here.
//!
//! An address comes from whoever registered something, so that it must not lead to what only this machine or its network
//! can reach. The host is looked up, and only addresses of the public internet are connected to; no redirect is followed, no
//! proxy of the environment used, no credential sent but what whoever asks has for that very server. What lies elsewhere must
//! be listed by its exact origin.

mod addresses;

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CACHE_CONTROL, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, Response, Url};
use thiserror::Error;

use crate::config::OutboundSettings;

pub use addresses::is_public;

/// The whole exchange must be over by then.
const TIME: Duration = Duration::from_secs(5);
/// Longer answers are not read.
const LARGEST_ANSWER: usize = 1 << 20;

/// Asks other servers.
pub struct Outbound {
    /// For everything.
    public: Client,
    /// For the origins that are listed, wherever they are.
    listed: Client,
    origins: Vec<String>,
}

/// What another server answered to a request of one's own.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What is at an address of another server.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub body: Vec<u8>,
    /// How long it may be kept by its `Cache-Control`, in seconds; `None` when that says nothing of it.
    pub max_age_s: Option<u64>,
}

/// Why another server was not asked, or what it answered is of no use.
#[derive(Debug, Error)]
pub enum OutboundError {
    #[error("this is no address with https and a host, and without user or password")]
    Address,
    #[error("the host has no address on the public internet; list its origin in the settings to allow it")]
    NotPublic,
    #[error("the answer has the status {0}, not 200; redirects are not followed")]
    Status(u16),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the server can't be asked: {0}")]
    Failed(String),
}

/// A setting that is no origin.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("'{0}' is no origin: give scheme, host and port alone, such as http://127.0.0.1:8090")]
pub struct NotAnOrigin(pub String);

/// The scheme, host and port of an address with http or https; `None` for any other.
pub fn origin(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
}

/// Reads an origin as an operator writes it.
pub fn parse_origin(text: &str) -> Result<String, NotAnOrigin> {
    let text = text.trim_end_matches('/');
    origin(text).filter(|origin| origin == text).ok_or_else(|| NotAnOrigin(text.to_owned()))
}

impl Outbound {
    pub fn new(settings: &OutboundSettings) -> Result<Outbound, OutboundError> {
        let built = |builder: ClientBuilder| builder.build().map_err(|error| OutboundError::Failed(chain(&error)));
        Ok(Outbound {
            public: built(client().https_only(true).dns_resolver(Arc::new(PublicAddresses)))?,
            listed: built(client())?,
            origins: settings.allow.clone(),
        })
    }

    /// Reads what is at `address`.
    pub async fn get(&self, address: &str) -> Result<Fetched, OutboundError> {
        self.get_at_most(address, LARGEST_ANSWER).await
    }

    /// The same, where more than `most_bytes` are of no use.
    pub async fn get_at_most(&self, address: &str, most_bytes: usize) -> Result<Fetched, OutboundError> {
        let reply = self.sent(address, HeaderMap::new(), None, most_bytes).await?;
        if reply.status != 200 {
            return Err(OutboundError::Status(reply.status));
        }
        let max_age_s = reply.headers.get(CACHE_CONTROL).and_then(|value| max_age_s(value.to_str().ok()?));
        Ok(Fetched { body: reply.body, max_age_s })
    }

    /// Asks what is at `address`, by a POST of `posted` if there is one, and takes any status for an answer.
    ///
    /// Give `headers` that tell a credential for the server at this address alone: a redirect is an answer as any other.
    pub async fn ask(
        &self,
        address: &str,
        headers: HeaderMap,
        posted: Option<Vec<u8>>,
    ) -> Result<Reply, OutboundError> {
        self.sent(address, headers, posted, LARGEST_ANSWER).await
    }

    async fn sent(
        &self,
        address: &str,
        headers: HeaderMap,
        posted: Option<Vec<u8>>,
        most_bytes: usize,
    ) -> Result<Reply, OutboundError> {
        let url = Url::parse(address).map_err(|_| OutboundError::Address)?;
        let client = self.client_for(&url)?;
        let request = match posted {
            Some(body) => client.request(Method::POST, url).body(body),
            None => client.request(Method::GET, url),
        };
        let response = request.headers(headers).send().await.map_err(|error| failure(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, body: body(response, most_bytes).await? })
    }

    fn client_for(&self, url: &Url) -> Result<&Client, OutboundError> {
        let way = way_to(url, &self.origins)?;
        Ok(match way {
            Way::Public => &self.public,
            Way::Listed => &self.listed,
        })
    }
}

/// How an address may be asked.
enum Way {
    /// As all are: the host is looked up, and must be on the public internet.
    Public,
    /// As the settings list it, wherever it is.
    Listed,
}

/// Refuses an address that would not be asked, as far as its form tells: the host is not looked up.
pub fn may_be_asked(url: &Url, settings: &OutboundSettings) -> Result<(), OutboundError> {
    way_to(url, &settings.allow).map(|_| ())
}

fn way_to(url: &Url, listed: &[String]) -> Result<Way, OutboundError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OutboundError::Address);
    }
    if listed.contains(&url.origin().ascii_serialization()) {
        return Ok(Way::Listed);
    }
    if url.scheme() != "https" {
        return Err(OutboundError::Address);
    }
    // A host that is written as an address is never looked up.
    let literal = match url.host() {
        Some(url::Host::Domain(_)) => return Ok(Way::Public),
        Some(url::Host::Ipv4(address)) => address.into(),
        Some(url::Host::Ipv6(address)) => address.into(),
        None => return Err(OutboundError::Address),
    };
    if is_public(literal) { Ok(Way::Public) } else { Err(OutboundError::NotPublic) }
}

fn client() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("emberwell/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .timeout(TIME)
        // A connection that is kept would outlive what its address was checked for.
        .pool_max_idle_per_host(0)
}

async fn body(mut response: Response, most_bytes: usize) -> Result<Vec<u8>, OutboundError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > most_bytes {
            return Err(OutboundError::TooLarge(most_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// How long `Cache-Control` lets an answer be kept.
///
/// Spec: RFC 9111 section 5.2.2
fn max_age_s(header: &str) -> Option<u64> {
    let mut max_age_s = None;
    for directive in header.split(',').map(|directive| directive.trim().to_ascii_lowercase()) {
        if matches!(directive.as_str(), "no-store" | "no-cache") {
            return Some(0);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            // What can't be read is taken for stale, as the specification asks.
            let seconds = seconds.trim_matches('"').parse().unwrap_or(0);
            max_age_s = Some(max_age_s.unwrap_or(u64::MAX).min(seconds));
        }
    }
    max_age_s
}

/// Looks hosts up, and leaves out all addresses that are not on the public internet.
struct PublicAddresses;

/// None was left.
#[derive(Debug, Error)]
#[error("no public address")]
struct NoPublicAddress;

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

fn failure(error: &reqwest::Error) -> OutboundError {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<NoPublicAddress>() {
            return OutboundError::NotPublic;
        }
        cause = error.source();
    }
    OutboundError::Failed(chain(error))
}

/// The error with its causes, but without the address.
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "it took too long".to_owned() } else { "no answer".to_owned() };
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(allow: &[&str]) -> Outbound {
        Outbound::new(&OutboundSettings { allow: allow.iter().map(|origin| (*origin).to_owned()).collect() }).unwrap()
    }

    fn refusal(outbound: &Outbound, address: &str) -> Option<OutboundError> {
        let url = Url::parse(address).map_err(|_| OutboundError::Address);
        url.and_then(|url| outbound.client_for(&url).map(|_| ())).err()
    }

    #[test]
    fn an_address_that_is_written_out_must_be_public() {
        let strict = outbound(&[]);
        for address in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://10.0.0.1:8443/keys",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[::ffff:8.8.8.8]/",
            "https://[64:ff9b::808:808]/",
        ] {
            assert!(matches!(refusal(&strict, address), Some(OutboundError::NotPublic)), "{address}");
        }
        for address in ["https://8.8.8.8/", "https://[2001:4860:4860::8888]/", "https://keys.example/"] {
            assert!(refusal(&strict, address).is_none(), "{address}");
        }
    }

    #[test]
    fn only_https_without_credentials_is_asked() {
        let strict = outbound(&[]);
        for address in [
            "http://keys.example/",
            "ftp://keys.example/",
            "file:///etc/passwd",
            "data:application/json,{}",
            "https://user@keys.example/",
            "https://user:secret@keys.example/",
            "https://",
            "keys.example",
            "",
        ] {
            assert!(matches!(refusal(&strict, address), Some(OutboundError::Address)), "{address}");
        }
    }

    #[test]
    fn only_the_very_origin_that_is_listed_is_allowed() {
        let listed = outbound(&["http://127.0.0.1:8090", "https://keys.home"]);

        assert!(refusal(&listed, "http://127.0.0.1:8090/jwks.json").is_none());
        assert!(std::ptr::eq(listed.client_for(&Url::parse("https://keys.home/a").unwrap()).unwrap(), &listed.listed));
        for address in [
            "http://127.0.0.1:8091/jwks.json",
            "http://127.0.0.1/jwks.json",
            "http://127.0.0.1:8090.example/",
            "http://127.0.0.1:8090@example.org/",
            "http://user@127.0.0.1:8090/",
            "https://127.0.0.1:8090/",
        ] {
            assert!(refusal(&listed, address).is_some(), "{address}");
        }
        // The name alone opens nothing: other ports of the host are looked up as any other.
        let other = Url::parse("https://keys.home:8443/").unwrap();
        assert!(std::ptr::eq(listed.client_for(&other).unwrap(), &listed.public));
    }

    #[test]
    fn a_name_that_leads_to_this_machine_is_not_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(outbound(&[]).get(&format!("https://localhost:{port}/")));

        assert!(matches!(outcome, Err(OutboundError::NotPublic)), "{outcome:?}");
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody has come");
    }

    #[test]
    fn an_origin_is_nothing_but_an_origin() {
        for text in ["http://127.0.0.1:8090", "https://a.example", "http://[::1]:8090"] {
            assert_eq!(parse_origin(text).as_deref(), Ok(text));
        }
        assert_eq!(parse_origin("http://localhost:8090/").as_deref(), Ok("http://localhost:8090"));
        for text in
            ["", "localhost:8090", "*", "ftp://a.example", "https://a.example/path", "https://a.example?x", "null"]
        {
            assert_eq!(parse_origin(text), Err(NotAnOrigin(text.to_owned())));
        }
    }

    #[test]
    fn cache_control_says_how_long() {
        let table = [
            ("max-age=60", Some(60)),
            ("public, Max-Age=3600, must-revalidate", Some(3600)),
            ("max-age=60, no-store", Some(0)),
            ("no-cache", Some(0)),
            ("max-age=a", Some(0)),
            ("max-age=9, max-age=7", Some(7)),
            ("public", None),
            ("s-maxage=5", None),
        ];
        for (header, wanted) in table {
            assert_eq!(max_age_s(header), wanted, "{header}");
        }
    }
}
