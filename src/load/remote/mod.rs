//! Loading into a server over HTTP: any that speaks FHIR R4 and takes batches and transactions.
//!
//! Spec: R4 http.html#transaction

mod answer;
mod asked;
mod client;
mod journal;

use std::path::Path;

use crate::fhir::{Resource, json};
use crate::load::target::{Marks, Sent, Standing, Target, has_conditional_reference};
use crate::load::{LoadError, Reason};
use crate::store::LoadMark;

use client::{Client, Exchange};
use journal::Journal;

pub use client::{BadAddress, ServerAddress, Token};

/// A server, and the journal of what it has stored.
pub(super) struct Remote {
    client: Client,
    journal: Journal,
}

impl Remote {
    /// Looks whether there is a FHIR server, and goes on with the load of this number or begins it anew.
    pub(super) fn new(
        address: &ServerAddress,
        token: Option<&Token>,
        journals: &Path,
        load: i64,
        resume: bool,
    ) -> Result<Remote, LoadError> {
        let client = Client::new(address, token)?;
        let journal = Journal::open(journals, load, resume)?;
        Ok(Remote { client, journal })
    }
}

impl Target for Remote {
    fn standing(&self, mark: &LoadMark) -> Standing {
        self.journal.standing(mark)
    }

    fn send(&mut self, bundle: Resource, marks: &Marks) -> Result<Sent, LoadError> {
        let asked = asked::entries(&bundle);
        // What can be sent twice without harm need not be noted before.
        let once: Vec<usize> = (0..asked.len()).filter(|index| !asked[*index].is_repeatable).collect();
        let once = if once.is_empty() { Vec::new() } else { marks.of(&once) };
        let mut body = Vec::new();
        json::write(&bundle.value, &mut body);
        self.journal.sent(&once)?;
        let exchange = match self.client.post(&body, once.is_empty()) {
            Ok(exchange) => exchange,
            Err(error) => {
                // The errors that end a load say that nothing of this was done.
                self.journal.refused(&once)?;
                return Err(error);
            }
        };
        let sent = match exchange {
            Exchange::Answered { status, body } if (200..300).contains(&status) => answer::outcomes(&body, &asked),
            Exchange::Answered { status, body } => {
                let reasons = answer::reasons(status, &body);
                if status >= 500 {
                    Err(reasons)
                } else {
                    self.journal.refused(&once)?;
                    let may_be_early =
                        matches!(status, 400 | 404 | 412 | 422) && has_conditional_reference(&bundle.value);
                    return Ok(Sent::Refused { reasons, may_be_early, bundle: Some(bundle) });
                }
            }
            Exchange::Lost(problem) => Err(vec![Reason { expression: None, text: problem }]),
        };
        match sent {
            Ok(outcomes) => {
                let (stored, refused) = answer::parted(&outcomes);
                self.journal.answered(&marks.of(&stored), &marks.of(&refused))?;
                Ok(Sent::Done(outcomes))
            }
            Err(reasons) => {
                let reasons = if once.is_empty() { reasons } else { in_doubt(reasons) };
                Ok(Sent::Refused { reasons, may_be_early: false, bundle: None })
            }
        }
    }
}

fn in_doubt(mut reasons: Vec<Reason>) -> Vec<Reason> {
    let text = "it is not known whether the server stored this: look there before it is loaded again";
    reasons.push(Reason { expression: None, text: text.to_owned() });
    reasons
}
