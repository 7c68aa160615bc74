//! A browser that goes between servers, as far as pages without scripts need one: cookies by origin and path, forms, links.

use std::cell::RefCell;
use std::collections::BTreeMap;

use http::Method;

use crate::support::Answer;
use crate::support::client::{Client, Request, client};

/// Keeps cookies by the origin that set them, and follows nothing by itself.
pub struct Browser {
    client: Client,
    /// By origin, name and path.
    cookies: RefCell<BTreeMap<(String, String, String), String>>,
}

impl Browser {
    pub fn new() -> Browser {
        Browser { client: client(), cookies: RefCell::default() }
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send(Method::GET, url, None).await
    }

    /// Posts a form with these fields and with the hidden ones that `page` has, at `url`.
    pub async fn post(&self, url: &str, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let mut all = hidden(&page.text());
        all.retain(|(name, _)| !fields.iter().any(|(own, _)| own == name));
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.post_bare(url, &all).await
    }

    /// Posts a form with these fields alone.
    pub async fn post_bare(&self, url: &str, fields: &[(String, String)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, url, Some(body)).await
    }

    async fn send(&self, method: Method, url: &str, body: Option<String>) -> Answer {
        let (origin, path) = (origin(url), url::Url::parse(url).unwrap().path().to_owned());
        let held: Vec<String> = {
            let cookies = self.cookies.borrow();
            let goes = |of: &str, below: &str| {
                of == origin && (path == below || path.starts_with(&format!("{}/", below.trim_end_matches('/'))))
            };
            let held = cookies.iter().filter(|((of, _, below), _)| goes(of, below));
            held.map(|((_, name, _), value)| format!("{name}={value}")).collect()
        };
        let mut request = Request::new(&self.client, method, url);
        if !held.is_empty() {
            request = request.header("Cookie", &held.join("; "));
        }
        if let Some(body) = body {
            request = request.header("Origin", &origin).body("application/x-www-form-urlencoded", body);
        }
        let answer = request.send().await;
        self.keep(&origin, &answer);
        answer
    }

    fn keep(&self, origin: &str, answer: &Answer) {
        for header in answer.headers.get_all("set-cookie") {
            let header = header.to_str().unwrap();
            let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let path = attributes.split(';').map(str::trim).find(|part| part.to_ascii_lowercase().starts_with("path="));
            let path = path.map(|part| &part["path=".len()..]);
            let attributes = attributes.to_ascii_lowercase();
            let key = (origin.to_owned(), name.to_owned(), path.unwrap_or("/").to_owned());
            if attributes.contains("max-age=0") || attributes.contains("expires=thu, 01 jan 1970") {
                self.cookies.borrow_mut().remove(&key);
            } else {
                self.cookies.borrow_mut().insert(key, value.to_owned());
            }
        }
    }

    /// What a cookie of the server at `url` holds.
    pub fn cookie(&self, url: &str, name: &str) -> Option<String> {
        self.cookies.borrow().get(&(origin(url), name.to_owned(), "/".to_owned())).cloned()
    }

    /// Holds another value than the server gave.
    pub fn set_cookie(&self, url: &str, name: &str, value: &str) {
        self.cookies.borrow_mut().insert((origin(url), name.to_owned(), "/".to_owned()), value.to_owned());
    }
}

fn origin(url: &str) -> String {
    url::Url::parse(url).unwrap().origin().ascii_serialization()
}

/// The value of an attribute of a tag.
pub fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(rest.split_once('"')?.0))
}

/// The tags of this name in a page.
pub fn tags<'h>(html: &'h str, name: &str) -> Vec<&'h str> {
    let opening = format!("<{name}");
    let begins = html.match_indices(&opening).map(|(at, _)| at);
    begins.filter_map(|at| html[at..].find('>').map(|end| &html[at..at + end])).collect()
}

/// The hidden fields of the last form of a page: the first is the way out, on pages of somebody who is signed in.
fn hidden(html: &str) -> Vec<(String, String)> {
    let main = html.split_once("<main").map_or(html, |(_, main)| main);
    let inputs = tags(main, "input").into_iter().filter(|tag| attribute(tag, "type").as_deref() == Some("hidden"));
    inputs.map(|tag| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap_or_default())).collect()
}

fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (from, to) in [("&#34;", "\""), ("&#38;", "&"), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&amp;", "&")]
    {
        text = text.replace(from, to);
    }
    text
}
