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
pub use buttons::{Button, buttons};
pub use providers::{linked, unlink};
pub use start::start;

use crate::auth::upstream::UpstreamError;
use crate::http::{App, HttpError};
use crate::interactions::Engine;

/// Does `work`, which may wait for the database, on a blocking thread.
async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Engine) -> Result<T, UpstreamError> + Send + 'static,
) -> Result<Result<T, UpstreamError>, HttpError> {
    app.block(move |engine| Ok::<_, HttpError>(work(engine))).await
}
