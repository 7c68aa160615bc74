//! What people see where a page can't be shown.

use http::Method;

use super::{PASSWORD, person};
use crate::support::browser::{Browser, form};
use crate::support::{Answer, TestServer, on_both};

on_both!(closed:
    an_address_that_cannot_be_read_is_told_on_a_page,
    where_nothing_is_a_browser_gets_a_page_and_a_program_does_not,
);

#[track_caller]
fn page(answer: Answer, status: u16, title: &str) -> Answer {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    assert!(answer.header("Content-Type").starts_with("text/html"), "{}", answer.header("Content-Type"));
    assert!(text.contains(&format!("<h1>{title}</h1>")), "{text}");
    assert!(text.contains("<a href=\"/\">Back to the start</a>"), "{text}");
    answer
}

async fn an_address_that_cannot_be_read_is_told_on_a_page(server: &TestServer) {
    person(server, "anna");
    let browser = Browser::new(server);
    let unreadable = "This address can&#39;t be read";

    for path in ["/sign-in?next=a&next=b", "/sign-in/second?half=a&half=b", "/set-up?token=a&token=b"] {
        page(browser.get(path).await, 400, unreadable);
    }
    browser.sign_in("anna@example.org", PASSWORD).await;
    for path in ["/device?user_code=a&user_code=b", "/sign-in/again?next=a&next=b"] {
        let answer = page(browser.get(path).await, 400, unreadable);
        assert!(answer.text().contains("<span>anna</span>"), "{}", answer.text());
    }
}

async fn where_nothing_is_a_browser_gets_a_page_and_a_program_does_not(server: &TestServer) {
    person(server, "anna");
    let browser = Browser::new(server);
    let nobody = page(browser.get("/nothing").await, 404, "Nothing here");
    assert!(!nobody.text().contains("/sign-out"), "{}", nobody.text());
    browser.sign_in("anna@example.org", PASSWORD).await;

    for path in ["/nothing", "/developer/apps/none", "/fhirs"] {
        let answer = page(browser.get(path).await, 404, "Nothing here");
        assert!(answer.text().contains("<span>anna</span>"), "{path}: {}", answer.text());
    }
    // The frame is one that works.
    let nothing = browser.get("/nothing").await;
    let out = browser.send_form(&form(&nothing, "/sign-out")).await;
    assert_eq!((out.status, out.header("Location").as_str()), (303, "/sign-in"));

    for path in ["/fhir/nothing", "/auth/nothing", "/auth/token/nothing", "/.well-known/nothing"] {
        let answer = browser.get(path).await;
        assert_ne!(answer.status, 200, "{path}");
        assert!(answer.header("Content-Type").contains("json"), "{path}: {}", answer.header("Content-Type"));
    }
    let answer = server.request(Method::GET, &format!("{}/nothing", server.url)).send().await;
    assert_eq!((answer.status, answer.header("Content-Type").contains("fhir+json")), (404, true), "{}", answer.text());
}
