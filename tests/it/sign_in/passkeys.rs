//! Passkeys, by an authenticator in software.

use emberwell::store::{Happening, NewIdentity};
use serde_json::Value;

use super::software_key::SoftwareKey;
use super::{PASSWORD, person, read, session};
use crate::support::browser::{Browser, Form, form, forms};
use crate::support::database::execute;
use crate::support::holders::change;
use crate::support::{TestServer, on_both};

on_both!(closed:
    a_passkey_signs_in_without_an_address_and_counts_as_two_factors,
    an_answer_counts_once_and_for_whoever_was_asked,
    what_is_wrong_with_a_passkey_is_refused,
    a_passkey_that_was_removed_signs_nobody_in,
    a_passkey_of_a_disabled_account_signs_nobody_in,
    a_passkey_that_was_copied_is_found_out,
    nobody_removes_the_last_way_to_sign_in,
);

/// Where a browser is that goes by the name of this machine.
fn origin(server: &TestServer) -> String {
    server.url.replace("127.0.0.1", "localhost")
}

/// Adds a passkey to the account of whoever is signed in with `browser`.
async fn added(server: &TestServer, browser: &Browser<'_>, name: &str) -> SoftwareKey {
    let page = browser.get("/account/passkeys").await.expect(200);
    let asked = form(&page, "/account/passkeys");
    let options: Value = serde_json::from_str(&asked.options).unwrap();
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["rp"]["id"], "localhost");
    let (key, answer) = SoftwareKey::made(&asked.options, &origin(server), true);
    let sent = browser.send_form(&asked.with("name", name).with("answer", &answer.to_string())).await;
    assert_eq!((sent.status, sent.header("Location").as_str()), (303, "/account"), "{}", sent.text());
    key
}

/// The form that asks for a passkey.
async fn asked(browser: &Browser<'_>) -> Form {
    form(&browser.get("/sign-in").await.expect(200), "/sign-in/passkey")
}

async fn a_passkey_signs_in_without_an_address_and_counts_as_two_factors(server: &TestServer) {
    let anna = person(server, "anna");
    let browser = Browser::new(server);
    browser.sign_in("anna@example.org", PASSWORD).await;
    let mut key = added(server, &browser, "Phone <1>").await;
    let page = browser.get("/account").await.expect(200).text();
    assert!(page.contains("Phone &#60;1&#62;") && page.contains("not used yet"), "{page}");

    let fresh = Browser::new(server);
    let asked = form(&fresh.get("/sign-in?next=/account").await.expect(200), "/sign-in/passkey");
    let answer = key.answer(&asked.options).to_string();
    let sent = fresh.send_form(&asked.with("answer", &answer)).await;

    assert_eq!((sent.status, sent.header("Location").as_str()), (303, "/account"), "{}", sent.text());
    let kept = session(server, &fresh).unwrap();
    assert_eq!((kept.account, kept.factors.as_str()), (anna.id, "hwk mfa"));
    let passkeys = read(server, |reader| reader.passkeys_of(anna.id));
    assert!(passkeys[0].used_us.is_some());
    let content: Value = serde_json::from_str(&passkeys[0].content).unwrap();
    assert_eq!(content["cred"]["counter"], 2, "{content}");
    let happened = read(server, |reader| reader.happenings(anna.id, false, 9));
    let what: Vec<_> = happened.iter().map(|it| (it.what, it.detail.as_deref())).collect();
    assert_eq!(what[1], (Happening::PasskeyAdded, Some("Phone <1>")));

    // The same device is told so, by its id among those that are excluded.
    let page = fresh.get("/account/passkeys").await.expect(200);
    let options: Value = serde_json::from_str(&form(&page, "/account/passkeys").options).unwrap();
    assert_eq!(options["excludeCredentials"].as_array().unwrap().len(), 1, "{options}");
}

