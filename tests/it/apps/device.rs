//! The device grant: RFC 8628.

use emberwell::config::RateSettings;
use emberwell::store::{Client, ClientFacts, ClientKind};
use http::Method;
use serde_json::Value;

use super::browser::{csrf, post as post_form, signed_in, submit};
use super::{closed, custodian, send};
use crate::auth::backend::{post, refused};
use crate::support::browser::{Browser, form};
use crate::support::database::execute;
use crate::support::holders::change;
use crate::support::raw::eventually;
use crate::support::{Answer, TestServer, on_both};

on_both!(
    a_device_is_let_in_by_the_code_that_it_shows,
    a_device_gets_offline_access_after_the_person_has_signed_out,
    a_device_that_is_not_let_in_gets_nothing,
    a_code_is_over_in_time_and_after_five_tries,
    only_what_is_registered_as_a_device_may_wait,
    who_guesses_codes_is_slowed_down,
    only_who_has_typed_a_code_decides_about_it,
    the_trail_tells_what_becomes_of_a_device,
);

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SCOPES: &str = "launch/patient patient/Observation.c patient/Patient.r offline_access";

fn scale(server: &TestServer) -> Client {
    let facts = ClientFacts {
        publisher: Some("Scales Ltd".to_owned()),
        scopes: SCOPES.to_owned(),
        is_device: true,
        ..ClientFacts::of("scale", "Bathroom scale", ClientKind::Public)
    };
    change(server, move |tx| tx.add_client(&facts))
}

async fn begin(server: &TestServer) -> Value {
    post(server, "/auth/device", &[("client_id", "scale"), ("scope", SCOPES)]).await.expect(200).json()
}

async fn poll(server: &TestServer, client: &str, code: &str) -> Answer {
    post(server, "/auth/token", &[("grant_type", GRANT), ("client_id", client), ("device_code", code)]).await
}

/// As if the device had waited.
fn waited(server: &TestServer) {
    execute(server.database(), "UPDATE device_code SET polled_us = NULL");
}

/// The consent page for the code that a device shows.
async fn asked(browser: &Browser<'_>, begun: &Value) -> Answer {
    let page = browser.get("/device").await.expect(200);
    submit(browser, &page, "/device", &[("user_code", begun["user_code"].as_str().unwrap())]).await.expect(200)
}

async fn a_device_is_let_in_by_the_code_that_it_shows(server: &TestServer) {
    let (_, record) = custodian(server, "anna").await;
    let server = closed(server, |_| {}).await;
    scale(&server);
    let begun = begin(&server).await;
    let (code, shown) = (begun["device_code"].as_str().unwrap(), begun["user_code"].as_str().unwrap());
    let letters = |part: &str| part.len() == 4 && part.bytes().all(|letter| b"BCDFGHJKLMNPQRSTVWXZ".contains(&letter));
    assert!(shown.split_once('-').is_some_and(|(left, right)| letters(left) && letters(right)), "{shown}");
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&600.into(), &5.into()));
    assert_eq!(begun["verification_uri"], format!("{}/device", server.url));
    assert_eq!(begun["verification_uri_complete"], format!("{}/device?user_code={shown}", server.url));

    refused(&poll(&server, "scale", code).await, 400, "authorization_pending");
    refused(&poll(&server, "scale", code).await, 400, "slow_down");
    let stranger = Browser::new(&server);
    let sent = stranger.get(&format!("/device?user_code={shown}")).await.expect(303);
    assert!(sent.header("Location").starts_with("/sign-in?next="), "{}", sent.header("Location"));
    let browser = signed_in(&server, "anna").await;
    let page = browser.get(&format!("/device?user_code={shown}")).await.expect(200);
    assert!(page.text().contains(&format!("value=\"{shown}\"")), "the code is filled in, and still to be sent");
    let page = submit(&browser, &page, "/device", &[("user_code", &shown.to_lowercase())]).await.expect(200);
    for told in ["Bathroom scale", "Scales Ltd", shown] {
        assert!(page.text().contains(told), "{told}");
    }
    let ticket = form(&page, "/device/consent").value("device");
    let chosen = [
        ("device", ticket.as_str()),
        ("record", &form(&page, "/device/consent").value("record")),
        ("scope", "patient/Observation.c"),
        ("scope", "offline_access"),
        ("decision", "allow"),
    ];
    let done = submit(&browser, &page, "/device/consent", &chosen).await.expect(200);
    assert!(done.text().contains("is let in"), "{}", done.text());

    waited(&server);
    let tokens = poll(&server, "scale", code).await.expect(200);
    assert_eq!(tokens.header("Cache-Control"), "no-store");
    let tokens = tokens.json();
    assert_eq!(tokens["patient"], record);
    assert!(!tokens["scope"].as_str().unwrap().contains("patient/Patient.r"), "it was not ticked: {tokens}");
    assert!(tokens["refresh_token"].is_string());
    let token = tokens["access_token"].as_str().unwrap();
    let weight = crate::support::observation(&format!("Patient/{record}"), "70.5");
    let written = server.request(Method::POST, &format!("{}/Observation", server.base));
    written.header("Authorization", &format!("Bearer {token}")).json(&weight).send().await.expect(201);
    let read = send(&server, Method::GET, &format!("/fhir/Patient/{record}"), Some(token), None).await;
    assert_eq!(read.status, 403);
    waited(&server);
    refused(&poll(&server, "scale", code).await, 400, "invalid_grant");
    server.stop().await;
}

