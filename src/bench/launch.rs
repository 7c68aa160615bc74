//! What it costs the server to let an app in, from the authorization endpoint to the first data, beside what it costs to hash one
//! password.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::blocking::{Client, Response};
use reqwest::header::{COOKIE, LOCATION};
use reqwest::redirect::Policy;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::bench::child::Server;
use crate::bench::load::{self, Request, Until};
use crate::bench::report::Launches;
use crate::bench::{BenchError, Plan, start, town};
use crate::clock;
use crate::fhir::Id;
use crate::records::{Password, Secret};
use crate::store::{
    ClientFacts, ClientKind, GrantLevel, Grantee, Labels, NewAccount, NewGrant, Role, Session, Store, StoreError,
};

const RESOURCES: u64 = 1_000;
/// So many launches come before those that are measured.
const WARM: usize = 20;
const HOUR_US: i64 = 3_600 * 1_000_000;
const REDIRECT: &str = "https://app.example/done";
const SCOPES: &str = "launch/patient openid fhirUser offline_access patient/Observation.rs patient/Patient.rs";
const VERIFIER: &str = "a verifier of this program's own, long enough for it";

/// An app of a person who is signed in, with a record.
struct App {
    http: Client,
    root: String,
    client: String,
    cookie: String,
}

/// Launches an app for `plan.span`, one launch after another, each with the consent page.
pub(super) fn measure(plan: &Plan, folder: &Path, progress: &dyn Fn(&str)) -> Result<Launches, BenchError> {
    let open = start(plan, folder)?;
    for part in 0..RESOURCES.div_ceil(town::OF_TRANSACTION) {
        let request = move |_| Request { method: "POST", path: "/fhir".to_owned(), body: town::transaction(part) };
        load::run(open.address, None, 1, Until::Sent(1), 0, request)?;
    }
    open.stop()?;
    let database = plan.database(folder);
    let patient = Id::parse(&town::record(RESOURCES)).map_err(|_| BenchError::NothingStored)?;
    let (client, cookie) = people(&database, &patient)?;
    let server = Server::start(folder, &["serve", "--listen", "127.0.0.1:0", "--database", &database])?;
    let http = Client::builder().redirect(Policy::none()).build().map_err(broken)?;
    let app = App { http, root: format!("http://{}", server.address), client, cookie };
    progress("letting an app in, again and again");
    for _ in 0..WARM {
        app.launch()?;
    }
    let (begun, before_us) = (Instant::now(), server.cpu_us()?);
    let mut launches = 0_u32;
    while begun.elapsed() < plan.span {
        app.launch()?;
        launches += 1;
    }
    let elapsed_ms = begun.elapsed().as_secs_f64() * 1_000.0 / f64::from(launches.max(1));
    let launch_us = (server.cpu_us()? - before_us) as f64 / f64::from(launches.max(1));
    server.stop()?;
    progress("hashing a password, again and again");
    Ok(Launches { database: plan.database_name(), launches, launch_us, elapsed_ms, hash_us: hash_us(plan.span)? })
}

/// How long it takes to hash one password, in this process, which does nothing else meanwhile.
fn hash_us(span: Duration) -> Result<f64, BenchError> {
    let password = Password::chosen(VERIFIER, &[]).map_err(|error| broken(error.to_string()))?;
    let (begun, mut hashes) = (Instant::now(), 0_u32);
    while begun.elapsed() < span {
        password.hash().map_err(broken)?;
        hashes += 1;
    }
    Ok(begun.elapsed().as_secs_f64() * 1_000_000.0 / f64::from(hashes.max(1)))
}

