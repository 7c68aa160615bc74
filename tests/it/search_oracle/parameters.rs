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
    Number,
    Quantity,
    Reference,
    Uri,
    /// True when the element is there and not false.
    Presence,
}

/// One parameter: members apart by dots, `[system=phone]` keeps items with that member. The last field names the types
/// that the parameter and the element both allow a reference to have.
pub struct Parameter {
    pub code: &'static str,
    pub paths: &'static [(&'static str, Shape)],
    pub targets: &'static [&'static str],
}

const fn of(code: &'static str, paths: &'static [(&'static str, Shape)]) -> Parameter {
    Parameter { code, paths, targets: &[] }
}

const fn to(
    code: &'static str,
    paths: &'static [(&'static str, Shape)],
    targets: &'static [&'static str],
) -> Parameter {
    Parameter { code, paths, targets }
}

use Shape::*;

const GENDER: Shape = Code("http://hl7.org/fhir/administrative-gender");
const SUBJECTS: &[&str] = &["Patient", "Group"];

pub const COMMON: &[Parameter] = &[
    of("_profile", &[("meta.profile", Uri)]),
    of("_tag", &[("meta.tag", Coding)]),
    of("_security", &[("meta.security", Coding)]),
    of("_source", &[("meta.source", Uri)]),
];

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
            of("phone", &[("telecom[system=phone]", Contact)]),
            of("address-city", &[("address.city", Text)]),
        ],
    ),
    (
        "Organization",
        &[
            of("name", &[("name", Text), ("alias", Text)]),
            of("identifier", &[("identifier", Identifier)]),
            of("active", &[("active", Boolean)]),
            of("address", &[("address", Address)]),
            to("partof", &[("partOf", Reference)], &["Organization"]),
        ],
    ),
    (
        "Encounter",
        &[
            of("status", &[("status", Code("http://hl7.org/fhir/encounter-status"))]),
            of("class", &[("class", Coding)]),
            of("identifier", &[("identifier", Identifier)]),
            of("date", &[("period", Period)]),
            of("length", &[("length", Quantity)]),
            to("subject", &[("subject", Reference)], SUBJECTS),
            to(
                "participant",
                &[("participant.individual", Reference)],
                &["Practitioner", "PractitionerRole", "RelatedPerson"],
            ),
            to("service-provider", &[("serviceProvider", Reference)], &["Organization"]),
        ],
    ),
    (
        "Observation",
        &[
            of("status", &[("status", Code("http://hl7.org/fhir/observation-status"))]),
            of("code", &[("code", Concept)]),
            of("category", &[("category", Concept)]),
            of("identifier", &[("identifier", Identifier)]),
            of("date", &[("effectiveDateTime", Date), ("effectiveInstant", Date), ("effectivePeriod", Period)]),
            of("value-quantity", &[("valueQuantity", Quantity)]),
            of("value-string", &[("valueString", Text), ("valueCodeableConcept.text", Text)]),
            of("value-concept", &[("valueCodeableConcept", Concept)]),
            of("value-date", &[("valueDateTime", Date), ("valuePeriod", Period)]),
            of("component-code", &[("component.code", Concept)]),
            of("component-value-quantity", &[("component.valueQuantity", Quantity)]),
            of("combo-code", &[("code", Concept), ("component.code", Concept)]),
            of("combo-value-quantity", &[("valueQuantity", Quantity), ("component.valueQuantity", Quantity)]),
            to("subject", &[("subject", Reference)], &["Group", "Device", "Patient", "Location"]),
            to("encounter", &[("encounter", Reference)], &["Encounter"]),
            to(
                "performer",
                &[("performer", Reference)],
                &["Practitioner", "Organization", "CareTeam", "Patient", "PractitionerRole", "RelatedPerson"],
            ),
        ],
    ),
    (
        "Condition",
        &[
            of("code", &[("code", Concept)]),
            of("clinical-status", &[("clinicalStatus", Concept)]),
            of("onset-date", &[("onsetDateTime", Date), ("onsetPeriod", Period)]),
            of("onset-info", &[("onsetString", Text)]),
            of("onset-age", &[("onsetAge", Quantity)]),
            of("recorded-date", &[("recordedDate", Date)]),
            to("subject", &[("subject", Reference)], SUBJECTS),
            to("encounter", &[("encounter", Reference)], &["Encounter"]),
        ],
    ),
    (
        "RiskAssessment",
        &[
            of("probability", &[("prediction.probabilityDecimal", Number)]),
            of("date", &[("occurrenceDateTime", Date)]),
            to("subject", &[("subject", Reference)], SUBJECTS),
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
];

/// The parameters of a type, without those of all types.
pub fn own(type_name: &str) -> &'static [Parameter] {
    TYPES.iter().find(|(name, _)| *name == type_name).expect("a type that the oracle knows").1
}

pub fn parameter(type_name: &str, code: &str) -> &'static Parameter {
    let mut all = own(type_name).iter().chain(COMMON);
    all.find(|parameter| parameter.code == code).expect("a parameter that the oracle knows")
}
