//! Composite parameters that clients define: what their components are, checked.
//!
//! Spec: R4 search.html#composite, searchparameter-definitions.html#SearchParameter.component

use serde_json::{Value, json};

use crate::fhir::definitions;
use crate::fhir::{Issue, IssueCode};
use crate::search::extract::{Unread, check_composite};
use crate::search::own::{self, OwnParameter};
use crate::search::{ParameterKind, Registry};
use crate::store::FIRST_OWN_NUMBER;

const MOST_COMPONENTS: usize = 3;

/// A part of a composite parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnComponent {
    /// URL of the parameter that says how this part is compared; no version.
    pub definition: String,
    /// FHIRPath, from what the expression of the whole selects.
    pub expression: String,
}

impl OwnComponent {
    /// The components of a SearchParameter.
    pub(super) fn all_of(value: &Value) -> Vec<OwnComponent> {
        let items = value.get("component").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let component = |item: &Value| {
            let definition = text(item, "definition");
            let (url, _) = definition.split_once('|').unwrap_or((&definition, ""));
            OwnComponent { definition: url.to_owned(), expression: text(item, "expression") }
        };
        items.iter().map(component).collect()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "definition": self.definition, "expression": self.expression })
    }

    /// How it is compared; `None` when its parameter is not one of R4 that each type of `own` has.
    fn kind(&self, own: &OwnParameter) -> Option<ParameterKind> {
        let definition = definitions::search_parameters().iter().find(|known| *known.url == *self.definition)?;
        let has_it = |parameters: Vec<&crate::search::Parameter>| {
            parameters.iter().any(|parameter| *parameter.definition.url == *self.definition)
        };
        let is_everywhere = own.types().all(|of| has_it(Registry::bundled().parameters(of)));
        ParameterKind::of_name(&definition.kind).filter(|_| is_everywhere)
    }
}

/// The first thing that is wrong with the components.
pub(super) fn problem(own: &OwnParameter) -> Option<Issue> {
    if own.kind != Some(ParameterKind::Composite) {
        let text = "only a parameter of type composite has components";
        return (!own.components.is_empty()).then(|| own::problem(IssueCode::Invalid, "component", text));
    }
    if !(2..=MOST_COMPONENTS).contains(&own.components.len()) {
        return Some(own::problem(IssueCode::Required, "component", "a composite has two or three components"));
    }
    let mut kinds = Vec::new();
    for (place, component) in own.components.iter().enumerate() {
        let Some(kind) = component.kind(own) else {
            let text =
                "name a search parameter of R4 that each type of 'base' has: it says how the component is compared";
            return Some(own::problem(IssueCode::NotSupported, &format!("component[{place}].definition"), text));
        };
        kinds.push(kind);
    }
    if let Some(place) = without_room(&kinds) {
        let text = "the first component is a token or a reference, a quantity comes second, and of the components behind \
                    the first one is a string, and one a token, a reference, a date or a quantity, at most";
        return Some(own::problem(IssueCode::NotSupported, &format!("component[{place}].definition"), text));
    }
    // That there is no expression, or no base, is told elsewhere.
    let definitions = own.definitions(FIRST_OWN_NUMBER);
    let of_types = definitions.iter().filter(|_| !own.expression.is_empty()).flat_map(|definition| {
        own::types_of(&definition.base).into_iter().map(move |of| (of, check_composite(definition, of)))
    });
    let (of, unread) = of_types.into_iter().find_map(|(of, checked)| Some((of, checked.err()?)))?;
    Some(match unread {
        Unread::Whole => {
            let text = format!(
                "of a composite this is one plain path for each type, such as Observation.component, without filters and \
                 functions; on {of} it is not"
            );
            own::problem(IssueCode::NotSupported, "expression", text)
        }
        Unread::Component(place) => {
            let kind = kinds[place].name();
            let text = format!(
                "on {of} this is no plain path to what a parameter of type {kind} compares: write one such as code, or \
                 value.as(Quantity)"
            );
            own::problem(IssueCode::NotSupported, &format!("component[{place}].expression"), text)
        }
    })
}

