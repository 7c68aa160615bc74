//! How fast the server is, measured from outside, beside what the machine would allow.
//!
//! A server of its own runs in a child process; the load comes from this process over loopback. Next to each figure
//! stands its ceiling from the same minute: the database writing the same bytes with nothing in front of it, or the
//! HTTP library answering a constant of the same length. The ratio of the two says more than either, because it moves
//! less from machine to machine.

mod access;
mod child;
mod client;
mod constant;
mod data;
mod growth;
mod launch;
mod load;
mod overload;
mod report;
mod town;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::fhir::ResourceType;
use crate::store::StoreError;
use crate::store::ceiling::{self, Sample, Writes};

use child::Server;
pub use constant::serve_constant;
pub use load::Measured;
use load::{Request, Until};
pub use report::{
    Access, AccessLine, AccessSide, Growth, GrowthLine, Launches, Line, Overload, OverloadLine, Report, Stage,
};

/// Entries of each transaction that is imported.
const ENTRIES: u64 = 100;
/// Stored resources that the ceiling of writes is made of.
const SAMPLES: i64 = 2000;
/// After a start the server gets so long until it counts as idle.
const SETTLING: Duration = Duration::from_secs(1);
const STARTS: usize = 3;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How long each figure and each ceiling is measured.
    pub span: Duration,
    /// The workloads, in this order.
    pub works: Vec<Work>,
    /// Numbers of clients, each of which every workload is run with.
    pub clients: Vec<usize>,
    /// An empty PostgreSQL database; `None` measures SQLite.
    pub postgres: Option<String>,
    /// Where a folder for the database is made, and removed again.
    pub folder: PathBuf,
}

impl Plan {
    fn database_name(&self) -> &'static str {
        if self.postgres.is_some() { "PostgreSQL" } else { "SQLite" }
    }

    /// The address of the database, in `folder` if it is a file.
    fn database(&self, folder: &Path) -> String {
        self.postgres.clone().unwrap_or_else(|| format!("sqlite:{}", sqlite_path(folder)))
    }
}

fn sqlite_path(folder: &Path) -> String {
    folder.join("emberwell.db").to_string_lossy().into_owned()
}

/// A server for the database of `plan`.
fn start(plan: &Plan, folder: &Path) -> io::Result<Server> {
    let database = plan.database(folder);
    Server::start(folder, &["serve", "--open", "--listen", "127.0.0.1:0", "--database", &database])
}

/// Why there are no figures.
#[derive(Debug, Error)]
pub enum BenchError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the server stored nothing that the ceiling could be measured with")]
    NothingStored,
    #[error("the search '{0}' found nothing")]
    NothingFound(&'static str),
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Create,
    Read,
    Update,
    /// By token and reference.
    Search,
    /// Transactions of 100 resources.
    Import,
}

impl Work {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Work; 5] = [Work::Create, Work::Read, Work::Update, Work::Search, Work::Import];

    /// What more is asked of than can be done, if nothing else is said.
    pub const OVERLOADED: [Work; 3] = [Work::Read, Work::Search, Work::Create];

    /// As it stands in a report.
    pub fn name(self) -> &'static str {
        match self {
            Work::Create => "create",
            Work::Read => "read",
            Work::Update => "update",
            Work::Search => "search",
            Work::Import => "import",
        }
    }

    /// Resources that one request is about.
    fn resources(self) -> u64 {
        if self == Work::Import { ENTRIES } else { 1 }
    }

    fn request(self, number: u64) -> Request {
        // Spread, so that neighbouring requests are about distant resources.
        let seeded = number.wrapping_mul(7919) % data::SEEDED;
        let observation = || format!("/fhir/Observation/{}", data::observation_id(seeded));
        match self {
            Work::Create => {
                let path = "/fhir/Observation".to_owned();
                Request { method: "POST", path, body: data::new_observation(number) }
            }
            Work::Read => Request { method: "GET", path: observation(), body: String::new() },
            // Another value than the last time, or the server need not write.
            Work::Update => Request { method: "PUT", path: observation(), body: data::seeded(seeded, number) },
            Work::Search => Request { method: "GET", path: data::search(seeded), body: String::new() },
            Work::Import => {
                let body = data::transaction(number * ENTRIES, ENTRIES);
                Request { method: "POST", path: "/fhir".to_owned(), body }
            }
        }
    }
}

/// Measures everything that `plan` names. `progress` hears what is done next.
pub fn run(plan: &Plan, progress: impl Fn(&str)) -> Result<Report, BenchError> {
    in_folder(plan, |folder| Bench { plan, folder, progress: &progress, next: 0 }.measure())
}

/// Measures the same searches on `sizes` resources each, in ascending order, by one client.
pub fn run_growth(plan: &Plan, sizes: &[u64], progress: impl Fn(&str)) -> Result<Growth, BenchError> {
    in_folder(plan, |folder| growth::measure(plan, sizes, folder, &progress))
}

/// Measures what access costs: the same requests about one record, of an open server and by a token.
pub fn run_access(plan: &Plan, progress: impl Fn(&str)) -> Result<Access, BenchError> {
    in_folder(plan, |folder| access::measure(plan, folder, &progress))
}

/// Measures what it costs to let an app in, beside one password hash.
pub fn run_launches(plan: &Plan, progress: impl Fn(&str)) -> Result<Launches, BenchError> {
    in_folder(plan, |folder| launch::measure(plan, folder, &progress))
}

/// Measures what is still done, and how, when `crowd` connections ask for four times what the server can do.
pub fn run_overload(plan: &Plan, crowd: usize, progress: impl Fn(&str)) -> Result<Overload, BenchError> {
    in_folder(plan, |folder| overload::measure(plan, crowd, folder, &progress))
}

