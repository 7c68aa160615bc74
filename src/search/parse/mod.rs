//! From decoded pairs to a [`SearchRequest`].
//!
//! Spec: R4 search.html#parameters, #errors

mod control;
mod values;

use std::fmt::Write as _;

use crate::fhir::{Issue, IssueCode, ResourceType, Severity};
use crate::search::query_text::split;
use crate::search::{
    Control, Criterion, Handling, Modifier, Parameter, ParameterKind, Registry, SearchError, SearchRequest, Sort,
    Subject, Summary,
};

/// The most matches that a page may hold; a larger `_count` is lowered to it.
pub const MAX_COUNT: u32 = 1000;

const DEFAULT_COUNT: u32 = 50;
const MAX_PARAMETERS: usize = 64;
/// Values of one parameter, separated by commas.
const MAX_VALUES: usize = 2_000;
/// Values of all parameters together: at four binds each they must fit into one statement (SQLite: 32,766).
const MAX_ALL_VALUES: usize = 8_000;
const MAX_VALUE_BYTES: usize = 8 * 1024;

/// What the meaning of a query depends on besides its text.
#[derive(Clone, Copy, Debug)]
pub struct ParseContext<'a> {
    pub handling: Handling,
    /// The server's own base URLs, without a slash at the end.
    pub bases: &'a [String],
    /// The parameters that are in force.
    pub registry: &'a Registry,
}

