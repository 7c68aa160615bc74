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
    Chain, Condition, Criterion, Demand, Has, Parameter, ParameterKind, Registry, SearchError, Subject,
};

/// So many references may lie between a resource and what decides about it.
const MAX_DEPTH: usize = 8;
/// A chain that names no type asks each that the reference may point to, so many at most.
pub(super) const MAX_TARGETS: usize = 16;

/// The reading of one query's parameters.
pub(super) struct Work<'a> {
    pub context: &'a ParseContext<'a>,
    /// Values of all parameters so far.
    pub values: usize,
}

impl Work<'_> {
    /// What `name=value` demands of a resource of one of the types in `scope`; of any type when there is none.
    pub(super) fn demand(&mut self, scope: &[ResourceType], name: &str, value: &str) -> Result<Demand, SearchError> {
        let mut parts = self.parts(name, value)?;
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

    /// `whole` is the name as the client wrote it, `name` what is left of it at this depth.
    fn condition(
        &mut self,
        scope: &[ResourceType],
        whole: &str,
        name: &str,
        parts: &[&str],
        depth: usize,
    ) -> Result<Condition, SearchError> {
        if depth > MAX_DEPTH {
            return Err(SearchError::TooDeep { parameter: cut(whole), limit: MAX_DEPTH });
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
            return self.has(of, whole, rest, parts, depth);
        }
        if let Some((head, rest)) = name.split_once('.') {
            return self.chain(of, whole, head, rest, parts, depth);
        }
        let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
        if code == "_list" {
            return listed(modifier, parts);
        }
        let subject = subject(of, code, self.context.registry)?;
        let modifier = modifier.map(|modifier| read_modifier(subject, code, modifier)).transpose()?;
        let values = values::read(of, subject, modifier, parts, self.context)
            .map_err(|problem| SearchError::BadValue { parameter: cut(whole), problem })?;
        Ok(Condition::Criterion(Criterion { subject, modifier, values }))
    }

    /// `Type:reference:rest`
    fn has(
        &mut self,
        of: Option<ResourceType>,
        whole: &str,
        rest: &str,
        parts: &[&str],
        depth: usize,
    ) -> Result<Condition, SearchError> {
        let malformed = |problem: String| SearchError::BadName { parameter: cut(whole), problem };
        let mut pieces = rest.splitn(3, ':');
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
        let condition = Box::new(self.condition(&[source], whole, rest, parts, depth + 1)?);
        Ok(Condition::Has(Has { source, by, condition }))
    }

    /// `reference.rest` or `reference:Type.rest`
    fn chain(
        &mut self,
        of: Option<ResourceType>,
        whole: &str,
        head: &str,
        rest: &str,
        parts: &[&str],
        depth: usize,
    ) -> Result<Condition, SearchError> {
        let (code, named) = head.split_once(':').map_or((head, None), |(code, named)| (code, Some(named)));
        let by = reference(of, code, whole, self.context.registry)?;
        let malformed = |problem: String| SearchError::BadName { parameter: cut(whole), problem };
        if let Some(named) = named {
            let target = ResourceType::parse(named).ok().filter(|of| by.targets.is_empty() || by.targets.contains(of));
            let Some(target) = target else {
                return Err(malformed(format!("after '{code}:' comes a resource type that it refers to")));
            };
            let condition = self.condition(&[target], whole, rest, parts, depth + 1)?;
            return Ok(Condition::Chain(Chain { by, targets: vec![(target, condition)] }));
        }
        if by.targets.is_empty() || by.targets.len() > MAX_TARGETS {
            return Err(malformed(format!("'{code}' refers to many types: name one, as {code}:Patient")));
        }
        // Types that lack the parameter can't match; at least one must have it.
        let (mut targets, mut unknown) = (Vec::new(), None);
        for target in &by.targets {
            match self.condition(&[*target], whole, rest, parts, depth + 1) {
                Ok(condition) => targets.push((*target, condition)),
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
            _ => Ok(Condition::Chain(Chain { by, targets })),
        }
    }
}

/// A parameter name as errors repeat it.
pub(super) fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}

/// Whether a parameter means the same for all types.
fn is_common(name: &str, registry: &Registry) -> bool {
    let code = name.split([':', '.']).next().unwrap_or(name);
    matches!(code, "_id" | "_lastUpdated" | "_list" | "_text") || registry.common_parameter(code).is_some()
}

/// The reference parameter `code`, through which a chain or `_has` goes.
pub(super) fn reference(
    of: Option<ResourceType>,
    code: &str,
    whole: &str,
    registry: &Registry,
) -> Result<&'static Parameter, SearchError> {
    let problem = match subject(of, code, registry)? {
        Subject::Index(parameter) if parameter.kind == ParameterKind::Reference && parameter.has_canonicals() => {
            "refers to resources by their canonical URL, through which a search can't go yet"
        }
        Subject::Index(parameter) if parameter.kind == ParameterKind::Reference => return Ok(parameter),
        _ => "is no reference, through which alone a search can go",
    };
    Err(SearchError::BadName { parameter: cut(whole), problem: format!("'{}' {problem}", cut(code)) })
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
        "_filter" => return unsupported("searching by an expression"),
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
