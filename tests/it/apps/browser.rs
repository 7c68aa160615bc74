//! A browser without scripts: it keeps cookies, and sends the forms of pages.

use std::cell::RefCell;
use std::collections::BTreeMap;

use awc::http::Method;
use url::form_urlencoded::Serializer;

use super::PASSWORD;
use crate::support::{Answer, TestServer};

/// Somebody's browser.
pub struct Browser<'s> {
    server: &'s TestServer,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl<'s> Browser<'s> {
    /// One in which `name` is signed in.
    pub async fn of(server: &'s TestServer, name: &str) -> Browser<'s> {
        let browser = Browser { server, cookies: RefCell::default() };
        let page = browser.get("/sign-in").await.expect(200);
        let email = format!("{name}@example.org");
        browser.submit(&page, "/sign-in", &[("email", &email), ("password", PASSWORD)]).await.expect(303);
        browser
    }

    /// One in which nobody is.
    pub fn of_nobody(server: &'s TestServer) -> Browser<'s> {
        Browser { server, cookies: RefCell::default() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.keep(self.request(Method::GET, path).send().await)
    }

    /// Sends the form of `page` that goes to `path`, with `fields` beside its anti-forgery field.
    pub async fn submit(&self, page: &Answer, path: &str, fields: &[(&str, &str)]) -> Answer {
        let text = page.text();
        assert!(text.contains(&format!("action=\"{path}\"")), "no form goes to {path}: {text}");
        let csrf = hidden(&text, "csrf").expect("each form has the field");
        self.post(path, &[&[("csrf", csrf.as_str())], fields].concat()).await
    }

    /// Posts fields, whatever the page.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.request(Method::POST, path).body("application/x-www-form-urlencoded", body);
        self.keep(request.send().await)
    }

    fn request(&self, method: Method, path: &str) -> crate::support::client::Request {
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.server.request(method, &format!("{}{path}", self.server.url));
        if cookies.is_empty() { request } else { request.header("Cookie", &cookies.join("; ")) }
    }

    fn keep(&self, answer: Answer) -> Answer {
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// The value of a hidden field.
pub fn hidden(page: &str, name: &str) -> Option<String> {
    let field = format!("name=\"{name}\" value=\"");
    let rest = &page[page.find(&field)? + field.len()..];
    Some(rest[..rest.find('"')?].to_owned())
}
