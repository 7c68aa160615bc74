//! Signing in by a password.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use emberwell::audit::Outcome;
use emberwell::config::Settings;
use emberwell::store::{Happening, NewAccount, PasswordHash, Role};

use super::{PASSWORD, person, read, session};
use crate::audit::all;
use crate::support::browser::{Browser, form};
use crate::support::holders::change;
use crate::support::{Answer, Database, TestServer, on_both, server};

on_both!(closed:
    the_right_password_begins_a_session_and_is_told,
    whoever_is_refused_does_not_learn_why,
    a_weaker_hash_is_made_anew,
    where_nobody_has_an_account_it_takes_as_long,
    a_form_from_elsewhere_signs_nobody_in,
);
on_both!(by crate::sign_in::passwords::behind_a_proxy: guessing_slows_down_others_but_not_the_owner);

async fn the_right_password_begins_a_session_and_is_told(server: &TestServer) {
    let anna = person(server, "anna");
    let browser = Browser::new(server);
    browser.get("/sign-in").await.expect(200);
    let before = browser.cookie("emberwell");

    browser.sign_in(" Anna@example.org", PASSWORD).await;

    assert_eq!(before, None);
    let kept = session(server, &browser).unwrap();
    assert_eq!((kept.account, kept.factors.as_str()), (anna.id, "pwd"));
    assert!(kept.agent.contains("Firefox"));
    let page = browser.get("/account").await.expect(200).text();
    assert!(
        page.contains("Firefox on Linux") && page.contains("You signed in with a browser that was not seen before")
    );
    let events: Vec<_> =
        all(server).into_iter().map(|(event, _)| event).filter(|event| event.deed == "sign-in").collect();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].agent.account, &events[0].outcome), (Some(anna.id), &Outcome::Done));
    assert_eq!(events[0].network.as_deref(), Some("127.0.0.1"));
    assert_eq!(events[0].entities, ["urn:emberwell:credential|pwd"]);

    // Another sign-in ends the session that the browser had, and is from a browser that is known.
    let old = browser.cookie("emberwell").unwrap();
    let signed_out = browser.submit("/account", "/sign-out", &[]).await;
    assert_eq!(signed_out.status, 303);
    browser.sign_in("anna@example.org", PASSWORD).await;
    assert_ne!(browser.cookie("emberwell").unwrap(), old);
    let happened = read(server, |reader| reader.happenings(anna.id, false, 9));
    assert_eq!(
        happened.iter().map(|it| it.what).collect::<Vec<_>>(),
        [Happening::SignedIn, Happening::SignedInOnNewDevice]
    );
}

/// A page without what is new each time.
fn lasting(answer: &Answer, typed: &str) -> String {
    let text = answer.text().replace(typed, "TYPED");
    let fields: Vec<String> = ["csrf", "state"]
        .into_iter()
        .flat_map(|name| {
            crate::support::browser::forms(answer, "/sign-in/passkey").into_iter().map(move |form| form.value(name))
        })
        .collect();
    let text = fields.iter().fold(text, |text, field| text.replace(field, "NEW"));
    let challenge = text.split("data-options=\"").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    challenge.map_or(text.clone(), |challenge| text.replace(&challenge, "NEW"))
}

async fn whoever_is_refused_does_not_learn_why(server: &TestServer) {
    let anna = person(server, "anna");
    let bert = person(server, "bert");
    change(server, move |tx| tx.disable_account(bert.id));
    change(server, |tx| {
        tx.add_account(&NewAccount {
            email: "cleo@example.org".to_owned(),
            name: "Cleo".to_owned(),
            role: Role::Person,
            password: None,
            fhir_user: None,
        })
    });
    let browser = Browser::new(server);

    let mut answers = Vec::new();
    for (email, password) in [
        ("anna@example.org", "wicker tarpaulins"),
        ("bert@example.org", PASSWORD),
        ("cleo@example.org", PASSWORD),
        ("nobody@example.org", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
    ] {
        let answer = browser.try_password(email, password).await.expect(401);
        assert_eq!(form(&answer, "/sign-in").value("email"), email);
        answers.push(lasting(&answer, &format!("required value=\"{email}\"")));
    }

    assert!(answers[0].contains("There is no account with this address and this password."), "{}", answers[0]);
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, answers[0], "{at}");
    }
    assert_eq!(browser.cookie("emberwell"), None);
    let refused = read(server, |reader| reader.happenings(anna.id, true, 9));
    assert_eq!(refused.iter().map(|it| it.what).collect::<Vec<_>>(), [Happening::SignInRefused]);
    let events = all(server).into_iter().filter(|(event, _)| event.deed == "sign-in");
    let told: Vec<String> = events
        .map(|(event, _)| {
            assert_eq!((event.outcome, event.agent.account), (Outcome::Refused(401), None));
            assert!(!format!("{event:?}").contains("tarpaulin") && !format!("{event:?}").contains("example.org"));
            event.entities.join(" ")
        })
        .collect();
    assert_eq!(told.len(), 6);
    assert_eq!(told[0], format!("urn:emberwell:account|{} urn:emberwell:credential|pwd", anna.id));
    assert_eq!(told[5], "urn:emberwell:credential|pwd");
}

