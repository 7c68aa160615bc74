//! What all requests share.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use actix_web::web::Bytes;

use crate::http::capabilities;
use crate::interactions::Engine;

/// The server as the handlers see it.
pub struct App {
    pub engine: Arc<Engine>,
    /// No sign-in is needed at `/fhir`.
    pub is_open: bool,
    /// Pieces of work that wait for a blocking thread or run on one.
    pub(super) under_way: Arc<AtomicUsize>,
    capabilities: OnceLock<Bytes>,
}

impl App {
    /// A server over `engine`, that is not busy yet.
    pub fn new(engine: Arc<Engine>, is_open: bool) -> App {
        App { engine, is_open, under_way: Arc::default(), capabilities: OnceLock::new() }
    }

    /// The FHIR base that clients see, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.engine.fhir.base_url
    }

    /// The CapabilityStatement as compact JSON, written when it is first asked for.
    pub(super) fn capabilities(&self) -> &Bytes {
        self.capabilities.get_or_init(|| capabilities::statement(&self.engine).into())
    }
}
