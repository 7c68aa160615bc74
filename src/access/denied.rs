//! Why a caller may not do what was asked. None of these says anything about a resource that the caller can't see.

use thiserror::Error;

use crate::access::Context;
use crate::fhir::ResourceType;
use crate::search::{NotPermitted, Right};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    #[error("{}", scope(.0))]
    Scope(NotPermitted),
    /// What would be written is not what the caller may write.
    #[error("the {0} would not be among those that the token is for: check whom it is about, and the token's scopes")]
    OutOfReach(ResourceType),
    #[error("a {0} may not be handed from one person's record to another's: leave whom it is about as it is")]
    Moved(ResourceType),
    #[error("security labels may not be taken away: keep those in meta.security")]
    Labels,
    #[error("a {0} may give access to others: only a custodian of the record may write it")]
    Confers(ResourceType),
    #[error(
        "a Binary is attached by whoever may read it alone: store it first, or in the same transaction, with the Patient as \
         its securityContext"
    )]
    Attached,
    #[error(
        "a Provenance that the server recorded itself stays as it is: only a client that administers the server may change it"
    )]
    Recorded,
    #[error("an AuditEvent is written by the server alone")]
    Audit,
    #[error("only a client that administers the server may do this: it needs the scope system/*.cruds on all records")]
    Administration,
}

impl Denied {
    /// The scope that was lacking, in the context of the token; `None` where no scope alone would have done.
    pub fn scope_needed(&self, context: Context) -> Option<String> {
        match self {
            Denied::Scope(NotPermitted { resource_type, right }) => {
                let types = resource_type.map_or("*", ResourceType::name);
                Some(format!("{}/{types}.{}", context.name(), right.letter()))
            }
            Denied::Administration => Some("system/*.cruds".to_owned()),
            _ => None,
        }
    }
}

impl From<NotPermitted> for Denied {
    fn from(refused: NotPermitted) -> Denied {
        Denied::Scope(refused)
    }
}

fn scope(refused: &NotPermitted) -> String {
    let right = match refused.right {
        Right::Create => "creating (c)",
        Right::Read => "reading (r)",
        Right::Update => "updating (u)",
        Right::Delete => "deleting (d)",
        Right::Search => "searching (s)",
    };
    match refused.resource_type {
        Some(of) => format!("the token has no scope for {right} {of}: ask for one that names it"),
        None => format!("the token has no scope for {right} anything here: ask for one that names the types"),
    }
}
