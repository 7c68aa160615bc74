//! Forms that a test fills in itself: what a browser would send by itself is left out.

use super::PASSWORD;
use crate::support::browser::{Browser, Form, forms};
use crate::support::{Answer, TestServer};

/// A browser in which `name` is signed in.
pub async fn signed_in<'s>(server: &'s TestServer, name: &str) -> Browser<'s> {
    let browser = Browser::new(server);
    browser.sign_in(&format!("{name}@example.org"), PASSWORD).await;
    browser
}

/// The anti-forgery field of the forms of `page` that go to `action`.
#[track_caller]
pub fn csrf(page: &Answer, action: &str) -> String {
    let found = forms(page, action);
    found.first().unwrap_or_else(|| panic!("no form goes to {action}: {}", page.text())).value("csrf")
}

/// Sends `fields` as a form of `page` to `action`, with its anti-forgery field.
pub async fn submit(browser: &Browser<'_>, page: &Answer, action: &str, fields: &[(&str, &str)]) -> Answer {
    let csrf = csrf(page, action);
    post(browser, action, &[&[("csrf", csrf.as_str())], fields].concat()).await
}

/// Sends `fields`, whatever the page.
pub async fn post(browser: &Browser<'_>, action: &str, fields: &[(&str, &str)]) -> Answer {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    browser.send_form(&Form { action: action.to_owned(), fields, options: String::new() }).await
}