/// The place of the first component that needs a column of the index which those before it need, too.
fn without_room(kinds: &[ParameterKind]) -> Option<usize> {
    let mut taken = Vec::new();
    for (place, kind) in kinds.iter().enumerate() {
        let columns: &[&str] = match (kind, place) {
            (ParameterKind::Token | ParameterKind::Reference, 0) => &["code"],
            (ParameterKind::Token | ParameterKind::Reference | ParameterKind::Date, 1..) => &["low"],
            (ParameterKind::String, 1..) => &["text"],
            (ParameterKind::Quantity, 1) => &["value", "low"],
            (ParameterKind::Number, 1) => &["value"],
            (ParameterKind::Number, 2..) => &["upper"],
            _ => return Some(place),
        };
        if columns.iter().any(|column| taken.contains(column)) {
            return Some(place);
        }
        taken.extend(columns);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role() -> Value {
        json!({
            "resourceType": "SearchParameter", "url": "http://own/role", "status": "active", "code": "role",
            "base": ["Encounter"], "type": "composite", "expression": "Encounter.participant",
            "component": [
                { "definition": "http://hl7.org/fhir/SearchParameter/Encounter-participant-type", "expression": "type" },
                { "definition": "http://hl7.org/fhir/SearchParameter/Encounter-participant|4.0.1", "expression": "individual" },
            ],
        })
    }

    fn place(change: impl FnOnce(&mut Value)) -> Option<String> {
        let mut resource = role();
        change(&mut resource);
        let issues = own::read(&resource, Registry::bundled()).err()?;
        assert_eq!(issues.len(), 1, "{issues:?}");
        issues[0].expression.clone()
    }

    #[test]
    fn a_composite_is_read_and_kept() {
        let own = own::read(&role(), Registry::bundled()).unwrap().unwrap();

        assert_eq!(own.components[1].definition, "http://hl7.org/fhir/SearchParameter/Encounter-participant");
        let kept: Value = serde_json::from_str(&own.definition().text).unwrap();
        assert_eq!(OwnParameter::of(&kept), own);
    }

    #[test]
    fn each_fault_of_a_component_is_told_at_its_place() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 9] = [
            (|it| it["type"] = json!("token"), "component"),
            (|it| _ = it["component"].as_array_mut().unwrap().pop(), "component"),
            (|it| it["component"][1]["definition"] = json!("http://own/unknown"), "component[1].definition"),
            // Of a type that is not among the bases.
            (
                |it| it["component"][0]["definition"] = json!("http://hl7.org/fhir/SearchParameter/Location-type"),
                "component[0].definition",
            ),
            (
                |it| it["component"][0]["definition"] = json!("http://hl7.org/fhir/SearchParameter/Encounter-length"),
                "component[0].definition",
            ),
            (|it| it["expression"] = json!("Encounter.participant.where(true)"), "expression"),
            (|it| it["expression"] = json!("Patient.contact"), "expression"),
            (|it| it["component"][1]["expression"] = json!("period"), "component[1].expression"),
            (|it| it["component"][0]["expression"] = json!("type.first()"), "component[0].expression"),
        ];

        for (change, expected) in cases {
            assert_eq!(place(change), Some(format!("SearchParameter.{expected}")));
        }
    }

    #[test]
    fn components_have_room_beside_each_other_or_are_refused() {
        use ParameterKind::*;
        let cases: [(&[ParameterKind], Option<usize>); 9] = [
            (&[Token, Token], None),
            (&[Reference, Quantity], None),
            (&[Token, Number, Number], None),
            (&[Token, String, Date], None),
            (&[String, Token], Some(0)),
            (&[Token, Uri], Some(1)),
            (&[Token, Date, Token], Some(2)),
            (&[Token, String, Quantity], Some(2)),
            (&[Token, String, String], Some(2)),
        ];

        for (kinds, expected) in cases {
            assert_eq!(without_room(kinds), expected, "{kinds:?}");
        }
    }
}
