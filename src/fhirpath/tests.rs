//! What expressions select, as tables.

use serde_json::{Value, json};

use super::*;
use crate::fhir::definitions;

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "id": "p1",
        "active": true,
        "extension": [{"url": "http://e/a", "valueString": "x"}, {"url": "http://e/b", "valueInteger": 3}],
        "name": [
            {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
            {"use": "usual", "given": [null, "Jim"], "_given": [{"extension": [{"url": "http://e/g"}]}]}
        ],
        "telecom": [
            {"system": "phone", "value": "1"},
            {"system": "email", "value": "a@b"},
            {"system": "phone", "value": "2"}
        ],
        "birthDate": "1974-12-25",
        "_birthDate": {"id": "b", "extension": [{"url": "http://e/time", "valueDateTime": "1974-12-25T14:35:45-05:00"}]},
        "deceasedDateTime": "2020-01-01",
        "contact": [{"name": {"family": "du Marché"}}],
        "generalPractitioner": [
            {"reference": "Practitioner/1"},
            {"reference": "https://other.example/r4/Organization/2"},
            {"reference": "#c1"},
            {"reference": "urn:uuid:7", "type": "PractitionerRole"}
        ],
        "contained": [{"resourceType": "Organization", "id": "c1", "name": "Acme"}]
    })
}

/// The results as text: JSON of elements, `Type text` of computed values.
fn results(text: &str, root: &Value, root_type: &str) -> Vec<String> {
    let expression = compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let nodes = expression
        .evaluate(root, root_type, &Context { now_us: Some(1_750_000_000_000_000), ..Context::new(root) })
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    let written = |node: &Node<'_>| match node.json() {
        Some(json) => json.to_string(),
        None => format!("{} {}", node.type_name(), node.to_text().unwrap_or_default()),
    };
    nodes.iter().map(written).collect()
}

fn types_of(text: &str, root: &Value, root_type: &str) -> Vec<&'static str> {
    let nodes = compile(text).unwrap().evaluate(root, root_type, &Context::new(root)).unwrap();
    nodes.iter().map(Node::type_name).collect()
}

#[test]
fn all_bundled_search_expressions_compile() {
    let mut count = 0;
    for parameter in definitions::search_parameters() {
        let parts = parameter.components.iter().map(|component| &component.expression);
        for text in parameter.expression.iter().chain(parts) {
            compile(text).unwrap_or_else(|error| panic!("{} {}: {text}: {error}", parameter.base, parameter.code));
            count += 1;
        }
    }
    assert!(count > 1_300, "{count}");
}

#[test]
fn search_expressions_select_what_they_name() {
    let patient = patient();
    let cases: [(&str, &[&str]); 15] = [
        ("Patient.name.family", &["\"Chalmers\""]),
        ("Resource.id", &["\"p1\""]),
        ("DomainResource.extension.url", &["\"http://e/a\"", "\"http://e/b\""]),
        ("Observation.code", &[]),
        ("Patient.telecom.where(system='phone').value", &["\"1\"", "\"2\""]),
        ("(Patient.deceased as dateTime)", &["\"2020-01-01\""]),
        ("(Patient.deceased as boolean)", &[]),
        ("Patient.deceased.exists() and Patient.deceased != false", &["Boolean true"]),
        ("Patient.extension('http://e/b').value", &["3"]),
        ("Patient.extension.where(url = 'http://e/a').value.ofType(string)", &["\"x\""]),
        (
            "Patient.generalPractitioner.where(resolve() is Organization).reference",
            &["\"https://other.example/r4/Organization/2\"", "\"#c1\""],
        ),
        ("Patient.generalPractitioner.resolve().name", &["\"Acme\""]),
        ("Patient.generalPractitioner[3].resolve() is PractitionerRole", &["Boolean true"]),
        ("Patient.contact.name.family | Patient.name.family", &["\"du Marché\"", "\"Chalmers\""]),
        ("Patient.contained.ofType(Organization).name", &["\"Acme\""]),
    ];

    for (text, expected) in cases {
        assert_eq!(results(text, &patient, "Patient"), expected, "{text}");
    }
}

