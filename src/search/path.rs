//! The plain expressions of search parameters as walks over JSON members, resolved once against the definitions.
//!
//! Nearly all expressions of the specification are a path with at most a cast or a simple filter: `Observation.value as
//! Quantity` is the member `valueQuantity`. Those need no interpreter; whatever else there is goes to `fhirpath`.
//!
//! Spec: R4 searchparameter.html (expression)

use serde_json::Value;

use crate::fhir::definitions::{self, ElementDefinition};
use crate::fhir::{Reference, ResourceType};
use crate::search::extract::Shape;

/// A walk from the root of a resource to elements of one type.
#[derive(Debug, PartialEq)]
pub(super) struct Path {
    steps: Vec<Step>,
    pub leaf: Shape,
    /// Of a code: the value set that it is bound to, which implies its system.
    pub value_set: Option<&'static str>,
    /// Of a reference: the types that it may point to; empty when any.
    pub targets: Vec<ResourceType>,
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    member: Box<str>,
    filter: Filter,
}

#[derive(Clone, Debug, PartialEq)]
enum Filter {
    None,
    /// `[0]`
    First,
    /// `.where(member='text')`
    Member(Box<str>, Box<str>),
    /// `.where(resolve() is Type)`, judged by what the reference says.
    Target(ResourceType),
}

/// The walks of one term of an expression (what stands between `|`); `None` when it is more than a walk. A choice of
/// types gives one walk for each type; a term of another resource type gives none.
pub(super) fn compile(term: &str, resource_type: ResourceType) -> Option<Vec<Path>> {
    let mut reader = Reader { rest: term.trim() };
    let is_bracketed = reader.eat("(");
    let mut walks = vec![Walk::root(resource_type)];
    let root = reader.name()?;
    let is_here = root == resource_type.name() || matches!(root, "Resource" | "DomainResource");
    if !is_here {
        if ResourceType::parse(root).is_ok() {
            return Some(Vec::new());
        }
        walks = member(walks, root)?;
    }
    let mut is_open = is_bracketed;
    loop {
        if reader.eat(" as ") {
            walks = cast(walks, reader.name()?);
        } else if reader.eat(".as(") || reader.eat(".ofType(") {
            walks = cast(walks, reader.name()?);
            reader.expect(")")?;
        } else if reader.eat("[0]") {
            filter(&mut walks, Filter::First)?;
        } else if reader.eat(".where(resolve() is ") {
            filter(&mut walks, Filter::Target(ResourceType::parse(reader.name()?).ok()?))?;
            reader.expect(")")?;
        } else if reader.eat(".where(") {
            let name = reader.name()?;
            reader.expect("=")?;
            filter(&mut walks, Filter::Member(name.into(), reader.text()?.into()))?;
            reader.expect(")")?;
        } else if reader.eat(".extension(") {
            walks = member(walks, "extension")?;
            filter(&mut walks, Filter::Member("url".into(), reader.text()?.into()))?;
            reader.expect(")")?;
        } else if reader.eat(".") {
            let name = reader.name()?;
            if reader.rest.starts_with('(') {
                return None;
            }
            walks = member(walks, name)?;
        } else if is_open && reader.eat(")") {
            is_open = false;
        } else if reader.rest.is_empty() && !is_open {
            return Some(walks.into_iter().map(Walk::finish).collect());
        } else {
            return None;
        }
    }
}

