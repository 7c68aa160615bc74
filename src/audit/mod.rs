//! Who did what to whose record: told of each request, one event for each Patient that it touched.
//!
//! What is written is told in the transaction that writes it. What is read is told a moment later ([`Journal`]). Both end in
//! chains of blocks (`store::AuditBlock`), in which nothing can be changed, left out or put elsewhere unnoticed ([`check`]).
//!
//! Spec: IHE Basic Audit Log Patterns (BALP) 1.1; R4 auditevent.html

mod chain;
mod event;
mod id;
mod journal;
mod owners;
mod query;
mod resource;
mod written;

pub use chain::{Break, Checked, check, compare, told, trail};
#[cfg(test)]
pub(crate) use event::block;
pub use event::{Event, Outcome, SPAN_US};
pub use id::EventId;
pub use journal::{Journal, Story};
pub use resource::{Queries, audit_event};
pub use written::{Touched, tell, tell_deed, tell_of_person};
