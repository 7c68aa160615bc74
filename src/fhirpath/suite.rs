//! The FHIRPath suite that HL7 publishes, where it is at hand.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

use super::*;

/// The suite's archive, beside the repository.
const ARCHIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/suites/fhirpath-r4.tar.gz");

/// What does not pass, by reason; it may only shrink.
const KNOWN_FAILURES: [(&str, &[&str]); 6] = [
    (
        "names of elements are not checked against the type: an unknown one selects nothing",
        &[
            "testSimpleFail",
            "testSimpleWithWrongContext",
            "testPolymorphismB",
            "testPolymorphismAsB",
            "testPolymorphicsB",
            "testDollarOrderNotAllowed",
        ],
    ),
    (
        "`as` filters a collection, because the search parameters of R4 use it so (Observation.component.value)",
        &["testFHIRPathAsFunction21"],
    ),
    ("profiles are unknown here", &["testConformsTo1", "testConformsTo2"]),
    (
        "regular expressions are not offered yet",
        &[
            "testMatchesCaseSensitive1",
            "testMatchesCaseSensitive2",
            "testMatchesEmpty",
            "testMatchesSingleLineMode1",
            "testMatchesWithinUrl1",
            "testMatchesWithinUrl1a",
            "testMatchesWithinUrl2",
            "testMatchesWithinUrl3",
            "testMatchesWithinUrl4",
            "testMatchesFullWithinUrl1",
            "testMatchesFullWithinUrl1a",
            "testMatchesFullWithinUrl2",
            "testMatchesFullWithinUrl3",
            "testMatchesFullWithinUrl4",
            "testReplaceMatches1",
            "testReplaceMatches2",
            "testReplaceMatches3",
            "testReplaceMatches5",
            "testReplaceMatches6",
            "testReplaceMatches7",
        ],
    ),
    (
        "the suite rounds inwards here, or leaves the minutes at zero, against its own other cases",
        &[
            "LowBoundaryDecimal15",
            "HighBoundaryDecimal15",
            "HighBoundaryDecimal16",
            "HighBoundaryDateTimeMillisecond1",
            "HighBoundaryDateTimeMillisecond3",
        ],
    ),
    (
        "the JSON of observation-example lacks the extension that its XML has",
        &["testFHIRPathIsFunction8", "testFHIRPathIsFunction9", "testFHIRPathIsFunction10"],
    ),
];

#[derive(Default, Debug)]
struct Case {
    name: String,
    input: String,
    expression: String,
    is_predicate: bool,
    is_invalid: bool,
    /// Type and text.
    outputs: Vec<(String, String)>,
}

fn archive(path: &str) -> Option<HashMap<String, Vec<u8>>> {
    let file = File::open(Path::new(path)).ok()?;
    let mut files = HashMap::new();
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(file)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(name, bytes);
    }
    Some(files)
}

fn cases(xml: &[u8]) -> Vec<Case> {
    let mut reader = Reader::from_reader(xml);
    let (mut all, mut case, mut text, mut output_type) = (Vec::new(), Case::default(), String::new(), String::new());
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).unwrap() {
            Event::Eof => return all,
            Event::Start(tag) => {
                let attributes: HashMap<String, String> = tag
                    .attributes()
                    .map(|attribute| {
                        let attribute = attribute.unwrap();
                        (attribute.key.as_ref().to_owned(), attribute.value.into_owned())
                    })
                    .collect();
                let get = |name: &str| attributes.get(name).cloned().unwrap_or_default();
                text.clear();
                match tag.name().as_ref() {
                    "test" => {
                        let is_predicate = get("predicate") == "true";
                        case = Case { name: get("name"), input: get("inputfile"), is_predicate, ..Case::default() };
                    }
                    "expression" => case.is_invalid = attributes.contains_key("invalid"),
                    "output" => output_type = get("type"),
                    _ => (),
                }
            }
            Event::Text(part) => text.push_str(&part),
            Event::CData(part) => text.push_str(&part),
            Event::GeneralRef(name) => match &*name {
                "lt" => text.push('<'),
                "gt" => text.push('>'),
                "amp" => text.push('&'),
                "quot" => text.push('"'),
                "apos" => text.push('\''),
                other => panic!("&{other};"),
            },
            Event::End(tag) => match tag.name().as_ref() {
                "expression" => case.expression = std::mem::take(&mut text),
                "output" => case.outputs.push((output_type.clone(), std::mem::take(&mut text))),
                "test" => all.push(std::mem::take(&mut case)),
                _ => (),
            },
            _ => (),
        }
    }
}

fn input(case: &Case) -> String {
    if case.input.is_empty() { "patient-example.json".to_owned() } else { case.input.replace(".xml", ".json") }
}

fn fault(case: &Case, files: &HashMap<String, Vec<u8>>) -> Option<String> {
    let name = input(case);
    let root: Value = serde_json::from_slice(&files[&name]).unwrap();
    let context = Context { now_us: Some(1_800_000_000_000_000), ..Context::new(&root) };
    let outcome = compile(&case.expression)
        .map_err(|error| error.to_string())
        .and_then(|expression| expression.evaluate(&root, "Resource", &context).map_err(|error| error.to_string()));
    let nodes = match outcome {
        Ok(_) if case.is_invalid => return Some("no error".to_owned()),
        Ok(nodes) => nodes,
        Err(error) => return (!case.is_invalid).then_some(error),
    };
    let found: Vec<String> = if case.is_predicate {
        vec![(!nodes.is_empty()).to_string()]
    } else {
        nodes.iter().map(|node| node.to_text().unwrap_or_else(|| node.type_name().to_owned())).collect()
    };
    let plain = |text: &str| text.trim_start_matches('@').trim_start_matches('T').to_owned();
    let wanted: Vec<String> = case.outputs.iter().map(|(_, text)| plain(text)).collect();
    let types = nodes.iter().zip(&case.outputs).all(|(node, (wanted, _))| {
        case.is_predicate || wanted.is_empty() || node.type_name().eq_ignore_ascii_case(wanted)
    });
    (found != wanted || !types).then(|| format!("{found:?} instead of {wanted:?}"))
}

#[test]
fn the_published_suite_passes_but_for_the_known_failures() {
    let Some(files) = archive(ARCHIVE) else {
        // Past the test harness, which would keep what a passing test prints.
        let _ = writeln!(std::io::stderr(), "SKIPPED: the FHIRPath suite is not at {ARCHIVE}");
        return;
    };
    let cases = cases(&files["tests-fhir-r4.xml"]);
    assert!(cases.len() > 900, "{}", cases.len());

    let known: BTreeSet<&str> = KNOWN_FAILURES.iter().flat_map(|(_, names)| *names).copied().collect();
    // Some inputs are not in the archive.
    let (cases, missing): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| files.contains_key(&input(case)));
    let mut failed = BTreeSet::new();
    for case in &cases {
        if let Some(fault) = fault(case, &files) {
            if !known.contains(&*case.name) {
                eprintln!("{}: {}: {fault}", case.name, case.expression);
            }
            failed.insert(&*case.name);
        }
    }

    eprintln!("{} of {} pass, {} lack their input", cases.len() - failed.len(), cases.len(), missing.len());
    assert_eq!(failed, known);
}
