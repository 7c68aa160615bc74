//! Who comes for the first time.

use emberwell::config::NewAccounts;
use emberwell::store::{Role, Store, StoreError};
use serde_json::{Value, json};

use super::browser::Browser;
use super::{START, World};
use crate::support::{Answer, on_both};

on_both!(by crate::upstream::run:
    who_has_no_account_is_told_what_to_do,
);

on_both!(by crate::upstream::run_making:
    an_account_is_made_of_whom_the_provider_vouches_for,
    no_account_is_made_without_a_verified_address,
    an_address_that_is_taken_is_not_taken_over,
    the_address_is_asked_for_where_the_id_token_has_none,
);

on_both!(by crate::upstream::run_by_email:
    an_account_is_known_by_a_verified_address_where_the_settings_say_so,
    who_runs_the_server_is_not_known_by_an_address,
);

/// Comes as `subject` with these claims beside the usual ones.
async fn come_with(world: &World, browser: &Browser, subject: &str, more: &[(&str, Value)]) -> Answer {
    let sent = world.begin(browser, START).await;
    let mut claims = world.provider.claims(subject, &sent.nonce);
    more.iter().for_each(|(name, value)| claims[*name] = value.clone());
    world.provider.tells(&claims);
    world.back(browser, &[("code", "c"), ("state", &sent.state)]).await
}

fn ana(is_verified: Value) -> [(&'static str, Value); 3] {
    [("email", json!("Ana@Example.org")), ("email_verified", is_verified), ("name", json!("Ana Moreno"))]
}

fn account(world: &World, email: &str) -> Option<emberwell::store::Account> {
    let store = Store::open(world.server.database(), 2, None).unwrap();
    store.read(|reader| reader.account_by_email(email)).unwrap_or_else(|error: StoreError| panic!("{error}"))
}

fn identities(world: &World, account: i64) -> usize {
    let store = Store::open(world.server.database(), 2, None).unwrap();
    let found = store.read(|reader| reader.identities_of(account));
    found.unwrap_or_else(|error: StoreError| panic!("{error}")).len()
}

async fn who_has_no_account_is_told_what_to_do(world: &World) {
    assert_eq!(super::settings(&world.provider).new_accounts, NewAccounts::Refuse);
    world.account("ana@example.org", Role::Person);
    let browser = Browser::new();

    // The same with an account of that address and without.
    for email in ["ana@example.org", "nobody@example.org"] {
        let claims = [("email", json!(email)), ("email_verified", json!(true))];
        let answer = come_with(world, &browser, "4711", &claims).await;

        world.refused(&browser, &answer, 403, "No account is linked yet").await;
        assert!(answer.text().contains("link Clinic ID"), "{}", answer.text());
    }
    assert!(account(world, "nobody@example.org").is_none());
}

async fn an_account_is_made_of_whom_the_provider_vouches_for(world: &World) {
    let browser = Browser::new();
    come_with(world, &browser, "4711", &ana(json!(true))).await.expect(303);

    let made = account(world, "ana@example.org").unwrap();
    assert_eq!((made.name.as_str(), made.role, made.password), ("Ana Moreno", Role::Person, None));
    assert!(world.is_signed_in(&browser).await);
    // Who comes again is the same person, whatever they are called by then.
    let more = [("email", json!("ana@new.example")), ("email_verified", json!(true))];
    come_with(world, &Browser::new(), "4711", &more).await.expect(303);
    assert!(account(world, "ana@new.example").is_none());
    assert_eq!(identities(world, made.id), 1);
}

async fn no_account_is_made_without_a_verified_address(world: &World) {
    let browser = Browser::new();
    world.provider.change(|script| script.userinfo = (200, json!({ "sub": "4711" }).to_string()));
    let unfit = [("email", json!("no address")), ("email_verified", json!(true))];
    for claims in [&ana(json!(false))[..], &ana(Value::Null)[..], &unfit[..], &[]] {
        let answer = come_with(world, &browser, "4711", claims).await;

        world.refused(&browser, &answer, 403, "Your email address is not verified").await;
    }
    assert!(account(world, "ana@example.org").is_none());
}

async fn an_address_that_is_taken_is_not_taken_over(world: &World) {
    let ana_here = world.account("ana@example.org", Role::Person);
    let browser = Browser::new();

    let answer = come_with(world, &browser, "4711", &ana(json!(true))).await;

    world.refused(&browser, &answer, 409, "You have an account already").await;
    assert_eq!(identities(world, ana_here.id), 0);
}

async fn the_address_is_asked_for_where_the_id_token_has_none(world: &World) {
    let told = json!({ "sub": "4711", "email": "ana@example.org", "email_verified": true, "name": "Ana", "n": 1.5 });
    world.provider.change(|script| script.userinfo = (200, told.to_string()));
    come_with(world, &Browser::new(), "4711", &[]).await.expect(303);

    let asked = world.provider.asked().into_iter().find(|asked| asked.path == "/userinfo").unwrap();
    assert_eq!(asked.authorization.as_deref(), Some("Bearer upstream-token"));
    assert!(account(world, "ana@example.org").is_some());
    // Who is known is not asked about.
    come_with(world, &Browser::new(), "4711", &[]).await.expect(303);
    assert!(world.provider.asked().iter().all(|asked| asked.path != "/userinfo"));

    // What is told of somebody else, or can't be read, is told of nobody.
    for (status, body) in [(200, told.to_string()), (200, "{".to_owned()), (401, String::new())] {
        world.provider.change(|script| script.userinfo = (status, body));
        let browser = Browser::new();
        let answer = come_with(world, &browser, "4712", &[]).await;
        world.refused(&browser, &answer, 502, "The provider can&#39;t be used just now").await;
    }
}

async fn an_account_is_known_by_a_verified_address_where_the_settings_say_so(world: &World) {
    let ana_here = world.account("ana@example.org", Role::Person);
    let browser = Browser::new();
    let answer = come_with(world, &browser, "4711", &ana(json!(false))).await;
    world.refused(&browser, &answer, 403, "Your email address is not verified").await;
    assert_eq!(identities(world, ana_here.id), 0);

    come_with(world, &browser, "4711", &ana(json!(true))).await.expect(303);

    assert!(world.is_signed_in(&browser).await);
    assert_eq!(identities(world, ana_here.id), 1);
    let other = Browser::new();
    let claims = [("email", json!("nobody@example.org")), ("email_verified", json!(true))];
    let answer = come_with(world, &other, "4712", &claims).await;
    world.refused(&other, &answer, 403, "No account is linked yet").await;
}

async fn who_runs_the_server_is_not_known_by_an_address(world: &World) {
    let operator = world.account("ana@example.org", Role::Operator);
    let browser = Browser::new();

    let answer = come_with(world, &browser, "4711", &ana(json!(true))).await;

    world.refused(&browser, &answer, 403, "No account is linked yet").await;
    assert_eq!(identities(world, operator.id), 0);
}
