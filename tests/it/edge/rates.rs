//! How often somebody may ask.
//!
//! Spec: RFC 6585 section 4

use emberwell::config::{Network, RateSettings, Settings};
use http::Method;

use crate::auth::backend::{confidential, post, post_from, refused, register};
use crate::support::holders::{self, Granted, Issue};
use crate::support::server::run_with;
use crate::support::{Answer, Database, TestServer, on_both, patient};

on_both!(by crate::edge::rates::limited:
    a_caller_that_asks_too_often_is_told_when_to_go_on,
    reads_searches_and_changes_are_counted_by_themselves,
    a_system_on_all_records_may_change_more_than_a_person,
    all_tokens_of_one_caller_are_counted_together,
    who_has_no_token_is_counted_by_address_and_keeps_nobody_out,
    a_client_that_fails_too_often_is_not_listened_to_from_there,
    a_client_that_shows_who_it_is_is_not_counted,
);
on_both!(by crate::edge::rates::unlimited: an_open_server_counts_nothing);
on_both!(by crate::edge::rates::direct: where_a_request_comes_from_is_told_by_configured_proxies_alone);

const FEW: RateSettings = RateSettings {
    reads: 4,
    searches: 3,
    writes: 2,
    system_writes: 5,
    refused: 3,
    failures: 3,
    registrations: 2,
    devices: 2,
    user_codes: 2,
};

fn run(database: Database, is_open: bool, proxies: &[Network], behaviour: impl AsyncFn(&TestServer)) {
    let few = |settings: &mut Settings| {
        settings.server.open = is_open;
        settings.server.proxies = proxies.to_vec();
        settings.rates = FEW;
    };
    run_with(database, few, behaviour);
}

/// Behind a proxy on this machine, so that tests say where they come from.
fn limited(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    run(database, false, &Network::LOOPBACK, behaviour);
}

fn direct(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    run(database, false, &[], behaviour);
}

fn unlimited(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    run(database, true, &[], behaviour);
}

/// Checks that the caller is turned away, and told until when.
#[track_caller]
fn throttled(answer: &Answer, per_minute: u32) {
    let issue = answer.refused(429);
    assert_eq!(issue["code"], "throttled");
    let wait_s: u32 = answer.header("Retry-After").parse().unwrap();
    assert!((1..=60 / per_minute).contains(&wait_s), "{wait_s}");
    let text = issue["diagnostics"].as_str().unwrap();
    assert!(text.contains(&format!("{per_minute} a minute")) && text.contains(&format!("wait {wait_s} s")), "{text}");
}

async fn from(server: &TestServer, address: &str, token: &str) -> Answer {
    server.request_as(token, Method::GET, "Patient/1").header("X-Forwarded-For", address).send().await
}

async fn a_caller_that_asks_too_often_is_told_when_to_go_on(server: &TestServer) {
    let (busy, other) = (holders::operator(server).token, holders::operator(server).token);

    for _ in 0..FEW.reads {
        server.get_as(&busy, "Patient/1").await.refused(404);
    }

    throttled(&server.get_as(&busy, "Patient/1").await, FEW.reads);
    throttled(&server.get_as(&busy, "Observation/2/_history/1").await, FEW.reads);
    server.get_as(&other, "Patient/1").await.refused(404);
    server.get("metadata").await.expect(200);
}

async fn reads_searches_and_changes_are_counted_by_themselves(server: &TestServer) {
    let token = holders::operator(server).token;
    let create = async || server.request_as(&token, Method::POST, "Patient").json(&patient("1")).send().await;
    let search = async |path: &str| server.get_as(&token, path).await;

    for _ in 0..FEW.system_writes {
        create().await.expect(201);
    }
    throttled(&create().await, FEW.system_writes);
    throttled(&server.request_as(&token, Method::DELETE, "Patient/1").send().await, FEW.system_writes);
    for path in ["Patient", "Patient/_history", "Patient/1/Observation"] {
        search(path).await.expect(200);
    }
    for path in ["Patient", "", "_history", "Patient/1/_history"] {
        throttled(&search(path).await, FEW.searches);
    }
    let posted = server.request_as(&token, Method::POST, "Patient/_search");
    throttled(&posted.body("application/x-www-form-urlencoded", "name=a").send().await, FEW.searches);
    server.get_as(&token, "Patient/1").await.refused(404);
}

