//! Value sets and hierarchies, bundled ones and made-up ones.

use std::convert::Infallible;
use std::io::Read;

use serde_json::{Value, json};

use super::*;

/// Definitions at hand, then the bundled ones.
struct Held(Vec<Value>);

impl Held {
    fn find(&self, kind: &str, url: &str, version: Option<&str>) -> Option<Value> {
        let fits = |held: &&Value| {
            held["resourceType"] == kind && held["url"] == url && version.is_none_or(|v| held["version"] == v)
        };
        self.0.iter().find(fits).cloned()
    }
}

impl Source for Held {
    type Error = Infallible;

    fn value_set(&mut self, url: &str, version: Option<&str>) -> Result<Option<Value>, Infallible> {
        Ok(self.find("ValueSet", url, version).or(Bundled.value_set(url, version)?))
    }

    fn code_system(&mut self, url: &str, version: Option<&str>) -> Result<Option<Value>, Infallible> {
        Ok(self.find("CodeSystem", url, version).or(Bundled.code_system(url, version)?))
    }
}

fn expand<S: Source>(canonical: &str, source: &mut S) -> Result<CodeSet, LookupError<S::Error>> {
    Lookup::new(source).value_set(canonical).map(|set| (*set).clone())
}

fn subsumed<S: Source>(
    system: &str,
    code: &str,
    direction: Direction,
    source: &mut S,
) -> Result<Vec<Box<str>>, LookupError<S::Error>> {
    Lookup::new(source).subsumed(system, code, direction)
}

const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-";

fn kin(system: &str, code: &str, direction: Direction) -> Vec<String> {
    let found = subsumed(system, code, direction, &mut Bundled).unwrap();
    found.into_iter().map(String::from).collect()
}

/// Animals: two ways up for the bat, an abstract root, a retired dodo.
fn animals() -> Value {
    let flag = |code: &str| json!([{"code": code, "valueBoolean": true}]);
    json!({
        "resourceType": "CodeSystem", "url": "urn:animals", "version": "2", "content": "complete",
        "hierarchyMeaning": "is-a",
        "property": [
            {"code": "legs", "type": "integer"},
            {"code": "up", "uri": "http://hl7.org/fhir/concept-properties#parent", "type": "code"},
            {"code": "notSelectable", "type": "boolean"},
        ],
        "concept": [
            {"code": "animal", "property": flag("notSelectable"), "concept": [
                {"code": "mammal", "concept": [
                    {"code": "cat", "property": [{"code": "legs", "valueInteger": 4}]},
                    {"code": "bat", "property": [{"code": "legs", "valueInteger": 2}, {"code": "up", "valueCode": "flyer"}]},
                ]},
                {"code": "flyer", "concept": [
                    {"code": "dodo", "property": [{"code": "status", "valueCode": "retired"}]},
                ]},
            ]},
        ],
    })
}

fn value_set(url: &str, compose: Value) -> Value {
    json!({"resourceType": "ValueSet", "url": url, "compose": compose})
}

fn expanded(compose: Value, mut others: Vec<Value>) -> Result<CodeSet, TerminologyError> {
    others.push(animals());
    others.push(value_set("urn:tested", compose));
    expand("urn:tested", &mut Held(others)).map_err(|error| match error {
        LookupError::Terminology(error) => error,
        LookupError::Source(never) => match never {},
    })
}

fn listed(set: &CodeSet) -> String {
    set.codes().map(|(_, code)| code).collect::<Vec<_>>().join(" ")
}

fn filtered(property: &str, op: &str, value: &str) -> Result<String, TerminologyError> {
    let filter = json!([{"property": property, "op": op, "value": value}]);
    let set = expanded(json!({"include": [{"system": "urn:animals", "filter": filter}]}), vec![])?;
    Ok(listed(&set))
}

#[test]
fn bundled_value_sets_hold_their_codes() {
    let genders = expand("http://hl7.org/fhir/ValueSet/administrative-gender", &mut Bundled).unwrap();
    let statuses = expand("http://hl7.org/fhir/ValueSet/observation-status|4.0.1", &mut Bundled).unwrap();

    assert_eq!(listed(&genders), "female male other unknown");
    assert!(statuses.contains("http://hl7.org/fhir/observation-status", "final"));
    assert_eq!(statuses.size(), 8);
    let old = expand("http://hl7.org/fhir/ValueSet/observation-status|3.0.2", &mut Bundled);
    assert!(matches!(old, Err(LookupError::Terminology(TerminologyError::UnknownValueSet { .. }))));
}

