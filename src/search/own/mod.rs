//! Search parameters that clients define: what a SearchParameter resource says, checked.
//!
//! Spec: R4 searchparameter.html

mod components;
mod used;

use serde_json::{Value, json};

use crate::fhir::definitions::{self, SearchComponent, SearchParameterDefinition};
use crate::fhir::{Issue, IssueCode, ResourceType};
use crate::fhirpath;
use crate::search::own::components::OwnComponent;
use crate::search::{OwnDefinition, ParameterKind, Registry};
use crate::store::{Definition, FIRST_OWN_NUMBER, LAST_OWN_NUMBER};

/// Longer expressions are refused: they are evaluated for every resource that is written.
const MOST_EXPRESSION_BYTES: usize = 8 * 1024;
const MOST_URL_BYTES: usize = 1024;

/// What of a SearchParameter matters for rows and searches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnParameter {
    /// Of the resource, if it is known yet.
    id: String,
    pub url: String,
    pub code: String,
    /// `None` when `type` names no kind.
    pub kind: Option<ParameterKind>,
    /// Resource types, `Resource` or `DomainResource`.
    pub bases: Vec<String>,
    /// FHIRPath.
    pub expression: String,
    /// Resource types that a reference may point to; empty when any.
    pub targets: Vec<String>,
    /// Of a composite.
    pub components: Vec<OwnComponent>,
}

/// What the SearchParameter `resource` puts in force; `None` when nothing. `registry` tells what is taken.
///
/// Only those with the status `active` are in force. One whose URL, or `derivedFrom`, is that of a parameter of the
/// specification with the same code changes nothing: it says again, or says more narrowly, what the server does already.
///
/// Spec: R4 searchparameter.html
pub fn read(resource: &Value, registry: &Registry) -> Result<Option<OwnParameter>, Vec<Issue>> {
    let own = OwnParameter::of(resource);
    let origins = [Some(own.url.as_str()), resource.get("derivedFrom").and_then(Value::as_str)];
    let is_known = definitions::search_parameters()
        .iter()
        .any(|known| *known.code == *own.code && origins.contains(&Some(&*known.url)));
    if is_known {
        return Ok(None);
    }
    let (issues, is_in_force) = match resource.get("status").and_then(Value::as_str) {
        Some("active") => (own.problems(registry), true),
        Some("draft") => (own.problems_of_draft(), false),
        // Whatever it says, it was in force once or never will be.
        _ => (Vec::new(), false),
    };
    if issues.is_empty() { Ok(is_in_force.then_some(own)) } else { Err(issues) }
}

impl OwnParameter {
    /// Takes from a SearchParameter, or from the text of a `Definition`, what matters.
    pub fn of(value: &Value) -> OwnParameter {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        OwnParameter {
            id: text("id"),
            url: text("url"),
            code: text("code"),
            kind: ParameterKind::of_name(&text("type")),
            bases: texts(value, "base"),
            expression: text("expression"),
            targets: texts(value, "target"),
            components: OwnComponent::all_of(value),
        }
    }

    /// As the database keeps it.
    pub fn definition(&self) -> Definition {
        let mut text = json!({
            "url": self.url,
            "code": self.code,
            "type": self.kind.map_or("", ParameterKind::name),
            "base": self.bases,
            "expression": self.expression,
            "target": self.targets,
        });
        // Only there: what was in force before there were any stays the same text.
        if !self.components.is_empty() {
            text["component"] = self.components.iter().map(OwnComponent::to_json).collect();
        }
        Definition { url: self.url.clone(), text: text.to_string() }
    }

    /// What both can't have at once, in words; `None` when both may be in force.
    pub fn collision(&self, other: &OwnParameter) -> Option<(&'static str, String)> {
        if self.url == other.url {
            return Some((
                "url",
                "another SearchParameter has this URL: change that one, or choose another".to_owned(),
            ));
        }
        if self.code != other.code {
            return None;
        }
        let types: Vec<ResourceType> = other.bases.iter().flat_map(|base| types_of(base)).collect();
        let shared = self.bases.iter().flat_map(|base| types_of(base)).find(|base| types.contains(base))?;
        Some(("code", taken(shared)))
    }

