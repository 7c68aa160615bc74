//! Who may see and do what, seen through HTTP.

mod family;
mod reads;
mod tokens;
mod writes;
