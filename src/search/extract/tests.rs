//! What is indexed of resources of many kinds.

use serde_json::{Value, json};

use super::*;
use crate::search::extract::composites::Composite;
use crate::search::{OwnDefinition, path, read_own_parameter};
use crate::store::{Edge, ParameterState, QuantityRow, Side, StoredParameter, StringRow, TokenRow, UriRow};

const DAY_US: i64 = 86_400_000_000;
/// 2013-01-01
const Y2013: i64 = 1_356_998_400_000_000;

fn hasher() -> Hasher {
    Hasher::new([3; 16])
}

fn hash(text: &str) -> i64 {
    hasher().text(text)
}

fn rows(value: Value) -> IndexRows {
    let resource = Resource::from_value(value).unwrap();
    let bases = ["http://here/fhir".to_owned()];
    extract(
        &resource,
        &ExtractContext {
            hasher: &hasher(),
            bases: &bases,
            zone_minutes: 0,
            registry: Registry::bundled(),
            places: None,
        },
    )
    .unwrap()
}

fn id(type_name: &str, code: &str) -> i16 {
    Registry::bundled().parameter(ResourceType::parse(type_name).unwrap(), code).unwrap().id()
}

/// Code and system of the rows of a token parameter.
fn tokens(rows: &IndexRows, param: i16) -> Vec<(i64, i64)> {
    rows.tokens.iter().filter(|row| row.param == param).map(|row| (row.code, row.system)).collect()
}

fn folded(rows: &IndexRows, param: i16) -> Vec<&str> {
    rows.strings.iter().filter(|row| row.param == param).map(|row| row.folded.as_str()).collect()
}

fn dates(rows: &IndexRows, param: i16) -> Vec<(i64, i64)> {
    rows.dates.iter().filter(|row| row.param == param).map(|row| (row.lo_us, row.hi_us)).collect()
}

fn targets(rows: &IndexRows, param: i16) -> Vec<i64> {
    rows.references.iter().filter(|row| row.param == param).map(|row| row.target).collect()
}

#[test]
fn a_patient_is_found_by_all_that_it_says() {
    let rows = rows(json!({
        "resourceType": "Patient", "id": "p1",
        "meta": { "tag": [{ "code": "T" }], "profile": ["http://p/x|2"], "source": "urn:s" },
        "identifier": [{ "system": "http://mrn", "value": "A-1" }, { "value": "7" }],
        "active": true,
        "name": [{ "text": "María José Carreño-Quiñones", "family": "Carreño-Quiñones", "given": ["María", "José"] }],
        "telecom": [{ "system": "phone", "value": "555" }, { "system": "email", "value": "A@b.example" }],
        "gender": "female",
        "birthDate": "2013-01",
        "address": [{ "line": ["1 Main St."], "city": "Ulm" }],
        "generalPractitioner": [{ "reference": "Practitioner/9" }, { "display": "unknown" }]
    }));
    let id = |code| id("Patient", code);

    assert_eq!(tokens(&rows, id("_tag")), [(hash("t"), 0)]);
    assert_eq!(tokens(&rows, id("active")), [(hash("true"), 0)]);
    let mut identifiers = vec![(hash("a-1"), hash("http://mrn")), (hash("7"), 0)];
    identifiers.sort_unstable();
    assert_eq!(tokens(&rows, id("identifier")), identifiers);
    assert_eq!(tokens(&rows, id("phone")), [(hash("555"), 0)]);
    assert_eq!(tokens(&rows, id("email")), [(hash("a@b.example"), 0)]);
    assert_eq!(tokens(&rows, id("telecom")).len(), 2);
    assert_eq!(tokens(&rows, id("gender")), [(hash("female"), hash("http://hl7.org/fhir/administrative-gender"))]);
    // Its parts as well: a person is called by either.
    assert_eq!(folded(&rows, id("family")), ["carrenoquinones", "quinones"]);
    assert_eq!(
        folded(&rows, id("name")),
        ["carrenoquinones", "jose", "maria", "maria jose carrenoquinones", "quinones"]
    );
    assert_eq!(folded(&rows, id("address")), ["1 main st", "ulm"]);
    assert_eq!(dates(&rows, id("birthdate")), [(Y2013, Y2013 + 31 * DAY_US)]);
    // What is only displayed is there, too, under no target.
    let mut practitioners = [hash("Practitioner/9"), 0];
    practitioners.sort_unstable();
    assert_eq!(targets(&rows, id("general-practitioner")), practitioners);
    let uri = |value: &str, code, edge| UriRow { param: id(code), value: value.to_owned(), edge };
    assert_eq!(
        rows.uris,
        [
            uri("http://p/x", "_profile", Edge::Neither),
            uri("http://p/x|2", "_profile", Edge::Both),
            uri("urn:s", "_source", Edge::Both)
        ]
    );
    assert_eq!(rows.patients, [PatientRow { patient: hash("Patient/p1"), bond: Bond::Both }]);
    assert!(tokens(&rows, id("_id")).is_empty());
}

