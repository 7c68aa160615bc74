//! A token ends before its time.

use emberwell::store::{AccessToken, Client, ClientFacts, ClientKind, SecretHash, Store, TokenKind};
use serde_json::json;

use super::backend::{ASSERTION_TYPE, backend, confidential, introspected, post, refused, register, token};
use super::closed;
use super::keys::{Key, jwks};
use super::signed::Unsigned;
use crate::access::family::fill;
use crate::support::holders::{self, Granted, Issue, change, issue};
use crate::support::{Answer, TestServer, on_both};

on_both!(
    a_client_ends_its_own_tokens_and_no_others,
    a_refresh_token_takes_its_family_along,
    only_a_client_that_shows_who_it_is_may_revoke,
    a_public_client_ends_its_own_tokens_by_its_id,
    the_kind_of_token_is_only_hinted_at,
    a_refresh_token_of_a_public_client_takes_its_family_along_and_no_other,
    only_public_clients_go_by_their_id_alone,
);

async fn revoke(server: &TestServer, client_id: &str, key: &Key, token: &str) -> Answer {
    let assertion = Unsigned::of(client_id, key).signed(key);
    let pairs = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion), ("token", token)];
    post(server, "/auth/revoke", &pairs).await
}

async fn a_client_ends_its_own_tokens_and_no_others(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let new = || ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs") };
    let (client, _) = register(&server, new(), "system/*.rs");
    let (other, _) = register(&server, new(), "system/*.rs");
    let mine = token(&server, &client, &key, "system/*.rs").await;
    let mine_too = token(&server, &client, &key, "system/*.rs").await;
    let others = token(&server, &other, &key, "system/*.rs").await;
    let store = Store::open(server.database(), 1, None).unwrap();
    let generation = || store.read_one(|reader| reader.access_generation()).unwrap();
    let before = generation();

    for ended in [&others, "unknown", &mine, &mine] {
        revoke(&server, &client.id, &key, ended).await.expect(200);
    }

    assert_eq!(generation() - before, 1, "caches are told");
    assert_eq!(introspected(&server, &other, &key, &mine).await, json!({ "active": false }));
    assert_eq!(introspected(&server, &other, &key, &mine_too).await["active"], true);
    assert_eq!(introspected(&server, &client, &key, &others).await["active"], true);
    server.stop().await;
}

async fn a_refresh_token_takes_its_family_along(server: &TestServer) {
    let server = closed(server, &[]).await;
    let (app, _) = register(&server, confidential("secret"), "");
    let family = Some(SecretHash::of(b"family"));
    let row = AccessToken { family, ..row("refresh", TokenKind::Refresh, &app.id) };
    change(&server, move |tx| {
        tx.add_token(&row)?;
        tx.add_token(&AccessToken { hash: SecretHash::of(b"access"), kind: TokenKind::Access, ..row.clone() })
    });

    let secret = [("client_id", app.id.as_str()), ("client_secret", "secret")];
    post(&server, "/auth/revoke", &[secret[0], secret[1], ("token", "refresh")]).await.expect(200);

    assert!(is_revoked(&server, "refresh") && is_revoked(&server, "access"));
    server.stop().await;
}

async fn only_a_client_that_shows_who_it_is_may_revoke(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let new = ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs") };
    let (client, _) = register(&server, new, "system/*.rs");
    let sent = token(&server, &client, &key, "system/*.rs").await;

    refused(&post(&server, "/auth/revoke", &[("token", &sent)]).await, 401, "invalid_client");
    refused(&revoke(&server, &client.id, &Key::p384(), &sent).await, 401, "invalid_client");
    let by_id = [("token", sent.as_str()), ("client_id", client.id.as_str())];
    refused(&post(&server, "/auth/revoke", &by_id).await, 401, "invalid_client");
    refused(&revoke(&server, &client.id, &key, "").await, 400, "invalid_request");

    assert_eq!(introspected(&server, &client, &key, &sent).await["active"], true);
    server.stop().await;
}

