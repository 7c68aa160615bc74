//! The resources that are searched: US Core's examples, and synthetic patients with what belongs to them.
//!
//! The synthetic ones come as transactions. Here they get their ids, and what refers to them by `fullUrl`, by a
//! condition or by an identifier refers to those, so that what is stored is known without asking the server.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::search_oracle::oracle::{key, type_of};
use crate::search_oracle::parameters::alone;

pub const SYNTHETIC: &str = "data/synthea-blaze-2021-60patients.tar.gz";
pub const EXAMPLES: &str = "fhir/hl7.fhir.us.core-6.1.0.tgz";

/// Says nothing that US Core searches.
const LEFT_OUT: &[&str] = &["Claim", "ExplanationOfBenefit", "ImagingStudy", "Bundle"];

/// The examples, and the resources of so many synthetic patients; of several with one id the first.
pub fn resources(shared: &Path, patients: usize) -> Vec<Value> {
    let examples = texts_of(&shared.join(EXAMPLES), |name| name.contains("/example/") && name.ends_with(".json"));
    let mut all: Vec<Value> = examples.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
    all.extend(synthetic(&shared.join(SYNTHETIC), patients));
    let mut known = HashSet::new();
    all.retain(|resource| !LEFT_OUT.contains(&type_of(resource)) && known.insert(key(resource)));
    all
}

/// The definitions of the search parameters that US Core has beside those of R4.
pub fn own_parameters(shared: &Path) -> Vec<Value> {
    let files = texts_of(&shared.join(EXAMPLES), |name| name.contains("/SearchParameter-"));
    let mut all: Vec<Value> = files.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
    all.retain(|definition| {
        let base = definition["base"][0].as_str().unwrap();
        alone(base).iter().any(|parameter| definition["code"] == parameter.code)
    });
    all
}

/// The text files of an archive whose names are wanted, by name.
pub fn texts_of(archive: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let unpacked = GzDecoder::new(File::open(archive).unwrap());
    for entry in tar::Archive::new(unpacked).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        if is_wanted(&name) {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            files.push((name, text));
        }
    }
    files.sort();
    files
}

fn synthetic(archive: &Path, patients: usize) -> Vec<Value> {
    let mut files = texts_of(archive, |name| name.ends_with(".json"));
    let places = files.extract_if(.., |(name, _)| name.contains("Information")).collect::<Vec<_>>();
    // The smallest, so that the run stays short.
    files.sort_by_key(|(_, text)| text.len());
    files.truncate(patients);
    let read = |files: &[(String, String)]| -> Vec<Value> {
        files.iter().flat_map(|(_, text)| entries(&serde_json::from_str(text).unwrap())).collect()
    };
    let (mut of_patients, mut places) = (read(&files), read(&places));
    let targets = Targets::new(of_patients.iter().chain(&places));
    for resource in of_patients.iter_mut().chain(&mut places) {
        targets.settle(resource);
    }
    // Of hospitals and practitioners only those that the patients have met, and their roles.
    let mut wanted: HashSet<String> = of_patients.iter().flat_map(references).collect();
    let roles = places.iter().filter(|one| type_of(one) == "PractitionerRole");
    let met: Vec<String> =
        roles.filter(|role| references(role).iter().any(|to| wanted.contains(to))).map(key).collect();
    wanted.extend(met);
    places.retain(|resource| wanted.contains(&key(resource)));
    of_patients.append(&mut places);
    of_patients
}

/// The resources of a transaction, with the ids of their `fullUrl`.
fn entries(bundle: &Value) -> Vec<Value> {
    let entries = bundle["entry"].as_array().unwrap().iter();
    let with_id = |entry: &Value| {
        let mut resource = entry["resource"].clone();
        resource["id"] = json!(entry["fullUrl"].as_str().unwrap().trim_start_matches("urn:uuid:"));
        resource
    };
    entries.map(with_id).collect()
}

/// What references of transactions stand for.
struct Targets {
    /// `Type/id` by id.
    by_id: HashMap<String, String>,
    /// `Type/id` by `system|value`.
    by_identifier: BTreeMap<(String, String), String>,
}

impl Targets {
    fn new<'a>(resources: impl Iterator<Item = &'a Value>) -> Targets {
        let mut targets = Targets { by_id: HashMap::new(), by_identifier: BTreeMap::new() };
        for resource in resources {
            targets.by_id.insert(resource["id"].as_str().unwrap().to_owned(), key(resource));
            for identifier in resource["identifier"].as_array().map_or(&[][..], Vec::as_slice) {
                let name = (type_of(resource).to_owned(), named(identifier));
                targets.by_identifier.insert(name, key(resource));
            }
        }
        targets
    }

    fn settle(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.settle(item)),
            Value::Object(members) => {
                let target = match members.get("reference").and_then(Value::as_str) {
                    Some(text) => self.target(text),
                    None => members.get("identifier").filter(|one| one.is_object()).and_then(|one| self.owner(one)),
                };
                if let Some(target) = target {
                    members.insert("reference".to_owned(), json!(target));
                }
                members.values_mut().for_each(|member| self.settle(member));
            }
            _ => {}
        }
    }

    fn target(&self, text: &str) -> Option<String> {
        if let Some(id) = text.strip_prefix("urn:uuid:") {
            return self.by_id.get(id).cloned();
        }
        let (type_name, identifier) = text.split_once("?identifier=")?;
        self.by_identifier.get(&(type_name.to_owned(), identifier.to_owned())).cloned()
    }

    /// Of a reference that only has the identifier of its target.
    fn owner(&self, identifier: &Value) -> Option<String> {
        let name = named(identifier);
        self.by_identifier.iter().find(|((_, of), _)| *of == name).map(|(_, target)| target.clone())
    }
}

fn named(identifier: &Value) -> String {
    let text = |name: &str| identifier[name].as_str().unwrap_or_default();
    format!("{}|{}", text("system"), text("value"))
}

/// All `Type/id` to which something in `value` refers.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(members) => {
            let own = members.get("reference").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(references)).collect()
        }
        _ => Vec::new(),
    }
}
