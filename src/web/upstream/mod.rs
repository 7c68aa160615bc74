//! Sign-in by OpenID providers, and which of them an account is linked to.
//!
//! Spec: OpenID Connect Core 1.0 section 3.1; RFC 9700

mod answer;
mod buttons;
mod cookie;
mod problem;
mod providers;
mod start;

pub use answer::{callback, link};
pub use buttons::{Button, buttons, buttons_again};
pub use providers::{linked, unlink};
pub use start::start;

use crate::auth::SignedIn;
use crate::auth::upstream::UpstreamError;
use crate::clock;
use crate::http::{App, HttpError};
use crate::interactions::Engine;
use crate::web::PageError;

/// Where somebody sees what is linked.
const PROVIDERS: &str = "/account/providers";

/// Does `work`, which may wait for the database, on a blocking thread.
async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Engine) -> Result<T, UpstreamError> + Send + 'static,
) -> Result<Result<T, UpstreamError>, HttpError> {
    app.block(move |engine| Ok::<_, HttpError>(work(engine))).await
}
/// Whoever is signed in, if they have shown who they are lately enough; else it goes to where they do, and from there to `next`.
fn fresh<'s>(who: &'s SignedIn, root: &str, next: &str) -> Result<&'s SignedIn, PageError> {
    if who.is_fresh(clock::now_us()) {
        return Ok(who);
    }
    Err(PageError::ShowAgain { root: root.to_owned(), next: next.to_owned() })
}
