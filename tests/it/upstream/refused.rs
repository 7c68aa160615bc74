//! Ways that end on a page that says why.

use serde_json::{Value, json};

use super::browser::Browser;
use super::provider::{Provider, signed};
use super::{START, World, bare, settings, told};
use crate::auth::keys::{Key, encoded};
use crate::support::{Database, TestServer, on_both};
use aws_lc_rs::hmac;
use emberwell::config::Settings;
use emberwell::store::Role;

const PROVIDER: &str = "The provider can&#39;t be used just now";
const AGAIN: &str = "Please sign in again";

on_both!(by crate::upstream::run:
    an_answer_to_nothing_signs_nobody_in,
    an_answer_of_another_browser_signs_nobody_in,
    an_answer_counts_once,
    an_id_token_that_is_not_as_it_must_be_signs_nobody_in,
    a_refusal_of_the_provider_is_told,
    a_token_answer_that_is_of_no_use_is_told,
    another_issuer_in_the_answer_is_noticed,
    who_is_disabled_is_not_signed_in,
    what_is_no_provider_has_no_page,
    answers_are_taken_only_so_often_from_one_address,
);

on_both!(by crate::upstream::refused::run_broken:
    a_provider_that_says_nothing_of_use_is_not_used,
);

async fn an_answer_to_nothing_signs_nobody_in(world: &World) {
    let browser = Browser::new();

    for query in ["", "?code=c", "?code=c&state=s", "?error=access_denied&state=s", "?state=a&state=b&code=c"] {
        let answer = browser.get(&world.url(&format!("/auth/upstream/clinic/callback{query}"))).await;
        assert!(answer.status == 400 || query.contains("&state=b"), "{query}: {}", answer.status);
        assert!(!world.is_signed_in(&browser).await);
    }
    let sent = world.begin(&browser, START).await;
    let answer = world.back(&browser, &[("code", "c")]).await;
    world.refused(&browser, &answer, 400, AGAIN).await;
    let answer = world.back(&browser, &[("code", "c"), ("state", &format!("{}x", sent.state))]).await;
    world.refused(&browser, &answer, 400, AGAIN).await;
    assert!(answer.text().contains("don&#39;t"), "{}", answer.text());
    assert!(world.provider.asked().iter().all(|asked| asked.path != "/token"), "no code was exchanged");
}

async fn an_answer_of_another_browser_signs_nobody_in(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    let (own, other) = (Browser::new(), Browser::new());
    let sent = world.begin(&own, START).await;
    world.begin(&other, START).await;
    world.provider.tells(&world.provider.claims("4711", &sent.nonce));

    // The link that the provider made for one is opened in another.
    let answer = world.back(&other, &[("code", "c"), ("state", &sent.state)]).await;
    world.refused(&other, &answer, 400, AGAIN).await;
    // Not even with the cookie: it holds for the visit in which it was given.
    let stolen = own.cookie(&world.server.url, "emberwell-upstream").unwrap();
    other.set_cookie(&world.server.url, "emberwell-upstream", &stolen);
    let answer = world.back(&other, &[("code", "c"), ("state", &sent.state)]).await;
    world.refused(&other, &answer, 400, AGAIN).await;
    // A cookie that was changed is none.
    let changed = format!("{}A", &stolen[..stolen.len() - 1]);
    own.set_cookie(&world.server.url, "emberwell-upstream", &changed);
    if changed != stolen {
        let answer = world.back(&own, &[("code", "c"), ("state", &sent.state)]).await;
        world.refused(&own, &answer, 400, AGAIN).await;
    }
    own.set_cookie(&world.server.url, "emberwell-upstream", &stolen);
    world.back(&own, &[("code", "c"), ("state", &sent.state)]).await.expect(303);
}

async fn an_answer_counts_once(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    let browser = Browser::new();
    let sent = world.begin(&browser, START).await;
    let (kept, visit) = (browser.cookie(&world.server.url, "emberwell-upstream"), "emberwell-visit");
    world.provider.tells(&world.provider.claims("4711", &sent.nonce));
    world.back(&browser, &[("code", "c"), ("state", &sent.state)]).await.expect(303);

    let again = Browser::new();
    again.set_cookie(&world.server.url, "emberwell-upstream", &kept.unwrap());
    again.set_cookie(&world.server.url, visit, &browser.cookie(&world.server.url, visit).unwrap());
    let answer = world.back(&again, &[("code", "c"), ("state", &sent.state)]).await;

    world.refused(&again, &answer, 400, AGAIN).await;
    assert!(answer.text().contains("used already"), "{}", answer.text());
}

