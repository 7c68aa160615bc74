//! The database: the only room that names diesel.

mod hasher;
mod query;
mod rows;

pub use hasher::Hasher;
pub use query::{Bind, Query};
pub use rows::{DateRow, IndexRows, Method, QuantityRow, ReferenceRow, ResourceRow, StringRow, TokenRow, UriRow};
