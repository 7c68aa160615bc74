//! The resources that are sent: made up, of the size and shape that laboratories and devices send.

use std::fmt::Write;

use chrono::{Days, NaiveDate};

/// Patients that the resources for reading and searching are of; `seeded` says of which each is.
pub(super) const READ_PATIENTS: u64 = 200;
/// Patients that new resources are of, so that searching finds no more while they come in.
pub(super) const WRITTEN_PATIENTS: u64 = 1000;
/// Observations that are there before anything is measured: one per code and patient.
pub(super) const SEEDED: u64 = READ_PATIENTS * CODES.len() as u64;

pub(super) const CODES: [(&str, &str, &str, &str); 10] = [
    ("8867-4", "Heart rate", "beats/minute", "/min"),
    ("9279-1", "Respiratory rate", "breaths/minute", "/min"),
    ("8310-5", "Body temperature", "degrees C", "Cel"),
    ("8302-2", "Body height", "cm", "cm"),
    ("29463-7", "Body weight", "kg", "kg"),
    ("39156-5", "Body mass index (BMI) [Ratio]", "kg/m2", "kg/m2"),
    ("2339-0", "Glucose [Mass/volume] in Blood", "mg/dL", "mg/dL"),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "percent", "%"),
    ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", "mg/dL"),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", "mg/dL"),
];

pub(super) const FAMILIES: [&str; 8] = ["Abel", "Brandt", "Castro", "Dubois", "Eriksen", "Fontana", "Grau", "Haddad"];
const GIVEN: [&str; 8] = ["Ada", "Bruno", "Carla", "David", "Elena", "Felix", "Greta", "Hugo"];

/// `Patient/[number]`, under the id that observations refer to.
pub(super) fn patient(number: u64) -> String {
    patient_of(&patient_id(number), number, None)
}

