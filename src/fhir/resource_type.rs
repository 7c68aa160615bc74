//! The 146 resource types of R4.
//!
//! Spec: R4 resourcelist.html

use std::fmt;

use thiserror::Error;

/// One of the concrete resource types of R4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(u8);

/// The text names no resource type of R4.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not a resource type of FHIR R4")]
pub struct UnknownType(pub String);

impl ResourceType {
    pub const AUDIT_EVENT: ResourceType = ResourceType::named("AuditEvent");
    pub const BASIC: ResourceType = ResourceType::named("Basic");
    pub const BINARY: ResourceType = ResourceType::named("Binary");
    pub const BUNDLE: ResourceType = ResourceType::named("Bundle");
    pub const PARAMETERS: ResourceType = ResourceType::named("Parameters");
    pub const PATIENT: ResourceType = ResourceType::named("Patient");
    pub const PROVENANCE: ResourceType = ResourceType::named("Provenance");
    pub const LIST: ResourceType = ResourceType::named("List");
    pub const CODE_SYSTEM: ResourceType = ResourceType::named("CodeSystem");
    pub const VALUE_SET: ResourceType = ResourceType::named("ValueSet");

    /// Finds the type called `name`; names are case-sensitive.
    pub fn parse(name: &str) -> Result<ResourceType, UnknownType> {
        match NAMES.binary_search(&name) {
            Ok(index) => Ok(ResourceType(index as u8)),
            Err(_) => Err(UnknownType(name.chars().take(80).collect())),
        }
    }

    /// The name as the specification writes it.
    pub fn name(self) -> &'static str {
        NAMES[self.0 as usize]
    }

    /// Its name behind the article that belongs to it, as in "an Observation".
    pub fn with_article(self) -> String {
        let article = if self.name().starts_with(['A', 'E', 'I', 'O']) { "an" } else { "a" };
        format!("{article} {}", self.name())
    }

    /// The number that stands for this type in the database (1 to 146). R4 is frozen, so it never changes.
    pub fn code(self) -> i16 {
        i16::from(self.0) + 1
    }

    /// The type with this database number.
    pub fn from_code(code: i16) -> Option<ResourceType> {
        let index = usize::try_from(code).ok()?.checked_sub(1)?;
        (index < NAMES.len()).then_some(ResourceType(index as u8))
    }

    /// All types, in alphabetical order.
    pub fn all() -> impl Iterator<Item = ResourceType> {
        (0..NAMES.len() as u8).map(ResourceType)
    }

    /// Finds a type that is known to exist while compiling.
    const fn named(name: &str) -> ResourceType {
        let mut index = 0;
        while index < NAMES.len() {
            if same(NAMES[index].as_bytes(), name.as_bytes()) {
                return ResourceType(index as u8);
            }
            index += 1;
        }
        panic!("no such resource type");
    }
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

impl fmt::Display for ResourceType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Sorted, so that `parse` can search it; the position is the number in the database.
const NAMES: [&str; 146] = [
    "Account",
    "ActivityDefinition",
    "AdverseEvent",
    "AllergyIntolerance",
    "Appointment",
    "AppointmentResponse",
    "AuditEvent",
    "Basic",
    "Binary",
    "BiologicallyDerivedProduct",
    "BodyStructure",
    "Bundle",
    "CapabilityStatement",
    "CarePlan",
    "CareTeam",
    "CatalogEntry",
    "ChargeItem",
    "ChargeItemDefinition",
    "Claim",
    "ClaimResponse",
    "ClinicalImpression",
    "CodeSystem",
    "Communication",
    "CommunicationRequest",
    "CompartmentDefinition",
    "Composition",
    "ConceptMap",
    "Condition",
    "Consent",
    "Contract",
    "Coverage",
    "CoverageEligibilityRequest",
    "CoverageEligibilityResponse",
    "DetectedIssue",
    "Device",
    "DeviceDefinition",
    "DeviceMetric",
    "DeviceRequest",
    "DeviceUseStatement",
    "DiagnosticReport",
    "DocumentManifest",
    "DocumentReference",
    "EffectEvidenceSynthesis",
    "Encounter",
    "Endpoint",
    "EnrollmentRequest",
    "EnrollmentResponse",
    "EpisodeOfCare",
    "EventDefinition",
    "Evidence",
    "EvidenceVariable",
    "ExampleScenario",
    "ExplanationOfBenefit",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "GraphDefinition",
    "Group",
    "GuidanceResponse",
    "HealthcareService",
    "ImagingStudy",
    "Immunization",
    "ImmunizationEvaluation",
    "ImmunizationRecommendation",
    "ImplementationGuide",
    "InsurancePlan",
    "Invoice",
    "Library",
    "Linkage",
    "List",
    "Location",
    "Measure",
    "MeasureReport",
    "Media",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationKnowledge",
    "MedicationRequest",
    "MedicationStatement",
    "MedicinalProduct",
    "MedicinalProductAuthorization",
    "MedicinalProductContraindication",
    "MedicinalProductIndication",
    "MedicinalProductIngredient",
    "MedicinalProductInteraction",
    "MedicinalProductManufactured",
    "MedicinalProductPackaged",
    "MedicinalProductPharmaceutical",
    "MedicinalProductUndesirableEffect",
    "MessageDefinition",
    "MessageHeader",
    "MolecularSequence",
    "NamingSystem",
    "NutritionOrder",
    "Observation",
    "ObservationDefinition",
    "OperationDefinition",
    "OperationOutcome",
    "Organization",
    "OrganizationAffiliation",
    "Parameters",
    "Patient",
    "PaymentNotice",
    "PaymentReconciliation",
    "Person",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "Questionnaire",
    "QuestionnaireResponse",
    "RelatedPerson",
    "RequestGroup",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "ResearchStudy",
    "ResearchSubject",
    "RiskAssessment",
    "RiskEvidenceSynthesis",
    "Schedule",
    "SearchParameter",
    "ServiceRequest",
    "Slot",
    "Specimen",
    "SpecimenDefinition",
    "StructureDefinition",
    "StructureMap",
    "Subscription",
    "Substance",
    "SubstanceNucleicAcid",
    "SubstancePolymer",
    "SubstanceProtein",
    "SubstanceReferenceInformation",
    "SubstanceSourceMaterial",
    "SubstanceSpecification",
    "SupplyDelivery",
    "SupplyRequest",
    "Task",
    "TerminologyCapabilities",
    "TestReport",
    "TestScript",
    "ValueSet",
    "VerificationResult",
    "VisionPrescription",
];
