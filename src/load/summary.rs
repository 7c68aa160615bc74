//! What loading did.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// So many refusals are kept with their reasons; the rest are only counted.
const MOST_KEPT: usize = 10_000;

/// What was stored and what was refused.
#[derive(Debug, Default)]
pub struct Summary {
    /// Files and members of archives, lines of NDJSON.
    pub documents: u64,
    /// Resources stored, by type.
    pub stored: BTreeMap<&'static str, u64>,
    /// Conditional creates that found what they would have created.
    pub matched: u64,
    /// Deletions that transactions asked for.
    pub deleted: u64,
    /// Transactions and resources that an earlier load had stored.
    pub skipped: u64,
    /// How many inputs were refused, listed or not.
    pub refusals: u64,
    pub refused: Vec<Refused>,
}

/// An input that was not stored.
#[derive(Debug)]
pub struct Refused {
    /// File, with the member of an archive or the line of an NDJSON file.
    pub input: String,
    /// Counted from 0, when it is one entry of a Bundle.
    pub entry: Option<usize>,
    pub reasons: Vec<Reason>,
}

/// One reason, without the content of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub expression: Option<String>,
    pub text: String,
}

impl Summary {
    /// All resources stored.
    pub fn total(&self) -> u64 {
        self.stored.values().sum()
    }

    pub(super) fn refuse(&mut self, refused: Refused) {
        self.refusals += 1;
        if self.refused.len() < MOST_KEPT {
            self.refused.push(refused);
        }
    }

    /// The summary for programs.
    pub fn to_json(&self, seconds: f64) -> Value {
        let refused: Vec<Value> = self
            .refused
            .iter()
            .map(|refused| {
                let reasons: Vec<Value> = refused
                    .reasons
                    .iter()
                    .map(|reason| json!({ "expression": reason.expression, "text": reason.text }))
                    .collect();
                json!({ "input": refused.input, "entry": refused.entry, "reasons": reasons })
            })
            .collect();
        json!({
            "documents": self.documents,
            "resources": self.total(),
            "types": self.stored,
            "matched": self.matched,
            "deleted": self.deleted,
            "skipped": self.skipped,
            "refusals": self.refusals,
            "refused": refused,
            "seconds": seconds,
            "resourcesPerSecond": if seconds > 0.0 { self.total() as f64 / seconds } else { 0.0 },
        })
    }
}
