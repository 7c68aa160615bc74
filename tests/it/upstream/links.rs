//! Linking and unlinking, by somebody who is signed in.

use emberwell::store::{Account, Happening, NewPasskey, Role, Store, StoreError};
use serde_json::json;

use super::browser::{Browser, attribute, tags};
use super::{START, World, told};
use crate::support::database::execute;
use crate::support::{Answer, on_both};

on_both!(by crate::upstream::run:
    who_is_signed_in_links_after_confirming,
    nothing_is_linked_without_the_form_of_the_page,
    an_identity_has_one_account,
    a_link_is_of_the_account_that_began_it,
    what_was_unlinked_is_gone,
    links_change_only_a_short_while_after_a_sign_in,
);

on_both!(by crate::upstream::run_making:
    the_only_way_in_stays,
);

const LINK: &str = "/auth/upstream/clinic/start?for=link&next=/account/providers";

fn subjects(world: &World, account: &Account) -> Vec<String> {
    let store = Store::open(world.server.database(), 2, None).unwrap();
    let found = store.read(|reader| reader.identities_of(account.id));
    let found = found.unwrap_or_else(|error: StoreError| panic!("{error}"));
    found.into_iter().map(|identity| identity.subject).collect()
}

/// What the owner of an account is told of links, newest first; the trail is told of as many.
fn told_of(world: &World, account: &Account) -> Vec<(Happening, String)> {
    let store = Store::open(world.server.database(), 2, None).unwrap();
    let happened = store.read(|reader| reader.happenings(account.id, false, 50));
    let happened = happened.unwrap_or_else(|error: StoreError| panic!("{error}")).into_iter();
    let links = happened.filter(|it| matches!(it.what, Happening::ProviderLinked | Happening::ProviderUnlinked));
    let links: Vec<(Happening, String)> = links.map(|it| (it.what, it.detail.unwrap_or_default())).collect();
    let events = crate::audit::all(&world.server).into_iter().map(|(event, _)| event);
    let is_link = |event: &emberwell::audit::Event| {
        event.deed == "change-credentials"
            && event.agent.account == Some(account.id)
            && event.entities.iter().any(|entity| entity == "urn:emberwell:credential|provider")
    };
    assert_eq!(events.filter(is_link).count(), links.len());
    links
}

/// The page that asks whether to link.
async fn offered(world: &World, browser: &Browser, path: &str, subject: &str) -> Answer {
    let sent = world.begin(browser, path).await;
    let mut claims = world.provider.claims(subject, &sent.nonce);
    claims["email"] = json!("ana@clinic.example");
    world.provider.tells(&claims);
    world.back(browser, &[("code", "c"), ("state", &sent.state)]).await
}

async fn who_is_signed_in_links_after_confirming(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    let browser = world.signed_in("ana@example.org").await;
    let page = browser.get(&world.url("/account/providers")).await.expect(200).text();
    let way = tags(&page, "a").into_iter().find(|tag| tag.contains("for=link")).unwrap();

    let page = offered(world, &browser, &attribute(way, "href").unwrap(), "4711").await;

    told(&page, 200, "Link Clinic ID to your account?");
    assert!(page.text().contains("ana@clinic.example") && page.text().contains("ana@example.org"));
    assert_eq!(subjects(world, &ana), [""; 0], "nothing yet");
    let link = world.url("/auth/upstream/clinic/link");
    let answer = browser.post(&link, &page, &[]).await.expect(303);
    assert_eq!(answer.header("Location"), "/account/providers");
    assert_eq!(subjects(world, &ana), ["4711"]);
    // From now on that is a way in.
    let other = Browser::new();
    world.come(&other, START, "4711").await.expect(303);
    assert!(world.is_signed_in(&other).await);
    // The form counts once; linked is linked.
    told(&browser.post(&link, &page, &[]).await, 400, "Please sign in again");
    assert_eq!(told_of(world, &ana), [(Happening::ProviderLinked, "Clinic ID".to_owned())]);
    assert_eq!(offered(world, &browser, LINK, "4711").await.status, 303);
    // Who is signed in and comes by the button of the sign-in is asked, too, and not signed in as somebody else.
    told(&offered(world, &browser, START, "4712").await, 200, "Link Clinic ID to your account?");
    assert_eq!(subjects(world, &ana), ["4711"]);
}

async fn nothing_is_linked_without_the_form_of_the_page(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    let browser = world.signed_in("ana@example.org").await;
    let page = offered(world, &browser, LINK, "4711").await;
    let link = world.url("/auth/upstream/clinic/link");
    let offer = {
        let tag =
            tags(&page.text(), "input").into_iter().find(|tag| tag.contains("name=\"offer\"")).unwrap().to_owned();
        attribute(&tag, "value").unwrap()
    };

    let forged = browser.post_bare(&link, &[("offer".to_owned(), offer.clone())]).await;
    assert_eq!(forged.status, 403);
    for other in ["", "x", &format!("{}A", &offer[..offer.len() - 2])] {
        told(&browser.post(&link, &page, &[("offer", other)]).await, 400, "Please sign in again");
    }
    let nobody = Browser::new();
    let sign_in = nobody.get(&world.url("/sign-in")).await;
    let answer = nobody.post(&link, &sign_in, &[("offer", &offer)]).await.expect(303);
    assert!(answer.header("Location").starts_with("/sign-in"), "{}", answer.header("Location"));
    // Whoever is not signed in can't begin, either.
    let answer = nobody.get(&world.url(LINK)).await.expect(303);
    assert!(answer.header("Location").starts_with("/sign-in?next=%2Fauth%2Fupstream"), "{}", answer.header("Location"));
    assert_eq!(subjects(world, &ana), [""; 0]);
}

