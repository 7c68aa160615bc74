//! `emberwell grant`

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::access::{Flags, change, labels, level, parties, read, until};
use crate::cli::{Failure, open, print};
use crate::clock;
use crate::config::Settings;
use crate::fhir::PartialDate;
use crate::records::{
    Email, Grantor, Reason, RecordError, RecordId, Share, Terms, consent, end_grant, grants_on_record,
    grants_to_client, grants_to_person, instant, share,
};
use crate::store::{Grant, GrantLevel, Grantee, Labels};

const FLAGS: Flags = Flags { account: "--to", record: "--record" };

#[derive(Debug, Subcommand)]
pub(super) enum GrantCommand {
    /// Share a record with a person or a professional
    Add(AddArgs),
    /// Show the grants on a record, or those to a person or a client
    List(ListArgs),
    /// End a grant before its time
    End(EndArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Record to share
    #[arg(long, value_name = "Patient/ID")]
    record: RecordId,
    /// Address of the account to share it with
    #[arg(long, value_name = "EMAIL")]
    to: Email,
    /// What they may do: view, modify or custodian
    #[arg(long, value_name = "LEVEL", value_parser = level, required_unless_present = "scope")]
    level: Option<GrantLevel>,
    /// Only this, as SMART scopes within the level, such as "patient/Observation.rs"
    #[arg(long, value_name = "S..")]
    scope: Option<String>,
    /// What is confidential that they see, too: normal (nothing), restricted or very-restricted [default: by the level]
    #[arg(long, value_name = "LABELS", value_parser = labels)]
    labels: Option<Labels>,
    /// Older versions are seen, too; a custodian always sees them
    #[arg(long)]
    history: bool,
    /// Last day, or first instant when it gives nothing more
    #[arg(long, value_name = "DATE", value_parser = until)]
    until: Option<PartialDate>,
    /// Why, in a sentence
    #[arg(long, value_name = "T")]
    reason: Option<Reason>,
    /// Print the grant as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").required(true).args(["record", "to", "client"]))]
pub(super) struct ListArgs {
    /// Those that show this record, those on all records included
    #[arg(long, value_name = "Patient/ID")]
    record: Option<RecordId>,
    /// Those to the account with this address
    #[arg(long, value_name = "EMAIL")]
    to: Option<Email>,
    /// Those to this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Print them as JSON, each with the Consent that says the same
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct EndArgs {
    /// Number of the grant
    #[arg(value_name = "ID")]
    id: i64,
    /// Print the grant as JSON
    #[arg(long)]
    json: bool,
}

/// Makes, shows or ends grants.
pub(super) fn grant(settings: &Settings, command: GrantCommand) -> Result<(), Failure> {
    match command {
        GrantCommand::Add(args) => add(settings, args),
        GrantCommand::List(args) => list(settings, args),
        GrantCommand::End(args) => end(settings, &args),
    }
}

fn add(settings: &Settings, args: AddArgs) -> Result<(), Failure> {
    let mut terms = Terms::choose(args.level, args.scope.as_deref()).map_err(|error| FLAGS.refused(error))?;
    let engine = open(settings)?;
    terms.check_searches(&engine).map_err(|error| FLAGS.refused(error))?;
    terms.labels = args.labels.unwrap_or(terms.labels);
    terms.sees_history |= args.history;
    let until_us = args.until.map(|date| first_moment_after(date, settings.fhir.zone_minutes));
    let wanted = Share { record: args.record, to: args.to, terms, until_us, reason: args.reason };
    let to = wanted.to.clone();
    let made = change(settings, &FLAGS, move |tx| share(tx, &wanted, Grantor::Operator, clock::now_us()))?;
    if args.json {
        let mut told = told(&made);
        told["to"] = json!(to.as_str());
        print(&told)?;
    }
    eprintln!("emberwell: {}", line(&made, to.as_str()));
    Ok(())
}

/// A date counts to its end, an instant is the end.
fn first_moment_after(date: PartialDate, zone_minutes: i16) -> i64 {
    let span = date.interval(zone_minutes);
    if date.is_date_form() { span.hi_us } else { span.lo_us }
}

fn end(settings: &Settings, args: &EndArgs) -> Result<(), Failure> {
    let id = args.id;
    let ended = change(settings, &FLAGS, move |tx| end_grant(tx, id, Grantor::Operator, clock::now_us()))?;
    if args.json {
        print(&told(&ended))?;
    }
    eprintln!("emberwell: grant {id} is ended");
    Ok(())
}

fn list(settings: &Settings, args: ListArgs) -> Result<(), Failure> {
    let ListArgs { record, to, client, json } = args;
    let now_us = clock::now_us();
    let grants = read(settings, &FLAGS, |reader| {
        let grants = match (&record, &to, &client) {
            (Some(record), ..) => grants_on_record(reader, record)?,
            (None, Some(email), _) => grants_to_person(reader, email)?,
            (None, None, client) => grants_to_client(reader, client.as_deref().unwrap_or_default())?,
        };
        let named = |grant: Grant| parties(reader, &grant).map(|parties| (grant, parties));
        grants.into_iter().map(named).collect::<Result<Vec<_>, RecordError>>()
    })?;
    if json {
        let grants: Vec<Value> = grants
            .iter()
            .map(|(grant, parties)| {
                let mut told = told(grant);
                told["to"] = json!(parties.to_name);
                told["consent"] = consent(grant, &parties.by, &parties.to, now_us);
                told
            })
            .collect();
        print(&json!({ "grants": grants }))?;
    }
    for (grant, parties) in &grants {
        let standing = if grant.is_in_force(now_us) { "" } else { ", over" };
        eprintln!("{}{standing}", line(grant, &parties.to_name));
    }
    Ok(())
}

/// A grant on a line.
fn line(grant: &Grant, to: &str) -> String {
    let until = grant.until_us.map(|us| format!(", until {}", instant(us))).unwrap_or_default();
    let ended = grant.ended_us.map(|us| format!(", ended {}", instant(us))).unwrap_or_default();
    let (id, level, scopes) = (grant.id, grant.level.name(), &grant.scopes);
    format!("grant {id} on {} to {to}: {level} ({scopes}){until}{ended}", on(grant))
}

fn on(grant: &Grant) -> String {
    grant.patient.clone().map_or("all records".to_owned(), |patient| RecordId(patient).to_string())
}

fn told(grant: &Grant) -> Value {
    json!({
        "grant": grant.id,
        "record": grant.patient.clone().map(|patient| RecordId(patient).to_string()),
        "client_id": match &grant.to {
            Grantee::Client(client) => Some(client),
            Grantee::Account(_) => None,
        },
        "level": grant.level.name(),
        "scope": grant.scopes,
        "labels": grant.labels.name(),
        "history": grant.sees_history,
        "until": grant.until_us.map(instant),
        "reason": grant.reason,
        "origin": grant.origin,
        "created": instant(grant.created_us),
        "ended": grant.ended_us.map(instant),
    })
}
