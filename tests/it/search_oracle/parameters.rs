//! The search parameters that the oracle knows: where their values stand and how they are read.
//!
//! Spec: R4 searchparameter-registry.html

/// How an element is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Boolean,
    /// A code, with the system that its value set implies; empty for none.
    Code(&'static str),
    Concept,
    Coding,
    Identifier,
    Contact,
    Text,
    /// A family name, whose words count as well.
    Family,
    Name,
    Address,
    Date,
    Period,
    /// Of which only the outer limits count.
    Timing,
    Number,
    Quantity,
    Reference,
    Uri,
    /// A URL, perhaps with `|version`, in the place of a reference.
    Canonical,
    /// True when the element is there and not false.
    Presence,
}

/// One parameter: members apart by dots, `[system=phone]` keeps items with that member and `[Patient]` references to
/// that type.
pub struct Parameter {
    pub code: &'static str,
    pub paths: &'static [(&'static str, Shape)],
    /// The types that the parameter and the element both allow a reference to have; empty for any.
    pub targets: &'static [&'static str],
    /// Of a composite, which has no paths of its own: what repeats, an empty text being the resource, ..
    pub roots: &'static [&'static str],
    /// .. and where in it the components are.
    pub components: &'static [(&'static str, Shape)],
}

const fn of(code: &'static str, paths: &'static [(&'static str, Shape)]) -> Parameter {
    Parameter { code, paths, targets: &[], roots: &[], components: &[] }
}

const fn pair(
    code: &'static str,
    roots: &'static [&'static str],
    components: &'static [(&'static str, Shape)],
) -> Parameter {
    Parameter { code, paths: &[], targets: &[], roots, components }
}

const fn to(
    code: &'static str,
    paths: &'static [(&'static str, Shape)],
    targets: &'static [&'static str],
) -> Parameter {
    Parameter { code, paths, targets, roots: &[], components: &[] }
}

use Shape::*;

const GENDER: Shape = Code("http://hl7.org/fhir/administrative-gender");
const REQUEST: Shape = Code("http://hl7.org/fhir/request-status");
const EVENT: Shape = Code("http://hl7.org/fhir/event-status");
const SUBJECTS: &[&str] = &["Patient", "Group"];
const PATIENT: &[&str] = &["Patient"];
const PRACTITIONERS: &[&str] = &["Practitioner", "PractitionerRole", "RelatedPerson"];

pub const COMMON: &[Parameter] = &[
    of("_profile", &[("meta.profile", Uri)]),
    of("_tag", &[("meta.tag", Coding)]),
    of("_security", &[("meta.security", Coding)]),
    of("_source", &[("meta.source", Uri)]),
];

