//! Broken resources, one flaw each, and the finding that must come of it.

use serde_json::{Value, json};

use super::findings::Findings;
use super::path::Path;
use super::structure::{Setting, Walk};
use super::validate;
use crate::fhir::{Issue, Resource, json};

/// Resources that have no flaw; each row of the table changes one of them.
fn sound(name: &str) -> Value {
    match name {
        "Patient" => json!({
            "resourceType": "Patient", "id": "a",
            "name": [{ "family": "F", "given": ["G", "H"] }],
            "contact": [{ "name": { "family": "C" } }, { "gender": "male", "name": { "family": "D" } }]
        }),
        "Observation" => json!({
            "resourceType": "Observation", "status": "final", "code": { "text": "c" },
            "subject": { "reference": "Patient/1" }, "valueQuantity": { "value": 1.50, "unit": "u" }
        }),
        "Contained" => json!({
            "resourceType": "Observation", "status": "final", "code": { "text": "c" },
            "subject": { "reference": "#p" }, "contained": [{ "resourceType": "Patient", "id": "p" }]
        }),
        "Condition" => json!({
            "resourceType": "Condition", "subject": { "reference": "Patient/1" },
            "clinicalStatus": { "coding": [
                { "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active" }] }
        }),
        "Bundle" => json!({
            "resourceType": "Bundle", "type": "collection",
            "entry": [{ "fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "resource": { "resourceType": "Patient" } }]
        }),
        "Transaction" => json!({
            "resourceType": "Bundle", "type": "transaction", "entry": [{
                "request": { "method": "POST", "url": "Observation" },
                "resource": { "resourceType": "Observation", "status": "final", "code": { "text": "c" },
                    "subject": { "reference": "Patient?identifier=1" } } }]
        }),
        "Parameters" => json!({
            "resourceType": "Parameters",
            "parameter": [{ "name": "a", "part": [{ "name": "b", "resource": { "resourceType": "Patient" } }] }]
        }),
        "Questionnaire" => json!({ "resourceType": "Questionnaire", "status": "draft" }),
        other => panic!("no sound {other}"),
    }
}

/// Sets the member at a JSON pointer, inserts an entry of an array, or removes a member when there is nothing new.
fn changed(mut resource: Value, pointer: &str, new: Option<Value>) -> Value {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match (resource.pointer_mut(parent).unwrap(), new) {
        (Value::Object(object), Some(new)) => drop(object.insert(last.to_owned(), new)),
        (Value::Object(object), None) => drop(object.shift_remove(last).unwrap()),
        (Value::Array(items), Some(new)) => items.insert(last.parse().unwrap(), new),
        (_, _) => panic!("{pointer} can't be changed"),
    }
    resource
}

/// All findings, as `expression code`.
fn findings(value: Value) -> Vec<String> {
    let resource = Resource::from_value(value).unwrap();
    validate(&resource, &bases()).iter().map(shown).collect()
}

/// The findings of the structure pass, at least for the outermost resource.
fn findings_without_schema(value: Value) -> Vec<String> {
    let resource = Resource::from_value(value).unwrap();
    let bases = bases();
    let mut walk = Walk { bases: &bases, findings: Findings::default() };
    let root = Path::Root(resource.resource_type.name());
    walk.structure(resource.resource_type, resource.object(), Setting::Whole { in_transaction: false }, &root);
    walk.findings.into_issues().iter().map(shown).collect()
}

fn bases() -> Vec<String> {
    vec!["https://own.example/fhir".to_owned()]
}

fn shown(issue: &Issue) -> String {
    format!("{} {}", issue.expression.as_deref().unwrap_or("-"), issue.code.as_str())
}

fn text(value: &str) -> Option<Value> {
    Some(Value::from(value))
}

const SPACE: &str = "xmlns=\"http://www.w3.org/1999/xhtml\"";

#[test]
fn sound_resources_have_no_findings() {
    let names =
        ["Patient", "Observation", "Contained", "Condition", "Bundle", "Transaction", "Parameters", "Questionnaire"];
    for name in names {
        assert_eq!(findings(sound(name)), Vec::<String>::new(), "{name}");
    }
}

/// A sound resource, a JSON pointer into it, what to put there (`None` removes), and what must be found.
fn table() -> Vec<(&'static str, &'static str, Option<Value>, &'static str)> {
    let narrative = |div: String| Some(json!({ "status": "generated", "div": div }));
    let extension = |members: Value| Some(json!([members]));
    #[rustfmt::skip]
    let table = vec![
        // Unknown elements.
        ("Patient", "/nickname", text("x"), "Patient.nickname structure"),
        ("Patient", "/_nickname", Some(json!({ "id": "x" })), "Patient.nickname structure"),
        ("Patient", "/name/0/first", text("x"), "Patient.name[0].first structure"),
        ("Patient", "/Ada Lovelace", text("x"), "Patient structure"),
        ("Patient", "/contact/1/name/resourceType", text("HumanName"), "Patient.contact[1].name.resourceType structure"),
        ("Observation", "/valueFoo", text("x"), "Observation.valueFoo structure"),
        ("Observation", "/value", text("x"), "Observation.value structure"),
        // Required elements.
        ("Observation", "/status", None, "Observation.status required"),
        ("Observation", "/code", None, "Observation.code required"),
        ("Condition", "/subject", None, "Condition.subject required"),
        ("Questionnaire", "/item", Some(json!([{ "type": "group" }])), "Questionnaire.item[0].linkId required"),
        ("Patient", "/link", Some(json!([{ "type": "refer" }])), "Patient.link[0].other required"),
        ("Patient", "/text", Some(json!({ "status": "generated" })), "Patient.text.div required"),
        ("Patient", "/extension", extension(json!({ "valueString": "x" })), "Patient.extension[0].url required"),
        // One or many.
        ("Patient", "/gender", Some(json!(["male"])), "Patient.gender structure"),
        ("Patient", "/name", Some(json!({ "family": "F" })), "Patient.name structure"),
        ("Patient", "/maritalStatus", Some(json!([{ "text": "x" }])), "Patient.maritalStatus structure"),
        ("Patient", "/name/0/given", text("G"), "Patient.name[0].given structure"),
        ("Patient", "/_birthDate", Some(json!([{ "id": "x" }])), "Patient.birthDate structure"),
        // Choices.
        ("Observation", "/valueString", text("x"), "Observation.value structure"),
        ("Patient", "/deceasedBoolean", Some(json!("false")), "Patient.deceased value"),
        // Nothing where something belongs.
        ("Patient", "/maritalStatus", Some(json!({})), "Patient.maritalStatus structure"),
        ("Patient", "/telecom", Some(json!([])), "Patient.telecom structure"),
        ("Patient", "/name/0/family", text(""), "Patient.name[0].family value"),
        ("Patient", "/name/0/family", text(" \n"), "Patient.name[0].family value"),
        ("Patient", "/maritalStatus", Some(json!({ "id": "x" })), "Patient.maritalStatus invariant"),
        ("Patient", "/birthDate", Some(Value::Null), "Patient.birthDate structure"),
        ("Patient", "/maritalStatus", Some(Value::Null), "Patient.maritalStatus structure"),
        ("Patient", "/name/1", Some(Value::Null), "Patient.name[1] structure"),
        ("Patient", "/name/0/given/1", Some(Value::Null), "Patient.name[0].given[1] structure"),
        // Siblings of primitives.
        ("Patient", "/name/0/_given", Some(json!([{ "id": "x" }])), "Patient.name[0].given structure"),
        ("Patient", "/_name", Some(json!([{ "id": "x" }])), "Patient.name structure"),
        ("Patient", "/_id", Some(json!({ "id": "x" })), "Patient.id structure"),
        ("Patient", "/_birthDate", Some(json!({ "id": "x" })), "Patient.birthDate invariant"),
        ("Patient", "/_birthDate", Some(json!({ "value": "x", "id": "x" })), "Patient.birthDate.value structure"),
        ("Patient", "/_birthDate", text("x"), "Patient.birthDate structure"),
        // Ids of elements.
        ("Patient", "/name/0/id", text("a b"), "Patient.name[0].id value"),
        ("Patient", "/name/0/id", text("\u{a0}"), "Patient.name[0].id value"),
        ("Patient", "/_gender", Some(json!({ "id": "a b", "extension": [{ "url": "urn:a", "valueCode": "x" }] })), "Patient.gender.id value"),
        ("Patient", "/name/0/_given", Some(json!([{ "id": "a b" }, null])), "Patient.name[0].given[0].id value"),
        // Shapes and values.
        ("Patient", "/active", text("true"), "Patient.active value"),
        ("Patient", "/maritalStatus", text("M"), "Patient.maritalStatus structure"),
        ("Patient", "/birthDate", Some(json!({ "year": 1 })), "Patient.birthDate structure"),
        ("Patient", "/birthDate", text("1987-02-31"), "Patient.birthDate value"),
        ("Patient", "/birthDate", text("31.12.1987"), "Patient.birthDate value"),
        ("Patient", "/birthDate", text("1987-12-31T00:00:00Z"), "Patient.birthDate value"),
        ("Patient", "/deceasedDateTime", text("2020-01-01T10:00:00"), "Patient.deceased value"),
        ("Patient", "/meta", Some(json!({ "lastUpdated": "2020-01-01" })), "Patient.meta.lastUpdated value"),
        ("Patient", "/multipleBirthInteger", Some(json!(1.0)), "Patient.multipleBirth value"),
        ("Patient", "/multipleBirthInteger", Some(json!(2147483648_i64)), "Patient.multipleBirth value"),
        ("Patient", "/telecom", Some(json!([{ "rank": 0 }])), "Patient.telecom[0].rank value"),
        ("Patient", "/photo", Some(json!([{ "data": "a" }])), "Patient.photo[0].data value"),
        ("Patient", "/photo", Some(json!([{ "size": -1 }])), "Patient.photo[0].size value"),
        ("Patient", "/implicitRules", text("a b"), "Patient.implicitRules value"),
        ("Patient", "/language", text(" de"), "Patient.language value"),
        ("Observation", "/valueQuantity/value", text("1.5"), "Observation.value.value value"),
        ("Observation", "/effectiveInstant", text("2020-01-01"), "Observation.effective value"),
        // Extensions.
        ("Patient", "/extension", extension(json!({ "url": "urn:a" })), "Patient.extension[0] invariant"),
        ("Patient", "/extension", extension(json!({ "url": "urn:a", "valueString": "x", "extension": [{ "url": "urn:b", "valueCode": "c" }] })), "Patient.extension[0] invariant"),
        ("Patient", "/extension", extension(json!({ "url": "urn:a", "valueString": "x", "valueCode": "y" })), "Patient.extension[0].value structure"),
        ("Patient", "/_birthDate", Some(json!({ "extension": [{ "url": "urn:a" }] })), "Patient.birthDate.extension[0] invariant"),
        // References.
        ("Observation", "/subject/reference", text("Patient 1"), "Observation.subject.reference value"),
        ("Observation", "/subject/reference", text("1"), "Observation.subject.reference value"),
        ("Observation", "/subject/reference", text("Patient?name=x"), "Observation.subject.reference value"),
        ("Observation", "/subject/reference", text("Practitioner/1"), "Observation.subject value"),
        ("Observation", "/subject/reference", text("https://own.example/fhir/Practitioner/1"), "Observation.subject value"),
        ("Observation", "/subject/reference", text("https://other.example/Practitioner/1/_history/2"), "Observation.subject value"),
        ("Observation", "/subject/reference", text("#x"), "Observation.subject.reference invariant"),
        ("Observation", "/subject/reference", text("urn:uuid:"), "Observation.subject.reference value"),
        ("Observation", "/subject/reference", text("urn:uuid:1"), "Observation.subject.reference value"),
        ("Observation", "/subject/reference", text("urn:oid:9.9"), "Observation.subject.reference value"),
        ("Observation", "/subject", Some(json!({ "type": "Practitioner", "display": "x" })), "Observation.subject value"),
        ("Observation", "/subject", Some(json!({ "type": "Human", "display": "x" })), "Observation.subject.type code-invalid"),
        ("Observation", "/subject/type", text("Group"), "Observation.subject.type value"),
        // Contained resources.
        ("Contained", "/contained/0/resourceType", text("Practitioner"), "Observation.subject value"),
        ("Contained", "/contained/1", Some(json!({ "resourceType": "Patient", "id": "q" })), "Observation.contained[1] invariant"),
        ("Contained", "/contained/1", Some(json!({ "resourceType": "Patient", "id": "p" })), "Observation.contained[1].id duplicate"),
        ("Contained", "/contained/1", Some(json!({ "resourceType": "Patient" })), "Observation.contained[1].id required"),
        ("Contained", "/contained/0/contained", Some(json!([{ "resourceType": "Patient", "id": "q" }])), "Observation.contained[0].contained invariant"),
        ("Contained", "/contained/0/meta", Some(json!({ "versionId": "1" })), "Observation.contained[0].meta.versionId invariant"),
        ("Contained", "/contained/0/meta", Some(json!({ "security": [{ "code": "R" }] })), "Observation.contained[0].meta.security invariant"),
        ("Contained", "/contained/0/gender", text("x"), "Observation.contained[0].gender code-invalid"),
        ("Contained", "/contained/0/resourceType", text("Human"), "Observation.contained[0].resourceType structure"),
        ("Contained", "/contained/0/resourceType", None, "Observation.contained[0].resourceType required"),
        ("Contained", "/contained/1", text("x"), "Observation.contained[1] structure"),
        // Codes.
        ("Patient", "/gender", text("m"), "Patient.gender code-invalid"),
        ("Patient", "/gender", Some(json!(1)), "Patient.gender value"),
        ("Observation", "/status", text("done"), "Observation.status code-invalid"),
        ("Condition", "/clinicalStatus/coding/0/code", text("on"), "Condition.clinicalStatus code-invalid"),
        ("Condition", "/clinicalStatus/coding/0/system", None, "Condition.clinicalStatus code-invalid"),
        ("Condition", "/clinicalStatus", Some(json!({ "text": "active" })), "Condition.clinicalStatus code-invalid"),
        ("Questionnaire", "/subjectType", Some(json!(["Human"])), "Questionnaire.subjectType[0] code-invalid"),
        // Narrative.
        ("Patient", "/text", narrative("x".to_owned()), "Patient.text.div value"),
        ("Patient", "/text", narrative(format!("<div {SPACE}><p>x</div>")), "Patient.text.div value"),
        ("Patient", "/text", narrative(format!("<div {SPACE}>x<script>y</script></div>")), "Patient.text.div invariant"),
        ("Patient", "/text", narrative(format!("<div {SPACE}> </div>")), "Patient.text.div invariant"),
        // Bundles and parameters.
        ("Bundle", "/total", Some(json!(1)), "Bundle.total invariant"),
        ("Bundle", "/entry/0/search", Some(json!({ "mode": "match" })), "Bundle.entry[0].search invariant"),
        ("Bundle", "/entry/0/request", Some(json!({ "method": "GET", "url": "x" })), "Bundle.entry[0].request invariant"),
        ("Transaction", "/entry/0/request", None, "Bundle.entry[0].request invariant"),
        ("Transaction", "/entry/0/response", Some(json!({ "status": "200" })), "Bundle.entry[0].response invariant"),
        ("Bundle", "/entry/1", Some(json!({ "fullUrl": "urn:a:b" })), "Bundle.entry[1] invariant"),
        ("Bundle", "/entry/1", Some(json!({ "fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "resource": { "resourceType": "Patient" } })), "Bundle.entry[1].fullUrl invariant"),
        ("Bundle", "/entry/0/fullUrl", text("https://a.example/Patient/1/_history/1"), "Bundle.entry[0].fullUrl invariant"),
        ("Bundle", "/type", text("message"), "Bundle.entry invariant"),
        ("Bundle", "/entry/0/resource/gender", text("x"), "Bundle.entry[0].resource.gender code-invalid"),
        ("Bundle", "/entry/0/resource/resourceType", text("Human"), "Bundle.entry[0].resource.resourceType structure"),
        ("Parameters", "/parameter/0/part/0/resource/active", text("x"), "Parameters.parameter[0].part[0].resource.active value"),
        ("Parameters", "/parameter/0/valueString", Some(json!(5)), "Parameters.parameter[0].value value"),
    ];
    table
}

#[track_caller]
fn check_table(find: fn(Value) -> Vec<String>) {
    let mut wrong = Vec::new();
    for (name, pointer, new, expected) in table() {
        let flaw = new.as_ref().map_or("removed".to_owned(), Value::to_string);
        let said = find(changed(sound(name), pointer, new));
        if said != [expected] {
            wrong.push(format!("{name}{pointer} {flaw}: expected {expected}, was {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_flaw_has_its_one_finding() {
    check_table(findings);
}

#[test]
fn structure_pass_finds_every_flaw_by_itself() {
    check_table(findings_without_schema);
}

#[test]
fn all_findings_come_at_once_those_of_the_schema_first() {
    let broken = json!({
        "resourceType": "Patient", "maritalStatus": {}, "gender": "m", "birthDate": "1987-02-31", "name": "x", "nickname": 1
    });

    let mut said = findings(broken);

    let by_walk = said.split_off(3);
    said.sort();
    assert_eq!(said, ["Patient.gender code-invalid", "Patient.name structure", "Patient.nickname structure"]);
    assert_eq!(by_walk, ["Patient.maritalStatus structure", "Patient.birthDate value"]);
}

#[test]
fn lists_of_primitives_may_have_gaps_that_extensions_fill() {
    let reason = json!({ "extension": [{ "url": "urn:a", "valueCode": "masked" }] });
    let fine = json!({
        "resourceType": "Patient",
        "_gender": reason, "name": [{ "given": ["A", null, "B"], "_given": [null, reason, { "id": "x" }] }]
    });
    let both_null = json!({
        "resourceType": "Patient", "name": [{ "given": ["A", null], "_given": [{ "id": "x" }, null] }]
    });

    assert_eq!(findings(fine), Vec::<String>::new());
    assert_eq!(findings(both_null), ["Patient.name[0].given[1] structure"]);
}

#[test]
fn extension_stands_in_for_a_required_primitive() {
    let mut observation = sound("Observation");
    observation.as_object_mut().unwrap().shift_remove("status");
    observation["_status"] = json!({ "extension": [{ "url": "urn:a", "valueCode": "unknown" }] });

    assert_eq!(findings(observation), Vec::<String>::new());
}

#[test]
fn contained_resource_may_refer_to_its_container_instead() {
    let provenance = json!({
        "resourceType": "Provenance", "id": "p", "target": [{ "reference": "#" }],
        "recorded": "2020-01-01T00:00:00Z", "agent": [{ "who": { "display": "x" } }]
    });
    let mut patient = sound("Patient");
    patient["contained"] = json!([provenance]);

    assert_eq!(findings(patient), Vec::<String>::new());
}

#[test]
fn canonicals_may_have_extensions_too() {
    let display = json!({ "extension": [{ "url": "urn:a", "valueString": "x" }] });
    let response = json!({
        "resourceType": "QuestionnaireResponse", "status": "completed",
        "questionnaire": "urn:q", "_questionnaire": display, "meta": { "profile": ["urn:p"], "_profile": [display] }
    });

    assert_eq!(findings(response), Vec::<String>::new());
}

#[test]
fn texts_have_spaces_of_every_script() {
    let patient =
        json!({ "resourceType": "Patient", "name": [{ "text": "山田\u{3000}太郎" }, { "text": "A\u{a0}B" }] });

    assert_eq!(findings(patient), Vec::<String>::new());
}

#[test]
fn text_of_a_finding_lists_the_codes_and_never_the_value() {
    let mut patient = sound("Patient");
    patient["gender"] = json!("secret");
    patient["birthDate"] = json!("secret");
    patient["name"][0]["given"][0] = json!({ "secret": "secret" });
    patient["secret thing"] = json!("secret");
    patient["managingOrganization"] = json!({ "reference": "secret" });
    patient["text"] = json!({ "status": "secret", "div": "<secret x='secret'>" });

    let issues = validate(&Resource::from_value(patient).unwrap(), &[]);

    assert!(issues.len() >= 7, "{issues:?}");
    assert!(issues.iter().all(|issue| !issue.text.contains("secret")), "{issues:?}");
    assert!(
        issues.iter().any(|issue| issue.text == "gender must be one of: female, male, other, unknown"),
        "{issues:?}"
    );
}

#[test]
fn code_of_a_wrong_json_type_is_told_what_would_be_right() {
    let text = |gender: Value| {
        let issues = validate(&Resource::from_value(changed(sound("Patient"), "/gender", Some(gender))).unwrap(), &[]);
        issues[0].text.clone()
    };

    assert_eq!(text(json!(1)), "gender must be one of: female, male, other, unknown");
    assert_eq!(text(json!(["male"])), "gender occurs once, so it is not written as an array");
}

#[test]
fn hostile_size_ends_in_a_hundred_findings_and_a_count() {
    let names = vec![json!({ "family": 1 }); 500];

    let issues = validate(&Resource::from_value(json!({ "resourceType": "Patient", "name": names })).unwrap(), &[]);

    assert_eq!(issues.len(), 101);
    assert_eq!(issues[100].text, "400 more findings are not listed");
}

#[test]
fn flaw_in_a_very_large_resource_is_found() {
    let names = vec![json!({ "family": "F" }); 30_000];
    let patient = json!({ "resourceType": "Patient", "name": names, "nickname": "x" });

    assert_eq!(findings(patient), ["Patient.nickname structure"]);
}

#[test]
fn extensions_nested_to_the_last_level_fit_the_stack() {
    let mut extension = json!({ "url": "urn:a", "valueCode": "x" });
    for _ in 0..48 {
        extension = json!({ "url": "urn:a", "extension": [extension] });
    }

    assert_eq!(findings(json!({ "resourceType": "Patient", "extension": [extension] })), Vec::<String>::new());
}

#[test]
fn digits_survive_and_are_no_obstacle() {
    let text = br#"{"resourceType":"Observation","status":"final","code":{"text":"c"},
        "valueQuantity":{"value":1.2345678901234567890123456789e-5}}"#;

    assert_eq!(findings(json::parse(text).unwrap()), Vec::<String>::new());
}
