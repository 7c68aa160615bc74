//! `emberwell bench`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::bench::{self, Plan, Work};
use crate::cli::Failure;
use crate::config::Settings;
use crate::server;

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// How long each figure is measured
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// What the clients do: create, read, update, search, import [default: all]
    #[arg(long, value_delimiter = ',', value_name = "WORK,..", value_parser = work)]
    work: Vec<Work>,
    /// Numbers of clients
    #[arg(long, default_value = "1,16", value_delimiter = ',', value_name = "N,..",
        value_parser = clap::value_parser!(u16).range(1..=256))]
    clients: Vec<u16>,
    /// Measure what searches cost as the data grows to these numbers of resources, such as 100000,1000000, instead of the load
    #[arg(long, value_delimiter = ',', value_name = "RESOURCES,..", conflicts_with_all = ["work", "clients"],
        value_parser = clap::value_parser!(u64).range(1000..=1_000_000_000))]
    growth: Vec<u64>,
    /// Measure what access costs, the same requests without a token and with one, instead of the load
    #[arg(long, conflicts_with_all = ["work", "clients", "growth"])]
    access: bool,
    /// Measure what it costs to let an app in, beside the hash of one password, instead of the load
    #[arg(long, conflicts_with_all = ["work", "clients", "growth", "access", "overload"])]
    launch: bool,
    /// Measure what is done when so many connections together ask for four times what the server can do, instead of the load;
    /// reads, searches and creates if no work is named
    #[arg(long, value_name = "CONNECTIONS", num_args = 0..=1, require_equals = true, default_missing_value = "8000",
        conflicts_with_all = ["clients", "growth", "access"], value_parser = clap::value_parser!(u16).range(1..=9000))]
    overload: Option<u16>,
    /// Measure this PostgreSQL database, which must be empty, instead of SQLite
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Where the database is made, and removed again [default: the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ConstantArgs {
    /// Length of each answer
    #[arg(long)]
    bytes: usize,
}

/// Measures the server and prints the figures on stdout.
pub(super) fn bench(args: &BenchArgs) -> Result<(), Failure> {
    let plan = Plan {
        span: Duration::from_secs(args.seconds),
        works: works(args),
        clients: args.clients.iter().copied().map(usize::from).collect(),
        postgres: args.postgres.clone(),
        folder: args.folder.clone().unwrap_or_else(std::env::temp_dir),
    };
    let progress = |what: &str| eprintln!("emberwell: {what}");
    let (json, table) = if let Some(crowd) = args.overload {
        // Each connection is a file.
        server::raise_open_files().map_err(Failure::failed)?;
        let overload = bench::run_overload(&plan, usize::from(crowd), progress).map_err(Failure::failed)?;
        (overload.json(), overload.to_string())
    } else if args.launch {
        let launches = bench::run_launches(&plan, progress).map_err(Failure::failed)?;
        (launches.json(), launches.to_string())
    } else if args.access {
        let access = bench::run_access(&plan, progress).map_err(Failure::failed)?;
        (access.json(), access.to_string())
    } else if args.growth.is_empty() {
        let report = bench::run(&plan, progress).map_err(Failure::failed)?;
        (report.json(), report.to_string())
    } else {
        if !args.growth.is_sorted() {
            return Err(Failure::Usage("--growth: name the smaller numbers first".to_owned()));
        }
        let growth = bench::run_growth(&plan, &args.growth, progress).map_err(Failure::failed)?;
        (growth.json(), growth.to_string())
    };
    if args.json {
        println!("{json}");
    } else {
        print!("{table}");
    }
    Ok(())
}

fn works(args: &BenchArgs) -> Vec<Work> {
    match args.overload {
        _ if !args.work.is_empty() => args.work.clone(),
        Some(_) => Work::OVERLOADED.to_vec(),
        None => Work::ALL.to_vec(),
    }
}

fn work(name: &str) -> Result<Work, String> {
    let known = Work::ALL.into_iter().find(|work| work.name() == name);
    known.ok_or_else(|| format!("use {}", Work::ALL.map(Work::name).join(", ")))
}

/// Answers a constant; `bench` starts this for itself.
pub(super) fn constant(args: &ConstantArgs, settings: &Settings) -> Result<(), Failure> {
    bench::serve_constant(&settings.server.listen, args.bytes).map_err(Failure::failed)
}
