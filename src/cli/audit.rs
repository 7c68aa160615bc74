//! `emberwell verify-audit` and `emberwell audit`

use std::collections::HashMap;
use std::io::Write as _;

use clap::Args;
use serde_json::json;

use crate::audit::{self, Event, EventId, Queries};
use crate::cli::{Failure, open, print};
use crate::config::Settings;
use crate::fhir::{ResourceKey, ResourceType};
use crate::records::RecordId;
use crate::store::{Reader, StoreError};

#[derive(Debug, Args)]
pub(super) struct VerifyAuditArgs {
    /// Print the report as JSON, with the ends of the chains
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Only what is about the record of this Patient, such as Patient/1, and as its custodians may read it
    #[arg(long, value_name = "PATIENT")]
    record: Option<RecordId>,
}

/// Walks the chains of the trail; fails at the first break.
pub(super) fn verify(settings: &Settings, args: &VerifyAuditArgs) -> Result<(), Failure> {
    let engine = open(settings)?;
    let checked = engine.store.read(audit::check).map_err(Failure::failed)?;
    if args.json {
        let heads: Vec<_> = checked
            .heads
            .iter()
            .map(|head| json!({ "chain": head.chain, "blocks": head.seq, "hash": hexadecimal(&head.hash) }))
            .collect();
        let broken = checked.broken.as_ref().map(ToString::to_string);
        print(&json!({ "blocks": checked.blocks, "events": checked.events, "heads": heads, "broken": broken }))?;
    }
    eprintln!("{:>9} events in {} blocks", checked.events, checked.blocks);
    match checked.broken {
        None => Ok(()),
        Some(place) => Err(Failure::failed(format_args!("the audit trail is broken: {place}"))),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Prints the events, from the oldest block on.
pub(super) fn print_trail(settings: &Settings, args: &AuditArgs) -> Result<(), Failure> {
    let engine = open(settings)?;
    let mut out = std::io::stdout().lock();
    let mut patients: HashMap<i64, Option<ResourceKey>> = HashMap::new();
    let mut unwritten = None;
    // What is printed of one record is for its people, who are not to learn whom else somebody searched for.
    let queries = if args.record.is_some() { Queries::OfOneRecord } else { Queries::Whole };
    let mut each = |reader: &mut Reader<'_>, id: EventId, event: Event| {
        let patient = match event.patient {
            None => None,
            Some(key) => match patients.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let found = reader.targets(&[key])?.into_iter().next().map(|target| target.key);
                    patients.entry(key).or_insert(found).clone()
                }
            },
        };
        if unwritten.is_none() {
            unwritten = writeln!(out, "{}", audit::audit_event(id, &event, patient.as_ref(), queries)).err();
        }
        Ok(())
    };
    let of = args.record.as_ref();
    let of = of.map(|RecordId(id)| ResourceKey { resource_type: ResourceType::PATIENT, id: id.clone() });
    engine
        .store
        .read(|reader| audit::trail(reader, of.as_ref(), &mut each))
        .map_err(|error: StoreError| Failure::failed(error))?;
    unwritten.map_or(Ok(()), |error| Err(Failure::failed(error)))
}
