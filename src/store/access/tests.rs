use std::collections::BTreeMap;

use crate::fhir::Id;
use crate::store::tests::{Home, on_both};
use crate::store::*;

const HOUR_US: i64 = 3_600_000_000;

fn anna() -> NewAccount {
    NewAccount {
        email: "anna@example.org".to_owned(),
        name: "Anna".to_owned(),
        role: Role::Person,
        password: Some(PasswordHash("$argon2id$x".to_owned())),
        fhir_user: Some("Patient/anna".to_owned()),
    }
}

fn view(to: Grantee) -> NewGrant {
    NewGrant {
        patient: Some(Id::parse("anna").unwrap()),
        to,
        level: GrantLevel::View,
        scopes: "patient/*.rs".to_owned(),
        labels: Labels::Restricted,
        sees_history: true,
        until_us: None,
        reason: Some("a second opinion".to_owned()),
        origin: "command".to_owned(),
        granted_by: None,
    }
}

fn app() -> ClientFacts {
    ClientFacts {
        redirect_uris: vec!["https://a.example/cb".to_owned(), "https://b.example/cb".to_owned()],
        publisher: Some("Curves Ltd".to_owned()),
        logo_uri: Some("https://a.example/logo".to_owned()),
        policy_uri: Some("https://a.example/policy".to_owned()),
        tos_uri: Some("https://a.example/tos".to_owned()),
        contacts: vec!["help@a.example".to_owned()],
        launch_uri: Some("https://a.example/launch".to_owned()),
        jwks: Some("{\"keys\":[]}".to_owned()),
        jwks_uri: Some("https://a.example/jwks".to_owned()),
        optional_scopes: "openid".to_owned(),
        goes_without_aud: true,
        is_device: true,
        origin: ClientOrigin::Page,
        created_by: Some(7),
        registration_hash: Some(SecretHash::of(b"registration")),
        scopes: "patient/Observation.rs".to_owned(),
        reasons: BTreeMap::from([("patient/Observation.rs".to_owned(), "to draw curves".to_owned())]),
        secret_hash: Some(SecretHash::of(b"secret")),
        ..ClientFacts::of("c1", "Growth", ClientKind::Confidential)
    }
}

fn token(text: &str) -> AccessToken {
    AccessToken {
        hash: SecretHash::of(text.as_bytes()),
        kind: TokenKind::Access,
        client: None,
        account: None,
        grant: None,
        patient: Some(Id::parse("anna").unwrap()),
        encounter: None,
        scopes: "patient/*.rs".to_owned(),
        issued_us: crate::clock::now_us(),
        expires_us: crate::clock::now_us() + HOUR_US,
        revoked_us: None,
        family: Some(SecretHash::of(b"family")),
        session: None,
        context: None,
        auth_time_us: None,
    }
}

fn write<T: Send + 'static>(
    store: &Store,
    work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    store.write(work).unwrap()
}

