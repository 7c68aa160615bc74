//! From the members that lead to a fault in a JSON text to the FHIRPath of the element.
//!
//! Spec: R4 operationoutcome-definitions.html#OperationOutcome.issue.expression

use crate::fhir::ResourceType;
use crate::fhir::definitions::{ElementDefinition, ElementType, TypeDefinition, type_named};

/// The FHIRPath of the element at `path`, a path of JSON members below `root`: `valueQuantity` becomes `value`.
///
/// The text is broken, so the type of a resource inside another may not be known. There a name means what it means in
/// any type that has it, best as a choice.
pub fn expression(root: &str, path: &str) -> String {
    let mut expression = root.to_owned();
    let mut definition = type_named(root);
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (member, index) = step.split_at(step.find('[').unwrap_or(step.len()));
        let name = member.strip_prefix('_').unwrap_or(member);
        let known = definition.and_then(|definition| definition.member(name)).or_else(|| of_any(name));
        definition = match known {
            _ if member.starts_with('_') => type_named("Element"),
            Some((_, chosen)) => type_named(&chosen.code),
            None => None,
        };
        if !name.is_empty() {
            expression.push('.');
            expression.push_str(known.map_or(name, |(element, _)| &element.name));
        }
        expression.push_str(index);
    }
    expression
}

type Member = (&'static ElementDefinition, &'static ElementType);

fn of_any(name: &str) -> Option<Member> {
    let definitions = ResourceType::all().filter_map(|known| type_named(known.name())).chain(type_named("Extension"));
    let members = definitions.filter_map(|definition: &'static TypeDefinition| definition.member(name));
    members.min_by_key(|(element, _)| !element.is_choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_json_become_elements() {
        let cases = [
            ("Patient", "", "Patient"),
            ("Patient", "[1]", "Patient[1]"),
            ("Patient", "name[0].given[1]", "Patient.name[0].given[1]"),
            ("Patient", "_birthDate.extension[0].valueCode", "Patient.birthDate.extension[0].value"),
            ("Observation", "component[2].valueQuantity.value", "Observation.component[2].value.value"),
            ("Bundle", "entry[1].resource.valueQuantity.value", "Bundle.entry[1].resource.value.value"),
            ("Bundle", "entry[1].resource.name[0].family", "Bundle.entry[1].resource.name[0].family"),
            (
                "List",
                "contained[3].extension[0].valueReference.display",
                "List.contained[3].extension[0].value.display",
            ),
            ("patch", "[2].value", "patch[2].value"),
            ("Patient", "shoeSize[0].a", "Patient.shoeSize[0].a"),
        ];
        for (root, path, wanted) in cases {
            assert_eq!(expression(root, path), wanted, "{root} {path}");
        }
    }
}
