//! Every prefix of a date, in every precision, against every form in which a date is stored.
//!
//! Spec: R4 search.html#date

use serde_json::{Value, json};

use crate::search_oracle::spans::Span;
use crate::search_oracle::{encoded, fill};
use crate::support::{TestServer, on_both};

on_both!(every_prefix_meets_every_stored_form);

pub const PREFIXES: [&str; 10] = ["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// Sought dates, around the edges of the stored ones.
const SOUGHT: &[&str] = &[
    "2019",
    "2020",
    "2021",
    "2020-02",
    "2020-03",
    "2019-12",
    "2020-02-28",
    "2020-02-29",
    "2020-03-01",
    "2020-02-29T10:30",
    "2020-02-29T10:30Z",
    "2020-02-29T12:30+02:00",
    "2020-02-29T10:30:15",
    "2020-02-29T10:30:15Z",
    "2020-02-29T05:30:15-05:00",
    "2020-02-29T10:30:16Z",
    "2020-02-29T10:30:15.5Z",
    "2020-02-29T10:30:15.500",
    "2020-02-29T10:30:15.501Z",
    "2020-02-29T23:59:59.999Z",
    "2020-03-01T00:00:00+00:00",
    "2020-03-01T00:00:00+14:00",
    "2020-12-31T23:59:59Z",
];

const INSTANTS: &[&str] = &[
    "2020-02-29T10:30:15Z",
    "2020-02-29T10:30:15.5Z",
    "2020-02-29T10:30:15.500Z",
    "2020-02-29T12:30:15.501+02:00",
    "2020-02-29T23:59:59.999Z",
    "2020-03-01T00:00:00Z",
    "2020-02-29T23:30:00-01:00",
    "2019-12-31T23:59:59.999999Z",
    "2020-01-01T00:00:00+14:00",
];
const DATES: &[&str] = &["2019", "2020", "2021", "2020-02", "2020-03", "2020-02-28", "2020-02-29", "2020-03-01"];
const OPEN: Span = Span { from: i64::MIN, to: i64::MAX };

fn span(text: &str) -> Span {
    Span::read(text).unwrap()
}

/// The element and its outer limits.
fn stored_forms() -> Vec<(&'static str, Value, Span)> {
    let mut forms = Vec::new();
    forms.extend(INSTANTS.iter().map(|text| ("effectiveInstant", json!(text), span(text))));
    forms.extend(INSTANTS.iter().chain(DATES).map(|text| ("effectiveDateTime", json!(text), span(text))));
    let pairs =
        DATES.iter().chain(INSTANTS).flat_map(|start| DATES.iter().chain(INSTANTS).map(move |end| (start, end)));
    for (start, end) in pairs.filter(|(start, end)| span(start).from < span(end).to) {
        let limits = Span { from: span(start).from, to: span(end).to };
        forms.push(("effectivePeriod", json!({ "start": start, "end": end }), limits));
        forms.push((
            "effectiveTiming",
            json!({ "repeat": { "boundsPeriod": { "start": start, "end": end } } }),
            limits,
        ));
        let both = Span { from: limits.from.min(span(end).from), to: limits.to.max(span(start).to) };
        forms.push(("effectiveTiming", json!({ "event": [start, end] }), both));
    }
    for text in DATES.iter().chain(INSTANTS) {
        let (from, to) = (Span { from: span(text).from, ..OPEN }, Span { to: span(text).to, ..OPEN });
        forms.push(("effectivePeriod", json!({ "start": text }), from));
        forms.push(("effectivePeriod", json!({ "end": text }), to));
        forms.push(("effectiveTiming", json!({ "event": [text] }), span(text)));
        forms.push(("effectiveTiming", json!({ "repeat": { "boundsPeriod": { "start": text } } }), from));
    }
    forms
}

async fn every_prefix_meets_every_stored_form(server: &TestServer) {
    let forms = stored_forms();
    let mut resources = Vec::new();
    for (number, (element, value, _)) in forms.iter().enumerate() {
        let mut resource = json!({ "resourceType": "Observation", "id": format!("o{number:04}"), "status": "final",
            "code": { "text": "x" } });
        resource[element] = value.clone();
        resources.push(resource);
    }
    // A `date`, which has no time of day.
    for (number, text) in DATES.iter().enumerate() {
        resources.push(json!({ "resourceType": "Patient", "id": format!("p{number:04}"), "birthDate": text }));
    }
    fill(server, &resources).await;
    let now = emberwell::clock::now_us();
    let mut differences = Vec::new();

    for (prefix, sought) in PREFIXES.iter().flat_map(|prefix| SOUGHT.iter().map(move |sought| (prefix, sought))) {
        let admits = |stored: Span| span(sought).admits(prefix, stored, now);
        let observations = forms.iter().enumerate().filter(|(_, (_, _, limits))| admits(*limits));
        let wanted: Vec<String> = observations.map(|(number, _)| format!("o{number:04}")).collect();
        let born = DATES.iter().enumerate().filter(|(_, text)| admits(span(text)));
        let wanted_patients: Vec<String> = born.map(|(number, _)| format!("p{number:04}")).collect();
        let value = encoded(&format!("{prefix}{sought}"));
        let cases = [("Observation?date", wanted), ("Patient?birthdate", wanted_patients)];
        for (search, wanted) in cases {
            let mut found = server.found(&format!("{search}={value}&_elements=id&_count=1000")).await;
            found.sort();
            differences.extend(difference(&format!("{search}={prefix}{sought}"), &wanted, &found));
        }
    }
    assert!(resources.len() <= 1000, "one page holds all");
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

/// What was found too much and too little, of two sorted lists; `None` when they are equal.
pub fn difference(search: &str, wanted: &[String], found: &[String]) -> Option<String> {
    let without = |all: &[String], other: &[String]| -> Vec<String> {
        all.iter().filter(|id| !other.contains(id)).take(5).cloned().collect()
    };
    (wanted != found)
        .then(|| format!("{search}: not found {:?}, too much {:?}", without(wanted, found), without(found, wanted)))
}
