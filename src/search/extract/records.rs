//! Whose record a resource is part of, which decides who may see it.
//!
//! The compartment of a Patient, as the specification defines it, also holds what a Patient only took part in: as a performer,
//! author, sender, actor or payor. None of these owns the resource; whoever it is about does. A few types are about all who
//! take part, such as an appointment. A type that is not named here and has nobody that it is about is part of no record.
//!
//! Spec: R4 compartmentdefinition-patient.html; SMART App Launch 2.2, scopes for requesting clinical data

use serde_json::Value;

use crate::fhir::{Reference, Resource, ResourceType};
use crate::search::extract::references::patient;
use crate::search::{ExtractContext, Parameter, Registry};
use crate::store::{Bond, IndexRows, PatientRow, ReferenceRow};

/// The parameters that name whom a resource is about, in whatever type has them.
const ABOUT: [&str; 4] = ["patient", "subject", "beneficiary", "individual"];

/// Types in which a parameter of these names tells of somebody who only took part, or of several people at once.
const EXCEPT: [&str; 5] = ["AuditEvent", "Group", "Linkage", "Person", "Provenance"];

/// What else makes an owner, by type.
const ALSO: [(&str, &[&str]); 8] = [
    ("Appointment", &["actor"]),
    ("AppointmentResponse", &["actor"]),
    // Whom the event concerns. Whoever did it is no owner.
    ("AuditEvent", &["entity"]),
    ("Communication", &["sender", "recipient"]),
    ("CommunicationRequest", &["sender", "recipient", "requester"]),
    ("Coverage", &["subscriber", "policy-holder"]),
    ("Schedule", &["actor"]),
    ("Task", &["owner"]),
];

/// Whether a Patient that the parameter `code` refers to owns the resource.
pub(super) fn makes_owner(resource_type: ResourceType, code: &str) -> bool {
    let name = resource_type.name();
    let is_about = ABOUT.contains(&code) && !EXCEPT.contains(&name) && !is_definition(name);
    is_about || ALSO.iter().any(|(of, codes)| *of == name && codes.contains(&code))
}

/// Whether whatever a search by `parameter` finds among resources of this type is part of the record of the Patient that it
/// names.
pub fn makes_owner_of(resource_type: ResourceType, parameter: &Parameter) -> bool {
    !parameter.is_own() && makes_owner(resource_type, parameter.code())
}

/// Whether a resource of this type is part of the records of all who take part in it, who may come to be more.
pub fn has_parties(resource_type: ResourceType) -> bool {
    resource_type.name() != "AuditEvent" && ALSO.iter().any(|(of, _)| *of == resource_type.name())
}

/// The element by which a resource with these rows has the Patient as an owner, such as `Appointment.participant.actor`; the type, where no
/// search parameter tells.
pub fn element_of_owner(resource_type: ResourceType, rows: &IndexRows, patient: i64) -> String {
    let mut parameters = Registry::bundled().parameters(resource_type);
    // `patient` says the same as others, by more elements.
    parameters.sort_by_key(|parameter| parameter.code() == "patient");
    let names = |parameter: &&Parameter| {
        makes_owner_of(resource_type, parameter)
            && rows.references.iter().any(|row| row.param == parameter.id() && row.target == patient)
    };
    let element = parameters.into_iter().find(names).and_then(|parameter| parameter.element(resource_type));
    element.unwrap_or_else(|| resource_type.name().to_owned())
}

/// Definitions may say whom they are made for, but they are not about a person.
fn is_definition(name: &str) -> bool {
    matches!(
        name,
        "ActivityDefinition"
            | "EventDefinition"
            | "Library"
            | "Measure"
            | "PlanDefinition"
            | "ResearchDefinition"
            | "ResearchElementDefinition"
    )
}

/// In place of a parameter: the resource has a Binary of this server as an attachment.
pub const ATTACHED: i16 = 4095;