/// Understands the decoded pairs of a search of `resource_type`, or of all types when it is `None`.
///
/// Unknown parameters refuse the search or are left out, as `handling` says; everything else that is wrong refuses it.
pub fn parse(
    resource_type: Option<ResourceType>,
    query: &[(String, String)],
    context: &ParseContext<'_>,
) -> Result<SearchRequest, SearchError> {
    if query.len() > MAX_PARAMETERS {
        return Err(SearchError::TooManyParameters { limit: MAX_PARAMETERS });
    }
    let mut request = SearchRequest {
        resource_type,
        types: Vec::new(),
        criteria: Vec::new(),
        compartments: Vec::new(),
        control: Control {
            count: DEFAULT_COUNT,
            cursor: None,
            total: None,
            summary: Summary::False,
            elements: Vec::new(),
            sort: Sort::default(),
        },
        used: Vec::with_capacity(query.len()),
        ignored: Vec::new(),
    };
    let mut all_values = 0;
    let mut seen = Vec::new();
    for (name, value) in query {
        if control::is_control(name) {
            control::read(&mut request, &mut seen, name, value)?;
        } else {
            match criterion(resource_type, name, value, context, &mut all_values) {
                Ok(criterion) => {
                    request.criteria.push(criterion);
                    request.used.push((name.clone(), value.clone()));
                }
                Err(unknown @ SearchError::UnknownParameter { .. }) if context.handling == Handling::Lenient => {
                    request.ignored.push(left_out(&unknown));
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(request)
}

fn left_out(unknown: &SearchError) -> Issue {
    Issue {
        severity: Severity::Warning,
        code: IssueCode::NotSupported,
        expression: None,
        text: format!("{unknown}; it was left out"),
    }
}

fn criterion(
    resource_type: Option<ResourceType>,
    name: &str,
    value: &str,
    context: &ParseContext<'_>,
    all_values: &mut usize,
) -> Result<Criterion, SearchError> {
    let parameter_name = || name.chars().take(80).collect::<String>();
    let unsupported = |what| SearchError::Unsupported { parameter: parameter_name(), what };
    if name.starts_with("_has:") || name == "_has" {
        return Err(unsupported("searching by what refers to a resource"));
    }
    let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
    if let Some((first, _)) = code.split_once('.').or_else(|| modifier?.split_once('.').map(|_| (code, ""))) {
        // Told apart from a misspelt name, so that a typing error is not answered with a promise.
        subject(resource_type, first, context.registry)?;
        return Err(unsupported("searching by the parameters of a referenced resource"));
    }
    let subject = subject(resource_type, code, context.registry)?;
    let modifier = match modifier {
        Some(modifier) => Some(read_modifier(subject, code, modifier)?),
        None => None,
    };

    let mut parts = Vec::new();
    for part in split(value, ',') {
        if part.trim().is_empty() {
            return Err(SearchError::EmptyValue { parameter: parameter_name() });
        }
        if part.len() > MAX_VALUE_BYTES {
            return Err(SearchError::TooLong { parameter: parameter_name(), limit: MAX_VALUE_BYTES });
        }
        *all_values += 1;
        if parts.len() == MAX_VALUES || *all_values > MAX_ALL_VALUES {
            return Err(SearchError::TooManyValues { parameter: parameter_name(), limit: MAX_VALUES });
        }
        parts.push(part);
    }
    let values = values::read(subject, modifier, &parts, context.bases)
        .map_err(|problem| SearchError::BadValue { parameter: parameter_name(), problem })?;
    parts.sort_unstable();
    parts.dedup();
    let mut text = name.to_owned();
    let _ = write!(text, "={}", parts.join(","));
    Ok(Criterion { subject, modifier, values, text })
}

/// What `code` names; refuses what has no rows in the index.
fn subject(resource_type: Option<ResourceType>, code: &str, registry: &Registry) -> Result<Subject, SearchError> {
    match code {
        "_id" => return Ok(Subject::Id),
        "_lastUpdated" => return Ok(Subject::LastUpdated),
        _ => {}
    }
    let unsupported = |what| Err(SearchError::Unsupported { parameter: code.chars().take(80).collect(), what });
    match code {
        "_text" | "_content" => return unsupported("full text search"),
        "_filter" => return unsupported("searching by an expression"),
        "_query" => return unsupported("a named query"),
        "_list" => return unsupported("searching by the entries of a list"),
        _ => {}
    }
    let found = match resource_type {
        Some(resource_type) => registry.parameter(resource_type, code),
        None => registry.common_parameter(code),
    };
    match found {
        Some(parameter) => match parameter.kind {
            ParameterKind::Composite => unsupported("a composite search parameter"),
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

fn read_modifier(subject: Subject, code: &str, modifier: &str) -> Result<Modifier, SearchError> {
    if modifier == "missing" {
        return Ok(Modifier::Missing);
    }
    let named = || format!("{code}:{}", modifier.chars().take(80).collect::<String>());
    let unsupported = |what| Err(SearchError::Unsupported { parameter: named(), what });
    let allowed = match subject {
        Subject::LastUpdated => "':missing' only".to_owned(),
        Subject::Id => match modifier {
            "not" => return Ok(Modifier::Not),
            _ => "':missing' or ':not'".to_owned(),
        },
        Subject::Index(parameter) => match (parameter.kind, modifier) {
            (ParameterKind::Token, "not") => return Ok(Modifier::Not),
            (ParameterKind::Token, "text" | "in" | "not-in" | "below" | "above" | "of-type") => {
                return unsupported("this modifier of a token");
            }
            (ParameterKind::Token, _) => "':missing' or ':not'".to_owned(),
            (ParameterKind::String, "exact") => return Ok(Modifier::Exact),
            (ParameterKind::String, "contains") => return Ok(Modifier::Contains),
            (ParameterKind::String, "text") => return unsupported("this modifier of a string"),
            (ParameterKind::String, _) => "':missing', ':exact' or ':contains'".to_owned(),
            (ParameterKind::Uri, "below") => return Ok(Modifier::Below),
            (ParameterKind::Uri, "above") => return Ok(Modifier::Above),
            (ParameterKind::Uri, _) => "':missing', ':below' or ':above'".to_owned(),
            (ParameterKind::Reference, "identifier" | "above" | "below") => {
                return unsupported("this modifier of a reference");
            }
            (ParameterKind::Reference, _) => match ResourceType::parse(modifier) {
                Ok(named) if parameter.targets.is_empty() || parameter.targets.contains(&named) => {
                    return Ok(Modifier::Type(named));
                }
                _ => reference_modifiers(parameter),
            },
            _ => "':missing' only".to_owned(),
        },
    };
    let modifier = modifier.chars().take(80).collect();
    Err(SearchError::UnknownModifier { parameter: code.to_owned(), modifier, allowed })
}

fn reference_modifiers(parameter: &Parameter) -> String {
    let mut allowed = "':missing'".to_owned();
    if parameter.targets.is_empty() {
        allowed.push_str(" or the name of a resource type");
    }
    for target in &parameter.targets {
        let _ = write!(allowed, ", ':{target}'");
    }
    allowed
}

/// The parameters whose names are nearly `code`: at most two letters away, the nearest first.
fn near(parameters: &[&Parameter], code: &str) -> Vec<&'static str> {
    if code.len() > 64 {
        return Vec::new();
    }
    let code = code.to_ascii_lowercase();
    let limit = if code.len() < 4 { 1 } else { 2 };
    let mut near: Vec<(usize, &'static str)> = parameters
        .iter()
        .map(|parameter| (distance(&code, &parameter.code().to_ascii_lowercase()), parameter.code()))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.truncate(3);
    near.into_iter().map(|(_, name)| name).collect()
}

/// How many letters must be added, dropped, changed or swapped to make `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for row in 0..left.len() {
        let mut next = vec![row + 1];
        for column in 0..right.len() {
            let change = last[column] + usize::from(left[row] != right[column]);
            let mut best = change.min(last[column + 1] + 1).min(next[column] + 1);
            let is_swap = row > 0 && column > 0 && left[row] == right[column - 1] && left[row - 1] == right[column];
            if is_swap {
                best = best.min(before[column - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{ReferenceValue, SortKey, TokenValue, Total, Values, parse_query_string};

    const BASE: &str = "http://here/fhir";

    fn search(type_name: &str, query: &str, handling: Handling) -> Result<SearchRequest, SearchError> {
        let resource_type = (!type_name.is_empty()).then(|| ResourceType::parse(type_name).unwrap());
        let bases = [BASE.to_owned()];
        parse(
            resource_type,
            &parse_query_string(query)?,
            &ParseContext { handling, bases: &bases, registry: Registry::bundled() },
        )
    }

    fn strict(type_name: &str, query: &str) -> Result<SearchRequest, SearchError> {
        search(type_name, query, Handling::Strict)
    }

    fn values(type_name: &str, query: &str) -> Values {
        strict(type_name, query).unwrap().criteria.remove(0).values
    }

    fn token(system: Option<&str>, code: Option<&str>) -> TokenValue {
        TokenValue { system: system.map(str::to_owned), code: code.map(str::to_owned) }
    }

    #[test]
    fn tokens_are_told_apart_by_the_bar() {
        let cases = [
            ("8867-4", token(None, Some("8867-4"))),
            ("http://loinc.org|8867-4", token(Some("http://loinc.org"), Some("8867-4"))),
            ("|8867-4", token(Some(""), Some("8867-4"))),
            ("http://loinc.org|", token(Some("http://loinc.org"), None)),
            (r"a\|b", token(None, Some("a|b"))),
            (r"s|a\,b", token(Some("s"), Some("a,b"))),
        ];

        for (text, expected) in cases {
            assert_eq!(values("Observation", &format!("code={text}")), Values::Tokens(vec![expected]), "{text}");
        }
    }

    #[test]
    fn references_are_ids_keys_or_urls() {
        let local = |resource_type: ResourceType| {
            let id = crate::fhir::Id::parse("23").unwrap();
            ReferenceValue::Local(crate::fhir::ResourceKey { resource_type, id })
        };
        let cases = [
            ("patient=23", local(ResourceType::PATIENT)),
            ("patient=Patient/23", local(ResourceType::PATIENT)),
            ("subject:Patient=23", local(ResourceType::PATIENT)),
            ("subject=http://here/fhir/Patient/23/_history/2", local(ResourceType::PATIENT)),
            ("subject=http://there/Patient/23", ReferenceValue::Url("http://there/Patient/23".to_owned())),
        ];

        for (query, expected) in cases {
            assert_eq!(values("Observation", query), Values::References(vec![expected]), "{query}");
        }
        let Values::References(open) = values("Observation", "subject=23") else { panic!("no reference") };
        assert!(matches!(&open[0], ReferenceValue::Id(id, types) if id == "23" && types.len() == 4));
    }

    #[test]
    fn prefixes_stand_before_dates_numbers_and_quantities() {
        let Values::Dates(dates) = values("Observation", "date=ge2013-01-14,2014") else { panic!("no date") };
        let Values::Quantities(amounts) =
            values("Observation", "value-quantity=le5.40%7Chttp://unitsofmeasure.org%7Cmg,sa1e2,5.4%7C%7Cmg")
        else {
            panic!("no quantity")
        };

        assert_eq!((dates[0].prefix, dates[1].prefix), (crate::search::Prefix::Ge, crate::search::Prefix::Eq));
        assert_eq!((amounts[0].value, amounts[0].code.as_deref()), (5.4, Some("mg")));
        assert_eq!((amounts[1].prefix, amounts[1].value), (crate::search::Prefix::Sa, 100.0));
        assert_eq!((amounts[2].system.as_deref(), amounts[2].code.as_deref()), (None, Some("mg")));
    }

    #[test]
    fn a_zone_whose_plus_became_a_space_is_still_a_zone() {
        let with = values("Observation", "date=2013-01-14T10:00:00%2B01:00");

        assert_eq!(values("Observation", "date=2013-01-14T10:00:00+01:00"), with);
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_name_of_the_parameter() {
        let cases = [
            (
                "Patient",
                "brithdate=2000",
                "'brithdate' is not a search parameter of Patient; did you mean 'birthdate'?",
            ),
            ("Patient", "teapot=1", "'teapot' is not a search parameter of Patient"),
            ("", "birthdate=2000", "'birthdate' is not a search parameter of a search over all types"),
            (
                "Patient",
                "name:teapot=x",
                "'name' does not take the modifier ':teapot'; it takes ':missing', ':exact' or ':contains'",
            ),
            (
                "Patient",
                "birthdate:exact=2000",
                "'birthdate' does not take the modifier ':exact'; it takes ':missing' only",
            ),
            (
                "Observation",
                "patient:Group=1",
                "'patient' does not take the modifier ':Group'; it takes ':missing', ':Patient'",
            ),
            ("Patient", "name=", "'name' has an empty value"),
            ("Patient", "name=a,,b", "'name' has an empty value"),
            ("Patient", "name", "'name' has an empty value"),
            ("Patient", "name=a%5Cb", "a backslash stands only before"),
            ("Patient", "name=--", "it needs a letter or a digit"),
            ("Patient", "birthdate=yesterday", "a date is written"),
            ("Patient", "birthdate:missing=perhaps", "':missing' takes true or false"),
            ("Patient", "gender=|", "give a code, a system, or both"),
            ("Observation", "value-quantity=5|mg", "give number, number|system|code"),
            ("Observation", "value-quantity=NaN", "a number is written"),
            ("Observation", "subject=%23a", "give an id, Type/id or an absolute URL"),
            ("Observation", "subject:Patient=Group/1", "':Patient' asks for a Patient"),
            ("Observation", "subject.name=x", "is not supported by this server yet"),
            ("Observation", "subject:Patient.name=x", "is not supported by this server yet"),
            ("Observation", "teapot.name=x", "'teapot' is not a search parameter of Observation"),
            ("Patient", "_has:Observation:patient:code=1", "is not supported by this server yet"),
            ("Observation", "code-value-quantity=a$5", "is not supported by this server yet"),
            ("Patient", "_text=x", "is not supported by this server yet"),
            ("Patient", "_count=-1", "give a whole number from 0"),
            ("Patient", "_count=1&_count=2", "'_count' may be given only once"),
            ("Patient", "_summary=yes", "give true, false, text, data or count"),
            ("Patient", "_sort=name", "sorting by anything but"),
            ("Patient", "_include=Patient:organization", "is not supported by this server yet"),
            ("Patient", "_type=Patient", "leave it out"),
            ("", "_type=Teapot", "give names of resource types"),
        ];

        for (type_name, query, expected) in cases {
            let error = strict(type_name, query).unwrap_err().to_string();
            assert!(error.contains(expected), "{query}: {error}");
        }
    }

    #[test]
    fn lenient_handling_leaves_out_only_what_is_unknown() {
        let request = search("Patient", "teapot=1&name=eve", Handling::Lenient).unwrap();

        assert_eq!(request.used, [("name".to_owned(), "eve".to_owned())]);
        assert_eq!(request.ignored.len(), 1);
        for query in ["name:teapot=x", "birthdate=x", "_has:Observation:patient:code=1", "name="] {
            assert!(search("Patient", query, Handling::Lenient).is_err(), "{query}");
        }
    }

    #[test]
    fn control_parameters_shape_the_answer() {
        let request = strict(
            "Patient",
            "_count=5000&_total=none&_summary=data&_elements=name,id&_sort=-_lastUpdated&_format=json",
        );

        let request = request.unwrap();
        assert_eq!((request.control.count, request.control.total), (MAX_COUNT, Some(Total::None)));
        assert_eq!((request.control.summary, request.control.elements.len()), (Summary::Data, 2));
        assert_eq!((request.control.sort.key, request.control.sort.is_descending), (SortKey::LastUpdated, true));
        assert_eq!(request.used[0], ("_count".to_owned(), "1000".to_owned()));
        assert!(request.used.iter().all(|(name, _)| name != "_format"));
        assert!(strict("Patient", "_count=0").unwrap().is_count_only());
        assert_eq!(strict("Patient", "_count=99999999999999999999").unwrap().control.count, MAX_COUNT);
    }

    #[test]
    fn a_search_over_all_types_takes_what_all_have() {
        let request = strict("", "_type=Patient,Observation&_tag=a&_lastUpdated=gt2020&_id=1").unwrap();

        assert_eq!((request.types.len(), request.criteria.len()), (2, 3));
    }

    #[test]
    fn values_are_counted_and_measured() {
        let codes = |count: usize| vec!["a"; count].join(",");

        assert!(strict("Observation", &format!("code={}", codes(1500))).is_ok());
        let many = strict("Observation", &format!("code={}", codes(2001)));
        assert!(matches!(many, Err(SearchError::TooManyValues { .. })));
        let long = strict("Observation", &format!("code={}", "a".repeat(8193)));
        assert!(matches!(long, Err(SearchError::TooLong { .. })));
        assert!(matches!(strict("Patient", &"a=1&".repeat(65)), Err(SearchError::TooManyParameters { .. })));
    }

    #[test]
    fn order_does_not_change_the_canonical_form() {
        let canonical = |query| strict("Patient", query).unwrap().canonical();

        assert_eq!(canonical("name=b,a&gender=male&_count=3"), canonical("gender=male&name=a,b"));
        assert_ne!(canonical("name=a"), canonical("name:exact=a"));
    }

    #[test]
    fn every_parameter_of_every_type_can_be_looked_up() {
        for resource_type in ResourceType::all() {
            for parameter in Registry::bundled().parameters(resource_type) {
                let found = Registry::bundled().parameter(resource_type, parameter.code()).unwrap();
                assert_eq!(found.id(), parameter.id());
            }
        }
        let tag = |name| Registry::bundled().parameter(ResourceType::parse(name).unwrap(), "_tag").unwrap().id();
        assert_eq!(tag("Bundle"), tag("Patient"));
    }

    #[test]
    fn a_name_that_is_far_from_all_has_no_suggestion() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("nmae", "name"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
