//! `_include` and `_revinclude`: which resources come along with the matches.
//!
//! Spec: R4 search.html#include, #revinclude

use crate::fhir::ResourceType;
use crate::search::parse::near;
use crate::search::{Parameter, ParameterKind, Registry, SearchError, SearchRequest, Summary};

/// One `_include` or `_revinclude`.
#[derive(Clone, Debug)]
pub struct Include {
    pub direction: Direction,
    /// Whether it is followed from included resources as it is from matches (`:iterate`).
    pub is_iterated: bool,
    /// The type that holds the references; `None` when any may (`_include=*`).
    pub source: Option<ResourceType>,
    /// The references that are followed; empty exactly when `source` is `None`, and stands for all.
    pub parameters: Vec<&'static Parameter>,
    /// The type that they must lead to; `None` when any will do.
    pub target: Option<ResourceType>,
}

/// Which way references are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a resource to those that it refers to (`_include`).
    Forward,
    /// From a resource to those that refer to it (`_revinclude`).
    Reverse,
}

impl Direction {
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Direction::Forward => "_include",
            Direction::Reverse => "_revinclude",
        }
    }

    fn of(code: &str) -> Option<Direction> {
        [Direction::Forward, Direction::Reverse].into_iter().find(|direction| direction.parameter() == code)
    }
}

impl Include {
    /// Reads the parameter `name` with its value; `None` when it is neither `_include` nor `_revinclude`.
    pub(super) fn read(name: &str, value: &str, registry: &Registry) -> Option<Result<Include, SearchError>> {
        let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
        let direction = Direction::of(code)?;
        let is_iterated = match modifier {
            None => false,
            Some("iterate") => true,
            Some(other) => {
                let allowed = match other {
                    "recurse" => "':iterate', which is what R4 calls it",
                    _ => "':iterate' only",
                };
                let modifier = other.chars().take(80).collect();
                let parameter = code.to_owned();
                return Some(Err(SearchError::UnknownModifier { parameter, modifier, allowed: allowed.to_owned() }));
            }
        };
        let include = followed(direction, value, registry).map(|include| Include { is_iterated, ..include });
        Some(include.map_err(|problem| SearchError::BadValue { parameter: code.to_owned(), problem }))
    }

    /// Whether one of its references may lead to a resource of this type.
    pub fn leads_to(&self, resource_type: ResourceType) -> bool {
        self.target.is_none_or(|target| target == resource_type)
            && self.parameters.iter().any(|parameter| parameter.points_to(resource_type))
    }
}

/// Reads `Type:parameter`, `Type:parameter:Target`, `Type:*` and, forward, `*`.
fn followed(direction: Direction, value: &str, registry: &Registry) -> Result<Include, String> {
    let include = Include { direction, is_iterated: false, source: None, parameters: Vec::new(), target: None };
    if value == "*" {
        return match direction {
            Direction::Forward => Ok(include),
            // Whatever refers to a Patient is all that is known of the person.
            Direction::Reverse => {
                Err("'*' alone has no bound: name a type, as in Provenance:* or Provenance:target".into())
            }
        };
    }
    let form = || match direction {
        Direction::Forward => "write Type:parameter, Type:parameter:Target, Type:* or *".to_owned(),
        Direction::Reverse => "write Type:parameter, Type:parameter:Target or Type:*".to_owned(),
    };
    let mut parts = value.split(':');
    let (Some(source), Some(code), target, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(form());
    };
    let type_named = |name: &str, place: &str| {
        ResourceType::parse(name).map_err(|_| format!("its {place} part is no resource type of FHIR R4: {}", form()))
    };
    let source = type_named(source, "first")?;
    let target = target.map(|name| type_named(name, "third")).transpose()?;
    let parameters = match code {
        "*" => {
            let mut parameters = registry.references(source);
            parameters.retain(|parameter| target.is_none_or(|target| parameter.points_to(target)));
            if parameters.is_empty() {
                let what = target.map_or("anything", ResourceType::name);
                return Err(format!("{source} has no search parameter that refers to {what}"));
            }
            parameters
        }
        code => vec![reference_of(source, code, registry)?],
    };
    if let (Some(target), [only]) = (target, parameters.as_slice())
        && !only.points_to(target)
    {
        let names: Vec<&str> = only.targets.iter().map(|target| target.name()).collect();
        return Err(format!("'{}' of {source} does not refer to {target}, but to {}", only.code(), names.join(", ")));
    }
    Ok(Include { source: Some(source), parameters, target, ..include })
}

fn reference_of(source: ResourceType, code: &str, registry: &Registry) -> Result<&'static Parameter, String> {
    let references = || {
        let names: Vec<&str> = registry.references(source).iter().map(|parameter| parameter.code()).collect();
        if names.is_empty() { "it has none".to_owned() } else { format!("they are {}", names.join(", ")) }
    };
    match registry.parameter(source, code) {
        Some(parameter) if parameter.kind == ParameterKind::Reference => Ok(parameter),
        Some(parameter) => Err(format!(
            "'{}' of {source} holds no references; name a parameter that does: {}",
            parameter.code(),
            references()
        )),
        None => match near(&registry.references(source), code).as_slice() {
            [] => Err(format!(
                "its second part is no search parameter of {source}; name one that holds references: {}",
                references()
            )),
            near => Err(format!(
                "its second part is no search parameter of {source}; did you mean '{}'?",
                near.join("' or '")
            )),
        },
    }
}

