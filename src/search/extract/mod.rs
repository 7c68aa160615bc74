//! From a resource to its index rows.
//!
//! Values that are not of their type (a date that is no date) give no row: telling them is the business of
//! `validation`.
//!
//! Spec: R4 search.html#ptypes

mod composites;
pub(super) mod computed;
mod contained;
mod dates;
mod edges;
mod quantities;
mod references;
mod texts;
mod tokens;
mod words;

pub(super) use quantities::CANONICAL_SYSTEM;
pub(super) use references::NO_TARGET;

use std::fmt::Debug;

use serde_json::Value;
use thiserror::Error;

use crate::fhir::definitions;
use crate::fhir::{Resource, ResourceKey, ResourceType};
use crate::fhirpath::Expression;
use crate::search::extract::composites::Composite;
use crate::search::near;
use crate::search::path::{self, Path};
use crate::search::{Parameter, ParameterKind, Registry};
use crate::store::{Hasher, IndexRows};

/// What the rows of a resource depend on besides itself.
#[derive(Clone, Copy, Debug)]
pub struct ExtractContext<'a> {
    pub hasher: &'a Hasher,
    /// The server's own base URLs, without a slash at the end: references under them are local.
    pub bases: &'a [String],
    /// Minutes east of UTC, for dates that name no zone.
    pub zone_minutes: i16,
    /// The parameters that are in force.
    pub registry: &'a Registry,
}

/// The most rows that one resource may have; they are written while every other writer waits.
const MAX_ROWS: usize = 200_000;

/// The resource can't be made searchable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ExtractError {
    #[error("the resource holds more than {limit} values that can be searched for; divide it into several")]
    TooManyRows { limit: usize },
}

/// The rows of all parameters of the resource's type, without duplicates and sorted, and those of what it contains.
///
/// Special parameters, `_id` and `_lastUpdated` have no rows.
pub fn extract(resource: &Resource, context: &ExtractContext<'_>) -> Result<IndexRows, ExtractError> {
    let mut rows = values_of(resource, context)?;
    contained::index(resource, context, &mut rows)?;
    // No two rows differ by their marks alone, so that they stay in order.
    edges::mark(&mut rows);
    rows.word_texts = words::texts(resource);
    rows.words = rows.word_texts.sum(context.hasher);
    Ok(rows)
}

/// The rows of the parameters of one resource, whatever it contains; none is marked.
fn values_of(resource: &Resource, context: &ExtractContext<'_>) -> Result<IndexRows, ExtractError> {
    let mut rows = IndexRows::default();
    if resource.resource_type == ResourceType::PATIENT
        && let Some(id) = &resource.id
    {
        let key = ResourceKey { resource_type: ResourceType::PATIENT, id: id.clone() };
        rows.patients.push(context.hasher.key(&key));
    }
    rows.positions.extend(near::position(resource));
    let plan = context.registry.plan(resource.resource_type);
    for presence in &plan.presences {
        let mut is_present = false;
        for path in &presence.paths {
            path.each(&resource.value, context.bases, &mut |value| is_present |= *value != Value::Bool(false));
        }
        tokens::index_truth(presence.id, is_present, context, &mut rows);
    }
    for entry in &plan.entries {
        for path in &entry.paths {
            path.each(&resource.value, context.bases, &mut |value| {
                let element = Element { shape: path.leaf, value_set: path.value_set, value };
                index_value(entry.id, entry.kind, &element, context, &mut rows);
                if entry.makes_compartment {
                    references::index_compartment(&element, context, &mut rows.patients);
                }
            });
        }
        for expression in &entry.computed {
            computed::each(expression, resource, context, entry.id, &mut |element| {
                if element.shape.is_read_by(entry.kind) {
                    index_value(entry.id, entry.kind, element, context, &mut rows);
                    if entry.makes_compartment {
                        references::index_compartment(element, context, &mut rows.patients);
                    }
                }
            });
        }
        if row_count(&rows) > MAX_ROWS {
            return Err(ExtractError::TooManyRows { limit: MAX_ROWS });
        }
    }
    for composite in &plan.composites {
        composite.index(&resource.value, context, &mut rows);
        if row_count(&rows) > MAX_ROWS {
            return Err(ExtractError::TooManyRows { limit: MAX_ROWS });
        }
    }
    rows.normalize();
    // A URL that stands by itself and is that of a canonical with a version, too, is one row: the first of the two.
    rows.uris.dedup_by(|later, first| (later.param, &later.value) == (first.param, &first.value));
    Ok(rows)
}

/// What `resource` refers to by the reference parameter with the number `param`: `Type/id` of resources of this server,
/// URLs of others. Their hashes are the targets of its index rows.
pub fn reference_texts(resource: &Resource, param: i16, context: &ExtractContext<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    let mut read = |element: &Element<'_>| {
        if let Some(element) = element.unwrapped() {
            references::each_target(&element, context, &mut |text| texts.extend(text.map(str::to_owned)));
        }
    };
    let plan = context.registry.plan(resource.resource_type);
    for entry in plan.entries.iter().filter(|entry| entry.id == param) {
        for path in &entry.paths {
            path.each(&resource.value, context.bases, &mut |value| {
                read(&Element { shape: path.leaf, value_set: path.value_set, value });
            });
        }
        for expression in &entry.computed {
            computed::each(expression, resource, context, entry.id, &mut read);
        }
    }
    texts
}

