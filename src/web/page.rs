//! A page as it goes out: with what a browser may do with it.
//!
//! Spec: CSP level 3

use actix_web::body::BoxBody;
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::{HttpRequest, HttpResponse, Responder};
use askama::Template;
use url::{Url, form_urlencoded};

use crate::web::{PageError, Visitor};

/// What all pages show around their own content.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Before each path: what the server's address has behind its host; mostly nothing.
    pub root: String,
    /// Who is signed in.
    pub name: Option<String>,
    /// Goes with each form, in the field `csrf`.
    pub csrf: String,
}

/// A page that is ready to go out.
pub struct Page {
    html: String,
    status: StatusCode,
    form_targets: String,
    has_script: bool,
    cookie: Option<Cookie<'static>>,
}

impl Page {
    /// The page that `template` makes, for `visitor`.
    pub fn new(visitor: &Visitor, template: &impl Template) -> Result<Page, PageError> {
        let html = template.render().map_err(|error| PageError::Template(error.to_string()))?;
        let cookie = visitor.fresh_cookie();
        Ok(Page { html, status: StatusCode::OK, form_targets: String::new(), has_script: false, cookie })
    }

    pub fn status(self, status: StatusCode) -> Page {
        Page { status, ..self }
    }

    /// Lets the answer to a form of this page lead to `origin`, such as `https://app.example`. Browsers hold whatever a form leads
    /// to against the policy, redirects included.
    pub fn leading_to(mut self, origin: &str) -> Page {
        self.form_targets.push(' ');
        self.form_targets.push_str(origin);
        self
    }

    /// Lets the answer to a form of this page lead back to the app at `redirect_uri`, and on to where that leads: browsers hold every step
    /// of the way against the policy.
    pub fn leading_back(self, redirect_uri: &str) -> Page {
        match Url::parse(redirect_uri) {
            Ok(url) if url.scheme() == "http" => self.leading_to(&url.origin().ascii_serialization()),
            Ok(url) => self.leading_to(&format!("{}:", url.scheme())),
            Err(_) => self,
        }
    }

    /// Lets the answer to a form of this page lead to `next`, and from there to the app that waits behind it, if one does: who allowed it
    /// before is not asked again.
    pub fn leading_on(self, next: &str) -> Page {
        let query = next.strip_prefix("/auth/authorize?").unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        match pairs.find(|(name, _)| name == "redirect_uri") {
            Some((_, redirect_uri)) => self.leading_back(&redirect_uri),
            None => self,
        }
    }

    /// Lets the server's own scripts run.
    pub fn with_script(self) -> Page {
        Page { has_script: true, ..self }
    }

    /// The answer.
    pub fn answer(self) -> HttpResponse {
        let scripts = if self.has_script { " script-src 'self'; connect-src 'self';" } else { "" };
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src 'self' data:;{scripts} form-action 'self'{}; base-uri 'none'; \
             frame-ancestors 'none'",
            self.form_targets
        );
        let mut response = HttpResponse::build(self.status);
        response
            .content_type(ContentType::html())
            .insert_header((header::CONTENT_SECURITY_POLICY, policy))
            .insert_header((header::X_FRAME_OPTIONS, "DENY"))
            // Without a referrer a browser posts forms with the origin `null`, which would look like somebody else's.
            .insert_header((header::REFERRER_POLICY, "same-origin"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            // Packed together with what a request sent, the length would tell of what is secret in the page (BREACH).
            .insert_header((header::CONTENT_ENCODING, "identity"));
        if let Some(cookie) = self.cookie {
            response.cookie(cookie);
        }
        response.body(self.html)
    }
}

impl Responder for Page {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<BoxBody> {
        self.answer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(next: &str) -> String {
        let page = Page {
            html: String::new(),
            status: StatusCode::OK,
            form_targets: String::new(),
            has_script: false,
            cookie: None,
        };
        page.leading_on(next).form_targets
    }

    #[test]
    fn a_form_leads_on_to_the_app_that_waits_and_nowhere_else() {
        let asking = |uri: &str| {
            let uri: String = form_urlencoded::byte_serialize(uri.as_bytes()).collect();
            format!("/auth/authorize?client_id=a&redirect_uri={uri}")
        };
        assert_eq!(targets(&asking("https://app.example/done")), " https:");
        assert_eq!(targets(&asking("http://127.0.0.1:9000/done")), " http://127.0.0.1:9000");
        assert_eq!(targets(&asking("org.example.app:/done")), " org.example.app:");
        for next in ["/", "/apps", "/auth/authorize", "/auth/authorize?client_id=a", &asking("; script-src *")] {
            assert_eq!(targets(next), "", "{next}");
        }
    }
}