#[test]
fn bundled_expansions_equal_the_bindings() {
    let packed: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fhir-schemas/derived/bindings.json.gz"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let bindings: Value = serde_json::from_str(&text).unwrap();

    for (url, systems) in bindings.as_object().unwrap() {
        let set = expand(url, &mut Bundled).unwrap_or_else(|error| panic!("{url}: {error}"));
        let mut found = serde_json::Map::new();
        for (system, code) in set.codes() {
            let codes = found.entry(system).or_insert_with(|| json!([]));
            codes.as_array_mut().unwrap().push(json!(code));
        }
        assert_eq!(&Value::Object(found), systems, "{url}");
        assert_eq!(set.whole_systems().count(), 0, "{url}");
    }
}

#[test]
fn bundled_hierarchies_lead_down_and_up() {
    let active = kin("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", Direction::Below);
    let family = kin(&format!("{V3}RoleCode"), "FAMMEMB", Direction::Below);
    let inpatient = kin(&format!("{V3}ActCode"), "IMP", Direction::Below);
    let above = kin(&format!("{V3}ActCode"), "ACUTE", Direction::Above);

    assert_eq!(active, ["active", "recurrence", "relapse"]);
    for code in ["FAMMEMB", "MTH", "NMTH", "CHILD", "SPS"] {
        assert!(family.iter().any(|found| found == code), "{code} in {family:?}");
    }
    assert!(!family.iter().any(|found| found == "FRND"));
    assert_eq!(inpatient, ["IMP", "ACUTE", "NONAC"]);
    assert_eq!(above[..2], ["ACUTE", "IMP"]);
    assert_eq!(
        kin("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", Direction::Below),
        ["vital-signs"]
    );
    let encounters = expand("http://terminology.hl7.org/ValueSet/v3-ActEncounterCode", &mut Bundled).unwrap();
    assert!(encounters.contains(&format!("{V3}ActCode"), "AMB"));
    assert!(!encounters.contains(&format!("{V3}ActCode"), "_ActEncounterCode"));
}

#[test]
fn a_child_with_two_parents_is_below_both() {
    let mut source = Held(vec![animals()]);
    let mut ask = |code: &str, direction| subsumed("urn:animals|2", code, direction, &mut source).unwrap().join(" ");

    assert_eq!(ask("flyer", Direction::Below), "flyer bat dodo");
    assert_eq!(ask("mammal", Direction::Below), "mammal cat bat");
    assert_eq!(ask("bat", Direction::Above), "bat mammal flyer animal");
}

#[test]
fn each_filter_selects_what_it_says() {
    let cases = [
        ("concept", "is-a", "mammal", "bat cat mammal"),
        ("concept", "descendent-of", "mammal", "bat cat"),
        ("concept", "is-not-a", "mammal", "dodo flyer"),
        ("code", "generalizes", "bat", "bat flyer mammal"),
        ("code", "in", "bat, dodo,unicorn", "bat dodo"),
        ("code", "not-in", "bat,dodo", "cat flyer mammal"),
        ("code", "=", "cat", "cat"),
        ("code", "regex", ".at", "bat cat"),
        ("code", "regex", "a", ""),
        ("code", "regex", "ca|do.*", "dodo"),
        ("legs", "=", "4", "cat"),
        ("legs", "in", "2,4", "bat cat"),
        ("legs", "exists", "true", "bat cat"),
        ("legs", "exists", "false", "dodo flyer mammal"),
        ("parent", "=", "mammal", "bat cat"),
        ("child", "=", "dodo", "flyer"),
        ("notSelectable", "=", "false", "bat cat dodo flyer mammal"),
        ("status", "=", "retired", "dodo"),
    ];
    for (property, op, value, expected) in cases {
        assert_eq!(filtered(property, op, value).as_deref(), Ok(expected), "{property} {op} {value}");
    }
}

