//! Authenticator apps and recovery codes.

use emberwell::clock::now_us;
use emberwell::store::{Account, Happening};
use totp_rs::{Builder, Totp};

use super::{PASSWORD, person, read, session};
use crate::support::browser::{Browser, form, forms};
use crate::support::database::execute;
use crate::support::{Answer, TestServer, on_both};

on_both!(closed:
    an_app_is_asked_for_from_its_first_code_on,
    a_code_counts_once,
    a_recovery_code_stands_in_once,
    guessed_codes_are_refused_told_and_soon_too_many,
    a_password_alone_opens_nothing,
    what_is_shown_anew_has_the_code_of_the_app_in_it,
);

/// The app of a person: what it shows some steps from now.
struct App(Totp);

impl App {
    fn code(&self, steps: i64) -> String {
        let at_s = now_us() / 1_000_000 + 30 * steps;
        self.0.generate(at_s as u64).to_string()
    }
}

fn base32(text: &str) -> [u8; 20] {
    let bits: String = text
        .bytes()
        .map(|letter| match letter {
            b'A'..=b'Z' => letter - b'A',
            digit => digit - b'2' + 26,
        })
        .map(|value| format!("{value:05b}"))
        .collect();
    let bytes: Vec<u8> = (0..160).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// What stands between two pieces of a page.
fn between<'p>(page: &'p str, begin: &str, end: &str) -> &'p str {
    page.split(begin).nth(1).unwrap_or_else(|| panic!("no {begin} in {page}")).split(end).next().unwrap()
}

fn codes(page: &Answer) -> Vec<String> {
    let text = page.text();
    let list = between(&text, "<ul class=\"card codes\">", "</ul>");
    list.split("<code>").skip(1).map(|part| part.split('<').next().unwrap().to_owned()).collect()
}

/// Sets up an app for whoever is signed in with `browser`.
async fn set_up(browser: &Browser<'_>) -> (App, Vec<String>) {
    let offered = browser.submit("/account", "/account/authenticator", &[]).await;
    assert_eq!((offered.status, offered.header("Location").as_str()), (303, "/account/authenticator"));
    let page = browser.get("/account/authenticator").await.expect(200);
    let text = page.text();
    assert!(text.contains("<svg role=\"img\""), "{text}");
    let secret = between(&text, "<code id=\"secret\">", "</code>").replace(' ', "");
    assert!(text.contains(&format!("secret={secret}&#38;issuer=Emberwell")), "{text}");
    let app = App(Builder::new().with_secret(base32(&secret)).build().unwrap());
    let confirm = form(&page, "/account/authenticator/confirm");
    browser.send_form(&confirm.clone().with("code", "000000x")).await.expect(400);
    let confirmed = browser.send_form(&confirm.with("code", &app.code(-1))).await.expect(200);
    let codes = codes(&confirmed);
    assert_eq!(codes.len(), 10);
    (app, codes)
}

/// Signs in by the password, up to the page that asks for a code.
async fn half(server: &TestServer) -> (Browser<'_>, String) {
    let browser = Browser::new(server);
    let answer = browser.try_password("anna@example.org", PASSWORD).await.expect(303);
    let second = answer.header("Location");
    assert!(second.starts_with("/sign-in/second?half="), "{second}");
    assert_eq!(browser.cookie("emberwell"), None);
    (browser, second)
}

async fn with_app(server: &TestServer) -> (Account, App, Vec<String>) {
    let anna = person(server, "anna");
    let browser = Browser::new(server);
    browser.sign_in("anna@example.org", PASSWORD).await;
    let (app, codes) = set_up(&browser).await;
    (anna, app, codes)
}