async fn a_device_gets_offline_access_after_the_person_has_signed_out(server: &TestServer) {
    let (_, record) = custodian(server, "anna").await;
    let server = closed(server, |_| {}).await;
    scale(&server);
    let let_in_and_left = async |scopes: &[&str]| {
        let begun = begin(&server).await;
        let browser = signed_in(&server, "anna").await;
        let page = asked(&browser, &begun).await;
        let shown = form(&page, "/device/consent");
        let (ticket, record) = (shown.value("device"), shown.value("record"));
        let mut chosen = vec![("device", ticket.as_str()), ("record", &record), ("decision", "allow")];
        chosen.extend(scopes.iter().map(|scope| ("scope", *scope)));
        submit(&browser, &page, "/device/consent", &chosen).await.expect(200);
        browser.submit("/account", "/sign-out", &[]).await.expect(303);
        poll(&server, "scale", begun["device_code"].as_str().unwrap()).await
    };

    refused(&let_in_and_left(&["patient/Observation.c"]).await, 400, "invalid_grant");
    let tokens = let_in_and_left(&["patient/Observation.c", "offline_access"]).await.expect(200).json();
    assert_eq!(tokens["patient"], record);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let next = [("grant_type", "refresh_token"), ("client_id", "scale"), ("refresh_token", refresh)];
    post(&server, "/auth/token", &next).await.expect(200);
    server.stop().await;
}

async fn a_device_that_is_not_let_in_gets_nothing(server: &TestServer) {
    custodian(server, "anna").await;
    let server = closed(server, |_| {}).await;
    scale(&server);
    let begun = begin(&server).await;
    let code = begun["device_code"].as_str().unwrap();
    let browser = signed_in(&server, "anna").await;
    let page = asked(&browser, &begun).await;

    let ticket = form(&page, "/device/consent").value("device");
    let denied = [("device", ticket.as_str()), ("decision", "deny")];
    let denied = submit(&browser, &page, "/device/consent", &denied).await.expect(200);
    assert!(denied.text().contains("was not let in"));
    refused(&poll(&server, "scale", code).await, 400, "access_denied");
    let late = [("device", ticket.as_str()), ("decision", "allow"), ("scope", "patient/Observation.c")];
    submit(&browser, &page, "/device/consent", &late).await.expect(400);
    let forged = [("csrf", "x"), ("device", ticket.as_str()), ("decision", "allow")];
    let forged = post_form(&browser, "/device/consent", &forged).await;
    assert_eq!(forged.status, 403);
    server.stop().await;
}

async fn a_code_is_over_in_time_and_after_five_tries(server: &TestServer) {
    custodian(server, "anna").await;
    let server = closed(server, |_| {}).await;
    scale(&server);
    let begun = begin(&server).await;
    let browser = signed_in(&server, "anna").await;

    for _ in 0..5 {
        asked(&browser, &begun).await;
    }
    let page = browser.get("/device").await.expect(200);
    let shown = begun["user_code"].as_str().unwrap();
    let sixth = submit(&browser, &page, "/device", &[("user_code", shown)]).await.expect(400);
    assert!(sixth.text().contains("No device shows this code"));

    let begun = begin(&server).await;
    let before = emberwell::clock::now_us() - 1;
    execute(server.database(), &format!("UPDATE device_code SET expires_us = {before}"));
    refused(&poll(&server, "scale", begun["device_code"].as_str().unwrap()).await, 400, "expired_token");
    let shown = begun["user_code"].as_str().unwrap();
    submit(&browser, &page, "/device", &[("user_code", shown)]).await.expect(400);
    server.stop().await;
}

