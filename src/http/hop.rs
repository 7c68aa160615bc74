//! The one place where a request leaves the thread that it came in on, and comes back.
//!
//! Decision: on SQLite the read of one resource and the preparing of a small write stay on the actix worker. A read
//! from the page cache takes about 5 us, handing it to another thread and back takes longer than that; validating a
//! small resource takes some 50 us, and nobody waits for a disk meanwhile. What may take milliseconds (pages, bundles,
//! large bodies) and everything on PostgreSQL, where a network lies in between, goes to a blocking thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix_web::web;
use tokio::sync::oneshot;

use crate::http::{App, HttpError};
use crate::interactions::{Engine, InteractionError, PREPARATIONS, Write};
use crate::store::{Dialect, Reader, ResourceRow, end_shared_read};

/// A body below this is prepared on the worker itself.
const SMALL_BODY_BYTES: usize = 32 * 1024;
/// So many requests may wait for a blocking thread or run on one; more wait for a place, and are turned away if none is free in time.
pub(super) const MOST_UNDER_WAY: usize = 1024;
/// So many small writes may wait for the writing thread of SQLite: eight of its transactions.
pub(super) const MOST_WRITES: usize = 1024;

impl App {
    /// Reads one resource by a single statement: on SQLite here, on PostgreSQL on a blocking thread.
    pub(super) async fn read_resource(
        &self,
        work: impl FnOnce(&mut Reader<'_>) -> Result<ResourceRow, InteractionError> + Send + 'static,
    ) -> Result<ResourceRow, HttpError> {
        if self.engine.store.dialect() != Dialect::Sqlite {
            return self.block(move |engine| engine.store.read_one(work)).await;
        }
        // A new task waits behind all that are ready now: their reads share the snapshot that it ends.
        let end_later = || {
            actix_web::rt::spawn(async { end_shared_read() });
        };
        Ok(self.engine.store.read_shared(end_later, work)?)
    }

    /// Does a write: `prepare` needs no lock and runs again when another write got in between. `body_bytes` tells how
    /// long that may take.
    pub(super) async fn write<W: Write>(
        &self,
        body_bytes: usize,
        prepare: impl Fn(&Engine) -> Result<W, InteractionError> + Send + 'static,
    ) -> Result<W::Answer, HttpError> {
        if self.engine.store.dialect() != Dialect::Sqlite || body_bytes >= SMALL_BODY_BYTES {
            return self.write_conditional(prepare).await;
        }
        // Before it is prepared: who has too much to do must not do it for nothing.
        let _place = self.writes.take().await?;
        for _ in 0..PREPARATIONS {
            let mut write = match guarded(|| prepare(&self.engine)) {
                Err(HttpError::Interaction(InteractionError::Stale)) => {
                    self.engine.refresh()?;
                    continue;
                }
                prepared => prepared?,
            };
            let (sender, receiver) = oneshot::channel();
            let done = move |outcome| {
                if sender.send(outcome).is_err() {
                    tracing::debug!("Nobody waits for this write any more");
                }
            };
            self.engine.store.submit(move |tx| write.apply(tx), done);
            match receiver.await {
                Ok(Err(InteractionError::Stale)) => {
                    // The search parameters may be what has changed.
                    self.engine.refresh()?;
                }
                Ok(outcome) => return outcome.map_err(HttpError::from),
                Err(_) => return Err(HttpError::BrokeOff),
            }
        }
        Err(InteractionError::Contended.into())
    }

    /// Does a write whose condition is looked up while it is prepared, which may take long.
    pub(super) async fn write_conditional<W: Write>(
        &self,
        prepare: impl Fn(&Engine) -> Result<W, InteractionError> + Send + 'static,
    ) -> Result<W::Answer, HttpError> {
        self.block(move |engine| engine.write(prepare)).await
    }

    /// Does anything that may take long, on a blocking thread.
    pub async fn block<T: Send + 'static, E: Into<HttpError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, E> + Send + 'static,
    ) -> Result<T, HttpError> {
        let place = self.under_way.take().await?;
        let engine = Arc::clone(&self.engine);
        let done = web::block(move || {
            // Held by the work, not by the request: that may be gone before.
            let _place = place;
            guarded(|| work(&engine))
        });
        done.await.unwrap_or(Err(HttpError::BrokeOff))
    }
}

/// Runs `work`; a panic in it becomes an answer instead of a cut connection.
fn guarded<T, E: Into<HttpError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, HttpError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(_) => Err(HttpError::BrokeOff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let outcome: Result<(), HttpError> = guarded(|| -> Result<(), HttpError> { panic!("on purpose") });

        assert!(matches!(outcome, Err(HttpError::BrokeOff)));
    }
}