async fn an_answer_counts_once_and_for_whoever_was_asked(server: &TestServer) {
    person(server, "anna");
    let browser = Browser::new(server);
    browser.sign_in("anna@example.org", PASSWORD).await;
    let mut key = added(server, &browser, "Phone").await;
    let (one, other) = (Browser::new(server), Browser::new(server));
    let asked_one = asked(&one).await;
    let asked_other = asked(&other).await;
    let answer = key.answer(&asked_one.options).to_string();

    // What one browser was asked does not sign in another, nor does it answer another challenge.
    let stolen = asked_other.clone().with("state", &asked_one.value("state")).with("answer", &answer);
    other.send_form(&stolen).await.expect(401);
    other.send_form(&asked_other.with("answer", &answer)).await.expect(401);
    assert_eq!(other.cookie("emberwell"), None);

    let sent = asked_one.with("answer", &answer);
    one.send_form(&sent).await.expect(303);
    let visit = one.cookie("emberwell-visit").unwrap();
    let replay = Browser::new(server);
    replay.set_cookie("emberwell-visit", &visit);
    replay.send_form(&sent).await.expect(401);
    assert_eq!(replay.cookie("emberwell"), None);
}

async fn what_is_wrong_with_a_passkey_is_refused(server: &TestServer) {
    let anna = person(server, "anna");
    let bert = person(server, "bert");
    let (browser, of_bert) = (Browser::new(server), Browser::new(server));
    browser.sign_in("anna@example.org", PASSWORD).await;
    of_bert.sign_in("bert@example.org", PASSWORD).await;

    // One that does not make sure who holds it, one from another site, none at all, and one without a name.
    for (origin, verifies, name) in [
        (origin(server), false, "Phone"),
        ("http://localhost.example".to_owned(), true, "Phone"),
        (server.url.clone(), true, "Phone"),
        (origin(server), true, " "),
    ] {
        let page = browser.get("/account/passkeys").await.expect(200);
        let asked = form(&page, "/account/passkeys");
        let (_, answer) = SoftwareKey::made(&asked.options, &origin, verifies);
        let filled = asked.with("name", name).with("answer", &answer.to_string());
        browser.send_form(&filled).await.expect(400);
    }
    let page = browser.get("/account/passkeys").await.expect(200);
    let asked_anna = form(&page, "/account/passkeys").with("name", "Phone");
    for answer in ["", "{}", "[1]", "{\"id\":7}"] {
        browser.send_form(&asked_anna.clone().with("answer", answer)).await.expect(400);
    }
    // What Anna was asked is not Bert's to answer.
    let (_, answer) = SoftwareKey::made(&asked_anna.options, &origin(server), true);
    let page = of_bert.get("/account/passkeys").await.expect(200);
    let stolen = form(&page, "/account/passkeys").with("name", "Phone").with("state", &asked_anna.value("state"));
    of_bert.send_form(&stolen.with("answer", &answer.to_string())).await.expect(400);
    assert!(read(server, |reader| reader.passkeys_of(anna.id)).is_empty());
    assert!(read(server, |reader| reader.passkeys_of(bert.id)).is_empty());

    let mut key = added(server, &browser, "Phone").await;
    let mut refused = 0;
    let mut refuse = async |change: &dyn Fn(&mut SoftwareKey), undo: &dyn Fn(&mut SoftwareKey)| {
        let visitor = Browser::new(server);
        let asked = asked(&visitor).await;
        change(&mut key);
        let answer = key.answer(&asked.options).to_string();
        undo(&mut key);
        visitor.send_form(&asked.with("answer", &answer)).await.expect(401);
        assert_eq!(visitor.cookie("emberwell"), None);
        refused += 1;
    };
    refuse(&|key| key.verifies = false, &|key| key.verifies = true).await;
    let (here, elsewhere) = (origin(server), "http://localhost.example".to_owned());
    refuse(&|key| key.origin = elsewhere.clone(), &|key| key.origin = here.clone()).await;
    // The handle of another account.
    refuse(&|key| key.handle[0] ^= 1, &|key| key.handle[0] ^= 1).await;
    // And one that nobody knows.
    refuse(&|key| key.credential[0] ^= 1, &|key| key.credential[0] ^= 1).await;
    assert_eq!(refused, 4);
    let told = read(server, |reader| reader.happenings(anna.id, true, 9));
    assert_eq!(told.len(), 3, "the unknown key is nobody's: {told:?}");

    let visitor = Browser::new(server);
    let asked = asked(&visitor).await;
    let answer = key.answer(&asked.options).to_string();
    visitor.send_form(&asked.with("answer", &answer)).await.expect(303);
}

