//! `emberwell load`

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::access::Caller;
use crate::cli::{Failure, open, print};
use crate::clock;
use crate::config::Settings;
use crate::interactions::zone;
use crate::load::{self, BadAddress, Destination, LoadError, ServerAddress, Summary, Token};

/// So many refused inputs are told to people; `--json` has them all.
const MOST_TOLD: usize = 50;

#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// Files (.json, .ndjson, either with .gz, or .tar.gz) and folders of these
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Send them to this FHIR server, instead of into the database
    #[arg(long, env = "EMBERWELL_SERVER", hide_env_values = true, value_name = "URL")]
    server: Option<String>,
    /// Token for that server; the variable keeps it out of the list of processes
    #[arg(long, env = "EMBERWELL_TOKEN", hide_env_values = true, value_name = "T")]
    token: Option<Secret>,
    /// Go on with a load of the same paths that broke off
    #[arg(long)]
    resume: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// A text that is not shown, not even when the arguments are.
#[derive(Clone)]
struct Secret(String);

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Puts files into the database or a server; fails when anything was refused, though all else is stored.
pub(super) fn load(settings: &Settings, args: &LoadArgs) -> Result<(), Failure> {
    match &args.server {
        Some(text) => {
            let address: ServerAddress = text.parse().map_err(|bad: BadAddress| Failure::Usage(bad.to_string()))?;
            let token = args.token.as_ref().and_then(|Secret(text)| Token::new(text));
            if address.is_readable_on_the_way() {
                eprintln!("warning: {address} has no TLS: others on the way can read what is sent, and the token");
            }
            let journals = &settings.server.data;
            run(&Destination::Server { address: &address, token: token.as_ref(), journals }, args)
        }
        None => {
            let mut settings = settings.clone();
            // The limit guards against clients; whoever may run this may fill the disk anyway.
            settings.limits.bundle_entries = usize::MAX;
            let engine = open(&settings)?;
            zone::settle(&engine).map_err(Failure::failed)?;
            run(
                &Destination::Database {
                    engine: &engine,
                    caller: &Caller::system("load").commanding("load", clock::now_us()),
                },
                args,
            )
        }
    }
}

fn run(destination: &Destination<'_>, args: &LoadArgs) -> Result<(), Failure> {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} resources, {per_sec}, {elapsed}") {
        bar.set_style(style);
    }
    let start = Instant::now();
    let loaded = load::load(destination, &args.paths, args.resume, &|total| bar.set_position(total));
    let seconds = start.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let summary = loaded.map_err(|error| match error {
        LoadError::UnknownKind(_) | LoadError::Unreadable { .. } | LoadError::BadToken => {
            Failure::Usage(error.to_string())
        }
        other => Failure::failed(other),
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
    if summary.skipped > 0 {
        eprintln!("{:>9} skipped: an earlier load has stored them", summary.skipped);
    }
    for (name, count) in &summary.stored {
        eprintln!("{count:>9} {name}");
    }
    let total = summary.total();
    let rate = if seconds > 0.0 { total as f64 / seconds } else { 0.0 };
    eprintln!("{total:>9} resources in {seconds:.1} s ({rate:.0} per second)");
}
