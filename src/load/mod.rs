//! Reading files into the database: bundles, single resources, NDJSON, folders and archives of these.
//!
//! One thread reads and parses the next file while another applies the one before. Resources share commits; a
//! transaction stays a transaction.

mod apply;
mod archive;
mod input;
mod summary;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use thiserror::Error;

use crate::access::Caller;
use crate::interactions::Engine;
use crate::store::StoreError;

use apply::Loader;
use input::Document;

pub use summary::{Reason, Refused, Summary};

/// So many documents may wait, parsed, for the one that is being applied.
const DOCUMENTS_AHEAD: usize = 2;

/// Why loading stopped; what was applied until then stays.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("{path} can't be read: {problem}")]
    Unreadable { path: String, problem: String },
    #[error("{0} is nothing that can be loaded: use .json, .ndjson, either of them with .gz, .tar.gz, or a folder")]
    UnknownKind(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Loads what is at `paths`, in this order; `progress` hears the number of resources stored so far.
///
/// A transaction whose conditional references find nothing is tried once more when all else is loaded, for what it
/// refers to may have come later.
pub fn load(engine: &Engine, caller: &Caller, paths: &[PathBuf], progress: &dyn Fn(u64)) -> Result<Summary, LoadError> {
    let files = input::files(paths)?;
    let mut loader = Loader::new(engine, caller, progress);
    pass(&files, None, &mut loader)?;
    let postponed = loader.take_postponed();
    if !postponed.is_empty() {
        pass(&files, Some(&postponed), &mut loader)?;
    }
    Ok(loader.into_summary())
}

fn pass(files: &[input::File], only: Option<&HashSet<String>>, loader: &mut Loader<'_>) -> Result<(), LoadError> {
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Document>(DOCUMENTS_AHEAD);
        scope.spawn(move || {
            // Nobody takes documents any more once applying has failed.
            let wanted = |name: &str| only.is_none_or(|only| only.contains(name));
            files.iter().all(|file| file.read(&wanted, &mut |document| sender.send(document).is_ok()));
        });
        for document in receiver {
            loader.take(document)?;
        }
        loader.flush()
    })
}
