//! The FHIR interactions, as plain functions that know no HTTP.
//!
//! Reads take a `Reader` (one snapshot) and the caller. A write has two halves: `prepare` parses, validates and extracts
//! without any lock, and the value that it gives is a [`Write`], whose `apply` runs inside the write transaction.
//!
//! Spec: R4 http.html

mod app_state;
pub mod bundle;
mod codes;
mod conditional;
mod create;
mod definitions;
mod delete;
mod history;
mod include;
pub mod patch;
mod patch_resource;
mod prepared;
mod provenance;
mod read;
mod recorded;
pub mod reindex;
mod search;
mod search_cost;
mod sight;
mod trail;
mod update;
pub mod verify;
mod whole;
pub mod zone;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;

use crate::access::Denied;
use crate::config::{FhirSettings, LimitSettings};
use crate::fhir::{Issue, ResourceKey, ResourceType};
use crate::search::{OwnDefinition, Registry, SearchError, SearchRequest};
use crate::store::{ParameterState, Reader, ResourceRow, Store, StoreError, StoredParameter, Tx, WorkError};

pub use create::Create;
pub use delete::{ConditionalDelete, Delete};
pub use history::{HistoryPage, history};
pub use patch_resource::{Patch, PatchDocument};
pub use provenance::claimed;
pub use read::{read, vread};
pub use search::{SearchPage, SearchSettings, search};
pub use search_cost::{CostlySearch, TracedSearch, search_in_time, search_traced};
pub use trail::TRAIL_PARAMETERS;
pub use update::{ConditionalUpdate, Precondition, Update};

/// What every interaction works with.
pub struct Engine {
    pub store: Arc<Store>,
    pub fhir: FhirSettings,
    pub limits: LimitSettings,
    /// `fhir.base_url` and whatever else clients call this server by, for recognising its own references.
    pub bases: Arc<[String]>,
    registry: RwLock<Arc<Registry>>,
    /// Own parameters by number, as they were first met.
    definitions: Mutex<HashMap<i16, OwnDefinition>>,
}

/// A prepared write.
pub trait Write: Send + 'static {
    /// What it says when it is done.
    type Answer: Send + 'static;

    /// Does the write inside the transaction; may run again from the start when another writer got in between.
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<Self::Answer, InteractionError>;
}

/// How often a write is prepared anew when what it was prepared for has changed meanwhile.
pub const PREPARATIONS: usize = 20;

impl Engine {
    /// What a search depends on besides its request.
    pub fn search_settings(&self) -> SearchSettings {
        SearchSettings { bases: Arc::clone(&self.bases), plan: self.limits.plan }
    }

    /// An engine over `store`, with the search parameters that are in force there.
    pub fn new(
        store: Store,
        fhir: FhirSettings,
        limits: LimitSettings,
        bases: Vec<String>,
    ) -> Result<Engine, StoreError> {
        let (registry, definitions) = (RwLock::new(Arc::clone(Registry::bundled())), Mutex::default());
        let store = Arc::new(store);
        let engine = Engine { store, fhir, limits, bases: bases.into(), registry, definitions };
        engine.refresh()?;
        Ok(engine)
    }

    /// The search parameters that are in force, as far as this process has heard. A request asks once and keeps to what it
    /// got: where a change would matter, the database is asked whether there was one (`InteractionError::Stale`).
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the database whether search parameters have changed, by this process or another, and takes the change over.
    pub fn refresh(&self) -> Result<(), StoreError> {
        let known = self.registry().generation();
        if self.store.read_one(|reader| reader.rules())? == known {
            return Ok(());
        }
        let registry = Arc::new(self.store.read(|reader| self.registry_of(reader))?);
        let mut current = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been later, and yet be here already.
        if registry.generation() > current.generation() {
            *current = registry;
        }
        Ok(())
    }

    /// The search parameters that are in force in the snapshot of `reader`.
    fn registry_of(&self, reader: &mut Reader<'_>) -> Result<Registry, StoreError> {
        let (rules, stored) = (reader.index_rules()?, reader.own_parameters()?);
        let mut met = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        let last_number = stored.last().map_or(0, |last| last.number);
        let mut definitions = Vec::new();
        for stored in stored.iter().filter(|stored| stored.state != ParameterState::Retired) {
            let definition = match met.get(&stored.number) {
                Some(known) => known.again(stored),
                None => defined(stored)?,
            };
            met.entry(stored.number).or_insert_with(|| definition.clone());
            definitions.push(definition);
        }
        let zone_minutes = rules.zone_minutes.unwrap_or(self.fhir.zone_minutes);
        Ok(Registry::with_own(rules.generation, zone_minutes, last_number, definitions))
    }

    /// Understands a search. What is not understood may be a parameter that was defined a moment ago.
    pub fn understood(
        &self,
        parse: impl Fn(&Arc<Registry>) -> Result<SearchRequest, SearchError>,
    ) -> Result<SearchRequest, InteractionError> {
        let registry = self.registry();
        let understood = parse(&registry);
        let may_differ = match &understood {
            Ok(request) => !request.ignored.is_empty(),
            Err(error) => error.depends_on_rules(),
        };
        if may_differ {
            self.refresh()?;
            let present = self.registry();
            // Whoever took the change over, this request or another at the same time.
            if present.generation() != registry.generation() {
                return Ok(parse(&present)?);
            }
        }
        Ok(understood?)
    }

