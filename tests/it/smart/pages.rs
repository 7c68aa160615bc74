//! What all pages keep to.

use super::{EMAIL, PASSWORD, address, code, confidential, home, public, register, signed_in};
use crate::support::browser::{Browser, form, forms};
use crate::support::{TestServer, on_both};

on_both!(closed:
    a_session_begins_anew_with_each_sign_in_and_ends_with_the_sign_out,
    from_the_sign_in_nobody_is_led_elsewhere,
    after_a_new_password_the_account_names_the_apps_that_keep_their_access,
);

async fn a_session_begins_anew_with_each_sign_in_and_ends_with_the_sign_out(server: &TestServer) {
    home(server, &["a"]).await;
    let browser = Browser::new(server);
    browser.set_cookie("emberwell", "planted");
    browser.sign_in(EMAIL, PASSWORD).await;
    let session = browser.cookie("emberwell").unwrap();
    assert_ne!(session, "planted");
    // Signed in: the page leads on.
    assert_eq!(browser.get("/sign-in").await.status, 303);

    let client = register(server, public());
    let page = browser.get(&address(server, &client, "openid", &[])).await.expect(200);
    browser.send_form(&form(&page, "/sign-out")).await.expect(303);
    browser.set_cookie("emberwell", &session);

    assert_eq!(browser.get("/sign-in").await.status, 200, "the session is over, whoever still has the cookie");
}

async fn from_the_sign_in_nobody_is_led_elsewhere(server: &TestServer) {
    home(server, &["a"]).await;
    for next in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "javascript%3Aalert(1)"] {
        let browser = Browser::new(server);
        let path = format!("/sign-in?next={next}");
        let answer = browser.submit(&path, "/sign-in", &[("email", EMAIL), ("password", PASSWORD)]).await;
        assert_eq!((answer.status, answer.header("Location").as_str()), (303, "/"), "{next}");
        let answer = signed_in(server).await.get(&path).await;
        assert_eq!((answer.status, answer.header("Location").as_str()), (303, "/"), "{next}");
    }
}

async fn after_a_new_password_the_account_names_the_apps_that_keep_their_access(server: &TestServer) {
    home(server, &["a"]).await;
    let (lasting, passing) = (register(server, public()), register(server, confidential()));
    let browser = signed_in(server).await;
    code(&browser, server, &lasting, "launch/patient offline_access patient/Observation.rs", Some("a")).await;
    code(&browser, server, &passing, "launch/patient online_access patient/Observation.rs", Some("a")).await;
    let before = browser.get("/account").await.expect(200).text();
    assert!(!before.contains("Growth") && !before.contains("The password was changed."), "{before}");

    browser.submit("/account/password", "/account/password", &[("password", "lampshade orchard")]).await.expect(303);

    let page = browser.get("/account").await.expect(200).text();
    let notice =
        page.split("role=\"status\">").nth(1).unwrap_or_else(|| panic!("{page}")).split("</p>").next().unwrap();
    assert!(notice.contains("<strong>Growth</strong>.") && notice.contains("<a href=\"/apps\">"), "{notice}");
    assert!(!notice.contains("Clinic"), "it has its access in sessions alone: {notice}");
    let removals = forms(&browser.get("/apps").await.expect(200), "/apps");
    let named = ("client_id".to_owned(), lasting.id.clone());
    let removal = removals.into_iter().find(|form| form.fields.contains(&named)).unwrap();
    browser.send_form(&removal).await.expect(303);
    assert!(!browser.get("/account").await.expect(200).text().contains("Growth"), "it keeps nothing");
}
