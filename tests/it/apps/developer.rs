//! `/developer`: registering apps on pages, and what the operator says of them.

use emberwell::store::{Client, ClientFacts, ClientKind, ClientState, Part, Role, SecretHash};
use url::form_urlencoded::Serializer;

use super::browser::{csrf, post, signed_in, submit};
use super::{closed, custodian, person};
use crate::auth::backend::{post_as, refused};
use crate::auth::key_server::KeyServer;
use crate::support::browser::{Browser, form};
use crate::support::holders::change;
use crate::support::{Answer, TestServer, on_both};

on_both!(
    a_new_app_is_for_those_who_make_and_try_it,
    what_is_wrong_stands_beside_its_field,
    the_operator_approves_and_vouches_until_it_is_another,
    the_operator_decides_about_what_they_have_seen,
    a_secret_is_changed_with_an_overlap,
    who_changes_an_app_has_shown_lately_who_they_are,
    an_app_has_an_owner,
    nobody_learns_from_an_app_who_has_an_account,
    one_account_makes_only_so_many_apps,
);

const APP: [(&str, &str); 8] = [
    ("name", "Growth"),
    ("publisher", "Curves Ltd"),
    ("kind", "confidential"),
    ("redirect_uris", "https://app.example/done\r\nhttp://127.0.0.1/done"),
    ("scope-1", "launch/patient"),
    ("scope-2", "patient/Observation.rs"),
    ("need-2", "needed"),
    ("why-2", "to draw curves"),
];

/// Registers an app on the page, and gives the page that follows, and the client.
async fn register(browser: &Browser<'_>, server: &TestServer, fields: &[(&str, &str)]) -> (Answer, Client) {
    let form = browser.get("/developer/new").await.expect(200);
    let page = submit(browser, &form, "/developer/new", fields).await.expect(200);
    let id = between(&page.text(), "<code id=\"client-id\">");
    let client = change(server, move |tx| tx.client(&id)).unwrap();
    (page, client)
}

/// Answers the one question that somebody has, whether they take a part in an app.
async fn say(browser: &Browser<'_>, answer: &str) {
    let question = form(&browser.get("/developer").await.expect(200), "/developer");
    browser.send_form(&question.with("answer", answer)).await.expect(303);
}

/// What stands between `mark` and the next tag.
fn between(page: &str, mark: &str) -> String {
    let rest = &page[page.find(mark).unwrap_or_else(|| panic!("no {mark}: {page}")) + mark.len()..];
    rest[..rest.find('<').unwrap()].to_owned()
}

/// The address at which an app asks for a person's consent.
fn asking(server: &TestServer, client: &str) -> String {
    let pairs = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", "https://app.example/done"),
        ("scope", "launch/patient patient/Observation.rs"),
        ("state", "s"),
        ("aud", &server.base),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    format!("/auth/authorize?{}", Serializer::new(String::new()).extend_pairs(pairs).finish())
}

async fn a_new_app_is_for_those_who_make_and_try_it(server: &TestServer) {
    for name in ["maker", "tester", "stranger"] {
        custodian(server, name).await;
    }
    let server = closed(server, |_| {}).await;
    let maker = signed_in(&server, "maker").await;
    let (page, client) = register(&maker, &server, &APP).await;
    let address = format!("/developer/apps/{}", client.id);
    assert_eq!(client.state(), ClientState::Sandbox);
    assert_eq!((client.publisher.as_deref(), client.is_verified()), (Some("Curves Ltd"), false));
    assert_eq!(
        (client.scopes.as_str(), client.optional_scopes.as_str()),
        ("launch/patient patient/Observation.rs", "launch/patient")
    );
    assert_eq!(client.reasons["patient/Observation.rs"], "to draw curves");
    let secret = between(&page.text(), "<code id=\"client-secret\">");
    assert_eq!(client.secret_hash, Some(SecretHash::of(secret.as_bytes())));
    assert!(!maker.get(&address).await.expect(200).text().contains(&secret), "it is shown once");
    assert!(maker.get("/developer").await.expect(200).text().contains("Growth"));

    let tester = ("email", "tester@example.org");
    submit(&maker, &page, &format!("{address}/members"), &[tester, ("part", "tester")]).await.expect(200);
    let named = signed_in(&server, "tester").await;
    assert_eq!(named.get(&asking(&server, &client.id)).await.status, 400, "who was named is asked first");
    say(&named, "yes").await;
    for (name, is_let_in) in [("maker", true), ("tester", true), ("stranger", false)] {
        let browser = signed_in(&server, name).await;
        let asked = browser.get(&asking(&server, &client.id)).await;
        assert_eq!(asked.status, if is_let_in { 200 } else { 400 }, "{name}");
        if !is_let_in {
            assert_eq!(asked.header("Location"), "", "{name}");
            assert!(asked.text().contains("https://app.example/done?error=access_denied&#38;"), "{name}");
        }
        assert_eq!(browser.get(&address).await.status, if name == "maker" { 200 } else { 404 }, "{name}");
    }
    let stranger = signed_in(&server, "stranger").await;
    let own = stranger.get("/developer/new").await.expect(200);
    let field = csrf(&own, "/developer/new");
    for path in [address.clone(), format!("{address}/secret"), format!("{address}/members")] {
        let fields = [&[("csrf", field.as_str()), tester, ("remove", "yes")], &APP[..]].concat();
        assert_eq!(post(&stranger, &path, &fields).await.status, 404, "{path}");
    }
    server.stop().await;
}