/// A client that can't show who it is.
fn public(server: &TestServer) -> Client {
    register(server, ClientFacts { kind: ClientKind::Public, secret_hash: None, ..confidential("s") }, "").0
}

async fn revoke_by_id(server: &TestServer, client_id: &str, more: &[(&str, &str)]) -> Answer {
    post(server, "/auth/revoke", &[&[("client_id", client_id)], more].concat()).await
}

async fn a_public_client_ends_its_own_tokens_by_its_id(server: &TestServer) {
    let server = closed(server, &[]).await;
    fill(&server).await;
    let (app, other) = (public(&server), public(&server));
    let person = holders::person(&server, "user/*.cruds", &[Granted::on("a")]);
    let of = |client: &Client| {
        let client = Some(client.id.as_str());
        issue(
            &server,
            Issue { client, account: person.account, patient: Some("a"), scopes: "patient/*.rs", ..Issue::default() },
        )
    };
    let (mine, mine_too, others) = (of(&app), of(&app), of(&other));
    let opens = async |token: &str| server.get_as(token, "Patient/a").await.status;
    let store = Store::open(server.database(), 1, None).unwrap();
    let generation = || store.read_one(|reader| reader.access_generation()).unwrap();
    for token in [&mine, &mine_too, &others, &person.token] {
        assert_eq!(opens(token).await, 200);
    }
    let before = generation();

    // Another's, nobody's, the person's own, what is no token: answered alike, and nothing comes of it.
    for token in [others.as_str(), &person.token, "unknown", "a b", "\u{0}", &app.id] {
        let answer = revoke_by_id(&server, &app.id, &[("token", token)]).await.expect(200);
        assert_eq!(answer.json(), json!({}));
        assert_eq!(
            (answer.header("Cache-Control").as_str(), answer.header("Pragma").as_str()),
            ("no-store", "no-cache")
        );
    }
    assert_eq!(generation(), before);
    assert_eq!((opens(&others).await, opens(&person.token).await), (200, 200));

    for _ in 0..2 {
        let answer = revoke_by_id(&server, &app.id, &[("token", &mine)]).await.expect(200);
        assert_eq!(answer.json(), json!({}));
    }

    assert_eq!(generation() - before, 1);
    assert_eq!((opens(&mine).await, opens(&mine_too).await, opens(&others).await), (401, 200, 200));
    server.stop().await;
}

async fn the_kind_of_token_is_only_hinted_at(server: &TestServer) {
    let server = closed(server, &[]).await;
    let app = public(&server);
    let (client, _) = register(&server, confidential("secret"), "");
    for (number, hint) in ["access_token", "refresh_token", "id_token", "nonsense", ""].into_iter().enumerate() {
        for kind in [TokenKind::Access, TokenKind::Refresh] {
            for (owner, secret) in [(&app.id, None), (&client.id, Some("secret"))] {
                let token = format!("{number} {kind:?} {owner}");
                let row = row(&token, kind, owner);
                change(&server, move |tx| tx.add_token(&row));
                let secret = secret.map(|secret| ("client_secret", secret));
                let mut more = vec![("token", token.as_str()), ("token_type_hint", hint)];
                more.extend(secret);

                revoke_by_id(&server, owner, &more).await.expect(200);

                assert!(is_revoked(&server, &token), "{kind:?} with {hint}");
            }
        }
    }
    server.stop().await;
}

