//! The audit trail tells who got a token, who ended one, and who was refused.

use std::time::{Duration, Instant};

use emberwell::audit::{Event, Outcome};
use emberwell::store::{ClientFacts, SecretHash};

use super::backend::{ASSERTION_TYPE, backend, post, register, token};
use super::closed;
use super::keys::{Key, jwks};
use super::signed::Unsigned;
use crate::audit::all;
use crate::support::{TestServer, on_both};

on_both!(tokens_that_are_issued_ended_or_refused_are_told);

async fn tokens_that_are_issued_ended_or_refused_are_told(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let new = ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs") };
    let (client, _) = register(&server, new, "system/*.rs");
    let sent = token(&server, &client, &key, "system/*.rs").await;
    let by = |assertion: &str, more: &[(&str, &str)]| {
        let shown = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
        [&shown, more].concat().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let signed = || Unsigned::of(&client.id, &key).signed(&key);
    let grant = ("grant_type", "client_credentials");
    let requests = [
        ("/auth/token", by("a.b.c", &[grant, ("scope", "system/*.rs")]), 401),
        ("/auth/token", by(&signed(), &[grant, ("scope", "system/*.d")]), 400),
        ("/auth/introspect", by(&signed(), &[("token", &sent)]), 200),
        ("/auth/introspect", vec![("token".to_owned(), sent.clone())], 401),
        ("/auth/revoke", vec![("token".to_owned(), sent.clone())], 401),
        ("/auth/revoke", by(&signed(), &[("token", &sent)]), 200),
    ];
    for (path, pairs, status) in &requests {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        post(&server, path, &pairs).await.expect(*status);
    }

    let begun = Instant::now();
    let mut events: Vec<Event> = Vec::new();
    while events.len() < 6 && begun.elapsed() < Duration::from_secs(20) {
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        events = all(&server).into_iter().map(|(event, _)| event).collect();
        events.retain(|event| ["login", "introspect", "revoke"].contains(&&*event.deed));
    }

    let mut told: Vec<String> = events
        .iter()
        .map(|event| {
            let who = event.agent.client.as_deref().map_or("nobody", |id| if id == client.id { "client" } else { id });
            let (deed, error) = (&event.deed, event.error.as_deref().unwrap_or("-"));
            match event.outcome {
                Outcome::Done => format!("{deed} {who}"),
                Outcome::Refused(status) => format!("{deed} {who} {status} {error}"),
            }
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "introspect nobody 401 invalid_client",
            "login client",
            "login client 400 invalid_scope",
            "login nobody 401 invalid_client",
            "revoke client",
            "revoke nobody 401 invalid_client",
        ]
    );
    let tail = SecretHash::of(sent.as_bytes()).tail();
    for event in &events {
        assert_eq!(event.network.as_deref(), Some("127.0.0.1"));
        assert_eq!((event.patient, event.query.as_deref()), (None, None));
        let is_done = event.outcome == Outcome::Done;
        assert_eq!(event.agent.token.as_deref(), is_done.then_some(&*tail), "{event:?}");
    }
    server.stop().await;
}
