//! What all pages keep to.

use super::{EMAIL, PASSWORD, address, home, public, register, signed_in};
use crate::support::browser::{Browser, form};
use crate::support::{TestServer, on_both};

on_both!(closed:
    a_session_begins_anew_with_each_sign_in_and_ends_with_the_sign_out,
    from_the_sign_in_nobody_is_led_elsewhere,
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
