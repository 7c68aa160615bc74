//! The form that a page sent.
//!
//! Spec: OWASP ASVS 5.0 section 3.5; Fetch metadata (`Sec-Fetch-Site`)

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use crate::http::{App, FormBody};
use crate::web::{PageError, Visitor};

/// A form that came from a page of this server, in the hand of whoever it was shown to.
#[derive(Clone, Debug)]
pub struct PageForm {
    pub visitor: Visitor,
    fields: Vec<(String, String)>,
}

impl PageForm {
    /// The value of a field that was filled in.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// The values of a field that is there more than once, such as the boxes that were ticked.
    pub fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        let name = name.to_owned();
        self.fields.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// All fields, in their order.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }
}

impl FromRequest for PageForm {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<PageForm, PageError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !is_of_this_server(&request) {
                return Err(PageError::Forged);
            }
            let visitor = Visitor::from_request(&request, &mut payload).await?;
            let fields = FormBody::from_request(&request, &mut payload).await?.pairs()?;
            let sent = fields.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.as_bytes());
            let is_ours = sent.is_some_and(|sent| {
                aws_lc_rs::constant_time::verify_slices_are_equal(sent, visitor.csrf().as_bytes()).is_ok()
            });
            if is_ours { Ok(PageForm { visitor, fields }) } else { Err(PageError::Forged) }
        })
    }
}

/// Whether the headers that only browsers write say that it comes from here. Programs, which write none, go by the field alone.
fn is_of_this_server(request: &HttpRequest) -> bool {
    let app = request.app_data::<Data<App>>().expect("every page is configured with the App");
    let said = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let is_of_site = said("Sec-Fetch-Site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let is_of_origin = said(header::ORIGIN.as_str()).is_none_or(|origin| app.is_own_origin(origin));
    is_of_site && is_of_origin
}
