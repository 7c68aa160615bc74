//! What the family measured over the years: enough to draw curves of.

use serde_json::{Value, json};

/// Who measured what, and when.
struct Series {
    /// The Patient whose it is.
    patient: &'static str,
    /// Who measured it.
    performer: &'static str,
    measure: Measure,
    /// Instants, each with its value; a blood pressure is two with a slash between.
    points: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Copy)]
enum Measure {
    Height,
    Weight,
    HeartRate,
    BloodPressure,
}

/// All entries, in the form of a transaction.
pub(super) fn entries() -> Vec<Value> {
    SERIES.iter().flat_map(|series| series.points.iter().map(|point| entry(series, *point))).collect()
}

fn entry(series: &Series, (instant, value): (&str, &str)) -> Value {
    let (code, display) = match series.measure {
        Measure::Height => ("8302-2", "Body height"),
        Measure::Weight => ("29463-7", "Body weight"),
        Measure::HeartRate => ("8867-4", "Heart rate"),
        Measure::BloodPressure => ("85354-9", "Blood pressure panel with all children optional"),
    };
    let text = if code == "85354-9" { "Blood pressure" } else { display };
    let vital_signs = concept(
        "http://terminology.hl7.org/CodeSystem/observation-category",
        ("vital-signs", "Vital Signs"),
        "Vital Signs",
    );
    let mut observation = json!({
        "resourceType": "Observation",
        "status": "final",
        "category": [vital_signs],
        "code": concept("http://loinc.org", (code, display), text),
        "subject": { "reference": series.patient },
        "effectiveDateTime": instant,
        "performer": [{ "reference": series.performer }],
    });
    match value.split_once('/') {
        Some((systolic, diastolic)) => {
            let component = |code: &str, display: &str, value: &str| {
                let code = concept("http://loinc.org", (code, display), display);
                json!({ "code": code, "valueQuantity": quantity(value, "mmHg", "mm[Hg]") })
            };
            observation["component"] = json!([
                component("8480-6", "Systolic blood pressure", systolic),
                component("8462-4", "Diastolic blood pressure", diastolic),
            ]);
        }
        None => {
            let (unit, code) = match series.measure {
                Measure::Height => ("cm", "cm"),
                Measure::Weight => ("kg", "kg"),
                Measure::HeartRate => ("beats/minute", "/min"),
                Measure::BloodPressure => ("mmHg", "mm[Hg]"),
            };
            observation["valueQuantity"] = quantity(value, unit, code);
        }
    }
    json!({ "resource": observation, "request": { "method": "POST", "url": "Observation" } })
}

fn concept(system: &str, (code, display): (&str, &str), text: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code, "display": display }], "text": text })
}

/// The value keeps the digits that it has here.
fn quantity(value: &str, unit: &str, code: &str) -> Value {
    let value: serde_json::Number = value.parse().expect("the table below holds numbers");
    json!({ "value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": code })
}