async fn an_app_is_asked_for_from_its_first_code_on(server: &TestServer) {
    let anna = person(server, "anna");
    let browser = Browser::new(server);
    browser.sign_in("anna@example.org", PASSWORD).await;
    browser.submit("/account", "/account/authenticator", &[]).await.expect(303);
    // Offered is not set up: nobody is locked out by a page that was closed.
    Browser::new(server).sign_in("anna@example.org", PASSWORD).await;

    let (app, _) = set_up(&browser).await;

    let kept = read(server, |reader| reader.authenticator(anna.id)).unwrap();
    let secret = app.0.secret().as_bytes().to_vec();
    assert!(!kept.secret.windows(20).any(|part| part == secret), "the secret is sealed");
    let (visitor, second) = half(server).await;
    let sent = visitor.submit(&second, "/sign-in/second", &[("code", &app.code(0))]).await;
    assert_eq!((sent.status, sent.header("Location").as_str()), (303, "/"), "{}", sent.text());
    assert_eq!(session(server, &visitor).unwrap().factors, "pwd otp mfa");
    assert!(visitor.get("/account").await.expect(200).text().contains("10 recovery codes are left"));

    // Another is not set up beside it, and once it is removed the password is enough.
    let page = visitor.get("/account").await.expect(200);
    assert!(forms(&page, "/account/authenticator").is_empty());
    let offer = form(&page, "/account/authenticator/remove");
    let mut again = offer.clone();
    again.action = "/account/authenticator".to_owned();
    visitor.send_form(&again).await.expect(400);
    visitor.send_form(&offer).await.expect(303);
    Browser::new(server).sign_in("anna@example.org", PASSWORD).await;
    assert_eq!(read(server, |reader| reader.recovery_codes_left(anna.id)), 0);
}

async fn a_code_counts_once(server: &TestServer) {
    let (_, app, _) = with_app(server).await;
    let (one, second) = half(server).await;
    let (other, second_other) = half(server).await;
    let code = app.code(0);

    one.submit(&second, "/sign-in/second", &[("code", &code)]).await.expect(303);

    other.submit(&second_other, "/sign-in/second", &[("code", &code)]).await.expect(401);
    // Nor does an earlier one.
    other.submit(&second_other, "/sign-in/second", &[("code", &app.code(-1))]).await.expect(401);
    assert_eq!(other.cookie("emberwell"), None);
    other.submit(&second_other, "/sign-in/second", &[("code", &app.code(1))]).await.expect(303);
}

async fn a_recovery_code_stands_in_once(server: &TestServer) {
    let (anna, _, codes) = with_app(server).await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    let (visitor, second) = half(server).await;

    visitor.submit(&second, "/sign-in/second", &[("code", &typed)]).await.expect(303);

    assert!(visitor.get("/account").await.expect(200).text().contains("9 recovery codes are left"));
    let happened = read(server, |reader| reader.happenings(anna.id, false, 9));
    assert!(happened.iter().any(|it| it.what == Happening::RecoveryCodeUsed));
    let (again, second) = half(server).await;
    again.submit(&second, "/sign-in/second", &[("code", &codes[3])]).await.expect(401);

    // New ones end those before.
    let page = visitor.submit("/account", "/account/recovery-codes", &[]).await.expect(200);
    let anew = self::codes(&page);
    assert!(anew.len() == 10 && anew.iter().all(|code| !codes.contains(code)));
    again.submit(&second, "/sign-in/second", &[("code", &codes[4])]).await.expect(401);
    again.submit(&second, "/sign-in/second", &[("code", &anew[4])]).await.expect(303);
    let kept = read(server, |reader| reader.recovery_codes_left(anna.id));
    assert_eq!(kept, 9);
}

async fn guessed_codes_are_refused_told_and_soon_too_many(server: &TestServer) {
    let (anna, app, codes) = with_app(server).await;
    let (visitor, second) = half(server).await;
    let right = app.code(0);

    // One was wrong when the app was set up.
    let mut wrong = 1;
    let mut guess = 0;
    while wrong < 10 {
        let code = format!("{guess:06}");
        guess += 1;
        if [app.code(-1), app.code(0), app.code(1)].contains(&code) {
            continue;
        }
        let answer = visitor.submit(&second, "/sign-in/second", &[("code", &code)]).await;
        assert_eq!(answer.status, 401, "{wrong}: {}", answer.text());
        wrong += 1;
    }

    let answer = visitor.submit(&second, "/sign-in/second", &[("code", &right)]).await.expect(429);
    assert!(answer.header("Retry-After").parse::<u64>().unwrap() <= 600);
    let refused = read(server, |reader| reader.happenings(anna.id, true, 99));
    assert_eq!(refused.len(), 9);
    assert!(refused.iter().all(|it| it.what == Happening::SecondFactorRefused));
    // The owner is not locked out by that.
    visitor.submit(&second, "/sign-in/second", &[("code", &codes[0])]).await.expect(303);
}

