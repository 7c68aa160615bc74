//! Introspection says of a token what requests by it are answered.

use std::cell::Cell;

use emberwell::fhir::Id;
use emberwell::store::{AccessToken, SecretHash, TokenKind};
use serde_json::{Value, json};

use super::backend::{confidential, post, post_as, refused, register};
use super::closed;
use crate::access::family::fill;
use crate::support::holders::{self, Granted, Held, Issue, change, issue};
use crate::support::{TestServer, on_both};

on_both!(
    an_apps_token_is_told_of_with_its_patient,
    a_token_is_active_as_long_as_requests_are_granted_something,
    what_is_no_access_token_is_not_active,
    the_scope_is_what_the_grants_give_by_now,
    a_token_asks_about_those_of_its_own_client,
    a_token_that_is_no_good_asks_nothing,
);

/// The answer to a client with a secret.
async fn told(server: &TestServer, asking: &str, token: &str) -> Value {
    let pairs = [("client_id", asking), ("client_secret", "secret"), ("token", token)];
    post(server, "/auth/introspect", &pairs).await.expect(200).json()
}

/// The answer to somebody with a token.
async fn told_to(server: &TestServer, bearer: &str, token: &str) -> Value {
    let answer = post_as(server, "/auth/introspect", Some(&format!("Bearer {bearer}")), &[("token", token)]).await;
    answer.expect(200).json()
}

fn asking(server: &TestServer) -> String {
    register(server, confidential("secret"), "").0.facts.id
}

fn inactive() -> Value {
    json!({ "active": false })
}

