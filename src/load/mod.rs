//! Reading files into the database or into a server: bundles, single resources, NDJSON, folders and archives of these.
//!
//! One thread reads and parses the next file while another sends the one before. Resources share commits; a
//! transaction stays a transaction. What was stored is marked, so that a load that broke off can go on.

mod archive;
mod database;
mod gather;
mod input;
mod mark;
mod remote;
mod summary;
mod target;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use thiserror::Error;

use crate::access::Caller;
use crate::fhir::Issue;
use crate::interactions::Engine;
use crate::store::StoreError;

use database::Database;
use gather::Loader;
use input::Document;
use remote::Remote;
use target::Target;

pub use remote::{BadAddress, ServerAddress, Token};
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
    #[error("the token has characters that no token has")]
    BadToken,
    #[error("there is no FHIR server at {address}: {found}")]
    NoServer { address: String, found: String },
    #[error("the server answers with status {status}: give a --token that may write")]
    Denied { status: u16 },
    #[error("the server turns requests away with status {status}: when it has room again, go on with --resume")]
    TurnedAway { status: u16 },
    #[error("the server can't be reached any more ({0}): when it is there again, go on with --resume")]
    NoAnswer(String),
    #[error("another load of the same paths into the same server is under way")]
    AlreadyLoading,
    #[error("{path} can't be written: {problem}")]
    Journal { path: String, problem: String },
}

impl LoadError {
    fn damaged(issue: &Issue) -> LoadError {
        LoadError::Store(StoreError::Damaged(issue.text.clone()))
    }
}

/// Where a load goes.
pub enum Destination<'a> {
    Database {
        engine: &'a Engine,
        caller: &'a Caller,
    },
    /// `journals` is the folder in which is kept what the server has stored.
    Server {
        address: &'a ServerAddress,
        token: Option<&'a Token>,
        journals: &'a Path,
    },
}

/// Loads what is at `paths`, in this order; `progress` hears the number of resources stored so far. With `resume`, what
/// an earlier load of the same paths to the same place has stored is skipped.
///
/// A transaction whose conditional references find nothing is tried once more when all else is loaded, for what it
/// refers to may have come later.
pub fn load(
    destination: &Destination<'_>,
    paths: &[PathBuf],
    resume: bool,
    progress: &dyn Fn(u64),
) -> Result<Summary, LoadError> {
    let files = input::files(paths)?;
    match destination {
        Destination::Database { engine, caller } => {
            let load = mark::load_number("", paths);
            let summary = load_into(Database::new(engine, caller, load, resume)?, &files, progress)?;
            engine.store.gather_statistics()?;
            Ok(summary)
        }
        Destination::Server { address, token, journals } => {
            let load = mark::load_number(&address.to_string(), paths);
            load_into(Remote::new(address, *token, journals, load, resume)?, &files, progress)
        }
    }
}

fn load_into<T: Target>(target: T, files: &[input::File], progress: &dyn Fn(u64)) -> Result<Summary, LoadError> {
    let mut loader = Loader::new(target, progress);
    pass(files, None, &mut loader)?;
    let postponed = loader.take_postponed();
    if !postponed.is_empty() {
        pass(files, Some(&postponed), &mut loader)?;
    }
    Ok(loader.into_summary())
}

fn pass<T: Target>(
    files: &[input::File],
    only: Option<&HashSet<String>>,
    loader: &mut Loader<'_, T>,
) -> Result<(), LoadError> {
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