    /// Does `work` again, by the search parameters of then, when they were others by the time they mattered.
    pub fn by_present_rules<T, E: From<InteractionError> + From<StoreError>>(
        &self,
        work: impl Fn() -> Result<T, E>,
        is_stale: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        for _ in 0..PREPARATIONS {
            match work() {
                Err(error) if is_stale(&error) => {
                    self.refresh()?;
                }
                done => return done,
            }
        }
        Err(InteractionError::Contended.into())
    }

    /// Prepares a write, applies it and waits until it is on the disk.
    pub fn write<W: Write>(
        &self,
        prepare: impl Fn(&Engine) -> Result<W, InteractionError>,
    ) -> Result<W::Answer, InteractionError> {
        let once = || {
            let mut write = prepare(self)?;
            self.store.write(move |tx| write.apply(tx))
        };
        self.by_present_rules(once, InteractionError::is_stale)
    }
}

/// What the database keeps of a definition, ready for use.
fn defined(stored: &StoredParameter) -> Result<OwnDefinition, StoreError> {
    let damaged = || StoreError::Damaged(format!("the definition of search parameter {}", stored.number));
    OwnDefinition::new(stored).ok_or_else(damaged)
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Created,
    Updated,
    /// The resource was already as wanted: no new version.
    Unchanged,
    /// A conditional create found one that matches, and created nothing.
    Matched,
    Deleted,
    /// There was nothing to delete.
    Absent,
}

/// A write's answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub effect: Effect,
    /// The version that now stands; `None` when there is none (`Absent`).
    pub row: Option<ResourceRow>,
    /// Warnings and information that validation had besides.
    pub issues: Vec<Issue>,
}

/// Why an interaction was not done.
#[derive(Debug, Error)]
pub enum InteractionError {
    /// Never existed, or this caller must not learn that it does.
    #[error("{0} is not known")]
    NotFound(ResourceKey),
    #[error("{key} was deleted")]
    Deleted { key: ResourceKey, version: i64 },
    #[error("{0} has no version {1}")]
    NoSuchVersion(ResourceKey, String),
    /// The resource or the request breaks rules; all that is known about it.
    #[error("the request is not valid")]
    Invalid(Vec<Issue>),
    /// Well-formed, but refused by a rule of content (FHIR's 422).
    #[error("the resource breaks rules")]
    Unprocessable(Vec<Issue>),
    /// `If-Match` names another version than the current one.
    #[error("{key} is at version {current}, not at the one that If-Match names: read it again, then repeat the change")]
    VersionConflict { key: ResourceKey, current: i64 },
    /// `If-None-Match: *` on a resource that exists.
    #[error("{0} exists already")]
    Exists(ResourceKey),
    /// `If-Match` on a resource that does not exist.
    #[error("{0} does not exist, so no version of it can match")]
    NothingToMatch(ResourceKey),
    /// What an app keeps, without `If-Match`.
    #[error("{0} is what an app keeps: say with If-Match which version you have seen, such as If-Match: W/\"1\"")]
    VersionNeeded(ResourceKey),
    /// What an app keeps would become something else.
    #[error("{key} is what an app keeps: {element} stays as it was; create another one instead")]
    StateChanged { key: ResourceKey, element: &'static str },
    /// What an app keeps is larger than such things may be.
    #[error(
        "what an app keeps has at most {most_bytes} bytes as JSON: keep less, or in several with codes of their own"
    )]
    StateTooLarge { most_bytes: usize },
    #[error("the criteria match more than one {0}: use criteria that match one only")]
    MultipleMatches(ResourceType),
    #[error("no {0} matches the criteria")]
    NoMatch(ResourceType),
    /// An update with an unknown id where only the server gives ids.
    #[error("{0} does not exist, and this server does not let clients choose ids")]
    ClientIdRefused(ResourceKey),
    /// The caller may not do this, whatever there is.
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Search(#[from] crate::search::SearchError),
    #[error(transparent)]
    Patch(#[from] patch::PatchError),
    #[error(transparent)]
    CostlySearch(#[from] CostlySearch),
    /// The searches of a batch have used up the time of all of them.
    #[error(
        "the searches of the Bundle took longer than the {limit:?} that they may together: send this entry again, with \
         fewer others"
    )]
    CostlyBatch { limit: Duration },
    /// A later page of a sorted search, after more was updated than can be put in its old place.
    #[error("more than {most} resources were updated since the first page was read: search again")]
    PagesOutdated { most: usize },
    /// A batch or transaction has more entries than allowed.
    #[error("the Bundle has {entries} entries; at most {most} are allowed")]
    TooManyEntries { entries: usize, most: usize },
    /// An entry of a transaction failed, and with it the transaction.
    #[error("entry {index}: {error}")]
    Entry { index: usize, error: Box<InteractionError> },
    /// What the write was prepared for has changed; it must be prepared anew.
    #[error("the resource changed while the request was prepared")]
    Stale,
    /// Others kept changing what this write needs.
    #[error("other requests keep changing the same resource: try again")]
    Contended,
    #[error(transparent)]
    Store(StoreError),
}

impl InteractionError {
    /// Whether all must be prepared anew.
    pub fn is_stale(&self) -> bool {
        matches!(self, InteractionError::Stale)
    }
}

impl From<StoreError> for InteractionError {
    fn from(error: StoreError) -> InteractionError {
        match error {
            StoreError::OtherRules => InteractionError::Stale,
            other => InteractionError::Store(other),
        }
    }
}

impl WorkError for InteractionError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            InteractionError::Store(error) => Some(error),
            InteractionError::Entry { error, .. } => error.store_error(),
            _ => None,
        }
    }
}