async fn an_apps_token_is_told_of_with_its_patient(server: &TestServer) {
    let server = closed(server, &[]).await;
    let asking = asking(&server);
    let held =
        holders::app(&server, "launch/patient patient/*.rs patient/Observation.c", Some("a"), &[Granted::on("a")]);

    let told = told(&server, &asking, &held.token).await;

    let mut rest = told.clone();
    for name in ["iat", "exp"] {
        assert!(rest[name].as_i64().is_some_and(|seconds| seconds > 1_700_000_000), "{told}");
        rest.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(
        rest,
        json!({
            "active": true,
            "scope": "launch/patient patient/*.rs patient/Observation.c",
            "client_id": held.client.unwrap(),
            "token_type": "Bearer",
            "iss": super::ISSUER,
            "patient": "a",
        })
    );
    server.stop().await;
}

/// What takes the access of a token away.
type End = fn(&TestServer, &Held);

async fn a_token_is_active_as_long_as_requests_are_granted_something(server: &TestServer) {
    let server = closed(server, &[]).await;
    fill(&server).await;
    let asking = asking(&server);
    let app = |server: &TestServer| holders::app(server, "patient/*.rs", Some("a"), &[Granted::on("a")]);
    let person = |server: &TestServer| holders::person(server, "user/*.rs", &[Granted::on("a")]);
    let all = Granted { record: None, scopes: "system/*.rs", ..Granted::on("") };
    let system = |server: &TestServer| holders::system(server, "system/*.rs", std::slice::from_ref(&all));
    let suspend: End = |server, held| {
        let client = held.client.clone().unwrap();
        assert!(change(server, move |tx| tx.suspend_client(&client)));
    };
    let disable: End = |server, held| {
        let account = held.account.unwrap();
        assert!(change(server, move |tx| tx.disable_account(account)));
    };
    let end_grant: End = |server, held| {
        let grant = held.grants[0];
        assert!(change(server, move |tx| tx.end_grant(grant)));
    };
    let revoke: End = |server, held| {
        let hash = SecretHash::of(held.token.as_bytes());
        assert!(change(server, move |tx| tx.revoke_token(&hash)));
    };
    let table: [(&str, Held, End, u16); 9] = [
        ("an app whose token is revoked", app(&server), revoke, 401),
        ("an app that is suspended", app(&server), suspend, 401),
        ("an app of a disabled account", app(&server), disable, 401),
        ("an app of somebody whose grant ended", app(&server), end_grant, 403),
        ("a person whose account is disabled", person(&server), disable, 401),
        ("a person whose grant ended", person(&server), end_grant, 403),
        ("a system whose token is revoked", system(&server), revoke, 401),
        ("a system that is suspended", system(&server), suspend, 401),
        ("a system whose grant ended", system(&server), end_grant, 403),
    ];
    for (what, held, end, status) in table {
        // Not met by a request before, so that PostgreSQL has nothing of it in mind.
        let before = told(&server, &asking, &held.token).await;
        assert_eq!((&before["active"], before["client_id"].as_str()), (&json!(true), held.client.as_deref()), "{what}");

        end(&server, &held);

        assert_eq!(told(&server, &asking, &held.token).await, inactive(), "{what}");
        server.get_as(&held.token, "Patient/a").await.refused(status);
    }
    let held = app(&server);
    assert_eq!(told(&server, &asking, &held.token).await["active"], true);
    server.get_as(&held.token, "Patient/a").await.expect(200);
    server.stop().await;
}

async fn what_is_no_access_token_is_not_active(server: &TestServer) {
    let server = closed(server, &[]).await;
    fill(&server).await;
    let asking = asking(&server);
    let held = holders::app(&server, "patient/*.rs", Some("a"), &[Granted::on("a")]);
    let of_app = SecretHash::of(held.token.as_bytes());
    change(&server, move |tx| {
        let live = tx.access_token(&of_app)?.unwrap();
        let hash = |name: &str| SecretHash::of(name.as_bytes());
        tx.add_token(&AccessToken { hash: hash("refresh"), kind: TokenKind::Refresh, ..live.clone() })?;
        tx.add_token(&AccessToken { hash: hash("born-revoked"), revoked_us: Some(1), ..live.clone() })?;
        tx.add_token(&AccessToken { hash: hash("without-a-patient"), patient: None, ..live.clone() })?;
        let odd = "patient/Observation.rs?patient.name=x".to_owned();
        tx.add_token(&AccessToken { hash: hash("odd-scope"), scopes: odd.clone(), ..live.clone() })?;
        tx.add_token(&AccessToken { hash: hash("words"), scopes: "openid launch".to_owned(), ..live.clone() })?;
        tx.add_token(&AccessToken { hash: hash("foreign"), patient: Some(Id::parse("b").unwrap()), ..live })
    });
    let expired = holders::expired(&server);
    let nobody = issue(&server, Issue { scopes: "user/*.rs", ..Issue::default() });
    let long = "x".repeat(10_000);
    // Those that can be sent with a request, with what it is answered.
    let table = [
        (&*expired, Some(401)),
        ("refresh", Some(401)),
        ("born-revoked", Some(401)),
        ("unknown", Some(401)),
        ("without-a-patient", Some(403)),
        ("foreign", Some(403)),
        ("words", Some(403)),
        (&nobody, Some(403)),
        (&long, Some(401)),
        ("eyJhbGciOiJub25lIn0.e30.", Some(401)),
        ("a b", None),
        (" ", None),
        ("\u{0}", None),
        ("\u{e9}\u{1f600}", None),
        ("%00%ff", None),
    ];
    for (token, status) in table {
        assert_eq!(told(&server, &asking, token).await, inactive(), "{token:.40}");
        if let Some(status) = status {
            server.get_as(token, "Patient/a").await.refused(status);
        }
    }
    // What is kept of a token is no token.
    let hash = SecretHash::of(held.token.as_bytes());
    let kept: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(told(&server, &asking, &kept).await, inactive());
    assert_eq!(told(&server, &asking, &held.token).await["active"], true);
    assert_eq!(told(&server, &asking, "odd-scope").await, inactive());
    server.stop().await;
}

async fn the_scope_is_what_the_grants_give_by_now(server: &TestServer) {
    let server = closed(server, &[]).await;
    let asking = asking(&server);
    let on = |record, scopes| Granted { scopes, ..Granted::on(record) };
    let laboratory = "patient/Observation.rs?category=laboratory";
    let both = [on("a", "patient/Observation.rs"), on("m", "patient/Condition.cruds patient/Observation.c")];
    type Case<'c> = (&'static str, Option<&'static str>, &'c [Granted], Option<&'c str>);
    let table: [Case<'_>; 9] = [
        ("patient/*.cruds", Some("a"), &both, Some("patient/Observation.rs")),
        ("patient/*.cruds", Some("m"), &both, Some("patient/Condition.cruds patient/Observation.c")),
        ("user/*.cruds", None, &both, Some("user/Observation.crs user/Condition.cruds")),
        ("user/Condition.read user/Observation.rs", None, &both, Some("user/Condition.read user/Observation.rs")),
        ("patient/*.rs user/Condition.r", Some("a"), &both, Some("patient/Observation.rs user/Condition.r")),
        ("user/Encounter.rs", None, &both, None),
        (
            "patient/Observation.rs",
            Some("a"),
            &[on("a", laboratory)],
            Some("patient/Observation.rs?category=laboratory"),
        ),
        (
            "patient/Observation.rs?status=final",
            Some("a"),
            &[on("a", laboratory)],
            Some("patient/Observation.rs?status=final&category=laboratory"),
        ),
        ("patient/Observation.c", Some("a"), &[on("a", laboratory)], None),
    ];
    for (scopes, patient, granted, wanted) in table {
        let held = holders::app(&server, scopes, patient, granted);

        let told = told(&server, &asking, &held.token).await;

        match wanted {
            Some(wanted) => assert_eq!(told["scope"], wanted, "{scopes} for {patient:?}: {told}"),
            None => assert_eq!(told, inactive(), "{scopes} for {patient:?}"),
        }
    }
    server.stop().await;
}

async fn a_token_asks_about_those_of_its_own_client(server: &TestServer) {
    let server = closed(server, &[]).await;
    let mine = holders::app(&server, "patient/*.rs", Some("a"), &[Granted::on("a")]);
    let client = mine.client.as_deref();
    let mine_too = issue(
        &server,
        Issue {
            client,
            account: mine.account,
            patient: Some("a"),
            scopes: "patient/Observation.rs",
            ..Issue::default()
        },
    );
    let others = holders::app(&server, "patient/*.rs", Some("a"), &[Granted::on("a")]);
    let operator = holders::operator(&server);
    let reads_all = Granted { record: None, scopes: "system/*.rs", ..Granted::on("") };
    let system = holders::system(&server, "system/*.rs", &[reads_all]);

    for (bearer, token, is_told) in [
        (&mine.token, &mine.token, true),
        (&mine.token, &mine_too, true),
        (&mine_too, &mine.token, true),
        (&mine.token, &others.token, false),
        (&mine.token, &operator.token, false),
        (&mine.token, &"unknown".to_owned(), false),
        (&system.token, &system.token, true),
        (&system.token, &mine.token, false),
        (&operator.token, &mine.token, true),
        (&operator.token, &others.token, true),
        (&operator.token, &"unknown".to_owned(), false),
    ] {
        let told = told_to(&server, bearer, token).await;

        let is_as_told =
            if is_told { told["active"] == true && told.get("scope").is_some() } else { told == inactive() };
        assert!(is_as_told, "{bearer} about {token}: {told}");
    }
    assert_eq!(told_to(&server, &mine.token, &mine_too).await["scope"], "patient/Observation.rs");
    server.stop().await;
}

async fn a_token_that_is_no_good_asks_nothing(server: &TestServer) {
    let server = closed(server, &[]).await;
    let held = holders::app(&server, "patient/*.rs", Some("a"), &[Granted::on("a")]);
    let path = "/auth/introspect";
    let expired = holders::expired(&server);
    let ended = holders::app(&server, "patient/*.rs", Some("b"), &[Granted::on("a")]);
    let session = holders::person(&server, "user/*.rs", &[Granted::on("a")]);
    let checked = Cell::new(0);
    let refuses = async |bearer: &str| {
        let answer = post_as(&server, path, Some(&format!("Bearer {bearer}")), &[("token", &held.token)]).await;
        refused(&answer, 401, "invalid_token");
        assert_eq!(answer.header("WWW-Authenticate"), "Bearer realm=\"emberwell\", error=\"invalid_token\"");
        checked.set(checked.get() + 1);
    };
    refuses("unknown").await;
    refuses(&expired).await;
    refuses(&ended.token).await;
    // A session of somebody's own is for the server's pages.
    refuses(&session.token).await;
    let client = held.client.clone().unwrap();
    let good = format!("Bearer {}", held.token);
    post_as(&server, path, Some(&good), &[("token", &held.token)]).await.expect(200);
    change(&server, move |tx| tx.suspend_client(&client));
    refuses(&held.token).await;
    assert_eq!(checked.get(), 5);

    let both = [("token", held.token.as_str()), ("client_id", "c"), ("client_secret", "secret")];
    refused(&post_as(&server, path, Some(&good), &both).await, 400, "invalid_request");
    // In the form it is none.
    let misplaced = [("token", "x"), ("access_token", session.token.as_str())];
    refused(&post(&server, path, &misplaced).await, 401, "invalid_client");
    // Nor is it one at the other endpoints.
    for (path, pairs) in [
        ("/auth/revoke", vec![("token", "x")]),
        ("/auth/token", vec![("grant_type", "client_credentials"), ("scope", "system/*.rs")]),
    ] {
        let answer = post_as(&server, path, Some(&format!("Bearer {}", session.token)), &pairs).await;
        refused(&answer, 401, "invalid_client");
    }
    server.stop().await;
}