#[test]
fn a_deceased_flag_of_false_is_not_deceased() {
    let text = "Patient.deceased.exists() and Patient.deceased != false";
    for (patient, expected) in [
        (json!({"resourceType": "Patient", "deceasedBoolean": false}), "Boolean false"),
        (json!({"resourceType": "Patient", "deceasedBoolean": true}), "Boolean true"),
        (json!({"resourceType": "Patient"}), "Boolean false"),
    ] {
        assert_eq!(results(text, &patient, "Patient"), [expected], "{patient}");
    }
}

#[test]
fn nodes_know_their_type() {
    let patient = patient();
    let cases: [(&str, &[&str]); 9] = [
        ("Patient", &["Patient"]),
        ("Patient.contact", &["Patient.contact"]),
        ("Patient.deceased", &["dateTime"]),
        ("Patient.contained", &["Organization"]),
        ("Patient.extension.value", &["string", "integer"]),
        ("Patient.birthDate.extension", &["Extension"]),
        ("Patient.name.use", &["code", "code"]),
        ("Patient.name.given.count()", &["Integer"]),
        ("Patient.birthDate + 1 day", &["Date"]),
    ];

    for (text, expected) in cases {
        assert_eq!(types_of(text, &patient, "Patient"), expected, "{text}");
    }
}

#[test]
fn bundle_entries_have_the_type_that_they_name() {
    let bundle = json!({"resourceType": "Bundle", "entry": [
        {"resource": {"resourceType": "Patient", "active": true}}, {"resource": {"resourceType": "Group"}}
    ]});

    assert_eq!(types_of("Bundle.entry.resource", &bundle, "Bundle"), ["Patient", "Group"]);
    assert_eq!(results("Bundle.entry.resource.ofType(Patient).active", &bundle, "Resource"), ["true"]);
}

#[test]
fn a_primitive_without_value_is_an_element() {
    let patient = patient();
    let cases: [(&str, &[&str]); 6] = [
        ("Patient.name[1].given.count()", &["Integer 2"]),
        ("Patient.name[1].given.select(hasValue())", &["Boolean false", "Boolean true"]),
        ("Patient.name[1].given[0].extension.url", &["\"http://e/g\""]),
        ("Patient.name[1].given[1].extension.exists()", &["Boolean false"]),
        ("Patient.birthDate.id", &["\"b\""]),
        ("Patient.birthDate.extension('http://e/time').value", &["\"1974-12-25T14:35:45-05:00\""]),
    ];

    for (text, expected) in cases {
        assert_eq!(results(text, &patient, "Patient"), expected, "{text}");
    }
}

#[test]
fn component_expressions_start_from_a_part() {
    let text = r#"{"code": {"text": "c"}, "valueQuantity": {"value": 1.50, "unit": "kg"}}"#;
    let component: Value = serde_json::from_str(text).unwrap();

    let found = results("value.as(Quantity)", &component, "Observation.component");

    assert_eq!(found, ["{\"value\":1.50,\"unit\":\"kg\"}"]);
}

#[test]
fn operators_bind_as_the_specification_says() {
    let cases = [
        ("1 + 2 * 3", "Integer 7"),
        ("-2 + 5", "Integer 3"),
        ("7 div 2 mod 2", "Integer 1"),
        ("1 | 2 = 1 | 2", "Boolean true"),
        ("false and true or true", "Boolean true"),
        ("true or true and false", "Boolean true"),
        ("false implies false and false", "Boolean true"),
        ("1 is Integer and 'a' in ('a' | 'b')", "Boolean true"),
        ("1 < 2 = true", "Boolean true"),
        ("'a' & 'b' & {} = 'ab'", "Boolean true"),
        ("1.10 = 1.1", "Boolean true"),
        ("4 'g' = 4000 'mg'", "Boolean true"),
        ("@2024-02-29 + 1 year", "Date 2025-02-28"),
        ("today().toString()", "String 2025-06-15"),
    ];

    for (text, expected) in cases {
        assert_eq!(results(text, &patient(), "Patient"), [expected], "{text}");
    }
}

