//! The endpoints of OAuth: one file each.

pub mod brands;
mod client;
pub mod device;
pub mod discovery;
pub mod introspection;
pub mod keys;
pub mod launch;
pub mod logo;
pub mod registration;
pub mod revocation;
pub mod token;
