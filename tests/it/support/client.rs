//! Requests, and answers with what tests ask of them.

use std::time::Duration;

use actix_web::web::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

const MOST_BYTES: usize = 64 << 20;
/// Much longer than a request may take, for a machine that compiles at the same time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Connections that are kept for later requests.
pub type Client = legacy::Client<HttpConnector, Full<Bytes>>;

/// A client that unpacks and follows nothing, sends addresses as they are, and adds no header but `Host` and the length.
pub fn client() -> Client {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// A request under way.
pub struct Request {
    client: Client,
    request: http::Request<Full<Bytes>>,
}

impl Request {
    pub fn new(client: &Client, method: Method, url: &str) -> Request {
        let mut request = http::Request::new(Full::default());
        *request.method_mut() = method;
        *request.uri_mut() = url.parse::<Uri>().unwrap_or_else(|error| panic!("{url}: {error}"));
        Request { client: client.clone(), request }
    }

    /// With this header instead of any other of its name.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        let name: HeaderName = name.parse().unwrap();
        self.request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// Sends `body` as FHIR JSON.
    pub fn json(self, body: &Value) -> Request {
        self.body("application/fhir+json", body.to_string())
    }

    pub fn body(mut self, media: &str, body: impl Into<Vec<u8>>) -> Request {
        self = self.header(CONTENT_TYPE.as_str(), media);
        *self.request.body_mut() = Full::new(Bytes::from(body.into()));
        self
    }

    pub async fn send(self) -> Answer {
        let told = async {
            let (head, body) = self.client.request(self.request).await.unwrap().into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await.unwrap().to_bytes();
            Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_vec() }
        };
        tokio::time::timeout(PATIENCE, told).await.unwrap()
    }
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Empty when the header is absent.
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// The resources of the entries of a Bundle.
    pub fn resources(&self) -> Vec<Value> {
        self.entries().into_iter().map(|entry| entry["resource"].clone()).collect()
    }

    pub fn entries(&self) -> Vec<Value> {
        self.json()["entry"].as_array().cloned().unwrap_or_default()
    }

    /// The ids of what a search matched.
    pub fn matches(&self) -> Vec<String> {
        let matched = self.entries().into_iter().filter(|entry| entry["search"]["mode"] == "match");
        matched.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The address of a link of a Bundle.
    pub fn link(&self, relation: &str) -> Option<String> {
        let bundle = self.json();
        let link = bundle["link"].as_array()?.iter().find(|link| link["relation"] == relation)?;
        Some(link["url"].as_str().unwrap().to_owned())
    }

    /// Checks that the answer is a refusal with an OperationOutcome, and gives its first issue.
    #[track_caller]
    pub fn refused(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.header("Content-Type").starts_with("application/fhir+json"), "{}", self.header("Content-Type"));
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let issue = outcome["issue"][0].clone();
        assert!(matches!(issue["severity"].as_str(), Some("error" | "fatal")), "{outcome}");
        assert!(issue["code"].is_string(), "{outcome}");
        issue
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}
