//! Resources that others published must pass: both Synthea sets, and the HL7 examples but for those that R4 itself refuses.
//!
//! The archives are no part of the repository: they are read from `data` in the folder that `EMBERWELL_SHARED` names, or
//! in `../shared`.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::validate;
use crate::fhir::{Issue, Resource, json};

/// Reads every JSON file of an archive; `None` when it isn't there.
fn archive(name: &str) -> Option<Vec<(String, Value)>> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("EMBERWELL_SHARED").map_or_else(|| here.join("../shared"), PathBuf::from);
    let path = shared.join("data").join(name);
    let Ok(file) = File::open(&path) else {
        // Past the test harness, which would keep what a passing test prints.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {} is not there", path.display());
        return None;
    };
    let mut files = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(file)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.push((name, json::parse(&bytes).unwrap()));
        }
    }
    Some(files)
}

/// Replaces `Type?criteria`, which is for transactions only, by a plain reference, as the server does before it validates.
fn resolve_conditional_references(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("reference")
                && let Some((type_name, _)) = reference.split_once('?')
            {
                *reference = format!("{type_name}/1");
            }
            object.values_mut().for_each(resolve_conditional_references);
        }
        Value::Array(items) => items.iter_mut().for_each(resolve_conditional_references),
        _ => {}
    }
}

fn findings(value: Value) -> Vec<String> {
    let line = |issue: &Issue| {
        format!("{} {} {}", issue.expression.as_deref().unwrap_or("-"), issue.code.as_str(), issue.text)
    };
    match Resource::from_value(value) {
        Ok(resource) => validate(&resource, &[]).iter().map(line).collect(),
        Err(issue) => vec![line(&issue)],
    }
}

#[track_caller]
fn every_entry_is_valid(name: &str) {
    let Some(files) = archive(name) else { return };
    let mut refused = Vec::new();
    let mut count = 0;
    for (file, mut bundle) in files {
        resolve_conditional_references(&mut bundle);
        for entry in bundle["entry"].as_array_mut().unwrap() {
            count += 1;
            let said = findings(entry["resource"].take());
            if !said.is_empty() {
                refused.push(format!("{file}: {}", said.join("; ")));
            }
        }
    }
    assert!(count > 1000, "the archive holds {count} resources only");
    assert!(
        refused.is_empty(),
        "{} of {count} refused, such as\n{}",
        refused.len(),
        refused[..refused.len().min(20)].join("\n")
    );
}

#[test]
fn every_resource_of_synthea_2019_is_valid() {
    every_entry_is_valid("synthea-smart-2019-60patients.tar.gz");
}

#[test]
fn every_resource_of_synthea_2021_is_valid() {
    every_entry_is_valid("synthea-blaze-2021-60patients.tar.gz");
}

/// Examples that break the specification that they belong to.
const REFUSED_EXAMPLES: [(&str, &str); 8] = [
    // Their narratives are empty (txt-2).
    ("ActivityDefinition-heart-valve-replacement.json", "ActivityDefinition.text.div invariant"),
    ("EventDefinition-example.json", "EventDefinition.text.div invariant"),
    ("Questionnaire-zika-virus-exposure-assessment.json", "Questionnaire.text.div invariant"),
    // `linkId` is 1..1.
    ("Questionnaire-qs1.json", "Questionnaire.item[0].item[0].linkId required"),
    // They refer to types that the definition doesn't list: DeviceDefinition, Procedure, Practitioner, Encounter.
    ("DeviceMetric-example.json", "DeviceMetric.parent value"),
    ("DeviceUseStatement-example.json", "DeviceUseStatement.reasonReference[0] value"),
    ("MedicationRequest-medrx0301.json", "MedicationRequest.dispenseRequest.performer value"),
    ("Observation-clinical-gender.json", "Observation.performer[0] value"),
];

#[test]
fn examples_of_the_specification_are_valid_but_for_the_known_ones() {
    let Some(files) = archive("hl7-r4-examples-A.tar.gz") else { return };
    let mut wrong = Vec::new();
    for (file, example) in files {
        let said = findings(example);
        let known = REFUSED_EXAMPLES.iter().find(|(name, _)| *name == file);
        match known {
            None if said.is_empty() => {}
            None => wrong.push(format!("{file} is refused: {}", said.join("; "))),
            Some((_, expected)) if said.iter().any(|line| line.starts_with(expected)) => {}
            Some((_, expected)) => wrong.push(format!("{file} should be refused for {expected}: {}", said.join("; "))),
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}