/// The terms of an expression: what stands between `|` outside brackets.
pub(super) fn terms(expression: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut depth, mut start, mut quoted) = (0_usize, 0, false);
    for (at, byte) in expression.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' | b'[' if !quoted => depth += 1,
            b')' | b']' if !quoted => depth = depth.saturating_sub(1),
            b'|' if !quoted && depth == 0 => {
                terms.push(expression[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(expression[start..].trim());
    terms
}

/// The walks of all terms of `expression`.
pub(super) fn walks(expression: &str, resource_type: ResourceType) -> Vec<Path> {
    terms(expression).into_iter().filter_map(|term| compile(term, resource_type)).flatten().collect()
}

/// The walks of `walk.exists() and walk != false`, the one form of the specification that asks whether an element is
/// there.
pub(super) fn presence(expression: &str, resource_type: ResourceType) -> Option<Vec<Path>> {
    let (exists, differs) = expression.split_once(" and ")?;
    let walk = exists.strip_suffix(".exists()")?;
    if differs.strip_suffix(" != false") != Some(walk) {
        return None;
    }
    compile(walk, resource_type)
}

impl Path {
    /// How many members lie between the root and the elements.
    pub(super) fn depth(&self) -> usize {
        self.steps.len()
    }

    /// The walk from where the first `depth` members lead.
    pub(super) fn without_first(mut self, depth: usize) -> Path {
        self.steps.drain(..depth.min(self.steps.len()));
        self
    }

    /// Calls `found` with each element of `root` that the walk leads to.
    pub(super) fn each<'a>(&self, root: &'a Value, bases: &[String], found: &mut dyn FnMut(&'a Value)) {
        walk(&self.steps, root, bases, found);
    }
}

fn walk<'a>(steps: &[Step], value: &'a Value, bases: &[String], found: &mut dyn FnMut(&'a Value)) {
    let Some((step, rest)) = steps.split_first() else {
        found(value);
        return;
    };
    let mut go_on = |value: &'a Value| {
        if step.filter.admits(value, bases) {
            walk(rest, value, bases, found);
        }
    };
    match value.get(&*step.member) {
        Some(Value::Array(items)) => match step.filter {
            Filter::First => items.first().into_iter().for_each(go_on),
            _ => items.iter().for_each(go_on),
        },
        Some(Value::Null) | None => {}
        Some(only) => go_on(only),
    }
}

impl Filter {
    fn admits(&self, value: &Value, bases: &[String]) -> bool {
        match self {
            Filter::None | Filter::First => true,
            Filter::Member(name, text) => value.get(&**name).and_then(Value::as_str) == Some(text),
            Filter::Target(resource_type) => points_to(value, *resource_type, bases),
        }
    }
}

/// Whether a Reference says that it points to a `resource_type`; nothing is read to find out.
fn points_to(value: &Value, resource_type: ResourceType, bases: &[String]) -> bool {
    let text = value.get("reference").and_then(Value::as_str);
    match text.map(|text| Reference::parse(text, bases)) {
        Some(Reference::Local { key, .. }) => key.resource_type == resource_type,
        Some(Reference::Absolute(url)) if names_type(url, resource_type) => true,
        _ => value.get("type").and_then(Value::as_str) == Some(resource_type.name()),
    }
}

/// True for `http://elsewhere/Type/id`, with or without a version.
fn names_type(url: &str, resource_type: ResourceType) -> bool {
    let url = url.split_once("/_history/").map_or(url, |(url, _)| url);
    url.rsplit('/').nth(1) == Some(resource_type.name())
}

/// A path under construction: the steps so far and what they lead to.
struct Walk {
    steps: Vec<Step>,
    type_name: &'static str,
    /// The element, while its type is still open to a cast.
    choice: Option<&'static ElementDefinition>,
    value_set: Option<&'static str>,
    targets: &'static [Box<str>],
}

impl Walk {
    fn root(resource_type: ResourceType) -> Walk {
        Walk { steps: Vec::new(), type_name: resource_type.name(), choice: None, value_set: None, targets: &[] }
    }

    fn finish(self) -> Path {
        let targets = match self.steps.last().map(|step| &step.filter) {
            Some(Filter::Target(only)) => vec![*only],
            // `Resource` is no type of its own: it stands for any.
            _ => self.targets.iter().map_while(|name| ResourceType::parse(name).ok()).collect(),
        };
        // Of all types, only HumanName has such a member.
        let is_family = self.steps.last().is_some_and(|step| &*step.member == "family");
        let leaf = if is_family { Shape::Family } else { Shape::of(self.type_name) };
        Path { steps: self.steps, leaf, value_set: self.value_set, targets }
    }
}

/// One step down to the element `name`; `None` when no walk has such an element.
fn member(walks: Vec<Walk>, name: &str) -> Option<Vec<Walk>> {
    let mut next = Vec::new();
    for walk in walks {
        let Some(element) = definitions::type_named(walk.type_name).and_then(|definition| definition.element(name))
        else {
            continue;
        };
        for element_type in &element.types {
            let mut steps = walk.steps.clone();
            let member = if element.is_choice { choice_member(name, &element_type.code) } else { name.into() };
            steps.push(Step { member, filter: Filter::None });
            next.push(Walk {
                steps,
                type_name: &element_type.code,
                choice: element.is_choice.then_some(element),
                value_set: element.required_binding.as_deref(),
                targets: &element_type.targets,
            });
        }
    }
    (!next.is_empty()).then_some(next)
}

/// Keeps the walks that lead to the type `name`.
fn cast(walks: Vec<Walk>, name: &str) -> Vec<Walk> {
    walks.into_iter().filter(|walk| walk.choice.is_none() || walk.type_name == name).collect()
}

/// Puts a filter on the last step; `None` when there is no step or it has one.
fn filter(walks: &mut [Walk], filter: Filter) -> Option<()> {
    for walk in walks {
        let last = walk.steps.last_mut()?;
        if last.filter != Filter::None {
            return None;
        }
        last.filter = filter.clone();
    }
    Some(())
}

/// `value` and `dateTime` make `valueDateTime`.
fn choice_member(element: &str, type_name: &str) -> Box<str> {
    let mut name = element.to_owned();
    let mut letters = type_name.chars();
    name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    name.push_str(letters.as_str());
    name.into()
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Option<()> {
        self.eat(text).then_some(())
    }

    fn name(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    fn text(&mut self) -> Option<&'a str> {
        let rest = self.rest.strip_prefix('\'')?;
        let (text, rest) = rest.split_once('\'')?;
        self.rest = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(term: &str, type_name: &str) -> Option<Vec<String>> {
        let paths = compile(term, ResourceType::parse(type_name).unwrap())?;
        Some(
            paths
                .iter()
                .map(|path| path.steps.iter().map(|step| &*step.member).collect::<Vec<_>>().join("."))
                .collect(),
        )
    }

    #[test]
    fn plain_terms_become_walks() {
        let cases = [
            ("Patient.name.family", "Patient", "name.family"),
            ("(Observation.value as Quantity)", "Observation", "valueQuantity"),
            ("Condition.onset.as(Age)", "Condition", "onsetAge"),
            ("(Observation.value as CodeableConcept).text", "Observation", "valueCodeableConcept.text"),
            ("Resource.meta.tag", "Patient", "meta.tag"),
            ("Patient.telecom.where(system='phone')", "Patient", "telecom"),
            ("Bundle.entry[0].resource", "Bundle", "entry.resource"),
            ("Goal.target.due as date", "Goal", "target.dueDate"),
        ];

        for (term, type_name, walk) in cases {
            assert_eq!(paths(term, type_name).unwrap(), [walk], "{term}");
        }
    }

    #[test]
    fn an_open_choice_becomes_a_walk_for_each_type() {
        assert_eq!(
            paths("Observation.effective", "Observation").unwrap(),
            ["effectiveDateTime", "effectivePeriod", "effectiveTiming", "effectiveInstant"]
        );
    }

    #[test]
    fn terms_of_other_types_lead_nowhere_and_others_are_left_to_fhirpath() {
        assert_eq!(paths("Practitioner.name", "Patient").unwrap(), Vec::<String>::new());
        for term in ["Patient.deceased.exists() and Patient.deceased != false", "Patient.teapot", "(Patient.name", "1"]
        {
            assert_eq!(paths(term, "Patient"), None, "{term}");
        }
    }

    #[test]
    fn presence_is_asked_of_one_element() {
        let asked = |expression: &str| presence(expression, ResourceType::PATIENT).map(|paths| paths.len());

        assert_eq!(asked("Patient.deceased.exists() and Patient.deceased != false"), Some(2));
        assert_eq!(asked("Patient.deceased.exists() and Patient.active != false"), None);
        assert_eq!(asked("Patient.deceased.exists()"), None);
    }

    #[test]
    fn bars_within_brackets_and_quotes_do_not_part_terms() {
        assert_eq!(terms("a.where(b='x|y') | (c | d)|e"), ["a.where(b='x|y')", "(c | d)", "e"]);
    }

    #[test]
    fn filters_keep_only_what_they_admit() {
        let count = |term: &str, type_name: &str, resource: &Value| {
            let mut found = 0;
            for path in compile(term, ResourceType::parse(type_name).unwrap()).unwrap() {
                path.each(resource, &["http://here/fhir".to_owned()], &mut |_| found += 1);
            }
            found
        };
        let patient = json!({ "telecom": [{ "system": "phone" }, { "system": "email" }, {}] });
        let basic = |reference: Value| json!({ "subject": reference });
        let term = "Basic.subject.where(resolve() is Patient)";

        assert_eq!(count("Patient.telecom.where(system='phone')", "Patient", &patient), 1);
        assert_eq!(count(term, "Basic", &basic(json!({ "reference": "Patient/1" }))), 1);
        assert_eq!(count(term, "Basic", &basic(json!({ "reference": "http://here/fhir/Patient/1" }))), 1);
        assert_eq!(count(term, "Basic", &basic(json!({ "reference": "http://there/Patient/1/_history/2" }))), 1);
        assert_eq!(count(term, "Basic", &basic(json!({ "type": "Patient" }))), 1);
        assert_eq!(count(term, "Basic", &basic(json!({ "reference": "Group/1" }))), 0);
        assert_eq!(count(term, "Basic", &basic(json!("Patient/1"))), 0);
        assert_eq!(
            count("Bundle.entry[0].resource", "Bundle", &json!({ "entry": [{ "resource": {} }, { "resource": {} }] })),
            1
        );
    }
}
