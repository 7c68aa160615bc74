//! From a token to its [`Caller`], without deciding anew at each request.
//!
//! What a token lets its holder do is decided when it is met first, and kept. It holds for as long as nothing has changed
//! that could decide otherwise: the database counts each change to accounts, grants, clients and Consents, to whom a Person or a
//! PractitionerRole leads to, and each revocation. SQLite
//! is asked for that count at each request, a matter of microseconds. PostgreSQL, a network away, is asked four times a
//! second, and at once after a change that this process made.
//!
//! Spec: RFC 6750, SMART App Launch 2.2

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::access::{Caller, Context};
use crate::auth::{TokenRefused, Tokens};
use crate::clock;
use crate::search::Registry;
use crate::store::{Dialect, SecretHash, Store, StoreError};

/// For so long a count that PostgreSQL gave is taken for the present one.
const RECENT: Duration = Duration::from_millis(250);
/// More tokens than this are forgotten, all at once: the next request of each decides anew.
const MOST_KNOWN: usize = 10_000;

/// The holders of tokens that are known.
#[derive(Default)]
pub struct Callers {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The count of changes by which the callers were decided.
    generation: i64,
    /// `Store::access_changes` of then.
    changes: i64,
    /// When the database was asked for it last.
    asked: Option<Instant>,
    callers: HashMap<SecretHash, Decided>,
}

struct Decided {
    caller: Caller,
    /// First moment when it must be decided anew.
    until_us: i64,
    /// The generation of the search parameters that its conditions are made of.
    rules: i64,
    /// In which context it would need what it lacks.
    needs: Context,
}

impl Callers {
    /// The holder of `token`, if that was decided before and still holds; `None` when [`Callers::look_up`] is to be asked.
    pub fn at_hand(&self, store: &Store, registry: &Registry, token: &str) -> Result<Option<Caller>, StoreError> {
        if !self.is_recent(store)? {
            return Ok(None);
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let decided = known.callers.get(&SecretHash::of(token.as_bytes()));
        let holds = |decided: &&Decided| clock::now_us() < decided.until_us && decided.rules == registry.generation();
        Ok(decided.filter(holds).map(|decided| decided.caller.clone()))
    }

    /// In which context the holder of `token` would need a scope that is lacking, if that is known by now.
    pub fn needs(&self, token: &str) -> Option<Context> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.callers.get(&SecretHash::of(token.as_bytes())).map(|decided| decided.needs)
    }

    /// Decides who holds `token`.
    pub fn look_up(&self, tokens: &Tokens<'_>, token: &str) -> Result<Caller, TokenRefused> {
        let (hash, now_us) = (SecretHash::of(token.as_bytes()), clock::now_us());
        // Before the snapshot: what changes meanwhile is to be noticed.
        let changes = tokens.store.access_changes();
        let holder = tokens.holder(&hash, now_us)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.generation < holder.generation || known.callers.len() >= MOST_KNOWN {
            known.callers.clear();
        }
        // Another request may have learnt of a later change meanwhile.
        if known.generation <= holder.generation {
            known.generation = holder.generation;
            known.changes = changes;
            known.asked = Some(Instant::now());
            let (until_us, needs, rules) = (holder.until_us(), holder.needs(), tokens.registry.generation());
            known.callers.insert(hash, Decided { caller: holder.caller.clone(), until_us, rules, needs });
        }
        Ok(holder.caller)
    }

    /// Whether what is known is as the database has it.
    fn is_recent(&self, store: &Store) -> Result<bool, StoreError> {
        let (known, changes, asked) = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            (known.generation, known.changes, known.asked)
        };
        let is_near = store.dialect() == Dialect::Sqlite;
        match asked {
            None => Ok(false),
            Some(asked) if !is_near => Ok(asked.elapsed() < RECENT && store.access_changes() == changes),
            Some(_) => Ok(store.read_one(|reader| reader.access_generation())? == known),
        }
    }
}
