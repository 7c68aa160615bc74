//! The value of `_sort`.
//!
//! Spec: R4 search.html#sort

use crate::fhir::ResourceType;
use crate::search::parse::conditions::{MAX_TARGETS, cut, reference, subject};
use crate::search::{Link, Parameter, ParameterKind, Registry, SearchError, Sort, SortBy, SortKey, Subject};

/// More keys than any list for people needs.
const MAX_KEYS: usize = 8;
/// So many references may lie between a resource and what it is sorted by.
const MAX_DEPTH: usize = 8;

/// Reads `value`, for a search of the types in `scope`; of any type when there is none.
pub(super) fn read(scope: &[ResourceType], value: &str, registry: &Registry) -> Result<Sort, SearchError> {
    let mut sort = Sort::default();
    for part in value.split(',').map(str::trim) {
        if sort.keys.len() == MAX_KEYS {
            return Err(bad(format!("it has more than {MAX_KEYS} keys; give fewer")));
        }
        let (is_descending, name) = part.strip_prefix('-').map_or((false, part), |name| (true, name));
        if name.is_empty() {
            return Err(bad(
                "give names of search parameters, separated by commas, with '-' before those that are to descend",
            ));
        }
        let by = sort_by(scope, name, 0, registry)?;
        // What follows `_id` decides nothing where ids are unique.
        let is_decided = scope.len() == 1 && sort.keys.iter().any(|key| matches!(key.by, SortBy::Id));
        if !is_decided {
            sort.keys.push(SortKey { by, is_descending });
        }
    }
    Ok(sort)
}

fn sort_by(scope: &[ResourceType], name: &str, depth: usize, registry: &Registry) -> Result<SortBy, SearchError> {
    if let Some((head, rest)) = name.split_once('.') {
        return linked(scope, head, rest, depth, registry).map(SortBy::Linked);
    }
    if let Some((code, _)) = name.split_once(':') {
        let problem =
            "takes no modifier here; ':' and a resource type stand before '.' only, as in subject:Patient.family";
        return Err(bad(format!("'{}' {problem}", cut(code))));
    }
    if matches!(name, "_filter" | "_query" | "_list" | "_has" | "_score") {
        return Err(bad(no_values(name)));
    }
    let mut parameters: Vec<&'static Parameter> = Vec::new();
    for subject in subjects(scope, name, registry)? {
        match subject {
            Subject::Id => return Ok(SortBy::Id),
            Subject::LastUpdated => return Ok(SortBy::LastUpdated),
            Subject::Near => return Err(bad("'near' has no order of its own; the distance depends on the search")),
            Subject::Text | Subject::Content => return Err(bad(no_values(name))),
            Subject::Index(parameter) => parameters.push(parameter),
        }
    }
    let kind = parameters.first().map(|parameter| parameter.kind);
    match kind {
        Some(ParameterKind::Composite | ParameterKind::Special) => {
            let problem = "has no order: its values are made of several; sort by one of these instead";
            Err(bad(format!("'{}' {problem}", cut(name))))
        }
        _ if parameters.iter().any(|parameter| Some(parameter.kind) != kind) => {
            let problem = "is not of the same kind for all types that are searched; name one type";
            Err(bad(format!("'{}' {problem}", cut(name))))
        }
        _ => Ok(SortBy::Index(parameters)),
    }
}

fn no_values(name: &str) -> String {
    format!("'{name}' has no values that resources could be sorted by")
}

/// `reference.rest` or `reference:Type.rest`
fn linked(
    scope: &[ResourceType],
    head: &str,
    rest: &str,
    depth: usize,
    registry: &Registry,
) -> Result<Link, SearchError> {
    if depth == MAX_DEPTH {
        return Err(bad(format!("a key goes through more than {MAX_DEPTH} references")));
    }
    let (code, named) = head.split_once(':').map_or((head, None), |(code, named)| (code, Some(named)));
    let by = each(scope).map(|of| reference(of, code, code, registry)).collect::<Result<Vec<_>, _>>().map_err(told)?;
    if by.iter().any(|by| by.has_canonicals()) {
        let problem = "refers to resources by their canonical URL, which several may have: none gives the order";
        return Err(bad(format!("'{}' {problem}", cut(code))));
    }
    let points_to = |of: &ResourceType| by.iter().any(|by| by.points_to(*of));
    let targets = match named {
        Some(named) => {
            let target = ResourceType::parse(named).ok().filter(points_to);
            vec![target.ok_or_else(|| bad(format!("after '{}:' comes a resource type that it refers to", cut(code))))?]
        }
        None => {
            let is_open = by.iter().any(|by| by.targets.is_empty());
            let targets: Vec<ResourceType> = ResourceType::all().filter(points_to).collect();
            if is_open || targets.len() > MAX_TARGETS {
                let problem = "refers to many types: name one, as subject:Patient.family does";
                return Err(bad(format!("'{}' {problem}", cut(code))));
            }
            // Types that lack the parameter have no value; at least one must have it.
            let lacks = |of: &ResourceType| sort_by(&[*of], rest, depth + 1, registry).is_err();
            let having: Vec<ResourceType> = targets.iter().copied().filter(|of| !lacks(of)).collect();
            if having.is_empty() { targets } else { having }
        }
    };
    let then = Box::new(sort_by(&targets, rest, depth + 1, registry)?);
    Ok(Link { by: deduplicated(by), targets, then })
}

/// What `code` names for each type in `scope`.
fn subjects(scope: &[ResourceType], code: &str, registry: &Registry) -> Result<Vec<Subject>, SearchError> {
    let subjects = each(scope).map(|of| subject(of, code, registry)).collect::<Result<Vec<_>, _>>().map_err(told)?;
    let mut known = Vec::new();
    Ok(subjects.into_iter().filter(|subject| is_new(subject, &mut known)).collect())
}

/// A parameter of `Resource` is the same for all types.
fn is_new(subject: &Subject, known: &mut Vec<i16>) -> bool {
    match subject {
        Subject::Index(parameter) if known.contains(&parameter.id()) => false,
        Subject::Index(parameter) => {
            known.push(parameter.id());
            true
        }
        _ => true,
    }
}

fn deduplicated(mut parameters: Vec<&'static Parameter>) -> Vec<&'static Parameter> {
    parameters.sort_unstable_by_key(|parameter| parameter.id());
    parameters.dedup_by_key(|parameter| parameter.id());
    parameters
}

fn each(scope: &[ResourceType]) -> impl Iterator<Item = Option<ResourceType>> + '_ {
    let any = scope.is_empty().then_some(None);
    any.into_iter().chain(scope.iter().copied().map(Some))
}

fn bad(problem: impl Into<String>) -> SearchError {
    SearchError::BadValue { parameter: "_sort".to_owned(), problem: problem.into() }
}

fn told(error: SearchError) -> SearchError {
    bad(error.to_string())
}
