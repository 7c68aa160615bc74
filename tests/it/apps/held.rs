//! `/apps`: what a person lets apps do, and taking it back.

use emberwell::fhir::Id;
use emberwell::store::{
    AccessToken, ClientFacts, ClientKind, GrantLevel, Grantee, Labels, NewGrant, SecretHash, TokenKind,
};
use url::Url;

use super::browser::{post, signed_in, submit};
use super::{closed, custodian};
use crate::support::browser::Browser;
use crate::support::database::execute;
use crate::support::holders::{change, is_live};
use crate::support::{TestServer, on_both};

on_both!(people_see_what_apps_may_do, what_is_taken_back_is_over_at_once, an_app_is_opened_on_a_record,);

const DAY_US: i64 = 24 * 3_600_000_000;

/// An app that `account` lets see the record, with a live token of it.
fn allowed(server: &TestServer, id: &'static str, account: i64, record: &str, scopes: &'static str) -> String {
    let facts = ClientFacts {
        publisher: Some("Curves Ltd".to_owned()),
        redirect_uris: vec!["https://app.example/done".to_owned()],
        launch_uri: Some("https://app.example/launch?x=1".to_owned()),
        scopes: scopes.to_owned(),
        ..ClientFacts::of(id, &format!("App {id}"), ClientKind::Public)
    };
    let patient = Id::parse(record).unwrap();
    let now_us = emberwell::clock::now_us();
    let token = format!("token-{id}");
    let hash = SecretHash::of(token.as_bytes());
    change(server, move |tx| {
        tx.add_client(&facts)?;
        let grant = tx.add_grant(&NewGrant {
            patient: Some(patient.clone()),
            to: Grantee::Client(facts.id.clone()),
            level: GrantLevel::OwnChoice,
            scopes: scopes.to_owned(),
            labels: Labels::Normal,
            sees_history: false,
            until_us: Some(now_us + 10 * DAY_US),
            reason: None,
            origin: "consent".to_owned(),
            granted_by: Some(account),
        })?;
        tx.add_token(&AccessToken {
            hash,
            kind: TokenKind::Access,
            client: Some(facts.id.clone()),
            account: Some(account),
            grant: Some(grant.id),
            patient: Some(patient.clone()),
            encounter: None,
            scopes: scopes.to_owned(),
            issued_us: now_us,
            expires_us: now_us + DAY_US,
            revoked_us: None,
            family: None,
            session: None,
            context: None,
            auth_time_us: None,
        })
    });
    token
}

async fn people_see_what_apps_may_do(server: &TestServer) {
    let (account, record) = custodian(server, "anna").await;
    let (other, others) = custodian(server, "bert").await;
    allowed(server, "one", account, &record, "patient/Observation.rs offline_access");
    allowed(server, "two", other, &others, "patient/Condition.rs");
    let server = closed(server, |_| {}).await;
    let browser = signed_in(&server, "anna").await;

    let page = browser.get("/apps").await.expect(200);
    let today: String = emberwell::records::instant(emberwell::clock::now_us()).chars().take(10).collect();
    for told in [
        "App one",
        "By Curves Ltd; nobody has checked",
        "anna",
        "it goes on",
        &format!("<dt>Last used</dt><dd><time datetime=\"{today}"),
    ] {
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
    assert!(!page.text().contains("bert") && !page.text().contains("Not used for 90 days"));
    assert!(page.header("Content-Security-Policy").contains("https://app.example"));
    let long_ago = emberwell::clock::now_us() - 91 * DAY_US;
    execute(server.database(), &format!("UPDATE grant_use SET used_us = {long_ago}"));
    assert!(browser.get("/apps").await.text().contains("Not used for 90 days"));
    let stranger = Browser::new(&server).get("/apps").await.expect(303);
    assert_eq!(stranger.header("Location"), "/sign-in?next=%2Fapps");
    server.stop().await;
}

async fn what_is_taken_back_is_over_at_once(server: &TestServer) {
    let (account, record) = custodian(server, "anna").await;
    let (other, others) = custodian(server, "bert").await;
    let one = allowed(server, "one", account, &record, "patient/Observation.rs");
    let two = allowed(server, "two", account, &record, "patient/Observation.rs");
    let three = allowed(server, "three", account, &record, "patient/Observation.rs");
    let berts = allowed(server, "four", other, &others, "patient/Observation.rs");
    let server = closed(server, |_| {}).await;
    let browser = signed_in(&server, "anna").await;
    let page = browser.get("/apps").await.expect(200);
    let ask = async |token: &str| {
        let request = server.request(http::Method::GET, &format!("{}/Observation?_count=1", server.base));
        request.header("Authorization", &format!("Bearer {token}")).send().await.status
    };
    assert_eq!((ask(&one).await, ask(&two).await), (200, 200));

    submit(&browser, &page, "/apps", &[("client_id", "one")]).await.expect(303);
    assert_eq!((ask(&one).await, ask(&two).await), (401, 200));
    assert!(!browser.get("/apps").await.text().contains("App one</h2>"));
    submit(&browser, &page, "/apps", &[("client_id", "four")]).await.expect(303);
    assert!(is_live(&server, &berts), "that is Bert's");
    post(&browser, "/apps", &[("csrf", "x"), ("client_id", "two")]).await.expect(403);
    submit(&browser, &page, "/apps", &[]).await.expect(400);
    assert_eq!(ask(&two).await, 200);
    submit(&browser, &page, "/apps", &[("all", "yes")]).await.expect(303);
    assert_eq!((ask(&two).await, ask(&three).await, ask(&berts).await), (401, 401, 200));
    assert!(browser.get("/apps").await.text().contains("You have not let any app in"));
    server.stop().await;
}

async fn an_app_is_opened_on_a_record(server: &TestServer) {
    let (account, record) = custodian(server, "anna").await;
    allowed(server, "one", account, &record, "launch patient/Observation.rs");
    let server = closed(server, |_| {}).await;
    let browser = signed_in(&server, "anna").await;
    let page = browser.get("/apps").await.expect(200);

    let gone = submit(&browser, &page, "/apps/open", &[("client_id", "one"), ("record", &record)]).await.expect(303);
    let address = Url::parse(&gone.header("Location")).unwrap();
    let pairs: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    assert!(address.as_str().starts_with("https://app.example/launch?x=1&"), "{address}");
    assert_eq!(pairs[1], ("iss".to_owned(), server.base.clone()));
    let handle = SecretHash::of(pairs[2].1.as_bytes());
    let launch = change(&server, move |tx| tx.launch(&handle)).unwrap();
    assert_eq!((launch.account, launch.context), (account, format!("{{\"patient\":\"{record}\"}}")));

    for wrong in [[("client_id", "one"), ("record", "other")], [("client_id", "none"), ("record", &record)]] {
        submit(&browser, &page, "/apps/open", &wrong).await.expect(400);
    }
    server.stop().await;
}
