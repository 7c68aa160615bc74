//! Every prefix of amounts in one unit against amounts in others, on and beside the edges that precision has.
//!
//! Spec: R4 search.html#quantity

use serde_json::{Value, json};

use crate::search_oracle::date_table::{PREFIXES, difference};
use crate::search_oracle::decimals::Decimal;
use crate::search_oracle::{encoded, fill, units};
use crate::support::{TestServer, on_both};

on_both!(every_prefix_meets_amounts_in_other_units);

const STORED: &[(&str, &str)] = &[
    ("1", "kg"),
    ("1000", "g"),
    ("1.000", "kg"),
    ("999.99999999", "g"),
    ("2.20462262", "[lb_av]"),
    ("2.20462263", "[lb_av]"),
    ("1e6", "mg"),
    ("69.5", "kg"),
    ("69499.999", "g"),
    ("70.5", "kg"),
    ("70499.999", "g"),
    ("154.3", "[lb_av]"),
    ("69989.302691", "g"),
    ("69989.302690", "g"),
    // The edges of 154.3 pounds.
    ("69966.6230725", "g"),
    ("69.9666230724", "kg"),
    ("70011.9823095", "g"),
    ("70.0119823094", "kg"),
    ("2468.8", "[oz_av]"),
    ("-5", "kg"),
    ("-5000", "g"),
    ("0", "kg"),
    ("0.0", "[lb_av]"),
    ("120", "mm[Hg]"),
    ("15.99864", "kPa"),
    ("15.998640001", "kPa"),
    ("119.5", "mm[Hg]"),
    ("15.931979", "kPa"),
    ("16", "kPa"),
    ("37", "Cel"),
    ("98.6", "[degF]"),
    ("98.60", "[degF]"),
    ("310.15", "K"),
    ("36.5", "Cel"),
    ("97.7", "[degF]"),
    ("97.69", "[degF]"),
    ("99.5", "[degF]"),
    ("100", "[degF]"),
    ("-40", "Cel"),
    ("-40", "[degF]"),
    ("0", "K"),
    ("-459.67", "[degF]"),
    ("126", "mg/dL"),
    ("1.26", "g/L"),
    ("1260", "ug/mL"),
    ("1.265", "g/L"),
    ("1.255", "g/L"),
    ("72", "/min"),
    ("1.2", "Hz"),
    ("4320", "/h"),
    ("4290", "/h"),
    ("2", "a"),
    ("24", "mo"),
    ("5", "lbs"),
];
const SOUGHT: &[(&str, &str)] = &[
    ("1", "kg"),
    ("1.000000000", "kg"),
    ("2.20462262", "[lb_av]"),
    ("2.2", "[lb_av]"),
    ("1000", "g"),
    ("70", "kg"),
    ("70000", "g"),
    ("154.3", "[lb_av]"),
    ("69989.302691", "g"),
    ("-5", "kg"),
    ("0", "g"),
    ("120", "mm[Hg]"),
    ("16.0", "kPa"),
    ("15.99864", "kPa"),
    ("37", "Cel"),
    ("98.6", "[degF]"),
    ("310.15", "K"),
    ("-40", "[degF]"),
    ("0", "K"),
    ("1.26", "g/L"),
    ("126", "mg/dL"),
    ("72", "/min"),
    ("1.2", "Hz"),
    ("24", "mo"),
    ("2.0", "a"),
    ("5", "lbs"),
];

fn decimal(text: &str) -> Decimal {
    Decimal::read(text).unwrap()
}

async fn every_prefix_meets_amounts_in_other_units(server: &TestServer) {
    let amount = |(number, (text, code)): (usize, &(&str, &str))| {
        let value: Value = serde_json::from_str(text).unwrap();
        let quantity = json!({ "value": value, "system": "http://unitsofmeasure.org", "code": code });
        let code = json!({ "coding": [{ "code": "c" }] });
        json!({ "resourceType": "Observation", "id": format!("a{number:04}"), "status": "final", "code": code,
            "valueQuantity": quantity, "component": [{ "code": code, "valueQuantity": quantity }] })
    };
    let resources: Vec<Value> = STORED.iter().enumerate().map(amount).collect();
    fill(server, &resources).await;
    let mut differences = Vec::new();

    for (prefix, (sought, code)) in PREFIXES.iter().flat_map(|prefix| SOUGHT.iter().map(move |of| (prefix, of))) {
        let admits = |(text, of): &(&str, &str)| units::admits(prefix, (decimal(sought), code), (decimal(text), of));
        let admitted = STORED.iter().enumerate().filter(|(_, stored)| admits(stored));
        let wanted: Vec<String> = admitted.map(|(number, _)| format!("a{number:04}")).collect();
        let value = encoded(&format!("{prefix}{sought}|http://unitsofmeasure.org|{code}"));
        for criterion in [format!("value-quantity={value}"), format!("component-code-value-quantity=c${value}")] {
            let mut found = server.found(&format!("Observation?{criterion}&_elements=status&_count=1000")).await;
            found.sort();
            differences.extend(difference(&format!("{prefix}{sought} {code} ({criterion})"), &wanted, &found));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