async fn what_is_wrong_stands_beside_its_field(server: &TestServer) {
    let drawing = KeyServer::start("<svg xmlns='http://www.w3.org/2000/svg'/>".to_owned());
    let allow = vec![drawing.origin.clone()];
    let logo = format!("{}/logo.svg", drawing.origin);
    person(server, "maker", Role::Person);
    let server = closed(server, |settings| settings.outbound.allow = allow).await;
    let maker = signed_in(&server, "maker").await;
    let form = maker.get("/developer/new").await.expect(200);

    for (field, value, beside) in [
        ("name", "", "name"),
        ("redirect_uris", "http://app.example/done", "redirect_uris"),
        ("redirect_uris", "", "redirect_uris"),
        ("launch_uri", "javascript:alert(1)", "launch_uri"),
        ("scope-2", "patient/Observation.sr", "scopes"),
        ("scope-2", "system/*.rs", "scopes"),
        ("scope-2", "patient/Observation.rs?subject.name=x", "scopes"),
        ("logo_uri", &logo, "logo_uri"),
        ("logo_uri", "https://127.0.0.1/logo.png", "logo_uri"),
        ("policy_uri", "http://app.example/", "policy_uri"),
        ("jwks", "{}", "jwks"),
        ("jwks_uri", "http://app.example/keys", "jwks_uri"),
    ] {
        let others = APP.into_iter().filter(|(name, _)| *name != field);
        let fields: Vec<(&str, &str)> = others.chain([(field, value)]).collect();
        let page = submit(&maker, &form, "/developer/new", &fields).await.expect(400);
        assert!(page.text().contains(&format!("id=\"{beside}-problem\"")), "{field}={value}: {}", page.text());
        assert!(page.text().contains(&format!("aria-describedby=\"{beside}-problem\"")), "{field}={value}");
        assert!(field == "publisher" || page.text().contains("value=\"Curves Ltd\""), "what was typed is still there");
    }
    assert_eq!(change(&server, |tx| tx.clients()).len(), 0);
    server.stop().await;
    drawing.stop().await;
}

async fn the_operator_approves_and_vouches_until_it_is_another(server: &TestServer) {
    person(server, "maker", Role::Person);
    person(server, "chief", Role::Operator);
    let server = closed(server, |_| {}).await;
    let maker = signed_in(&server, "maker").await;
    let chief = signed_in(&server, "chief").await;
    let (page, client) = register(&maker, &server, &APP).await;
    let address = format!("/developer/apps/{}", client.id);
    let now = || {
        let id = client.id.clone();
        let client = change(&server, move |tx| tx.client(&id)).unwrap();
        (client.state(), client.is_verified())
    };
    assert_eq!(maker.get("/developer/review").await.status, 404);
    let review = chief.get("/developer/review").await.expect(200);
    let seen = form(&review, "/developer/review").value("seen");
    let decide = async |decision: &str| {
        let fields = [("client_id", client.id.as_str()), ("seen", seen.as_str()), ("decision", decision)];
        submit(&chief, &review, "/developer/review", &fields).await.status
    };

    assert_eq!((decide("approve").await, decide("verify").await), (303, 303));
    assert_eq!(now(), (ClientState::Approved, true));
    assert_eq!((decide("approve").await, decide("shrug").await), (400, 400));
    let keys_alone: Vec<(&str, &str)> = APP.into_iter().chain([("contacts", "help@app.example")]).collect();
    submit(&maker, &page, &address, &keys_alone).await.expect(200);
    assert_eq!(now(), (ClientState::Approved, true), "nothing that people decide by has changed");
    let renamed: Vec<(&str, &str)> =
        APP.into_iter().map(|(name, value)| (name, if name == "name" { "Hospital" } else { value })).collect();
    submit(&maker, &page, &address, &renamed).await.expect(200);
    assert_eq!(now(), (ClientState::Sandbox, false), "the operator is to look at it again");
    assert_eq!((decide("suspend").await, now().0), (303, ClientState::Suspended));
    server.stop().await;
}