    fn problems(&self, registry: &Registry) -> Vec<Issue> {
        let mut issues = Vec::new();
        match self.kind {
            None => issues.push(problem(IssueCode::Value, "type", "this is no type of search parameter")),
            Some(ParameterKind::Special) => {
                let text = "a special parameter needs a server that knows what it means: use any other type";
                issues.push(problem(IssueCode::NotSupported, "type", text));
            }
            Some(_) => {}
        }
        if self.url.is_empty() || self.url.len() > MOST_URL_BYTES {
            let text = format!("a URL tells the parameter from others; it has 1 to {MOST_URL_BYTES} bytes");
            issues.push(problem(IssueCode::Value, "url", text));
        }
        if !is_code(&self.code) {
            let text = "a code has 1 to 64 letters, digits, '-' or '_' and begins with a letter";
            issues.push(problem(IssueCode::Value, "code", text));
        }
        if self.bases.is_empty() {
            issues.push(problem(IssueCode::Required, "base", "name the resource types that the parameter is for"));
        }
        if self.expression.is_empty() {
            let text = "the server finds the values by this FHIRPath expression: add one";
            issues.push(problem(IssueCode::Required, "expression", text));
        }
        issues.extend(self.problems_of_draft());
        issues.extend(components::problem(self));
        self.target_problems(&mut issues);
        self.collisions(registry, &mut issues);
        if registry.last_number() >= LAST_OWN_NUMBER {
            let most = LAST_OWN_NUMBER - FIRST_OWN_NUMBER + 1;
            let text = format!("this database has had {most} definitions, which is all that it has numbers for");
            issues.push(problem(IssueCode::TooCostly, "code", text));
        }
        issues
    }

    /// What is wrong even before anything is in force.
    fn problems_of_draft(&self) -> Vec<Issue> {
        let mut issues = Vec::new();
        for (place, name) in self.bases.iter().enumerate() {
            if types_of(name).is_empty() {
                let text = "this is no resource type of R4";
                issues.push(problem(IssueCode::Value, &format!("base[{place}]"), text));
            }
        }
        if self.expression.len() > MOST_EXPRESSION_BYTES {
            let text = format!("an expression has {MOST_EXPRESSION_BYTES} bytes at most");
            issues.push(problem(IssueCode::TooLong, "expression", text));
        } else if !self.expression.is_empty()
            && let Err(error) = fhirpath::compile(&self.expression)
        {
            issues.push(problem(IssueCode::Invalid, "expression", format!("this is no FHIRPath: {error}")));
        }
        issues
    }

    fn target_problems(&self, issues: &mut Vec<Issue>) {
        for (place, name) in self.targets.iter().enumerate() {
            if ResourceType::parse(name).is_err() && name != "Resource" {
                let text = "this is no resource type of R4";
                issues.push(problem(IssueCode::Value, &format!("target[{place}]"), text));
            }
        }
        if !self.targets.is_empty() && self.kind.is_some_and(|kind| kind != ParameterKind::Reference) {
            issues.push(problem(IssueCode::Invalid, "target", "only a parameter of type reference has targets"));
        }
    }

    /// The parameters of the specification, and own ones, that stand in the way.
    fn collisions(&self, registry: &Registry, issues: &mut Vec<Issue>) {
        let types = self.bases.iter().flat_map(|base| types_of(base));
        let bundled = types.into_iter().find(|base| Registry::bundled().parameter(*base, &self.code).is_some());
        // One with the same URL is what this one replaces; that it is the same resource is checked when it is written.
        let is_other = |known: &&OwnDefinition| known.own.url != self.url && known.id != self.id;
        let others = registry.own_parameters().filter(is_other);
        let found = match bundled {
            Some(base) => Some(("code", taken(base))),
            None => others.into_iter().find_map(|other| self.collision(&other.own)),
        };
        issues.extend(found.map(|(place, text)| problem(IssueCode::Duplicate, place, text)));
    }

    /// The definition on each base, as index rows with the number `number` follow it.
    pub(super) fn definitions(&self, number: i16) -> Vec<SearchParameterDefinition> {
        let component = |own: &OwnComponent| SearchComponent {
            definition: own.definition.as_str().into(),
            expression: own.expression.as_str().into(),
        };
        let on = |base: &String| SearchParameterDefinition {
            id: number,
            base: base.as_str().into(),
            code: self.code.as_str().into(),
            kind: self.kind.map_or("", ParameterKind::name).into(),
            url: self.url.as_str().into(),
            expression: Some(self.expression.as_str().into()),
            targets: self.targets.iter().filter(|name| *name != "Resource").map(|name| name.as_str().into()).collect(),
            components: self.components.iter().map(component).collect(),
        };
        self.bases.iter().map(on).collect()
    }