fn read<T>(store: &Store, work: impl FnOnce(&mut Reader<'_>) -> Result<T, StoreError>) -> T {
    store.read(work).unwrap()
}

/// What an access token of this text lets do now.
fn context(store: &Store, text: &str) -> Option<TokenContext> {
    read(store, |reader| reader.token_context(&SecretHash::of(text.as_bytes()), crate::clock::now_us()))
}

fn what_is_written_is_read(home: &Home) {
    let store = home.open();

    let account = write(&store, |tx| tx.add_account(&anna()));
    assert_eq!((account.email.as_str(), account.role, account.disabled_us), ("anna@example.org", Role::Person, None));
    assert_eq!(account.password, anna().password);
    assert_eq!(read(&store, |reader| reader.account_by_email("anna@example.org")), Some(account.clone()));
    assert_eq!(read(&store, |reader| reader.account_by_email("bert@example.org")), None);

    let client = write(&store, |tx| tx.add_client(&app()));
    assert_eq!(client.facts, app());
    assert_eq!((client.state(), client.is_verified()), (ClientState::Sandbox, false));
    let changed = ClientFacts {
        goes_without_aud: false,
        launch_uri: None,
        tos_uri: Some("https://b.example/tos".to_owned()),
        registration_hash: None,
        ..app()
    };
    let wanted = changed.clone();
    assert!(write(&store, move |tx| tx.update_client(&changed)));
    assert!(write(&store, |tx| tx.set_client_standing("c1", Some(5), Some(6), None)));
    let client = read(&store, |reader| reader.client("c1")).unwrap();
    assert_eq!((&client.facts, client.state(), client.verified_us), (&wanted, ClientState::Approved, Some(6)));
    assert_eq!(read(&store, |reader| reader.clients()), [client]);

    let id = account.id;
    let to_account = write(&store, move |tx| tx.add_grant(&view(Grantee::Account(id))));
    let to_client = write(&store, |tx| {
        tx.add_grant(&NewGrant { patient: None, until_us: Some(7), ..view(Grantee::Client("c1".to_owned())) })
    });
    assert_eq!((to_account.labels, to_account.sees_history), (Labels::Restricted, true));
    assert_eq!((&to_client.patient, to_client.until_us), (&None, Some(7)));
    assert_eq!(read(&store, |reader| reader.grants_of_account(id)), std::slice::from_ref(&to_account));
    assert_eq!(read(&store, |reader| reader.grants_of_client("c1")), std::slice::from_ref(&to_client));
    assert_eq!(read(&store, |reader| reader.grants_on(&Id::parse("anna").unwrap())), [to_account]);
    assert_eq!(read(&store, |reader| reader.grants_on_all()), [to_client]);

    let issued = AccessToken { client: Some("c1".to_owned()), account: Some(id), grant: Some(1), ..token("t") };
    let again = issued.clone();
    write(&store, move |tx| tx.add_token(&again));
    assert_eq!(read(&store, |reader| reader.access_token(&SecretHash::of(b"t"))), Some(issued));
}

fn an_ended_grant_is_over_once(home: &Home) {
    let store = home.open();
    let grant = write(&store, |tx| tx.add_grant(&view(Grantee::Account(1))));
    let now_us = crate::clock::now_us();

    assert!(grant.is_in_force(now_us));
    assert!(write(&store, move |tx| tx.end_grant(grant.id)));
    assert!(!write(&store, move |tx| tx.end_grant(grant.id)), "it was ended before");
    assert!(!write(&store, |tx| tx.end_grant(4711)), "there is none");
    let ended = read(&store, |reader| reader.grant(grant.id)).unwrap();
    assert!(ended.ended_us.is_some() && !ended.is_in_force(now_us));
    assert_eq!(ended.scopes, grant.scopes);
}

fn every_change_to_what_anybody_may_do_counts_the_generation_on(home: &Home) {
    let store = home.open();
    let generation = || read(&store, |reader| reader.access_generation());
    type Change = fn(&mut Tx<'_>) -> Result<(), StoreError>;
    let changes: Vec<(&str, bool, Change)> = vec![
        ("account", true, |tx| tx.add_account(&anna()).map(drop)),
        ("grant", true, |tx| tx.add_grant(&view(Grantee::Account(1))).map(drop)),
        ("client", true, |tx| tx.add_client(&app()).map(drop)),
        ("issued", false, |tx| tx.add_token(&token("a"))),
        ("issued", false, |tx| tx.add_token(&AccessToken { kind: TokenKind::Refresh, ..token("r") })),
        ("refresh token exchanged", false, |tx| tx.revoke_token(&SecretHash::of(b"r")).map(drop)),
        ("access token revoked", true, |tx| tx.revoke_token(&SecretHash::of(b"a")).map(drop)),
        ("access token revoked again", false, |tx| tx.revoke_token(&SecretHash::of(b"a")).map(drop)),
        ("issued", false, |tx| tx.add_token(&token("b"))),
        ("family", true, |tx| tx.revoke_family(&SecretHash::of(b"family")).map(drop)),
        ("assertion", false, |tx| tx.use_jwt(&SecretHash::of(b"j"), i64::MAX).map(drop)),
        ("ended", true, |tx| tx.end_grant(1).map(drop)),
        ("suspended", true, |tx| tx.suspend_client("c1").map(drop)),
        ("suspended again", false, |tx| tx.suspend_client("c1").map(drop)),
        ("disabled", true, |tx| tx.disable_account(1).map(drop)),
    ];

    for (what, counts, change) in changes {
        let before = generation();
        write(&store, change);
        assert_eq!(generation() - before, i64::from(counts), "{what}");
    }
    let before = generation();
    let failed: Result<(), StoreError> = store.write(|tx| {
        tx.bump()?;
        Err(StoreError::Timeout)
    });
    assert!(failed.is_err());
    assert_eq!(generation(), before, "a change that failed is none");
}

fn a_token_counts_as_long_as_all_behind_it_does(home: &Home) {
    let store = home.open();
    let account = write(&store, |tx| tx.add_account(&anna())).id;
    write(&store, |tx| tx.add_client(&app()));
    let own = write(&store, move |tx| tx.add_grant(&view(Grantee::Account(account))));
    let lapsed =
        write(&store, move |tx| tx.add_grant(&NewGrant { until_us: Some(1), ..view(Grantee::Account(account)) }));
    let to_app = write(&store, |tx| tx.add_grant(&view(Grantee::Client("c1".to_owned()))));
    let others = write(&store, |tx| tx.add_grant(&view(Grantee::Client("c1".to_owned()))));
    let app_grant = to_app.id;
    let full = move |text: &str| AccessToken {
        client: Some("c1".to_owned()),
        account: Some(account),
        grant: Some(app_grant),
        ..token(text)
    };
    write(&store, move |tx| {
        tx.add_token(&full("full"))?;
        tx.add_token(&AccessToken { account: None, grant: None, ..full("system") })?;
        tx.add_token(&AccessToken { kind: TokenKind::Refresh, ..full("refresh") })?;
        tx.add_token(&AccessToken { expires_us: crate::clock::now_us(), ..full("expired") })?;
        tx.add_token(&AccessToken { client: Some("c2".to_owned()), ..full("no client") })?;
        tx.add_token(&AccessToken { account: Some(99), ..full("no account") })?;
        tx.add_token(&AccessToken { grant: Some(99), ..full("no grant") })?;
        tx.add_token(&AccessToken { grant: Some(lapsed.id), ..full("lapsed grant") })?;
        tx.add_token(&AccessToken { client: None, account: None, grant: None, ..full("nobody") })
    });

    assert!(context(&store, "full").is_none(), "the client is in the sandbox, and the account has no part in it");
    write(&store, move |tx| tx.set_client_member("c1", account, Part::Tester));
    let full = context(&store, "full").unwrap();
    assert_eq!(full.grants, [own.clone(), to_app.clone()]);
    assert_eq!((full.client.unwrap().id.as_str(), full.account.unwrap().id), ("c1", account));
    assert_eq!(context(&store, "system").unwrap().grants, [to_app, others]);
    assert_eq!(context(&store, "nobody").unwrap().grants, []);
    for refused in ["unknown", "refresh", "expired", "no client", "no account", "no grant", "lapsed grant"] {
        assert!(context(&store, refused).is_none(), "{refused}");
    }

    write(&store, move |tx| tx.end_grant(own.id));
    assert_eq!(context(&store, "full").unwrap().grants.len(), 1);
    write(&store, move |tx| tx.end_grant(app_grant));
    assert!(context(&store, "full").is_none(), "the grant to the app is ended");
    assert!(context(&store, "system").is_some());
    write(&store, |tx| tx.suspend_client("c1"));
    assert!(context(&store, "system").is_none(), "the client is suspended");
}

fn a_disabled_account_has_no_tokens(home: &Home) {
    let store = home.open();
    let account = write(&store, |tx| tx.add_account(&anna())).id;
    write(&store, move |tx| tx.add_token(&AccessToken { account: Some(account), ..token("t") }));

    assert!(context(&store, "t").is_some());
    assert!(write(&store, move |tx| tx.disable_account(account)));
    assert!(context(&store, "t").is_none());
}

fn a_revoked_family_has_no_tokens(home: &Home) {
    let store = home.open();
    write(&store, |tx| {
        tx.add_token(&token("one"))?;
        tx.add_token(&AccessToken { kind: TokenKind::Refresh, ..token("two") })?;
        tx.add_token(&AccessToken { family: Some(SecretHash::of(b"other")), ..token("other") })
    });

    assert_eq!(write(&store, |tx| tx.revoke_family(&SecretHash::of(b"family"))), 2);
    assert!(context(&store, "one").is_none());
    assert!(read(&store, |reader| reader.access_token(&SecretHash::of(b"two"))).unwrap().revoked_us.is_some());
    assert!(context(&store, "other").is_some());
    assert_eq!(write(&store, |tx| tx.revoke_family(&SecretHash::of(b"family"))), 0);
}

fn an_assertion_is_used_once(home: &Home) {
    let store = home.open();
    let later_us = crate::clock::now_us() + HOUR_US;
    let use_it =
        |name: &'static [u8], expires_us: i64| write(&store, move |tx| tx.use_jwt(&SecretHash::of(name), expires_us));

    assert!(use_it(b"one", later_us));
    assert!(!use_it(b"one", later_us));
    assert!(use_it(b"two", later_us));
    assert!(use_it(b"past", 1));
    assert!(use_it(b"past", 1), "what expired is forgotten");
    drop(store);
    assert!(
        !home.open().write(|tx| tx.use_jwt(&SecretHash::of(b"one"), i64::MAX)).unwrap(),
        "a restart forgets nothing"
    );
}

fn a_token_that_expired_long_ago_is_forgotten(home: &Home) {
    let store = home.open();
    let now_us = crate::clock::now_us();
    write(&store, move |tx| {
        tx.add_token(&AccessToken { expires_us: now_us - 25 * HOUR_US, ..token("old") })?;
        tx.add_token(&AccessToken { expires_us: now_us - HOUR_US, ..token("lately") })
    });
    write(&store, |tx| tx.add_token(&token("new")));

    let kept = |text: &str| read(&store, |reader| reader.access_token(&SecretHash::of(text.as_bytes()))).is_some();
    assert_eq!(["old", "lately", "new"].map(kept), [false, true, true]);
}

on_both!(
    what_is_written_is_read,
    an_ended_grant_is_over_once,
    every_change_to_what_anybody_may_do_counts_the_generation_on,
    a_token_counts_as_long_as_all_behind_it_does,
    a_disabled_account_has_no_tokens,
    a_revoked_family_has_no_tokens,
    an_assertion_is_used_once,
    a_token_that_expired_long_ago_is_forgotten,
);

#[test]
fn no_log_shows_a_password_or_a_whole_hash() {
    let account = format!("{:?}", anna());
    let hash = format!("{:?}", SecretHash::of(b"secret"));

    assert!(!account.contains("argon2id"), "{account}");
    assert!(hash.len() < 30, "{hash}");
}
