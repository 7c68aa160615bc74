//! Hierarchies of resources, which `:above` and `:below` of references follow.
//!
//! R4 marks six references as strict hierarchies, by which no resource may come back to itself: `partOf` of CarePlan,
//! Encounter, Location and Organization, `basedOn` and `replaces` of CarePlan. The elements of these names, and those that
//! name a parent, mean the same of other types.
//!
//! Spec: R4 search.html#recursive, references.html#circular

use std::sync::OnceLock;

use crate::fhir::ResourceType;
use crate::fhir::definitions::{self, SearchParameterDefinition};
use crate::search::{Parameter, ParameterKind};
use crate::store::FIRST_OWN_NUMBER;

/// By these a resource is part of another of its type. They are followed from wherever something refers to the type.
const WHOLES: [&str; 3] = ["partOf", "parent", "parentDevice"];
/// By these one comes from another of its type. They are followed by their own parameter alone.
const ORIGINS: [&str; 2] = ["basedOn", "replaces"];

impl Parameter {
    /// The references that `:above` and `:below` of this one follow: itself where it is a hierarchy, and else those by which
    /// its targets are part of others. Empty where these modifiers mean nothing.
    pub fn hierarchies(&self) -> Vec<&'static SearchParameterDefinition> {
        if self.kind != ParameterKind::Reference || self.has_canonicals() {
            return Vec::new();
        }
        if is_hierarchy(self.definition, &WHOLES) || is_hierarchy(self.definition, &ORIGINS) {
            return vec![self.definition];
        }
        let is_target = |hierarchy: &(ResourceType, _)| self.points_to(hierarchy.0);
        wholes().iter().filter(|hierarchy| is_target(hierarchy)).map(|(_, definition)| *definition).collect()
    }

    /// The types of which a value of `:above` and `:below` may be.
    pub(super) fn types_in_hierarchies(&self) -> Vec<ResourceType> {
        let hierarchies = self.hierarchies();
        let is_own_hierarchy = hierarchies.iter().any(|hierarchy| hierarchy.id == self.id());
        let is_in = |of: &ResourceType| is_own_hierarchy || hierarchies.iter().any(|by| *by.base == *of.name());
        ResourceType::all().filter(|of| self.points_to(*of) && is_in(of)).collect()
    }
}

/// The types whose resources are parts of others, and by which parameter.
fn wholes() -> &'static [(ResourceType, &'static SearchParameterDefinition)] {
    static WHOLES_BY_TYPE: OnceLock<Vec<(ResourceType, &'static SearchParameterDefinition)>> = OnceLock::new();
    WHOLES_BY_TYPE.get_or_init(|| {
        let hierarchies =
            definitions::search_parameters().iter().filter(|definition| is_hierarchy(definition, &WHOLES));
        hierarchies.filter_map(|definition| Some((ResourceType::parse(&definition.base).ok()?, definition))).collect()
    })
}

/// Whether the parameter is of the specification, and leads from one of the `elements` of a type to others of the type.
fn is_hierarchy(definition: &'static SearchParameterDefinition, elements: &[&str]) -> bool {
    let element = definition.expression.as_deref().and_then(|expression| expression.split_once('.'));
    element.is_some_and(|(of, element)| *of == *definition.base && elements.contains(&element))
        && definition.targets.contains(&definition.base)
        && definition.id < FIRST_OWN_NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Registry;

    fn hierarchies(type_name: &str, code: &str) -> Vec<String> {
        let of = ResourceType::parse(type_name).unwrap();
        let parameter = Registry::bundled().parameter(of, code).unwrap();
        parameter.hierarchies().iter().map(|by| format!("{}.{}", by.base, by.code)).collect()
    }

    #[test]
    fn the_hierarchies_of_the_specification_are_known() {
        let registry = Registry::bundled();
        let names = |of: ResourceType| {
            let references = registry.references(of).into_iter();
            let own = references.filter(|parameter| parameter.hierarchies().iter().any(|by| by.id == parameter.id()));
            own.map(move |parameter| format!("{of}.{}", parameter.code()))
        };

        assert_eq!(
            ResourceType::all().flat_map(names).collect::<Vec<_>>(),
            [
                "CarePlan.based-on",
                "CarePlan.part-of",
                "CarePlan.replaces",
                "Communication.based-on",
                "Communication.part-of",
                "CommunicationRequest.based-on",
                "CommunicationRequest.replaces",
                "DeviceDefinition.parent",
                "DeviceRequest.based-on",
                "Encounter.part-of",
                "Location.partof",
                "MedicationStatement.part-of",
                "Organization.partof",
                "Procedure.part-of",
                "ResearchStudy.partof",
                "ServiceRequest.based-on",
                "ServiceRequest.replaces",
                "Specimen.parent",
                "Task.based-on",
                "Task.part-of",
            ]
        );
    }

    #[test]
    fn other_references_follow_the_hierarchies_of_their_targets() {
        assert_eq!(hierarchies("Procedure", "location"), ["Location.partof"]);
        assert_eq!(hierarchies("Observation", "based-on"), ["CarePlan.part-of"]);
        assert_eq!(hierarchies("CarePlan", "based-on"), ["CarePlan.based-on"]);
        assert_eq!(hierarchies("Observation", "patient"), [""; 0]);
        assert_eq!(hierarchies("Patient", "link"), [""; 0]);
        assert_eq!(hierarchies("StructureDefinition", "base"), [""; 0]);
        assert_eq!(hierarchies("Provenance", "target").len(), 11);
    }
}
