//! What US Core wants to be searched, read from the metadata of Inferno's test kit.
//!
//! The files are YAML as Ruby writes it: blocks alone, every scalar on a line or folded over deeper ones.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::us_core::data::texts_of;

pub const ARCHIVE: &str = "suites/inferno-us-core-metadata.tar.gz";

/// The searches of one profile.
pub struct Group {
    pub resource: String,
    pub profile: String,
    /// Parameters that are searched together.
    pub combinations: Vec<Vec<String>>,
    /// By parameter: the comparators, and what a chain goes on with.
    pub definitions: Map<String, Value>,
    pub includes: Vec<String>,
    pub revincludes: Vec<String>,
}

impl Group {
    /// The prefixes with which a parameter is to be compared, or may be.
    pub fn comparators(&self, parameter: &str) -> Vec<&str> {
        let all = self.definitions.get(parameter).and_then(|definition| definition["comparators"].as_object());
        all.map(|all| all.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// The parameters of the target that can be chained to this one.
    pub fn chains(&self, parameter: &str) -> Vec<&str> {
        let all = self.definitions.get(parameter).and_then(|definition| definition["chain"].as_array());
        all.map(|all| all.iter().filter_map(|chain| chain["chain"].as_str()).collect()).unwrap_or_default()
    }
}

/// The groups of all versions that have searches.
pub fn groups(shared: &Path) -> Vec<Group> {
    let files = texts_of(&shared.join(ARCHIVE), |name| name.ends_with("metadata.yml"));
    let mut groups = Vec::new();
    for (_, text) in files {
        let document = Reader::new(&text).block(0);
        groups.extend(document["groups"].as_array().unwrap().iter().map(group));
    }
    groups.retain(|group| !group.combinations.is_empty());
    assert!(groups.len() > 60, "{} groups", groups.len());
    groups
}

fn group(value: &Value) -> Group {
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    let names = |value: &Value| -> Vec<String> {
        value.as_array().map_or(&[][..], Vec::as_slice).iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let searches = value["searches"].as_array().map_or(&[][..], Vec::as_slice);
    Group {
        resource: text("resource"),
        profile: text("profile_url"),
        combinations: searches.iter().map(|search| names(&search["names"])).collect(),
        definitions: value["search_definitions"].as_object().cloned().unwrap_or_default(),
        includes: names(&value["include_params"]),
        revincludes: names(&value["revincludes"]),
    }
}

/// Lines with their indentation.
struct Reader<'a> {
    lines: Vec<(usize, &'a str)>,
    at: usize,
    /// What `&name` marked, to be used again by `*name`.
    marked: HashMap<&'a str, Value>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Reader<'a> {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && *line != "---");
        Reader {
            lines: lines.map(|line| (line.len() - line.trim_start().len(), line.trim())).collect(),
            at: 0,
            marked: HashMap::new(),
        }
    }

    /// The mapping or sequence that begins here, at this indentation.
    fn block(&mut self, indent: usize) -> Value {
        let is_sequence = self.lines[self.at].1.starts_with("- ");
        if is_sequence {
            let mut items = Vec::new();
            while let Some((_, line)) = self.line_at(indent).filter(|(_, line)| line.starts_with("- ")) {
                let item = line[2..].trim_start();
                let inner = indent + line.len() - item.len();
                if parts(item).is_some() {
                    self.lines[self.at] = (inner, item);
                    items.push(self.block(inner));
                } else {
                    self.at += 1;
                    self.pass(indent);
                    items.push(scalar(item));
                }
            }
            return Value::Array(items);
        }
        let mut members = Map::new();
        while let Some((name, value)) = self.line_at(indent).and_then(|(_, line)| parts(line)) {
            self.at += 1;
            let (mark, value) = match value.strip_prefix('&') {
                Some(marked) => marked.split_once(' ').map_or((Some(marked), ""), |(mark, value)| (Some(mark), value)),
                None => (None, value),
            };
            let value = match (value, self.lines.get(self.at)) {
                ("", Some((deeper, _))) if *deeper > indent => self.block(*deeper),
                ("", Some((same, line))) if *same == indent && line.starts_with("- ") => self.block(indent),
                ("", _) => Value::Null,
                (value, _) => {
                    self.pass(indent);
                    let again = value.strip_prefix('*').and_then(|mark| self.marked.get(mark));
                    again.cloned().unwrap_or_else(|| scalar(value))
                }
            };
            self.marked.extend(mark.map(|mark| (mark, value.clone())));
            members.insert(name.trim_start_matches(':').to_owned(), value);
        }
        Value::Object(members)
    }

    fn line_at(&self, indent: usize) -> Option<(usize, &'a str)> {
        self.lines.get(self.at).copied().filter(|(of, _)| *of == indent)
    }

    /// Passes over the folded rest of a scalar.
    fn pass(&mut self, indent: usize) {
        while self.lines.get(self.at).is_some_and(|(of, _)| *of > indent) {
            self.at += 1;
        }
    }
}

/// `name: value` or `name:`; a scalar is neither. The names of Ruby begin with a colon.
fn parts(line: &str) -> Option<(&str, &str)> {
    if line.starts_with(['\'', '"', '-']) {
        return None;
    }
    let rest = line.get(1..)?;
    match rest.find(": ") {
        Some(at) => Some((&line[..=at], line[at + 3..].trim())),
        None => line.strip_suffix(':').map(|name| (name, "")),
    }
}

fn scalar(text: &str) -> Value {
    match text {
        "[]" => Value::Array(Vec::new()),
        "{}" => Value::Object(Map::new()),
        _ => Value::String(text.trim_matches(['\'', '"']).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_are_read_as_ruby_writes_them() {
        let text = "---\n:a: b\n:list:\n- :n: 1\n  :m:\n  - x\n  - http://y\n- :n: ''\n:empty: []\n:long: one\n  two: three\n:map: &1\n  :k: v\n:same: *1\n";

        let read = Reader::new(text).block(0);

        assert_eq!(
            read,
            json!({ "a": "b", "list": [{ "n": "1", "m": ["x", "http://y"] }, { "n": "" }], "empty": [], "long": "one",
                "map": { "k": "v" }, "same": { "k": "v" } })
        );
    }
}