/// The types of which there are random resources. All their references are here, and whatever a chain that names no
/// type may ask of several of them.
pub const TYPES: &[(&str, &[Parameter])] = &[
    (
        "Patient",
        &[
            of("family", &[("name.family", Family)]),
            of("given", &[("name.given", Text)]),
            of("name", &[("name", Name)]),
            of("gender", &[("gender", GENDER)]),
            of("birthdate", &[("birthDate", Date)]),
            of("death-date", &[("deceasedDateTime", Date)]),
            of("deceased", &[("deceasedBoolean", Presence), ("deceasedDateTime", Presence)]),
            of("active", &[("active", Boolean)]),
            of("address", &[("address", Address)]),
            of("address-city", &[("address.city", Text)]),
            of("address-postalcode", &[("address.postalCode", Text)]),
            of("address-use", &[("address.use", Code("http://hl7.org/fhir/address-use"))]),
            of("telecom", &[("telecom", Contact)]),
            of("phone", &[("telecom[system=phone]", Contact)]),
            of("email", &[("telecom[system=email]", Contact)]),
            of("identifier", &[("identifier", Identifier)]),
            of("language", &[("communication.language", Concept)]),
            to(
                "general-practitioner",
                &[("generalPractitioner", Reference)],
                &["Practitioner", "Organization", "PractitionerRole"],
            ),
            to("organization", &[("managingOrganization", Reference)], &["Organization"]),
            to("link", &[("link.other", Reference)], &["Patient", "RelatedPerson"]),
        ],
    ),
    (
        "Practitioner",
        &[
            of("family", &[("name.family", Family)]),
            of("given", &[("name.given", Text)]),
            of("name", &[("name", Name)]),
            of("gender", &[("gender", GENDER)]),
            of("active", &[("active", Boolean)]),
            of("identifier", &[("identifier", Identifier)]),
            of("telecom", &[("telecom", Contact)]),
            of("phone", &[("telecom[system=phone]", Contact)]),
            of("email", &[("telecom[system=email]", Contact)]),
            of("address", &[("address", Address)]),
            of("address-city", &[("address.city", Text)]),
            of("address-postalcode", &[("address.postalCode", Text)]),
            of("address-use", &[("address.use", Code("http://hl7.org/fhir/address-use"))]),
        ],
    ),
    (
        "Organization",
        &[
            of("name", &[("name", Text), ("alias", Text)]),
            of("identifier", &[("identifier", Identifier)]),
            of("active", &[("active", Boolean)]),
            of("address", &[("address", Address)]),
            of("address-city", &[("address.city", Text)]),
            of("address-postalcode", &[("address.postalCode", Text)]),
            of("address-use", &[("address.use", Code("http://hl7.org/fhir/address-use"))]),
            to("partof", &[("partOf", Reference)], &["Organization"]),
        ],
    ),
    (
        "Encounter",
        &[
            of("status", &[("status", Code("http://hl7.org/fhir/encounter-status"))]),
            of("class", &[("class", Coding)]),
            of("type", &[("type", Concept)]),
            of("identifier", &[("identifier", Identifier)]),
            of("date", &[("period", Period)]),
            of("length", &[("length", Quantity)]),
            to("subject", &[("subject", Reference)], SUBJECTS),
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            to("participant", &[("participant.individual", Reference)], PRACTITIONERS),
            to("practitioner", &[("participant.individual[Practitioner]", Reference)], &["Practitioner"]),
            to("service-provider", &[("serviceProvider", Reference)], &["Organization"]),
            to("location", &[("location.location", Reference)], &["Location"]),
        ],
    ),
    (
        "Observation",
        &[
            of("status", &[("status", Code("http://hl7.org/fhir/observation-status"))]),
            of("code", &[("code", Concept)]),
            of("category", &[("category", Concept)]),
            of("identifier", &[("identifier", Identifier)]),
            of(
                "date",
                &[
                    ("effectiveDateTime", Date),
                    ("effectiveInstant", Date),
                    ("effectivePeriod", Period),
                    ("effectiveTiming", Timing),
                ],
            ),
            of("value-quantity", &[("valueQuantity", Quantity)]),
            of("value-string", &[("valueString", Text), ("valueCodeableConcept.text", Text)]),
            of("value-concept", &[("valueCodeableConcept", Concept)]),
            of("value-date", &[("valueDateTime", Date), ("valuePeriod", Period)]),
            of("component-code", &[("component.code", Concept)]),
            of("component-value-quantity", &[("component.valueQuantity", Quantity)]),
            of("combo-code", &[("code", Concept), ("component.code", Concept)]),
            of("combo-value-quantity", &[("valueQuantity", Quantity), ("component.valueQuantity", Quantity)]),
            to("subject", &[("subject", Reference)], &["Group", "Device", "Patient", "Location"]),
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            to("encounter", &[("encounter", Reference)], &["Encounter"]),
            to(
                "performer",
                &[("performer", Reference)],
                &["Practitioner", "Organization", "CareTeam", "Patient", "PractitionerRole", "RelatedPerson"],
            ),
            pair("code-value-quantity", &[""], &[("code", Concept), ("valueQuantity", Quantity)]),
            pair("code-value-string", &[""], &[("code", Concept), ("valueString", Text)]),
            pair("code-value-concept", &[""], &[("code", Concept), ("valueCodeableConcept", Concept)]),
            pair("component-code-value-quantity", &["component"], &[("code", Concept), ("valueQuantity", Quantity)]),
            pair("combo-code-value-quantity", &["", "component"], &[("code", Concept), ("valueQuantity", Quantity)]),
        ],
    ),
    (
        "Condition",
        &[
            of("code", &[("code", Concept)]),
            of("category", &[("category", Concept)]),
            of("clinical-status", &[("clinicalStatus", Concept)]),
            of("onset-date", &[("onsetDateTime", Date), ("onsetPeriod", Period)]),
            of("onset-info", &[("onsetString", Text)]),
            of("onset-age", &[("onsetAge", Quantity)]),
            of("abatement-date", &[("abatementDateTime", Date), ("abatementPeriod", Period)]),
            of("recorded-date", &[("recordedDate", Date)]),
            to("subject", &[("subject", Reference)], SUBJECTS),
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            to("encounter", &[("encounter", Reference)], &["Encounter"]),
            to(
                "asserter",
                &[("asserter", Reference)],
                &["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"],
            ),
        ],
    ),
    (
        "RiskAssessment",
        &[
            of("probability", &[("prediction.probabilityDecimal", Number)]),
            of("date", &[("occurrenceDateTime", Date)]),
            to("subject", &[("subject", Reference)], SUBJECTS),
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
        ],
    ),
    (
        "ValueSet",
        &[
            of("url", &[("url", Uri)]),
            of("name", &[("name", Text)]),
            of("status", &[("status", Code("http://hl7.org/fhir/publication-status"))]),
            of("date", &[("date", Date)]),
            of("reference", &[("compose.include.system", Uri)]),
            of("version", &[("version", Code(""))]),
        ],
    ),
    (
        "List",
        &[
            of("status", &[("status", Code("http://hl7.org/fhir/list-status"))]),
            of("title", &[("title", Text)]),
            to("item", &[("entry.item", Reference)], &[]),
            to("subject", &[("subject", Reference)], &["Patient", "Group", "Device", "Location"]),
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            to("source", &[("source", Reference)], &["Practitioner", "PractitionerRole", "Patient", "Device"]),
        ],
    ),
    (
        "Provenance",
        &[
            of("recorded", &[("recorded", Date)]),
            to("target", &[("target", Reference)], &[]),
            to("patient", &[("target[Patient]", Reference)], PATIENT),
            to(
                "agent",
                &[("agent.who", Reference)],
                &["Practitioner", "PractitionerRole", "RelatedPerson", "Patient", "Device", "Organization"],
            ),
        ],
    ),
];