#[test]
fn a_filter_that_is_not_understood_is_refused() {
    let long = "a".repeat(1001);
    let cases = [
        ("wings", "=", "2"),
        ("display", "regex", ".*"),
        ("concept", "child-of", "mammal"),
        ("legs", "is-a", "4"),
        ("legs", "exists", "maybe"),
        ("code", "regex", "("),
        ("code", "regex", "a)|(?:b"),
        ("code", "regex", r"(a)\1"),
        ("code", "regex", "((a{1000}){1000}){1000}"),
        ("code", "regex", &long),
    ];
    for (property, op, value) in cases {
        let found = filtered(property, op, value);
        assert!(matches!(found, Err(TerminologyError::Filter { .. })), "{property} {op} {value}: {found:?}");
    }
    assert_eq!(
        filtered("concept", "is-a", "unicorn"),
        Err(TerminologyError::UnknownCode { system: "urn:animals".to_owned() })
    );
    assert!(matches!(filtered("concept", "", "cat"), Err(TerminologyError::Invalid { .. })));
}

#[test]
fn includes_add_imports_narrow_and_excludes_take_away() {
    let pets = value_set(
        "urn:pets",
        json!({"include": [{"system": "urn:animals", "concept": [{"code": "cat"}, {"code": "bat"}]}]}),
    );
    let compose = json!({
        "include": [
            {"system": "urn:animals", "valueSet": ["urn:pets"]},
            {"system": "urn:animals", "concept": [{"code": "animal"}]},
            {"system": "http://snomed.info/sct"},
        ],
        "exclude": [
            {"system": "urn:animals", "concept": [{"code": "bat"}]},
            {"system": "http://snomed.info/sct", "concept": [{"code": "337915000"}]},
        ],
    });

    let set = expanded(compose, vec![pets]).unwrap();

    assert_eq!(listed(&set), "animal cat");
    assert!(set.contains("http://snomed.info/sct", "1") && !set.contains("http://snomed.info/sct", "337915000"));
    assert_eq!(
        listed(&expanded(json!({"inactive": false, "include": [{"system": "urn:animals"}]}), vec![]).unwrap()),
        "bat cat flyer mammal"
    );
    let implicit = expand("http://snomed.info/sct?fhir_vs", &mut Bundled).unwrap();
    assert!(implicit.contains("http://snomed.info/sct", "337915000"));
}

#[test]
fn an_expansion_counts_when_there_is_no_compose() {
    let mut set = json!({"resourceType": "ValueSet", "url": "urn:e", "expansion": {"total": 3, "contains": [
        {"system": "s", "code": "group", "abstract": true, "contains": [{"system": "s", "code": "b"}]},
        {"system": "s", "code": "a"},
    ]}});
    assert_eq!(listed(&Lookup::new(&mut Bundled).value_set_at_hand("urn:e", &set).unwrap()), "a b");

    set["expansion"]["total"] = json!(4);
    let error = Lookup::new(&mut Bundled).value_set_at_hand("urn:e", &set).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the ValueSet 'urn:e' has a part of its expansion only: give it a compose, or the whole expansion"
    );
}

#[test]
fn what_is_not_known_is_named() {
    let snomed = "http://snomed.info/sct";
    let is_a = json!([{"property": "concept", "op": "is-a", "value": "1"}]);
    let unknown = |include: Value| expanded(json!({"include": [include]}), vec![]).unwrap_err();

    assert_eq!(
        unknown(json!({"system": snomed, "filter": is_a})),
        TerminologyError::UnknownCodeSystem { url: snomed.to_owned() }
    );
    assert!(matches!(
        unknown(json!({"system": "urn:animals", "version": "1"})),
        TerminologyError::UnknownVersion { .. }
    ));
    assert!(matches!(unknown(json!({"valueSet": ["urn:none"]})), TerminologyError::UnknownValueSet { .. }));
    assert!(matches!(unknown(json!({})), TerminologyError::Invalid { .. }));
    assert!(matches!(unknown(json!({"filter": []})), TerminologyError::Invalid { .. }));

    let mut part = animals();
    part["content"] = json!("fragment");
    let error = subsumed("urn:animals", "cat", Direction::Below, &mut Held(vec![part])).unwrap_err();
    assert!(matches!(error, LookupError::Terminology(TerminologyError::IncompleteCodeSystem { .. })));
    let mut other = animals();
    other["hierarchyMeaning"] = json!("part-of");
    let error = subsumed("urn:animals", "cat", Direction::Below, &mut Held(vec![other])).unwrap_err();
    assert!(matches!(error, LookupError::Terminology(TerminologyError::NoSubsumption { .. })));
}

