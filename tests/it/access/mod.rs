//! Who may see and do what, seen through HTTP.

pub mod family;
mod provenance;
mod provenance_claims;
mod reads;
mod tokens;
mod writes;