async fn the_operator_decides_about_what_they_have_seen(server: &TestServer) {
    person(server, "maker", Role::Person);
    person(server, "chief", Role::Operator);
    let server = closed(server, |_| {}).await;
    let maker = signed_in(&server, "maker").await;
    let chief = signed_in(&server, "chief").await;
    let (page, client) = register(&maker, &server, &APP).await;
    let other = |field: &'static str, value: &'static str| -> Vec<(&'static str, &'static str)> {
        APP.into_iter().filter(|(name, _)| *name != field).chain([(field, value)]).collect()
    };
    let review = async || form(&chief.get("/developer/review").await.expect(200), "/developer/review");
    let now = || {
        let id = client.id.clone();
        let client = change(&server, move |tx| tx.client(&id)).unwrap();
        (client.state(), client.is_verified())
    };

    for changed in [
        other("name", "Totally other app"),
        other("redirect_uris", "https://evil.example/cb"),
        other("scope-2", "user/*.cruds"),
        other("policy_uri", "https://evil.example/policy"),
        other("contacts", "mallory@evil.example"),
    ] {
        let seen = review().await;
        submit(&maker, &page, &format!("/developer/apps/{}", client.id), &changed).await.expect(200);
        for decision in ["approve", "verify"] {
            let refused = chief.send_form(&seen.clone().with("decision", decision)).await.expect(409);
            assert!(refused.text().contains("was changed since"), "{}", refused.text());
        }
        assert_eq!(now(), (ClientState::Sandbox, false), "{changed:?}");
    }
    let seen = review().await;
    for decision in ["approve", "verify"] {
        chief.send_form(&seen.clone().with("decision", decision)).await.expect(303);
    }
    assert_eq!(now(), (ClientState::Approved, true));
    let unseen = seen.with("seen", "x").with("decision", "suspend");
    chief.send_form(&unseen).await.expect(303);
    assert_eq!(now().0, ClientState::Suspended, "to stop it needs no look");
    server.stop().await;
}

async fn a_secret_is_changed_with_an_overlap(server: &TestServer) {
    person(server, "maker", Role::Person);
    let server = closed(server, |_| {}).await;
    let maker = signed_in(&server, "maker").await;
    let (page, client) = register(&maker, &server, &APP).await;
    let first = between(&page.text(), "<code id=\"client-secret\">");

    let page = submit(&maker, &page, &format!("/developer/apps/{}/secret", client.id), &[]).await.expect(200);
    let second = between(&page.text(), "<code id=\"client-secret\">");
    assert_ne!(first, second);
    let introspect = async |secret: &str| {
        let basic =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{}:{secret}", client.id));
        post_as(&server, "/auth/introspect", Some(&format!("Basic {basic}")), &[("token", "x")]).await
    };
    assert_eq!((introspect(&first).await.status, introspect(&second).await.status), (200, 200));
    crate::support::database::execute(server.database(), "UPDATE client SET previous_until_us = 1");
    refused(&introspect(&first).await, 401, "invalid_client");
    assert_eq!(introspect(&second).await.status, 200);
    server.stop().await;
}

async fn who_changes_an_app_has_shown_lately_who_they_are(server: &TestServer) {
    person(server, "maker", Role::Person);
    person(server, "heir", Role::Person);
    let server = closed(server, |_| {}).await;
    let maker = signed_in(&server, "maker").await;
    let (page, client) = register(&maker, &server, &APP).await;
    let address = format!("/developer/apps/{}", client.id);
    let longer_ago = emberwell::clock::now_us() - 11 * 60 * 1_000_000;
    crate::support::database::execute(server.database(), &format!("UPDATE session SET verified_us = {longer_ago}"));

    let public: Vec<(&str, &str)> =
        APP.into_iter().map(|(name, value)| (name, if name == "kind" { "public" } else { value })).collect();
    let heir = [("email", "heir@example.org"), ("part", "owner")];
    for (path, fields) in [("", &public[..]), ("/secret", &[]), ("/members", &heir)] {
        let sent = submit(&maker, &page, &format!("{address}{path}"), fields).await.expect(303);
        assert!(sent.header("Location").starts_with("/sign-in/again?next="), "{path}: {}", sent.header("Location"));
    }
    let (id, hash) = (client.id.clone(), client.secret_hash);
    let (kept, members) = change(&server, move |tx| Ok((tx.client(&id)?, tx.client_members(&id)?)));
    let kept = kept.unwrap();
    assert_eq!((kept.kind, kept.secret_hash, members.len()), (ClientKind::Confidential, hash, 1));
    maker.get(&address).await.expect(200);
    server.stop().await;
}