async fn a_passkey_that_was_removed_signs_nobody_in(server: &TestServer) {
    let anna = person(server, "anna");
    person(server, "bert");
    let (browser, of_bert) = (Browser::new(server), Browser::new(server));
    browser.sign_in("anna@example.org", PASSWORD).await;
    of_bert.sign_in("bert@example.org", PASSWORD).await;
    let mut key = added(server, &browser, "Phone").await;
    let page = browser.get("/account").await.expect(200);
    let removal = form(&page, "/account/passkeys/remove");

    // Nobody removes another's.
    let page = of_bert.get("/account").await.expect(200);
    let csrf = form(&page, "/account/authenticator").value("csrf");
    of_bert.send_form(&removal.clone().with("csrf", &csrf)).await.expect(303);
    assert_eq!(read(server, |reader| reader.passkeys_of(anna.id)).len(), 1);

    browser.send_form(&removal).await.expect(303);

    let page = browser.get("/account").await.expect(200);
    assert!(
        forms(&page, "/account/passkeys/remove").is_empty() && page.text().contains("The passkey “Phone” was removed")
    );
    let visitor = Browser::new(server);
    let asked = asked(&visitor).await;
    let answer = key.answer(&asked.options).to_string();
    visitor.send_form(&asked.with("answer", &answer)).await.expect(401);
}

async fn a_passkey_of_a_disabled_account_signs_nobody_in(server: &TestServer) {
    let anna = person(server, "anna");
    let browser = Browser::new(server);
    browser.sign_in("anna@example.org", PASSWORD).await;
    let mut key = added(server, &browser, "Phone").await;
    execute(server.database(), &format!("UPDATE account SET disabled_us = 1 WHERE id = {}", anna.id));

    let visitor = Browser::new(server);
    let asked = asked(&visitor).await;
    let answer = key.answer(&asked.options).to_string();
    visitor.send_form(&asked.with("answer", &answer)).await.expect(401);
    assert_eq!(browser.get("/account").await.status, 303, "the session does not count any more either");
}

async fn a_passkey_that_was_copied_is_found_out(server: &TestServer) {
    person(server, "anna");
    let browser = Browser::new(server);
    browser.sign_in("anna@example.org", PASSWORD).await;
    let mut key = added(server, &browser, "Key").await;
    let mut sign_in = async |counter: u32, status: u16| {
        let visitor = Browser::new(server);
        let asked = asked(&visitor).await;
        key.counter = counter;
        let answer = key.answer(&asked.options).to_string();
        visitor.send_form(&asked.with("answer", &answer)).await.expect(status);
    };

    sign_in(10, 303).await;
    sign_in(10, 401).await;
    sign_in(3, 401).await;
    sign_in(11, 303).await;
}

async fn nobody_removes_the_last_way_to_sign_in(server: &TestServer) {
    let anna = person(server, "anna");
    let browser = Browser::new(server);
    browser.sign_in("anna@example.org", PASSWORD).await;
    added(server, &browser, "Phone").await;
    added(server, &browser, "Key").await;
    execute(server.database(), "UPDATE account SET password = NULL");
    let page = browser.get("/account").await.expect(200);
    assert!(page.text().contains("Choose a password"));
    let removals = forms(&page, "/account/passkeys/remove");

    browser.send_form(&removals[0]).await.expect(303);
    let refused = browser.send_form(&removals[1]).await.expect(400);

    assert!(refused.text().contains("your only way to sign in"), "{}", refused.text());
    assert_eq!(read(server, |reader| reader.passkeys_of(anna.id)).len(), 1);
    let happened = read(server, |reader| reader.happenings(anna.id, false, 9));
    assert_eq!(happened.iter().filter(|it| it.what == Happening::PasskeyRemoved).count(), 1);
    browser.submit("/account/password", "/account/password", &[("password", "lampshade orchard")]).await.expect(303);
    Browser::new(server).sign_in("anna@example.org", "lampshade orchard").await;
    execute(server.database(), "UPDATE account SET password = NULL");
    change(server, move |tx| {
        let (issuer, subject) = ("https://id.example".to_owned(), "7".to_owned());
        tx.add_identity(&NewIdentity { issuer, subject, account: anna.id, label: None })
    });
    browser.send_form(&removals[1]).await.expect(303);
    assert!(read(server, |reader| reader.passkeys_of(anna.id)).is_empty(), "a provider is another way");
}
