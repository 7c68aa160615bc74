//! What a reader did, statement by statement, with the plan of each: for those who run the server.
//!
//! Nothing is recorded unless it is asked for, and never a value: not in the text of a statement, nor in its plan.
//!
//! Spec: sqlite.org/eqp.html, postgresql.org/docs/current/sql-explain.html

use std::collections::HashMap;
use std::time::{Duration, Instant};

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};

use crate::store::query::{Piece, Query};
use crate::store::reader::{Link, Reader};
use crate::store::statement::Built;
use crate::store::{StoreError, deadline};

/// How long PostgreSQL may take to plan a statement whose time is over.
const FOR_A_PLAN: Duration = Duration::from_secs(1);

/// A statement that was run.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is about, as `Reader::about` told.
    pub part: &'static str,
    pub answer: StepAnswer,
    /// With a `?` for each value.
    pub statement: String,
    /// In the words of the database, one line for each part; with a `?` for each value.
    pub plan: String,
    /// How long it was since the step before had ended, or since the recording began.
    pub prepared: Duration,
    /// Running it, reading its rows and unpacking them.
    pub took: Duration,
}

/// What a statement gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepAnswer {
    /// So many rows.
    Rows(usize),
    /// A number.
    Number(i64),
    /// Nothing, for its time was over.
    Ended,
}

/// The steps so far.
pub(super) struct Trace {
    steps: Vec<Step>,
    part: &'static str,
    last: Instant,
}

