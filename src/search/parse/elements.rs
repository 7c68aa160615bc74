//! Whether the names of `_elements` are those of elements.
//!
//! Spec: R4 search.html#elements

use crate::fhir::ResourceType;
use crate::fhir::definitions::type_named;

/// The first of `names` that is no element of any of `types`, or of any type when there are none. A name may begin with
/// a type, and then it is that of this type's.
pub(super) fn unknown<'a>(names: &'a [String], types: &[ResourceType]) -> Option<&'a str> {
    names.iter().map(String::as_str).find(|name| {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        match ResourceType::parse(first) {
            Ok(resource_type) => !has(resource_type, rest),
            Err(_) if types.is_empty() => !ResourceType::all().any(|resource_type| has(resource_type, name)),
            Err(_) => !types.iter().any(|resource_type| has(*resource_type, name)),
        }
    })
}

/// Below the first level elements come whole, so that what stands there needs no check.
fn has(resource_type: ResourceType, path: &str) -> bool {
    let first = path.split('.').next().unwrap_or(path);
    first == "resourceType"
        || type_named(resource_type.name())
            .is_some_and(|definition| definition.member(first).is_some() || definition.element(first).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_types_that_are_searched() {
        let patient = [ResourceType::PATIENT];
        let names = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let known = ["id,meta,name", "Patient.name", "name.family", "resourceType", "deceased,deceasedBoolean"];

        for text in known {
            assert_eq!(unknown(&names(text), &patient), None, "{text}");
        }
        assert_eq!(unknown(&names("name,nmae"), &patient), Some("nmae"));
        assert_eq!(unknown(&names("valueQuantity"), &patient), Some("valueQuantity"));
        assert_eq!(unknown(&names("Observation.value"), &patient), None);
        assert_eq!(unknown(&names("Patient.nmae"), &[]), Some("Patient.nmae"));
        assert_eq!(unknown(&names("valueQuantity,nothing"), &[]), Some("nothing"));
    }
}