async fn a_refresh_token_of_a_public_client_takes_its_family_along_and_no_other(server: &TestServer) {
    let server = closed(server, &[]).await;
    let (app, other) = (public(&server), public(&server));
    let family = |name: &str| Some(SecretHash::of(name.as_bytes()));
    let rows = [
        AccessToken { family: family("one"), ..row("refresh", TokenKind::Refresh, &app.id) },
        AccessToken { family: family("one"), ..row("access", TokenKind::Access, &app.id) },
        AccessToken { family: family("one"), ..row("access too", TokenKind::Access, &app.id) },
        AccessToken { family: family("two"), ..row("later refresh", TokenKind::Refresh, &app.id) },
        AccessToken { family: family("two"), ..row("later access", TokenKind::Access, &app.id) },
        row("alone", TokenKind::Access, &app.id),
        AccessToken { family: family("three"), ..row("foreign", TokenKind::Refresh, &other.id) },
    ];
    change(&server, move |tx| rows.iter().try_for_each(|row| tx.add_token(row)));
    let ended = || {
        let all = ["refresh", "access", "access too", "later refresh", "later access", "alone", "foreign"];
        all.into_iter().filter(|name| is_revoked(&server, name)).collect::<Vec<_>>()
    };

    revoke_by_id(&server, &other.id, &[("token", "refresh")]).await.expect(200);
    assert!(ended().is_empty());
    revoke_by_id(&server, &app.id, &[("token", "foreign")]).await.expect(200);
    assert!(ended().is_empty());
    revoke_by_id(&server, &app.id, &[("token", "refresh")]).await.expect(200);
    assert_eq!(ended(), ["refresh", "access", "access too"]);
    // An access token that is given back was the whole access.
    revoke_by_id(&server, &app.id, &[("token", "later access")]).await.expect(200);
    assert_eq!(ended(), ["refresh", "access", "access too", "later refresh", "later access"]);
    server.stop().await;
}

async fn only_public_clients_go_by_their_id_alone(server: &TestServer) {
    let server = closed(server, &[]).await;
    let key = Key::p384();
    let (with_secret, _) = register(&server, confidential("secret"), "");
    let new = ClientFacts { jwks: Some(jwks(&[key.jwk("k1")])), ..backend("system/*.rs") };
    let (system, _) = register(&server, new, "system/*.rs");
    let (suspended, app) = (public(&server), public(&server));
    let id = suspended.id.clone();
    change(&server, move |tx| tx.suspend_client(&id));

    for id in [&with_secret.id, &system.id, &suspended.id, "nobody"] {
        let row = row(&format!("of {id}"), TokenKind::Access, id);
        if id != "nobody" {
            change(&server, move |tx| tx.add_token(&row));
        }
        let answer = revoke_by_id(&server, id, &[("token", &format!("of {id}"))]).await;
        refused(&answer, 401, "invalid_client");
        assert!(id == "nobody" || !is_revoked(&server, &format!("of {id}")), "{id}");
    }
    // A public client has no secret that it could show, and its name opens nothing else.
    let (token, id) = (("token", "x"), ("client_id", app.id.as_str()));
    refused(&revoke_by_id(&server, &app.id, &[token, ("client_secret", "s")]).await, 401, "invalid_client");
    refused(&post(&server, "/auth/introspect", &[token, id]).await, 401, "invalid_client");
    let grant = [("grant_type", "client_credentials"), ("scope", "system/*.rs"), id];
    refused(&post(&server, "/auth/token", &grant).await, 401, "invalid_client");
    refused(&revoke_by_id(&server, &app.id, &[]).await, 400, "invalid_request");
    revoke_by_id(&server, &app.id, &[token]).await.expect(200);
    server.stop().await;
}

fn row(token: &str, kind: TokenKind, client: &str) -> AccessToken {
    AccessToken {
        hash: SecretHash::of(token.as_bytes()),
        kind,
        client: Some(client.to_owned()),
        account: None,
        grant: None,
        patient: None,
        encounter: None,
        scopes: "patient/*.rs".to_owned(),
        issued_us: 0,
        expires_us: emberwell::clock::now_us() + 3_600_000_000,
        revoked_us: None,
        family: None,
        session: None,
        context: None,
        auth_time_us: None,
    }
}

fn is_revoked(server: &TestServer, token: &str) -> bool {
    let store = Store::open(server.database(), 1, None).unwrap();
    let hash = SecretHash::of(token.as_bytes());
    store.read_one(|reader| reader.access_token(&hash)).unwrap().unwrap().revoked_us.is_some()
}
