//! Every prefix of a number and a quantity, in several written precisions, against values around the edges.
//!
//! Spec: R4 search.html#number, #quantity

use serde_json::{Value, json};

use crate::search_oracle::date_table::{PREFIXES, difference};
use crate::search_oracle::decimals::Decimal;
use crate::search_oracle::{encoded, fill};
use crate::support::{TestServer, on_both};

/// System, code and unit of a stored quantity.
type Unit<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

on_both!(every_prefix_meets_numbers_around_its_edges, every_prefix_meets_quantities_by_their_units);

const SOUGHT: &[&str] = &["5", "5.4", "5.40", "1e2", "-0.5", "0", "100", "0.0", "1.2e-3", "-5"];
const STORED: &[&str] = &[
    "0", "0.0", "-0.0", "0.04", "0.05", "-0.05", "-0.051", "0.49", "0.5", "-0.5", "-0.50", "-0.45", "-0.44", "-0.55",
    "-0.56", "4.49", "4.5", "4.999", "5", "5.0", "5.34", "5.35", "5.394", "5.395", "5.4", "5.40", "5.400", "5.404",
    "5.405", "5.449", "5.45", "5.499", "5.5", "6", "49.9", "50", "99.4", "99.5", "99.99", "100", "1E2", "100.0",
    "100.4", "100.5", "149.9", "150", "0.00115", "0.0012", "1.2e-3", "0.00124", "0.00125", "-4.5", "-5", "-5.5",
    "-5.51",
];
const UCUM: &str = "http://unitsofmeasure.org";

fn decimal(text: &str) -> Decimal {
    Decimal::read(text).unwrap()
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn every_prefix_meets_numbers_around_its_edges(server: &TestServer) {
    let risk = |(number_of, text): (usize, &&str)| {
        json!({ "resourceType": "RiskAssessment", "id": format!("r{number_of:04}"), "status": "final",
            "subject": { "reference": "Patient/1" }, "prediction": [{ "probabilityDecimal": number(text) }] })
    };
    let resources: Vec<Value> = STORED.iter().enumerate().map(risk).collect();
    fill(server, &resources).await;
    let mut differences = Vec::new();

    for (prefix, sought) in PREFIXES.iter().flat_map(|prefix| SOUGHT.iter().map(move |sought| (prefix, sought))) {
        let admitted = STORED.iter().enumerate().filter(|(_, text)| decimal(sought).admits(prefix, decimal(text)));
        let wanted: Vec<String> = admitted.map(|(number, _)| format!("r{number:04}")).collect();
        let search = format!("RiskAssessment?probability={prefix}{sought}");
        let mut found = server.found(&format!("{search}&_count=1000")).await;
        found.sort();
        differences.extend(difference(&search, &wanted, &found));
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

/// Units that can't be turned into each other, so that the texts alone decide: system, code, unit.
const UNITS: &[(Option<&str>, Option<&str>, Option<&str>)] = &[
    (Some(UCUM), Some("mm[Hg]"), Some("mmHg")),
    (Some(UCUM), Some("/min"), None),
    (Some("urn:x:units"), Some("/min"), Some("beats")),
    (None, None, Some("/min")),
    (None, None, None),
];
/// The unit as it is searched for.
const ASKED: &[(&str, Option<&str>, Option<&str>)] = &[
    ("", None, None),
    ("|http://unitsofmeasure.org|/min", Some(UCUM), Some("/min")),
    ("|urn:x:units|/min", Some("urn:x:units"), Some("/min")),
    ("|urn:y:units|/min", Some("urn:y:units"), Some("/min")),
    ("||/min", None, Some("/min")),
    ("||beats", None, Some("beats")),
    ("||mmHg", None, Some("mmHg")),
    ("|http://unitsofmeasure.org|mm[Hg]", Some(UCUM), Some("mm[Hg]")),
];

async fn every_prefix_meets_quantities_by_their_units(server: &TestServer) {
    let stored: Vec<_> = STORED.iter().step_by(3).flat_map(|text| UNITS.iter().map(move |unit| (text, unit))).collect();
    let weight = |(number_of, (text, (system, code, unit))): (usize, &(&&str, &(_, _, _)))| {
        let mut quantity = json!({ "value": number(text) });
        let parts: [(&str, &Option<&str>); 3] = [("system", system), ("code", code), ("unit", unit)];
        for (name, part) in parts {
            if let Some(part) = part {
                quantity[name] = json!(part);
            }
        }
        json!({ "resourceType": "Observation", "id": format!("q{number_of:04}"), "status": "final",
            "code": { "text": "x" }, "valueQuantity": quantity })
    };
    let resources: Vec<Value> = stored.iter().enumerate().map(weight).collect();
    fill(server, &resources).await;
    let mut differences = Vec::new();

    for prefix in PREFIXES {
        for (sought, (asked, system, code)) in SOUGHT.iter().flat_map(|sought| ASKED.iter().map(move |of| (sought, of)))
        {
            let admits = |(text, (of_system, of_code, of_unit)): &(&&str, &Unit<'_>)| {
                let has_unit = match (system, code) {
                    (Some(_), _) => system == of_system && code == of_code,
                    // "either the code or the stated human unit"
                    (None, Some(_)) => code == of_code || code == of_unit,
                    (None, None) => true,
                };
                has_unit && decimal(sought).admits(prefix, decimal(text))
            };
            let admitted = stored.iter().enumerate().filter(|(_, stored)| admits(stored));
            let wanted: Vec<String> = admitted.map(|(number, _)| format!("q{number:04}")).collect();
            let search = format!("{prefix}{sought}{asked}");
            let address = format!("Observation?value-quantity={}&_elements=status&_count=1000", encoded(&search));
            let mut found = server.found(&address).await;
            found.sort();
            differences.extend(difference(&search, &wanted, &found));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
