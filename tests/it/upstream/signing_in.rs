//! The way that works.

use emberwell::store::{Role, SecretHash, Store, StoreError};
use sha2::{Digest as _, Sha256};

use super::browser::{Browser, attribute, tags};
use super::{START, World};
use crate::auth::keys::Key;
use crate::support::on_both;

on_both!(by crate::upstream::run:
    who_is_linked_is_signed_in_and_goes_on_where_they_wanted,
    the_provider_is_asked_as_it_must_be,
    a_new_key_of_the_provider_is_sought_and_an_old_one_is_not_sought_again_and_again,
    what_a_provider_says_of_itself_is_asked_for_once,
    it_is_gone_on_within_this_server_only,
    a_session_from_before_ends,
    who_is_signed_in_can_show_it_again,
    whoever_has_an_app_is_asked_for_a_code,
);

async fn who_is_linked_is_signed_in_and_goes_on_where_they_wanted(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    let browser = Browser::new();

    // The button of the sign-in page leads there.
    let page = browser.get(&world.url("/sign-in?next=%2Faccount%2Fproviders%3Fa%3Db%26c")).await.expect(200).text();
    let button = tags(&page, "a").into_iter().find(|tag| tag.contains("/auth/upstream/")).unwrap();
    let answer = world.come(&browser, &attribute(button, "href").unwrap(), "4711").await.expect(303);

    assert_eq!(answer.header("Location"), "/account/providers?a=b&c");
    assert_eq!(answer.header("Cache-Control"), "no-store");
    let page = browser.get(&world.url("/account/providers")).await.expect(200).text();
    assert!(page.contains("4711@clinic.example") && page.contains("Clinic ID"), "{page}");
    assert_eq!(browser.cookie(&world.server.url, "emberwell-upstream"), None, "it is used up");
    let store = Store::open(world.server.database(), 2, None).unwrap();
    let (session, identity) = store
        .read(|reader| {
            let session = reader.sessions_of(ana.id)?.remove(0);
            Ok::<_, StoreError>((session, reader.identities_of(ana.id)?.remove(0)))
        })
        .unwrap();
    assert_eq!(session.factors, "fed pwd");
    assert!(identity.used_us.is_some());
}

async fn the_provider_is_asked_as_it_must_be(world: &World) {
    let browser = Browser::new();
    let sent = world.begin(&browser, START).await;
    let of = |name: &str| sent.location.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned());
    let callback = world.url("/auth/upstream/clinic/callback");

    assert_eq!(format!("{}/authorize", world.provider.issuer), sent.location.as_str().split('?').next().unwrap());
    assert_eq!(of("response_type").as_deref(), Some("code"));
    assert_eq!(of("client_id").as_deref(), Some("emberwell"));
    assert_eq!(of("scope").as_deref(), Some("openid email profile"));
    assert_eq!(of("redirect_uri").as_deref(), Some(callback.as_str()));
    assert_eq!(of("code_challenge_method").as_deref(), Some("S256"));
    assert!(sent.state.len() >= 43 && sent.nonce.len() >= 43 && sent.state != sent.nonce);
    world.provider.asked();
    world.provider.tells(&world.provider.claims("4711", &sent.nonce));
    world.back(&browser, &[("code", "a code"), ("state", &sent.state)]).await;

    let asked = world.provider.asked().into_iter().find(|asked| asked.path == "/token").unwrap();
    // RFC 6749 section 2.3.1: both are form-encoded first.
    let basic = crate::auth::keys::encoded_padded("emberwell:the+secret%3A+of%25the+client");
    assert_eq!(asked.authorization, Some(format!("Basic {basic}")));
    let field = |name: &str| {
        let mut fields = url::form_urlencoded::parse(asked.body.as_bytes());
        fields.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
    };
    assert_eq!(field("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(field("code").as_deref(), Some("a code"));
    assert_eq!(field("redirect_uri").as_deref(), Some(callback.as_str()));
    assert_eq!(field("client_secret"), None);
    let verifier = field("code_verifier").unwrap();
    let challenge = crate::auth::keys::encoded(Sha256::digest(verifier.as_bytes()));
    assert_eq!(of("code_challenge"), Some(challenge));
}

async fn a_new_key_of_the_provider_is_sought_and_an_old_one_is_not_sought_again_and_again(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    let new = Key::p384();
    world.come(&Browser::new(), START, "4711").await.expect(303);
    world.provider.asked();

    let keys = serde_json::json!({ "keys": [new.jwk("k2")] });
    world.provider.change(|script| script.jwks = keys);
    let browser = Browser::new();
    let sent = world.begin(&browser, START).await;
    world.provider.tells_signed(&super::provider::signed(&new, "k2", &world.provider.claims("4711", &sent.nonce)));
    world.back(&browser, &[("code", "c"), ("state", &sent.state)]).await.expect(303);
    assert_eq!(world.provider.asked().iter().filter(|asked| asked.path == "/jwks").count(), 1);

    // The old one is gone, and nobody can make this server ask for it over and over.
    for _ in 0..3 {
        let browser = Browser::new();
        let answer = world.come(&browser, START, "4711").await;
        world.refused(&browser, &answer, 502, "The provider can&#39;t be used just now").await;
    }
    assert_eq!(world.provider.asked().iter().filter(|asked| asked.path == "/jwks").count(), 0);
}

async fn what_a_provider_says_of_itself_is_asked_for_once(world: &World) {
    for _ in 0..3 {
        world.begin(&Browser::new(), START).await;
    }

    let paths: Vec<String> = world.provider.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/.well-known/openid-configuration", "/jwks"]);
}

async fn it_is_gone_on_within_this_server_only(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    let long = format!("/{}", "a".repeat(3000));
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/%0d%0aLocation:x\r\n", "evil", &long] {
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let answer = world.come(&Browser::new(), &format!("{START}?next={next}"), "4711").await.expect(303);

        assert!(["/", "/%0d%0aLocation:x"].contains(&answer.header("Location").as_str()), "{next}");
    }
}