#[test]
fn a_canonical_with_a_version_and_the_same_without_share_a_row() {
    let rows = rows(json!({ "resourceType": "Patient", "meta": { "profile": ["http://p/x", "http://p/x|2"] } }));

    let uris: Vec<(&str, Edge)> = rows.uris.iter().map(|row| (row.value.as_str(), row.edge)).collect();
    assert_eq!(uris, [("http://p/x", Edge::Lowest), ("http://p/x|2", Edge::Highest)]);
}

/// Value, code, system and edge, by value.
fn amounts(resource: Value) -> Vec<(f64, i64, i64, Edge)> {
    let rows = rows(resource);
    let of = rows.quantities.iter().filter(|row| row.param == id("Observation", "value-quantity"));
    let mut amounts: Vec<_> = of.map(|row| (row.value, row.code, row.system, row.edge)).collect();
    amounts.sort_by(|left, right| left.0.total_cmp(&right.0));
    amounts
}

#[test]
fn an_amount_has_a_row_in_the_usual_unit_unless_it_is_written_in_it() {
    let observation = |value: Value| json!({ "resourceType": "Observation", "valueQuantity": value });
    let ucum = "http://unitsofmeasure.org";
    let row = |value, code, system, edge| (value, hash(code), hash(system), edge);

    assert_eq!(
        amounts(observation(json!({ "value": 1.1, "code": "g/dL", "system": ucum }))),
        [row(1.1, "g/dL", ucum, Edge::Both), row(1100.0, "mg/dL", CANONICAL_SYSTEM, Edge::Neither)]
    );
    assert_eq!(
        amounts(observation(json!({ "value": 110, "code": "mg/dL", "system": ucum }))),
        [row(110.0, "mg/dL", ucum, Edge::Both)]
    );
    assert_eq!(amounts(observation(json!({ "value": 5, "code": "lbs", "system": ucum }))).len(), 1);
    assert_eq!(amounts(observation(json!({ "value": 5, "code": "g/dL", "system": "urn:x" }))).len(), 1);
    assert_eq!(amounts(observation(json!({ "value": 5, "code": "g/dL" }))).len(), 1);
    assert!(amounts(observation(json!({ "code": "g/dL", "system": ucum }))).is_empty());
}

#[test]
fn exact_hashes_stand_for_whole_texts_only() {
    let rows = rows(json!({ "resourceType": "Patient", "name": [{ "family": "Van Dyck" }] }));
    let param = id("Patient", "name");
    let of: Vec<StringRow> = rows.strings.into_iter().filter(|row| row.param == param).collect();

    assert_eq!(
        of,
        [
            StringRow { param, folded: "dyck".to_owned(), exact: 0, edge: Edge::Neither },
            StringRow { param, folded: "van dyck".to_owned(), exact: hash("Van Dyck"), edge: Edge::Both },
        ]
    );
}

