//! Pages for people: sign-in, consent, and what one has shared with apps.
//!
//! Each page is a plain form that works without a script. What pages do, `auth` and `records` decide; here it is shown.
//!
//! Spec: WCAG 2.2; OWASP ASVS 5.0 chapter 3

mod account;
mod apps;
mod authorize;
mod developer;
mod device;
mod form;
mod framed;
mod front;
mod page;
mod problem;
mod routes;
mod session;
mod sign_in;
mod style;
pub mod upstream;

pub use form::PageForm;
pub use framed::{framed, unknown_address};
pub use page::{Frame, Page};
pub use problem::PageError;
pub use routes::configure;
pub use session::{SignedInVisitor, Visitor};