async fn a_weaker_hash_is_made_anew(server: &TestServer) {
    let anna = person(server, "anna");
    let params = Params::new(1024, 1, 1, None).unwrap();
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password(PASSWORD.as_bytes()).unwrap();
    let weak = PasswordHash(weak.to_string());
    let kept = weak.clone();
    change(server, move |tx| tx.set_password(anna.id, &weak));

    Browser::new(server).try_password("anna@example.org", "wicker tarpaulins").await.expect(401);
    assert_eq!(read(server, |reader| reader.account(anna.id)).unwrap().password, Some(kept));
    Browser::new(server).sign_in("anna@example.org", PASSWORD).await;

    let anew = read(server, |reader| reader.account(anna.id)).unwrap().password.unwrap();
    assert!(anew.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", anew.0);
    Browser::new(server).sign_in("anna@example.org", PASSWORD).await;
}

async fn where_nobody_has_an_account_it_takes_as_long(server: &TestServer) {
    person(server, "anna");
    let median = async |email: &str| {
        let mut took = Vec::new();
        for _ in 0..7 {
            let browser = Browser::new(server);
            let page = browser.get("/sign-in").await.expect(200);
            let filled = form(&page, "/sign-in").with("email", email).with("password", "wicker tarpaulins");
            let begun = Instant::now();
            browser.send_form(&filled).await.expect(401);
            took.push(begun.elapsed());
        }
        took.sort();
        took[3]
    };
    let (there, absent) = (median("anna@example.org").await, median("nobody@example.org").await);

    // Without a hash to compare with it would be a tenth; the machine may be busy with other tests meanwhile.
    assert!(absent * 3 > there && there * 3 > absent, "{there:?} and {absent:?}");
}

async fn a_form_from_elsewhere_signs_nobody_in(server: &TestServer) {
    person(server, "anna");
    let (browser, other) = (Browser::new(server), Browser::new(server));
    let theirs = form(&other.get("/sign-in").await.expect(200), "/sign-in");
    browser.get("/sign-in").await.expect(200);

    for path in ["/sign-in", "/sign-in/passkey", "/sign-in/second", "/account/password", "/account/sessions/end-others"]
    {
        let mut form = theirs.clone().with("email", "anna@example.org").with("password", PASSWORD);
        form.action = path.to_owned();
        browser.send_form(&form).await.expect(403);
    }
    assert_eq!(browser.cookie("emberwell"), None);
}

fn behind_a_proxy(database: Database, behaviour: impl AsyncFn(&TestServer)) {
    let change = |settings: &mut Settings| {
        settings.server.open = false;
        settings.server.proxies = vec!["127.0.0.1".parse().unwrap()];
    };
    server::run_with(database, change, behaviour);
}

async fn guessing_slows_down_others_but_not_the_owner(server: &TestServer) {
    person(server, "anna");
    let owner = Browser::new(server).from("198.51.100.1");
    owner.sign_in("anna@example.org", PASSWORD).await;

    // From one address ten, from all together fifty.
    let begun = Instant::now();
    let mut answered = Vec::new();
    for guess in 0..60 {
        let browser = Browser::new(server).from(&format!("203.0.113.{}", guess / 12));
        let answer = browser.try_password("anna@example.org", &format!("a guess, number {guess}")).await;
        if answer.status == 429 {
            let wait_s: u64 = answer.header("Retry-After").parse().unwrap();
            assert!((1..=60).contains(&wait_s), "{wait_s}");
            assert!(answer.text().contains("There have been too many attempts"), "{}", answer.text());
        }
        answered.push(answer.status);
    }
    let guessed = answered.iter().filter(|status| **status == 401).count();
    // Each minute lets one more through for each address.
    let grown = begun.elapsed().div_duration_f64(Duration::from_secs(60)).ceil() as usize;
    assert!((48..=50 + 5 * grown).contains(&guessed), "{answered:?}");
    assert!(answered[10] == 429 || grown > 1, "{answered:?}");

    let stranger = Browser::new(server).from("203.0.113.99");
    if grown == 1 {
        stranger.try_password("anna@example.org", PASSWORD).await.expect(429);
    }
    let again = Browser::new(server).from("198.51.100.1");
    again.sign_in("anna@example.org", PASSWORD).await;
}
