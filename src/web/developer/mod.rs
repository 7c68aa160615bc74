//! `/developer`: for those who make apps, and for the operator who looks at what they made.

mod app;
mod list;
mod review;
mod said;

pub use app::{change, members, new, page, register, rotate};
pub use list::{answer, list};
pub use review::{decide, review};