async fn all_tokens_of_one_caller_are_counted_together(server: &TestServer) {
    let app = holders::app(server, "user/*.rs", None, &[Granted::on("a")]);
    let account = app.account;
    let same = Issue { client: app.client.as_deref(), account, scopes: "user/*.rs", ..Default::default() };
    let alone = Issue { client: None, ..same };
    let (second, alone) = (holders::issue(server, same), holders::issue(server, alone));

    for token in [&app.token, &second].into_iter().cycle().take(FEW.reads as usize) {
        server.get_as(token, "Patient/a").await.refused(404);
    }

    throttled(&server.get_as(&app.token, "Patient/a").await, FEW.reads);
    throttled(&server.get_as(&second, "Patient/a").await, FEW.reads);
    server.get_as(&alone, "Patient/a").await.refused(404);
}

async fn who_has_no_token_is_counted_by_address_and_keeps_nobody_out(server: &TestServer) {
    let known = holders::operator(server).token;

    for token in ["nonsense", "other", "third"] {
        from(server, "192.0.2.1", token).await.refused(401);
    }

    throttled(&from(server, "192.0.2.1", "fourth").await, FEW.refused);
    from(server, "192.0.2.1", &known).await.refused(404);
    from(server, "192.0.2.2", "nonsense").await.refused(401);
    for end in 1..=3 {
        from(server, &format!("2001:db8::{end}"), "nonsense").await.refused(401);
    }
    throttled(&from(server, "2001:db8::4", "nonsense").await, FEW.refused);
    from(server, "2001:db8:0:1::1", "nonsense").await.refused(401);
}

async fn a_client_that_fails_too_often_is_not_listened_to_from_there(server: &TestServer) {
    let (client, _) = register(server, confidential("right"), "patient/*.rs");
    let (other, _) = register(server, confidential("also right"), "patient/*.rs");
    let ask = async |address: &str, client: &str, secret: &str| {
        let pairs = [("token", "x"), ("client_id", client), ("client_secret", secret)];
        post_from(server, address, "/auth/introspect", &pairs).await
    };

    for _ in 0..FEW.failures {
        refused(&ask("192.0.2.1", &client.id, "wrong").await, 401, "invalid_client");
    }

    for secret in ["wrong", "right"] {
        let answer = ask("192.0.2.1", &client.id, secret).await;
        let text = refused(&answer, 429, "temporarily_unavailable");
        assert!(text.contains("3 a minute"), "{text}");
        assert!((1..=20).contains(&answer.header("Retry-After").parse::<u32>().unwrap()));
    }
    ask("192.0.2.2", &client.id, "right").await.expect(200);
    ask("192.0.2.1", &other.id, "also right").await.expect(200);
    // Whoever tries one client after the other is counted by address.
    refused(&ask("192.0.2.1", "unknown", "x").await, 429, "temporarily_unavailable");
}

async fn a_client_that_shows_who_it_is_is_not_counted(server: &TestServer) {
    let (client, _) = register(server, confidential("right"), "patient/*.rs");
    let pairs = [("token", "x"), ("client_id", &client.id), ("client_secret", "right")];

    for _ in 0..3 * FEW.failures {
        post(server, "/auth/introspect", &pairs).await.expect(200);
    }
}

async fn an_open_server_counts_nothing(server: &TestServer) {
    for _ in 0..2 * FEW.writes {
        server.post("Patient", &patient("1")).await.expect(201);
    }
    for _ in 0..2 * FEW.searches {
        server.get("Patient").await.expect(200);
    }
}

async fn where_a_request_comes_from_is_told_by_configured_proxies_alone(server: &TestServer) {
    for end in 1..=3 {
        from(server, &format!("192.0.2.{end}"), "nonsense").await.refused(401);
    }

    throttled(&from(server, "192.0.2.4", "nonsense").await, FEW.refused);
}

async fn a_system_on_all_records_may_change_more_than_a_person(server: &TestServer) {
    let create = async |token: &str, id: &str| {
        let request = server.request_as(token, Method::PUT, &format!("Patient/{id}"));
        let mut body = patient(id);
        body["id"] = id.into();
        request.json(&body).send().await.status
    };
    let system = holders::operator(server).token;
    for number in 0..FEW.system_writes {
        assert_eq!(create(&system, &format!("s{number}")).await, 201);
    }
    throttled(&server.request_as(&system, Method::DELETE, "Patient/s0").send().await, FEW.system_writes);
    let read_only = Granted { record: None, scopes: "system/*.rs", ..Granted::on("") };
    let of_one = Granted { scopes: "system/*.cruds", ..Granted::on("s0") };
    let others = [
        holders::system(server, "system/*.cruds", &[of_one]).token,
        holders::system(server, "system/*.cruds", &[read_only]).token,
        holders::app(server, "user/*.cruds", None, &[Granted { record: None, ..Granted::on("") }]).token,
    ];
    for token in &others {
        for _ in 0..FEW.writes {
            assert_ne!(create(token, "s1").await, 429);
        }
        throttled(&server.request_as(token, Method::DELETE, "Patient/s1").send().await, FEW.writes);
    }
}
