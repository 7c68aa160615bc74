//! From decoded pairs to a [`SearchRequest`].
//!
//! Spec: R4 search.html#parameters, #errors

mod comparisons;
mod conditions;
mod control;
mod elements;
mod filter;
mod filtered;
mod modifiers;
mod sort;
mod values;

use std::sync::Arc;

use crate::fhir::{Issue, IssueCode, ResourceType, Severity};
use crate::search::{
    Condition, Control, Demand, Handling, Parameter, Registry, SearchError, SearchRequest, Sort, Summary,
};
use crate::search::{contained, include};

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
    pub registry: &'a Arc<Registry>,
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
        registry: Arc::clone(context.registry),
        resource_type,
        types: Vec::new(),
        demands: Vec::new(),
        compartments: Vec::new(),
        access: None,
        stamp: 0,
        compartment: None,
        includes: Vec::new(),
        control: Control {
            count: DEFAULT_COUNT,
            cursor: None,
            total: None,
            summary: Summary::False,
            elements: Vec::new(),
            sort: Sort::default(),
            max_results: None,
            contained: None,
        },
        used: Vec::with_capacity(query.len()),
        ignored: Vec::new(),
    };
    let mut work = conditions::Work { context, values: 0, conditions: 0 };
    let scope = match resource_type {
        Some(resource_type) => vec![resource_type],
        // Read in full below; what is wrong with it is told there.
        None => query.iter().filter(|(name, _)| name == "_type").flat_map(|(_, value)| control::types(value)).collect(),
    };
    let mut seen = Vec::new();
    for (name, value) in query {
        if control::is_control(name) {
            control::read(&mut request, &mut seen, name, value, context)?;
        } else {
            match work.demand(&scope, name, value) {
                Ok(Demand { condition: Condition::And(all), text }) => {
                    // Each by itself may lead the statement.
                    request.demands.extend(all.into_iter().map(|condition| Demand { condition, text: text.clone() }));
                    request.used.push((name.clone(), value.clone()));
                }
                Ok(demand) => {
                    request.demands.push(demand);
                    request.used.push((name.clone(), value.clone()));
                }
                Err(unknown @ SearchError::UnknownParameter { .. }) if context.handling == Handling::Lenient => {
                    request.ignored.push(left_out(&unknown));
                }
                Err(error) => return Err(error),
            }
        }
    }
    request.control.contained = control::contained(query);
    let brings_others = |(name, _): &(String, String)| name.starts_with("_include") || name.starts_with("_revinclude");
    // Containers are of any type.
    let is_of_any = query.iter().any(brings_others) || request.control.contained.is_some();
    let types = if is_of_any { &[] } else { scope.as_slice() };
    if elements::unknown(&request.control.elements, types).is_some() {
        return Err(SearchError::BadValue {
            parameter: "_elements".to_owned(),
            problem: "one of the names is no element of what is searched; give those of the first level".to_owned(),
        });
    }
    if let Some((_, value)) = query.iter().find(|(name, _)| name == "_sort") {
        request.control.sort = sort::read(&scope, value, context.registry)?;
    }
    include::check(&request)?;
    contained::check(&request)?;
    request.check_pending()?;
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