/// Types of which published resources are searched, with the parameters that US Core asks for.
const OF_US_CORE: &[(&str, &[Parameter])] = &[
    (
        "AllergyIntolerance",
        &[to("patient", &[("patient", Reference)], PATIENT), of("clinical-status", &[("clinicalStatus", Concept)])],
    ),
    (
        "CarePlan",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            of("category", &[("category", Concept)]),
            of("status", &[("status", REQUEST)]),
            of("date", &[("period", Period)]),
        ],
    ),
    (
        "CareTeam",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            of("status", &[("status", Code("http://hl7.org/fhir/care-team-status"))]),
            to(
                "participant",
                &[("participant.member", Reference)],
                &["Practitioner", "Organization", "CareTeam", "Patient", "PractitionerRole", "RelatedPerson"],
            ),
        ],
    ),
    ("Coverage", &[to("patient", &[("beneficiary", Reference)], PATIENT)]),
    (
        "Device",
        &[
            to("patient", &[("patient", Reference)], PATIENT),
            of("type", &[("type", Concept)]),
            of("status", &[("status", Code("http://hl7.org/fhir/device-status"))]),
        ],
    ),
    (
        "DiagnosticReport",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            of("category", &[("category", Concept)]),
            of("code", &[("code", Concept)]),
            of("date", &[("effectiveDateTime", Date), ("effectivePeriod", Period)]),
            of("status", &[("status", Code("http://hl7.org/fhir/diagnostic-report-status"))]),
        ],
    ),
    (
        "DocumentReference",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            of("type", &[("type", Concept)]),
            of("category", &[("category", Concept)]),
            of("period", &[("context.period", Period)]),
            of("date", &[("date", Date)]),
            of("status", &[("status", Code("http://hl7.org/fhir/document-reference-status"))]),
        ],
    ),
    (
        "Goal",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            of("lifecycle-status", &[("lifecycleStatus", Code("http://hl7.org/fhir/goal-status"))]),
            of("target-date", &[("target.dueDate", Date)]),
        ],
    ),
    (
        "Immunization",
        &[
            to("patient", &[("patient", Reference)], PATIENT),
            of("date", &[("occurrenceDateTime", Date)]),
            of("status", &[("status", EVENT)]),
        ],
    ),
    (
        "Location",
        &[
            of("name", &[("name", Text), ("alias", Text)]),
            of("address", &[("address", Address)]),
            of("address-city", &[("address.city", Text)]),
            of("address-state", &[("address.state", Text)]),
            of("address-postalcode", &[("address.postalCode", Text)]),
        ],
    ),
    (
        "MedicationRequest",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            of("intent", &[("intent", Code("http://hl7.org/fhir/CodeSystem/medicationrequest-intent"))]),
            of("status", &[("status", Code("http://hl7.org/fhir/CodeSystem/medicationrequest-status"))]),
            of("authoredon", &[("authoredOn", Date)]),
            to("encounter", &[("encounter", Reference)], &["Encounter"]),
            to("medication", &[("medicationReference", Reference)], &["Medication"]),
        ],
    ),
    (
        "MedicationDispense",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            of("status", &[("status", Code("http://terminology.hl7.org/CodeSystem/medicationdispense-status"))]),
            of("type", &[("type", Concept)]),
            to("medication", &[("medicationReference", Reference)], &["Medication"]),
        ],
    ),
    (
        "PractitionerRole",
        &[
            of("specialty", &[("specialty", Concept)]),
            to("practitioner", &[("practitioner", Reference)], &["Practitioner"]),
            to("endpoint", &[("endpoint", Reference)], &["Endpoint"]),
        ],
    ),
    (
        "Procedure",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            of("date", &[("performedDateTime", Date), ("performedPeriod", Period)]),
            of("status", &[("status", EVENT)]),
            of("code", &[("code", Concept)]),
        ],
    ),
    (
        "QuestionnaireResponse",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            to("questionnaire", &[("questionnaire", Canonical)], &["Questionnaire"]),
            of("authored", &[("authored", Date)]),
            of("status", &[("status", Code("http://hl7.org/fhir/questionnaire-answers-status"))]),
        ],
    ),
    ("RelatedPerson", &[to("patient", &[("patient", Reference)], PATIENT), of("name", &[("name", Name)])]),
    (
        "ServiceRequest",
        &[
            to("patient", &[("subject[Patient]", Reference)], PATIENT),
            of("category", &[("category", Concept)]),
            of("code", &[("code", Concept)]),
            of("authored", &[("authoredOn", Date)]),
            of("status", &[("status", REQUEST)]),
        ],
    ),
    ("Specimen", &[to("patient", &[("subject[Patient]", Reference)], PATIENT)]),
];

