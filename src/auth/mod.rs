//! Who holds a token, and what that lets them do.
//!
//! Spec: SMART App Launch 2.2; RFC 6750

mod callers;

pub use callers::{Callers, TokenRefused};
