//! Requests, and answers with what tests ask of them.

use std::time::Duration;

use awc::http::header::HeaderMap;
use awc::{Client, ClientRequest};
use serde_json::Value;

const MOST_BYTES: usize = 64 << 20;
/// Much longer than a request may take, for a machine that compiles at the same time.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client that unpacks and follows nothing.
pub fn client() -> Client {
    Client::builder().timeout(PATIENCE).disable_redirects().finish()
}

/// A request under way.
pub struct Request {
    request: ClientRequest,
    body: Vec<u8>,
}

impl Request {
    pub fn new(request: ClientRequest) -> Request {
        Request { request, body: Vec::new() }
    }

    pub fn header(self, name: &str, value: &str) -> Request {
        Request { request: self.request.insert_header((name, value)), ..self }
    }

    /// Sends `body` as FHIR JSON.
    pub fn json(self, body: &Value) -> Request {
        self.body("application/fhir+json", body.to_string())
    }

    pub fn body(self, media: &str, body: impl Into<Vec<u8>>) -> Request {
        Request { body: body.into(), ..self.header("Content-Type", media) }
    }

    pub async fn send(self) -> Answer {
        let mut response = self.request.send_body(self.body).await.unwrap();
        let body = response.body().limit(MOST_BYTES).await.unwrap().to_vec();
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
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