async fn an_id_token_that_is_not_as_it_must_be_signs_nobody_in(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    let other = Key::p256();
    let with = |claims: &Value, member: &str, value: Value| {
        let mut claims = claims.clone();
        claims[member] = value;
        claims
    };
    let own = |claims: &Value| signed(&world.provider.key, "k1", claims);
    let unsigned = |claims: &Value| format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded(claims.to_string()));
    let shared = |claims: &Value| {
        let message = format!("{}.{}", encoded(r#"{"alg":"HS256"}"#), encoded(claims.to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"the secret: of%the client");
        format!("{message}.{}", encoded(hmac::sign(&key, message.as_bytes())))
    };
    type Forged<'f> = (&'static str, Box<dyn Fn(&Value) -> String + 'f>);
    let table: Vec<Forged<'_>> = vec![
        ("alg none", Box::new(unsigned)),
        ("HS256 by the client's secret", Box::new(shared)),
        ("wrong key", Box::new(|claims| signed(&other, "k1", claims))),
        ("unknown key", Box::new(|claims| signed(&other, "k9", claims))),
        ("expired", Box::new(|claims| own(&with(claims, "exp", json!(claims["iat"].as_i64().unwrap() - 10))))),
        ("from before", Box::new(|claims| own(&with(claims, "iat", json!(claims["iat"].as_i64().unwrap() - 3600))))),
        ("wrong nonce", Box::new(|claims| own(&with(claims, "nonce", json!("another"))))),
        ("no nonce", Box::new(|claims| own(&with(claims, "nonce", Value::Null)))),
        ("wrong aud", Box::new(|claims| own(&with(claims, "aud", json!("another"))))),
        ("one aud too many", Box::new(|claims| own(&with(claims, "aud", json!(["emberwell", "another"]))))),
        ("wrong azp", Box::new(|claims| own(&with(claims, "azp", json!("another"))))),
        ("wrong iss", Box::new(|claims| own(&with(claims, "iss", json!("https://other.example"))))),
        ("wrong at_hash", Box::new(|claims| own(&with(claims, "at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"))))),
    ];
    for (what, token) in table {
        let browser = Browser::new();
        let sent = world.begin(&browser, START).await;
        world.provider.tells_signed(&token(&world.provider.claims("4711", &sent.nonce)));

        let answer = world.back(&browser, &[("code", "c"), ("state", &sent.state)]).await;

        assert_eq!(answer.status, 502, "{what}");
        assert!(answer.text().contains("can&#39;t be trusted"), "{what}: {}", answer.text());
        world.refused(&browser, &answer, 502, PROVIDER).await;
    }
    // And the same without a mistake.
    world.come(&Browser::new(), START, "4711").await.expect(303);
}

async fn a_refusal_of_the_provider_is_told(world: &World) {
    for (code, status, heading) in [
        ("access_denied", 403, "You were not signed in"),
        ("server_error", 502, PROVIDER),
        ("<script>alert(1)</script>", 502, PROVIDER),
    ] {
        let browser = Browser::new();
        let sent = world.begin(&browser, START).await;
        let answer = world.back(&browser, &[("error", code), ("state", &sent.state), ("code", "c")]).await;

        world.refused(&browser, &answer, status, heading).await;
        assert!(!answer.text().contains("script>"), "{}", answer.text());
    }
    assert!(world.provider.asked().iter().all(|asked| asked.path != "/token"));
}

