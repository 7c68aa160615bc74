//! The patch cases of the FHIR community's test suite (FHIR/fhir-test-cases, `r4/patch`).
//!
//! Looks for `suites/patch-r4.tar.gz` below `EMBERWELL_SHARED` (by default `../shared` beside this package) and passes
//! with a line on stderr when it is not there.

mod xml;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::PathBuf;

use emberwell::interactions::patch::{fhirpath_patch, json_patch};
use flate2::read::GzDecoder;
use serde_json::Value;

use xml::Element;

const MAX_BYTES: usize = 1 << 20;

/// Cases that fail, each with the words of the specification that explain it. A case that is listed must fail.
const EXPECTED_FAILURES: &[(&str, &str)] = &[];

/// The files of the suite by their name; `None`, after saying so, when it is not there.
fn suite() -> Option<BTreeMap<String, String>> {
    let shared = std::env::var_os("EMBERWELL_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let archive = shared.join("suites/patch-r4.tar.gz");
    let Ok(file) = File::open(&archive) else {
        // Past the test harness, which would keep what a passing test prints.
        let _ = writeln!(std::io::stderr(), "SKIPPED: patch suite: {} is not there", archive.display());
        return None;
    };
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(GzDecoder::new(file)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.contains("-tests.")) {
            let name = name.to_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            files.insert(name, text);
        }
    }
    Some(files)
}

/// Prints how many cases passed, and fails on every one that did not go as expected.
fn judge(kind: &str, results: &[(String, Result<(), String>)]) {
    let mut surprises = Vec::new();
    for (name, result) in results {
        let excuse = EXPECTED_FAILURES.iter().find(|(listed, _)| listed == name);
        match (result, excuse) {
            (Err(problem), None) => surprises.push(format!("{name}: {problem}")),
            (Ok(()), Some(_)) => surprises.push(format!("{name}: passes, so it must leave the list of failures")),
            (Err(_), Some((_, reason))) => eprintln!("{kind}: '{name}' fails as expected: {reason}"),
            (Ok(()), None) => {}
        }
    }
    let passed = results.iter().filter(|(_, result)| result.is_ok()).count();
    eprintln!("{kind}: {passed} passed, {} failed", results.len() - passed);
    assert!(surprises.is_empty(), "{kind}:\n{}", surprises.join("\n"));
}

#[test]
fn json_patch_cases_give_the_expected_documents() {
    let Some(files) = suite() else { return };
    let cases: Vec<Value> = serde_json::from_str(&files["json-patch-tests.json"]).unwrap();

    let results: Vec<_> = cases
        .iter()
        .map(|case| {
            let mut document = case["doc"].clone();
            let outcome =
                json_patch::apply(&mut document, &case["patch"], MAX_BYTES).map_err(|error| error.to_string());
            let result = compare(outcome.map(|()| document), case.get("expected"), case["error"].as_str());
            (case["comment"].as_str().unwrap().to_owned(), result)
        })
        .collect();

    assert_eq!(results.len(), 16);
    judge("JSON Patch", &results);
}

#[test]
fn fhirpath_patch_cases_give_the_expected_resources() {
    let Some(files) = suite() else { return };
    let tests = xml::parse(&files["fhir-patch-tests.xml"]);

    let results: Vec<_> = tests
        .children()
        .map(|case| {
            let mut resource = resource_in(case, "input").unwrap();
            let parameters = resource_in(case, "diff").unwrap();
            let outcome =
                fhirpath_patch::apply(&mut resource, &parameters, MAX_BYTES).map_err(|error| error.to_string());
            let expected = resource_in(case, "output");
            let error = case.child("error").and_then(|error| error.attribute("msg"));
            (case.attribute("name").unwrap().to_owned(), compare(outcome.map(|()| resource), expected.as_ref(), error))
        })
        .collect();

    assert_eq!(results.len(), 33);
    judge("FHIRPath Patch", &results);
}

/// They patch XML documents by XPath, and the server does not hold resources as XML yet.
#[test]
fn xml_patch_cases_are_known_but_not_run() {
    let Some(files) = suite() else { return };
    let tests = xml::parse(&files["xml-patch-tests.xml"]);

    let names: Vec<&str> = tests.children().filter_map(|case| case.attribute("name")).collect();

    eprintln!("XML Patch: {} cases not run, because resources are not read as XML yet:", names.len());
    for name in &names {
        eprintln!("XML Patch: not run: {name}");
    }
    assert_eq!(names.len(), 29);
}

fn resource_in(case: &Element, name: &str) -> Option<Value> {
    case.child(name)?.children().next().map(xml::resource)
}

fn compare(outcome: Result<Value, String>, expected: Option<&Value>, error: Option<&str>) -> Result<(), String> {
    match (outcome, expected, error) {
        (Ok(found), Some(expected), None) if found == *expected => Ok(()),
        (Ok(found), Some(expected), None) => Err(format!("expected {expected}, found {found}")),
        (Err(problem), Some(_), None) => Err(format!("refused: {problem}")),
        (Ok(found), None, Some(error)) => Err(format!("expected to be refused ({error}), found {found}")),
        (Err(_), None, Some(_)) => Ok(()),
        (_, expected, error) => Err(format!("the case is not understood: {expected:?}, {error:?}")),
    }
}
