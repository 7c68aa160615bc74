//! Who comes to a page.
//!
//! Spec: RFC 6265bis (the prefix `__Host-`); OWASP ASVS 5.0 chapters 3 and 7

use std::future::Future;
use std::pin::Pin;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::{SignedIn, sessions};
use crate::clock;
use crate::http::{App, HttpError};
use crate::records::{RecordError, Secret};
use crate::store::{SecretHash, StoreError};
use crate::web::{Frame, PageError};

/// Whoever comes to a page, signed in or not.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub signed_in: Option<SignedIn>,
    /// The session cookie that came, whether it counts or not.
    pub cookie: Option<SecretHash>,
    /// A new name for a visitor who had none, for the cookie.
    fresh: Option<Secret>,
    csrf: String,
    root: String,
    is_https: bool,
}

/// The cookie that holds a session, and the one that tells visitors apart before they sign in.
#[derive(Clone, Copy, Debug)]
enum Jar {
    Session,
    Visit,
}

impl Jar {
    /// On https no other host, and nobody on the way, can set it.
    fn name(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Jar::Session, true) => "__Host-emberwell",
            (Jar::Session, false) => "emberwell",
            (Jar::Visit, true) => "__Host-emberwell-visit",
            (Jar::Visit, false) => "emberwell-visit",
        }
    }

    fn cookie(self, is_https: bool, value: String) -> Cookie<'static> {
        Cookie::build(self.name(is_https), value)
            .path("/")
            .http_only(true)
            .secure(is_https)
            .same_site(SameSite::Lax)
            .finish()
    }
}

impl Visitor {
    /// Nobody in particular, for a page that has no form.
    pub fn nobody() -> Visitor {
        Visitor {
            signed_in: None,
            cookie: None,
            fresh: None,
            csrf: String::new(),
            root: String::new(),
            is_https: false,
        }
    }

    /// What the page shows around its content.
    pub fn frame(&self) -> Frame {
        let name = self.signed_in.as_ref().map(|signed_in| signed_in.account.name.clone());
        Frame { root: self.root.clone(), name, csrf: self.csrf.clone() }
    }

    /// What goes with each form, and must come back.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// What the server's address has behind its host; mostly nothing.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The cookie that begins a session.
    pub fn session_cookie(&self, secret: &Secret) -> Cookie<'static> {
        Jar::Session.cookie(self.is_https, secret.as_str().to_owned())
    }

    /// The cookie that ends one.
    pub fn no_session_cookie(&self) -> Cookie<'static> {
        let mut cookie = Jar::Session.cookie(self.is_https, String::new());
        cookie.make_removal();
        cookie
    }

    pub(super) fn fresh_cookie(&self) -> Option<Cookie<'static>> {
        let fresh = self.fresh.as_ref()?;
        Some(Jar::Visit.cookie(self.is_https, fresh.as_str().to_owned()))
    }

    async fn of(request: HttpRequest) -> Result<Visitor, PageError> {
        let app: Data<App> = request.app_data::<Data<App>>().expect("every page is configured with the App").clone();
        let is_https = app.base().starts_with("https:");
        let held = |jar: Jar| {
            let cookie = request.cookie(jar.name(is_https))?;
            (!cookie.value().is_empty()).then(|| SecretHash::of(cookie.value().as_bytes()))
        };
        let cookie = held(Jar::Session);
        let signed_in = match cookie {
            Some(cookie) => {
                app.block(move |engine| {
                    sessions::current(&engine.store, &cookie, clock::now_us()).map_err(HttpError::from)
                })
                .await?
            }
            None => None,
        };
        let visit = held(Jar::Visit);
        let fresh = match (&signed_in, visit) {
            (None, None) => Some(Secret::random().map_err(random)?),
            _ => None,
        };
        // A form is bound to the session; before there is one, to the visitor.
        let bound = match (&signed_in, visit, &fresh) {
            (Some(signed_in), ..) => signed_in.session.hash,
            (None, Some(visit), _) => visit,
            (None, None, fresh) => fresh.as_ref().map(Secret::hash).unwrap_or(SecretHash::of(b"")),
        };
        let csrf = app.engine.store.seal().derive("csrf", bound.as_bytes());
        let root = root_of(&app.auth.endpoints.issuer).to_owned();
        Ok(Visitor { signed_in, cookie, fresh, csrf: URL_SAFE_NO_PAD.encode(csrf), root, is_https })
    }
}

fn random(error: RecordError) -> PageError {
    StoreError::Unreachable(error.to_string()).into()
}

/// The path of an address without its last slash; empty where there is none.
fn root_of(issuer: &str) -> &str {
    let behind = issuer.split_once("://").map_or(issuer, |(_, behind)| behind);
    behind.find('/').map_or("", |slash| &behind[slash..])
}

impl FromRequest for Visitor {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Visitor, PageError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(Visitor::of(request.clone()))
    }
}

/// Somebody who is signed in. Who is not is sent to the sign-in, and from there back.
#[derive(Clone, Debug)]
pub struct SignedInVisitor {
    pub visitor: Visitor,
    pub signed_in: SignedIn,
}

impl SignedInVisitor {
    /// Who is signed in, or the way to the sign-in and from there to `next`.
    pub fn of(visitor: Visitor, next: &str) -> Result<SignedInVisitor, PageError> {
        match visitor.signed_in.clone() {
            Some(signed_in) => Ok(SignedInVisitor { visitor, signed_in }),
            None => Err(PageError::SignInNeeded { root: visitor.root, next: next.to_owned() }),
        }
    }
}

impl FromRequest for SignedInVisitor {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<SignedInVisitor, PageError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let visitor = Visitor::of(request.clone()).await?;
            // What a form would have sent is gone by then: it goes on with the page that has the form.
            let next = request.uri().path_and_query().map_or("/", |address| address.as_str()).to_owned();
            SignedInVisitor::of(visitor, &next)
        })
    }
}

/// `next` if it is an address of this server, or else the front page. Nobody is led elsewhere from here.
pub fn own_address(next: Option<&str>) -> &str {
    let is_own = |next: &&str| {
        next.starts_with('/')
            && !next.starts_with("//")
            && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    next.filter(is_own).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_sign_in_it_goes_on_within_this_server_only() {
        for next in ["/", "/apps", "/auth/authorize?client_id=a&redirect_uri=https%3A%2F%2Fapp.example"] {
            assert_eq!(own_address(Some(next)), next);
        }
        for next in ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "apps", "", "/ a", "/é"] {
            assert_eq!(own_address(Some(next)), "/", "{next}");
        }
        assert_eq!(own_address(None), "/");
    }

    #[test]
    fn the_root_is_what_stands_behind_the_host() {
        assert_eq!(root_of("https://a.org"), "");
        assert_eq!(root_of("https://a.org/r4"), "/r4");
    }
}
