//! Who may see and do what, seen through HTTP.

pub mod family;
mod reads;
mod tokens;
mod writes;