/// Stores the resources that are read and searched.
fn seed(server: &Server) -> io::Result<()> {
    let patients = data::READ_PATIENTS + data::WRITTEN_PATIENTS;
    load::run(server.address, None, 8, Until::Sent(patients), 0, |number| Request {
        method: "PUT",
        path: format!("/fhir/Patient/{}", data::patient_id(number)),
        body: data::patient(number),
    })?;
    load::run(server.address, None, 8, Until::Sent(data::SEEDED), 0, |number| Request {
        method: "PUT",
        path: format!("/fhir/Observation/{}", data::observation_id(number)),
        body: data::seeded(number, 0),
    })?;
    Ok(())
}

fn in_folder<T>(plan: &Plan, measure: impl FnOnce(&Path) -> Result<T, BenchError>) -> Result<T, BenchError> {
    let folder = plan.folder.join(format!("emberwell-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&folder);
    std::fs::remove_dir_all(&folder)?;
    measured
}

struct Bench<'a> {
    plan: &'a Plan,
    folder: &'a Path,
    progress: &'a dyn Fn(&str),
    /// The first number that no request has had.
    next: u64,
}

impl Bench<'_> {
    fn measure(mut self) -> Result<Report, BenchError> {
        let server = start(self.plan, self.folder)?;
        (self.progress)("writing the resources that are read");
        seed(&server)?;
        self.next = data::SEEDED;
        let mut lines = Vec::new();
        for &work in &self.plan.works {
            for &clients in &self.plan.clients {
                lines.push(self.line(&server, work, clients)?);
            }
        }
        let (_, peak_kib) = server.memory_kib()?;
        server.stop()?;
        let size = match self.plan.postgres {
            None => Some(ceiling::sqlite_size(&sqlite_path(self.folder))?),
            Some(_) => None,
        };
        (self.progress)("starting on what is there");
        let mut starts_ms = Vec::with_capacity(STARTS);
        let mut idle_kib = 0;
        for _ in 0..STARTS {
            let server = start(self.plan, self.folder)?;
            starts_ms.push(server.started_in.as_secs_f64() * 1000.0);
            #[allow(clippy::disallowed_methods, reason = "idle memory is what a server takes when nothing happens")]
            std::thread::sleep(SETTLING);
            idle_kib = server.memory_kib()?.0;
            server.stop()?;
        }
        starts_ms.sort_by(f64::total_cmp);
        Ok(Report {
            database: self.plan.database_name(),
            lines,
            start_ms: starts_ms[STARTS / 2],
            idle_kib,
            peak_kib,
            size,
        })
    }

    fn line(&mut self, server: &Server, work: Work, clients: usize) -> Result<Line, BenchError> {
        (self.progress)(&format!("{} with {clients} clients", work.name()));
        let cpu_us = server.cpu_us()?;
        let until = Until::Elapsed(self.plan.span);
        let measured = load::run(server.address, None, clients, until, self.next, move |number| work.request(number))?;
        let cpu_us = server.cpu_us()? - cpu_us;
        // Each client asks for one number more than it uses.
        self.next += measured.requests + clients as u64;
        (self.progress)("  and its ceiling");
        let ceiling = self.ceiling(work, clients, &measured)?;
        let operations = (measured.requests * work.resources()).max(1);
        Ok(Line {
            work: work.name(),
            clients,
            per_second: measured.per_second * work.resources() as f64,
            p50_ms: measured.p50_ms,
            p99_ms: measured.p99_ms,
            cpu_us: cpu_us as f64 / operations as f64,
            ceiling_per_second: ceiling,
            answer_bytes: measured.answer_bytes,
        })
    }

    /// Resources per second, or requests that read.
    fn ceiling(&self, work: Work, clients: usize, measured: &Measured) -> Result<f64, BenchError> {
        let (writes, commit_size) = match work {
            Work::Read | Work::Search => return self.constant(clients, measured.answer_bytes),
            Work::Create => (Writes::Create, clients),
            Work::Update => (Writes::Update, clients),
            Work::Import => (Writes::Create, ENTRIES as usize),
        };
        let samples = self.samples()?;
        let span = self.plan.span;
        let Some(address) = &self.plan.postgres else {
            let path = self.folder.join(format!("ceiling-{}-{clients}.db", work.name()));
            return Ok(ceiling::sqlite(&path.to_string_lossy(), &samples, writes, commit_size, span)?);
        };
        // There each client has a connection, and commits what is its own.
        let commit_size = if work == Work::Import { commit_size } else { 1 };
        Ok(ceiling::postgres(address, &samples, writes, commit_size, clients, span)?)
    }

    fn constant(&self, clients: usize, answer_bytes: u64) -> Result<f64, BenchError> {
        let bytes = answer_bytes.to_string();
        let server = Server::start(self.folder, &["bench-constant", "--listen", "127.0.0.1:0", "--bytes", &bytes])?;
        let request = |_: u64| Request { method: "GET", path: "/".to_owned(), body: String::new() };
        let measured = load::run(server.address, None, clients, Until::Elapsed(self.plan.span), 0, request)?;
        server.stop()?;
        Ok(measured.per_second)
    }

    fn samples(&self) -> Result<Vec<Sample>, BenchError> {
        let observation = ResourceType::parse("Observation").map_err(|_| BenchError::NothingStored)?;
        let samples = ceiling::samples(&self.plan.database(self.folder), observation, SAMPLES)?;
        if samples.is_empty() { Err(BenchError::NothingStored) } else { Ok(samples) }
    }
}
