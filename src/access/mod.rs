//! Who is calling, and what that lets them do.
//!
//! Every access is a grant: what a caller may see and do is decided once per request, as an [`AccessFilter`], and every
//! statement carries it.

mod act;
mod buckets;
mod confinement;
mod decision;
mod denied;
mod fit;
pub mod scopes;

pub use act::{ACCOUNT_SYSTEM, Act, Agent, CLIENT_SYSTEM, Deed, Note, Noted, Refused};
pub use buckets::{Buckets, Measure};
pub use decision::{Holding, TokenFacts, Unfit, decide};
pub use denied::Denied;
pub use fit::check_searches;
pub use scopes::{Context, Scope, ScopeQuery, ScopeSet, Types, Word};

use std::sync::Arc;

use crate::fhir::{Id, Resource};
use crate::search::AccessFilter;
pub use crate::search::{Right, Rights};

/// The party behind a request, with what it may see. Every read and write takes one.
#[derive(Clone, Debug)]
pub struct Caller {
    name: &'static str,
    filter: AccessFilter,
    agent: Option<Arc<Agent>>,
    act: Option<Arc<Act>>,
    asks: Option<Arc<str>>,
    claim: Option<Arc<Resource>>,
}

impl Caller {
    /// Anybody, on a server that was started with `--open`.
    pub fn open() -> Caller {
        Caller::new("open", AccessFilter::everything())
    }

    /// The program itself, for the named job.
    pub fn system(name: &'static str) -> Caller {
        Caller::new(name, AccessFilter::everything())
    }

    /// `agent`, whose token gives `filter`.
    pub fn bounded(filter: AccessFilter, agent: Agent) -> Caller {
        Caller { agent: Some(Arc::new(agent)), ..Caller::new("token", filter) }
    }

    fn new(name: &'static str, filter: AccessFilter) -> Caller {
        Caller { name, filter, agent: None, act: None, asks: None, claim: None }
    }

    /// The same, in a request of which the audit trail is to tell. The program's own jobs, and callers that are not known, act
    /// as nobody.
    pub fn acting(self, request: Arc<str>, at_us: i64) -> Caller {
        let agent = self.agent.clone().unwrap_or_default();
        Caller { act: Some(Arc::new(Act::new(agent, request, at_us))), ..self }
    }

    /// The same, by a command of the program that an operator runs, which the audit trail is to tell of.
    pub fn commanding(self, command: &'static str, at_us: i64) -> Caller {
        let agent = Agent { command: Some(command.into()), ..Agent::default() };
        let request = Arc::from(format!("{command}-{}", Id::random()));
        Caller { agent: Some(Arc::new(agent)), ..self }.acting(request, at_us)
    }

    /// Whether the audit trail is to tell of a request: of one who is served, not of an operator's command.
    pub fn is_served_with_trail(&self) -> bool {
        self.act.as_ref().is_some_and(|act| act.agent.command.is_none())
    }

    /// Who it is; `None` for the program itself, and on an open server.
    pub fn agent(&self) -> Option<&Agent> {
        self.agent.as_deref()
    }

    /// The same, in a request that says itself where what it writes comes from: a Provenance without targets.
    pub fn claiming(self, claim: Arc<Resource>) -> Caller {
        Caller { claim: Some(claim), ..self }
    }

    /// What the request says itself of where what it writes comes from.
    pub fn claim(&self) -> Option<&Resource> {
        self.claim.as_deref()
    }

    /// The request, where the audit trail is to tell of it.
    pub fn act(&self) -> Option<&Arc<Act>> {
        self.act.as_ref()
    }

    /// The same, for an entry of a Bundle that asks for `url`.
    pub fn asking(&self, url: &str) -> Caller {
        Caller { asks: self.act.is_some().then(|| url.into()), ..self.clone() }
    }

    /// What the entry of the Bundle asks for.
    pub fn asks(&self) -> Option<&str> {
        self.asks.as_deref()
    }

    /// What the log calls this party.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it may see and do.
    pub fn filter(&self) -> &AccessFilter {
        &self.filter
    }

    /// Refuses whoever may not do what concerns the whole server.
    pub fn administers(&self) -> Result<(), Denied> {
        if self.filter.administers() { Ok(()) } else { Err(Denied::Administration) }
    }
}