#[test]
fn an_observation_has_its_codes_values_and_compartment() {
    let rows = rows(json!({
        "resourceType": "Observation",
        "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "8867-4" }, { "system": "s" }], "text": "Pulse" },
        "subject": { "reference": "http://here/fhir/Patient/1/_history/3" },
        "performer": [{ "reference": "Practitioner/2" }, { "reference": "Patient/3" }],
        "effectivePeriod": { "start": "2013-01-01" },
        "valueQuantity": { "value": 5.40, "unit": "beats", "code": "/min", "system": "http://unitsofmeasure.org" },
        "component": [{ "code": { "coding": [{ "code": "c" }] }, "valueRange": { "low": { "value": 1 } } }]
    }));
    let id = |code| id("Observation", code);

    let mut codes = vec![(hash("8867-4"), hash("http://loinc.org")), (0, hash("s"))];
    codes.sort_unstable();
    assert_eq!(tokens(&rows, id("code")), codes);
    codes.push((hash("c"), 0));
    codes.sort_unstable();
    assert_eq!(tokens(&rows, id("combo-code")), codes);
    assert_eq!(targets(&rows, id("patient")), [hash("Patient/1")]);
    assert_eq!(targets(&rows, id("subject")), [hash("Patient/1")]);
    assert_eq!(dates(&rows, id("date")), [(Y2013, i64::MAX)]);
    let param = id("value-quantity");
    let mut amounts = vec![
        QuantityRow {
            param,
            value: 5.4,
            code: hash("/min"),
            system: hash("http://unitsofmeasure.org"),
            edge: Edge::Both,
            side: Side::Whole,
        },
        QuantityRow { param, value: 5.4, code: hash("beats"), system: 0, edge: Edge::Both, side: Side::Whole },
    ];
    amounts.sort_by_key(|row| row.code);
    (amounts[0].edge, amounts[1].edge) = (Edge::Lowest, Edge::Highest);
    assert_eq!(rows.quantities.iter().filter(|row| row.param == param).copied().collect::<Vec<_>>(), amounts);
    let mut patients = vec![
        PatientRow { patient: hash("Patient/1"), bond: Bond::Both },
        // The performer.
        PatientRow { patient: hash("Patient/3"), bond: Bond::Member },
    ];
    patients.sort_unstable();
    assert_eq!(rows.patients, patients);
}

#[test]
fn references_elsewhere_lose_their_version_and_those_without_a_target_share_a_row() {
    let rows = rows(json!({
        "resourceType": "List",
        "status": "current", "mode": "working",
        "entry": [
            { "item": { "reference": "http://there/Patient/1/_history/2" } },
            { "item": { "reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0" } },
            { "item": { "reference": "#contained" } },
            { "item": { "identifier": { "value": "1" } } },
            { "item": { "extension": [{ "url": "http://x", "valueCode": "unknown" }] } },
            { "item": "Patient/1" }
        ]
    }));

    let mut expected = vec![0, hash("http://there/Patient/1"), hash("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0")];
    expected.sort_unstable();
    assert_eq!(targets(&rows, id("List", "item")), expected);
}

#[test]
fn a_code_of_text_alone_is_there_and_sorts_nothing() {
    let condition = |code: Value| rows(json!({ "resourceType": "Condition", "code": code }));
    let rows_of = |code: Value| {
        let rows = condition(code);
        let of = id("Condition", "code");
        rows.tokens.into_iter().filter(|row| row.param == of).collect::<Vec<_>>()
    };
    let there = TokenRow { param: id("Condition", "code"), code: 0, system: 0, edge: Edge::Neither };

    assert_eq!(rows_of(json!({ "text": "cough" })), [there]);
    assert_eq!(rows_of(json!({ "coding": [{ "display": "cough" }] })), [there]);
    assert_eq!(rows_of(json!({ "extension": [] })), []);
    assert_eq!(rows_of(json!({ "text": "cough", "coding": [{ "code": "1" }] })).len(), 1);
}

#[test]
fn canonical_references_are_found_with_their_version_and_without() {
    let rows = rows(json!({
        "resourceType": "QuestionnaireResponse", "status": "completed",
        "questionnaire": "http://q/x|1.0"
    }));
    let mut expected = vec![hash("http://q/x"), hash("http://q/x|1.0")];
    expected.sort_unstable();

    assert_eq!(targets(&rows, id("QuestionnaireResponse", "questionnaire")), expected);
}

#[test]
fn a_timing_stands_from_its_first_to_its_last_limit() {
    let rows = rows(json!({
        "resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": { "reference": "Patient/1" },
        "occurrenceTiming": {
            "event": ["2013-01-03", "2013-01-02"],
            "repeat": { "boundsPeriod": { "start": "2013-01-01", "end": "2013-01-02" } }
        }
    }));

    assert_eq!(dates(&rows, id("ServiceRequest", "occurrence")), [(Y2013, Y2013 + 3 * DAY_US)]);
}

