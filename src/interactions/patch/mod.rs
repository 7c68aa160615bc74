//! Patch: turning one resource into its next version by a list of operations.
//!
//! Both kinds of patch work on the JSON form of the resource. A patch that is refused leaves the value that it was given
//! half changed, so callers patch a copy that they drop on an error; nothing here knows what is stored.
//!
//! Spec: R4 http.html#patch

mod content;
mod emptiness;
mod equality;
pub mod fhirpath_patch;
pub mod json_patch;
mod limits;
mod parameters;
mod place;
mod pointer;

use serde_json::Value;
use thiserror::Error;

/// How many operations one patch may hold.
pub const MAX_OPERATIONS: usize = 1_000;

/// How much of a path an error repeats, in characters.
const SHOWN_PATH: usize = 200;

/// Why a patch is refused. Operations are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatchError {
    /// The body as a whole is no patch.
    #[error("{0}")]
    NotAPatch(&'static str),
    #[error("a patch may hold at most {MAX_OPERATIONS} operations, this one holds {0}")]
    TooManyOperations(usize),
    /// The operation can't be understood, whatever the resource looks like.
    #[error("operation {operation}: {problem}")]
    Malformed { operation: usize, problem: String },
    /// A `test` found another value than it asked for.
    #[error("operation {operation}: the value at '{path}' is not the one that the test asks for")]
    TestFailed { operation: usize, path: String },
    /// The path leads to nothing in this resource.
    #[error("operation {operation}: nothing is found at '{path}': {problem}")]
    NoSuchPlace { operation: usize, path: String, problem: String },
    /// The place exists, but the operation can't be done there.
    #[error("operation {operation} at '{path}': {problem}")]
    Refused { operation: usize, path: String, problem: String },
    #[error("operation {operation}: the resource would grow beyond the {max_bytes} bytes that a resource may have")]
    TooLarge { operation: usize, max_bytes: usize },
    /// The operations copy or shift more than a patch of this server may.
    #[error("operation {operation}: the patch copies or shifts too much; send the whole resource, or several patches")]
    TooCostly { operation: usize },
    /// The patch changes what identifies the resource.
    #[error("a patch may not change '{0}': it identifies the resource")]
    IdentityChanged(&'static str),
}

/// An error under way, before it knows which operation it belongs to.
#[derive(Debug)]
enum Fault {
    Malformed(String),
    TestFailed,
    NoSuchPlace(String),
    Refused(String),
    TooLarge,
    TooCostly,
}

impl Fault {
    fn of(self, operation: usize, path: &str, max_bytes: usize) -> PatchError {
        let path = || path.chars().take(SHOWN_PATH).collect::<String>();
        match self {
            Fault::Malformed(problem) => PatchError::Malformed { operation, problem },
            Fault::TestFailed => PatchError::TestFailed { operation, path: path() },
            Fault::NoSuchPlace(problem) => PatchError::NoSuchPlace { operation, path: path(), problem },
            Fault::Refused(problem) => PatchError::Refused { operation, path: path(), problem },
            Fault::TooLarge => PatchError::TooLarge { operation, max_bytes },
            Fault::TooCostly => PatchError::TooCostly { operation },
        }
    }
}

/// What must be the same before and after a patch.
struct Identity {
    resource_type: Option<Value>,
    id: Option<Value>,
}

impl Identity {
    fn of(document: &Value) -> Identity {
        Identity { resource_type: document.get("resourceType").cloned(), id: document.get("id").cloned() }
    }

    /// Compared once, after the last operation: what stands there in between harms nobody.
    fn check(&self, document: &Value) -> Result<(), PatchError> {
        if document.get("resourceType") != self.resource_type.as_ref() {
            return Err(PatchError::IdentityChanged("resourceType"));
        }
        if document.get("id") != self.id.as_ref() {
            return Err(PatchError::IdentityChanged("id"));
        }
        Ok(())
    }
}