/// The parameters whose names are nearly `code`: at most two letters away, the nearest first.
pub(super) fn near(parameters: &[&Parameter], code: &str) -> Vec<&'static str> {
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
    use crate::search::{CodeQuery, ReferenceValue, Registry, SortBy, TokenValue, Total, Values, parse_query_string};

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
        match strict(type_name, query).unwrap().demands.remove(0).condition {
            Condition::Criterion(criterion) => criterion.values,
            other => panic!("{other:?}"),
        }
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
    fn what_terminology_is_asked_is_read() {
        let key = |id: &str| crate::fhir::ResourceKey {
            resource_type: ResourceType::VALUE_SET,
            id: crate::fhir::Id::parse(id).unwrap(),
        };
        let named = |canonical: &str, address| CodeQuery::ValueSet { canonical: canonical.to_owned(), address };
        let (system, code) = ("http://hl7.org/fhir/observation-status".to_owned(), "final".to_owned());
        let cases = [
            ("code:in=ValueSet/a", CodeQuery::StoredValueSet(key("a"))),
            ("code:not-in=http://x/v|1", named("http://x/v|1", None)),
            ("code:in=urn:oid:1.2", named("urn:oid:1.2", None)),
            ("code:in=http://here/fhir/ValueSet/a", named("http://here/fhir/ValueSet/a", Some(key("a")))),
            ("status:below=final", CodeQuery::Below { system: system.clone(), code: code.clone() }),
            ("code:above=http://hl7.org/fhir/observation-status|final", CodeQuery::Above { system, code }),
        ];

        for (query, expected) in cases {
            assert_eq!(values("Observation", query), Values::CodeQueries(vec![expected]), "{query}");
        }
        let asks = |query| strict("Observation", query).unwrap().asks_terminology();
        assert!(asks("patient.gender:in=http://x") && asks("_has:Provenance:target:agent-role:below=a|b"));
        assert!(!asks("code=x") && !asks("_profile:below=http://x"));
        assert!(!strict("Observation", "code:in=http://x").unwrap().is_one_statement());
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
                "'patient' does not take the modifier ':Group'; it takes ':missing', ':identifier', ':Patient'",
            ),
            ("Patient", "name=", "'name' has an empty value"),
            ("Patient", "name=a,,b", "'name' has an empty value"),
            ("Patient", "name", "'name' has an empty value"),
            ("Patient", "name=a%5Cb", "a backslash stands only before"),
            ("Patient", "name=--", "it needs a letter or a digit"),
            ("Patient", "birthdate=yesterday", "a date is written"),
            ("Patient", "birthdate:missing=perhaps", "':missing' takes true or false"),
            ("Patient", "gender=|", "give a code, a system, or both"),
            ("Patient", "identifier:in=http://x", "it takes ':missing', ':not', ':text' or ':of-type'"),
            ("Patient", "active:in=http://x", "it takes ':missing', ':not' or ':text'"),
            ("Patient", "telecom:below=a|b", "it takes ':missing', ':not' or ':text'"),
            ("DocumentReference", "contenttype:in=http://x", "it takes ':missing', ':not' or ':text'"),
            ("Observation", "code:teapot=x", "':text', ':in', ':not-in', ':below' or ':above'"),
            ("Observation", "code:in=my-set", "give the canonical URL of a ValueSet"),
            ("Observation", "code:in=CodeSystem/x", "give the canonical URL of a ValueSet"),
            ("Observation", "code:in=ValueSet/x/_history/1", "give the canonical URL of a ValueSet"),
            ("Observation", "code:not-in=ValueSet?url=x", "give the canonical URL of a ValueSet"),
            ("Observation", "code:below=8867-4", "give system|code"),
            ("Observation", "code:above=|8867-4", "give system|code"),
            ("Observation", "code:above=http://loinc.org|", "give system|code"),
            ("Observation", "value-quantity=5|mg", "give number, number|system|code"),
            ("Observation", "value-quantity=NaN", "a number is written"),
            ("Observation", "subject=%23a", "give an id, Type/id or an absolute URL"),
            ("Observation", "subject:Patient=Group/1", "':Patient' asks for a Patient"),
            ("Patient", "link:below=1", "':above' and ':below' are for references into a hierarchy"),
            ("Procedure", "location:around=1", "it takes ':missing', ':identifier', ':below', ':above', ':Location'"),
            ("Observation", "based-on:below=MedicationRequest/1", "in no hierarchy here; give one of CarePlan"),
            ("Location", "partof:below=#a", "give an id, Type/id or an absolute URL"),
            ("StructureDefinition", "base:below=http://x", "comparing the versions of canonical references"),
            ("ValueSet", "url:exact=http://x", "it takes ':missing', ':below', ':above' or ':contains'"),
            ("Observation", "subject.teapot=x", "'teapot' is not a search parameter of Group"),
            ("Observation", "subject:Practitioner.name=x", "after 'subject:' comes a resource type that it refers to"),
            ("Observation", "code.name=x", "'code' is no reference"),
            ("QuestionnaireResponse", "questionnaire.teapot=x", "'teapot' is not a search parameter of Questionnaire"),
            ("QuestionnaireResponse", "_sort=questionnaire.title", "by their canonical URL, which several may have"),
            ("Measure", "depends-on.title=x", "name one, as depends-on:Patient"),
            ("Measure", "depends-on:Patient.name=x", "after 'depends-on:' comes a resource type that it refers to"),
            ("Patient", "_has:Measure:depends-on:name=x", "refers by canonical URL, and a Patient has none"),
            ("Provenance", "target.name=x", "name one, as target:Patient"),
            ("Observation", "teapot.name=x", "'teapot' is not a search parameter of Observation"),
            ("Patient", "_has:Observation:patient=1", "write _has:Type:reference:parameter"),
            ("Patient", "_has:Teapot:patient:code=1", "comes the name of a resource type"),
            ("Patient", "_has:Observation:code:code=1", "'code' is no reference"),
            ("Patient", "_has:Observation:encounter:code=1", "'encounter' of Observation does not refer to Patient"),
            ("Patient", "_list=$current-problems", "lists that a function finds"),
            ("Patient", "identifier:of-type=a|b", "give system|code|value"),
            ("Observation", "code-value-quantity=a", "give a value for each of its components, as code$value-quantity"),
            ("Observation", "code-value-quantity=a$b", "'value-quantity' in it: a number is written"),
            ("Patient", "_text=(x", "a value of '_text' is not valid: at character 1: this '(' is not closed"),
            ("", "_content:exact=x", "'_content' does not take the modifier ':exact'; it takes ':missing' only"),
            ("Patient", "_count=-1", "give a whole number from 0"),
            ("Patient", "_count=1&_count=2", "'_count' may be given only once"),
            ("Patient", "_summary=yes", "give true, false, text, data or count"),
            (
                "Patient",
                "_sort=nmae",
                "'_sort' is not valid: 'nmae' is not a search parameter of Patient; did you mean 'name'?",
            ),
            ("Patient", "_sort=name&_sort=gender", "'_sort' may be given only once"),
            ("Patient", "_sort=name,", "give names of search parameters, separated by commas"),
            ("Patient", "_sort=_id,teapot", "'teapot' is not a search parameter of Patient"),
            ("Patient", "_sort=name:exact", "'name' takes no modifier here"),
            ("Patient", "_sort=_text", "'_text' has no values that resources could be sorted by"),
            ("Patient", "_sort=name,name,name,name,name,name,name,name,name", "more than 8 keys"),
            ("Location", "_sort=near", "'_sort'"),
            ("Observation", "_sort=code-value-quantity", "'code-value-quantity' has no order"),
            ("Observation", "_sort=code.name", "'code' is no reference"),
            (
                "Observation",
                "_sort=subject:Practitioner.name",
                "after 'subject:' comes a resource type that it refers to",
            ),
            ("Observation", "_sort=subject.teapot", "'teapot' is not a search parameter of Device"),
            ("Provenance", "_sort=target.name", "refers to many types: name one"),
            ("", "_sort=name", "'name' is not a search parameter of a search over all types"),
            ("", "_type=Patient,Observation&_sort=name", "'name' is not a search parameter of Observation"),
            ("", "_type=Group,NamingSystem&_sort=value", "'value' is not of the same kind for all types"),
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
        for query in ["name:teapot=x", "birthdate=x", "_has:Observation:code:code=1", "name="] {
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
        let sort = &request.control.sort.keys[0];
        assert!(matches!(sort.by, SortBy::LastUpdated) && sort.is_descending);
        assert_eq!(request.used[0], ("_count".to_owned(), "1000".to_owned()));
        assert!(request.used.iter().all(|(name, _)| name != "_format"));
        assert!(strict("Patient", "_count=0").unwrap().is_count_only());
        assert_eq!(strict("Patient", "_count=99999999999999999999").unwrap().control.count, MAX_COUNT);
    }

    #[test]
    fn sort_keys_name_parameters_and_may_go_through_references() {
        let keys = |type_name: &str, query: &str| {
            let keys = strict(type_name, query).unwrap().control.sort.keys;
            let name = |by: &SortBy| match by {
                SortBy::Id => "_id".to_owned(),
                SortBy::LastUpdated => "_lastUpdated".to_owned(),
                SortBy::Index(parameters) => format!("{}x{}", parameters[0].code(), parameters.len()),
                SortBy::Linked(link) => format!("{}->{:?}", link.by[0].code(), link.targets),
                SortBy::Beginning(beginning) => panic!("{beginning:?} is no key that a client names"),
            };
            keys.iter().map(|key| (key.is_descending, name(&key.by))).collect::<Vec<_>>()
        };
        let up = |name: &str| (false, name.to_owned());

        assert_eq!(keys("Patient", "_sort=family,-birthdate"), [up("familyx1"), (true, "birthdatex1".to_owned())]);
        assert_eq!(keys("Patient", "_sort=-_id,family"), [(true, "_id".to_owned())]);
        assert_eq!(keys("", "_sort=_tag,_id,_lastUpdated"), [up("_tagx1"), up("_id"), up("_lastUpdated")]);
        assert_eq!(keys("", "_type=Patient,Practitioner&_sort=family"), [up("familyx2")]);
        assert_eq!(keys("", "_type=Patient,Practitioner&_sort=_tag"), [up("_tagx1")]);
        let family = keys("Observation", "_sort=subject.family");
        assert!(family[0].1.starts_with("subject->[") && family[0].1.contains("Patient"), "{family:?}");
        assert!(!family[0].1.contains("Location"), "{family:?}");
        assert_eq!(keys("Observation", "_sort=subject:Patient.family").len(), 1);
        assert_eq!(keys("Observation", "_sort=patient.organization.name").len(), 1);
    }

    #[test]
    fn a_search_over_all_types_takes_what_all_have() {
        let request = strict("", "_type=Patient,Observation&_tag=a&_lastUpdated=gt2020&_id=1").unwrap();

        assert_eq!((request.types.len(), request.demands.len()), (2, 3));
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
