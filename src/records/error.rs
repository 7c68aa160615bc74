//! Why something was not changed.

use thiserror::Error;

use crate::access::Unfit;
use crate::interactions::InteractionError;
use crate::store::{StoreError, WorkError};

/// Why a person, a record, a grant or a client was not made or changed.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error("there is an account with the address {0} already: choose another address")]
    EmailTaken(String),
    #[error("there is no account with the address {0}: 'person add' makes one")]
    NoAccount(String),
    #[error("the account {0} is disabled, and can't be given anything")]
    AccountDisabled(String),
    #[error("the account {0} is disabled already")]
    DisabledAlready(String),
    #[error("there is no {0} on this server: a record is a Patient that is here and not deleted")]
    NoRecord(String),
    #[error("{0} has a custodian already, who can share it: 'grant add' gives the operator's shares")]
    HasCustodian(String),
    #[error("this is the last custodian of {0}: give another one the level custodian, without an end, first")]
    LastCustodian(String),
    #[error(
        "{0} would have no custodian once this one's time is over: leave the end out, or have another without an end"
    )]
    OnlyForATime(String),
    #[error("there is no grant {0}")]
    NoGrant(i64),
    #[error("grant {0} was ended already")]
    GrantEnded(i64),
    #[error("only a custodian of {0} can share it or end its grants")]
    NotCustodian(String),
    #[error("nobody can give more than they hold: {0}")]
    BeyondGrantor(&'static str),
    #[error(
        "'{0}' is no scope that this server knows: use CONTEXT/TYPE.LETTERS, such as {1}, with letters of cruds in this order"
    )]
    UnknownScope(String, &'static str),
    #[error("no scope is named: use CONTEXT/TYPE.LETTERS, such as {0}")]
    NoScope(&'static str),
    #[error("the scope '{scope}' does not fit here: {remedy}")]
    UnfitScope { scope: String, remedy: &'static str },
    #[error("it could not be applied: {0}")]
    UnfitSearch(Unfit),
    #[error("the scopes go beyond the level {0}: leave out the scopes, or choose a wider level")]
    BeyondLevel(&'static str),
    #[error("a custodian holds all: leave the scopes out, or choose another level")]
    CustodianWithScopes,
    #[error("neither a level nor scopes are named: choose a level")]
    NoTerms,
    #[error("the end lies in the past: choose a later one, or leave it out")]
    EndInThePast,
    #[error("there is no client {0}: 'client list' shows those that there are")]
    NoClient(String),
    #[error("the client {0} is {1} already")]
    StandsSo(String, &'static str),
    #[error("the app was changed since it was looked at: look at it again")]
    ChangedMeanwhile,
    /// `member` is named as RFC 7591 does.
    #[error("{problem}")]
    UnfitClient { member: &'static str, problem: &'static str },
    #[error("'{uri}' can't be used as {what}: {remedy}")]
    UnfitUri { member: &'static str, what: &'static str, uri: String, remedy: &'static str },
    #[error("the logo can't be used: {0}")]
    UnfitLogo(&'static str),
    #[error("this is the last owner of the app: name another owner first")]
    LastOwner,
    #[error("you are not asked to take a part in this app any more")]
    NotAsked,
    #[error("one account has at most {0} apps: remove one first, or let somebody else register it")]
    TooManyApps(usize),
    #[error("the invitation is over, was used, or is none: ask the operator for one")]
    NotInvited,
    #[error("the JWK Set can't be used: {0}")]
    UnfitJwks(String),
    #[error("a reason is SCOPE=WHY with one of the client's scopes, and '{0}' is not")]
    UnfitReason(String),
    /// The file or body is no Patient.
    #[error("this is {0}, and a record is a Patient")]
    NotAPatient(String),
    #[error("the system gives no random numbers: {0}")]
    NoRandomness(String),
    #[error("the password could not be hashed: {0}")]
    PasswordNotHashed(String),
    #[error(transparent)]
    Interaction(#[from] InteractionError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WorkError for RecordError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            RecordError::Store(error) => Some(error),
            RecordError::Interaction(error) => error.store_error(),
            _ => None,
        }
    }
}