#[test]
fn circles_and_long_chains_end() {
    let import = |url: String, from: String| value_set(&url, json!({"include": [{"valueSet": [from]}]}));
    let circle = vec![import("urn:a".into(), "urn:b".into()), import("urn:b".into(), "urn:a".into())];
    let chain = (0..100).map(|n| import(format!("urn:{n}"), format!("urn:{}", n + 1))).collect();
    let of = |from: &str, others| expanded(json!({"include": [{"valueSet": [from]}]}), others);

    assert_eq!(of("urn:a", circle), Err(TerminologyError::Cycle { url: "urn:a".to_owned() }));
    assert!(matches!(of("urn:0", chain), Err(TerminologyError::TooDeep { .. })));

    // Each level imports the next one twice: 2^30 ways, one expansion each.
    let mut doubled: Vec<Value> = (0..30)
        .map(|n| value_set(&format!("urn:{n}"), json!({"include": [{"valueSet": [format!("urn:{}", n + 1)]}, {"valueSet": [format!("urn:{}", n + 1)]}]})))
        .collect();
    doubled.push(value_set("urn:30", json!({"include": [{"system": "s", "concept": [{"code": "c"}]}]})));
    assert_eq!(of("urn:0", doubled).map(|set| set.size()), Ok(1));

    let up = |code: &str, above: &str| json!({"code": code, "property": [{"code": "parent", "valueCode": above}]});
    let ring = json!({"resourceType": "CodeSystem", "url": "urn:ring", "content": "complete",
        "concept": [up("a", "b"), up("b", "a"), up("c", "c"), up("d", "nowhere")]});
    let mut source = Held(vec![ring]);
    assert_eq!(subsumed("urn:ring", "a", Direction::Below, &mut source).unwrap().join(" "), "a b");
    assert_eq!(subsumed("urn:ring", "c", Direction::Above, &mut source).unwrap().join(" "), "c");
}

#[test]
fn large_and_deep_systems_are_bounded() {
    let many: Vec<Value> = (0..100_000)
        .map(|n| json!({"code": n.to_string(), "property": [{"code": "parent", "valueCode": "0"}]}))
        .collect();
    let large = json!({"resourceType": "CodeSystem", "url": "urn:large", "content": "complete", "concept": many});
    let mut deep = json!({"code": "500"});
    for level in (0..500).rev() {
        deep = json!({"code": level.to_string(), "concept": [deep]});
    }
    let deep = json!({"resourceType": "CodeSystem", "url": "urn:deep", "content": "complete", "concept": [deep]});
    let mut source = Held(vec![large.clone(), deep]);

    let error = subsumed("urn:large", "0", Direction::Below, &mut source).unwrap_err();
    assert!(matches!(error, LookupError::Terminology(TerminologyError::TooManyCodes)));
    assert_eq!(subsumed("urn:large", "7", Direction::Above, &mut source).unwrap().join(" "), "7 0");
    assert_eq!(subsumed("urn:deep", "0", Direction::Below, &mut source).unwrap().len(), 501);

    let include = |filters: usize| {
        let filter = json!({"property": "concept", "op": "is-a", "value": "7"});
        let part = json!({"system": "urn:large", "filter": vec![filter; filters]});
        expanded(json!({"include": [part]}), vec![large.clone()])
    };
    assert_eq!(include(1).map(|set| listed(&set)).as_deref(), Ok("7"));
    assert_eq!(include(1000), Err(TerminologyError::TooManySteps));
    let whole = expanded(json!({"include": [{"system": "urn:large"}]}), vec![large]).unwrap();
    assert_eq!((whole.whole_systems().count(), whole.size()), (1, 0));
}