fn row_count(rows: &IndexRows) -> usize {
    let IndexRows { tokens, strings, dates, quantities, references, uris, composites, patients, positions, .. } = rows;
    let exact = tokens.len() + quantities.len() + dates.len() + references.len() + patients.len();
    exact + strings.len() + uris.len() + composites.len() + positions.len()
}

/// How the rows of one resource type are made; compiled when the first resource of the type is written.
#[derive(Debug)]
pub(super) struct Plan {
    entries: Vec<Entry>,
    presences: Vec<Presence>,
    composites: Vec<Composite>,
}

/// A parameter that is true where an element is there and not false, and false elsewhere: `Patient.deceased`.
#[derive(Debug)]
struct Presence {
    id: i16,
    paths: Vec<Path>,
}

#[derive(Debug)]
struct Entry {
    id: i16,
    kind: ParameterKind,
    paths: Vec<Path>,
    /// The terms of an own parameter that are no walks.
    computed: Vec<Expression>,
    /// Whether a Patient that this parameter refers to has the resource in its compartment.
    ///
    /// Spec: R4 compartmentdefinition-patient.html
    makes_compartment: bool,
}

impl Plan {
    pub(super) fn new(resource_type: ResourceType, parameters: &[&Parameter]) -> Plan {
        let compartment = definitions::compartment("Patient", resource_type.name());
        let mut plan = Plan { entries: Vec::new(), presences: Vec::new(), composites: Vec::new() };
        for parameter in parameters {
            let is_column = matches!(parameter.code(), "_id" | "_lastUpdated");
            if parameter.kind == ParameterKind::Composite {
                plan.composites.extend(Composite::new(parameter.definition, resource_type));
                continue;
            }
            let has_rows = parameter.kind != ParameterKind::Special;
            let Some(expression) = parameter.definition.expression.as_deref().filter(|_| has_rows && !is_column) else {
                continue;
            };
            if let Some(paths) = path::presence(expression, resource_type) {
                plan.presences.push(Presence { id: parameter.id(), paths });
                continue;
            }
            let (mut paths, computed) = if parameter.is_own() {
                terms(expression, resource_type)
            } else {
                (path::walks(expression, resource_type), Vec::new())
            };
            // An open choice has types that can't be compared: `Procedure.performed` may be a text.
            paths.retain(|path| path.leaf.is_read_by(parameter.kind));
            plan.entries.push(Entry {
                id: parameter.id(),
                kind: parameter.kind,
                paths,
                computed,
                makes_compartment: compartment.iter().any(|code| **code == *parameter.code()),
            });
        }
        plan
    }
}

/// The terms of an own parameter: the plain ones as walks, the others compiled.
fn terms(expression: &str, resource_type: ResourceType) -> (Vec<Path>, Vec<Expression>) {
    let (mut paths, mut compiled) = (Vec::new(), Vec::new());
    for term in path::terms(expression) {
        match path::compile(term, resource_type).filter(|_| computed::is_safe_walk(term)) {
            Some(walks) => paths.extend(walks),
            None => compiled.extend(computed::compile(term)),
        }
    }
    (paths, compiled)
}

/// The rows that `element` has under the number `param` as a value of this kind.
fn index_value(
    param: i16,
    kind: ParameterKind,
    element: &Element<'_>,
    context: &ExtractContext<'_>,
    rows: &mut IndexRows,
) {
    match kind {
        ParameterKind::Token => tokens::index(param, element, context, rows),
        ParameterKind::String => texts::index_string(param, element, context, &mut rows.strings),
        ParameterKind::Uri => texts::index_uri(param, element, &mut rows.uris),
        ParameterKind::Date => dates::index(param, element, context, &mut rows.dates),
        ParameterKind::Number | ParameterKind::Quantity => {
            quantities::index(param, element, context, &mut rows.quantities);
        }
        ParameterKind::Reference => references::index(param, element, context, rows),
        ParameterKind::Composite | ParameterKind::Special => {}
    }
}

/// An element that an expression selected.
#[derive(Clone, Copy)]
struct Element<'a> {
    shape: Shape,
    value_set: Option<&'a str>,
    value: &'a Value,
}

