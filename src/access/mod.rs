//! Who is calling, and what that lets them do.
//!
//! Every access is a grant: what a caller may see and do is decided once per request, as an [`AccessFilter`], and every
//! statement carries it.

mod decision;
mod denied;
pub mod scopes;

pub use decision::{Holding, TokenFacts, Unfit, decide};
pub use denied::Denied;
pub use scopes::{Context, Interactions, Scope, ScopeQuery, ScopeSet, Types, Word};

use crate::search::AccessFilter;

/// The party behind a request, with what it may see. Every read and write takes one.
#[derive(Clone, Debug)]
pub struct Caller {
    name: &'static str,
    filter: AccessFilter,
}

impl Caller {
    /// Anybody, on a server that was started with `--open`.
    pub fn open() -> Caller {
        Caller { name: "open", filter: AccessFilter::everything() }
    }

    /// The program itself, for the named job.
    pub fn system(name: &'static str) -> Caller {
        Caller { name, filter: AccessFilter::everything() }
    }

    /// Whoever holds a token that gives `filter`.
    pub fn bounded(filter: AccessFilter) -> Caller {
        Caller { name: "token", filter }
    }

    /// What the log calls this party.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it may see and do.
    pub fn filter(&self) -> &AccessFilter {
        &self.filter
    }

    /// Refuses whoever may not do what concerns the whole server.
    pub fn administers(&self) -> Result<(), Denied> {
        if self.filter.administers() { Ok(()) } else { Err(Denied::Administration) }
    }
}
