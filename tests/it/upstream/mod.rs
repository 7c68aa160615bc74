//! Sign-in by OpenID providers: one of the tests' own, Emberwell itself, and one that others wrote.

mod another;
pub mod browser;
mod first_time;
mod foreign;
mod links;
mod provider;
mod refused;
mod signing_in;

use emberwell::config::{NewAccounts, ProviderSecret, ProviderSettings, Settings};
use emberwell::store::{Account, NewAccount, NewIdentity, Role};
use http::Method;

use crate::support::holders::change;
use crate::support::{Answer, Database, TestServer};
use browser::Browser;
use provider::Provider;

use crate::sign_in::PASSWORD;

/// A server whose people may sign in by a provider of the test's own.
pub struct World {
    pub server: TestServer,
    pub provider: Provider,
}

/// The settings for `provider`, under the name `clinic`.
pub fn settings(provider: &Provider) -> ProviderSettings {
    ProviderSettings {
        name: "clinic".to_owned(),
        title: "Clinic ID".to_owned(),
        issuer: provider.issuer.clone(),
        client_id: "emberwell".to_owned(),
        client_secret: Some(ProviderSecret("the secret: of%the client".to_owned())),
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        new_accounts: NewAccounts::Refuse,
        link_by_email: false,
    }
}

/// Runs a behaviour with a provider as the settings have it by default.
pub fn run(database: Database, behaviour: impl AsyncFn(&World)) {
    run_with(database, |_| {}, behaviour);
}

/// The same, where accounts are made of whom the provider vouches for.
pub fn run_making(database: Database, behaviour: impl AsyncFn(&World)) {
    run_with(database, |provider| provider.new_accounts = NewAccounts::Make, behaviour);
}

/// The same, where accounts are known by addresses that the provider has verified.
pub fn run_by_email(database: Database, behaviour: impl AsyncFn(&World)) {
    run_with(database, |provider| provider.link_by_email = true, behaviour);
}

fn run_with(database: Database, change: impl FnOnce(&mut ProviderSettings), behaviour: impl AsyncFn(&World)) {
    actix_web::rt::System::new().block_on(async {
        let provider = Provider::start();
        let mut of_provider = settings(&provider);
        change(&mut of_provider);
        let with = |settings: &mut Settings| {
            settings.server.open = false;
            settings.outbound.allow = vec![of_provider.issuer.clone()];
            settings.sign_in.providers = vec![of_provider];
        };
        let Some(server) = TestServer::start_with(database, with).await else { return };
        let world = World { server, provider };
        behaviour(&world).await;
        world.server.stop().await;
        world.provider.stop().await;
    });
}

/// Where a start has sent the person, and by what the answer will be known.
pub struct Sent {
    pub location: url::Url,
    pub state: String,
    pub nonce: String,
}

impl World {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    /// Makes an account with [`PASSWORD`].
    pub fn account(&self, email: &str, role: Role) -> Account {
        let new = NewAccount {
            email: email.to_owned(),
            name: "Ana".to_owned(),
            role,
            password: Some(crate::sign_in::hash(PASSWORD)),
            fhir_user: None,
        };
        change(&self.server, move |tx| tx.add_account(&new))
    }

    /// Links what the provider means by `subject` to an account.
    pub fn linked(&self, account: &Account, subject: &str) {
        let new = NewIdentity {
            issuer: self.provider.issuer.clone(),
            subject: subject.to_owned(),
            account: account.id,
            label: Some(format!("{subject}@clinic.example")),
        };
        change(&self.server, move |tx| tx.add_identity(&new).map(|_| ()));
    }

    /// Signs in by password.
    pub async fn signed_in(&self, email: &str) -> Browser {
        let browser = Browser::new();
        let page = browser.get(&self.url("/sign-in")).await.expect(200);
        let fields = [("email", email), ("password", PASSWORD)];
        browser.post(&self.url("/sign-in"), &page, &fields).await.expect(303);
        browser
    }

    /// Begins at `path`, which leads to the provider.
    pub async fn begin(&self, browser: &Browser, path: &str) -> Sent {
        let answer = browser.get(&self.url(path)).await.expect(303);
        let location = url::Url::parse(&answer.header("Location")).unwrap();
        let of = |name: &str| location.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned();
        Sent { state: of("state"), nonce: of("nonce"), location: location.clone() }
    }

    /// Comes back from the provider with these parameters.
    pub async fn back(&self, browser: &Browser, parameters: &[(&str, &str)]) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        browser.get(&self.url(&format!("/auth/upstream/clinic/callback?{query}"))).await
    }

    /// The whole way of somebody whom the provider means by `subject`.
    pub async fn come(&self, browser: &Browser, path: &str, subject: &str) -> Answer {
        let sent = self.begin(browser, path).await;
        self.provider.tells(&self.provider.claims(subject, &sent.nonce));
        self.back(browser, &[("code", "c"), ("state", &sent.state)]).await
    }

    /// Whether somebody is signed in with this browser.
    pub async fn is_signed_in(&self, browser: &Browser) -> bool {
        browser.get(&self.url("/account/providers")).await.status == 200
    }

    /// Checks that the answer is a page that says `heading`, and that nobody is signed in by it.
    pub async fn refused(&self, browser: &Browser, answer: &Answer, status: u16, heading: &str) {
        told(answer, status, heading);
        assert!(!self.is_signed_in(browser).await, "{heading}");
    }
}

/// Checks that the answer is a page that says `heading`.
#[track_caller]
pub fn told(answer: &Answer, status: u16, heading: &str) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    assert!(text.contains(&format!("<h1>{heading}</h1>")), "wanted {heading}: {text}");
    assert!(answer.header("Content-Security-Policy").contains("default-src 'none'"));
    assert_eq!(answer.header("Cache-Control"), "no-store");
    assert_eq!(text.matches("<h1").count(), 1);
}

/// A path that begins a sign-in.
pub const START: &str = "/auth/upstream/clinic/start";

/// A request without cookies.
pub async fn bare(world: &World, path: &str) -> Answer {
    world.server.request(Method::GET, &world.url(path)).send().await
}
