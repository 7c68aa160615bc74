//! An event as it is kept.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::access::{Agent, Deed};
use crate::store::{AuditBlock, StoreError};

/// One thing that somebody did to one record, or to what is in none.
///
/// There is nothing of what the record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub at_us: i64,
    /// `Deed::code`
    pub deed: Cow<'static, str>,
    pub outcome: Outcome,
    /// The key of the Patient.
    pub patient: Option<i64>,
    /// What was touched: references with versions. What a search or a history gave out is not listed.
    pub entities: Vec<String>,
    /// What was asked for, below the base.
    pub query: Option<String>,
    /// The id of the request.
    pub request: Arc<str>,
    pub agent: Arc<Agent>,
    /// Where the request came from, of those whose caller is not known.
    pub network: Option<String>,
    /// The error of OAuth with which it was refused.
    pub error: Option<Cow<'static, str>>,
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
/// The first byte of a block: its text as it is.
const PLAIN: u8 = 2;
/// And packed.
const ZSTD: u8 = 3;

/// No event of a block is so much older than its block, in microseconds.
pub const SPAN_US: i64 = 1_000_000;

impl Event {
    /// Whether it was done by one who could reach nothing but the record that it is about. Blocks that are older than this question
    /// don't tell, so that the answer is no.
    pub(super) fn is_within_one_record(&self) -> bool {
        self.patient.is_some() && self.agent.record == self.patient
    }

    /// What `agent` did in the request `request`.
    pub(super) fn new(agent: &Arc<Agent>, request: &Arc<str>, at_us: i64, deed: Deed) -> Event {
        Event {
            at_us,
            deed: Cow::Borrowed(deed.code()),
            request: Arc::clone(request),
            agent: Arc::clone(agent),
            ..Event::default()
        }
    }
}

/// The text of a block. The names are short, since there are many of them on the disk.
#[derive(Serialize, Deserialize)]
struct Kept<'k> {
    #[serde(rename = "a", borrow)]
    agents: Vec<KeptAgent<'k>>,
    #[serde(rename = "e", borrow)]
    events: Vec<KeptEvent<'k>>,
}

#[derive(Serialize, Deserialize)]
struct KeptAgent<'k> {
    #[serde(rename = "c", borrow, default, skip_serializing_if = "Option::is_none")]
    client: Option<Cow<'k, str>>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    account: Option<i64>,
    #[serde(rename = "u", borrow, default, skip_serializing_if = "Option::is_none")]
    fhir_user: Option<Cow<'k, str>>,
    #[serde(rename = "k", borrow, default, skip_serializing_if = "Option::is_none")]
    token: Option<Cow<'k, str>>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    record: Option<i64>,
    #[serde(rename = "m", borrow, default, skip_serializing_if = "Option::is_none")]
    command: Option<Cow<'k, str>>,
}

#[derive(Serialize, Deserialize)]
struct KeptEvent<'k> {
    #[serde(rename = "t")]
    at_us: i64,
    #[serde(rename = "d", borrow)]
    deed: Cow<'k, str>,
    #[serde(rename = "o", default, skip_serializing_if = "is_done")]
    outcome: Outcome,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    patient: Option<i64>,
    #[serde(rename = "e", borrow, default, skip_serializing_if = "Vec::is_empty")]
    entities: Vec<Cow<'k, str>>,
    #[serde(rename = "q", borrow, default, skip_serializing_if = "Option::is_none")]
    query: Option<Cow<'k, str>>,
    #[serde(rename = "r", borrow)]
    request: Cow<'k, str>,
    /// Which of the agents of the block; the first where it does not say.
    #[serde(rename = "g", default, skip_serializing_if = "is_first")]
    agent: usize,
    #[serde(rename = "n", borrow, default, skip_serializing_if = "Option::is_none")]
    network: Option<Cow<'k, str>>,
    #[serde(rename = "w", borrow, default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'k, str>>,
}

fn is_done(outcome: &Outcome) -> bool {
    *outcome == Outcome::Done
}

fn is_first(agent: &usize) -> bool {
    *agent == 0
}

