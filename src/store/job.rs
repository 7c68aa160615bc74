//! Jobs: work that goes on behind requests, and after a restart from where it got to.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, SmallInt, Text};

use crate::fhir::ResourceType;
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// What a job is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    Running = 0,
    Done = 1,
    Cancelled = 2,
    Failed = 3,
}

/// A reindex: the index rows of each resource, of one type or of all, are made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: String,
    /// `None` for all types.
    pub resource_type: Option<ResourceType>,
    pub state: JobState,
    /// The generation of the rules when it began: those and later ones hold for all resources when it is done.
    pub rules: i64,
    /// Resources up to this number are done.
    pub reached: i64,
    /// The last number that it has to do.
    pub until: i64,
    /// How many resources there were to do, and how many are done. Some may be deleted meanwhile.
    pub total: i64,
    pub done: i64,
    pub started_us: i64,
    /// When it last got on.
    pub advanced_us: i64,
    /// 0 while it runs.
    pub finished_us: i64,
    /// Why it failed; names resources, not what they say.
    pub error: String,
}

/// What a reindex that begins now has before it.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub rules: i64,
    pub until: i64,
    pub total: i64,
}

/// So many jobs that have ended are kept, for who asks how they went.
const KEPT: i64 = 100;

type JobSql = (Text, SmallInt, SmallInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, Text);
type JobTuple = (String, i16, i16, i64, i64, i64, i64, i64, i64, i64, i64, String);

/// Selects the reindexes that meet the condition, as [`JobTuple`]s.
macro_rules! select_job {
    ($condition:literal) => {
        concat!(
            "SELECT id, rtype, state, generation, reached, until, total, done, started_us, advanced_us, finished_us, ",
            "error FROM job WHERE kind = 0 AND ",
            $condition
        )
    };
}

fn job(
    (id, rtype, state, rules, reached, until, total, done, started, advanced, finished, error): JobTuple,
) -> Option<Job> {
    Some(Job {
        id,
        resource_type: if rtype == 0 { None } else { Some(ResourceType::from_code(rtype)?) },
        state: [JobState::Running, JobState::Done, JobState::Cancelled, JobState::Failed]
            .get(usize::try_from(state).ok()?)
            .copied()?,
        rules,
        reached,
        until,
        total,
        done,
        started_us: started,
        advanced_us: advanced,
        finished_us: finished,
        error,
    })
}

fn one(found: Vec<JobTuple>) -> Result<Option<Job>, StoreError> {
    let damaged = || StoreError::Damaged("type or state of a job".to_owned());
    found.into_iter().next().map(|row| job(row).ok_or_else(damaged)).transpose()
}

impl Reader<'_> {
    /// The reindex with this id.
    pub fn job(&mut self, id: &str) -> Result<Option<Job>, StoreError> {
        let values = [Value::Text(id)];
        let select = fixed!(JobSql, select_job!("id = ?"), &values,);
        one(on!(self.link, connection => select.load(*connection))?)
    }

    /// The reindex that runs.
    pub fn running_job(&mut self) -> Result<Option<Job>, StoreError> {
        let select = fixed!(JobSql, select_job!("state = 0"), &[],);
        one(on!(self.link, connection => select.load(*connection))?)
    }

    /// What a reindex of this type, or of all, has before it.
    pub fn extent(&mut self, resource_type: Option<ResourceType>) -> Result<Extent, StoreError> {
        let rules = self.rules()?;
        let rtype = i64::from(resource_type.map_or(0, ResourceType::code));
        let values = [Value::Integer(rtype), Value::Integer(rtype)];
        // Of all, what is deleted has rows, too: whose record it was part of.
        let select = fixed!(
            (BigInt, BigInt),
            "SELECT COALESCE(MAX(rid), 0), COUNT(*) FROM resource WHERE ? = 0 OR (rtype = ? AND method <> 2)",
            &values,
        );
        let (until, total): (i64, i64) = on!(self.link, connection => select.get_result(*connection))?;
        Ok(Extent { rules, until, total })
    }
}

impl Tx<'_> {
    /// Begins a reindex, unless one runs already: that is the answer, then. `OtherRules` when they have changed since `extent`
    /// was found out.
    pub fn start_job(
        &mut self,
        id: &str,
        resource_type: Option<ResourceType>,
        extent: Extent,
    ) -> Result<Job, StoreError> {
        self.lock_text("job")?;
        if let Some(running) = self.reader.running_job()? {
            return Ok(running);
        }
        // What was written by other rules in between may lie beyond its extent.
        if self.reader.rules()? != extent.rules {
            return Err(StoreError::OtherRules);
        }
        self.has_written = true;
        let forget = fixed!(
            (),
            "DELETE FROM job WHERE state <> 0 AND id NOT IN (SELECT id FROM job ORDER BY started_us DESC LIMIT ?)",
            &[Value::Integer(KEPT)],
        );
        on!(self.reader.link, connection => forget.execute(*connection))?;
        let Extent { rules, until, total } = extent;
        let now_us = self.now_us;
        let values = [
            Value::Text(id),
            Value::Integer(i64::from(resource_type.map_or(0, ResourceType::code))),
            Value::Integer(rules),
            Value::Integer(i64::MIN),
            Value::Integer(until),
            Value::Integer(total),
            Value::Integer(now_us),
            Value::Integer(now_us),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO job (id, kind, rtype, state, generation, reached, until, total, done, started_us, advanced_us, \
             finished_us, error) VALUES (?, 0, ?, 0, ?, ?, ?, ?, 0, ?, ?, 0, '')",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        self.reader.job(id)?.ok_or_else(|| StoreError::Damaged("a job that is not there".to_owned()))
    }

    /// Notes that `job` got as far as `reached` with `done` more resources. False, and nothing is noted, when it got on
    /// otherwise or runs no more.
    pub fn advance_job(&mut self, job: &Job, reached: i64, done: i64) -> Result<bool, StoreError> {
        let values = [
            Value::Integer(reached),
            Value::Integer(done),
            Value::Integer(self.now_us),
            Value::Text(&job.id),
            Value::Integer(job.reached),
        ];
        let update = fixed!(
            (),
            "UPDATE job SET reached = ?, done = done + ?, advanced_us = ? WHERE id = ? AND state = 0 AND reached = ?",
            &values,
        );
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.has_written |= changed > 0;
        Ok(changed > 0)
    }

    /// Ends a job that runs; false when it runs no more.
    pub fn end_job(&mut self, id: &str, state: JobState, error: &str) -> Result<bool, StoreError> {
        let values = [Value::Integer(state as i64), Value::Integer(self.now_us), Value::Text(error), Value::Text(id)];
        let update =
            fixed!((), "UPDATE job SET state = ?, finished_us = ?, error = ? WHERE id = ? AND state = 0", &values);
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.has_written |= changed > 0;
        Ok(changed > 0)
    }

    /// Forgets a job that has ended.
    pub fn forget_job(&mut self, id: &str) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Text(id)];
        let delete = fixed!((), "DELETE FROM job WHERE id = ? AND state <> 0", &values);
        on!(self.reader.link, connection => delete.execute(*connection))?;
        Ok(())
    }
}
