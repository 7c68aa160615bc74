//! The chains of the trail: whether they are whole, and what they tell.

use std::fmt;

use crate::audit::event::{Event, events, patients};
use crate::audit::id::EventId;
use crate::fhir::ResourceKey;
use crate::store::{AuditHead, AuditLink, AuditWalk, Dialect, Reader, StoreError};

/// So many blocks are read at once.
const AT_ONCE: i64 = 200;
/// The chains that the migrations make.
const SQLITE_CHAINS: i64 = 1;
const POSTGRES_CHAINS: i64 = 64;

/// What was checked.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    pub blocks: u64,
    pub events: u64,
    /// How often a block is about a Patient.
    pub patients: i64,
    /// The ends of the chains that have blocks. Who keeps them elsewhere can tell later that nothing before them was changed.
    pub heads: Vec<AuditHead>,
    /// The first place where a chain is not whole.
    pub broken: Option<Break>,
}

/// A place where a chain is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    pub chain: i64,
    /// The block.
    pub seq: i64,
    pub what: &'static str,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chain {}, block {}: {}", self.chain, self.seq, self.what)
    }
}

/// Compares the chains, which [`check`] has found whole, with the ends that they had at an earlier time: the first place where one is
/// not as it was.
///
/// A chain that is whole may be cut off at its end, or written anew from its beginning; by an end that was kept it is found.
pub fn compare(reader: &mut Reader<'_>, kept: &[AuditHead]) -> Result<Option<Break>, StoreError> {
    for AuditHead { chain, seq, hash } in kept {
        let links = reader.audit_links(*chain, seq.saturating_sub(1), 1)?;
        let what = match links.iter().find(|link| (link.chain, link.seq) == (*chain, *seq)) {
            None => "it was the end of its chain earlier, and is missing",
            Some(link) if link.hash != *hash => "it was the end of its chain earlier, and another stands in its place",
            Some(_) => continue,
        };
        return Ok(Some(Break { chain: *chain, seq: *seq, what }));
    }
    Ok(None)
}

/// Walks all chains from their beginning to the first break.
pub fn check(reader: &mut Reader<'_>) -> Result<Checked, StoreError> {
    let heads = reader.audit_heads()?;
    let mut checked = Checked::default();
    let chains = match reader.dialect() {
        Dialect::Sqlite => SQLITE_CHAINS,
        Dialect::Postgres => POSTGRES_CHAINS,
    };
    for chain in 1..=chains {
        let Some(head) = heads.iter().find(|head| head.chain == chain) else {
            checked.broken = Some(Break { chain, seq: 0, what: "its end is not kept any more" });
            return Ok(checked);
        };
        checked.broken = check_chain(reader, head, &mut checked)?;
        if checked.broken.is_some() {
            return Ok(checked);
        }
        if head.seq > 0 {
            checked.heads.push(head.clone());
        }
    }
    let stray = reader.audit_links(chains, i64::MAX, 1)?.into_iter().next();
    checked.broken = match stray {
        Some(link) => Some(Break { chain: link.chain, seq: link.seq, what: "it is of a chain that is not kept" }),
        None if reader.audit_patient_count()? != checked.patients => {
            Some(Break { chain: 0, seq: 0, what: "something is to be found under a Patient whom no block is about" })
        }
        None => None,
    };
    Ok(checked)
}

fn check_chain(reader: &mut Reader<'_>, head: &AuditHead, checked: &mut Checked) -> Result<Option<Break>, StoreError> {
    let chain = head.chain;
    let broken = |seq, what| Ok(Some(Break { chain, seq, what }));
    let (mut seq, mut hash) = (0, vec![0; 32]);
    loop {
        let mut links = reader.audit_links(chain, seq, AT_ONCE)?;
        links.retain(|link| link.chain == chain);
        if links.is_empty() {
            break;
        }
        for link in &links {
            if link.seq != seq + 1 {
                return broken(seq + 1, "it is missing");
            }
            if link.hash != link.hash_behind(&hash) {
                return broken(link.seq, "it is not what was written here");
            }
            let Some(events) = events(&link.events) else { return broken(link.seq, "its events can't be read") };
            let under = patients(&events);
            if !under.is_empty() && reader.audit_patients(link, &under)? != under.len() as i64 {
                return broken(link.seq, "it is not found under all the Patients that it is about");
            }
            checked.patients += under.len() as i64;
            checked.blocks += 1;
            checked.events += events.len() as u64;
            seq = link.seq;
            hash.clone_from(&link.hash);
        }
    }
    match () {
        () if head.seq > seq => broken(seq + 1, "it is missing"),
        () if head.seq < seq => broken(head.seq + 1, "it stands behind the end of its chain"),
        () if head.hash != hash => broken(seq, "it is not the end that is kept of its chain"),
        () => Ok(None),
    }
}

/// The events of a block, each with its id; a block that can't be read is an error.
pub fn told(link: &AuditLink) -> Result<Vec<(EventId, Event)>, StoreError> {
    let damaged = || StoreError::Damaged(format!("block {} of chain {} of the audit trail", link.seq, link.chain));
    let events = events(&link.events).ok_or_else(damaged)?;
    let id = |place: usize| EventId { chain: link.chain, seq: link.seq, place: place as i64 };
    Ok(events.into_iter().enumerate().map(|(place, event)| (id(place), event)).collect())
}

/// Calls `each` with all events, of one Patient if there is one, block by block from the oldest.
pub fn trail(
    reader: &mut Reader<'_>,
    patient: Option<&ResourceKey>,
    mut each: impl FnMut(&mut Reader<'_>, EventId, Event) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let only = patient.map(|patient| reader.hasher().key(patient));
    let mut behind = (i64::MIN, 0, 0);
    loop {
        let patients = only.as_ref().map(std::slice::from_ref);
        let walk = AuditWalk { patients, is_ascending: true, behind, until_us: i64::MAX, most: AT_ONCE };
        let links = reader.audit_walk(&walk)?;
        let Some(last) = links.last() else { return Ok(()) };
        behind = (last.at_us, last.chain, last.seq);
        for link in &links {
            for (id, event) in told(link)? {
                if only.is_none() || event.patient == only {
                    each(reader, id, event)?;
                }
            }
        }
    }
}
