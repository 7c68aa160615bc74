//! `emberwell reindex`

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::access::Caller;
use crate::cli::{Failure, open};
use crate::clock;
use crate::config::Settings;
use crate::interactions::reindex::{self, Slice};
use crate::interactions::{Engine, zone};
use crate::store::{Job, JobState};

/// Makes the index rows of all resources anew, by the zone of the settings; goes on with a job that broke off.
pub(super) fn reindex(settings: &Settings) -> Result<(), Failure> {
    let engine = open(settings)?;
    let caller = Caller::system("reindex").commanding("reindex", clock::now_us());
    zone::change(&engine).map_err(Failure::failed)?;
    loop {
        let job = reindex::start(&engine, &caller, None).map_err(Failure::failed)?;
        let is_whole = job.resource_type.is_none();
        let job = finished(&engine, job)?;
        match job.state {
            // One type was under way; now all.
            JobState::Done if !is_whole => {}
            JobState::Done => {
                eprintln!("emberwell: {} resources have their index rows anew", job.done);
                return Ok(());
            }
            JobState::Running | JobState::Cancelled => return Err(Failure::failed("the reindex was cancelled")),
            JobState::Failed => return Err(Failure::failed(format_args!("the reindex failed: {}", job.error))),
        }
    }
}

fn finished(engine: &Engine, mut job: Job) -> Result<Job, Failure> {
    let bar = ProgressBar::new(u64::try_from(job.total).unwrap_or(0));
    bar.enable_steady_tick(Duration::from_millis(200));
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} of {len} resources, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    while job.state == JobState::Running {
        // One that is beaten goes on behind the other: both do the same job.
        job = match reindex::slice(engine, &job).map_err(Failure::failed)? {
            Slice::Done(job) | Slice::Beaten(job) => job,
        };
        bar.set_position(u64::try_from(job.done).unwrap_or(0));
        if bar.is_hidden() {
            eprintln!("reindex: {} of {} resources", job.done, job.total);
        }
    }
    bar.finish_and_clear();
    Ok(job)
}
