//! Batch and transaction.
//!
//! `plan` understands the entries without any lock; `batch` and `transaction` carry them out.
//!
//! Spec: R4 http.html#transaction

mod batch;
mod bodies;
mod get;
mod look_up;
mod plan;
mod references;
mod transaction;

use std::sync::Arc;

use crate::access::Caller;
use crate::fhir::{Issue, IssueCode, Resource};
use crate::interactions::{Answer, Engine, HistoryPage, InteractionError, SearchPage};
use crate::search::SearchRequest;
use crate::store::{ResourceRow, StoreError, Tx};

/// Whether the entries stand or fall together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleKind {
    Batch,
    Transaction,
}

/// The answer to a batch or transaction: one for each entry, in the order of the entries.
#[derive(Debug)]
pub struct BundleAnswer {
    pub kind: BundleKind,
    pub entries: Vec<EntryAnswer>,
}

/// The answer to one entry.
#[derive(Debug)]
pub enum EntryAnswer {
    Written(Answer),
    /// A conditional delete.
    Deleted(Vec<Answer>),
    Read(ResourceRow),
    /// A conditional read of a version that the client has.
    NotModified(ResourceRow),
    Searched {
        request: Box<SearchRequest>,
        page: SearchPage,
    },
    /// History; the text is the entry's own `request.url`.
    History {
        url: String,
        page: HistoryPage,
    },
    /// In a batch only: this entry failed, the others stand.
    Failed(InteractionError),
}

/// Runs in the transaction that writes entries, with their indices: what it writes stands or falls with them.
pub type Rider = Arc<dyn Fn(&mut Tx<'_>, &[usize]) -> Result<(), StoreError> + Send + Sync>;

/// Does the batch or transaction `bundle`, and waits until it is on the disk.
pub fn process(engine: &Engine, caller: &Caller, bundle: Resource) -> Result<BundleAnswer, InteractionError> {
    fn alone(_: &mut Tx<'_>, _: &[usize]) -> Result<(), StoreError> {
        Ok(())
    }
    let rider: Rider = Arc::new(alone);
    process_with(engine, caller, bundle, &rider)
}

/// Does the same, and with the entries what `rider` does.
pub fn process_with(
    engine: &Engine,
    caller: &Caller,
    bundle: Resource,
    rider: &Rider,
) -> Result<BundleAnswer, InteractionError> {
    let plan = plan::plan(engine, bundle)?;
    check_claim(engine, caller, plan.entries.len())?;
    let entries = match plan.kind {
        BundleKind::Batch => batch::run(engine, caller, plan.entries, rider)?,
        BundleKind::Transaction => transaction::run(engine, caller, plan.entries, rider)?,
    };
    Ok(BundleAnswer { kind: plan.kind, entries })
}

/// Refuses what the client says of the origin of its writes where all copies of it, one beside each entry, would be larger than a
/// Bundle may be.
fn check_claim(engine: &Engine, caller: &Caller, entries: usize) -> Result<(), InteractionError> {
    let bytes = caller.claim().map_or(0, |claim| claim.tail().len());
    if bytes.saturating_mul(entries) <= engine.limits.bundle_bytes {
        return Ok(());
    }
    let text = "the Provenance of the header X-Provenance is too long to stand beside each entry: shorten it, or send fewer entries";
    Err(InteractionError::Invalid(vec![Issue::request(IssueCode::TooLong, text)]))
}

/// `error` as that of the entry at `index`; what the entry is not to blame for stays what it is.
fn at(index: usize, error: InteractionError) -> InteractionError {
    match error {
        InteractionError::Stale | InteractionError::Store(_) => error,
        other => InteractionError::Entry { index, error: Box::new(other) },
    }
}
