//! Criteria and preconditions: what must hold before a write is done.
//!
//! Spec: R4 http.html#ccreate, #cond-update, #concurrency

use crate::access::{Caller, Denied};
use crate::fhir::{Issue, IssueCode, ResourceKey, ResourceType};
use crate::interactions::app_state;
use crate::interactions::codes::resolved;
use crate::interactions::search::check_rules;
use crate::interactions::search_cost::{SearchPart, ended};
use crate::interactions::trail;
use crate::interactions::{Engine, InteractionError, Precondition};
use crate::search::{CompileContext, Handling, ParseContext, SearchRequest, matches, parse, parse_query_string};
use crate::store::{Locked, Reader, ResourceRow, Tx};

/// The search of a conditional interaction.
#[derive(Clone)]
pub(super) struct Criteria {
    pub(super) resource_type: ResourceType,
    caller: Caller,
    request: SearchRequest,
}

impl Criteria {
    /// Reads a query string. Unknown parameters and empty criteria are always refused: what they would match is not
    /// what was meant.
    pub(super) fn parse(
        engine: &Engine,
        caller: &Caller,
        resource_type: ResourceType,
        text: &str,
    ) -> Result<Criteria, InteractionError> {
        // Some clients put the type, or the question mark alone, before the criteria.
        let text = text.strip_prefix(resource_type.name()).filter(|rest| rest.starts_with('?')).unwrap_or(text);
        let text = text.strip_prefix('?').unwrap_or(text);
        let pairs = parse_query_string(text)?;
        let request = engine.understood(|registry| {
            let context = ParseContext { handling: Handling::Strict, bases: &engine.bases, registry };
            parse(Some(resource_type), &pairs, &context)
        })?;
        trail::is_elsewhere(caller, &request)?;
        if !request.includes.is_empty() {
            return Err(InteractionError::Invalid(vec![Issue::request(
                IssueCode::NotSupported,
                "a conditional interaction includes nothing: leave _include and _revinclude out of its criteria",
            )]));
        }
        if request.control.contained.is_some() {
            return Err(InteractionError::Invalid(vec![Issue::request(
                IssueCode::NotSupported,
                "a conditional interaction concerns resources by themselves: leave _contained out of its criteria",
            )]));
        }
        if request.demands.is_empty() {
            return Err(InteractionError::Invalid(vec![Issue::request(
                IssueCode::Required,
                "a conditional interaction needs at least one search parameter, or it would concern every resource of the type",
            )]));
        }
        Ok(Criteria { resource_type, caller: caller.clone(), request })
    }

    /// The same text for criteria that ask for the same.
    pub(super) fn canonical(&self) -> String {
        self.request.canonical()
    }

    /// The first `most` matches, found without a lock: so that a condition that takes too long ends here, where it holds
    /// up no other write.
    pub(super) fn look_up(&self, engine: &Engine, most: u32) -> Result<Vec<ResourceRow>, InteractionError> {
        engine.read(|reader| self.find(reader, most))
    }

    /// Keeps equal conditions of other transactions waiting until this one ends, then finds what matches now.
    pub(super) fn find_locked(&self, tx: &mut Tx<'_>, most: u32) -> Result<Vec<ResourceRow>, InteractionError> {
        tx.lock_text(&self.request.canonical())?;
        self.find(tx, most)
    }

    /// The first `most` matches.
    pub(super) fn find(&self, reader: &mut Reader<'_>, most: u32) -> Result<Vec<ResourceRow>, InteractionError> {
        check_rules(reader, &self.request)?;
        let hasher = reader.hasher();
        let context = CompileContext {
            hasher: &hasher,
            dialect: reader.dialect(),
            now_us: crate::clock::now_us(),
            zone_minutes: self.request.registry.zone_minutes(),
        };
        let narrowed = self.request.narrowed(self.caller.filter()).map_err(Denied::from)?;
        let request = resolved(reader, narrowed).map_err(ended(&self.request, SearchPart::Matches))?;
        let found = reader.rows(&matches(&request, &context, most));
        found.map_err(ended(&self.request, SearchPart::Matches))
    }

    /// The one match, or none.
    pub(super) fn single(&self, mut rows: Vec<ResourceRow>) -> Result<Option<ResourceRow>, InteractionError> {
        if rows.len() > 1 {
            return Err(InteractionError::MultipleMatches(self.resource_type));
        }
        Ok(rows.pop())
    }
}

impl Precondition {
    /// The number of the version that an update under it makes, as far as one can tell before.
    pub(super) fn next_version(&self) -> i64 {
        match self.if_match.as_deref() {
            Some([only]) => only.parse().map_or(2, |standing: i64| standing.saturating_add(1)),
            _ => 2,
        }
    }

    /// What to say of a resource that is not there for the caller: that no version of it can match, where one was to.
    pub(super) fn unknown(&self, error: InteractionError) -> InteractionError {
        match error {
            InteractionError::NotFound(key) if self.if_match.is_some() => InteractionError::NothingToMatch(key),
            other => other,
        }
    }

    /// Checks the precondition against what stands at `key`.
    pub(super) fn check(&self, key: &ResourceKey, standing: Option<&Locked>) -> Result<(), InteractionError> {
        let current = standing.filter(|locked| !locked.is_deleted);
        if self.if_none_match_any && current.is_some() {
            return Err(InteractionError::Exists(key.clone()));
        }
        let Some(versions) = &self.if_match else {
            return match current {
                Some(current) if app_state::is_state(key.resource_type, current)? => {
                    Err(InteractionError::VersionNeeded(key.clone()))
                }
                _ => Ok(()),
            };
        };
        let Some(current) = current else {
            return Err(InteractionError::NothingToMatch(key.clone()));
        };
        let number = current.version.to_string();
        if versions.iter().any(|version| *version == number || version == "*") {
            return Ok(());
        }
        Err(InteractionError::VersionConflict { key: key.clone(), current: current.version })
    }
}