async fn a_password_alone_opens_nothing(server: &TestServer) {
    let (_, app, _) = with_app(server).await;
    let (visitor, second) = half(server).await;

    assert!(visitor.get("/account").await.header("Location").starts_with("/sign-in?next="));
    // What one browser has shown is no use to another.
    let other = Browser::new(server);
    other.get("/sign-in").await.expect(200);
    other.submit(&second, "/sign-in/second", &[("code", &app.code(0))]).await.expect(400);
    assert_eq!(other.cookie("emberwell"), None);
    let forged = second.replace("half=", "half=A");
    visitor.submit(&forged, "/sign-in/second", &[("code", &app.code(0))]).await.expect(400);
    let without = visitor.get("/sign-in/second").await;
    assert_eq!((without.status, without.header("Location").as_str()), (303, "/sign-in"));
    visitor.submit(&second, "/sign-in/second", &[("code", &app.code(0))]).await.expect(303);
}

async fn what_is_shown_anew_has_the_code_of_the_app_in_it(server: &TestServer) {
    person(server, "anna");
    person(server, "bert");
    let (browser, of_bert) = (Browser::new(server), Browser::new(server));
    browser.sign_in("anna@example.org", PASSWORD).await;
    of_bert.sign_in("bert@example.org", PASSWORD).await;
    let (app, codes) = set_up(&browser).await;
    let page = browser.get("/account").await.expect(200);
    let again = "/sign-in/again?next=%2Faccount";
    let back_then = format!("UPDATE session SET verified_us = {}", now_us() - 10 * 60_000_000);
    execute(server.database(), &back_then);

    let answer = browser.submit(again, "/sign-in/again", &[("password", PASSWORD)]).await.expect(303);

    let second = answer.header("Location");
    assert!(second.starts_with("/sign-in/again/second?half=") && second.ends_with("&next=%2Faccount"), "{second}");
    let removed = browser.send_form(&form(&page, "/account/authenticator/remove")).await;
    assert_eq!((removed.status, removed.header("Location")), (303, again.to_owned()), "the password is not enough");
    assert!(forms(&browser.get("/account").await, "/account/authenticator").is_empty(), "the app is still there");
    browser.submit(&second, "/sign-in/again/second", &[("code", "000000x")]).await.expect(401);
    // What one session has shown is no use to another.
    of_bert.submit(&second, "/sign-in/again/second", &[("code", &app.code(0))]).await.expect(400);
    let sent = browser.submit(&second, "/sign-in/again/second", &[("code", &app.code(0))]).await;
    assert_eq!((sent.status, sent.header("Location").as_str()), (303, "/account"), "{}", sent.text());
    assert_eq!(session(server, &browser).unwrap().factors, "pwd otp mfa");

    // A recovery code stands in here, too.
    execute(server.database(), &back_then);
    let answer = browser.submit(again, "/sign-in/again", &[("password", PASSWORD)]).await.expect(303);
    let used = browser.submit(&answer.header("Location"), "/sign-in/again/second", &[("code", &codes[0])]).await;
    used.expect(303);
    browser.submit("/account", "/account/authenticator/remove", &[]).await.expect(303);
    let page = browser.get("/account").await.expect(200);
    assert_eq!(forms(&page, "/account/authenticator").len(), 1, "the app is removed");
    let without = browser.get("/sign-in/again/second?next=%2Faccount").await;
    assert_eq!((without.status, without.header("Location")), (303, again.to_owned()));
}
