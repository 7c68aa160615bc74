//! `emberwell verify-audit` and `emberwell audit`

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use crate::audit::{self, Event, EventId, Queries};
use crate::cli::{Failure, open, print};
use crate::config::Settings;
use crate::fhir::{ResourceKey, ResourceType};
use crate::records::RecordId;
use crate::store::{AuditHead, Reader, StoreError};

#[derive(Debug, Args)]
pub(super) struct VerifyAuditArgs {
    /// Print the report as JSON, with the ends of the chains
    #[arg(long)]
    json: bool,
    /// What an earlier run printed with --json: the chains must still have the ends that they had then
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

/// What an earlier run of `verify-audit --json` printed.
#[derive(Deserialize)]
struct Earlier {
    heads: Vec<EarlierHead>,
    broken: Option<String>,
}

/// The end that a chain had.
#[derive(Deserialize)]
struct EarlierHead {
    chain: i64,
    blocks: i64,
    hash: String,
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Only what is about the record of this Patient, such as Patient/1, and as its custodians may read it
    #[arg(long, value_name = "PATIENT")]
    record: Option<RecordId>,
}

/// Walks the chains of the trail, and compares them with the ends that they had earlier, if those are named; fails at the first break.
pub(super) fn verify(settings: &Settings, args: &VerifyAuditArgs) -> Result<(), Failure> {
    let kept = args.from.as_deref().map(earlier_heads).transpose()?.unwrap_or_default();
    let engine = open(settings)?;
    let check = |reader: &mut Reader<'_>| {
        let mut checked = audit::check(reader)?;
        if checked.broken.is_none() {
            checked.broken = audit::compare(reader, &kept)?;
        }
        Ok(checked)
    };
    let checked = engine.store.read(check).map_err(|error: StoreError| Failure::failed(error))?;
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
    if args.from.is_some() && checked.broken.is_none() {
        eprintln!("{:>9} chains that still have the end that they had earlier", kept.len());
    }
    match checked.broken {
        None => Ok(()),
        Some(place) => Err(Failure::failed(format_args!("the audit trail is broken: {place}"))),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The ends of the chains in a report that was kept. One of a trail that was broken lacks some, so that it is not taken.
fn earlier_heads(path: &Path) -> Result<Vec<AuditHead>, Failure> {
    let unfit = |problem: String| Failure::Usage(format!("--from {}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| unfit(format!("it can't be read: {error}")))?;
    let remedy = "name what an earlier 'verify-audit --json' printed";
    let Earlier { heads, broken } =
        serde_json::from_str(&text).map_err(|error| unfit(format!("it is no report ({error}): {remedy}")))?;
    if broken.is_some() {
        return Err(unfit(format!("the trail was broken already then: {remedy} when it was whole")));
    }
    let head = |EarlierHead { chain, blocks, hash }: EarlierHead| {
        let is_place = chain > 0 && blocks > 0;
        let hash = bytes_of(&hash).filter(|_| is_place);
        let wrong = || unfit(format!("what it says of chain {chain} is no end of a chain: {remedy}"));
        Ok(AuditHead { chain, seq: blocks, hash: hash.ok_or_else(wrong)? })
    };
    heads.into_iter().map(head).collect()
}

/// A SHA-256 as [`hexadecimal`] writes it.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (digits.len() == 64).then_some(bytes)
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
