//! The page of an account: the password, sessions, and that it is shown anew who it is.

use emberwell::clock::now_us;
use emberwell::records::Secret;
use emberwell::store::{AccessToken, Happening, TokenKind};

use super::{PASSWORD, person, read, session, sessions};
use crate::audit::all;
use crate::support::browser::{Browser, form, forms};
use crate::support::database::execute;
use crate::support::holders::{change, is_live};
use crate::support::{TestServer, on_both};

on_both!(closed:
    another_password_ends_other_sessions_and_what_lasts_as_long,
    a_password_that_is_guessed_soon_is_refused_beside_the_field,
    sessions_are_listed_and_ended,
    changes_ask_anew_who_it_is_after_ten_minutes,
    a_session_ends_when_it_is_idle_and_after_twelve_hours,
    nobody_sees_an_account_without_signing_in,
);

/// An access token that lasts as long as the session of `browser`.
fn token_of(server: &TestServer, browser: &Browser<'_>) -> String {
    let session = session(server, browser).unwrap();
    let secret = Secret::random().unwrap();
    let token = AccessToken {
        hash: secret.hash(),
        kind: TokenKind::Access,
        client: None,
        account: Some(session.account),
        grant: None,
        patient: None,
        encounter: None,
        scopes: "user/*.rs".to_owned(),
        issued_us: now_us(),
        expires_us: now_us() + 3_600_000_000,
        revoked_us: None,
        family: None,
        session: Some(session.hash),
        context: None,
        auth_time_us: None,
    };
    change(server, move |tx| tx.add_token(&token));
    secret.as_str().to_owned()
}

async fn another_password_ends_other_sessions_and_what_lasts_as_long(server: &TestServer) {
    let anna = person(server, "anna");
    let (browser, other) = (Browser::new(server), Browser::new(server));
    browser.sign_in("anna@example.org", PASSWORD).await;
    other.sign_in("anna@example.org", PASSWORD).await;
    let (kept, ended) = (token_of(server, &browser), token_of(server, &other));

    let sent = browser.submit("/account/password", "/account/password", &[("password", "lampshade orchard")]).await;

    assert_eq!((sent.status, sent.header("Location").as_str()), (303, "/account"), "{}", sent.text());
    assert_eq!(other.get("/account").await.status, 303);
    browser.get("/account").await.expect(200);
    assert_eq!((is_live(server, &kept), is_live(server, &ended)), (true, false));
    Browser::new(server).try_password("anna@example.org", PASSWORD).await.expect(401);
    Browser::new(server).sign_in("anna@example.org", "lampshade orchard").await;
    let happened = read(server, |reader| reader.happenings(anna.id, false, 9));
    assert!(happened.iter().any(|it| it.what == Happening::PasswordChanged));
    let told = all(server).into_iter().find(|(event, _)| event.deed == "change-credentials").unwrap().0;
    assert_eq!(told.agent.account, Some(anna.id));
    assert_eq!(told.entities[1], "urn:emberwell:credential|password");
}

async fn a_password_that_is_guessed_soon_is_refused_beside_the_field(server: &TestServer) {
    person(server, "annabel");
    let browser = Browser::new(server);
    browser.sign_in("annabel@example.org", PASSWORD).await;

    for (password, reason) in [
        ("short", "8 to 256 characters"),
        ("password1", "tried first"),
        ("annabel1", "nothing to do with you"),
        ("", "8 to 256 characters"),
    ] {
        let sent = browser.submit("/account/password", "/account/password", &[("password", password)]).await;
        let page = sent.expect(400).text();
        assert!(page.contains(reason) && page.contains("aria-describedby=\"problem hint\""), "{password}: {page}");
        assert!(password.is_empty() || !page.contains(&format!("value=\"{password}\"")), "{page}");
    }
    Browser::new(server).sign_in("annabel@example.org", PASSWORD).await;
}

