//! What one parameter of a query demands: a value, something of a resource that is referred to, or of one that refers.
//!
//! Spec: R4 search.html#chaining, #has, #modifiers

use std::fmt::Write as _;

use crate::fhir::{Id, ResourceType};
use crate::search::parse::{
    MAX_ALL_VALUES, MAX_VALUE_BYTES, MAX_VALUES, ParseContext, modifiers::read_modifier, near, values,
};
use crate::search::query_text::split;
use crate::search::{
    Chain, Condition, Criterion, Demand, Has, Parameter, ParameterKind, Registry, SearchError, Subject, canonical,
};

/// So many references may lie between a resource and what decides about it.
const MAX_DEPTH: usize = 8;
/// So many conditions may a search come to. Each counts twice for each reference before it: PostgreSQL plans an `EXISTS`
/// among alternatives in two ways, and those within it in two ways for each of these.
const MAX_CONDITIONS: usize = 1_000;
/// A chain that names no type asks each that the reference may point to, so many at most.
pub(super) const MAX_TARGETS: usize = 16;

/// The reading of one query's parameters.
pub(super) struct Work<'a> {
    pub context: &'a ParseContext<'a>,
    /// Values of all parameters so far.
    pub values: usize,
    /// Conditions on all types that chains may lead to, so far, each by its weight.
    pub conditions: usize,
}

