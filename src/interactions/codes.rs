//! What a search must know before it is compiled, from the snapshot that it reads: which codes its value sets and
//! hierarchies hold, how much its criteria leave, and whether its chains may lead to contained resources.
//!
//! Spec: R4 search.html#token

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::fhir::IssueCode;
use crate::interactions::InteractionError;
use crate::interactions::definitions::{DefinitionError, StoredDefinitions};
use crate::search::{
    CodeQuery, Codes, CompileContext, NarrowedSearch, ResolvedSearch, SearchError, Size, any_contained,
    keeps_statistics, size,
};
use crate::store::Reader;
use crate::terminology::{CodeSet, Direction, Extent, Lookup, LookupError, TerminologyError};

/// The request with the codes that its criteria stand for now.
pub(super) fn resolved<'q>(
    reader: &mut Reader<'_>,
    request: NarrowedSearch<'q>,
) -> Result<ResolvedSearch<'q>, InteractionError> {
    let mut definitions = StoredDefinitions::new(reader, request.filter());
    let mut lookup = Lookup::new(&mut definitions);
    request.resolve(|parameter, queries| match codes(&mut lookup, queries) {
        Ok(set) => Ok(listed(&set)),
        Err(error) => Err(refused(error, parameter)),
    })
}

/// The search with the sizes of its criteria, as far as they decide how it is done; `limit` rows are many.
pub(super) fn sized<'q>(
    reader: &mut Reader<'_>,
    request: ResolvedSearch<'q>,
    context: &CompileContext<'_>,
    limit: u32,
) -> Result<ResolvedSearch<'q>, InteractionError> {
    request.sized(keeps_statistics(context.dialect), |criterion, parameter| {
        let rows = reader.number(&size(criterion, parameter, context, limit))?;
        let rows = u32::try_from(rows).unwrap_or(limit);
        Ok(if rows < limit { Size::Few(rows) } else { Size::Many })
    })
}

/// The search that knows which of its chains can't lead to contained resources.
pub(super) fn reaching<'q>(
    reader: &mut Reader<'_>,
    request: ResolvedSearch<'q>,
) -> Result<ResolvedSearch<'q>, InteractionError> {
    request.reaching(|types| Ok(reader.number(&any_contained(types))? > 0))
}

type Failed = LookupError<DefinitionError>;

/// What all queries mean together.
fn codes(lookup: &mut Lookup<'_, StoredDefinitions<'_, '_>>, queries: &[CodeQuery]) -> Result<CodeSet, Failed> {
    let mut set = CodeSet::default();
    for query in queries {
        let part = match query {
            CodeQuery::StoredValueSet(key) => {
                let found = lookup.source().resource(key).map_err(LookupError::Source)?;
                let url = key.to_string();
                match found {
                    Some(value_set) => Rc::new(lookup.value_set_at_hand(&url, &value_set)?),
                    None => return Err(TerminologyError::UnknownValueSet { url }.into()),
                }
            }
            CodeQuery::ValueSet { canonical, address } => {
                let found = match address {
                    Some(key) => lookup.source().resource(key).map_err(LookupError::Source)?,
                    None => None,
                };
                match found {
                    Some(value_set) => Rc::new(lookup.value_set_at_hand(canonical, &value_set)?),
                    None => lookup.value_set(canonical)?,
                }
            }
            CodeQuery::Below { system, code } => kin(lookup, system, code, Direction::Below)?,
            CodeQuery::Above { system, code } => kin(lookup, system, code, Direction::Above)?,
        };
        lookup.unite(&mut set, &part)?;
    }
    Ok(set)
}

fn kin(
    lookup: &mut Lookup<'_, StoredDefinitions<'_, '_>>,
    system: &str,
    code: &str,
    direction: Direction,
) -> Result<Rc<CodeSet>, Failed> {
    let codes: BTreeSet<Box<str>> = lookup.subsumed(system, code, direction)?.into_iter().collect();
    Ok(Rc::new(CodeSet::of(system, Extent::Only(codes))))
}

/// The set as a search takes it.
fn listed(set: &CodeSet) -> Codes {
    let pair = |(system, code): (&str, &str)| (system.to_owned(), code.to_owned());
    let mut codes = Codes { listed: set.codes().map(pair).collect(), ..Codes::default() };
    for (system, except) in set.whole_systems() {
        codes.systems.push(system.to_owned());
        codes.except.extend(except.iter().map(|code| (system.to_owned(), code.to_string())));
    }
    codes
}

fn refused(error: Failed, parameter: &str) -> InteractionError {
    let (code, problem) = match error {
        LookupError::Source(DefinitionError::Interaction(error)) => return error,
        LookupError::Source(error) => (IssueCode::TooCostly, error.to_string()),
        LookupError::Terminology(error) if error.is_too_costly() => (IssueCode::TooCostly, error.to_string()),
        LookupError::Terminology(error) => (IssueCode::NotFound, error.to_string()),
    };
    SearchError::Codes { parameter: parameter.chars().take(80).collect(), code, problem }.into()
}