#[test]
fn open_ranges_reach_to_infinity_and_series_to_their_extremes() {
    let sides = |ranges: Value| {
        let contexts: Vec<Value> =
            ranges.as_array().unwrap().iter().map(|range| json!({ "code": {}, "valueRange": range })).collect();
        let rows = rows(json!({ "resourceType": "ValueSet", "status": "draft", "useContext": contexts }));
        let mut sides: Vec<_> = rows.quantities.iter().map(|row| (row.value, row.side, row.edge)).collect();
        sides.sort_by(|left, right| left.0.total_cmp(&right.0));
        sides
    };
    let age = |onset: Value| {
        let rows =
            rows(json!({ "resourceType": "Condition", "subject": { "reference": "Patient/1" }, "onsetRange": onset }));
        let mut values: Vec<f64> = rows.quantities.iter().map(|row| row.value).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let series = rows(json!({
        "resourceType": "Observation", "status": "final", "code": {},
        "valueSampledData": { "origin": { "value": 100 }, "period": 1, "factor": 2, "dimensions": 1, "data": "5 E -3 U 1" }
    }));
    let param = id("Observation", "value-quantity");
    let of: Vec<f64> = series.quantities.iter().filter(|row| row.param == param).map(|row| row.value).collect();

    assert_eq!(age(json!({ "low": { "value": 20 }, "high": { "value": 30 } })), [20.0, 30.0]);
    let range = |low, high| json!({ "low": { "value": low }, "high": { "value": high } });
    let (low, high) = ((1.0, Side::Low, Edge::Lowest), (9.0, Side::High, Edge::Highest));
    assert_eq!(sides(json!([range(1, 9)])), [low, high]);
    assert_eq!(sides(json!([range(1, 5), range(5, 9)])), [low, (5.0, Side::Whole, Edge::Neither), high]);
    assert_eq!(sides(json!([range(5, 5)])), [(5.0, Side::Whole, Edge::Both)]);
    assert_eq!(age(json!({ "low": { "value": 20 } })), [20.0, f64::INFINITY]);
    assert_eq!(age(json!({})), [] as [f64; 0]);
    assert_eq!(of, [94.0, 110.0]);
}

#[test]
fn values_of_the_wrong_type_give_no_rows() {
    let rows = rows(json!({
        "resourceType": "Patient",
        "name": "eve", "gender": 1, "birthDate": "no date", "identifier": [[{}], null, 5], "active": "yes",
        "meta": { "tag": {} }
    }));

    let alive = TokenRow { param: id("Patient", "deceased"), code: hash("false"), system: 0, edge: Edge::Both };
    assert_eq!(rows.tokens, [alive]);
    assert_eq!(IndexRows { tokens: Vec::new(), texts: Vec::new(), ..rows }, IndexRows::default());
}

#[test]
fn a_resource_with_too_many_values_is_refused() {
    let codings: Vec<Value> = (0..MAX_ROWS).map(|code| json!({ "code": code.to_string() })).collect();
    let value = json!({ "resourceType": "Observation", "status": "final", "code": { "coding": codings } });
    let resource = Resource::from_value(value).unwrap();

    let answer = extract(
        &resource,
        &ExtractContext { hasher: &hasher(), bases: &[], zone_minutes: 0, registry: Registry::bundled(), places: None },
    );

    assert_eq!(answer.err(), Some(ExtractError::TooManyRows { limit: MAX_ROWS }));
}

#[test]
fn rows_are_sorted_and_single() {
    let coding = json!({ "system": "s", "code": "a" });
    let rows = rows(json!({
        "resourceType": "Observation", "status": "final",
        "code": { "coding": [coding, { "code": "b" }, coding] }
    }));
    let mut again = rows.tokens.clone();
    again.sort_unstable();
    again.dedup();

    assert_eq!(rows.tokens, again);
    assert!(rows.tokens.contains(&TokenRow {
        param: id("Observation", "code"),
        code: hash("a"),
        system: hash("s"),
        edge: Edge::Lowest,
    }));
}

#[test]
fn a_document_is_found_by_its_first_entry() {
    let rows = rows(json!({
        "resourceType": "Bundle", "type": "document",
        "entry": [{ "resource": { "resourceType": "Composition", "id": "c" } }, { "resource": { "resourceType": "Patient", "id": "p" } }]
    }));

    assert_eq!(targets(&rows, id("Bundle", "composition")), [hash("Composition/c")]);
}

#[test]
fn the_living_and_the_dead_are_told_apart() {
    let deceased = |patient: Value| tokens(&rows(patient), id("Patient", "deceased"));

    assert_eq!(deceased(json!({ "resourceType": "Patient" })), [(hash("false"), 0)]);
    assert_eq!(deceased(json!({ "resourceType": "Patient", "deceasedBoolean": false })), [(hash("false"), 0)]);
    assert_eq!(deceased(json!({ "resourceType": "Patient", "deceasedBoolean": true })), [(hash("true"), 0)]);
    assert_eq!(deceased(json!({ "resourceType": "Patient", "deceasedDateTime": "2020" })), [(hash("true"), 0)]);
}

#[test]
fn own_parameters_take_any_expression() {
    let define = |number, code: &str, kind: &str, expression: &str| {
        let definition = json!({
            "resourceType": "SearchParameter", "url": format!("http://own/{code}"), "status": "active",
            "code": code, "base": ["Patient"], "type": kind, "expression": expression,
        });
        let own = read_own_parameter(&definition, Registry::bundled()).unwrap().unwrap();
        let (id, text) = (code.to_owned(), own.definition().text);
        let stored = StoredParameter { number, id, text, state: ParameterState::Ready, generation: 1 };
        OwnDefinition::new(&stored).unwrap()
    };
    let own = vec![
        define(4096, "eyes", "token", "Patient.extension('http://eyes').value.ofType(CodeableConcept)"),
        define(4097, "names", "number", "Patient.name.count()"),
        define(4098, "first", "string", "Patient.name.given[0]"),
        define(4099, "born-in", "string", "Patient.birthDate.toString().substring(0, 4)"),
        define(4100, "doctor", "reference", "Patient.generalPractitioner.where(resolve() is Practitioner)"),
        define(4101, "called", "token", "Patient.name.where(given = 'Ana').use"),
    ];
    let registry = Registry::with_own(1, 0, 4101, own);
    let resource = Resource::from_value(json!({
        "resourceType": "Patient", "birthDate": "1974-12-25",
        "extension": [{ "url": "http://eyes", "valueCodeableConcept": { "coding": [{ "system": "s", "code": "blue" }] } }],
        "name": [{ "use": "usual", "given": ["Ana"] }, { "use": "old", "given": ["Eve"] }],
        "generalPractitioner": [{ "reference": "Practitioner/1" }, { "reference": "Organization/2" }]
    }))
    .unwrap();

    let context = ExtractContext { hasher: &hasher(), bases: &[], zone_minutes: 0, registry: &registry, places: None };
    let rows = extract(&resource, &context).unwrap();

    assert_eq!(tokens(&rows, 4096), [(hash("blue"), hash("s"))]);
    let numbers: Vec<f64> = rows.quantities.iter().filter(|row| row.param == 4097).map(|row| row.value).collect();
    assert_eq!(numbers, [2.0]);
    assert_eq!(folded(&rows, 4098), ["ana"]);
    assert_eq!(folded(&rows, 4099), ["1974"]);
    assert_eq!(targets(&rows, 4100), [hash("Practitioner/1")]);
    assert_eq!(tokens(&rows, 4101).len(), 1);
    assert_eq!(registry.parameter(ResourceType::PATIENT, "names").unwrap().id(), 4097);
    assert!(Registry::bundled().parameter(ResourceType::PATIENT, "names").is_none());
}

#[test]
fn every_term_of_every_parameter_is_understood() {
    for resource_type in ResourceType::all() {
        for parameter in Registry::bundled().parameters(resource_type) {
            if parameter.kind == ParameterKind::Composite {
                assert!(Composite::new(parameter.definition, resource_type).is_some(), "{}", parameter.code());
                continue;
            }
            let has_rows = parameter.kind != ParameterKind::Special;
            let Some(expression) = parameter.definition.expression.as_deref().filter(|_| has_rows) else {
                continue;
            };
            if path::presence(expression, resource_type).is_some() {
                continue;
            }
            for term in path::terms(expression) {
                let paths = path::compile(term, resource_type).unwrap_or_else(|| panic!("{resource_type}: {term}"));
                assert!(paths.iter().any(|path| path.leaf.is_read_by(parameter.kind)), "{resource_type}: {term}");
            }
        }
    }
}