impl Work<'_> {
    /// What `name=value` demands of a resource of one of the types in `scope`; of any type when there is none.
    pub(super) fn demand(&mut self, scope: &[ResourceType], name: &str, value: &str) -> Result<Demand, SearchError> {
        // A filter is one value, with escapes of its own.
        let mut parts = if is_filter(name) { self.whole(name, value)? } else { self.parts(name, value)? };
        let condition = self.condition(scope, name, name, &parts, 0)?;
        parts.sort_unstable();
        parts.dedup();
        let mut text = name.to_owned();
        let _ = write!(text, "={}", parts.join(","));
        Ok(Demand { condition, text })
    }

    /// The values between commas, still escaped.
    fn parts<'v>(&mut self, name: &str, value: &'v str) -> Result<Vec<&'v str>, SearchError> {
        let mut parts = Vec::new();
        for part in split(value, ',') {
            if part.trim().is_empty() {
                return Err(SearchError::EmptyValue { parameter: cut(name) });
            }
            if part.len() > MAX_VALUE_BYTES {
                return Err(SearchError::TooLong { parameter: cut(name), limit: MAX_VALUE_BYTES });
            }
            self.values += 1;
            if parts.len() == MAX_VALUES || self.values > MAX_ALL_VALUES {
                return Err(SearchError::TooManyValues { parameter: cut(name), limit: MAX_VALUES });
            }
            parts.push(part);
        }
        Ok(parts)
    }

    /// The value as it is.
    fn whole<'v>(&mut self, name: &str, value: &'v str) -> Result<Vec<&'v str>, SearchError> {
        match value.len() {
            _ if value.trim().is_empty() => Err(SearchError::EmptyValue { parameter: cut(name) }),
            0..=MAX_VALUE_BYTES => Ok(vec![value]),
            _ => Err(SearchError::TooLong { parameter: cut(name), limit: MAX_VALUE_BYTES }),
        }
    }

    /// Counts one condition more, which stands behind `depth` references. A chain that names no type is asked of many types,
    /// and each of these of many again.
    pub(super) fn count_condition(&mut self, name: &str, depth: usize) -> Result<(), SearchError> {
        self.conditions += 1 << depth.min(MAX_DEPTH);
        if self.conditions > MAX_CONDITIONS {
            return Err(SearchError::TooWide { parameter: cut(name), limit: MAX_CONDITIONS });
        }
        Ok(())
    }

    /// `whole` is the name as the client wrote it, `name` what is left of it at this depth.
    fn condition(
        &mut self,
        scope: &[ResourceType],
        whole: &str,
        name: &str,
        parts: &[&str],
        depth: usize,
    ) -> Result<Condition, SearchError> {
        if let ("_filter", [text]) = (name, parts) {
            return self.filter(scope, whole, text, depth);
        }
        match scope {
            [] => self.condition_of(None, whole, name, parts, depth),
            [only] => self.condition_of(Some(*only), whole, name, parts, depth),
            _ if is_common(name, self.context.registry) => self.condition_of(None, whole, name, parts, depth),
            _ => {
                let each = scope.iter().map(|of| Ok((*of, self.condition_of(Some(*of), whole, name, parts, depth)?)));
                Ok(Condition::ByType(each.collect::<Result<_, SearchError>>()?))
            }
        }
    }

    fn condition_of(
        &mut self,
        of: Option<ResourceType>,
        whole: &str,
        name: &str,
        parts: &[&str],
        depth: usize,
    ) -> Result<Condition, SearchError> {
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(of, whole, rest, depth, &mut |work, source, rest| {
                work.condition(&[source], whole, rest, parts, depth + 1)
            });
        }
        if let Some((head, rest)) = name.split_once('.') {
            return self.chain(of, whole, head, depth, &mut |work, target| {
                work.condition(&[target], whole, rest, parts, depth + 1)
            });
        }
        self.count_condition(whole, depth)?;
        let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
        if code == "_list" {
            return listed(modifier, parts);
        }
        let subject = subject(of, code, self.context.registry)?;
        let modifier = modifier.map(|modifier| read_modifier(subject, code, modifier)).transpose()?;
        let values = values::read(of, subject, modifier, parts, self.context)
            .map_err(|problem| SearchError::BadValue { parameter: cut(whole), problem })?;
        Ok(Condition::Criterion(Criterion { subject, modifier, values, size: None }))
    }

    /// `_has:Type:reference:rest`; `inner` reads the rest, of resources of the type.
    pub(super) fn has(
        &mut self,
        of: Option<ResourceType>,
        whole: &str,
        name: &str,
        depth: usize,
        inner: &mut dyn FnMut(&mut Self, ResourceType, &str) -> Result<Condition, SearchError>,
    ) -> Result<Condition, SearchError> {
        let malformed = |problem: String| SearchError::BadName { parameter: cut(whole), problem };
        let mut pieces = name.splitn(3, ':');
        let (Some(source), Some(by), Some(rest)) = (pieces.next(), pieces.next(), pieces.next()) else {
            return Err(malformed("write _has:Type:reference:parameter".to_owned()));
        };
        let source = ResourceType::parse(source)
            .map_err(|_| malformed("after '_has:' comes the name of a resource type of FHIR R4".to_owned()))?;
        let by = reference(Some(source), by, whole, self.context.registry)?;
        if let Some(of) = of
            && !by.targets.is_empty()
            && !by.targets.contains(&of)
        {
            return Err(malformed(format!("'{}' of {source} does not refer to {of}", by.code())));
        }
        if let Some(of) = of.filter(|of| !leads_to(by, *of)) {
            let (code, of) = (by.code(), of.with_article());
            let problem = format!("'{code}' of {source} refers by canonical URL, and {of} has none");
            return Err(malformed(problem));
        }
        too_deep(whole, depth)?;
        let condition = Box::new(inner(self, source, rest)?);
        Ok(Condition::Has(Has { source, by, condition }))
    }

    /// `reference.rest` or `reference:Type.rest`; `head` is what stands before the dot, `inner` reads what follows it, of
    /// resources of one type.
    pub(super) fn chain(
        &mut self,
        of: Option<ResourceType>,
        whole: &str,
        head: &str,
        depth: usize,
        inner: &mut dyn FnMut(&mut Self, ResourceType) -> Result<Condition, SearchError>,
    ) -> Result<Condition, SearchError> {
        let (code, named) = head.split_once(':').map_or((head, None), |(code, named)| (code, Some(named)));
        let by = reference(of, code, whole, self.context.registry)?;
        let malformed = |problem: String| SearchError::BadName { parameter: cut(whole), problem };
        too_deep(whole, depth)?;
        if let Some(named) = named {
            let target = ResourceType::parse(named).ok().filter(|of| by.points_to(*of) && leads_to(by, *of));
            let Some(target) = target else {
                return Err(malformed(format!("after '{}:' comes a resource type that it refers to", cut(code))));
            };
            let targets = vec![(target, inner(self, target)?)];
            return Ok(Condition::Chain(Chain { by, targets, reaches_contained: true }));
        }
        let all: Vec<ResourceType> = by.targets.iter().copied().filter(|of| leads_to(by, *of)).collect();
        if all.is_empty() || all.len() > MAX_TARGETS {
            return Err(malformed(format!("'{code}' refers to many types: name one, as {code}:Patient")));
        }
        // Types that lack the parameter can't match; at least one must have it.
        let (mut targets, mut unknown) = (Vec::new(), None);
        for target in all {
            match inner(self, target) {
                Ok(condition) => targets.push((target, condition)),
                Err(
                    error @ (SearchError::UnknownParameter { .. }
                    | SearchError::UnknownModifier { .. }
                    | SearchError::BadValue { .. }),
                ) => unknown = unknown.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        match unknown {
            Some(error) if targets.is_empty() => Err(error),
            _ => Ok(Condition::Chain(Chain { by, targets, reaches_contained: true })),
        }
    }
}

/// Whether the value of the parameter is a filter, of whatever it is a filter.
fn is_filter(name: &str) -> bool {
    name.rsplit(['.', ':']).next() == Some("_filter")
}

fn too_deep(whole: &str, depth: usize) -> Result<(), SearchError> {
    if depth >= MAX_DEPTH { Err(SearchError::TooDeep { parameter: cut(whole), limit: MAX_DEPTH }) } else { Ok(()) }
}

/// A parameter name as errors repeat it.
pub(super) fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}