const SERIES: &[Series] = &[
    Series {
        patient: "Patient/theo",
        performer: "Practitioner/solberg",
        measure: Measure::Height,
        points: &[
            ("2022-01-19T09:40:00-08:00", "50.5"),
            ("2022-02-19T09:40:00-08:00", "54.4"),
            ("2022-03-19T09:40:00-07:00", "58.1"),
            ("2022-05-19T09:40:00-07:00", "63.6"),
            ("2022-07-19T09:40:00-07:00", "67.3"),
            ("2022-10-19T09:40:00-07:00", "71.7"),
            ("2023-01-19T09:40:00-08:00", "75.4"),
            ("2023-04-19T09:40:00-07:00", "78.6"),
            ("2023-07-19T09:40:00-07:00", "81.9"),
            ("2024-01-19T09:40:00-08:00", "87.3"),
            ("2024-07-19T09:40:00-07:00", "91.6"),
            ("2025-01-19T09:40:00-08:00", "95.4"),
            ("2025-07-19T09:40:00-07:00", "99.0"),
        ],
    },
    Series {
        patient: "Patient/theo",
        performer: "Practitioner/solberg",
        measure: Measure::Weight,
        points: &[
            ("2022-01-19T09:42:00-08:00", "3.5"),
            ("2022-02-19T09:42:00-08:00", "4.5"),
            ("2022-03-19T09:42:00-07:00", "5.5"),
            ("2022-05-19T09:42:00-07:00", "6.9"),
            ("2022-07-19T09:42:00-07:00", "7.8"),
            ("2022-10-19T09:42:00-07:00", "8.8"),
            ("2023-01-19T09:42:00-08:00", "9.5"),
            ("2023-04-19T09:42:00-07:00", "10.2"),
            ("2023-07-19T09:42:00-07:00", "10.8"),
            ("2024-01-19T09:42:00-08:00", "12.0"),
            ("2024-07-19T09:42:00-07:00", "13.2"),
            ("2025-01-19T09:42:00-08:00", "14.2"),
            ("2025-07-19T09:42:00-07:00", "15.3"),
        ],
    },
    Series {
        patient: "Patient/mila",
        performer: "Practitioner/solberg",
        measure: Measure::Height,
        points: &[
            ("2017-07-07T15:10:00-07:00", "74.2"),
            ("2018-07-07T15:10:00-07:00", "85.9"),
            ("2019-07-07T15:10:00-07:00", "94.8"),
            ("2020-07-07T15:10:00-07:00", "102.2"),
            ("2021-07-07T15:10:00-07:00", "109.1"),
            ("2022-07-07T15:10:00-07:00", "115.6"),
            ("2023-07-07T15:10:00-07:00", "121.9"),
            ("2024-07-07T15:10:00-07:00", "127.8"),
            ("2025-07-07T15:10:00-07:00", "133.6"),
        ],
    },
    Series {
        patient: "Patient/mila",
        performer: "Practitioner/solberg",
        measure: Measure::Weight,
        points: &[
            ("2017-07-07T15:12:00-07:00", "9.1"),
            ("2018-07-07T15:12:00-07:00", "11.8"),
            ("2019-07-07T15:12:00-07:00", "14.1"),
            ("2020-07-07T15:12:00-07:00", "16.4"),
            ("2021-07-07T15:12:00-07:00", "18.6"),
            ("2022-07-07T15:12:00-07:00", "21.0"),
            ("2023-07-07T15:12:00-07:00", "23.8"),
            ("2024-07-07T15:12:00-07:00", "26.9"),
            ("2025-07-07T15:12:00-07:00", "29.6"),
        ],
    },
    Series {
        patient: "Patient/jonas",
        performer: "Patient/jonas",
        measure: Measure::BloodPressure,
        points: &[
            ("2026-02-15T07:08:00-08:00", "130/82"),
            ("2026-03-01T07:28:00-08:00", "127/84"),
            ("2026-03-15T07:18:00-07:00", "131/86"),
            ("2026-03-29T07:09:00-07:00", "126/83"),
            ("2026-04-12T07:08:00-07:00", "128/83"),
            ("2026-04-26T07:19:00-07:00", "132/80"),
            ("2026-05-10T07:08:00-07:00", "130/83"),
            ("2026-05-24T07:19:00-07:00", "129/82"),
            ("2026-06-07T07:23:00-07:00", "125/84"),
            ("2026-06-21T07:24:00-07:00", "127/82"),
            ("2026-07-05T07:11:00-07:00", "128/83"),
            ("2026-07-19T07:28:00-07:00", "128/82"),
            ("2026-08-02T07:08:00-07:00", "124/82"),
            ("2026-08-16T07:39:00-07:00", "127/81"),
            ("2026-08-30T07:34:00-07:00", "126/79"),
            ("2026-09-13T07:16:00-07:00", "125/79"),
            ("2026-09-27T07:24:00-07:00", "127/78"),
            ("2026-10-11T07:33:00-07:00", "125/82"),
            ("2026-10-25T07:12:00-07:00", "123/82"),
            ("2026-11-08T07:26:00-08:00", "124/77"),
        ],
    },
    Series {
        patient: "Patient/jonas",
        performer: "Patient/jonas",
        measure: Measure::Weight,
        points: &[
            ("2026-02-15T07:03:00-08:00", "83.7"),
            ("2026-03-15T07:03:00-07:00", "83.6"),
            ("2026-04-12T07:03:00-07:00", "82.9"),
            ("2026-05-10T07:03:00-07:00", "83.0"),
            ("2026-06-07T07:03:00-07:00", "82.7"),
            ("2026-07-05T07:03:00-07:00", "82.2"),
            ("2026-08-02T07:03:00-07:00", "82.0"),
            ("2026-08-30T07:03:00-07:00", "81.2"),
            ("2026-09-27T07:03:00-07:00", "81.1"),
            ("2026-10-25T07:03:00-07:00", "80.7"),
        ],
    },
    Series {
        patient: "Patient/nadia",
        performer: "Patient/nadia",
        measure: Measure::HeartRate,
        points: &[
            ("2026-06-07T06:48:00-07:00", "64"),
            ("2026-06-14T06:32:00-07:00", "64"),
            ("2026-06-21T06:38:00-07:00", "62"),
            ("2026-06-28T06:51:00-07:00", "59"),
            ("2026-07-05T06:53:00-07:00", "63"),
            ("2026-07-12T06:50:00-07:00", "62"),
            ("2026-07-19T06:51:00-07:00", "63"),
            ("2026-07-26T06:39:00-07:00", "62"),
            ("2026-08-02T06:58:00-07:00", "62"),
            ("2026-08-09T06:30:00-07:00", "63"),
            ("2026-08-16T06:41:00-07:00", "59"),
            ("2026-08-23T06:33:00-07:00", "60"),
            ("2026-08-30T06:36:00-07:00", "62"),
            ("2026-09-06T06:34:00-07:00", "61"),
            ("2026-09-13T06:42:00-07:00", "59"),
            ("2026-09-20T06:57:00-07:00", "60"),
            ("2026-09-27T06:35:00-07:00", "59"),
            ("2026-10-04T06:47:00-07:00", "58"),
            ("2026-10-11T06:34:00-07:00", "61"),
            ("2026-10-18T06:57:00-07:00", "59"),
            ("2026-10-25T06:52:00-07:00", "58"),
            ("2026-11-01T06:41:00-07:00", "60"),
        ],
    },
    Series {
        patient: "Patient/nadia",
        performer: "Patient/nadia",
        measure: Measure::BloodPressure,
        points: &[
            ("2026-06-07T06:45:00-07:00", "114/71"),
            ("2026-06-21T06:45:00-07:00", "111/70"),
            ("2026-07-05T06:45:00-07:00", "117/69"),
            ("2026-07-19T06:45:00-07:00", "119/71"),
            ("2026-08-02T06:45:00-07:00", "113/70"),
            ("2026-08-16T06:45:00-07:00", "116/74"),
            ("2026-08-30T06:45:00-07:00", "114/70"),
            ("2026-09-13T06:45:00-07:00", "119/78"),
            ("2026-09-27T06:45:00-07:00", "117/76"),
            ("2026-10-11T06:45:00-07:00", "115/77"),
            ("2026-10-25T06:45:00-07:00", "120/75"),
        ],
    },
];