async fn only_what_is_registered_as_a_device_may_wait(server: &TestServer) {
    let server = closed(server, |_| {}).await;
    scale(&server);
    let other = ClientFacts {
        scopes: SCOPES.to_owned(),
        redirect_uris: vec!["https://app.example/done".to_owned()],
        ..ClientFacts::of("app", "App", ClientKind::Public)
    };
    change(&server, move |tx| tx.add_client(&other));
    let begun = begin(&server).await;

    let ask = |pairs: &'static [(&'static str, &'static str)]| post(&server, "/auth/device", pairs);
    refused(&ask(&[("client_id", "app"), ("scope", SCOPES)]).await, 400, "unauthorized_client");
    refused(&ask(&[("client_id", "none"), ("scope", SCOPES)]).await, 401, "invalid_client");
    refused(&ask(&[("client_id", "scale"), ("scope", "patient/Condition.rs")]).await, 400, "invalid_scope");
    refused(&ask(&[("client_id", "scale")]).await, 400, "invalid_request");
    refused(&poll(&server, "app", begun["device_code"].as_str().unwrap()).await, 400, "invalid_grant");
    refused(&poll(&server, "scale", "none").await, 400, "invalid_grant");
    let document = send(&server, Method::GET, "/fhir/.well-known/smart-configuration", None, None).await.json();
    assert_eq!(document["device_authorization_endpoint"], format!("{}/auth/device", server.url));
    assert!(document["grant_types_supported"].as_array().unwrap().contains(&GRANT.into()));
    server.stop().await;
}

async fn who_guesses_codes_is_slowed_down(server: &TestServer) {
    custodian(server, "anna").await;
    let server = closed(server, |settings| settings.rates = RateSettings { user_codes: 3, ..RateSettings::OFF }).await;
    scale(&server);
    let begun = begin(&server).await;
    let browser = signed_in(&server, "anna").await;
    let page = browser.get("/device").await.expect(200);

    asked(&browser, &begun).await;
    for _ in 0..3 {
        submit(&browser, &page, "/device", &[("user_code", "BCDF-GHJK")]).await.expect(400);
    }
    let shown = begun["user_code"].as_str().unwrap();
    let slowed = submit(&browser, &page, "/device", &[("user_code", shown)]).await.expect(429);
    assert!(!slowed.header("Retry-After").is_empty());
    server.stop().await;
}

async fn only_who_has_typed_a_code_decides_about_it(server: &TestServer) {
    for name in ["anna", "mallory"] {
        custodian(server, name).await;
    }
    let server = closed(server, |_| {}).await;
    scale(&server);
    let begun = begin(&server).await;
    let (code, shown) = (begun["device_code"].as_str().unwrap(), begun["user_code"].as_str().unwrap());
    let mallory = signed_in(&server, "mallory").await;
    let page = mallory.get("/device").await.expect(200);
    let csrf = csrf(&page, "/device");
    let decide = async |field: &str, value: &str, decision: &str| {
        let fields = [("csrf", csrf.as_str()), (field, value), ("decision", decision)];
        post_form(&mallory, "/device/consent", &fields).await.expect(400).text()
    };

    for decision in ["allow", "deny", "x"] {
        let (right, wrong) =
            (decide("user_code", shown, decision).await, decide("user_code", "BCDF-GHJK", decision).await);
        assert_eq!(right, wrong, "{decision}: nobody learns so which codes devices show");
        assert_eq!(decide("device", shown, decision).await, wrong, "{decision}");
    }
    let anna = signed_in(&server, "anna").await;
    let page = asked(&anna, &begun).await;
    let ticket = form(&page, "/device/consent").value("device");
    assert!(decide("device", &ticket, "deny").await.contains("was not typed here"), "it is Anna's");
    refused(&poll(&server, "scale", code).await, 400, "authorization_pending");
    let denied = [("device", ticket.as_str()), ("decision", "deny")];
    submit(&anna, &page, "/device/consent", &denied).await.expect(200);
    server.stop().await;
}

async fn the_trail_tells_what_becomes_of_a_device(server: &TestServer) {
    custodian(server, "anna").await;
    let server = closed(server, |_| {}).await;
    scale(&server);
    let begun = begin(&server).await;
    let code = begun["device_code"].as_str().unwrap();
    let browser = signed_in(&server, "anna").await;
    let page = asked(&browser, &begun).await;

    refused(&poll(&server, "scale", code).await, 400, "authorization_pending");
    refused(&poll(&server, "scale", code).await, 400, "slow_down");
    let ticket = form(&page, "/device/consent").value("device");
    let denial = [("device", ticket.as_str()), ("decision", "deny")];
    submit(&browser, &page, "/device/consent", &denial).await.expect(200);
    refused(&poll(&server, "scale", code).await, 400, "access_denied");

    let errors = || {
        let events = crate::audit::all(&server).into_iter().map(|(event, _)| event);
        let of_scale = events.filter(|event| &*event.deed == "login" && event.agent.client.as_deref() == Some("scale"));
        of_scale.map(|event| event.error.unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    eventually("that it is told", async || !errors().is_empty()).await;
    assert_eq!(errors(), ["access_denied"]);
    server.stop().await;
}
