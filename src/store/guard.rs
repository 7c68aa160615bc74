//! What must hold of a resource before anything of it is given out.

use crate::store::Query;

/// A condition on the current version of a resource, `r` in the statement. Whatever reads resources by their keys takes one.
#[derive(Clone, Debug)]
pub struct Guard(Option<Query>);

impl Guard {
    /// The condition ` AND ..`, as the compiler of searches wrote it.
    pub fn of(condition: Query) -> Guard {
        Guard(Some(condition))
    }

    /// No condition, for the named job of the program, or for all on an open server.
    pub fn unbounded(_job: &'static str) -> Guard {
        Guard(None)
    }

    /// Whether there is no condition.
    pub fn is_unbounded(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn condition(&self) -> Option<&Query> {
        self.0.as_ref()
    }
}