/// Adds the owners that no search parameter tells, and the Binaries that the resource leads to.
pub(super) fn index(resource: &Resource, context: &ExtractContext<'_>, rows: &mut IndexRows) {
    attachments(resource, context, &mut rows.references);
    let patients = &mut rows.patients;
    let mut own = |reference: Option<&Value>| {
        let text = reference.and_then(|reference| reference.get("reference")).and_then(Value::as_str);
        patients.extend(patient(text, context).map(|patient| PatientRow { patient, bond: Bond::Owned }));
    };
    match resource.resource_type.name() {
        "Binary" => own(resource.value.get("securityContext")),
        // A Group of one is about that one; of several it is about none.
        "Group" => {
            if let Some([only]) = resource.value.get("member").and_then(Value::as_array).map(Vec::as_slice) {
                own(only.get("entity"));
            }
        }
        // A document or message is about whom its first resource is about.
        "Bundle" if matches!(resource.value.get("type").and_then(Value::as_str), Some("document" | "message")) => {
            let first = resource.value.pointer("/entry/0/resource");
            own(first.and_then(|first| first.get("subject").or_else(|| first.get("patient"))));
        }
        _ => {}
    }
}

/// The Binaries that are attached to documents, reports and media.
fn attachments(resource: &Resource, context: &ExtractContext<'_>, references: &mut Vec<ReferenceRow>) {
    let object = &resource.value;
    let list = |name: &str| object.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let attachments: Vec<&Value> = match resource.resource_type.name() {
        "DiagnosticReport" => list("presentedForm").iter().collect(),
        "DocumentReference" => list("content").iter().filter_map(|content| content.get("attachment")).collect(),
        "Media" => object.get("content").into_iter().collect(),
        _ => return,
    };
    for url in attachments.into_iter().filter_map(|attachment| attachment.get("url")?.as_str()) {
        if let Reference::Local { key, .. } = Reference::parse(url, context.bases)
            && key.resource_type.name() == "Binary"
        {
            references.push(ReferenceRow { param: ATTACHED, target: context.hasher.key(&key) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::ParameterKind;

    /// The parameters that make owners, as `Type code`.
    fn owning() -> Vec<String> {
        let mut found = Vec::new();
        for of in ResourceType::all() {
            let codes = ABOUT.iter().copied().chain(ALSO.iter().flat_map(|(_, codes)| codes.iter().copied()));
            for code in codes.filter(|code| makes_owner(of, code)) {
                if let Some(parameter) = Registry::bundled().parameter(of, code)
                    && parameter.kind == ParameterKind::Reference
                    && parameter.points_to(ResourceType::PATIENT)
                {
                    found.push(format!("{of} {code}"));
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn who_takes_part_owns_nothing() {
        let owning = owning();

        for not in [
            "Observation performer",
            "Composition author",
            "Claim payee",
            "Coverage payor",
            "Patient link",
            "Group member",
            "List source",
            "Person patient",
            "Provenance patient",
            "AuditEvent agent",
            "AuditEvent patient",
            "MedicationDispense receiver",
            "Basic author",
            "Invoice recipient",
        ] {
            assert!(!owning.iter().any(|owner| owner == not), "{not}");
        }
        for owner in [
            "Observation subject",
            "Observation patient",
            "Coverage beneficiary",
            "Device patient",
            "ResearchSubject individual",
            "Task patient",
            "GuidanceResponse subject",
            "Appointment actor",
            "AuditEvent entity",
            "Consent patient",
            "RelatedPerson patient",
            "Composition subject",
        ] {
            assert!(owning.iter().any(|owning| owning == owner), "{owner}");
        }
    }

    #[test]
    fn every_type_of_the_compartment_has_an_owner_or_is_an_exception() {
        let owning = owning();
        let without: Vec<&str> = ResourceType::all()
            .map(ResourceType::name)
            .filter(|name| !crate::fhir::definitions::compartment("Patient", name).is_empty())
            .filter(|name| !owning.iter().any(|owner| owner.starts_with(&format!("{name} "))))
            .collect();

        // A Patient is its own owner; the others are decided by what they hold.
        assert_eq!(without, ["Group", "Patient", "Person", "Provenance"]);
    }
}
