//! `$reindex`: a job makes the index rows of resources anew, behind requests.
//!
//! The operation is this server's own. How a client follows it is the asynchronous pattern of R4.
//!
//! Spec: R4 async.html, searchparameter.html

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};

use crate::access::Caller;
use crate::clock;
use crate::fhir::{ResourceType, format_instant};
use crate::interactions::reindex::{self, Slice};
use crate::interactions::{Engine, InteractionError};
use crate::store::{Job, JobState, StoreError};

/// A job that did not get on for so long has lost the process that ran it.
const LOST_US: i64 = 10_000_000;
/// How long to wait before a busy database is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Does the jobs of one server, on a thread of its own while there is one.
pub struct Reindexer {
    engine: Arc<Engine>,
    is_at_work: Arc<AtomicBool>,
}

impl Reindexer {
    /// Over `engine`; goes on with a job that was under way when the server stopped.
    pub fn new(engine: Arc<Engine>) -> Result<Reindexer, StoreError> {
        let reindexer = Reindexer { engine, is_at_work: Arc::default() };
        if let Some(job) = reindex::running(&reindexer.engine)? {
            tracing::info!(job = %job.id, done = job.done, total = job.total, "A reindex goes on");
            reindexer.work(job)?;
        }
        Ok(reindexer)
    }

    /// Begins a job for all resources, or those of one type; gives the one that runs, if one does.
    pub fn start(&self, caller: &Caller, resource_type: Option<ResourceType>) -> Result<Job, InteractionError> {
        caller.administers()?;
        let job = reindex::start(&self.engine, caller, resource_type)?;
        self.work(job.clone())?;
        Ok(job)
    }

    /// How the job with this id stands; `None` when there is none, or it was cancelled.
    pub fn status(&self, caller: &Caller, id: &str) -> Result<Option<Job>, InteractionError> {
        caller.administers()?;
        let job = reindex::find(&self.engine, id)?.filter(|job| job.state != JobState::Cancelled);
        if let Some(job) = &job
            && job.state == JobState::Running
            && clock::now_us() - job.advanced_us > LOST_US
        {
            self.work(job.clone())?;
        }
        Ok(job)
    }

    /// Cancels the job with this id, or forgets it when it has ended; false when there is none.
    pub fn cancel(&self, caller: &Caller, id: &str) -> Result<bool, InteractionError> {
        caller.administers()?;
        reindex::cancel(&self.engine, id)
    }

    /// Works on `job` behind requests, unless that is done already.
    fn work(&self, job: Job) -> Result<(), StoreError> {
        if self.is_at_work.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let (engine, is_at_work) = (Arc::downgrade(&self.engine), Arc::clone(&self.is_at_work));
        let spawned = std::thread::Builder::new().name("reindex".to_owned()).spawn(move || {
            let mut next = Some(job);
            while let Some(job) = next {
                let at_work = AtWork(Arc::clone(&is_at_work));
                let ended = advance(&engine, job);
                drop(at_work);
                // Another may have begun when this one was cancelled, and found the thread at work.
                next = ended.and_then(|id| other(&engine, &id)).filter(|_| !is_at_work.swap(true, Ordering::AcqRel));
            }
        });
        spawned.map(|_| ()).map_err(|error| StoreError::Unreachable(error.to_string()))
    }
}

/// Does the slices of `job`; gives its id when there is nothing left to do here, `None` when the server has ended.
///
/// The database is held for one slice at a time, so that the server can end.
fn advance(engine: &Weak<Engine>, mut job: Job) -> Option<String> {
    while job.state == JobState::Running {
        let held = engine.upgrade()?;
        match reindex::slice(&held, &job) {
            Ok(Slice::Done(now)) => job = now,
            // Another process is at work, or it was cancelled.
            Ok(Slice::Beaten(_)) => break,
            Err(InteractionError::Store(StoreError::Busy | StoreError::Collision)) => {
                drop(held);
                std::thread::park_timeout(PAUSE);
            }
            Err(error) => {
                tracing::error!(%error, job = %job.id, "A reindex broke off");
                break;
            }
        }
    }
    Some(job.id)
}

/// The job that runs, if it is another than `id`.
fn other(engine: &Weak<Engine>, id: &str) -> Option<Job> {
    let running = reindex::running(&*engine.upgrade()?);
    running.inspect_err(|error| tracing::error!(%error, "No look at the jobs")).ok()?.filter(|job| job.id != id)
}

/// Until it is dropped, the thread is there.
struct AtWork(Arc<AtomicBool>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// How far a job is, as `X-Progress` says it.
pub fn progress(job: &Job) -> String {
    format!("{} of {} resources", job.done, job.total)
}

/// What a job that is done has done, as a Parameters resource.
pub fn report(job: &Job) -> Value {
    let instant = |us| {
        let mut text = Vec::new();
        format_instant(us, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    let mut parameters = vec![
        json!({ "name": "resources", "valueInteger": job.done }),
        json!({ "name": "started", "valueInstant": instant(job.started_us) }),
        json!({ "name": "finished", "valueInstant": instant(job.finished_us) }),
    ];
    if let Some(resource_type) = job.resource_type {
        parameters.push(json!({ "name": "type", "valueCode": resource_type.name() }));
    }
    json!({ "resourceType": "Parameters", "parameter": parameters })
}