    /// The resource types that the parameter is for.
    pub fn types(&self) -> impl Iterator<Item = ResourceType> + '_ {
        self.bases.iter().flat_map(|base| types_of(base))
    }
}

/// That two parameters of one type would have the same code.
fn taken(resource_type: ResourceType) -> String {
    format!("{resource_type} has a search parameter of this code already: choose another code")
}

/// A finding about the SearchParameter.
pub fn problem(code: IssueCode, place: &str, text: impl Into<String>) -> Issue {
    Issue::error(code, format!("SearchParameter.{place}"), text)
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

fn is_code(code: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    code.len() <= 64 && code.bytes().next().is_some_and(|first| first.is_ascii_alphabetic()) && code.bytes().all(is_fit)
}

fn texts(resource: &Value, name: &str) -> Vec<String> {
    let items = resource.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
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
        let own = read(&eye_colour(), Registry::bundled()).unwrap().unwrap();

        assert_eq!((own.code.as_str(), own.kind, own.bases.len()), ("eyes", Some(ParameterKind::Token), 1));
        let kept: Value = serde_json::from_str(&own.definition().text).unwrap();
        assert_eq!(OwnParameter::of(&kept), own);
    }

    #[test]
    fn each_fault_is_told_at_its_place() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 9] = [
            (|it| it["type"] = json!("special"), "SearchParameter.type"),
            (|it| it["code"] = json!("a.b"), "SearchParameter.code"),
            (|it| it["code"] = json!("name"), "SearchParameter.code"),
            (|it| it["base"] = json!(["Patient", "Teapot"]), "SearchParameter.base[1]"),
            (|it| it["expression"] = Value::Null, "SearchParameter.expression"),
            (|it| it["expression"] = json!("Patient.name.where("), "SearchParameter.expression"),
            (|it| it["type"] = json!("composite"), "SearchParameter.component"),
            (|it| (it["type"], it["target"]) = (json!("reference"), json!(["Teapot"])), "SearchParameter.target[0]"),
            (|it| it["target"] = json!(["Patient"]), "SearchParameter.target"),
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
    fn only_active_ones_are_in_force_and_drafts_must_be_readable() {
        let with = |change: fn(&mut Value)| {
            let mut resource = eye_colour();
            change(&mut resource);
            read(&resource, Registry::bundled()).map(|own| own.is_some())
        };

        assert_eq!(with(|_| {}), Ok(true));
        assert_eq!(with(|it| it["status"] = json!("draft")), Ok(false));
        assert_eq!(with(|it| it["status"] = json!("retired")), Ok(false));
        assert!(with(|it| (it["status"], it["expression"]) = (json!("draft"), json!("a..b"))).is_err());
        assert_eq!(with(|it| (it["status"], it["expression"]) = (json!("retired"), json!("a..b"))), Ok(false));
    }

    #[test]
    fn what_says_a_parameter_of_the_specification_again_changes_nothing() {
        let with = |place: &str, code: &str| {
            let mut resource = eye_colour();
            resource["code"] = json!(code);
            resource[place] = json!("http://hl7.org/fhir/SearchParameter/Patient-active");
            read(&resource, Registry::bundled()).map(|own| own.is_some())
        };

        assert_eq!(with("url", "active"), Ok(false));
        assert_eq!(with("derivedFrom", "active"), Ok(false));
        assert_eq!(with("derivedFrom", "eyes"), Ok(true));
        assert!(with("derivedFrom", "name").is_err());
    }

    #[test]
    fn two_with_one_code_collide_where_their_types_meet() {
        let own = |url: &str, code: &str, base: &str| {
            OwnParameter::of(&json!({ "url": url, "code": code, "base": [base], "type": "token", "expression": "id" }))
        };
        let first = own("http://own/a", "a", "Patient");

        assert_eq!(first.collision(&own("http://own/a", "b", "Group")).unwrap().0, "url");
        assert_eq!(first.collision(&own("http://own/b", "a", "Resource")).unwrap().0, "code");
        assert_eq!(first.collision(&own("http://own/b", "a", "Group")), None);
        assert_eq!(first.collision(&own("http://own/b", "b", "Patient")), None);
    }

    #[test]
    fn a_base_of_all_types_stands_for_each() {
        assert_eq!(types_of("Resource").len(), ResourceType::all().count());
        assert!(types_of("DomainResource").len() < types_of("Resource").len());
        assert_eq!(types_of("Teapot"), []);
    }
}
