//! `emberwell record`

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;

use crate::cli::access::{Flags, opened};
use crate::cli::{Failure, open, print};
use crate::clock;
use crate::config::Settings;
use crate::fhir::{Resource, json as fhir_json};
use crate::interactions::{InteractionError, zone};
use crate::records::{Email, RecordError, RecordId, adopt_record, make_record};

const FLAGS: Flags = Flags { account: "--custodian", record: "--existing" };

#[derive(Debug, Subcommand)]
pub(super) enum RecordCommand {
    /// Make a record, or give an existing Patient its first custodian
    Add(AddArgs),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["patient", "existing"]))]
pub(super) struct AddArgs {
    /// Address of the account that is to keep the record
    #[arg(long, value_name = "EMAIL")]
    custodian: Email,
    /// File with the Patient to create; it gets its id here
    #[arg(long, value_name = "FILE")]
    patient: Option<PathBuf>,
    /// Patient that is here and has no custodian yet
    #[arg(long, value_name = "Patient/ID")]
    existing: Option<RecordId>,
    /// Print the record as JSON
    #[arg(long)]
    json: bool,
}

/// Makes a record.
pub(super) fn record(settings: &Settings, RecordCommand::Add(args): &RecordCommand) -> Result<(), Failure> {
    let made = match (&args.patient, &args.existing) {
        (Some(path), _) => {
            let patient = patient(path)?;
            let engine = open(settings)?;
            zone::settle(&engine).map_err(Failure::failed)?;
            make_record(&engine, &patient, &args.custodian).map_err(|error| not_made(path, error))?
        }
        (None, Some(record)) => {
            let adopted = adopt_record(&opened(settings)?, record, &args.custodian, clock::now_us());
            adopted.map_err(|error| FLAGS.refused(error))?
        }
        (None, None) => return Err(Failure::Usage("--patient or --existing: name one".to_owned())),
    };
    if args.json {
        print(&json!({
            "record": made.record.to_string(),
            "custodian": args.custodian.as_str(),
            "grant": made.grant.id,
        }))?;
    }
    eprintln!("emberwell: {} has the custodian {} (grant {})", made.record, args.custodian, made.grant.id);
    Ok(())
}

/// The resource in a file.
fn patient(path: &Path) -> Result<Resource, Failure> {
    let unfit = |problem: String| Failure::Usage(format!("--patient {}: {problem}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| unfit(format!("it can't be read: {error}")))?;
    let value = fhir_json::parse(&bytes).map_err(|error| unfit(error.to_string()))?;
    Resource::from_value(value).map_err(|issue| unfit(issue.text))
}

/// Tells all that is wrong with the Patient, a line each.
fn not_made(path: &Path, error: RecordError) -> Failure {
    match error {
        RecordError::Interaction(InteractionError::Invalid(issues) | InteractionError::Unprocessable(issues)) => {
            for issue in issues.iter().filter(|issue| issue.is_error()) {
                let place = issue.expression.as_deref().map(|place| format!("{place}: ")).unwrap_or_default();
                eprintln!("refused: {place}{}", issue.text);
            }
            Failure::Failed(format!("--patient {}: this Patient is not valid", path.display()))
        }
        RecordError::NotAPatient(_) => Failure::Failed(format!("--patient {}: {error}", path.display())),
        other => FLAGS.refused(other),
    }
}
