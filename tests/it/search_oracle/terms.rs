//! Value sets and hierarchies of codes: some of each kind, which codes they hold, and criteria that ask for them.
//!
//! A code is asked whether it belongs to a set; no set is ever unfolded.
//!
//! Spec: R4 valueset.html#compositions, R4 search.html#token

use serde_json::{Value, json};

use crate::search_oracle::criteria::criterion;
use crate::search_oracle::oracle::{Criterion, World, type_of};
use crate::search_oracle::parameters::{COMMON, Parameter, Shape, own};
use crate::search_oracle::random::Random;
use crate::search_oracle::values::{escaped, parts, unescaped};

const SYSTEM: &str = "http://x.example/cs";
const LOINC: &str = "http://loinc.org";
const SNOMED: &str = "http://snomed.info/sct";
/// What the hierarchy of this server's own CodeSystem has, and that of one of R4.
const ABOVE_AND_BELOW: &[(&str, &[&str])] = &[
    (SYSTEM, &["8867-4", "29463-7", "8480-6", "abc", "a,b"]),
    (CLINICAL, &["active", "recurrence", "relapse", "inactive", "remission", "resolved"]),
];
const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const URL: &str = "http://x.example/terms/";
/// How many value sets there are.
const SETS: usize = 11;

/// One code system, and value sets of each kind with the ids `t0`, `t1`, ..
pub fn definitions() -> Vec<Value> {
    let codes = |codes: &[&str]| Value::Array(codes.iter().map(|code| json!({ "code": code })).collect());
    let filtered = |op: &str, code: &str| json!([{ "property": "concept", "op": op, "value": code }]);
    let of_system = |op: &str, code: &str| json!([{ "system": SYSTEM, "filter": filtered(op, code) }]);
    let set = |number: usize| format!("{URL}{number}");
    let contents: [Value; SETS] = [
        json!({ "compose": { "include": [
            { "system": LOINC, "concept": codes(&["8867-4", "abc"]) }, { "system": SYSTEM, "concept": codes(&["a,b"]) }] } }),
        json!({ "compose": { "include": [{ "system": SNOMED }] } }),
        json!({ "compose": { "include": of_system("is-a", "29463-7") } }),
        json!({ "compose": { "include": [
            { "valueSet": [set(0)] }, { "system": LOINC, "concept": codes(&["8480-6"]) }] } }),
        json!({ "compose": { "include": [{ "system": LOINC }],
            "exclude": [{ "system": LOINC, "concept": codes(&["8867-4", "8480-6"]) }] } }),
        json!({ "compose": { "include": of_system("descendent-of", "8867-4") } }),
        json!({ "expansion": { "timestamp": "2020-01-01", "contains": [
            { "system": LOINC, "code": "ABC", "contains": [{ "system": SNOMED, "code": "8480-6" }] }] } }),
        json!({ "compose": { "include": [
            { "system": LOINC, "concept": codes(&["8867-4", "29463-7"]), "valueSet": [set(4)] }] } }),
        json!({ "compose": { "include": of_system("generalizes", "8480-6"), "exclude": [{ "valueSet": [set(2)] }] } }),
        json!({ "compose": { "include": of_system("is-not-a", "29463-7") } }),
        json!({ "compose": { "include": [{ "system": SNOMED, "concept": codes(&["a,b"]) }] } }),
    ];
    let mut all = vec![json!({
        "resourceType": "CodeSystem", "id": "cs", "url": SYSTEM, "status": "active", "content": "complete",
        "hierarchyMeaning": "is-a", "concept": [
            { "code": "8867-4", "concept": [{ "code": "29463-7", "concept": [{ "code": "8480-6" }] }, { "code": "abc" }] },
            { "code": "a,b" }]
    })];
    for (number, content) in contents.into_iter().enumerate() {
        let mut resource = json!({ "resourceType": "ValueSet", "id": format!("t{number}"), "status": "active",
            "url": set(number), "version": "1" });
        if number == SETS - 1 {
            // Bears the address of an active one, and is meant only with its version.
            (resource["url"], resource["version"], resource["status"]) = (json!(set(0)), json!("2"), json!("draft"));
        }
        resource.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        all.push(resource);
    }
    all
}

/// `:in` or `:not-in`
pub fn within(random: &mut Random, world: &World, type_name: &str, modifier: &str) -> Option<Criterion> {
    let parameter = coded(random, type_name)?;
    let mut name = || {
        let number = random.below(SETS);
        let version = if number == SETS - 1 { "2" } else { "1" };
        let url =
            world.resources.iter().find(|one| one["id"] == format!("t{number}")).unwrap()["url"].as_str().unwrap();
        escaped(&match random.below(4) {
            0 => format!("ValueSet/t{number}"),
            1 => format!("{}/ValueSet/t{number}", world.base),
            2 => url.to_owned(),
            _ => format!("{url}|{version}"),
        })
    };
    let mut values = vec![name()];
    if random.percent(20) {
        values.extend(within(random, world, type_name, modifier).map(|other| other.values).unwrap_or_default());
    }
    Some(criterion(parameter, modifier, values))
}