impl<'k> KeptAgent<'k> {
    fn of(agent: &'k Agent) -> KeptAgent<'k> {
        KeptAgent {
            client: agent.client.as_deref().map(Cow::Borrowed),
            account: agent.account,
            fhir_user: agent.fhir_user.as_deref().map(Cow::Borrowed),
            token: agent.token.as_deref().map(Cow::Borrowed),
            record: agent.record,
            command: agent.command.as_deref().map(Cow::Borrowed),
        }
    }

    fn read(self) -> Agent {
        Agent {
            client: self.client.map(Cow::into_owned),
            account: self.account,
            fhir_user: self.fhir_user.map(Cow::into_owned),
            token: self.token.map(Cow::into_owned),
            record: self.record,
            command: self.command.map(|command| Cow::Owned(command.into_owned())),
        }
    }
}

impl<'k> KeptEvent<'k> {
    fn of(event: &'k Event, agent: usize) -> KeptEvent<'k> {
        KeptEvent {
            at_us: event.at_us,
            deed: Cow::Borrowed(&event.deed),
            outcome: event.outcome,
            patient: event.patient,
            entities: event.entities.iter().map(|entity| Cow::Borrowed(entity.as_str())).collect(),
            query: event.query.as_deref().map(Cow::Borrowed),
            request: Cow::Borrowed(&event.request),
            agent,
            network: event.network.as_deref().map(Cow::Borrowed),
            error: event.error.as_deref().map(Cow::Borrowed),
        }
    }

    fn read(self, agent: Arc<Agent>) -> Event {
        Event {
            at_us: self.at_us,
            deed: Cow::Owned(self.deed.into_owned()),
            outcome: self.outcome,
            patient: self.patient,
            entities: self.entities.into_iter().map(Cow::into_owned).collect(),
            query: self.query.map(Cow::into_owned),
            request: self.request.into(),
            agent,
            network: self.network.map(Cow::into_owned),
            error: self.error.map(|error| Cow::Owned(error.into_owned())),
        }
    }
}

/// The events as a block, which is of the moment of the last of them.
pub(crate) fn block(events: &[Event]) -> Result<AuditBlock, StoreError> {
    let damaged = |error: String| StoreError::Damaged(format!("events of the audit trail: {error}"));
    let text = serde_json::to_vec(&kept(events)).map_err(|error| damaged(error.to_string()))?;
    let mut bytes = vec![if text.len() < PACKED_FROM { PLAIN } else { ZSTD }];
    if text.len() < PACKED_FROM {
        bytes.extend(text);
    } else {
        bytes.extend(zstd::bulk::compress(&text, 1).map_err(|error| damaged(error.to_string()))?);
    }
    let at_us = events.iter().map(|event| event.at_us).max().unwrap_or_default();
    Ok(AuditBlock { at_us, events: bytes, patients: patients(events) })
}

/// The same agent is nearly always the same value, too: that is what is compared.
fn kept(events: &[Event]) -> Kept<'_> {
    let mut agents: Vec<&Arc<Agent>> = Vec::new();
    let mut number = |agent| {
        // Those that act now have acted a moment ago.
        agents.iter().rposition(|known| Arc::ptr_eq(known, agent)).unwrap_or_else(|| {
            agents.push(agent);
            agents.len() - 1
        })
    };
    let events = events.iter().map(|event| KeptEvent::of(event, number(&event.agent))).collect();
    Kept { agents: agents.into_iter().map(|agent| KeptAgent::of(agent)).collect(), events }
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
    let (form, text) = bytes.split_first()?;
    let text = match *form {
        PLAIN => Cow::Borrowed(text),
        ZSTD => Cow::Owned(zstd::stream::decode_all(text).ok()?),
        _ => return None,
    };
    let kept: Kept<'_> = serde_json::from_slice(&text).ok()?;
    let agents: Vec<Arc<Agent>> = kept.agents.into_iter().map(|agent| Arc::new(agent.read())).collect();
    kept.events
        .into_iter()
        .map(|event| {
            let agent = agents.get(event.agent).map(Arc::clone)?;
            Some(event.read(agent))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_back_from_small_and_large_blocks() {
        for count in [1, 500] {
            let agent =
                Agent { client: Some("app".to_owned()), account: Some(7), record: Some(-3), ..Agent::default() };
            let (agent, request) = (Arc::new(agent), Arc::from("request \"1\""));
            let mut all = vec![Event::new(&agent, &request, 5, Deed::Read); count];
            all[0].patient = Some(-3);
            all[0].outcome = Outcome::Refused(404);
            all[count - 1].agent = Arc::default();
            all[count - 1].entities = vec!["Patient/1/_history/2".to_owned()];

            let block = block(&all).unwrap();

            assert_eq!(events(&block.events), Some(all));
            assert_eq!((block.at_us, block.patients), (5, vec![-3]));
            assert!(block.events.len() < 1200, "{}", block.events.len());
        }
    }

    #[test]
    fn what_is_no_block_gives_no_events() {
        let lost = br#"{"a":[],"e":[{"t":5,"d":"read","r":"x"}]}"#;
        for bytes in [&b""[..], b"\x02[", b"\x03abc", b"\x07[]", b"\x02[]", &[b"\x02", &lost[..]].concat()] {
            assert_eq!(events(bytes), None);
        }
    }
}