async fn sessions_are_listed_and_ended(server: &TestServer) {
    let anna = person(server, "anna");
    person(server, "bert");
    let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1";
    let (browser, phone, third) =
        (Browser::new(server), Browser::new(server).called(phone), Browser::new(server).called("curl/8"));
    for one in [&browser, &phone, &third] {
        one.sign_in("anna@example.org", PASSWORD).await;
    }
    let of_bert = Browser::new(server);
    of_bert.sign_in("bert@example.org", PASSWORD).await;
    let page = browser.get("/account").await.expect(200);
    let text = page.text();
    for device in ["Firefox on Linux</strong> (this browser)", "Safari on iPhone</strong>", "a program</strong>"] {
        assert!(text.contains(device), "{device}: {text}");
    }
    let endings = forms(&page, "/account/sessions/end");
    assert_eq!(endings.len(), 2, "this one is ended by signing out");

    // Nobody ends another's.
    let page = of_bert.get("/account").await.expect(200);
    let csrf = form(&page, "/account/authenticator").value("csrf");
    of_bert.send_form(&endings[0].clone().with("csrf", &csrf)).await.expect(303);
    assert_eq!(sessions(server, anna.id).len(), 3);

    let phones = session(server, &phone).unwrap().hash;
    let id = base64url(phones.as_bytes());
    let ending = endings.into_iter().find(|form| form.value("session") == id).unwrap();
    browser.send_form(&ending).await.expect(303);
    assert_eq!(phone.get("/account").await.status, 303);
    third.get("/account").await.expect(200);
    phone.sign_in("anna@example.org", PASSWORD).await;
    let token = token_of(server, &third);
    browser.submit("/account", "/account/sessions/end-others", &[]).await.expect(303);

    assert_eq!(sessions(server, anna.id).len(), 1);
    assert!(!is_live(server, &token));
    let page = browser.get("/account").await.expect(200).text();
    assert!(page.contains("All other sessions were ended") && page.contains("A session was ended"), "{page}");
    of_bert.get("/account").await.expect(200);
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

async fn changes_ask_anew_who_it_is_after_ten_minutes(server: &TestServer) {
    let anna = person(server, "anna");
    let browser = Browser::new(server);
    browser.sign_in("anna@example.org", PASSWORD).await;
    let token = token_of(server, &browser);
    let page = browser.get("/account").await.expect(200);
    let csrf = form(&page, "/account/authenticator").value("csrf");
    let long_ago = now_us() - 10 * 60_000_000;
    execute(server.database(), &format!("UPDATE session SET verified_us = {long_ago}"));

    browser.get("/account").await.expect(200);
    for (path, back) in [
        ("/account/password", "%2Faccount%2Fpassword"),
        ("/account/passkeys", "%2Faccount%2Fpasskeys"),
        ("/account/authenticator", "%2Faccount%2Fauthenticator"),
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.header("Location"), format!("/sign-in/again?next={back}"), "{path}: {}", answer.text());
    }
    for path in [
        "/account/password",
        "/account/passkeys",
        "/account/passkeys/remove",
        "/account/authenticator",
        "/account/authenticator/confirm",
        "/account/authenticator/remove",
        "/account/recovery-codes",
        "/account/sessions/end",
        "/account/sessions/end-others",
    ] {
        let mut sent = form(&page, "/account/authenticator");
        sent.action = path.to_owned();
        let answer = browser.send_form(&sent.with("csrf", &csrf).with("password", "lampshade orchard")).await;
        assert!(answer.header("Location").starts_with("/sign-in/again?next=%2Faccount"), "{path}: {}", answer.status);
    }

    let again = "/sign-in/again?next=%2Faccount%2Fpassword";
    let wrong = browser.submit(again, "/sign-in/again", &[("password", "lampshade orchard")]).await.expect(401);
    assert!(wrong.text().contains("aria-describedby=\"problem\""));
    let old = browser.cookie("emberwell").unwrap();
    let shown = browser.submit(again, "/sign-in/again", &[("password", PASSWORD)]).await;

    assert_eq!((shown.status, shown.header("Location").as_str()), (303, "/account/password"), "{}", shown.text());
    browser.get("/account/password").await.expect(200);
    // The session goes on under another name, with what lasts as long.
    assert_ne!(browser.cookie("emberwell").unwrap(), old);
    assert_eq!(sessions(server, anna.id).len(), 1);
    assert!(is_live(server, &token));
    let thief = Browser::new(server);
    thief.set_cookie("emberwell", &old);
    assert_eq!(thief.get("/account").await.status, 303);
    let refused = read(server, |reader| reader.happenings(anna.id, true, 9));
    assert_eq!(refused.len(), 1);
    browser.submit("/account", "/sign-out", &[]).await.expect(303);
    assert!(!is_live(server, &token), "it ends with the session, whatever that is called by now");
}

async fn a_session_ends_when_it_is_idle_and_after_twelve_hours(server: &TestServer) {
    person(server, "anna");
    let browser = Browser::new(server);
    browser.sign_in("anna@example.org", PASSWORD).await;
    let kept = session(server, &browser).unwrap();
    assert_eq!(kept.expires_us - kept.created_us, 12 * 3_600_000_000);

    let seen = |minutes: i64| format!("UPDATE session SET seen_us = {}", now_us() - minutes * 60_000_000);
    execute(server.database(), &seen(29));
    browser.get("/account").await.expect(200);
    execute(server.database(), &seen(31));
    assert_eq!(browser.get("/account").await.status, 303);

    browser.sign_in("anna@example.org", PASSWORD).await;
    browser.get("/account").await.expect(200);
    execute(server.database(), &format!("UPDATE session SET expires_us = {}", now_us()));
    assert_eq!(browser.get("/account").await.status, 303);
}

async fn nobody_sees_an_account_without_signing_in(server: &TestServer) {
    let browser = Browser::new(server);
    for (path, next) in [
        ("/account", "%2Faccount"),
        ("/account/password", "%2Faccount%2Fpassword"),
        ("/account/passkeys", "%2Faccount%2Fpasskeys"),
        ("/account/authenticator", "%2Faccount%2Fauthenticator"),
        ("/sign-in/again", "%2Fsign-in%2Fagain"),
    ] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.header("Location")), (303, format!("/sign-in?next={next}")), "{path}");
    }
    let well_known = browser.get("/.well-known/change-password").await;
    assert_eq!((well_known.status, well_known.header("Location").as_str()), (303, "/account/password"));
    let script = browser.get("/passkey.js").await.expect(200);
    assert!(script.header("Content-Type").starts_with("text/javascript"));
    let page = browser.get("/sign-in").await.expect(200);
    assert!(page.header("Content-Security-Policy").contains("script-src 'self'"));
}
