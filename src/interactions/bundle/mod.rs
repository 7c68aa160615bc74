//! Batch and transaction.
//!
//! `plan` understands the entries without any lock; `batch` and `transaction` carry them out.
//!
//! Spec: R4 http.html#transaction

mod batch;
mod get;
mod plan;
mod references;
mod transaction;

use crate::access::Caller;
use crate::fhir::Resource;
use crate::interactions::{Answer, Engine, HistoryPage, InteractionError, SearchPage};
use crate::search::SearchRequest;
use crate::store::ResourceRow;

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

/// Does the batch or transaction `bundle`, and waits until it is on the disk.
pub fn process(engine: &Engine, caller: &Caller, bundle: Resource) -> Result<BundleAnswer, InteractionError> {
    let plan = plan::plan(engine, bundle)?;
    let entries = match plan.kind {
        BundleKind::Batch => batch::run(engine, caller, plan.entries)?,
        BundleKind::Transaction => transaction::run(engine, caller, plan.entries)?,
    };
    Ok(BundleAnswer { kind: plan.kind, entries })
}
