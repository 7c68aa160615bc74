//! Expressions that call a choice of types by its member in JSON.
//!
//! FHIRPath calls the element `value`, and `valueDateTime` selects nothing. Guides nevertheless publish search parameters that
//! are written so, US Core 6.1.0 among them (`Condition.extension.where(..).valueDateTime`).
//!
//! Spec: R4 fhirpath.html#polymorphism

use super::Expression;
use super::ast::{Expr, Step};
use super::types;

impl Expression {
    /// Lets a name stand for the choice that JSON writes so, too: `valueDateTime` for `value.ofType(dateTime)`.
    pub fn with_json_names(mut self) -> Expression {
        expression(&mut self.0);
        self
    }
}

fn expression(of: &mut Expr) {
    match of {
        Expr::Empty | Expr::Literal(_) | Expr::This | Expr::Index | Expr::Total | Expr::Variable(_) => {}
        Expr::Path(start, steps) => {
            expression(start);
            steps.iter_mut().for_each(step);
        }
        Expr::Union(all) => all.iter_mut().for_each(expression),
        Expr::Binary(_, left, right) => [left, right].into_iter().for_each(|side| expression(side)),
        Expr::Negate(inner) | Expr::Plus(inner) | Expr::Is(inner, _) | Expr::As(inner, _) => expression(inner),
    }
}

fn step(of: &mut Step) {
    match of {
        Step::Member(own, name) => {
            if let Some(chosen) = types::chosen(name) {
                *of = Step::JsonName(*own, std::mem::take(name), chosen);
            }
        }
        Step::At(inner) => expression(inner),
        Step::Call(_, arguments) => arguments.iter_mut().for_each(expression),
        Step::Root(_) | Step::JsonName(..) | Step::Is(_) | Step::As(_) | Step::OfType(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::fhirpath::{Context, compile};

    #[test]
    fn a_choice_is_found_by_its_name_in_json() {
        let observation = json!({
            "resourceType": "Observation", "status": "final", "code": { "text": "c" },
            "valueString": "seen", "effectiveDateTime": "2020-01-02", "component": [{ "valueQuantity": { "unit": "kg" } }],
            "extension": [{ "url": "u", "valueCode": "a" }, { "url": "v", "valueCode": "b" }]
        });
        let cases = [
            ("Observation.valueString", vec!["seen"]),
            ("valueString", vec!["seen"]),
            ("Observation.valueQuantity", vec![]),
            ("Observation.component.valueQuantity.unit", vec!["kg"]),
            ("Observation.component.valueString", vec![]),
            ("Observation.value", vec!["seen"]),
            ("Observation.extension.where(url = 'v').valueCode", vec!["b"]),
            ("Observation.extension.where(valueCode = 'a').url", vec!["u"]),
            ("Observation.effectiveDateTime | Observation.valueString", vec!["2020-01-02", "seen"]),
            ("Observation.valueNothing", vec![]),
        ];

        for (text, expected) in cases {
            let selected = |expression: crate::fhirpath::Expression| -> Vec<String> {
                let nodes = expression.evaluate(&observation, "Observation", &Context::new(&observation)).unwrap();
                nodes.iter().filter_map(|node| node.to_text()).collect()
            };
            assert_eq!(selected(compile(text).unwrap().with_json_names()), expected, "{text}");
        }
        let strict = compile("Observation.valueString").unwrap();
        let found = strict.evaluate(&observation, "Observation", &Context::new(&observation)).unwrap();
        assert!(found.is_empty(), "FHIRPath itself has no such name");
    }
}
