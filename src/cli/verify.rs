//! `emberwell verify`

use clap::Args;

use crate::cli::{Failure, open, print};
use crate::config::Settings;
use crate::interactions::verify::{self, Report};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Checks that the database agrees with itself; fails when it does not.
pub(super) fn verify(settings: &Settings, args: &VerifyArgs) -> Result<(), Failure> {
    let engine = open(settings)?;
    let report = verify::verify(&engine).map_err(Failure::failed)?;
    if args.json {
        print(&report.to_json())?;
    }
    tell(&report);
    match report.problems {
        0 => Ok(()),
        1 => Err(Failure::failed("1 thing in the database is not as it should be")),
        several => Err(Failure::failed(format_args!("{several} things in the database are not as they should be"))),
    }
}

fn tell(report: &Report) {
    for (count, what) in [
        (report.resources, "resources: text, hash key and index rows computed anew"),
        (report.deleted, "deleted resources: no text and no index rows"),
        (report.versions, "older versions: text, numbers without gaps"),
        (report.changes, "changes in the log, one per version"),
        (report.types, "types whose kept counts were counted anew"),
    ] {
        eprintln!("{count:>9} {what}");
    }
    for (table, rows) in &report.tables {
        eprintln!("{rows:>9} rows of {table} against those that belong to the resources");
    }
    for finding in &report.findings {
        eprintln!("wrong: {finding}");
    }
    if report.problems > report.findings.len() as u64 {
        eprintln!("wrong: {} more", report.problems - report.findings.len() as u64);
    }
}
