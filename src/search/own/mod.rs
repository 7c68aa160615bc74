//! Search parameters that clients define: what a SearchParameter resource says, checked.
//!
//! Spec: R4 searchparameter.html

use serde_json::Value;

use crate::fhir::definitions::{self, SearchComponent, SearchParameterDefinition};
use crate::fhir::{Issue, IssueCode, ResourceType};
use crate::fhirpath;
use crate::search::{ParameterKind, Registry};

/// The first number of an own parameter in index rows; bundled ones lie below.
pub const FIRST_NUMBER: i16 = 4096;
/// The last number. None is given twice, so that rows of an old definition are never taken for those of a new one.
pub const LAST_NUMBER: i16 = 8191;

/// Longer expressions are refused: they are evaluated for every resource that is written.
const MOST_EXPRESSION_BYTES: usize = 8 * 1024;
const MOST_COMPONENTS: usize = 16;

/// A SearchParameter that passed all checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnParameter {
    pub url: String,
    pub code: String,
    pub kind: ParameterKind,
    /// Resource types, `Resource` or `DomainResource`.
    pub bases: Vec<String>,
    /// FHIRPath.
    pub expression: String,
    /// Resource types that a reference may point to; empty when any.
    pub targets: Vec<String>,
    /// URL and expression of each part of a composite.
    pub components: Vec<(String, String)>,
    /// Only `active` ones are in force; others are kept as resources like any other.
    pub is_active: bool,
}

/// What the SearchParameter `resource` defines. `registry` tells which codes are taken; a parameter does not collide with
/// one of its own URL, which it replaces.
///
/// Spec: R4 searchparameter.html
pub fn read(resource: &Value, registry: &Registry) -> Result<OwnParameter, Vec<Issue>> {
    let text = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let own = OwnParameter {
        url: text("url"),
        code: text("code"),
        kind: ParameterKind::named(&text("type")),
        bases: texts(resource, "base"),
        expression: text("expression"),
        targets: texts(resource, "target"),
        components: components(resource),
        is_active: text("status") == "active",
    };
    let issues = own.problems(registry);
    if issues.is_empty() { Ok(own) } else { Err(issues) }
}

impl OwnParameter {
    fn problems(&self, registry: &Registry) -> Vec<Issue> {
        let mut issues = Vec::new();
        if self.kind == ParameterKind::Special {
            let text = "a special parameter needs a server that knows what it means: use any other type";
            issues.push(problem(IssueCode::NotSupported, "type", text));
        }
        if !is_code(&self.code) {
            let text = "a code has 1 to 64 letters, digits, '-' or '_' and begins with a letter";
            issues.push(problem(IssueCode::Value, "code", text));
        }
        for (place, name) in self.bases.iter().enumerate() {
            self.base_problems(&format!("base[{place}]"), name, registry, &mut issues);
        }
        if self.bases.is_empty() {
            issues.push(problem(IssueCode::Required, "base", "name the resource types that the parameter is for"));
        }
        self.expression_problems(&mut issues);
        for (place, name) in self.targets.iter().enumerate() {
            if ResourceType::parse(name).is_err() && name != "Resource" {
                let text = "this is no resource type of R4";
                issues.push(problem(IssueCode::Value, &format!("target[{place}]"), text));
            }
        }
        self.component_problems(registry, &mut issues);
        issues
    }

    fn base_problems(&self, place: &str, name: &str, registry: &Registry, issues: &mut Vec<Issue>) {
        let types = types_of(name);
        if types.is_empty() {
            issues.push(problem(IssueCode::Value, place, "this is no resource type of R4"));
        }
        let taken = types.into_iter().find_map(|resource_type| {
            let other = registry.parameter(resource_type, &self.code)?;
            let is_own = other.is_own() && *other.definition.url == *self.url;
            (!is_own).then_some(resource_type)
        });
        if let Some(resource_type) = taken {
            let text = format!("{resource_type} has a search parameter of this code already: choose another code");
            issues.push(problem(IssueCode::Duplicate, "code", text));
        }
    }

    fn expression_problems(&self, issues: &mut Vec<Issue>) {
        if self.expression.is_empty() {
            let text = "the server finds the values by this FHIRPath expression: add one";
            issues.push(problem(IssueCode::Required, "expression", text));
        } else {
            issues.extend(expression_problem("expression", &self.expression));
        }
    }

    fn component_problems(&self, registry: &Registry, issues: &mut Vec<Issue>) {
        if self.kind != ParameterKind::Composite {
            if !self.components.is_empty() {
                let text = "only a parameter of type composite has components";
                issues.push(problem(IssueCode::Invalid, "component", text));
            }
            return;
        }
        if !(2..=MOST_COMPONENTS).contains(&self.components.len()) {
            let text = format!("a composite has 2 to {MOST_COMPONENTS} components");
            issues.push(problem(IssueCode::Value, "component", text));
        }
        for (index, (definition, expression)) in self.components.iter().enumerate() {
            let place = |name: &str| format!("component[{index}].{name}");
            match registry.kind_of(definition) {
                None => {
                    let text = "no search parameter has this URL: send that one first, and let it be active";
                    issues.push(problem(IssueCode::NotFound, &place("definition"), text));
                }
                Some(ParameterKind::Composite | ParameterKind::Special) => {
                    let text = "a component can be neither composite nor special";
                    issues.push(problem(IssueCode::Value, &place("definition"), text));
                }
                Some(_) => {}
            }
            issues.extend(expression_problem(&place("expression"), expression));
        }
    }

