//! Clients that are registered behind the server's back, and their requests.

use emberwell::store::{Client, ClientFacts, ClientKind, Grant, GrantLevel, Grantee, Labels, NewGrant, SecretHash};
use http::Method;
use serde_json::Value;

use super::keys::Key;
use super::signed::Unsigned;
use crate::support::holders::change;
use crate::support::{Answer, TestServer};

pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A backend client without keys, for tests to change.
pub fn backend(scopes: &str) -> ClientFacts {
    let id = uuid::Uuid::new_v4().simple().to_string();
    ClientFacts { scopes: scopes.to_owned(), ..ClientFacts::of(&id, "Laboratory", ClientKind::Backend) }
}

/// A confidential client with this secret.
pub fn confidential(secret: &str) -> ClientFacts {
    ClientFacts {
        kind: ClientKind::Confidential,
        redirect_uris: vec!["https://app.example/done".to_owned()],
        secret_hash: Some(SecretHash::of(secret.as_bytes())),
        ..backend("patient/*.rs")
    }
}

/// Registers a client, with a grant of `granted` on all records.
pub fn register(server: &TestServer, new: ClientFacts, granted: &str) -> (Client, Grant) {
    let granted = granted.to_owned();
    change(server, move |tx| {
        let client = tx.add_client(&new)?;
        let grant = tx.add_grant(&NewGrant {
            patient: None,
            to: Grantee::Client(client.id.clone()),
            level: GrantLevel::OwnChoice,
            scopes: granted.clone(),
            labels: Labels::VeryRestricted,
            sees_history: true,
            until_us: None,
            reason: None,
            origin: "command".to_owned(),
            granted_by: None,
        })?;
        Ok((client, grant))
    })
}

/// Posts a form to an endpoint, such as `/auth/token`, or to a whole address.
pub async fn post(server: &TestServer, path: &str, pairs: &[(&str, &str)]) -> Answer {
    post_as(server, path, None, pairs).await
}

/// As `post`, with the header `Authorization`.
pub async fn post_as(server: &TestServer, path: &str, authorization: Option<&str>, pairs: &[(&str, &str)]) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    let url = if path.starts_with("http://") { path.to_owned() } else { format!("{}{path}", server.url) };
    let request = server.request(Method::POST, &url);
    let request = request.body("application/x-www-form-urlencoded", form.finish());
    match authorization {
        Some(authorization) => request.header("Authorization", authorization).send().await,
        None => request.send().await,
    }
}

/// As `post`, as a proxy sends it for somebody at `address`.
pub async fn post_from(server: &TestServer, address: &str, path: &str, pairs: &[(&str, &str)]) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    let request = server.request(Method::POST, &format!("{}{path}", server.url)).header("X-Forwarded-For", address);
    request.body("application/x-www-form-urlencoded", form.finish()).send().await
}

/// Asks for a token by this assertion.
pub async fn ask(server: &TestServer, assertion: &str, scope: &str) -> Answer {
    ask_at(server, "/auth/token", assertion, scope).await
}

/// As `ask`, at this address.
pub async fn ask_at(server: &TestServer, path: &str, assertion: &str, scope: &str) -> Answer {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
        ("scope", scope),
    ];
    post(server, path, &pairs).await
}

/// Gets a token for a client that signs with `key`, whose kid is `k1`.
pub async fn token(server: &TestServer, client: &Client, key: &Key, scope: &str) -> String {
    let answer = ask(server, &Unsigned::of(&client.id, key).signed(key), scope).await.expect(200);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// Checks that the answer is a refusal as OAuth writes it, and gives its description.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, error: &str) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), "application/json");
    assert_eq!(
        (answer.header("Cache-Control"), answer.header("Pragma")),
        ("no-store".to_owned(), "no-cache".to_owned())
    );
    let told = answer.json();
    assert_eq!(told["error"], error, "{told}");
    told["error_description"].as_str().unwrap().to_owned()
}

/// What introspection says, when `asking` asks.
pub async fn introspected(server: &TestServer, asking: &Client, key: &Key, token: &str) -> Value {
    let assertion = Unsigned::of(&asking.id, key).signed(key);
    let pairs = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion), ("token", token)];
    post(server, "/auth/introspect", &pairs).await.expect(200).json()
}
