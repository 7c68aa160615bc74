//! The command line: one file per command.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage. What programs read goes to stdout, what people read to stderr.

mod access;
mod bench;
mod client;
mod grant;
mod load;
mod logging;
mod migrate;
mod person;
mod record;
mod reindex;
mod serve;
mod settings;
mod verify;

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use load::LoadArgs;
use settings::SettingArgs;
use verify::VerifyArgs;

use crate::config::{LimitSettings, Settings};
use crate::interactions::Engine;
use crate::server;

/// A FHIR R4 health data server that is also a home for people's health records.
#[derive(Debug, Parser)]
#[command(name = "emberwell", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    settings: SettingArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server (also without a command)
    Serve,
    /// Bring the database to the form that this release writes
    Migrate,
    /// Measure how fast the server is on this machine
    Bench(bench::BenchArgs),
    #[command(hide = true)]
    BenchConstant(bench::ConstantArgs),
    /// Put files into the database: bundles, resources, NDJSON, folders, archives
    Load(LoadArgs),
    /// Make or disable the accounts of people
    #[command(subcommand)]
    Person(person::PersonCommand),
    /// Make records
    #[command(subcommand)]
    Record(record::RecordCommand),
    /// Share records, show and end what was shared
    #[command(subcommand)]
    Grant(grant::GrantCommand),
    /// Register apps and systems, show and suspend them
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Make the search index anew, after an upgrade or for search parameters that were defined
    Reindex,
    /// Check that the database agrees with itself
    Verify(VerifyArgs),
}

/// Why a command did not do its work, in plain words.
#[derive(Debug)]
enum Failure {
    /// Exit code 1.
    Failed(String),
    /// Exit code 2.
    Usage(String),
}

impl Failure {
    fn failed(error: impl fmt::Display) -> Failure {
        Failure::Failed(error.to_string())
    }
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    // Wrong usage ends here, with exit code 2.
    let cli = Cli::parse();
    logging::start(cli.settings.log_json);
    let done = settings::read(&cli.settings).and_then(|settings| match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(settings),
        Command::Migrate => migrate::migrate(&settings),
        Command::Bench(args) => bench::bench(&args),
        Command::BenchConstant(args) => bench::constant(&args, &settings),
        Command::Load(args) => load::load(&settings, &args),
        Command::Person(command) => person::person(&settings, command),
        Command::Record(command) => record::record(&settings, &command),
        Command::Grant(command) => grant::grant(&settings, command),
        Command::Client(command) => client::client(&settings, command),
        Command::Reindex => reindex::reindex(&settings),
        Command::Verify(args) => verify::verify(&settings, &args),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => {
            eprintln!("emberwell: {text}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(text)) => {
            eprintln!("emberwell: {text}");
            ExitCode::from(2)
        }
    }
}

/// The database and settings for a command that works beside the server, under the base that the server has.
fn open(settings: &Settings) -> Result<Engine, Failure> {
    let base_url = match &settings.server.base_url {
        Some(url) => url.clone(),
        None => format!("http://{}/fhir", settings.server.listen),
    };
    // Whoever waits for a command decides how long.
    let limits = LimitSettings { search_time: None, ..settings.limits.clone() };
    server::open_engine(&Settings { limits, ..settings.clone() }, &base_url, 1).map_err(Failure::failed)
}

/// Prints what a program reads.
fn print(value: &serde_json::Value) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{value:#}").map_err(Failure::failed)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_switch_does_not_swallow_the_command_behind_it() {
        for switch in ["--open", "--demo", "--explain", "--open=true"] {
            let cli = Cli::try_parse_from(["emberwell", switch, "serve"]).unwrap();

            assert!(matches!(cli.command, Some(Command::Serve)), "{switch}");
        }
    }

    #[test]
    fn a_zone_to_the_west_is_no_flag() {
        for arguments in [["emberwell", "--zone", "-05:00"], ["emberwell", "serve", "--zone=-05:00"]] {
            assert!(Cli::try_parse_from(arguments).is_ok(), "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["emberwell", "--zone", "5"]).is_err());
    }

    #[test]
    fn serving_is_what_happens_without_a_command() {
        let cli = Cli::try_parse_from(["emberwell", "--listen", "127.0.0.1:0", "--open"]).unwrap();

        assert!(cli.command.is_none());
        assert!(matches!(Cli::try_parse_from(["emberwell", "serve", "--demo"]).unwrap().command, Some(Command::Serve)));
    }
}
