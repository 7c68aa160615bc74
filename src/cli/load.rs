//! `emberwell load`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::access::Caller;
use crate::cli::{Failure, open, print};
use crate::config::Settings;
use crate::load::{self, LoadError, Summary};

/// So many refused inputs are told to people; `--json` has them all.
const MOST_TOLD: usize = 50;

#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// Files (.json, .ndjson, either with .gz, or .tar.gz) and folders of these
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Puts files into the database; fails when anything was refused, though all else is stored.
pub(super) fn load(settings: &Settings, args: &LoadArgs) -> Result<(), Failure> {
    let mut settings = settings.clone();
    // The limit guards against clients; whoever may run this may fill the disk anyway.
    settings.limits.bundle_entries = usize::MAX;
    let engine = open(&settings)?;
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} resources, {per_sec}, {elapsed}") {
        bar.set_style(style);
    }
    let start = Instant::now();
    let loaded = load::load(&engine, &Caller::system("load"), &args.paths, &|total| bar.set_position(total));
    let seconds = start.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let summary = loaded.map_err(|error| match error {
        LoadError::UnknownKind(_) | LoadError::Unreadable { .. } => Failure::Usage(error.to_string()),
        LoadError::Store(_) => Failure::failed(error),
    })?;
    if args.json {
        print(&summary.to_json(seconds))?;
    }
    tell(&summary, seconds);
    match summary.refusals {
        0 => Ok(()),
        1 => Err(Failure::failed("1 input was refused")),
        several => Err(Failure::failed(format_args!("{several} inputs were refused"))),
    }
}

fn tell(summary: &Summary, seconds: f64) {
    for refused in summary.refused.iter().take(MOST_TOLD) {
        let entry = refused.entry.map(|index| format!(" entry {index}")).unwrap_or_default();
        for reason in &refused.reasons {
            let place = reason.expression.as_deref().map(|place| format!(" {place}:")).unwrap_or_default();
            eprintln!("refused: {}{entry}:{place} {}", refused.input, reason.text);
        }
    }
    if summary.refused.len() > MOST_TOLD {
        eprintln!("refused: {} more; --json lists them", summary.refused.len() - MOST_TOLD);
    }
    for (name, count) in &summary.stored {
        eprintln!("{count:>9} {name}");
    }
    let total = summary.total();
    let rate = if seconds > 0.0 { total as f64 / seconds } else { 0.0 };
    eprintln!("{total:>9} resources in {seconds:.1} s ({rate:.0} per second)");
}