/// Refuses what could never include anything, once the whole search is known.
pub(super) fn check(request: &SearchRequest) -> Result<(), SearchError> {
    let Some(first) = request.includes.first() else { return Ok(()) };
    if request.control.summary == Summary::Text {
        // R4 search.html#summary: the two "cannot be mixed".
        let problem = format!("'text' can't be combined with '{}'; leave one out", first.direction.parameter());
        return Err(SearchError::BadValue { parameter: "_summary".to_owned(), problem });
    }
    let matched = match &request.resource_type {
        Some(only) => std::slice::from_ref(only),
        None => request.types.as_slice(),
    };
    if matched.is_empty() {
        return Ok(());
    }
    let names = || matched.iter().map(|matched| matched.name()).collect::<Vec<_>>().join(", ");
    for include in request.includes.iter().filter(|include| !include.is_iterated) {
        let problem = match (include.direction, include.source) {
            (Direction::Forward, Some(source)) if !matched.contains(&source) => format!(
                "the matches are of type {}, not {source}: begin with their type, or use '_include:iterate' to follow \
                 references of included resources",
                names()
            ),
            (Direction::Reverse, Some(source)) if !matched.iter().any(|matched| include.leads_to(*matched)) => format!(
                "this does not lead from {source} to the matches, which are of type {}: name a reference that does, or \
                 use '_revinclude:iterate' to follow references to included resources",
                names()
            ),
            _ => continue,
        };
        return Err(SearchError::BadValue { parameter: include.direction.parameter().to_owned(), problem });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Handling, ParseContext, parse, parse_query_string};

    fn search(type_name: &str, query: &str) -> Result<SearchRequest, SearchError> {
        let resource_type = (!type_name.is_empty()).then(|| ResourceType::parse(type_name).unwrap());
        let handling = Handling::Lenient;
        parse(
            resource_type,
            &parse_query_string(query)?,
            &ParseContext { handling, bases: &[], registry: Registry::bundled() },
        )
    }

    #[test]
    fn includes_are_read_in_each_of_their_forms() {
        let one = |query| search("Observation", query).unwrap().includes.remove(0);
        let codes = |include: &Include| include.parameters.iter().map(|parameter| parameter.code()).collect::<Vec<_>>();

        let plain = one("_include=Observation:subject");
        assert_eq!((plain.direction, plain.is_iterated, codes(&plain)), (Direction::Forward, false, vec!["subject"]));
        let narrow = one("_include=Observation:subject:Patient");
        assert_eq!(narrow.target, Some(ResourceType::PATIENT));
        let every = one("_include:iterate=Observation:*");
        assert!(every.is_iterated && every.parameters.len() > 5);
        assert!(every.parameters.iter().all(|parameter| parameter.kind == ParameterKind::Reference));
        let all = one("_include=*");
        assert_eq!((all.source, all.parameters.len()), (None, 0));
        let reverse = one("_revinclude=Provenance:target");
        assert_eq!((reverse.direction, codes(&reverse)), (Direction::Reverse, vec!["target"]));
        assert_eq!(codes(&one("_revinclude=DiagnosticReport:*:Observation")), ["result"]);
    }

    #[test]
    fn includes_may_repeat_and_are_told_again() {
        let query = "_include=Observation:subject&_include=Observation:encounter&_revinclude=Provenance:target";
        let request = search("Observation", query).unwrap();

        assert_eq!(request.includes.len(), 3);
        assert_eq!(request.used[1], ("_include".to_owned(), "Observation:encounter".to_owned()));
    }

    #[test]
    fn every_refusal_says_what_would_be_right() {
        let cases = [
            ("Observation", "_include:recurse=Observation:subject", "it takes ':iterate'"),
            ("Observation", "_include:teapot=Observation:subject", "it takes ':iterate' only"),
            ("Observation", "_include=", "write Type:parameter"),
            ("Observation", "_include=subject", "write Type:parameter"),
            ("Observation", "_include=Observation:subject:Patient:x", "write Type:parameter"),
            ("Observation", "_include=Teapot:subject", "its first part is no resource type"),
            ("Observation", "_include=Observation:subject:Teapot", "its third part is no resource type"),
            ("Observation", "_include=Observation:subjct", "did you mean 'subject'?"),
            ("Observation", "_include=Observation:teapot", "they are based-on, "),
            ("Observation", "_include=Observation:code", "'code' of Observation holds no references"),
            ("Observation", "_include=Observation:patient:Group", "does not refer to Group, but to Patient"),
            ("Immunization", "_include=Immunization:*:ValueSet", "no search parameter that refers to ValueSet"),
            ("Observation", "_include=Encounter:subject", "the matches are of type Observation, not Encounter"),
            ("", "_type=Patient,Group&_include=Encounter:subject", "of type Patient, Group, not Encounter"),
            ("Observation", "_revinclude=*", "name a type"),
            ("Location", "_revinclude=Observation:encounter", "does not lead from Observation to the matches"),
            ("Patient", "_revinclude=Observation:subject:Group", "does not lead from Observation to the matches"),
            ("Observation", "_summary=text&_include=Observation:subject", "can't be combined with '_include'"),
        ];

        for (type_name, query, expected) in cases {
            let error = search(type_name, query).unwrap_err().to_string();
            assert!(error.contains(expected), "{query}: {error}");
        }
        assert!(search("Observation", "_include:iterate=Encounter:subject").is_ok());
        assert!(search("", "_include=Encounter:subject&_revinclude=Observation:encounter").is_ok());
    }
}
