//! A request as the audit trail tells of it: who acts, and what of the record that touches.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::fhir::ResourceKey;

/// Who acts, by ids alone; all absent on a server where nobody signs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// The id of the app or system.
    pub client: Option<String>,
    /// The account of the person, on whose behalf the client acts if there is one.
    pub account: Option<i64>,
    /// Who the person is as a resource, such as `Practitioner/7`.
    pub fhir_user: Option<String>,
    /// The last 32 characters of the hash of the token.
    pub token: Option<String>,
    /// The key of the Patient whose record alone was within reach; `None` where there may have been several.
    pub record: Option<i64>,
    /// The command of the program that an operator runs.
    pub command: Option<Cow<'static, str>>,
}

/// Where the ids of clients are identifiers.
pub const CLIENT_SYSTEM: &str = "urn:emberwell:client";
/// Where the numbers of accounts are identifiers.
pub const ACCOUNT_SYSTEM: &str = "urn:emberwell:account";

/// What is done.
///
/// Spec: http://hl7.org/fhir/restful-interaction
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    Create,
    Read,
    Vread,
    Update,
    Patch,
    Delete,
    History,
    Search,
    Batch,
    Operation,
    /// A client gets a token.
    Login,
    /// A person signs in, or tries to.
    SignIn,
    /// A person changes how they sign in.
    ChangeCredentials,
    /// A client asks what a token is worth.
    Introspect,
    /// A client ends a token.
    Revoke,
    /// Access is given.
    Grant,
    EndGrant,
    AddAccount,
    DisableAccount,
    AddClient,
    ChangeClient,
    ApproveClient,
    /// An operator vouches for who makes a client, or does so no more.
    VerifyClient,
    RemoveClient,
    SuspendClient,
    /// An app may register itself.
    Invite,
    Reindex,
}

/// What a read gave out.
#[derive(Clone, Debug)]
pub struct Note {
    pub deed: Deed,
    /// What was asked for, of an entry of a Bundle; else that is the address of the request.
    pub query: Option<String>,
    /// The numbers of the resources, with their versions.
    pub given: Vec<(i64, i64)>,
    /// What was given out of the trail itself: whom each event is about, by the key of the Patient, and its reference.
    pub events: Vec<(Option<i64>, String)>,
}

/// An entry of a batch that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// As HTTP says it.
    pub status: u16,
    /// What it was about, if that is known.
    pub key: Option<ResourceKey>,
}

/// A request under way, gathering what is to be told of it.
#[derive(Debug)]
pub struct Act {
    pub agent: Arc<Agent>,
    /// The id of the request.
    pub request: Arc<str>,
    pub at_us: i64,
    /// What was asked for where the address does not say so: a search that came as a form.
    asked: OnceLock<String>,
    noted: Mutex<Noted>,
}

/// What was told of a request.
#[derive(Debug, Default)]
pub struct Noted {
    pub given: Vec<Note>,
    pub refused: Vec<Refused>,
}

impl Deed {
    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Deed::Create => "create",
            Deed::Read => "read",
            Deed::Vread => "vread",
            Deed::Update => "update",
            Deed::Patch => "patch",
            Deed::Delete => "delete",
            Deed::History => "history",
            Deed::Search => "search",
            Deed::Batch => "batch",
            Deed::Operation => "operation",
            Deed::Login => "login",
            Deed::SignIn => "sign-in",
            Deed::ChangeCredentials => "change-credentials",
            Deed::Introspect => "introspect",
            Deed::Revoke => "revoke",
            Deed::Grant => "grant",
            Deed::EndGrant => "end-grant",
            Deed::AddAccount => "add-account",
            Deed::DisableAccount => "disable-account",
            Deed::AddClient => "add-client",
            Deed::ChangeClient => "change-client",
            Deed::ApproveClient => "approve-client",
            Deed::VerifyClient => "verify-client",
            Deed::RemoveClient => "remove-client",
            Deed::Invite => "invite",
            Deed::SuspendClient => "suspend-client",
            Deed::Reindex => "reindex",
        }
    }
}

impl Act {
    /// A request with this id that begins at `at_us`.
    pub fn new(agent: Arc<Agent>, request: Arc<str>, at_us: i64) -> Act {
        Act { agent, request, at_us, asked: OnceLock::new(), noted: Mutex::default() }
    }

    /// Notes what the body asks for.
    pub fn ask(&self, query: impl FnOnce() -> String) {
        self.asked.get_or_init(query);
    }

    /// What the body asks for.
    pub fn asked(&self) -> Option<&str> {
        self.asked.get().map(String::as_str)
    }

    /// Notes what was given out.
    pub fn give(&self, note: Note) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).given.push(note);
    }

    /// Notes that an entry was refused.
    pub fn refuse(&self, refused: Refused) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).refused.push(refused);
    }

    /// All that was noted so far, which is forgotten here.
    pub fn take(&self) -> Noted {
        std::mem::take(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