impl App {
    /// From the authorization endpoint to the first data.
    fn launch(&self) -> Result<(), BenchError> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let base = format!("{}/fhir", self.root);
        let asked = Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", &self.client),
                ("redirect_uri", REDIRECT),
                ("scope", SCOPES),
                ("state", "state"),
                ("aud", &base),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
                ("prompt", "consent"),
            ])
            .finish();
        let page = self.http.get(format!("{}/auth/authorize?{asked}", self.root)).header(COOKIE, &self.cookie);
        let page = text(page.send())?;
        let csrf = between(&page, "name=\"csrf\" value=\"", "\"").ok_or(BenchError::NothingFound("consent page"))?;
        let answer = Serializer::new(String::new())
            .extend_pairs([("csrf", csrf), ("request", &asked), ("decision", "allow")])
            .extend_pairs(SCOPES.split(' ').map(|scope| ("scope", scope)))
            .finish();
        let consent = self.form("/auth/consent", answer).header(COOKIE, &self.cookie).send().map_err(broken)?;
        let way = consent.headers().get(LOCATION).and_then(|way| way.to_str().ok()).unwrap_or_default();
        let way = Url::parse(way).map_err(|_| BenchError::NothingFound("way back to the app"))?;
        let code = way.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
        let code = code.ok_or(BenchError::NothingFound("code"))?;
        let exchange = Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", REDIRECT),
                ("client_id", &self.client),
                ("code_verifier", VERIFIER),
            ])
            .finish();
        let tokens = text(self.form("/auth/token", exchange).send())?;
        let tokens: Value = serde_json::from_str(&tokens).map_err(broken)?;
        let token = tokens["access_token"].as_str().ok_or(BenchError::NothingFound("token"))?;
        let data = text(self.http.get(format!("{base}/Observation?_count=10")).bearer_auth(token).send())?;
        if data.contains("\"Observation\"") { Ok(()) } else { Err(BenchError::NothingFound("first data")) }
    }

    fn form(&self, path: &str, body: String) -> reqwest::blocking::RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.root));
        request.header("Content-Type", "application/x-www-form-urlencoded").body(body)
    }
}

/// A person with a record who is signed in, and an app; gives the app's id and the cookie.
fn people(database: &str, patient: &Id) -> Result<(String, String), BenchError> {
    let store = Store::open(database, 1, None)?;
    store.gather_statistics()?;
    let secret = Secret::random().map_err(broken)?;
    let (hash, patient) = (secret.hash(), patient.clone());
    let client = store.write(move |tx| {
        let account = tx.add_account(&NewAccount {
            email: "somebody@town.example".to_owned(),
            name: "Somebody of the town".to_owned(),
            role: Role::Person,
            password: None,
            fhir_user: Some(format!("Patient/{patient}")),
        })?;
        tx.add_grant(&NewGrant {
            patient: Some(patient.clone()),
            to: Grantee::Account(account.id),
            level: GrantLevel::Custodian,
            scopes: "patient/*.cruds".to_owned(),
            labels: Labels::Normal,
            sees_history: true,
            until_us: None,
            reason: None,
            origin: "bench".to_owned(),
            granted_by: None,
        })?;
        let now_us = clock::now_us();
        tx.add_session(&Session {
            hash,
            account: account.id,
            created_us: now_us,
            seen_us: now_us,
            verified_us: now_us,
            expires_us: now_us + HOUR_US,
            factors: "pwd".to_owned(),
            agent: String::new(),
        })?;
        let client = tx.add_client(&ClientFacts {
            scopes: SCOPES.to_owned(),
            redirect_uris: vec![REDIRECT.to_owned()],
            ..ClientFacts::of("bench-app", "An app", ClientKind::Public)
        })?;
        Ok::<_, StoreError>(client.facts.id)
    })?;
    Ok((client, format!("emberwell={}", secret.as_str())))
}

fn text(answer: reqwest::Result<Response>) -> Result<String, BenchError> {
    answer.and_then(Response::error_for_status).and_then(Response::text).map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> BenchError {
    BenchError::Io(std::io::Error::other(error.to_string()))
}

fn between<'t>(text: &'t str, before: &str, behind: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(behind)?.0)
}