/// What US Core defines beside the parameters of R4.
const OF_US_CORE_ALONE: &[(&str, &[Parameter])] = &[
    ("CareTeam", &[of("role", &[("participant.role", Concept)])]),
    ("Condition", &[of("asserted-date", &[(ASSERTED, Date)])]),
    ("Encounter", &[of("discharge-disposition", &[("hospitalization.dischargeDisposition", Concept)])]),
    ("Goal", &[of("description", &[("description", Concept)])]),
];
const ASSERTED: &str = "extension[url=http://hl7.org/fhir/StructureDefinition/condition-assertedDate].valueDateTime";

/// Which references put a resource into a compartment: centre, member, parameters.
///
/// Spec: R4 compartmentdefinition-patient.html and its neighbours
pub const COMPARTMENTS: &[(&str, &str, &[&str])] = &[
    ("Patient", "Patient", &["link"]),
    ("Patient", "Encounter", &["patient"]),
    ("Patient", "Observation", &["subject", "performer"]),
    ("Patient", "Condition", &["patient", "asserter"]),
    ("Patient", "RiskAssessment", &["subject"]),
    ("Patient", "List", &["subject", "source"]),
    ("Patient", "Provenance", &["patient"]),
    ("Practitioner", "Practitioner", &[]),
    ("Practitioner", "Patient", &["general-practitioner"]),
    ("Practitioner", "Encounter", &["practitioner", "participant"]),
    ("Practitioner", "Observation", &["performer"]),
    ("Practitioner", "Condition", &["asserter"]),
    ("Practitioner", "List", &["source"]),
    ("Practitioner", "Provenance", &["agent"]),
    ("Encounter", "Encounter", &[]),
    ("Encounter", "Observation", &["encounter"]),
    ("Encounter", "Condition", &["encounter"]),
];

/// The parameters of a type, without those of all types.
pub fn own(type_name: &str) -> &'static [Parameter] {
    let mut known = TYPES.iter().chain(OF_US_CORE);
    known.find(|(name, _)| *name == type_name).map_or(&[], |(_, parameters)| parameters)
}

/// The parameters that US Core defines of its own; a server has them once it is told.
pub fn alone(type_name: &str) -> &'static [Parameter] {
    OF_US_CORE_ALONE.iter().find(|(name, _)| *name == type_name).map_or(&[], |(_, parameters)| parameters)
}

/// `None` when the type has no such parameter.
pub fn find(type_name: &str, code: &str) -> Option<&'static Parameter> {
    own(type_name).iter().chain(COMMON).chain(alone(type_name)).find(|parameter| parameter.code == code)
}
