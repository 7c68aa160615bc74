//! Compartments: what belongs to one Patient, Encounter, RelatedPerson, Practitioner or Device.
//!
//! Spec: R4 compartmentdefinition.html, search.html (searching in compartments)

use crate::fhir::definitions;
use crate::fhir::{ResourceKey, ResourceType};
use crate::search::{Bound, Registry, SearchError, SearchRequest};

/// The types that a compartment can be about.
pub const CENTERS: [&str; 5] = ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"];

/// The compartment that bounds a search.
#[derive(Clone, Debug)]
pub struct Compartment {
    /// The resource that it is about; it need not exist.
    pub center: ResourceKey,
    /// The references by which a resource of the types that are searched is in it.
    pub(super) parameters: Vec<i16>,
    /// Whether the centre itself, which is in its own compartment, is of the types that are searched.
    pub(super) has_center: bool,
}

impl Compartment {
    /// The compartment of `center`, as far as it holds resources of `resource_type`, or all when that is `None`.
    pub fn of(center: ResourceKey, resource_type: Option<ResourceType>) -> Result<Compartment, SearchError> {
        let name = center.resource_type.name();
        if !CENTERS.contains(&name) {
            return Err(SearchError::NoCompartment { center: center.resource_type });
        }
        let mut parameters = Vec::new();
        for member in ResourceType::all().filter(|member| resource_type.is_none_or(|only| only == *member)) {
            let codes = definitions::compartment(name, member.name()).iter();
            parameters.extend(codes.filter_map(|code| Some(Registry::bundled().parameter(member, code)?.id())));
        }
        let has_center = resource_type.is_none_or(|only| only == center.resource_type);
        match resource_type {
            Some(member) if parameters.is_empty() && !has_center => {
                Err(SearchError::NotInCompartment { center: center.resource_type, member })
            }
            _ => Ok(Compartment { center, parameters, has_center }),
        }
    }
}

impl SearchRequest {
    /// Admits only what is in `compartment`, which was made for the type of this search.
    pub fn bound_by(&mut self, compartment: Compartment) {
        if compartment.center.resource_type == ResourceType::PATIENT {
            // These have rows of their own.
            self.compartments.push(Bound { patients: vec![compartment.center.clone()], is_owned: false });
        }
        self.compartment = Some(compartment);
    }

    /// The compartment whose members are found by their references.
    pub(super) fn unlisted_compartment(&self) -> Option<&Compartment> {
        self.compartment.as_ref().filter(|compartment| compartment.center.resource_type != ResourceType::PATIENT)
    }

    /// The address that is searched, below the base.
    pub fn path(&self) -> String {
        match (&self.compartment, self.resource_type) {
            (Some(Compartment { center, .. }), Some(resource_type)) => format!("{center}/{resource_type}"),
            (Some(Compartment { center, .. }), None) => format!("{center}/*"),
            (None, Some(resource_type)) => resource_type.name().to_owned(),
            (None, None) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::Id;

    fn compartment(center: &str, member: &str) -> Result<Compartment, SearchError> {
        let typed = |name: &str| ResourceType::parse(name).unwrap();
        let center = ResourceKey { resource_type: typed(center), id: Id::parse("1").unwrap() };
        Compartment::of(center, (member != "*").then(|| typed(member)))
    }

    #[test]
    fn members_are_found_by_the_references_that_the_definition_names() {
        let id = |name: &str, code: &str| {
            Registry::bundled().parameter(ResourceType::parse(name).unwrap(), code).unwrap().id()
        };
        let observations = compartment("Device", "Observation").unwrap();
        let encounters = compartment("Encounter", "Encounter").unwrap();
        let all = compartment("Practitioner", "*").unwrap();

        assert_eq!(observations.parameters, [id("Observation", "device"), id("Observation", "subject")]);
        assert!(!observations.has_center);
        assert!(encounters.has_center && encounters.parameters.is_empty());
        assert!(all.has_center && all.parameters.contains(&id("Encounter", "practitioner")));
    }

    #[test]
    fn every_reference_that_a_definition_names_is_known() {
        for center in CENTERS {
            for member in ResourceType::all() {
                for code in definitions::compartment(center, member.name()).iter().filter(|code| &***code != "{def}") {
                    let parameter = Registry::bundled().parameter(member, code).unwrap();
                    assert_eq!(parameter.kind, crate::search::ParameterKind::Reference, "{center} {member} {code}");
                }
            }
        }
    }

    #[test]
    fn what_has_no_compartment_and_what_is_in_none_is_told() {
        let no = compartment("Location", "Observation").unwrap_err().to_string();
        let out = compartment("Patient", "Location").unwrap_err().to_string();

        assert!(no.contains("a Location has no compartment; Device, Encounter, Patient"), "{no}");
        assert!(out.contains("a Location is never in the compartment of a Patient"), "{out}");
    }
}
