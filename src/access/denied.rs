//! Why a caller may not do what was asked. None of these says anything about a resource that the caller can't see.

use thiserror::Error;

use crate::access::Context;
use crate::fhir::ResourceType;
use crate::search::{Lack, NotPermitted, Right};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    #[error("{}", scope(.0))]
    Scope(NotPermitted),
    /// What would be written is not what the caller may write.
    #[error("the {0} would not be among those that the token is for: check whom it is about, and the token's scopes")]
    OutOfReach(ResourceType),
    #[error("{} may not be handed from one person's record to another's: leave whom it is about as it is", .0.with_article())]
    Moved(ResourceType),
    /// The element that names a Patient.
    #[error(
        "{0} names a Patient in whose record the caller may not write this: leave that party out, or have it added by somebody who may"
    )]
    Party(String),
    #[error("security labels may not be taken away: keep those in meta.security")]
    Labels,
    #[error("{} may give access to others: only a custodian of the record may write or delete it", .0.with_article())]
    Confers(ResourceType),
    #[error("a Patient is deleted by custodians of the record alone: nobody could reach what is in it any more")]
    Record,
    #[error(
        "a Binary is attached by whoever may read it alone: store it first by the same client, or in the same \
         transaction"
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
            Denied::Scope(NotPermitted { resource_type, right, lack: Lack::Scope }) => {
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
    let what = refused.resource_type.map_or("anything here", ResourceType::name);
    match refused.lack {
        Lack::Scope => {
            let naming = if refused.resource_type.is_some() { "it" } else { "the types" };
            format!("the token has no scope for {right} {what}: ask for one that names {naming}")
        }
        Lack::Access => format!(
            "the token has a scope for {right} {what}, but no access that is in force opens any: it may have ended, be on another \
             record, or give less; ask whoever can give it"
        ),
        Lack::AllRecords => {
            format!("{what} is part of no record: {right} it takes access to all records, which systems have")
        }
        Lack::Targets => {
            format!(
                "{right} {what} takes a scope for reading (r) what it is about: ask for one that names these types, too"
            )
        }
        Lack::Hierarchy(parameter) => format!(
            "':above' and ':below' of '{parameter}' pass through resources of which not all may be seen: search by \
             '{parameter}' without them"
        ),
    }
}