/// Whether a parameter means the same for all types.
pub(super) fn is_common(name: &str, registry: &Registry) -> bool {
    let code = name.split([':', '.']).next().unwrap_or(name);
    matches!(code, "_id" | "_lastUpdated" | "_list" | "_text") || registry.common_parameter(code).is_some()
}

/// Whether a chain can go to a resource of this type: what is referred to by a canonical URL must have one.
fn leads_to(by: &Parameter, resource_type: ResourceType) -> bool {
    !by.has_canonicals() || canonical::names_of_type(resource_type).is_some()
}

/// The reference parameter `code`, through which a chain or `_has` goes.
pub(super) fn reference(
    of: Option<ResourceType>,
    code: &str,
    whole: &str,
    registry: &Registry,
) -> Result<&'static Parameter, SearchError> {
    match subject(of, code, registry)? {
        Subject::Index(parameter) if parameter.kind == ParameterKind::Reference => Ok(parameter),
        _ => {
            let problem = format!("'{}' is no reference, through which alone a search can go", cut(code));
            Err(SearchError::BadName { parameter: cut(whole), problem })
        }
    }
}

/// `_list=id,..`
///
/// Spec: R4 search.html#list
fn listed(modifier: Option<&str>, parts: &[&str]) -> Result<Condition, SearchError> {
    if let Some(modifier) = modifier {
        return Err(SearchError::UnknownModifier {
            parameter: "_list".to_owned(),
            modifier: cut(modifier),
            allowed: "none".to_owned(),
        });
    }
    let id = |part: &&str| Id::parse(part.strip_prefix("List/").unwrap_or(part)).ok();
    let ids: Option<Vec<Id>> = parts.iter().map(id).collect();
    ids.map(Condition::Listed).ok_or_else(|| SearchError::BadValue {
        parameter: "_list".to_owned(),
        problem:
            "give ids of List resources; lists that a function finds, such as $current-problems, are not kept here"
                .to_owned(),
    })
}

/// What `code` names; refuses what has no rows in the index.
pub(super) fn subject(
    resource_type: Option<ResourceType>,
    code: &str,
    registry: &Registry,
) -> Result<Subject, SearchError> {
    match code {
        "_id" => return Ok(Subject::Id),
        "_lastUpdated" => return Ok(Subject::LastUpdated),
        "_text" => return Ok(Subject::Text),
        "_content" => return Ok(Subject::Content),
        _ => {}
    }
    let unsupported = |what| Err(SearchError::Unsupported { parameter: code.chars().take(80).collect(), what });
    match code {
        "_filter" => {
            return Err(SearchError::BadName {
                parameter: code.to_owned(),
                problem: "it takes no modifier; '_filter=..' searches by an expression".to_owned(),
            });
        }
        "_query" => return unsupported("a named query"),
        _ => {}
    }
    let found = match resource_type {
        Some(resource_type) => registry.parameter(resource_type, code),
        None => registry.common_parameter(code),
    };
    match found {
        Some(parameter) => match parameter.kind {
            ParameterKind::Special if code == "near" => Ok(Subject::Near),
            ParameterKind::Special => unsupported("a special search parameter"),
            _ => Ok(Subject::Index(parameter)),
        },
        None => Err(SearchError::UnknownParameter {
            parameter: code.chars().take(80).collect(),
            scope: match resource_type {
                Some(resource_type) => resource_type.name().to_owned(),
                None => "a search over all types".to_owned(),
            },
            near: resource_type
                .map(|resource_type| near(&registry.parameters(resource_type), code))
                .unwrap_or_default(),
        }),
    }
}
