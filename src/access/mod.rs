//! Who is calling, and what that lets them do.

pub mod scopes;

pub use scopes::{Context, Interactions, Scope, ScopeQuery, ScopeSet, Types, Word};

/// The party behind a request, with what it may see. Every read and write takes one.
#[derive(Clone, Debug)]
pub struct Caller {
    name: &'static str,
}

impl Caller {
    /// Anybody, on a server that was started with `--open`.
    pub fn open() -> Caller {
        Caller { name: "open" }
    }

    /// The program itself, for the named job.
    pub fn system(name: &'static str) -> Caller {
        Caller { name }
    }

    /// What the log calls this party.
    pub fn name(&self) -> &'static str {
        self.name
    }
}
