//! The endpoints of OAuth: one file each.

mod client;
pub mod discovery;
pub mod introspection;
pub mod keys;
pub mod launch;
pub mod logo;
pub mod revocation;
pub mod token;
