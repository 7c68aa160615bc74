//! The endpoints of OAuth: one file each.

mod client;
pub mod discovery;
pub mod introspection;
pub mod logo;
pub mod registration;
pub mod revocation;
pub mod token;
