//! What all requests share.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::web::Bytes;
use tokio::sync::Semaphore;

use crate::audit::Journal;
use crate::auth::{AuthServer, Callers};
use crate::clock;
use crate::config::{AppSettings, LimitSettings, Network, NetworkSettings, OutboundSettings, Settings};
use crate::http::HttpError;
use crate::http::capabilities;
use crate::http::hop::{MOST_UNDER_WAY, MOST_WRITES};
use crate::http::hosts::Hosts;
use crate::http::lines::Line;
use crate::http::rates::Rates;
use crate::http::seat::{Place, Places};
use crate::http::wire::Wire;
use crate::interactions::Engine;
use crate::operations::Reindexer;
use crate::store::StoreError;

/// The server as the handlers see it.
pub struct App {
    pub engine: Arc<Engine>,
    /// No sign-in is needed at `/fhir`.
    pub is_open: bool,
    /// Who holds which token.
    pub callers: Arc<Callers>,
    /// Where it is told what was read, and what refused; `None` where nothing is told.
    pub journal: Option<Arc<Journal>>,
    /// Searches may be explained.
    pub explains: bool,
    /// When the program started.
    pub begun_us: i64,
    /// How apps come to be registered.
    pub apps: AppSettings,
    /// What may be asked of other servers.
    pub outbound: OutboundSettings,
    /// Issues tokens.
    pub auth: AuthServer,
    /// Whose word on where requests come from is believed.
    pub(super) proxies: Vec<Network>,
    /// Under which names it is asked.
    pub(super) hosts: Hosts,
    /// How slow clients may be.
    pub(super) network: Arc<NetworkSettings>,
    /// Bytes of answers that clients have not taken yet.
    pub(super) waiting_bytes: Arc<AtomicUsize>,
    /// How often callers may ask; `None` where nothing is limited.
    pub(super) rates: Option<Rates>,
    /// Requests from their head to their answer.
    pub(super) requests: Arc<AtomicUsize>,
    /// Pieces of work that wait for a blocking thread or run on one.
    pub(super) under_way: Places,
    /// Small writes that wait for the writing thread of SQLite, or are being prepared for it.
    pub(super) writes: Places,
    /// Passwords that are being hashed, each of which takes 19 MiB and a core for some ten milliseconds.
    passwords: Places,
    /// How much memory large bodies may take together, in KiB.
    pub(super) body_memory: Arc<Semaphore>,
    /// Does `$reindex`.
    pub(super) reindexer: Reindexer,
    /// With the generation of the search parameters that it tells of.
    capabilities: Mutex<Option<(i64, Bytes)>>,
}

/// A request waits so long for a place to be worked for.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many passwords are hashed at once for each core.
const PASSWORDS_PER_CORE: usize = 2;
/// Large bodies may take so much memory together, in bytes, if not one Bundle alone may take more.
const BODY_MEMORY_BYTES: usize = 64 << 20;

impl App {
    /// A server over `engine`, that is not busy yet but with what it was at when it was stopped.
    pub fn new(
        engine: Arc<Engine>,
        auth: AuthServer,
        journal: Option<Arc<Journal>>,
        settings: &Settings,
        hosts: Hosts,
    ) -> Result<App, StoreError> {
        let memory_bytes = body_memory_bytes(&engine.limits);
        Ok(App {
            reindexer: Reindexer::new(Arc::clone(&engine))?,
            engine,
            journal,
            is_open: settings.server.open,
            callers: Arc::default(),
            explains: settings.server.explain,
            begun_us: clock::now_us(),
            apps: settings.apps.clone(),
            outbound: settings.outbound.clone(),
            auth,
            proxies: settings.server.proxies.clone(),
            hosts,
            network: Arc::new(settings.network.clone()),
            waiting_bytes: Arc::default(),
            // On an open server nobody is known.
            rates: Rates::new(settings.rates).filter(|_| !settings.server.open),
            requests: Arc::default(),
            under_way: Places::new(MOST_UNDER_WAY, PATIENCE),
            writes: Places::new(MOST_WRITES, PATIENCE),
            passwords: Places::new(PASSWORDS_PER_CORE * cores(), PATIENCE),
            body_memory: Arc::new(Semaphore::new(memory_bytes / 1024)),
            capabilities: Mutex::default(),
        })
    }

    /// The FHIR base that clients see, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.engine.fhir.base_url
    }

    /// Whether pages of this origin are the server's own.
    pub fn is_own_origin(&self, origin: &str) -> bool {
        self.engine.bases.iter().any(|base| base.strip_prefix(origin).is_some_and(|path| path.starts_with('/')))
    }

    /// A place to hash a password in, as soon as there is one.
    pub async fn password_place(&self) -> Result<Place, HttpError> {
        self.passwords.take().await
    }

    /// How slow clients may be.
    pub fn network(&self) -> Arc<NetworkSettings> {
        Arc::clone(&self.network)
    }

    /// The stream of a connection that was taken.
    pub fn wire(&self, stream: TcpStream, line: Line) -> Wire {
        Wire::new(stream, line, self.network(), Arc::clone(&self.waiting_bytes))
    }

    /// How much memory large bodies may take together, in bytes.
    pub(super) fn body_memory_bytes(&self) -> usize {
        body_memory_bytes(&self.engine.limits)
    }

    /// The CapabilityStatement as compact JSON, written anew when search parameters have changed.
    pub(super) fn capabilities(&self) -> Result<Bytes, StoreError> {
        self.engine.refresh()?;
        let generation = self.engine.registry().generation();
        let mut kept = self.capabilities.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, bytes)) = &*kept
            && *of == generation
        {
            return Ok(bytes.clone());
        }
        let endpoints = (!self.is_open).then_some((&self.auth.endpoints, &self.apps));
        let bytes: Bytes =
            capabilities::statement(&self.engine, self.explains, self.journal.is_some(), endpoints).into();
        *kept = Some((generation, bytes.clone()));
        Ok(bytes)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Room for the largest Bundle, packed and unpacked.
fn body_memory_bytes(limits: &LimitSettings) -> usize {
    BODY_MEMORY_BYTES.max(limits.bundle_bytes.max(limits.resource_bytes) * 2)
}