    /// The definition on each base, as index rows with the number `number` follow it.
    pub(super) fn definitions(&self, number: i16) -> Vec<SearchParameterDefinition> {
        let component = |(definition, expression): &(String, String)| SearchComponent {
            definition: definition.as_str().into(),
            expression: expression.as_str().into(),
        };
        let on = |base: &String| SearchParameterDefinition {
            id: number,
            base: base.as_str().into(),
            code: self.code.as_str().into(),
            kind: self.kind.name().into(),
            url: self.url.as_str().into(),
            expression: Some(self.expression.as_str().into()),
            targets: self.targets.iter().filter(|name| *name != "Resource").map(|name| name.as_str().into()).collect(),
            components: self.components.iter().map(component).collect(),
        };
        self.bases.iter().map(on).collect()
    }
}

/// The resource types for which a base stands; none when it is no base.
pub(super) fn types_of(base: &str) -> Vec<ResourceType> {
    match base {
        "Resource" | "DomainResource" => {
            ResourceType::all().filter(|of| definitions::is_resource_or_type_subtype(of.name(), base)).collect()
        }
        name => ResourceType::parse(name).into_iter().collect(),
    }
}

fn expression_problem(place: &str, text: &str) -> Option<Issue> {
    if text.len() > MOST_EXPRESSION_BYTES {
        let text = format!("an expression has {MOST_EXPRESSION_BYTES} bytes at most");
        return Some(problem(IssueCode::TooLong, place, text));
    }
    let error = fhirpath::compile(text).err()?;
    Some(problem(IssueCode::Invalid, place, format!("this is no FHIRPath: {error}")))
}

fn is_code(code: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    code.len() <= 64 && code.bytes().next().is_some_and(|first| first.is_ascii_alphabetic()) && code.bytes().all(is_fit)
}

fn texts(resource: &Value, name: &str) -> Vec<String> {
    let items = resource.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn components(resource: &Value) -> Vec<(String, String)> {
    let items = resource.get("component").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    items.iter().map(|item| (text(item, "definition"), text(item, "expression"))).collect()
}

fn problem(code: IssueCode, place: &str, text: impl Into<String>) -> Issue {
    Issue::error(code, format!("SearchParameter.{place}"), text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn eye_colour() -> Value {
        json!({
            "resourceType": "SearchParameter", "url": "http://own/eyes", "status": "active", "code": "eyes",
            "base": ["Patient"], "type": "token", "expression": "Patient.extension('http://own/eyes').value"
        })
    }

    fn places(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
        let mut resource = eye_colour();
        change(&mut resource);
        let issues = read(&resource, Registry::bundled()).err().unwrap_or_default();
        issues.into_iter().map(|issue| (issue.expression.unwrap_or_default(), issue.text)).collect()
    }

    #[test]
    fn a_definition_is_read() {
        let own = read(&eye_colour(), Registry::bundled()).unwrap();

        assert!(own.is_active);
        assert_eq!((own.code.as_str(), own.kind, own.bases.len()), ("eyes", ParameterKind::Token, 1));
    }

    #[test]
    fn each_fault_is_told_at_its_place() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 8] = [
            (|it| it["type"] = json!("special"), "SearchParameter.type"),
            (|it| it["code"] = json!("a.b"), "SearchParameter.code"),
            (|it| it["code"] = json!("name"), "SearchParameter.code"),
            (|it| it["base"] = json!(["Patient", "Teapot"]), "SearchParameter.base[1]"),
            (|it| it["expression"] = Value::Null, "SearchParameter.expression"),
            (|it| it["expression"] = json!("Patient.name.where("), "SearchParameter.expression"),
            (|it| it["type"] = json!("composite"), "SearchParameter.component"),
            (|it| it["target"] = json!(["Teapot"]), "SearchParameter.target[0]"),
        ];

        for (change, place) in cases {
            let found = places(change);
            assert_eq!(found.len(), 1, "{place}: {found:?}");
            assert_eq!(found[0].0, place);
        }
    }

    #[test]
    fn the_position_of_a_fault_in_an_expression_is_told() {
        let found = places(|it| it["expression"] = json!("Patient.name.where("));

        assert!(found[0].1.contains("at character"), "{}", found[0].1);
    }

    #[test]
    fn components_must_be_known() {
        let composite = |definition: &str| {
            places(|it| {
                it["type"] = json!("composite");
                let status = "http://hl7.org/fhir/SearchParameter/Patient-active";
                it["component"] = json!([
                    { "definition": definition, "expression": "active" },
                    { "definition": status, "expression": "active" },
                ]);
            })
        };

        assert_eq!(composite("http://nowhere/x")[0].0, "SearchParameter.component[0].definition");
        assert_eq!(composite("http://hl7.org/fhir/SearchParameter/Patient-active"), []);
    }

    #[test]
    fn a_base_of_all_types_stands_for_each() {
        assert_eq!(types_of("Resource").len(), ResourceType::all().count());
        assert!(types_of("DomainResource").len() < types_of("Resource").len());
        assert_eq!(types_of("Teapot"), []);
    }
}
