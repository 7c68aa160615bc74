//! Making the index rows of resources anew, by the rules that are in force: for search parameters that were defined
//! after resources were written, and for databases of an earlier form.
//!
//! A job does slices, each in a write transaction of its own that also notes how far it got; between slices others write.
//! What is slow, reading, parsing and extracting, is done before that transaction opens. A resource that was changed
//! meanwhile has its rows by who changed it: writes by older rules than those of the job were over when it began.
//!
//! Spec: R4 searchparameter.html

use crate::access::{Caller, Deed};
use crate::audit::tell_deed;
use crate::fhir::{Id, Issue, IssueCode, ResourceType};
use crate::interactions::delete::rows_of_deletion;
use crate::interactions::whole::read_back;
use crate::interactions::{Engine, InteractionError};
use crate::search::{ExtractContext, Registry, extract};
use crate::store::{Bond, Job, JobState, Method, PatientRow, Renewal, ResourceRow, StoreError};

/// So many resources are done in one transaction: few enough that other writes don't notice.
const SLICE: i64 = 200;

/// What became of a slice.
#[derive(Clone, Debug)]
pub enum Slice {
    /// The job got on, or has ended; as it stands now.
    Done(Job),
    /// Another process has done the same slice, or the job was cancelled; as it stands now.
    Beaten(Job),
}

/// Begins to make the rows of all resources anew, or of those of one type; gives the job that runs already, if one does.
pub fn start(engine: &Engine, caller: &Caller, resource_type: Option<ResourceType>) -> Result<Job, InteractionError> {
    if let Some(running) = engine.store.read_one(|reader| reader.running_job())? {
        return Ok(running);
    }
    let begin = || -> Result<Job, InteractionError> {
        // Whoever wrote by older rules has ended; all others see the present ones.
        let extent = engine.store.read_settled(|reader| reader.extent(resource_type))?;
        let id = Id::random();
        let act = caller.act().cloned();
        Ok(engine.store.write(move |tx| {
            let job = tx.start_job(id.as_str(), resource_type, extent)?;
            if let Some(act) = &act {
                tell_deed(tx, act, Deed::Reindex, None, Vec::new())?;
            }
            Ok::<_, StoreError>(job)
        })?)
    };
    let job = engine.by_present_rules(begin, InteractionError::is_stale)?;
    tracing::info!(job = %job.id, total = job.total, "A reindex begins");
    Ok(job)
}

/// The job with this id; `None` when there is none.
pub fn find(engine: &Engine, id: &str) -> Result<Option<Job>, InteractionError> {
    Ok(engine.store.read_one(|reader| reader.job(id))?)
}

/// The job that runs, if one does.
pub fn running(engine: &Engine) -> Result<Option<Job>, StoreError> {
    engine.store.read_one(|reader| reader.running_job())
}

/// Cancels a job that runs, or forgets one that has ended; false when there is none. What it has done stays done.
pub fn cancel(engine: &Engine, id: &str) -> Result<bool, InteractionError> {
    let Some(job) = find(engine, id)?.filter(|job| job.state != JobState::Cancelled) else { return Ok(false) };
    engine.store.write(move |tx| {
        if !tx.end_job(&job.id, JobState::Cancelled, "")? {
            tx.forget_job(&job.id)?;
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(true)
}

/// Does the next slice of a job that runs. When that fails, the job has failed unless the database was only busy.
pub fn slice(engine: &Engine, job: &Job) -> Result<Slice, InteractionError> {
    let done = engine.by_present_rules(|| next_slice(engine, job), InteractionError::is_stale);
    if let Err(InteractionError::Unprocessable(issues)) = &done {
        let (id, why) = (job.id.clone(), issues.iter().map(|issue| issue.text.clone()).collect::<Vec<_>>().join("; "));
        tracing::error!(job = %id, why, "A reindex failed");
        engine.store.write(move |tx| tx.end_job(&id, JobState::Failed, &why))?;
    }
    done
}

fn next_slice(engine: &Engine, job: &Job) -> Result<Slice, InteractionError> {
    let registry = engine.registry();
    let (reached, until, resource_type) = (job.reached, job.until, job.resource_type);
    let rows = engine.store.read_one(|reader| reader.current_after(reached, until, resource_type, SLICE))?;
    let Some(last) = rows.last().map(|row| row.rid) else { return finish(engine, job, &registry) };
    let renewals: Vec<Renewal> =
        rows.into_iter().map(|row| renewal(engine, &registry, row)).collect::<Result<_, _>>()?;
    let (now, rules) = (job.clone(), registry.generation());
    let has_advanced = engine.store.write(move |tx| {
        if !tx.advance_job(&now, last, renewals.len() as i64)? {
            return Ok(false);
        }
        tx.renew(&renewals, rules)?;
        Ok::<_, StoreError>(true)
    })?;
    let job = find(engine, &job.id)?.ok_or_else(|| gone(job))?;
    Ok(if has_advanced { Slice::Done(job) } else { Slice::Beaten(job) })
}

/// Opens to searches the parameters that were there when the job began, as far as it went through all of their resources.
fn finish(engine: &Engine, job: &Job, registry: &Registry) -> Result<Slice, InteractionError> {
    let is_through = |of: ResourceType| job.resource_type.is_none_or(|only| only == of);
    let ready = registry
        .own_parameters()
        .filter(|known| known.is_pending && known.generation <= job.rules && known.own.types().all(is_through));
    let numbers: Vec<i16> = ready.map(|known| known.number).collect();
    let (id, is_whole) = (job.id.clone(), job.resource_type.is_none());
    let has_ended = engine.store.write(move |tx| {
        let has_ended = tx.end_job(&id, JobState::Done, "")?;
        if has_ended {
            tx.ready(&numbers, is_whole)?;
        }
        Ok::<_, StoreError>(has_ended)
    })?;
    let job = find(engine, &job.id)?.ok_or_else(|| gone(job))?;
    if has_ended {
        tracing::info!(job = %job.id, done = job.done, "A reindex is done");
        engine.refresh()?;
        return Ok(Slice::Done(job));
    }
    Ok(Slice::Beaten(job))
}

fn gone(job: &Job) -> InteractionError {
    StoreError::Damaged(format!("the job {} is gone", job.id)).into()
}

fn renewal(engine: &Engine, registry: &Registry, row: ResourceRow) -> Result<Renewal, InteractionError> {
    let failed = |problem: String| {
        let text = format!("{}: {problem}", row.key);
        InteractionError::Unprocessable(vec![Issue::request(IssueCode::Processing, text)])
    };
    let tail = row.tail.as_deref().unwrap_or_default();
    let resource = read_back(&row.key, row.version, row.updated_us, tail).map_err(failed)?;
    if row.method == Method::Delete {
        let (resource_type, rows) = (resource.resource_type, rows_of_deletion(engine, &resource));
        return Ok(Renewal { rid: row.rid, resource_type, version: row.version, rows });
    }
    let hasher = engine.store.hasher();
    let context = ExtractContext {
        hasher: &hasher,
        bases: &engine.bases,
        zone_minutes: registry.zone_minutes(),
        registry,
        places: None,
    };
    let mut rows = extract(&resource, &context).map_err(|error| failed(error.to_string()))?;
    if resource.resource_type == ResourceType::PATIENT {
        // A Patient is in its own compartment and record.
        rows.patients.push(PatientRow { patient: hasher.key(&row.key), bond: Bond::Both });
    }
    rows.normalize();
    Ok(Renewal { rid: row.rid, resource_type: resource.resource_type, version: row.version, rows })
}
