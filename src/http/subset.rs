//! Parts of resources: `_summary` and `_elements`. The only answers for which a stored resource is parsed.
//!
//! Spec: R4 search.html#summary, #elements

use serde_json::{Map, Value, json};

use crate::fhir::definitions::{ElementDefinition, TypeDefinition, type_named};
use crate::http::HttpError;
use crate::search::{Control, Summary};

/// Which part of a resource is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subset {
    Whole,
    /// What the specification marks as summary, at every level.
    Summary,
    /// The narrative, and what a resource must have.
    Text,
    /// All but the narrative.
    Data,
    /// These elements, and what a resource must have; a name may begin with a type, as in `Patient.name`.
    Elements(Vec<String>),
}

impl Subset {
    /// What a search asks for.
    pub fn of_search(control: &Control) -> Subset {
        match control.summary {
            Summary::True => Subset::Summary,
            Summary::Text => Subset::Text,
            Summary::Data => Subset::Data,
            Summary::False | Summary::Count if control.elements.is_empty() => Subset::Whole,
            Summary::False | Summary::Count => Subset::Elements(control.elements.clone()),
        }
    }

    /// The part of an included resource that goes with this part of each match. "The list of elements does not apply to
    /// included resources"; a summary does.
    ///
    /// Spec: R4 search.html#elements
    #[must_use]
    pub fn of_included(self) -> Subset {
        match self {
            Subset::Elements(_) => Subset::Whole,
            other => other,
        }
    }

    /// What the query of a read or a history asks for.
    pub fn of_query(query: &[(String, String)]) -> Result<Subset, HttpError> {
        let mut subset = Subset::Whole;
        for (name, value) in query {
            let refused = |name, problem: &str| Err(HttpError::Parameter { name, problem: problem.to_owned() });
            match name.as_str() {
                "_summary" => match value.as_str() {
                    "true" => subset = Subset::Summary,
                    "text" => subset = Subset::Text,
                    "data" => subset = Subset::Data,
                    "false" => {}
                    _ => return refused("_summary", "give true, text, data or false; count is for searches"),
                },
                "_elements" if subset == Subset::Whole => {
                    let elements: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
                    if elements.iter().any(String::is_empty) {
                        return refused("_elements", "give names of elements, separated by commas");
                    }
                    subset = Subset::Elements(elements);
                }
                _ => {}
            }
        }
        Ok(subset)
    }

    /// Takes away what is not wanted, and marks the resource as a part.
    pub fn apply(&self, resource: &mut Value) {
        let Value::Object(object) = resource else { return };
        let name = object.get("resourceType").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(definition) = type_named(&name) else { return };
        match self {
            Subset::Whole => return,
            Subset::Summary => keep_summary(object, definition),
            Subset::Text => object.retain(|name, _| name == "text" || stays(definition, name, true)),
            Subset::Data => object.retain(|name, _| name != "text"),
            Subset::Elements(wanted) => {
                object.retain(|name, _| stays(definition, name, false) || is_wanted(definition, wanted, name));
            }
        }
        mark(object);
    }
}

/// What every part of a resource keeps: what identifies it, what it must have, and, unless only the `text` is wanted,
/// what changes the meaning of the rest.
fn stays(definition: &'static TypeDefinition, member: &str, is_for_text: bool) -> bool {
    if matches!(member, "resourceType" | "id" | "meta") {
        return true;
    }
    element(definition, member).is_some_and(|element| element.min > 0 || (element.is_modifier && !is_for_text))
}

fn is_wanted(definition: &'static TypeDefinition, wanted: &[String], member: &str) -> bool {
    let member = member.trim_start_matches('_');
    let element = element(definition, member).map(|element| &*element.name);
    wanted.iter().any(|path| {
        let path = path.strip_prefix(&*definition.name).and_then(|rest| rest.strip_prefix('.')).unwrap_or(path);
        // Below the first level elements come whole: more than asked for is allowed, less is not.
        let first = path.split('.').next().unwrap_or(path);
        first == member || Some(first) == element
    })
}

fn element(definition: &'static TypeDefinition, member: &str) -> Option<&'static ElementDefinition> {
    definition.member(member.trim_start_matches('_')).map(|(element, _)| element)
}

fn keep_summary(object: &mut Map<String, Value>, definition: &'static TypeDefinition) {
    let name_of_type = |name: &str| matches!(name, "resourceType" | "id");
    object.retain(|name, _| name_of_type(name) || element(definition, name).is_some_and(|element| element.is_summary));
    for (name, value) in object.iter_mut() {
        if let Some((_, chosen)) = definition.member(name) {
            each_object(value, &mut |inner| {
                let own = inner.get("resourceType").and_then(Value::as_str);
                if let Some(definition) = type_named(own.unwrap_or(&chosen.code)) {
                    keep_summary(inner, definition);
                }
            });
        }
    }
}

/// Calls `work` with the object or with each of a list of objects.
fn each_object(value: &mut Value, work: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => work(object),
        Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(work),
        _ => {}
    }
}

