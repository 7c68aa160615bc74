//! An event as it is kept.

use serde::{Deserialize, Serialize};

use crate::access::{Agent, Deed};
use crate::store::{AuditBlock, StoreError};

/// One thing that somebody did to one record, or to what is in none.
///
/// The names are short, since there are many of them on the disk. There is nothing of what the record says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    #[serde(rename = "t")]
    pub at_us: i64,
    /// `Deed::code`
    #[serde(rename = "d")]
    pub deed: String,
    #[serde(rename = "o", default)]
    pub outcome: Outcome,
    /// The key of the Patient.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<i64>,
    /// What was touched: references with versions. What a search or a history gave out is not listed.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
    /// What was asked for, below the base.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The id of the request.
    #[serde(rename = "r")]
    pub request: String,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub account: Option<i64>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Where the request came from, of those whose caller is not known.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// How it ended: `Done`, or refused with a status of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    #[default]
    #[serde(rename = "+")]
    Done,
    #[serde(rename = "-")]
    Refused(u16),
}

/// Blocks are packed from this size on.
const PACKED_FROM: usize = 1024;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

impl Event {
    /// What `agent` did in the request `request`.
    pub(super) fn new(agent: &Agent, request: &str, at_us: i64, deed: Deed) -> Event {
        Event {
            at_us,
            deed: deed.code().to_owned(),
            request: request.to_owned(),
            client: agent.client.clone(),
            account: agent.account,
            fhir_user: agent.fhir_user.clone(),
            token: agent.token.clone(),
            ..Event::default()
        }
    }
}

/// No event of a block is so much older than its block, in microseconds.
pub const SPAN_US: i64 = 1_000_000;

/// The events as a block, which is of the moment of the last of them.
pub(super) fn block(events: &[Event]) -> Result<AuditBlock, StoreError> {
    let damaged = |error: String| StoreError::Damaged(format!("events of the audit trail: {error}"));
    let text = serde_json::to_vec(events).map_err(|error| damaged(error.to_string()))?;
    let mut bytes = vec![if text.len() < PACKED_FROM { PLAIN } else { ZSTD }];
    if text.len() < PACKED_FROM {
        bytes.extend(text);
    } else {
        bytes.extend(zstd::bulk::compress(&text, 1).map_err(|error| damaged(error.to_string()))?);
    }
    let at_us = events.iter().map(|event| event.at_us).max().unwrap_or_default();
    Ok(AuditBlock { at_us, events: bytes, patients: patients(events) })
}

/// The keys of the Patients that the events are about, each once.
pub(super) fn patients(events: &[Event]) -> Vec<i64> {
    let mut patients: Vec<i64> = events.iter().filter_map(|event| event.patient).collect();
    patients.sort_unstable();
    patients.dedup();
    patients
}

/// The events of a block; `None` when it can't be read.
pub(super) fn events(bytes: &[u8]) -> Option<Vec<Event>> {
    match bytes.split_first()? {
        (&PLAIN, text) => serde_json::from_slice(text).ok(),
        (&ZSTD, packed) => serde_json::from_slice(&zstd::stream::decode_all(packed).ok()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_back_from_small_and_large_blocks() {
        for count in [1, 500] {
            let agent = Agent { client: Some("app".to_owned()), account: Some(7), ..Agent::default() };
            let mut all = vec![Event::new(&agent, "request-1", 5, Deed::Read); count];
            all[0].patient = Some(-3);
            all[0].outcome = Outcome::Refused(404);

            let block = block(&all).unwrap();

            assert_eq!(events(&block.events), Some(all));
            assert_eq!((block.at_us, block.patients), (5, vec![-3]));
            assert!(block.events.len() < 1200, "{}", block.events.len());
        }
    }

    #[test]
    fn what_is_no_block_gives_no_events() {
        for bytes in [&b""[..], b"\x00[", b"\x01abc", b"\x07[]"] {
            assert_eq!(events(bytes), None);
        }
    }
}
