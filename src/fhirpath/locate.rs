//! From selected elements back to their places in the JSON.

use std::collections::HashMap;

use serde_json::Value;

use super::node::Node;

/// One step into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// An item of an array, counted from 0.
    Index(usize),
}

/// The steps from the root; empty for the root itself.
pub type Path = Vec<Step>;

/// The places of `nodes` within `root`, in the order of `nodes`.
///
/// Elements borrow from the root, so that their addresses tell them apart: tracking paths would cost every evaluation,
/// while only FHIRPath Patch asks for them.
pub(super) fn paths(root: &Value, nodes: &[Node<'_>]) -> Vec<Path> {
    let addresses: Vec<Option<usize>> = nodes
        .iter()
        .map(|node| node.element().and_then(|element| element.value.or(element.shadow)).map(address))
        .collect();
    let mut found: HashMap<usize, Path> = addresses.iter().flatten().map(|address| (*address, Path::new())).collect();
    if !found.is_empty() {
        visit(root, &mut Vec::new(), &mut found);
    }
    addresses.iter().flatten().filter_map(|address| found.get(address).cloned()).collect()
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

/// Where the walk stands; a chain of borrowed names, copied only for what was asked for.
enum Place<'v> {
    Member(&'v str),
    Index(usize),
}

fn visit<'v>(value: &'v Value, trail: &mut Vec<Place<'v>>, found: &mut HashMap<usize, Path>) {
    if let Some(path) = found.get_mut(&address(value)) {
        *path = trail
            .iter()
            .map(|place| match place {
                // Only the ids and extensions of primitives stand below a name with `_`.
                Place::Member(name) => Step::Member((*name).to_owned()),
                Place::Index(index) => Step::Index(*index),
            })
            .collect();
        strip_shadow(path);
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                trail.push(Place::Member(name));
                visit(value, trail, found);
                trail.pop();
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                trail.push(Place::Index(index));
                visit(value, trail, found);
                trail.pop();
            }
        }
        _ => (),
    }
}

/// `_given[0]` is the element `given[0]`; but `_given[0].extension[0]` does stand below `_given`.
fn strip_shadow(path: &mut Path) {
    let last = path.iter_mut().rev().find_map(|step| match step {
        Step::Member(name) => Some(name),
        Step::Index(_) => None,
    });
    if let Some(name) = last.filter(|name| name.starts_with('_')) {
        name.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::fhirpath::compile;

    use super::*;

    fn located(text: &str) -> Vec<String> {
        let patient = json!({
            "resourceType": "Patient",
            "birthDate": "1974-12-25",
            "_birthDate": {"extension": [{"url": "http://x", "valueString": "y"}]},
            "name": [{"family": "A"}, {"given": [null, "B"], "_given": [{"id": "g"}, null]}],
            "contact": [{"gender": "male"}]
        });
        let paths = compile(text).unwrap().locate(&patient, "Patient").unwrap();
        let written = |path: &Path| {
            let steps = path.iter().map(|step| match step {
                Step::Member(name) => format!(".{name}"),
                Step::Index(index) => format!("[{index}]"),
            });
            steps.collect::<String>()
        };
        paths.iter().map(written).collect()
    }

    #[test]
    fn elements_are_found_where_they_stand() {
        let cases: [(&str, &[&str]); 9] = [
            ("Patient", &[""]),
            ("Patient.birthDate", &[".birthDate"]),
            ("Patient.contact[0].gender", &[".contact[0].gender"]),
            ("Patient.name.where(family = 'A')", &[".name[0]"]),
            ("Patient.name", &[".name[0]", ".name[1]"]),
            ("Patient.name.given", &[".name[1].given[0]", ".name[1].given[1]"]),
            ("Patient.birthDate.extension('http://x').value", &["._birthDate.extension[0].valueString"]),
            ("Patient.name.count()", &[]),
            ("Patient.photo", &[]),
        ];

        for (text, expected) in cases {
            assert_eq!(located(text), expected, "{text}");
        }
    }
}