impl Reader<'_> {
    /// Records each statement from now on; on PostgreSQL each runs a second time for its plan.
    pub fn record(&mut self) {
        self.trace = Some(Trace { steps: Vec::new(), part: "", last: Instant::now() });
    }

    /// Tells what the statements from now on are about, for those who read the recording.
    pub fn about(&mut self, part: &'static str) {
        if let Some(trace) = &mut self.trace {
            trace.part = part;
        }
    }

    /// Ends the recording and gives what was recorded, up to the statement whose time was over.
    pub fn recorded(&mut self) -> Vec<Step> {
        self.trace.take().map(|trace| trace.steps).unwrap_or_default()
    }

    /// Runs `query` by `run`, and records it if that was asked for.
    pub(super) fn traced<T>(
        &mut self,
        query: &Query,
        run: impl FnOnce(&mut Self) -> Result<T, StoreError>,
        answer: impl FnOnce(&T) -> StepAnswer,
    ) -> Result<T, StoreError> {
        deadline::check(&mut self.link)?;
        // Put back at the end: a failure ends the recording, too.
        let Some(mut trace) = self.trace.take() else {
            return run(self);
        };
        let prepared = trace.last.elapsed();
        // What ends a statement of PostgreSQL ends the transaction, too, and with it any plan.
        self.mark_place()?;
        let begun = Instant::now();
        let done = run(self);
        let took = begun.elapsed();
        let (answer, plan) = match &done {
            Ok(done) => (answer(done), self.plan(query, true)?),
            Err(StoreError::Timeout) => {
                self.back_to_place()?;
                (StepAnswer::Ended, self.plan(query, false)?)
            }
            Err(_) => return done,
        };
        trace.steps.push(Step { part: trace.part, answer, statement: text(query), plan, prepared, took });
        trace.last = Instant::now();
        self.trace = Some(trace);
        done
    }

    /// The plan of a statement. `is_run` asks PostgreSQL to run it and tell what each part of the plan really took; when
    /// there is no time left for that, the plan is what it expects.
    fn plan(&mut self, query: &Query, is_run: bool) -> Result<String, StoreError> {
        let is_run = is_run && deadline::check(&mut self.link).is_ok();
        let mut explained = Query::new();
        match &mut self.link {
            Link::Sqlite(connection) => {
                explained.sql("EXPLAIN QUERY PLAN ").append(query.clone());
                let built = Built::<(BigInt, BigInt, BigInt, Text)>::new(&explained);
                // Planning takes next to nothing, and is wanted when the time is over, too.
                Ok(indented(deadline::within(None, || built.load(*connection))?))
            }
            Link::Postgres(connection) => {
                explained.sql(if is_run { "EXPLAIN (ANALYZE, BUFFERS OFF, FORMAT TEXT) " } else { "EXPLAIN " });
                explained.append(query.clone());
                let lines: Result<Vec<String>, StoreError> =
                    Built::<Text>::new(&explained).load(*connection).map_err(StoreError::from);
                match lines {
                    // Joined first: a value may have lines of its own.
                    Ok(lines) => Ok(without_values(&lines.join("\n"))),
                    Err(StoreError::Timeout) if is_run => {
                        self.back_to_place()?;
                        self.plan(query, false)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// On PostgreSQL: where the transaction is to stand again when a statement of it is ended.
    fn mark_place(&mut self) -> Result<(), StoreError> {
        if let Link::Postgres(connection) = &mut self.link {
            connection.batch_execute("SAVEPOINT traced")?;
        }
        Ok(())
    }

    /// On PostgreSQL: goes on from the place that was marked, with time for a plan.
    fn back_to_place(&mut self) -> Result<(), StoreError> {
        if let Link::Postgres(connection) = &mut self.link {
            connection
                .batch_execute(&format!("ROLLBACK TO traced; SET LOCAL {}", deadline::statement_timeout(FOR_A_PLAN)))?;
        }
        Ok(())
    }
}

fn text(query: &Query) -> String {
    let pieces = query.pieces.iter().map(|piece| match piece {
        Piece::Sql(text) => text,
        Piece::Bind(_) => "?",
    });
    pieces.collect()
}

/// The plan of SQLite, whose rows are id, id of the parent, nothing, and text; parents come before children.
fn indented(rows: Vec<(i64, i64, i64, String)>) -> String {
    let mut depths = HashMap::new();
    let mut plan = String::new();
    for (id, parent, _, detail) in rows {
        let depth = depths.get(&parent).map_or(0, |depth: &usize| depth + 1);
        depths.insert(id, depth);
        if !plan.is_empty() {
            plan.push('\n');
        }
        plan.push_str(&"  ".repeat(depth));
        plan.push_str(&detail);
    }
    plan
}

/// The plan of PostgreSQL with a `?` for each quoted value; the values that this program binds all come quoted, for they
/// are of types that have no notation of their own. A quote within a value is doubled.
fn without_values(plan: &str) -> String {
    let mut out = String::with_capacity(plan.len());
    let mut rest = plan;
    while let Some((before, after)) = rest.split_once('\'') {
        // A value with a backslash is written E'..'.
        let is_escaped =
            before.strip_suffix('E').is_some_and(|left| !left.ends_with(|letter: char| letter.is_alphanumeric()));
        out.push_str(if is_escaped { &before[..before.len() - 1] } else { before });
        out.push('?');
        rest = after;
        loop {
            let Some((_, after)) = rest.split_once('\'') else {
                // A value without an end: none is shown.
                return out;
            };
            rest = after;
            match rest.strip_prefix('\'') {
                Some(after) => rest = after,
                None => break,
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_without_its_values() {
        let mut query = Query::new();
        query.sql("SELECT a WHERE b = ").text("secret").sql(" AND c > ").integer(7).sql(" LIMIT ").real(1.5);

        assert_eq!(text(&query), "SELECT a WHERE b = ? AND c > ? LIMIT ?");
    }

    #[test]
    fn a_plan_is_told_without_its_values() {
        let cases = [
            ("Filter: (folded = 'smith'::text)", "Filter: (folded = ?::text)"),
            ("(a = 'o''hara'::text) AND (b = '-5'::bigint)", "(a = ?::text) AND (b = ?::bigint)"),
            ("(a = E'x\\\\y'::text)", "(a = ?::text)"),
            ("(a = 'two\nlines''s'::text)\nRows", "(a = ?::text)\nRows"),
            ("(a = ''::text)", "(a = ?::text)"),
            ("(a = '''')", "(a = ?)"),
            ("Seq Scan on resource r  (cost=0.00..1.5 rows=3)", "Seq Scan on resource r  (cost=0.00..1.5 rows=3)"),
            ("(a = 'no end", "(a = ?"),
        ];

        for (plan, told) in cases {
            assert_eq!(without_values(plan), told);
        }
    }

    #[test]
    fn the_parts_of_a_plan_stand_under_their_wholes() {
        let row = |id, parent, detail: &str| (id, parent, 0, detail.to_owned());

        let plan = indented(vec![row(3, 0, "SEARCH r"), row(9, 0, "LIST SUBQUERY 1"), row(12, 9, "SEARCH i")]);

        assert_eq!(plan, "SEARCH r\nLIST SUBQUERY 1\n  SEARCH i");
    }
}
