//! One thing that is allowed: which rights, on which types, in whose records, up to which labels.
//!
//! Spec: SMART App Launch 2.2, scopes for requesting clinical data

use std::sync::LazyLock;

use crate::fhir::{ResourceKey, ResourceType};
use crate::search::{Criterion, Right, Rights};

/// Whose resources a permit is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Everything,
    /// What is part of the records of these Patients, and shared types for reading.
    Records(Vec<ResourceKey>),
}

/// How sensitive what is seen may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensitivity {
    /// Items that the person marked as personal.
    pub personal: bool,
    /// The confidentiality R.
    pub restricted: bool,
    /// The confidentiality V.
    pub very_restricted: bool,
    /// What apps keep, where the scope names its code.
    pub app_state: bool,
}

impl Sensitivity {
    /// Whatever there is.
    pub const ALL: Sensitivity =
        Sensitivity { personal: true, restricted: true, very_restricted: true, app_state: true };
    /// What bears no such label.
    pub const NORMAL: Sensitivity =
        Sensitivity { personal: false, restricted: false, very_restricted: false, app_state: false };
}

/// The system of the tags by which the server tells what it recorded itself.
pub const RECORDED_SYSTEM: &str = "https://emberwell.example/CodeSystem/provenance";
/// The tag of a Provenance that the server recorded with what was written: those agents are true that it names by ids of its own.
pub const RECORDED: &str = "recorded";

/// One thing that is allowed. All that a caller may do is the union of the permits.
#[derive(Clone, Debug)]
pub struct Permit {
    /// `None` is for all types.
    pub resource_type: Option<ResourceType>,
    pub rights: Rights,
    pub reach: Reach,
    /// What the resources must meet besides; criteria of `resource_type`.
    pub only: Vec<Criterion>,
    pub sees: Sensitivity,
    /// Whether what Consents deny is kept from it: all but custodians in a session of their own.
    pub heeds_consents: bool,
    /// Whether older versions are seen of what may be seen now.
    pub sees_history: bool,
    /// Whether what was deleted is seen to have been there: by custodians in a session of their own, by system clients, and by whoever
    /// reaches all records.
    pub sees_deletions: bool,
}

impl Permit {
    /// Whether it opens older versions. What a scope demands besides is asked of the index, which knows the current ones only.
    pub(super) fn opens_history(&self) -> bool {
        self.sees_history && self.only.is_empty()
    }

    /// Whether it opens all resources of the type to `right`, whosever record they are part of.
    pub fn reaches_all(&self, resource_type: ResourceType, right: Right) -> bool {
        self.reach == Reach::Everything
            && self.resource_type.is_none_or(|only| only == resource_type)
            && self.rights.has(right)
    }
}

/// The types that belong to nobody's record: who and what takes part in care, and definitions. Whoever has a scope for such a
/// type may read all of it. A resource of any other type that is part of no record is open to callers with [`Reach::Everything`]
/// only.
pub static SHARED_TYPES: LazyLock<Vec<ResourceType>> = LazyLock::new(|| {
    const NAMES: [&str; 35] = [
        "ActivityDefinition",
        "CapabilityStatement",
        "ChargeItemDefinition",
        "CodeSystem",
        "CompartmentDefinition",
        "ConceptMap",
        "Endpoint",
        "EventDefinition",
        "ExampleScenario",
        "GraphDefinition",
        "HealthcareService",
        "ImplementationGuide",
        "InsurancePlan",
        "Library",
        "Location",
        "Measure",
        "Medication",
        "MedicationKnowledge",
        "MessageDefinition",
        "NamingSystem",
        "ObservationDefinition",
        "OperationDefinition",
        "Organization",
        "OrganizationAffiliation",
        "PlanDefinition",
        "Practitioner",
        "PractitionerRole",
        "Questionnaire",
        "SearchParameter",
        "SpecimenDefinition",
        "StructureDefinition",
        "StructureMap",
        "Substance",
        "TerminologyCapabilities",
        "ValueSet",
    ];
    NAMES.iter().filter_map(|name| ResourceType::parse(name).ok()).collect()
});