async fn an_identity_has_one_account(world: &World) {
    let (ana, bo) = (world.account("ana@example.org", Role::Person), world.account("bo@example.org", Role::Person));
    let browser = world.signed_in("ana@example.org").await;
    let page = offered(world, &browser, LINK, "4711").await;

    // Somebody else is quicker.
    world.linked(&bo, "4711");
    let answer = browser.post(&world.url("/auth/upstream/clinic/link"), &page, &[]).await;
    told(&answer, 409, "Linked to another account");
    told(&offered(world, &browser, LINK, "4711").await, 409, "Linked to another account");
    assert_eq!((subjects(world, &ana).len(), subjects(world, &bo).len()), (0, 1));
}

async fn a_link_is_of_the_account_that_began_it(world: &World) {
    let (ana, bo) = (world.account("ana@example.org", Role::Person), world.account("bo@example.org", Role::Person));
    let browser = world.signed_in("ana@example.org").await;
    let page = offered(world, &browser, LINK, "4711").await;
    let offer = {
        let tag =
            tags(&page.text(), "input").into_iter().find(|tag| tag.contains("name=\"offer\"")).unwrap().to_owned();
        attribute(&tag, "value").unwrap()
    };

    let other = world.signed_in("bo@example.org").await;
    let own = offered(world, &other, LINK, "4712").await;
    let answer = other.post(&world.url("/auth/upstream/clinic/link"), &own, &[("offer", &offer)]).await;

    told(&answer, 403, "Please sign in again");
    assert_eq!((subjects(world, &ana).len(), subjects(world, &bo).len()), (0, 0));
}

async fn what_was_unlinked_is_gone(world: &World) {
    let (ana, bo) = (world.account("ana@example.org", Role::Person), world.account("bo@example.org", Role::Person));
    world.linked(&ana, "4711");
    world.linked(&bo, "4712");
    let browser = world.signed_in("ana@example.org").await;
    let here = world.url("/account/providers");
    let page = browser.get(&here).await.expect(200);
    assert!(!page.text().contains("4712@clinic.example"), "{}", page.text());
    let number = |page: &Answer| {
        let text = page.text();
        let tag = tags(&text, "input").into_iter().find(|tag| tag.contains("name=\"identity\"")).unwrap();
        attribute(tag, "value").unwrap()
    };

    // Not those of others.
    let of_bo = browser_of(world, "bo@example.org").await.get(&here).await;
    browser.post(&here, &page, &[("identity", &number(&of_bo))]).await.expect(303);
    assert_eq!(subjects(world, &bo), ["4712"]);
    assert_eq!(browser.post_bare(&here, &[("identity".to_owned(), number(&page))]).await.status, 403);
    browser.post(&here, &page, &[]).await.expect(303);
    assert_eq!(told_of(world, &ana), [(Happening::ProviderUnlinked, "Clinic ID".to_owned())]);
    assert_eq!(subjects(world, &ana), [""; 0]);
    let other = Browser::new();
    let answer = world.come(&other, START, "4711").await;
    world.refused(&other, &answer, 403, "No account is linked yet").await;
}

async fn links_change_only_a_short_while_after_a_sign_in(world: &World) {
    let ana = world.account("ana@example.org", Role::Person);
    world.linked(&ana, "4711");
    let browser = world.signed_in("ana@example.org").await;
    let here = world.url("/account/providers");
    let page = browser.get(&here).await.expect(200);
    let offer = offered(world, &browser, LINK, "4712").await.expect(200);
    // As if an hour had gone by.
    execute(world.server.database(), "UPDATE session SET verified_us = verified_us - 3600000000");

    let unlinked = browser.post(&here, &page, &[]).await.expect(303);
    let linked = browser.post(&world.url("/auth/upstream/clinic/link"), &offer, &[]).await.expect(303);
    let begun = browser.get(&world.url(LINK)).await.expect(303);

    for answer in [unlinked, linked] {
        assert_eq!(answer.header("Location"), "/sign-in/again?next=%2Faccount%2Fproviders");
    }
    let next = "next=%2Fauth%2Fupstream%2Fclinic%2Fstart%3Ffor%3Dlink%26next%3D%2Faccount%2Fproviders";
    assert_eq!(begun.header("Location"), format!("/sign-in/again?{next}"));
    assert_eq!(subjects(world, &ana), ["4711"]);
}

async fn browser_of(world: &World, email: &str) -> Browser {
    world.signed_in(email).await
}

async fn the_only_way_in_stays(world: &World) {
    let browser = Browser::new();
    let sent = world.begin(&browser, START).await;
    let mut claims = world.provider.claims("4711", &sent.nonce);
    claims["email"] = json!("ana@example.org");
    claims["email_verified"] = json!(true);
    world.provider.tells(&claims);
    world.back(&browser, &[("code", "c"), ("state", &sent.state)]).await.expect(303);
    let here = world.url("/account/providers");
    let page = browser.get(&here).await.expect(200);

    told(&browser.post(&here, &page, &[]).await, 409, "This is the only way in");
    assert!(browser.get(&here).await.text().contains("Unlink"));
    // A passkey is another.
    let store = Store::open(world.server.database(), 2, None).unwrap();
    let found = store.read(|reader| reader.account_by_email("ana@example.org"));
    let account = found.unwrap_or_else(|error: StoreError| panic!("{error}")).unwrap().id;
    let passkey = NewPasskey { account, credential: vec![7], name: "Phone".to_owned(), content: "{}".to_owned() };
    crate::support::holders::change(&world.server, move |tx| tx.add_passkey(&passkey));
    browser.post(&here, &page, &[]).await.expect(303);
    assert!(!browser.get(&here).await.text().contains("Unlink"));
}