/// Adds the tag that warns of taking the part for the whole.
fn mark(object: &mut Map<String, Value>) {
    const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
    let Some(Value::Object(meta)) = object.get_mut("meta") else { return };
    let tags = meta.entry("tag").or_insert_with(|| json!([]));
    let Some(tags) = tags.as_array_mut() else { return };
    if !tags.iter().any(|tag| tag["system"] == SYSTEM && tag["code"] == "SUBSETTED") {
        tags.push(json!({ "system": SYSTEM, "code": "SUBSETTED" }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient() -> Value {
        json!({
            "resourceType": "Patient",
            "id": "1",
            "meta": { "versionId": "1" },
            "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Ana</div>" },
            "active": true,
            "name": [{ "family": "Reyes", "extension": [{ "url": "http://a", "valueString": "b" }] }],
            "birthDate": "1980-05-17",
            "_birthDate": { "extension": [{ "url": "http://a", "valueString": "b" }] },
            "deceasedBoolean": false,
            "maritalStatus": { "text": "married" },
            "contact": [{ "gender": "male" }],
            "link": [{ "other": { "reference": "Patient/2" }, "type": "seealso" }]
        })
    }

    fn part(subset: &Subset, mut resource: Value) -> Value {
        subset.apply(&mut resource);
        resource
    }

    fn members(resource: &Value) -> Vec<&str> {
        resource.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_summary_keeps_what_the_specification_marks() {
        let summary = part(&Subset::Summary, patient());

        assert_eq!(
            members(&summary),
            ["resourceType", "id", "meta", "active", "name", "birthDate", "_birthDate", "deceasedBoolean", "link"]
        );
        assert_eq!(summary["name"], json!([{ "family": "Reyes" }]));
        assert_eq!(summary["link"][0]["other"]["reference"], "Patient/2");
    }

    #[test]
    fn text_keeps_the_narrative_and_what_must_be_there() {
        let observation = json!({
            "resourceType": "Observation", "id": "1", "meta": {}, "text": { "status": "empty" },
            "status": "final", "code": { "text": "pulse" }, "valueInteger": 60
        });

        assert_eq!(
            members(&part(&Subset::Text, observation.clone())),
            ["resourceType", "id", "meta", "text", "status", "code"]
        );
        assert_eq!(
            members(&part(&Subset::Data, observation)),
            ["resourceType", "id", "meta", "status", "code", "valueInteger"]
        );
    }

    #[test]
    fn elements_are_found_by_name_by_path_and_by_choice() {
        let wanted = ["birthDate", "Patient.maritalStatus", "contact.gender", "Observation.status", "deceased"];
        let subset = Subset::Elements(wanted.map(str::to_owned).to_vec());

        let found = part(&subset, patient());

        // `active` and `link` change the meaning of the rest.
        assert_eq!(
            members(&found),
            [
                "resourceType",
                "id",
                "meta",
                "active",
                "birthDate",
                "_birthDate",
                "deceasedBoolean",
                "maritalStatus",
                "contact",
                "link"
            ]
        );
    }

    #[test]
    fn every_part_carries_the_tag_once() {
        let tags = |resource: &Value| resource["meta"]["tag"].as_array().map_or(0, Vec::len);
        let once = part(&Subset::Data, patient());

        assert_eq!((tags(&once), tags(&part(&Subset::Data, once.clone()))), (1, 1));
        assert_eq!(once["meta"]["tag"][0]["code"], "SUBSETTED");
        assert_eq!(part(&Subset::Whole, patient()), patient());
    }

    #[test]
    fn queries_of_reads_are_understood_or_refused() {
        let subset = |name: &str, value: &str| Subset::of_query(&[(name.to_owned(), value.to_owned())]);

        assert_eq!(subset("_summary", "true").unwrap(), Subset::Summary);
        assert_eq!(subset("_summary", "false").unwrap(), Subset::Whole);
        assert_eq!(subset("_elements", "name, id").unwrap(), Subset::Elements(vec!["name".into(), "id".into()]));
        assert!(subset("_summary", "count").is_err());
        assert!(subset("_elements", "name,,id").is_err());
    }
}