/// `:above` or `:below`
pub fn related(random: &mut Random, _: &World, type_name: &str, modifier: &str) -> Option<Criterion> {
    let parameter = coded(random, type_name)?;
    let of_status = parameter.code == "clinical-status";
    let (system, codes) = ABOVE_AND_BELOW[usize::from(of_status)];
    let value = |random: &mut Random| format!("{system}|{}", escaped(random.of(codes)));
    let count = if random.percent(20) { 2 } else { 1 };
    Some(criterion(parameter, modifier, (0..count).map(|_| value(random)).collect()))
}

/// A parameter whose codes have systems.
fn coded<'a>(random: &mut Random, type_name: &'a str) -> Option<&'a Parameter> {
    let is_coded = |(_, shape): &(&str, Shape)| match shape {
        Shape::Code(system) => !system.is_empty(),
        Shape::Concept | Shape::Coding => true,
        _ => false,
    };
    let all: Vec<&Parameter> = own(type_name)
        .iter()
        .chain(COMMON)
        .filter(|one| !one.paths.is_empty() && one.paths.iter().all(is_coded))
        .collect();
    Some(*random.pick(&all))
}

impl World {
    /// Whether a code is among those that the value of a modifier means.
    pub fn is_meant(&self, modifier: &str, value: &str, system: &str, code: &str) -> bool {
        if matches!(modifier, "in" | "not-in") {
            return self.holds(self.value_set(&unescaped(value)), system, code);
        }
        let parts = parts(value, '|');
        let [of, related] = parts[..] else { panic!("{value} has no system") };
        let related = unescaped(related);
        let (top, low) = if modifier == "below" { (&*related, code) } else { (code, &*related) };
        of == system && self.is_below(system, top, low)
    }

    fn value_set(&self, name: &str) -> &Value {
        let sets = || self.resources.iter().filter(|one| type_of(one) == "ValueSet");
        let address = name.strip_prefix(&self.base).map_or(name, |rest| rest.trim_start_matches('/'));
        if let Some(id) = address.strip_prefix("ValueSet/") {
            return sets().find(|set| set["id"] == id).unwrap();
        }
        let (url, version) = name.split_once('|').map_or((name, None), |(url, version)| (url, Some(version)));
        let is_meant = |set: &&Value| set["url"] == url && version.is_none_or(|version| set["version"] == version);
        let mut found: Vec<&Value> = sets().filter(is_meant).collect();
        found.sort_by_key(|set| set["status"] != "active");
        found[0]
    }

    fn holds(&self, set: &Value, system: &str, code: &str) -> bool {
        if set.get("compose").is_none() {
            return contains(&set["expansion"]["contains"], system, code);
        }
        let any = |name: &str| list(&set["compose"][name]).iter().any(|part| self.has_part(part, system, code));
        any("include") && !any("exclude")
    }

    fn has_part(&self, part: &Value, system: &str, code: &str) -> bool {
        let of_system = part.get("system").is_none_or(|of| of == system);
        let is_listed = part.get("concept").is_none_or(|all| list(all).iter().any(|one| is_code(one, code)));
        let is_filtered = list(&part["filter"]).iter().all(|filter| {
            let value = filter["value"].as_str().unwrap();
            match filter["op"].as_str().unwrap() {
                "is-a" => self.is_below(system, value, code),
                "descendent-of" => self.is_below(system, value, code) && !value.eq_ignore_ascii_case(code),
                "generalizes" => self.is_below(system, code, value),
                "is-not-a" => self.is_below(system, code, code) && !self.is_below(system, value, code),
                op => panic!("{op} is not asked for"),
            }
        });
        let sets = list(&part["valueSet"]);
        let is_in_sets = sets.iter().all(|name| self.holds(self.value_set(name.as_str().unwrap()), system, code));
        of_system && is_listed && is_filtered && is_in_sets
    }

    /// Whether the concept `low` of a system is `top` or somewhere below it.
    fn is_below(&self, system: &str, top: &str, low: &str) -> bool {
        // R4 codesystem-condition-clinical.html
        let clinical = json!([{ "code": "active", "concept": [{ "code": "recurrence" }, { "code": "relapse" }] },
            { "code": "inactive", "concept": [{ "code": "remission" }, { "code": "resolved" }] }]);
        let own = self.resources.iter().find(|one| type_of(one) == "CodeSystem" && one["url"] == system);
        match own {
            Some(own) => is_within(&own["concept"], top, low, false),
            None => system == CLINICAL && is_within(&clinical, top, low, false),
        }
    }
}

fn is_within(concepts: &Value, top: &str, low: &str, is_under: bool) -> bool {
    list(concepts).iter().any(|concept| {
        let is_under = is_under || is_code(concept, top);
        (is_under && is_code(concept, low)) || is_within(&concept["concept"], top, low, is_under)
    })
}

fn contains(entries: &Value, system: &str, code: &str) -> bool {
    list(entries)
        .iter()
        .any(|one| (one["system"] == system && is_code(one, code)) || contains(&one["contains"], system, code))
}

/// Codes are compared without regard to case, as docs/api/search.md says.
fn is_code(concept: &Value, code: &str) -> bool {
    concept["code"].as_str().is_some_and(|of| of.to_lowercase() == code.to_lowercase())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
