//! Assembling, starting and stopping the server.

mod files;
mod listening;
mod sample_app;

use std::net::{TcpListener, ToSocketAddrs};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::rt::task::JoinHandle;
use actix_web::web;
use thiserror::Error;

use crate::audit::Journal;
use crate::auth::AuthServer;
use crate::auth::sign_in::{SignInError, offer_set_up};
use crate::config::{FhirSettings, Settings};
use crate::demo::{self, DemoError, Demonstrator};
use crate::http::{App, Hosts, Lines};
use crate::interactions::Engine;
use crate::interactions::zone::{self, ZoneError};
use crate::outbound::{Outbound, OutboundError};
use crate::records::Secret;
use crate::store::{Store, StoreError};

pub use files::raise_open_files;

/// Blocking threads of each worker. On SQLite they read files that are mostly in memory; on PostgreSQL they wait.
const SQLITE_THREADS: usize = 4;
const POSTGRES_THREADS: usize = 16;

/// Why the server does not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("--open needs an address on loopback, such as 127.0.0.1:8080: without a sign-in nobody else may reach it")]
    OpenBeyondLoopback,
    #[error(
        "--demo needs an address on loopback, such as 127.0.0.1:8080: the passwords of its people are known to everybody"
    )]
    DemoBeyondLoopback,
    #[error(
        "the database is one of --demo, and {0} can still sign in with the password that everybody knows: disable the account \
         ('emberwell person disable'), or stay on loopback"
    )]
    KnownPassword(&'static str),
    #[error("'{0}' is no address to listen on: use HOST:PORT")]
    Address(String),
    #[error("the server can't listen on {address}: {reason}")]
    Listen { address: String, reason: String },
    #[error(
        "searches would find too little in the database: an earlier release has written it, or a change of the zone is under \
         way. Run 'emberwell reindex' first, which makes its index anew, or goes on where it was"
    )]
    Stale,
    #[error(transparent)]
    Zone(#[from] ZoneError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the client for other servers can't be made: {0}")]
    Outbound(#[from] OutboundError),
    #[error("the link by which the first account is made can't be kept: {0}")]
    SetUp(#[from] SignInError),
    #[error(transparent)]
    Demo(#[from] DemoError),
}

/// A server that accepts requests.
pub struct Running {
    /// `http://HOST:PORT`
    pub url: String,
    /// Who can sign in with the password of the demonstration.
    pub demonstrators: Vec<&'static Demonstrator>,
    /// By whom it is opened first, the first account is made; `None` where there are accounts, or none are needed.
    pub set_up: Option<String>,
    handle: ServerHandle,
    served: JoinHandle<std::io::Result<()>>,
    journal: Option<Arc<Journal>>,
}

/// What was found in the database when it was opened.
struct Opened {
    engine: Engine,
    demonstrators: Vec<&'static Demonstrator>,
    set_up: Option<Secret>,
}

impl Running {
    /// Takes no more requests, finishes those that were accepted, and returns when all is written.
    pub async fn stop(self) -> std::io::Result<()> {
        self.handle.stop(true).await;
        let served = self.served.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        if let Some(journal) = self.journal {
            // Nothing is told any more, and the last of it is to be on the disk.
            web::block(move || journal.close()).await.map_err(std::io::Error::other)?;
        }
        served
    }
}

/// Opens the database, which migrates it, with connections for `threads` that read at once.
pub fn open_engine(settings: &Settings, base_url: &str, workers: usize) -> Result<Engine, StoreError> {
    let connections = database_connections(&settings.server.database, workers);
    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
    let store = Store::open(&settings.server.database, connections, settings.limits.search_time)?;
    let fhir = FhirSettings { base_url: base_url.to_owned(), ..settings.fhir.clone() };
    Engine::new(store, fhir, settings.limits.clone(), bases(base_url))
}

/// Starts the server on the runtime of the caller, which must be actix-web's.
pub async fn start(settings: Settings) -> Result<Running, StartError> {
    let listener = listen(&settings)?;
    let address = listener.local_addr().map_err(|error| cannot_listen(&settings.server.listen, &error))?;
    let url = format!("http://{address}");
    let base_url = settings.server.base_url.clone().unwrap_or_else(|| format!("{url}/fhir"));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let is_open = settings.server.open;
    let is_audited = settings.server.audit.unwrap_or(!is_open);
    let is_demo = settings.server.demo;
    let threads = blocking_threads(&settings.server.database);
    let auth = AuthServer::new(&base_url, Arc::new(Outbound::new(&settings.outbound)?), &settings.sign_in);
    let issuer = auth.endpoints.issuer.clone();
    let shared = settings.clone();
    let hosts = Hosts::new(&base_url, &settings.server.hosts, address);
    let root = issuer.clone();
    // The database may be slow to open, and the runtime is not ours alone.
    let opened = web::block(move || -> Result<Opened, StartError> {
        let engine = open_engine(&settings, &base_url, workers)?;
        zone::settle(&engine)?;
        if engine.store.read_one(|reader| reader.index_rules())?.is_stale {
            return Err(StartError::Stale);
        }
        if is_demo {
            demo::fill(&engine, &root)?;
        }
        let demonstrators =
            if is_demo || !address.ip().is_loopback() { demo::present(&engine.store)? } else { Vec::new() };
        let set_up = if is_demo || is_open { None } else { offer_set_up(&engine.store)? };
        Ok(Opened { engine, demonstrators, set_up })
    });
    let Opened { engine, demonstrators, set_up } =
        opened.await.unwrap_or(Err(StartError::Store(StoreError::Panicked)))?;
    if let Some(known) = demonstrators.first().filter(|_| !address.ip().is_loopback()) {
        return Err(StartError::KnownPassword(known.email));
    }
    let engine = Arc::new(engine);
    let journal = match is_audited {
        true => Some(Arc::new(Journal::start(Arc::clone(&engine.store), Arc::clone(&engine.bases))?)),
        false => None,
    };
    let app = web::Data::new(App::new(engine, auth, journal.clone(), &shared, hosts)?);
    let lines = Arc::new(Lines::new(&shared.network, &shared.server.proxies));
    let room = files::room_for(shared.network.connections, database_connections(&shared.server.database, workers));
    let server = listening::server(listener, app, lines, room, workers, threads, is_demo)
        .map_err(|error| cannot_listen(&address.to_string(), &error))?;
    let handle = server.handle();
    let set_up = set_up.map(|link| format!("{issuer}/set-up?token={}", link.as_str()));
    Ok(Running { url, demonstrators, set_up, handle, served: actix_web::rt::spawn(server), journal })
}

fn listen(settings: &Settings) -> Result<TcpListener, StartError> {
    let text = &settings.server.listen;
    let addresses: Vec<_> = text.to_socket_addrs().map_err(|_| StartError::Address(text.clone()))?.collect();
    let is_loopback = addresses.iter().all(|address| address.ip().is_loopback());
    if settings.server.open && !is_loopback {
        return Err(StartError::OpenBeyondLoopback);
    }
    if settings.server.demo && !is_loopback {
        return Err(StartError::DemoBeyondLoopback);
    }
    TcpListener::bind(&addresses[..]).map_err(|error| cannot_listen(text, &error))
}

fn cannot_listen(address: &str, error: &std::io::Error) -> StartError {
    StartError::Listen { address: address.to_owned(), reason: error.to_string() }
}

/// Connections to the database for `workers` that read at once, each with its blocking threads.
fn database_connections(database: &str, workers: usize) -> usize {
    workers * (blocking_threads(database) + 1)
}

fn blocking_threads(database: &str) -> usize {
    if database.starts_with("sqlite:") { SQLITE_THREADS } else { POSTGRES_THREADS }
}

/// The base, and its other names on loopback: people write `localhost` where the server says `127.0.0.1`.
fn bases(base_url: &str) -> Vec<String> {
    let mut bases = vec![base_url.to_owned()];
    for (name, other) in [("//127.0.0.1", "//localhost"), ("//localhost", "//127.0.0.1"), ("//[::1]", "//localhost")] {
        if let Some((scheme, rest)) = base_url.split_once(name)
            && rest.starts_with([':', '/'])
        {
            bases.push(format!("{scheme}{other}{rest}"));
        }
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_goes_by_two_names() {
        assert_eq!(bases("http://127.0.0.1:8080/fhir"), ["http://127.0.0.1:8080/fhir", "http://localhost:8080/fhir"]);
        assert_eq!(bases("https://a.org/fhir"), ["https://a.org/fhir"]);
        assert_eq!(bases("http://localhost.example/fhir"), ["http://localhost.example/fhir"]);
    }

    #[test]
    fn an_open_server_stays_on_loopback() {
        let listening = |address: &str| {
            let mut settings = Settings::default();
            settings.server.listen = address.to_owned();
            settings.server.open = true;
            listen(&settings)
        };

        assert!(listening("127.0.0.1:0").is_ok());
        assert!(matches!(listening("0.0.0.0:0"), Err(StartError::OpenBeyondLoopback)));
        assert!(matches!(listening("nowhere"), Err(StartError::Address(_))));
    }

    #[test]
    fn a_demo_stays_on_loopback() {
        let listening = |address: &str| {
            let mut settings = Settings::default();
            settings.server.listen = address.to_owned();
            settings.server.demo = true;
            listen(&settings)
        };

        assert!(listening("127.0.0.1:0").is_ok());
        assert!(matches!(listening("0.0.0.0:0"), Err(StartError::DemoBeyondLoopback)));
    }
}
