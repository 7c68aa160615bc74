//! Who may see and do what, seen through HTTP.

mod binaries;
mod consent_oracle;
mod consents;
mod consents_in_force;
mod deletions;
pub mod family;
mod provenance;
mod provenance_claims;
mod reads;
mod refusals;
mod several;
mod tokens;
mod writes;
