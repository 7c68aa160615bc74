//! A server inside the test, on a port of its own.

use emberwell::config::{RateSettings, Settings};
use emberwell::server::{Running, start};
use http::Method;
use serde_json::Value;

use crate::support::client::{Answer, Client, Request, client};
use crate::support::database::{Database, Home};

/// A running server and a client for it.
pub struct TestServer {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// The FHIR base; no slash at the end.
    pub base: String,
    client: Client,
    running: Running,
    // Last, so that the database goes when nobody uses it any more.
    home: Option<Home>,
    address: String,
}

/// Runs one behaviour on a fresh server.
pub fn run(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    run_with(database, |_| {}, behaviour);
}

/// As [`run`], on a server that needs a token.
pub fn run_closed(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    run_with(database, |settings| settings.server.open = false, behaviour);
}

/// As [`run`], with the settings that `change` changes.
pub fn run_with(database: Database, change: impl FnOnce(&mut Settings), behaviour: impl AsyncFn(&TestServer)) {
    actix_web::rt::System::new().block_on(async {
        let Some(server) = TestServer::start_with(database, change).await else { return };
        behaviour(&server).await;
        server.stop().await;
    });
}

impl TestServer {
    /// Starts a server with an empty database; `None` when the database can't be had here.
    pub async fn start(database: Database) -> Option<TestServer> {
        TestServer::start_with(database, |_| {}).await
    }

    /// As `start`, with the settings that `change` changes.
    pub async fn start_with(database: Database, change: impl FnOnce(&mut Settings)) -> Option<TestServer> {
        let home = Home::make(database)?;
        let address = home.address.clone();
        Some(TestServer { home: Some(home), ..TestServer::over(address, change).await })
    }

    /// Starts a server on a database with nothing in it, which it is to migrate; otherwise as `start`.
    pub async fn start_on_nothing(database: Database) -> Option<TestServer> {
        let home = Home::make_empty(database)?;
        let address = home.address.clone();
        Some(TestServer { home: Some(home), ..TestServer::over(address, |_| {}).await })
    }

    /// Starts another server over the same database, with the settings that `change` changes. Stop it first.
    pub async fn beside(&self, change: impl FnOnce(&mut Settings)) -> TestServer {
        TestServer::over(self.address.clone(), change).await
    }

    /// Stops the server and starts another over its database, with the settings that `change` changes.
    pub async fn again(self, change: impl FnOnce(&mut Settings)) -> TestServer {
        drop(self.client);
        self.running.stop().await.unwrap();
        TestServer { home: self.home, ..TestServer::over(self.address, change).await }
    }

    async fn over(address: String, change: impl FnOnce(&mut Settings)) -> TestServer {
        let mut settings = Settings::default();
        settings.server.listen = "127.0.0.1:0".to_owned();
        settings.server.database = address.clone();
        settings.server.open = true;
        // Tests ask more often than anybody; those of the limits set their own.
        settings.rates = RateSettings::OFF;
        // So that tests of a few resources meet criteria that have many rows, too.
        settings.limits.plan.counted = 4;
        change(&mut settings);
        let running = start(settings).await.unwrap();
        let url = running.url.clone();
        TestServer { base: format!("{url}/fhir"), url, client: client(), running, home: None, address }
    }

    /// The link by which the first account is made, where there is none yet.
    pub fn set_up_link(&self) -> Option<&str> {
        self.running.set_up.as_deref()
    }

    /// The address of the database, for a second server.
    pub fn database(&self) -> &str {
        &self.address
    }

    /// Stops the server and removes its database.
    pub async fn stop(self) {
        // Connections that are kept for later requests would keep the server waiting.
        drop(self.client);
        self.running.stop().await.unwrap();
        drop(self.home);
    }

    /// A request at `path`, which is below the FHIR base, or an address as the server gave it.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = match path {
            "" => self.base.clone(),
            path if path.starts_with("http://") => path.to_owned(),
            path if path.starts_with(['/', '?']) => format!("{}{path}", self.base),
            path => format!("{}/{path}", self.base),
        };
        Request::new(&self.client, method, &url)
    }

    /// As [`TestServer::request`], by the holder of `token`.
    pub fn request_as(&self, token: &str, method: Method, path: &str) -> Request {
        self.request(method, path).header("Authorization", &format!("Bearer {token}"))
    }

    pub async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.request_as(token, Method::GET, path).send().await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path).json(body).send().await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::PUT, path).json(body).send().await
    }

    /// Creates a resource and gives its id.
    pub async fn create(&self, resource: &Value) -> String {
        let answer = self.post(resource["resourceType"].as_str().unwrap(), resource).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Checks that each search finds these ids, which stand in alphabetical order, and counts as many.
    pub async fn check_found(&self, cases: &[(&str, &[&str])]) {
        for (search, wanted) in cases {
            let mut found = self.found(search).await;
            found.sort();
            assert_eq!(found, *wanted, "{search}");
            let counted = self.get(&format!("{search}&_summary=count")).await.expect(200).json();
            assert_eq!(counted["total"], wanted.len(), "{search}");
        }
    }

    /// The ids that a search finds on its first page, in their order.
    pub async fn found(&self, search: &str) -> Vec<String> {
        let answer = self.get(search).await;
        assert_eq!(answer.status, 200, "{search}: {}", answer.text());
        answer.matches()
    }

    /// How many resources of a type there are.
    pub async fn count(&self, type_name: &str) -> u64 {
        let answer = self.get(&format!("{type_name}?_summary=count")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["total"].as_u64().unwrap()
    }
}
