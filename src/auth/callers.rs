//! From a token to its [`Caller`].
//!
//! What a token lets its holder do is decided when it is met first, and kept. It holds for as long as nothing has changed
//! that could decide otherwise: the database counts each change to accounts, grants, clients and Consents, to whom a Person or a
//! PractitionerRole leads to, and each revocation. SQLite
//! is asked for that count at each request, a matter of microseconds. PostgreSQL, a network away, is asked four times a
//! second, and at once after a change that this process made.
//!
//! Spec: RFC 6750, SMART App Launch 2.2

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::access::{Agent, Caller, Holding, ScopeSet, TokenFacts, Unfit, decide};
use crate::clock;
use crate::fhir::{Id, Reference, ResourceKey, ResourceType};
use crate::search::{Registry, Sensitivity, actor_of_client, actor_of_user};
use crate::store::{Dialect, Grant, GrantLevel, Grantee, Labels, Reader, SecretHash, Store, StoreError, TokenContext};

/// For so long a count that PostgreSQL gave is taken for the present one.
const RECENT: Duration = Duration::from_millis(250);
/// More tokens than this are forgotten, all at once: the next request of each decides anew.
const MOST_KNOWN: usize = 10_000;

/// Why a token is not accepted.
#[derive(Debug, Error)]
pub enum TokenRefused {
    /// Unknown, expired, revoked, or its client or account is out of use. Which of these is nobody's business.
    #[error("the access token is not valid, or is so no longer: get a new one")]
    Invalid,
    /// It is what it says that can't be applied.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    Store(#[from] StoreError),
}

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

    /// Decides who holds `token`. `bases` are the server's own base URLs, without a slash at the end.
    pub fn look_up(
        &self,
        store: &Store,
        registry: &Arc<Registry>,
        bases: &Arc<[String]>,
        token: &str,
    ) -> Result<Caller, TokenRefused> {
        let (hash, now_us) = (SecretHash::of(token.as_bytes()), clock::now_us());
        // Before the snapshot: what changes meanwhile is to be noticed.
        let changes = store.access_changes();
        let (generation, context, actors) = store.read(|reader| {
            let (generation, context) = (reader.access_generation()?, reader.token_context(&hash, now_us)?);
            let actors = context.as_ref().map(|context| actors(reader, context)).transpose()?.flatten();
            Ok::<_, StoreError>((generation, context, actors))
        })?;
        let context = context.ok_or(TokenRefused::Invalid)?;
        let facts = TokenFacts { actors, ..facts(&context) };
        let record = facts.sole_record().map(|record| store.hasher().key(record));
        let agent = Agent { record, ..agent(&context, &hash) };
        let caller = Caller::bounded(decide(&facts, registry, bases)?, agent);
        let ends = context.grants.iter().filter_map(|grant| grant.until_us);
        let until_us = ends.chain([context.token.expires_us]).min().unwrap_or(now_us);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.generation < generation || known.callers.len() >= MOST_KNOWN {
            known.callers.clear();
        }
        // Another request may have learnt of a later change meanwhile.
        if known.generation <= generation {
            known.generation = generation;
            known.changes = changes;
            known.asked = Some(Instant::now());
            let rules = registry.generation();
            known.callers.insert(hash, Decided { caller: caller.clone(), until_us, rules });
        }
        Ok(caller)
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

fn agent(context: &TokenContext, token: &SecretHash) -> Agent {
    Agent {
        client: context.client.as_ref().map(|client| client.id.clone()),
        account: context.account.as_ref().map(|account| account.id),
        fhir_user: context.account.as_ref().and_then(|account| account.fhir_user.clone()),
        token: Some(token.tail()),
        ..Agent::default()
    }
}

fn facts(context: &TokenContext) -> TokenFacts {
    let TokenContext { token, client, account, grants } = context;
    let is_to_app = |grant: &&Grant| account.is_some() && matches!(grant.to, Grantee::Client(_));
    let (account_id, client_id) =
        (account.as_ref().map(|account| account.id), client.as_ref().map(|client| &client.id));
    TokenFacts {
        scopes: ScopeSet::parse(&token.scopes),
        policy: client.as_ref().map(|client| ScopeSet::parse(&client.scopes)),
        app_grant: grants.iter().find(is_to_app).map(holding),
        patient: token.patient.as_ref().map(patient),
        holdings: grants.iter().filter(|grant| !is_to_app(grant)).map(holding).collect(),
        holder: format!("{account_id:?} {client_id:?}"),
        actors: None,
    }
}

/// The names by which Consents know the holder: who the person is, also as the one who has a role or is linked as a Person, and the
/// client. `None` while no Consent denies anything.
fn actors(reader: &mut Reader<'_>, context: &TokenContext) -> Result<Option<Vec<i64>>, StoreError> {
    if !reader.has_consent_rules()? {
        return Ok(None);
    }
    let hasher = reader.hasher();
    let mut actors: Vec<i64> = context.client.iter().map(|client| actor_of_client(&client.id, &hasher)).collect();
    let user = context.account.as_ref().and_then(|account| account.fhir_user.as_deref());
    if let Some(Reference::Local { key, .. }) = user.map(|user| Reference::parse(user, &[])) {
        actors.extend(led_to(reader, key)?);
    }
    Ok(Some(actors))
}

/// `user` and whom it leads to, also by way of others. What is looked at here is what counts the generation on when it changes
/// (`store::tx::changes_access`); how far it goes is bounded by the time of a read.
fn led_to(reader: &mut Reader<'_>, user: ResourceKey) -> Result<BTreeSet<i64>, StoreError> {
    let mut met = BTreeSet::from([actor_of_user(&user, &reader.hasher())]);
    let mut ahead = vec![user];
    while let Some(key) = ahead.pop() {
        let of = key.resource_type;
        let leads = match of.name() {
            "Person" => Registry::bundled().parameter(of, "link"),
            "PractitionerRole" => Registry::bundled().parameter(of, "practitioner"),
            _ => None,
        };
        let Some(by) = leads else { continue };
        let mut targets = reader.referred_by(&key, by.id())?;
        targets.retain(|target| met.insert(*target));
        if !targets.is_empty() {
            ahead.extend(reader.targets(&targets)?.into_iter().map(|target| target.key));
        }
    }
    Ok(met)
}

fn holding(grant: &Grant) -> Holding {
    let is_custodian = grant.level == GrantLevel::Custodian;
    Holding {
        record: grant.patient.as_ref().map(patient),
        scopes: ScopeSet::parse(&grant.scopes),
        sees: Sensitivity {
            personal: is_custodian,
            restricted: is_custodian || grant.labels >= Labels::Restricted,
            very_restricted: is_custodian || grant.labels >= Labels::VeryRestricted,
        },
        sees_history: is_custodian || grant.sees_history,
        is_custodian,
    }
}

fn patient(id: &Id) -> ResourceKey {
    ResourceKey { resource_type: ResourceType::PATIENT, id: id.clone() }
}