impl<'a> Element<'a> {
    /// Of an extension: its value.
    fn unwrapped(&self) -> Option<Element<'a>> {
        if self.shape != Shape::Extension {
            return Some(*self);
        }
        let (name, value) = self.value.as_object()?.iter().find(|(name, _)| name.starts_with("value"))?;
        let shape = Shape::of(definitions::type_named("Extension")?.member(name).map(|(_, of)| &*of.code)?);
        // An Extension has no value of type Extension, so that this ends here.
        (shape != Shape::Extension).then_some(Element { shape, value_set: None, value })
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name).and_then(Value::as_str)
    }

    /// The items of a member that repeats.
    fn items(&self, name: &str) -> &'a [Value] {
        self.value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// The types that the index tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Boolean,
    Code,
    /// string, id, markdown, ..
    Text,
    /// uri, url, oid, uuid
    Uri,
    Canonical,
    /// date, dateTime, instant
    Date,
    Period,
    Timing,
    /// decimal, integer, ..
    Number,
    /// Quantity and its kinds.
    Quantity,
    Money,
    Range,
    SampledData,
    Coding,
    CodeableConcept,
    Identifier,
    ContactPoint,
    HumanName,
    /// The family name of a HumanName: a string whose words are found as well.
    Family,
    Address,
    Reference,
    Extension,
    /// A resource within the resource.
    Resource,
    /// Nothing that any kind of parameter reads.
    Other,
}

impl Shape {
    /// Whether a parameter of this kind has rows for such elements.
    fn is_read_by(self, kind: ParameterKind) -> bool {
        use Shape::*;
        match kind {
            _ if self == Extension => true,
            ParameterKind::Token => matches!(
                self,
                Boolean | Code | Text | Uri | Canonical | Date | Coding | CodeableConcept | Identifier | ContactPoint
            ),
            ParameterKind::String => {
                matches!(self, Text | Code | Uri | Canonical | Date | HumanName | Family | Address | CodeableConcept)
            }
            ParameterKind::Date => matches!(self, Date | Period | Timing),
            ParameterKind::Number => matches!(self, Number | Range),
            ParameterKind::Quantity => matches!(self, Number | Quantity | Money | Range | SampledData),
            ParameterKind::Uri => matches!(self, Uri | Canonical | Text | Code),
            ParameterKind::Reference => matches!(self, Reference | Canonical | Uri | Resource),
            ParameterKind::Composite | ParameterKind::Special => false,
        }
    }

    /// The shape of the type `name`.
    pub(super) fn of(name: &str) -> Shape {
        match name {
            "boolean" => Shape::Boolean,
            "code" => Shape::Code,
            "string" | "id" | "markdown" | "time" | "base64Binary" => Shape::Text,
            "uri" | "url" | "oid" | "uuid" => Shape::Uri,
            "canonical" => Shape::Canonical,
            "date" | "dateTime" | "instant" => Shape::Date,
            "Period" => Shape::Period,
            "Timing" => Shape::Timing,
            "decimal" | "integer" | "positiveInt" | "unsignedInt" => Shape::Number,
            "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "SimpleQuantity" | "MoneyQuantity" => {
                Shape::Quantity
            }
            "Money" => Shape::Money,
            "Range" => Shape::Range,
            "SampledData" => Shape::SampledData,
            "Coding" => Shape::Coding,
            "CodeableConcept" => Shape::CodeableConcept,
            "Identifier" => Shape::Identifier,
            "ContactPoint" => Shape::ContactPoint,
            "HumanName" => Shape::HumanName,
            "Address" => Shape::Address,
            "Reference" => Shape::Reference,
            "Extension" => Shape::Extension,
            "Resource" => Shape::Resource,
            _ => Shape::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::search::{OwnDefinition, read_own_parameter};
    use crate::store::{Edge, ParameterState, QuantityRow, StoredParameter, StringRow, TokenRow, UriRow};

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
            &ExtractContext { hasher: &hasher(), bases: &bases, zone_minutes: 0, registry: Registry::bundled() },
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
        assert_eq!(rows.patients, [hash("Patient/p1")]);
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
            },
            QuantityRow { param, value: 5.4, code: hash("beats"), system: 0, edge: Edge::Both },
        ];
        amounts.sort_by_key(|row| row.code);
        (amounts[0].edge, amounts[1].edge) = (Edge::Lowest, Edge::Highest);
        assert_eq!(rows.quantities.iter().filter(|row| row.param == param).copied().collect::<Vec<_>>(), amounts);
        let mut patients = vec![hash("Patient/1"), hash("Patient/3")];
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

        let mut expected =
            vec![0, hash("http://there/Patient/1"), hash("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0")];
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
        let age = |onset: Value| {
            let rows = rows(
                json!({ "resourceType": "Condition", "subject": { "reference": "Patient/1" }, "onsetRange": onset }),
            );
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
            &ExtractContext { hasher: &hasher(), bases: &[], zone_minutes: 0, registry: Registry::bundled() },
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
        let registry = Registry::with_own(1, 4101, own);
        let resource = Resource::from_value(json!({
            "resourceType": "Patient", "birthDate": "1974-12-25",
            "extension": [{ "url": "http://eyes", "valueCodeableConcept": { "coding": [{ "system": "s", "code": "blue" }] } }],
            "name": [{ "use": "usual", "given": ["Ana"] }, { "use": "old", "given": ["Eve"] }],
            "generalPractitioner": [{ "reference": "Practitioner/1" }, { "reference": "Organization/2" }]
        }))
        .unwrap();

        let context = ExtractContext { hasher: &hasher(), bases: &[], zone_minutes: 0, registry: &registry };
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
}
