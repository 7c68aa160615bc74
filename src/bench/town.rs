//! The people whom growth is measured with: a town of which each part is like any other, so that a search finds as much
//! in a large one as in a small one, or a tenth of all in both.

use std::fmt::Write;

use crate::bench::data::{self, CODES, FAMILIES, Measurement};

/// Of each patient.
const OBSERVATIONS: u64 = 9;
/// Patients that one transaction brings.
const PATIENTS: u64 = 10;
/// Patients of one hospital.
const OF_HOSPITAL: u64 = 500;
/// One patient of so many has a rare disease, which ten of them share.
const OF_RARE: u64 = 100;
const SHARING: u64 = 10;
const DISEASES: &str = "http://research.example.org/diseases";
/// From 2010 to 2024.
const HOURS: u64 = 15 * 365 * 24;

/// Resources that one transaction brings, but for the hospitals.
pub(super) const OF_TRANSACTION: u64 = PATIENTS * (1 + OBSERVATIONS);

/// The `number`th part of the town.
pub(super) fn transaction(number: u64) -> String {
    let mut text = String::with_capacity(1700 * OF_TRANSACTION as usize);
    text.push_str(r#"{"resourceType":"Bundle","type":"transaction","entry":["#);
    for patient in number * PATIENTS..(number + 1) * PATIENTS {
        let hospital = hospital_id(patient);
        if patient.is_multiple_of(OF_HOSPITAL) {
            let name = format!("Hospital {}", patient / OF_HOSPITAL);
            let body = format!(r#"{{"resourceType":"Organization","id":"{hospital}","name":"{name}"}}"#);
            entry(&mut text, "Organization", &hospital, &body);
        }
        let id = patient_id(patient);
        entry(&mut text, "Patient", &id, &data::patient_of(&id, patient, Some(&hospital)));
        for which in 0..OBSERVATIONS {
            let number = patient * OBSERVATIONS + which;
            let id = format!("town-{number}");
            let rare = rare(patient);
            let also = (which == 0 && patient.is_multiple_of(OF_RARE)).then_some((DISEASES, rare.as_str()));
            let code = ((patient + which) % CODES.len() as u64) as usize;
            let patient = patient_id(patient);
            let hour = spread(number) % HOURS;
            let body = Measurement { id: Some(&id), patient: &patient, code, also, number, hour, value: number };
            entry(&mut text, "Observation", &id, &body.to_json());
        }
    }
    text.push_str("]}");
    text
}

fn entry(text: &mut String, of: &str, id: &str, body: &str) {
    if !text.ends_with('[') {
        text.push(',');
    }
    // Writing to a String can't fail.
    let _ = write!(text, r#"{{"resource":{body},"request":{{"method":"PUT","url":"{of}/{id}"}}}}"#);
}

fn patient_id(number: u64) -> String {
    format!("town-patient-{number}")
}

fn hospital_id(patient: u64) -> String {
    format!("town-hospital-{}", patient / OF_HOSPITAL)
}

/// The code of the disease of a patient who has one.
fn rare(patient: u64) -> String {
    format!("rare-{}", patient / (OF_RARE * SHARING))
}

/// Another number for each, far from those of its neighbours.
fn spread(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
}

/// A search whose cost may grow with the town.
#[derive(Clone, Copy)]
pub(super) struct Search {
    pub(super) name: &'static str,
    /// The `number`th request to a town of so many resources.
    pub(super) path: fn(u64, u64) -> String,
}

/// All of them, in the order in which they are measured.
pub(super) const SEARCHES: [Search; 23] = [
    Search { name: "token, one match", path: |size, number| format!("/fhir/Patient?identifier={}", mrn(size, number)) },
    Search {
        name: "token, 10 matches",
        path: |size, number| format!("/fhir/Observation?code={}", disease(size, number)),
    },
    Search { name: "token, a tenth of all", path: |_, number| format!("/fhir/Observation?code={}", loinc(number)) },
    Search {
        name: "token and date of one patient",
        path: |size, number| {
            format!(
                "/fhir/Observation?patient={}&code={}&date=ge2012&date=lt2020",
                any(size, number),
                code_of(size, number)
            )
        },
    },
    Search {
        name: "token and date, a month of all patients",
        path: |_, number| format!("/fhir/Observation?code={}&{}", loinc(number), month(number)),
    },
    Search {
        name: "token and date, a month, latest first",
        path: |_, number| format!("/fhir/Observation?code={}&{}&_sort=-date", loinc(number), month(number)),
    },
    Search {
        name: "string prefix, few matches",
        path: |size, number| {
            let patient = patient(size, number);
            let text = format!("{}-{patient:06}", FAMILIES[(patient % 8) as usize]);
            format!("/fhir/Patient?name={}", &text[..text.len() - 1])
        },
    },
    Search {
        name: "string prefix, an eighth of all",
        path: |_, number| format!("/fhir/Patient?name={}", FAMILIES[(number % 8) as usize]),
    },
    Search {
        name: "reference, 9 matches",
        path: |size, number| format!("/fhir/Observation?subject={}", any(size, number)),
    },
    Search {
        name: "reference, 500 matches",
        path: |size, number| format!("/fhir/Patient?organization={}", hospital_id(patient(size, number))),
    },
    Search {
        name: "chain, 9 matches",
        path: |size, number| format!("/fhir/Observation?subject:Patient.identifier={}", mrn(size, number)),
    },
    Search {
        name: "chain and token, a twentieth of all",
        path: |_, number| format!("/fhir/Observation?code={}&patient.gender=female", loinc(number)),
    },
    Search {
        name: "chain through two references",
        path: |size, number| {
            let hospital = patient(size, number) / OF_HOSPITAL;
            format!("/fhir/Observation?patient.organization.name:exact=Hospital%20{hospital}")
        },
    },
    Search {
        name: "_has, 10 matches",
        path: |size, number| format!("/fhir/Patient?_has:Observation:patient:code={}", disease(size, number)),
    },
    Search {
        name: "_has, nine tenths of all",
        path: |_, number| format!("/fhir/Patient?_has:Observation:patient:code={}", loinc(number)),
    },
    Search {
        name: "_include",
        path: |_, number| format!("/fhir/Observation?code={}&_include=Observation:subject", loinc(number)),
    },
    Search {
        name: "_revinclude",
        path: |size, number| format!("/fhir/Patient?identifier={}&_revinclude=Observation:subject", mrn(size, number)),
    },
    Search { name: "sorted by date, latest first", path: |_, _| "/fhir/Observation?_sort=-date".to_owned() },
    Search {
        name: "token, sorted by date, latest first",
        path: |_, number| format!("/fhir/Observation?code={}&_sort=-date", loinc(number)),
    },
    Search {
        name: "one patient, sorted by date, latest first",
        path: |size, number| format!("/fhir/Observation?patient={}&_sort=-date", any(size, number)),
    },
    Search { name: "count, all of a type", path: |_, _| "/fhir/Patient?_summary=count".to_owned() },
    Search {
        name: "count, 10 matches",
        path: |size, number| format!("/fhir/Observation?code={}&_summary=count", disease(size, number)),
    },
    Search {
        name: "count, a tenth of all",
        path: |_, number| format!("/fhir/Observation?code={}&_summary=count", loinc(number)),
    },
];

/// A request about one record, which finds the same for whoever may see that record and for whoever may see all.
#[derive(Clone, Copy)]
pub(super) struct RecordRequest {
    pub(super) name: &'static str,
    /// The request for the record of the Patient with this id.
    pub(super) path: fn(&str) -> String,
}

/// All of them, in the order in which they are measured.
pub(super) const RECORD_REQUESTS: [RecordRequest; 7] = [
    RecordRequest { name: "read", path: |patient| format!("/fhir/Patient/{patient}") },
    RecordRequest { name: "search by patient", path: |patient| format!("/fhir/Observation?patient={patient}") },
    RecordRequest {
        name: "search by patient and code",
        path: |patient| format!("/fhir/Observation?patient={patient}&code={}", loinc(0)),
    },
    RecordRequest { name: "latest first", path: |patient| format!("/fhir/Observation?patient={patient}&_sort=-date") },
    RecordRequest {
        name: "_revinclude",
        path: |patient| format!("/fhir/Patient?_id={patient}&_revinclude=Observation:subject"),
    },
    RecordRequest {
        name: "chain",
        path: |patient| format!("/fhir/Observation?patient={patient}&patient.gender=female,male"),
    },
    RecordRequest { name: "count", path: |patient| format!("/fhir/Observation?patient={patient}&_summary=count") },
];

/// The id of a Patient whose record is asked for.
pub(super) fn record(size: u64) -> String {
    patient_id(patient(size, 1))
}

/// Any of the patients.
fn patient(size: u64, number: u64) -> u64 {
    spread(number) % (size / OF_TRANSACTION * PATIENTS).max(1)
}

fn any(size: u64, number: u64) -> String {
    format!("Patient/{}", patient_id(patient(size, number)))
}

/// A code that the patient has an Observation of.
fn code_of(size: u64, number: u64) -> String {
    loinc(patient(size, number) + number % OBSERVATIONS)
}

fn mrn(size: u64, number: u64) -> String {
    format!("http://hospital.example.org/mrn%7CMRN-{:06}", patient(size, number))
}

fn disease(size: u64, number: u64) -> String {
    let patient = patient(size, number);
    format!("{DISEASES}%7C{}", rare(patient))
}

fn loinc(number: u64) -> String {
    format!("http://loinc.org%7C{}", CODES[(number % CODES.len() as u64) as usize].0)
}

fn month(number: u64) -> String {
    let (year, month) = (2010 + number / 12 % 15, 1 + number % 12);
    format!("date={year}-{month:02}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_part_of_the_town_is_a_transaction_of_distinct_resources() {
        let parts: Vec<Value> = (0..60).map(|part| serde_json::from_str(&transaction(part)).unwrap()).collect();

        let entries = || parts.iter().flat_map(|part| part["entry"].as_array().unwrap());
        let urls: std::collections::HashSet<&str> =
            entries().map(|entry| entry["request"]["url"].as_str().unwrap()).collect();
        assert_eq!(urls.len() as u64, 60 * OF_TRANSACTION + 2);
        assert_eq!(entries().count(), urls.len());
    }

    #[test]
    fn ten_share_a_rare_disease_whatever_the_size() {
        let text: String = (0..200).map(transaction).collect();

        assert_eq!(text.matches("\"rare-0\"").count() as u64, SHARING);
        assert_eq!(text.matches("\"rare-1\"").count() as u64, SHARING);
    }
}
