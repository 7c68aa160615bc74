//! Sign-in by another Emberwell: the same program on both sides, with its own forms.

use emberwell::config::{NewAccounts, ProviderSecret, ProviderSettings, Settings};
use emberwell::records::Secret;
use emberwell::store::{Account, ClientFacts, ClientKind, NewAccount, NewIdentity, Role};

use super::browser::{Browser, attribute, tags};
use super::told;
use crate::sign_in::PASSWORD;
use crate::support::holders::change;
use crate::support::{Answer, Database, TestServer, on_both};

on_both!(by crate::upstream::another::run:
    people_of_one_server_sign_in_at_another,
    who_does_not_allow_it_is_not_signed_in,
);

/// The client that the one is registered as at the other.
const CLIENT: &str = "the-other-server";

/// A server, and another by which its people sign in.
struct Pair {
    server: TestServer,
    provider: TestServer,
}

fn run(database: Database, behaviour: impl AsyncFn(&Pair)) {
    actix_web::rt::System::new().block_on(async {
        let closed = |settings: &mut Settings| settings.server.open = false;
        let Some(provider) = TestServer::start_with(database, closed).await else { return };
        let secret = Secret::random().unwrap();
        let of_provider = ProviderSettings {
            name: "other".to_owned(),
            title: "The other Emberwell".to_owned(),
            issuer: provider.url.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: Some(ProviderSecret(secret.as_str().to_owned())),
            scopes: vec!["openid".to_owned()],
            new_accounts: NewAccounts::Refuse,
            link_by_email: false,
        };
        let with = |settings: &mut Settings| {
            settings.server.open = false;
            settings.outbound.allow = vec![of_provider.issuer.clone()];
            settings.sign_in.providers = vec![of_provider];
        };
        let Some(server) = TestServer::start_with(database, with).await else { return };
        let facts = ClientFacts {
            redirect_uris: vec![format!("{}/auth/upstream/other/callback", server.url)],
            scopes: "openid".to_owned(),
            // It asks who somebody is, and for nothing of any record.
            goes_without_aud: true,
            secret_hash: Some(secret.hash()),
            ..ClientFacts::of(CLIENT, "Another home", ClientKind::Confidential)
        };
        change(&provider, move |tx| tx.add_client(&facts).map(|_| ()));
        let pair = Pair { server, provider };
        behaviour(&pair).await;
        pair.server.stop().await;
        pair.provider.stop().await;
    });
}

fn account(server: &TestServer, email: &str) -> Account {
    let new = NewAccount {
        email: email.to_owned(),
        name: "Ana".to_owned(),
        role: Role::Person,
        password: Some(crate::sign_in::hash(PASSWORD)),
        fhir_user: None,
    };
    change(server, move |tx| tx.add_account(&new))
}

impl Pair {
    /// From the start to the page of the other server that asks whether to let this one in.
    async fn asked(&self, browser: &Browser) -> Answer {
        let start = format!("{}/auth/upstream/other/start?next=/account/providers", self.server.url);
        let authorize = browser.get(&start).await.expect(303).header("Location");
        let sign_in = browser.get(&authorize).await.expect(303).header("Location");
        let sign_in = url::Url::parse(&authorize).unwrap().join(&sign_in).unwrap();
        let page = browser.get(sign_in.as_str()).await.expect(200);
        let fields = [("email", "ana@there.example"), ("password", PASSWORD)];
        let back = browser.post(&format!("{}/sign-in", self.provider.url), &page, &fields).await.expect(303);
        let back = sign_in.join(&back.header("Location")).unwrap();
        browser.get(back.as_str()).await
    }

    /// Answers that page, and comes back with what the other server says.
    async fn decided(&self, browser: &Browser, page: &Answer, decision: &str) -> Answer {
        let text = page.text();
        let boxes = tags(&text, "input").into_iter().filter(|tag| attribute(tag, "name").as_deref() == Some("scope"));
        let values: Vec<String> = boxes.filter_map(|tag| attribute(tag, "value")).collect();
        let mut fields: Vec<(&str, &str)> = values.iter().map(|value| ("scope", value.as_str())).collect();
        fields.push(("decision", decision));
        let answer = browser.post(&format!("{}/auth/consent", self.provider.url), page, &fields).await.expect(303);
        browser.get(&answer.header("Location")).await
    }
}

async fn people_of_one_server_sign_in_at_another(pair: &Pair) {
    let there = account(&pair.provider, "ana@there.example");
    let here = account(&pair.server, "ana@here.example");
    let browser = Browser::new();
    let page = pair.asked(&browser).await.expect(200);
    assert!(page.text().contains("Another home"), "{}", page.text());
    told(&pair.decided(&browser, &page, "allow").await, 403, "No account is linked yet");

    let store = emberwell::store::Store::open(pair.provider.database(), 2, None).unwrap();
    let linked = NewIdentity {
        issuer: pair.provider.url.clone(),
        subject: emberwell::auth::subject(&store, CLIENT, there.id),
        account: here.id,
        label: None,
    };
    change(&pair.server, move |tx| tx.add_identity(&linked).map(|_| ()));
    // Signed in there, and allowed: the other server asks no more.
    let start = format!("{}/auth/upstream/other/start?next=/account/providers", pair.server.url);
    let authorize = browser.get(&start).await.expect(303).header("Location");
    let callback = browser.get(&authorize).await.expect(303).header("Location");
    assert!(callback.contains("iss="), "{callback}");
    let answer = browser.get(&callback).await.expect(303);

    assert_eq!(answer.header("Location"), "/account/providers");
    let page = browser.get(&format!("{}/account/providers", pair.server.url)).await.expect(200).text();
    assert!(page.contains("The other Emberwell"), "{page}");
}

async fn who_does_not_allow_it_is_not_signed_in(pair: &Pair) {
    account(&pair.provider, "ana@there.example");
    let browser = Browser::new();
    let page = pair.asked(&browser).await.expect(200);

    told(&pair.decided(&browser, &page, "deny").await, 403, "You were not signed in");
}