#[test]
fn the_right_side_of_logic_is_evaluated_only_where_it_matters() {
    for (text, expected) in [
        ("false and Patient.name.use", "Boolean false"),
        ("true or Patient.name.use", "Boolean true"),
        ("false implies Patient.name.use", "Boolean true"),
    ] {
        assert_eq!(results(text, &patient(), "Patient"), [expected], "{text}");
    }
}

#[test]
fn faults_are_told_with_their_position() {
    let cases = [
        ("", 0),
        ("Patient.", 8),
        ("a b", 2),
        ("a.where(", 8),
        ("a.frobnicate()", 2),
        ("a.where()", 8),
        ("`é`.is(Nothing)", 7),
        ("(1", 2),
        ("$that", 0),
        ("1 +", 3),
    ];

    for (text, position) in cases {
        let error = compile(text).expect_err(text);
        assert_eq!(error.position, position, "{text}: {error}");
    }
}

#[test]
fn deep_nesting_is_refused_in_every_form() {
    let deep = |open: &str, core: &str, close: &str| format!("{}{core}{}", open.repeat(5000), close.repeat(5000));
    for text in [
        deep("(", "1", ")"),
        deep("-", "1", ""),
        deep("", "1", " + 1"),
        deep("a[", "0", "]"),
        deep("iif(true, ", "1", ")"),
        deep("", "a", " is Patient"),
    ] {
        assert!(compile(&text).is_err(), "{}", &text[..40]);
    }
    let long_path = deep("", "Patient", ".link");
    assert_eq!(results(&long_path, &patient(), "Patient"), [""; 0]);
    let wide_union = deep("", "id", " | id");
    assert_eq!(results(&wide_union, &patient(), "Patient"), ["\"p1\""]);
}

#[test]
fn what_is_allowed_in_depth_fits_the_stack() {
    let open = "iif(true, ".repeat(45);
    let text = format!("{open}1{}", ")".repeat(45));
    assert_eq!(results(&text, &patient(), "Patient"), ["Integer 1"]);
}

#[test]
fn work_without_end_is_stopped() {
    let patient = patient();
    for text in [
        "(1 | 2).repeat($this + 1)",
        "%resource.descendants().aggregate($total & $total & 'aaaaaaaaaa', 'a').length()",
        "%resource.descendants().aggregate($total.combine($total).combine($this), 1).count()",
        "Patient.descendants().select(%resource.descendants().select(%resource.descendants())).select(%resource.descendants()).count()",
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')\
         .replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')\
         .replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
    ] {
        let outcome = compile(text).unwrap().evaluate(&patient, "Patient", &Context::new(&patient));
        assert_eq!(outcome.unwrap_err(), EvaluationError::TooManySteps, "{text}");
    }
}

#[test]
fn a_large_union_keeps_one_of_each() {
    let members: Vec<Value> = (0..20_000).map(|n| json!({"reference": format!("Patient/{}", n % 9_000)})).collect();
    let list = json!({"resourceType": "Provenance", "target": members, "recorded": "2020-01-01T00:00:00Z"});

    let found = results("(Provenance.target | Provenance.target).count()", &list, "Provenance");

    assert_eq!(found, ["Integer 9000"]);
}

#[test]
fn wrong_input_is_an_error() {
    let patient = patient();
    let cases = [
        ("Patient.name.single()", EvaluationError::NotSingle("single")),
        ("true and Patient.name.use", EvaluationError::NotSingle("and")),
        (
            "'a' - 'b'",
            EvaluationError::WrongType {
                operation: "-",
                wanted: "two numbers, texts or quantities, or a date and a span of time",
            },
        ),
        ("%nothing", EvaluationError::UnknownVariable("nothing".into())),
        ("now()", EvaluationError::NoClock),
        ("conformsTo('http://x')", EvaluationError::Unsupported("conformsTo")),
    ];

    for (text, expected) in cases {
        let outcome = compile(text).unwrap().evaluate(&patient, "Patient", &Context::new(&patient));
        assert_eq!(outcome.unwrap_err(), expected, "{text}");
    }
    let unknown = compile("id").unwrap().evaluate(&patient, "Nothing", &Context::new(&patient));
    assert_eq!(unknown.unwrap_err(), EvaluationError::UnknownType("Nothing".into()));
}
