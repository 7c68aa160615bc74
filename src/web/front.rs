//! `/`: for somebody who came with a browser.

use actix_web::web::Data;
use askama::Template;

use crate::http::App;
use crate::web::{Frame, Page, PageError, Visitor};

#[derive(Template)]
#[template(path = "front.html")]
struct Front {
    frame: Frame,
    version: &'static str,
    is_open: bool,
}

/// What this server is, and the way to what a person can do here.
pub async fn page(visitor: Visitor, app: Data<App>) -> Result<Page, PageError> {
    let template = Front { frame: visitor.frame(), version: env!("CARGO_PKG_VERSION"), is_open: app.is_open };
    Page::new(&visitor, &template)
}
