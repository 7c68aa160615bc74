//! Apps that people let in: from the authorization endpoint to data, over HTTP as an app and a browser speak it.

mod app_state;
mod authorize;
mod codes;
mod consent;
mod identity;
mod launches;
mod mixed;
mod pages;
mod picking;
mod refresh;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use emberwell::fhir::Id;
use emberwell::records::Password;
use emberwell::store::{
    Account, Client, ClientFacts, ClientKind, GrantLevel, Grantee, Labels, NewAccount, NewGrant, PasswordHash, Role,
    SecretHash,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::access::family::fill;
use crate::auth::backend::post;
use crate::support::browser::{Browser, Form, form};
use crate::support::holders::change;
use crate::support::{Answer, TestServer};

pub const EMAIL: &str = "ana@example.org";
pub const PASSWORD: &str = "seven slow herons wade";
pub const REDIRECT: &str = "https://app.example/done";
pub const SECRET: &str = "a secret that nobody can guess";
/// The verifier and the challenge of RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const SCOPES: &str = "launch launch/patient openid fhirUser offline_access online_access patient/*.rs patient/Observation.cruds \
                          patient/Condition.rs user/*.rs";

/// A family in the database, with a person who keeps some of its records.
pub struct Home {
    pub operator: String,
    pub account: Account,
}

/// Fills the server. The person keeps the records of these patients.
pub async fn home(server: &TestServer, records: &[&'static str]) -> Home {
    let operator = fill(server).await.token;
    let account = person(server, EMAIL, records, GrantLevel::Custodian);
    Home { operator, account }
}

/// A person who signs in by [`PASSWORD`], and is known as the practitioner `doc`.
pub fn person(server: &TestServer, email: &'static str, records: &[&'static str], level: GrantLevel) -> Account {
    static HASH: OnceLock<String> = OnceLock::new();
    let hash = HASH.get_or_init(|| Password::chosen(PASSWORD, &[]).unwrap().hash().unwrap().0);
    let records: Vec<Id> = records.iter().map(|id| Id::parse(id).unwrap()).collect();
    change(server, move |tx| {
        let account = tx.add_account(&NewAccount {
            email: email.to_owned(),
            name: "Ana Silva".to_owned(),
            role: Role::Person,
            password: Some(PasswordHash(hash.clone())),
            fhir_user: Some("Practitioner/doc".to_owned()),
        })?;
        for record in &records {
            tx.add_grant(&NewGrant {
                patient: Some(record.clone()),
                to: Grantee::Account(account.id),
                level,
                scopes: if level == GrantLevel::View { "patient/*.rs" } else { "patient/*.cruds" }.to_owned(),
                labels: Labels::Normal,
                sees_history: true,
                until_us: None,
                reason: None,
                origin: "test".to_owned(),
                granted_by: None,
            })?;
        }
        Ok(account)
    })
}

/// An app that keeps no secret, and comes back to [`REDIRECT`].
pub fn public() -> ClientFacts {
    ClientFacts {
        redirect_uris: vec![REDIRECT.to_owned()],
        launch_uri: Some("https://app.example/launch".to_owned()),
        scopes: SCOPES.to_owned(),
        reasons: BTreeMap::from([("patient/Observation.cruds".to_owned(), "to draw curves".to_owned())]),
        ..ClientFacts::of("growth", "Growth", ClientKind::Public)
    }
}

/// An app that shows who it is by [`SECRET`].
pub fn confidential() -> ClientFacts {
    ClientFacts {
        redirect_uris: vec![REDIRECT.to_owned()],
        scopes: SCOPES.to_owned(),
        secret_hash: Some(SecretHash::of(SECRET.as_bytes())),
        ..ClientFacts::of("clinic", "Clinic", ClientKind::Confidential)
    }
}

/// Registers an app, as an operator does.
pub fn register(server: &TestServer, new: ClientFacts) -> Client {
    change(server, move |tx| tx.add_client(&new))
}

/// The address to which an app sends a person; `changes` replace parameters, or leave them out when they are empty.
pub fn address(server: &TestServer, client: &Client, scopes: &str, changes: &[(&str, &str)]) -> String {
    let base = server.base.clone();
    let usual = [
        ("response_type", "code"),
        ("client_id", &client.id),
        ("redirect_uri", REDIRECT),
        ("scope", scopes),
        ("state", "a state & more"),
        ("aud", &base),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("nonce", "once"),
    ];
    let mut pairs: Vec<(&str, &str)> = usual.to_vec();
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    format!("/auth/authorize?{}", Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// What came back to the app, by name.
#[track_caller]
pub fn returned(answer: &Answer) -> BTreeMap<String, String> {
    returned_to(answer, REDIRECT)
}

#[track_caller]
fn returned_to(answer: &Answer, redirect: &str) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 303, "{}", answer.text());
    let location = answer.header("Location");
    assert!(location.starts_with(&format!("{redirect}?")), "{location}");
    Url::parse(&location).unwrap().query_pairs().into_owned().collect()
}

/// Ticks these boxes and no others.
pub fn ticking(form: Form, scopes: &[&str]) -> Form {
    let mut form = form;
    form.fields.retain(|(name, _)| !matches!(name.as_str(), "scope" | "until"));
    form.fields.extend(scopes.iter().map(|scope| ("scope".to_owned(), (*scope).to_owned())));
    form
}

/// The consent form of a page, in which no record is chosen yet where there are several.
pub fn consent(page: &Answer) -> Form {
    let mut form = form(page, "/auth/consent");
    if form.fields.iter().filter(|(name, _)| name == "record").count() > 1 {
        form.fields.retain(|(name, _)| name != "record");
    }
    form
}

/// Goes to the consent page and allows these scopes for this record; gives the code.
pub async fn code(
    browser: &Browser<'_>,
    server: &TestServer,
    client: &Client,
    scopes: &str,
    record: Option<&str>,
) -> String {
    code_at(browser, server, client, scopes, record, &[]).await
}

/// As [`code`], with an address that `changes` as [`address`] does.
pub async fn code_at(
    browser: &Browser<'_>,
    server: &TestServer,
    client: &Client,
    scopes: &str,
    record: Option<&str>,
    changes: &[(&str, &str)],
) -> String {
    let redirect = changes.iter().find(|(name, _)| *name == "redirect_uri").map_or(REDIRECT, |(_, uri)| uri);
    let page = browser.get(&address(server, client, scopes, changes)).await;
    if page.status == 303 {
        return returned_to(&page, redirect)["code"].clone();
    }
    let ticked: Vec<&str> = scopes.split(' ').collect();
    let mut form = ticking(consent(&page), &ticked).with("decision", "allow");
    if let Some(record) = record {
        form = form.with("record", record);
    }
    returned_to(&browser.send_form(&form).await, redirect)["code"].clone()
}

/// Exchanges a code; `changes` as in [`address`].
pub async fn exchange(server: &TestServer, client: &Client, code: &str, changes: &[(&str, &str)]) -> Answer {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("client_id", &client.id),
        ("code_verifier", VERIFIER),
    ];
    if client.kind == ClientKind::Confidential {
        pairs.push(("client_secret", SECRET));
    }
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    post(server, "/auth/token", &pairs).await
}

/// A browser in which the person has signed in.
pub async fn signed_in(server: &TestServer) -> Browser<'_> {
    let browser = Browser::new(server);
    browser.sign_in(EMAIL, PASSWORD).await;
    browser
}

/// The answer with tokens, for an app that was let in.
pub async fn let_in(server: &TestServer, client: &Client, scopes: &str, record: Option<&str>) -> Value {
    let browser = signed_in(server).await;
    let code = code(&browser, server, client, scopes, record).await;
    exchange(server, client, &code, &[]).await.expect(200).json()
}

/// The challenge of a verifier.
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[track_caller]
pub fn invalid_grant(answer: &Answer) {
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")), "{}", answer.text());
    assert_eq!(answer.header("Cache-Control"), "no-store");
}

/// Asks again until the answer is what is waited for: what another process changes is noticed within a second.
pub async fn soon(status: u16, ask: impl AsyncFn() -> u16) {
    let begun = Instant::now();
    loop {
        let answered = ask().await;
        if answered == status {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "still {answered}, not {status}");
    }
}

/// The token of an answer.
pub fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}"))
}
