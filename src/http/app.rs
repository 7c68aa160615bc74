//! What all requests share.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use actix_web::web::Bytes;
use tokio::sync::Semaphore;

use crate::config::LimitSettings;
use crate::http::capabilities;
use crate::interactions::Engine;

/// The server as the handlers see it.
pub struct App {
    pub engine: Arc<Engine>,
    /// No sign-in is needed at `/fhir`.
    pub is_open: bool,
    /// Searches may be explained.
    pub explains: bool,
    /// Pieces of work that wait for a blocking thread or run on one.
    pub(super) under_way: Arc<AtomicUsize>,
    /// How much memory large bodies may take together, in KiB.
    pub(super) body_memory: Arc<Semaphore>,
    capabilities: OnceLock<Bytes>,
}

/// Large bodies may take so much memory together, in bytes, if not one Bundle alone may take more.
const BODY_MEMORY_BYTES: usize = 64 << 20;

impl App {
    /// A server over `engine`, that is not busy yet.
    pub fn new(engine: Arc<Engine>, is_open: bool, explains: bool) -> App {
        let memory_bytes = body_memory_bytes(&engine.limits);
        App {
            engine,
            is_open,
            explains,
            under_way: Arc::default(),
            body_memory: Arc::new(Semaphore::new(memory_bytes / 1024)),
            capabilities: OnceLock::new(),
        }
    }

    /// The FHIR base that clients see, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.engine.fhir.base_url
    }

    /// How much memory large bodies may take together, in bytes.
    pub(super) fn body_memory_bytes(&self) -> usize {
        body_memory_bytes(&self.engine.limits)
    }

    /// The CapabilityStatement as compact JSON, written when it is first asked for.
    pub(super) fn capabilities(&self) -> &Bytes {
        self.capabilities.get_or_init(|| capabilities::statement(&self.engine, self.explains).into())
    }
}

/// Room for the largest Bundle, packed and unpacked.
fn body_memory_bytes(limits: &LimitSettings) -> usize {
    BODY_MEMORY_BYTES.max(limits.bundle_bytes.max(limits.resource_bytes) * 2)
}