/// A patient of a hospital: the id of an Organization.
pub(super) fn patient_of(id: &str, number: u64, hospital: Option<&str>) -> String {
    let hospital = hospital.map(|id| format!(r#""managingOrganization":{{"reference":"Organization/{id}"}},"#));
    let hospital = hospital.unwrap_or_default();
    let (family, given) = (FAMILIES[(number % 8) as usize], GIVEN[(number / 8 % 8) as usize]);
    let (month, day, year) = (1 + number % 12, 1 + number % 28, 1930 + number % 90);
    let gender = if number.is_multiple_of(2) { "female" } else { "male" };
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","identifier":[{{"system":"http://hospital.example.org/mrn","value":"MRN-{number:06}"}}],"active":true,{hospital}"name":[{{"use":"official","family":"{family}-{number:06}","given":["{given}"]}}],"telecom":[{{"system":"phone","value":"+49 30 555 {number:04}","use":"home"}}],"gender":"{gender}","birthDate":"{year}-{month:02}-{day:02}","address":[{{"use":"home","line":["{number} Linden Street"],"city":"Springfield","postalCode":"{number:05}","country":"US"}}]}}"#,
    )
}

/// The id of a patient.
pub(super) fn patient_id(number: u64) -> String {
    format!("bench-patient-{number}")
}

/// The id of an Observation that was there before.
pub(super) fn observation_id(number: u64) -> String {
    format!("bench-observation-{number}")
}

/// The Observation `number` of those that are there before; `round` tells its versions apart.
pub(super) fn seeded(number: u64, round: u64) -> String {
    let id = observation_id(number);
    let patient = patient_id(number % READ_PATIENTS);
    Measurement {
        id: Some(&id),
        patient: &patient,
        value: number + round,
        ..Measurement::of(number / READ_PATIENTS, number)
    }
    .to_json()
}

/// A new Observation, without an id.
pub(super) fn new_observation(number: u64) -> String {
    let patient = patient_id(READ_PATIENTS + number % WRITTEN_PATIENTS);
    Measurement { patient: &patient, ..Measurement::of(number / 7, number) }.to_json()
}

/// The search that finds one of the Observations that were there before.
pub(super) fn search(number: u64) -> String {
    let code = CODES[(number / READ_PATIENTS % CODES.len() as u64) as usize].0;
    let patient = patient_id(number % READ_PATIENTS);
    format!("/fhir/Observation?code=http://loinc.org%7C{code}&subject=Patient/{patient}")
}

/// A transaction that creates `entries` Observations.
pub(super) fn transaction(first: u64, entries: u64) -> String {
    let mut text = String::with_capacity(1700 * entries as usize);
    text.push_str(r#"{"resourceType":"Bundle","type":"transaction","entry":["#);
    for number in first..first + entries {
        if number != first {
            text.push(',');
        }
        let (high, low) = (number >> 32, number & 0xffff_ffff);
        // Writing to a String can't fail.
        let _ = write!(text, r#"{{"fullUrl":"urn:uuid:{low:08x}-0000-4000-8000-{high:012x}","resource":"#);
        text.push_str(&new_observation(number));
        text.push_str(r#","request":{"method":"POST","url":"Observation"}}"#);
    }
    text.push_str("]}");
    text
}

/// What a laboratory or a device says of one patient.
pub(super) struct Measurement<'a> {
    /// `None` leaves it to the server.
    pub(super) id: Option<&'a str>,
    pub(super) patient: &'a str,
    /// Which of [`CODES`].
    pub(super) code: usize,
    /// A second code beside it: system and code.
    pub(super) also: Option<(&'a str, &'a str)>,
    /// Of the result, in the laboratory.
    pub(super) number: u64,
    /// Hours since the beginning of 2010.
    pub(super) hour: u64,
    /// Decides the amount.
    pub(super) value: u64,
}

impl Measurement<'_> {
    fn of(code: u64, number: u64) -> Measurement<'static> {
        let code = (code % CODES.len() as u64) as usize;
        // One of the 28 first days of a month.
        let (month, day, year) = (number % 12, number / 3 % 28, number / 500 % 15);
        let hour = (year * 365 + month * 30 + day) * 24 + number % 24;
        Measurement { id: None, patient: "", code, also: None, number, hour, value: number }
    }

    pub(super) fn to_json(&self) -> String {
        let Measurement { patient, number, value, .. } = self;
        let (code, display, unit, ucum) = CODES[self.code];
        let id = self.id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
        let also = self.also.map(|(system, code)| format!(r#",{{"system":"{system}","code":"{code}"}}"#));
        let also = also.unwrap_or_default();
        let minute = number / 24 % 60;
        let moment = NaiveDate::from_ymd_opt(2010, 1, 1).unwrap_or_default() + Days::new(self.hour / 24);
        let (date, hour) = (moment.format("%Y-%m-%d"), self.hour % 24);
        let amount = format!("{}.{:02}", 20 + value % 180, value / 180 % 100);
        format!(
            r#"{{"resourceType":"Observation",{id}"meta":{{"profile":["http://hl7.org/fhir/StructureDefinition/vitalsigns"]}},"identifier":[{{"system":"http://laboratory.example.org/results","value":"R-{number:010}"}}],"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"Vital Signs"}}],"text":"Vital Signs"}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}","display":"{display}"}}{also}],"text":"{display}"}},"subject":{{"reference":"Patient/{patient}","display":"Patient of the ward"}},"encounter":{{"reference":"Encounter/bench-encounter-{number}"}},"effectiveDateTime":"{date}T{hour:02}:{minute:02}:00+01:00","issued":"{date}T{hour:02}:{minute:02}:10.250+01:00","performer":[{{"display":"Laboratory of the Springfield General Hospital"}}],"valueQuantity":{{"value":{amount},"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{ucum}"}},"interpretation":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"N","display":"Normal"}}]}}],"referenceRange":[{{"low":{{"value":20.5,"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{ucum}"}},"high":{{"value":199.5,"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{ucum}"}},"text":"20.5 to 199.5 {unit}"}}]}}"#,
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_observation_is_json_of_the_size_that_is_spoken_of() {
        let text = new_observation(123_456);

        let value: Value = serde_json::from_str(&text).unwrap();

        assert_eq!(value["resourceType"], "Observation");
        assert!((1300..2000).contains(&text.len()), "{} bytes", text.len());
    }

    #[test]
    fn each_search_has_its_observation() {
        for number in [0, 199, 200, SEEDED - 1] {
            let value: Value = serde_json::from_str(&seeded(number, 0)).unwrap();
            let code = value["code"]["coding"][0]["code"].as_str().unwrap();
            let subject = value["subject"]["reference"].as_str().unwrap();
            assert_eq!(search(number), format!("/fhir/Observation?code=http://loinc.org%7C{code}&subject={subject}"));
        }
    }

    #[test]
    fn a_transaction_holds_its_entries_and_a_patient_is_json() {
        let value: Value = serde_json::from_str(&transaction(5, 100)).unwrap();

        assert_eq!(value["entry"].as_array().unwrap().len(), 100);
        assert!(serde_json::from_str::<Value>(&patient(7)).is_ok());
    }
}