async fn an_app_has_an_owner(server: &TestServer) {
    person(server, "maker", Role::Person);
    person(server, "heir", Role::Person);
    let server = closed(server, |_| {}).await;
    let maker = signed_in(&server, "maker").await;
    let (page, client) = register(&maker, &server, &APP).await;
    let address = format!("/developer/apps/{}/members", client.id);
    let send = async |fields: &[(&str, &str)]| submit(&maker, &page, &address, fields).await;
    let (own, heir) = (("email", "maker@example.org"), ("email", "heir@example.org"));

    for wrong in [&[own, ("remove", "yes")][..], &[own, ("part", "tester")], &[("email", "x")]] {
        let refused = send(wrong).await.expect(400);
        assert!(refused.text().contains("id=\"email-problem\""), "{wrong:?}");
    }
    send(&[heir, ("part", "owner")]).await.expect(200);
    say(&signed_in(&server, "heir").await, "yes").await;
    assert_eq!(send(&[own, ("remove", "yes")]).await.status, 404, "it is the heir's alone by then");
    signed_in(&server, "heir").await.get(&format!("/developer/apps/{}", client.id)).await.expect(200);
    server.stop().await;
}

async fn nobody_learns_from_an_app_who_has_an_account(server: &TestServer) {
    for name in ["maker", "known", "gone"] {
        person(server, name, Role::Person);
    }
    crate::support::database::execute(server.database(), "UPDATE account SET disabled_us = 1 WHERE email LIKE 'gone%'");
    let server = closed(server, |_| {}).await;
    let maker = signed_in(&server, "maker").await;
    let (page, client) = register(&maker, &server, &APP).await;
    let address = format!("/developer/apps/{}/members", client.id);
    let send = async |name: &str, more: (&str, &str)| {
        let email = format!("{name}@example.org");
        submit(&maker, &page, &address, &[("email", email.as_str()), more]).await.expect(200).text()
    };

    for more in [("part", "tester"), ("part", "owner"), ("remove", "yes"), ("part", "owner")] {
        let told = send("known", more).await;
        assert_eq!(send("nobody", more).await, told, "{more:?}");
        assert_eq!(send("gone", more).await, told, "{more:?}");
        assert!(!told.contains("known@example.org"), "{told}");
    }
    let known = signed_in(&server, "known").await;
    say(&known, "no").await;
    assert_eq!(known.get(&format!("/developer/apps/{}", client.id)).await.status, 404);
    let listed = known.get("/developer").await.expect(200);
    assert!(!listed.text().contains("Growth"), "who said no is asked no more");
    send("known", ("part", "owner")).await;
    say(&known, "yes").await;
    known.get(&format!("/developer/apps/{}", client.id)).await.expect(200);
    let members = maker.get(&format!("/developer/apps/{}", client.id)).await.expect(200);
    assert!(members.text().contains("known@example.org"));
    let late = [("client_id", client.id.as_str()), ("answer", "yes")];
    let token = csrf(&members, &address);
    let late = [&[("csrf", token.as_str())], &late[..]].concat();
    post(&maker, "/developer", &late).await.expect(400);
    server.stop().await;
}

async fn one_account_makes_only_so_many_apps(server: &TestServer) {
    let account = person(server, "maker", Role::Person);
    let server = closed(server, |_| {}).await;
    let maker = signed_in(&server, "maker").await;
    change(&server, move |tx| {
        (1..20).try_for_each(|number| {
            let id = format!("app-{number}");
            tx.add_client(&ClientFacts::of(&id, "App", ClientKind::Public))?;
            tx.set_client_member(&id, account, Part::Owner)
        })
    });

    register(&maker, &server, &APP).await;
    let form = maker.get("/developer/new").await.expect(200);
    let refused = submit(&maker, &form, "/developer/new", &APP).await.expect(400);
    assert!(refused.text().contains("at most 20 apps"), "{}", refused.text());
    server.stop().await;
}
