//! A browser without scripts: it keeps cookies, reads forms and sends them. Each page that it gets is looked over.

use std::cell::RefCell;
use std::collections::BTreeMap;

use http::Method;
use url::form_urlencoded;

use crate::support::client::Request;
use crate::support::{Answer, TestServer};

pub struct Browser<'s> {
    server: &'s TestServer,
    cookies: RefCell<BTreeMap<String, String>>,
    agent: &'static str,
    /// From where it comes, where the server believes that of a proxy.
    from: Option<String>,
}

/// A form of a page, with the fields that it has.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: String,
    pub fields: Vec<(String, String)>,
    /// What the script reads of it.
    pub options: String,
}

impl Form {
    /// With another value in a field.
    pub fn with(mut self, name: &str, value: &str) -> Form {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn value(&self, name: &str) -> String {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_else(|| panic!("no field {name} in {self:?}"))
    }
}

impl<'s> Browser<'s> {
    pub fn new(server: &'s TestServer) -> Browser<'s> {
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        Browser { server, cookies: RefCell::default(), agent, from: None }
    }

    /// Another browser.
    pub fn called(self, agent: &'static str) -> Browser<'s> {
        Browser { agent, ..self }
    }

    /// One that comes from this address.
    pub fn from(self, address: &str) -> Browser<'s> {
        Browser { from: Some(address.to_owned()), ..self }
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    /// Goes on with a cookie from elsewhere.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Sends a form.
    pub async fn send_form(&self, form: &Form) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
        self.send(Method::POST, &form.action, Some(body)).await
    }

    /// Sends a form with a header as another page, or another browser, would have written it.
    pub async fn send_form_with(&self, form: &Form, name: &str, value: &str) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
        let request = self.request(Method::POST, &form.action, Some(body));
        request.header(name, value).send().await
    }

    /// Gets a page and sends its form to `action`, with these fields filled in.
    pub async fn submit(&self, path: &str, action: &str, filled: &[(&str, &str)]) -> Answer {
        let page = self.get(path).await.expect(200);
        let form = filled.iter().fold(form(&page, action), |form, (name, value)| form.with(name, value));
        self.send_form(&form).await
    }

    /// Tries to sign in by a password.
    pub async fn try_password(&self, email: &str, password: &str) -> Answer {
        self.submit("/sign-in", "/sign-in", &[("email", email), ("password", password)]).await
    }

    /// Signs in by a password, which is to be enough.
    pub async fn sign_in(&self, email: &str, password: &str) {
        let answer = self.try_password(email, password).await;
        assert_eq!((answer.status, answer.header("Location").as_str()), (303, "/"), "{}", answer.text());
    }

    fn request(&self, method: Method, path: &str, body: Option<String>) -> Request {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.server.url) };
        let mut request = self.server.request(method, &url).header("User-Agent", self.agent);
        request = request.header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("Cookie", &cookies.join("; "));
        }
        if let Some(from) = &self.from {
            request = request.header("X-Forwarded-For", from);
        }
        if let Some(body) = body {
            let origin = self.server.url.clone();
            request = request.header("Origin", &origin).header("Sec-Fetch-Site", "same-origin");
            request = request.body("application/x-www-form-urlencoded", body);
        }
        request
    }

    async fn send(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        let answer = self.request(method, path, body).send().await;
        self.keep_cookies(&answer);
        if answer.header("Content-Type").starts_with("text/html") {
            look_over(path, &answer.text());
        }
        answer
    }

    fn keep_cookies(&self, answer: &Answer) {
        for header in answer.headers.get_all("set-cookie") {
            let text = header.to_str().unwrap();
            assert!(text.contains("HttpOnly") && text.contains("SameSite=Lax"), "{text}");
            let (name, rest) = text.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            match value {
                "" => self.cookies.borrow_mut().remove(name),
                value => self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned()),
            };
        }
    }
}

/// The form of a page that goes to `action`.
#[track_caller]
pub fn form(page: &Answer, action: &str) -> Form {
    let mut found = forms(page, action);
    assert_eq!(found.len(), 1, "forms to {action} in {}", page.text());
    found.remove(0)
}

/// All forms of a page that go to `action`.
pub fn forms(page: &Answer, action: &str) -> Vec<Form> {
    let text = page.text();
    let parts = text.split("<form").skip(1).map(|part| part.split("</form>").next().unwrap().to_owned());
    parts
        .filter_map(|part| {
            let (head, body) = part.split_once('>').unwrap();
            (attribute(head, "action").as_deref() == Some(action)).then(|| Form {
                action: action.to_owned(),
                options: attribute(head, "data-options").unwrap_or_default(),
                fields: tags(body, "input")
                    .filter_map(|tag| Some((attribute(&tag, "name")?, attribute(&tag, "value").unwrap_or_default())))
                    .collect(),
            })
        })
        .collect()
}

fn tags<'t>(text: &'t str, name: &str) -> impl Iterator<Item = String> + 't {
    let begin = format!("<{name}");
    let parts: Vec<String> =
        text.split(begin.as_str()).skip(1).map(|part| part.split('>').next().unwrap().to_owned()).collect();
    parts.into_iter()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let value = rest.split('"').next()?;
    let plain = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    Some(plain.iter().fold(value.to_owned(), |value, (written, meant)| value.replace(written, meant)))
}

/// What every page keeps to: one heading, each field with a label, each text that a field is described by there.
#[track_caller]
fn look_over(path: &str, html: &str) {
    assert_eq!(html.matches("<h1").count(), 1, "{path}: {html}");
    assert!(!html.contains(" style=") && !html.contains(" onclick="), "{path}: {html}");
    for tag in tags(html, "input") {
        if attribute(&tag, "type").as_deref() == Some("hidden") {
            continue;
        }
        let id = attribute(&tag, "id").unwrap_or_else(|| panic!("{path}: a field without an id: {tag}"));
        assert!(html.contains(&format!("<label for=\"{id}\"")), "{path}: {id} has no label");
        let is_typed = !matches!(attribute(&tag, "type").as_deref(), Some("checkbox" | "radio" | "date" | "file"));
        assert!(!is_typed || attribute(&tag, "autocomplete").is_some(), "{path}: {id} says nothing of filling in");
        for by in attribute(&tag, "aria-describedby").unwrap_or_default().split_whitespace() {
            assert!(html.contains(&format!("id=\"{by}\"")), "{path}: {id} is described by nothing: {by}");
        }
        assert!(
            !tag.contains("aria-invalid") || tag.contains("aria-describedby"),
            "{path}: what is wrong with {id} is not said"
        );
    }
}