async fn a_token_answer_that_is_of_no_use_is_told(world: &World) {
    let table: [(u16, &'static str, &str); 9] = [
        (400, "application/json", r#"{"error":"invalid_grant","error_description":"no such code"}"#),
        (401, "application/json", r#"{"error":"invalid_client"}"#),
        (200, "application/json", "{\"access_token\":"),
        (200, "application/json", r#"{"access_token":"a","token_type":"bearer"}"#),
        (200, "application/json", r#"{"access_token":"a\nb","token_type":"bearer","id_token":"a.b.c"}"#),
        (200, "text/html", "<p>hello"),
        (200, "application/json", ""),
        (500, "text/html", "<h1>sorry</h1>"),
        (302, "application/json", ""),
    ];
    for (status, media, body) in table {
        world.provider.change(|script| script.token = (status, media, body.to_owned()));
        let browser = Browser::new();
        let sent = world.begin(&browser, START).await;
        let answer = world.back(&browser, &[("code", "c"), ("state", &sent.state)]).await;

        assert_eq!(answer.status, 502, "{status} {body}");
        world.refused(&browser, &answer, 502, PROVIDER).await;
    }
    let browser = Browser::new();
    let sent = world.begin(&browser, START).await;
    let answer = world.back(&browser, &[("state", &sent.state)]).await;
    world.refused(&browser, &answer, 502, PROVIDER).await;
}

async fn another_issuer_in_the_answer_is_noticed(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    let issuer = world.provider.issuer.clone();
    let come = async |iss: Option<&str>| {
        let browser = Browser::new();
        let sent = world.begin(&browser, START).await;
        world.provider.tells(&world.provider.claims("4711", &sent.nonce));
        let mut parameters = vec![("code", "c"), ("state", sent.state.as_str())];
        parameters.extend(iss.map(|iss| ("iss", iss)));
        world.back(&browser, &parameters).await
    };

    assert_eq!(come(None).await.status, 303);
    assert_eq!(come(Some(&issuer)).await.status, 303);
    let answer = come(Some("https://other.example")).await;
    told(&answer, 502, PROVIDER);
    assert!(answer.text().contains("another issuer"), "{}", answer.text());
}

async fn who_is_disabled_is_not_signed_in(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    crate::support::holders::change(&world.server, move |tx| tx.disable_account(ana.id));
    let browser = Browser::new();

    let answer = world.come(&browser, START, "4711").await;

    world.refused(&browser, &answer, 403, "This account can&#39;t be used").await;
}

async fn what_is_no_provider_has_no_page(world: &World) {
    for path in ["start", "callback?code=c&state=s"] {
        assert_eq!(bare(world, &format!("/auth/upstream/other/{path}")).await.status, 404);
    }
    assert_eq!(bare(world, "/auth/upstream/clinic/link").await.status, 405);
    let head = world.server.request(http::Method::HEAD, &world.url("/auth/upstream/clinic/callback?code=c"));
    assert_eq!(head.send().await.status, 405, "what only looks uses nothing up");
}

async fn answers_are_taken_only_so_often_from_one_address(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    // What succeeds does not count.
    for _ in 0..3 {
        world.come(&Browser::new(), START, "4711").await.expect(303);
    }

    let mut statuses = Vec::new();
    for _ in 0..101 {
        statuses.push(bare(world, "/auth/upstream/clinic/callback?code=c&state=s").await);
    }

    assert!(statuses[..100].iter().all(|answer| answer.status == 400));
    assert_eq!(statuses[100].status, 429);
    assert!(statuses[100].header("Retry-After").parse::<u32>().is_ok_and(|seconds| (1..=60).contains(&seconds)));
}

/// Providers that are broken, each in its own way, and a server that would take them all.
pub struct Broken {
    server: TestServer,
    names: Vec<String>,
}

fn run_broken(database: Database, behaviour: impl AsyncFn(&Broken)) {
    type Break = fn(&Provider);
    let breaks: [(&str, Break); 9] = [
        ("other-issuer", |provider| {
            provider.change(|script| script.metadata["issuer"] = json!("https://other.example"))
        }),
        ("slash", |provider| {
            let issuer = format!("{}/", provider.issuer);
            provider.change(|script| script.metadata["issuer"] = json!(issuer));
        }),
        ("no-json", |provider| provider.change(|script| script.metadata = json!("hello"))),
        ("no-keys", |provider| provider.change(|script| script.jwks = json!({ "keys": {} }))),
        ("keys-elsewhere", |provider| {
            // Not listed, so that it is not asked: what a provider says opens no way into this network.
            provider.change(|script| script.metadata["jwks_uri"] = json!("http://127.0.0.1:9/jwks"));
        }),
        ("page-of-script", |provider| {
            provider.change(|script| script.metadata["authorization_endpoint"] = json!("javascript:alert(1)"));
        }),
        ("no-page", |provider| {
            provider.change(|script| drop(script.metadata.as_object_mut().unwrap().remove("authorization_endpoint")));
        }),
        ("large", |provider| {
            provider.change(|script| script.metadata["own"] = json!("a".repeat(1 << 20)));
        }),
        ("number", |provider| provider.change(|script| script.metadata["token_endpoint"] = json!(7))),
    ];
    actix_web::rt::System::new().block_on(async {
        let mut running = Vec::new();
        let (mut all, mut allow, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (name, break_it) in breaks {
            let provider = Provider::start();
            break_it(&provider);
            let mut settings = settings(&provider);
            settings.name = name.to_owned();
            allow.push(settings.issuer.clone());
            names.push(settings.name.clone());
            all.push(settings);
            running.push(provider);
        }
        // And one that is not there at all.
        let gone = Provider::start();
        let mut away = settings(&gone);
        away.name = "away".to_owned();
        names.push(away.name.clone());
        allow.push(away.issuer.clone());
        all.push(away);
        gone.stop().await;
        let with = |settings: &mut Settings| {
            settings.server.open = false;
            settings.outbound.allow = allow;
            settings.sign_in.providers = all;
        };
        if let Some(server) = TestServer::start_with(database, with).await {
            let broken = Broken { server, names };
            behaviour(&broken).await;
            broken.server.stop().await;
        }
        for provider in running {
            provider.stop().await;
        }
    });
}

async fn a_provider_that_says_nothing_of_use_is_not_used(broken: &Broken) {
    for name in &broken.names {
        let browser = Browser::new();
        let url = format!("{}/auth/upstream/{name}/start", broken.server.url);
        let answer = browser.get(&url).await;

        assert_eq!(answer.status, 502, "{name}: {}", answer.header("Location"));
        told(&answer, 502, PROVIDER);
        assert_eq!(
            answer.text().contains("another issuer"),
            ["other-issuer", "slash"].contains(&name.as_str()),
            "{name}"
        );
        // At once: it is left alone for a moment.
        told(&browser.get(&url).await, 502, PROVIDER);
    }
}