async fn a_session_from_before_ends(world: &World) {
    let (ana, bo) = (world.account("ana@example.org", Role::Person), world.account("bo@example.org", Role::Person));
    world.linked(&bo, "4712");
    let browser = world.signed_in("ana@example.org").await;
    let before = browser.cookie(&world.server.url, "emberwell").unwrap();

    world.come(&browser, START, "4712").await.expect(303);

    let after = browser.cookie(&world.server.url, "emberwell").unwrap();
    assert_ne!(before, after);
    let other = Browser::new();
    other.set_cookie(&world.server.url, "emberwell", &before);
    assert!(!world.is_signed_in(&other).await);
    assert!(world.is_signed_in(&browser).await);
    let store = Store::open(world.server.database(), 2, None).unwrap();
    let counts = [ana.id, bo.id].map(|id| store.read(|reader| reader.sessions_of(id)).unwrap_or_else(no).len());
    assert_eq!(counts, [0, 1]);
}

async fn who_is_signed_in_can_show_it_again(world: &World) {
    let (ana, bo) = (world.account("ana@example.org", Role::Person), world.account("bo@example.org", Role::Person));
    world.linked(&ana, "4711");
    world.linked(&bo, "4712");
    let browser = world.signed_in("ana@example.org").await;
    // The page that asks for it has the button of what is linked.
    let page = browser.get(&world.url("/sign-in/again?next=%2Fapps")).await.expect(200).text();
    let button = tags(&page, "a").into_iter().find(|tag| tag.contains("/auth/upstream/")).unwrap();
    let again = attribute(button, "href").unwrap();
    let store = Store::open(world.server.database(), 2, None).unwrap();
    let session = || store.read(|reader| reader.sessions_of(ana.id)).unwrap_or_else(no).remove(0);
    let before = session();

    let sent = world.begin(&browser, &again).await;
    assert!(sent.location.query_pairs().any(|(name, value)| name == "prompt" && value == "login"));
    assert!(sent.location.query_pairs().any(|(name, value)| name == "max_age" && value == "0"));
    let old = {
        let mut claims = world.provider.claims("4711", &sent.nonce);
        claims["auth_time"] = serde_json::json!(claims["iat"].as_i64().unwrap() - 3600);
        claims
    };
    world.provider.tells(&old);
    let answer = world.back(&browser, &[("code", "c"), ("state", &sent.state)]).await;
    super::told(&answer, 403, "Please sign in again");
    let answer = world.come(&browser, &again, "4712").await;
    super::told(&answer, 403, "Not your account");
    assert_eq!(session().verified_us, before.verified_us);

    let answer = world.come(&browser, &again, "4711").await.expect(303);
    assert_eq!(answer.header("Location"), "/apps");
    assert!(session().verified_us > before.verified_us);
    assert_ne!(session().hash, before.hash, "it goes by another name");
    assert_eq!(session().factors, "fed pwd");
    assert!(world.is_signed_in(&browser).await);
}

async fn whoever_has_an_app_is_asked_for_a_code(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    let signed_in = world.signed_in("ana@example.org").await;
    let code = SecretHash::of(b"one of the codes");
    crate::support::holders::change(&world.server, move |tx| {
        tx.offer_authenticator(ana.id, b"sealed")?;
        tx.replace_recovery_codes(ana.id, &[code])?;
        tx.confirm_authenticator(ana.id)
    });

    let browser = Browser::new();
    let answer = world.come(&browser, &format!("{START}?next=/apps"), "4711").await.expect(303);
    let second = answer.header("Location");
    assert!(second.starts_with("/sign-in/second?half="), "{second}");
    assert!(!world.is_signed_in(&browser).await, "not before the code");
    browser.get(&world.url(&second)).await.expect(200);

    // Nor is the provider enough to show it anew.
    let answer = world.come(&signed_in, &format!("{START}?for=again&next=/apps"), "4711").await.expect(303);
    let second = answer.header("Location");
    assert!(second.starts_with("/sign-in/again/second?half="), "{second}");
    signed_in.get(&world.url(&second)).await.expect(200);

    // The provider has asked for more than one factor itself.
    let browser = Browser::new();
    let sent = world.begin(&browser, START).await;
    let mut claims = world.provider.claims("4711", &sent.nonce);
    claims["amr"] = serde_json::json!(["pwd", "otp", "mfa", "an odd one", 7.to_string()]);
    world.provider.tells(&claims);
    let answer = world.back(&browser, &[("code", "c"), ("state", &sent.state)]).await.expect(303);
    assert_eq!(answer.header("Location"), "/");
    let store = Store::open(world.server.database(), 2, None).unwrap();
    let sessions = store.read(|reader| reader.sessions_of(ana.id)).unwrap_or_else(no);
    assert!(sessions.iter().any(|session| session.factors == "fed pwd otp mfa 7"), "{sessions:?}");
}

fn no<T>(error: StoreError) -> T {
    panic!("{error}")
}
