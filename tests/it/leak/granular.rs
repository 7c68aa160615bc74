//! A granular scope is the type-level scope filtered by its search: no more, no fewer.

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::{Value, json};

use crate::leak::seed;
use crate::search_oracle::random::Random;
use crate::support::holders::{self, Granted};
use crate::support::{Database, TestServer, on_both};

/// The searches of one scope or of several.
const SCOPES: &[(&str, &[&str])] = &[
    ("patient/Observation.rs?category=laboratory", &["category=laboratory"]),
    ("patient/Observation.rs?category=urn:c|laboratory", &["category=urn:c|laboratory"]),
    ("patient/Observation.rs?category=laboratory,vital-signs", &["category=laboratory,vital-signs"]),
    ("patient/Observation.rs?category=laboratory&status=final", &["category=laboratory&status=final"]),
    ("patient/Observation.rs?category:not=laboratory", &["category:not=laboratory"]),
    ("patient/Observation.rs?category:missing=true", &["category:missing=true"]),
    ("patient/Observation.rs?status=amended", &["status=amended"]),
    ("patient/Observation.rs?date=ge2026-03", &["date=ge2026-03"]),
    ("patient/Observation.rs?value-quantity=gt50", &["value-quantity=gt50"]),
    ("patient/Observation.rs?code=x,y&date=lt2026-05", &["code=x,y&date=lt2026-05"]),
    (
        "patient/Observation.rs?category=laboratory patient/Observation.rs?status=amended",
        &["category=laboratory", "status=amended"],
    ),
    (
        "patient/Observation.rs?code=x patient/Observation.rs?code=y&status=final patient/Observation.rs?date=2026-04",
        &["code=x", "code=y&status=final", "date=2026-04"],
    ),
];

/// What is asked besides.
const SEARCHES: &[&str] = &[
    "",
    "code=x",
    "code:not=x",
    "status=final,amended",
    "date=gt2026-02",
    "value-quantity=lt60",
    "category=laboratory",
    "category:not=laboratory",
    "category:missing=true",
    "subject=Patient/a",
    "patient=b",
    "_id:not=o1",
    "identifier=n3,n4,n5",
    "_sort=-date",
    "_sort=value-quantity,code",
    "_sort=-value-quantity&status=final",
    "_contained=false&code=y",
    "_filter=status%20eq%20final%20or%20code%20eq%20y",
    "subject:Patient.gender=female",
    "code=x&code=y",
];

on_both!(by crate::leak::run:
    a_granular_scope_finds_as_its_search_does,
);

fn resources(random: &mut Random) -> Vec<Value> {
    let person = |id: &str| json!({ "resourceType": "Patient", "id": id, "gender": "female" });
    let mut all = vec![person("a"), person("b")];
    for number in 0..120 {
        let subject = if random.percent(75) { "a" } else { "b" };
        let mut resource = json!({ "resourceType": "Observation", "id": format!("o{number}"),
            "status": random.of(&["final", "amended", "preliminary"]),
            "identifier": [{ "value": format!("n{}", random.below(20)) }],
            "code": { "coding": [{ "system": "urn:c", "code": random.of(&["x", "y", "z"]) }] },
            "subject": { "reference": format!("Patient/{subject}") } });
        if random.percent(80) {
            let code = random.of(&["laboratory", "vital-signs", "survey"]);
            resource["category"] = json!([{ "coding": [{ "system": random.of(&["urn:c", "urn:d"]), "code": code }] }]);
        }
        if random.percent(80) {
            resource["effectiveDateTime"] =
                json!(random.of(&["2026-01-02", "2026-03", "2026-04-05", "2026-06-07T08:00:00Z"]));
        }
        if random.percent(80) {
            resource["valueQuantity"] = json!({ "value": random.below(100), "unit": "kg" });
        }
        all.push(resource);
    }
    all
}

/// The ids that a search finds, over all pages, in their order.
async fn found(server: &TestServer, token: &str, search: &str) -> Vec<String> {
    let mut answer = server.get_as(token, search).await.expect(200);
    let mut all = answer.matches();
    while let Some(next) = answer.link("next") {
        answer = server.get_as(token, &next).await.expect(200);
        all.extend(answer.matches());
    }
    all
}

async fn a_granular_scope_finds_as_its_search_does(database: Database) {
    let seed = seed();
    let Some(server) = TestServer::start(database).await else { return };
    crate::search_oracle::fill(&server, &resources(&mut Random::new(seed))).await;
    let server = server.again(|settings| settings.server.open = false).await;
    let on_a = [Granted::on("a")];
    let broad = holders::app(&server, "patient/Observation.rs patient/Patient.rs", Some("a"), &on_a).token;

    let mut compared = 0;
    for (scopes, searches) in SCOPES {
        let scopes = format!("{scopes} patient/Patient.rs").leak();
        let narrow = holders::app(&server, scopes, Some("a"), &on_a).token;
        for search in SEARCHES {
            let mut open = BTreeSet::new();
            for within in *searches {
                open.extend(found(&server, &broad, &format!("Observation?{within}")).await);
            }
            let path = format!("Observation?_count=17&{search}");
            let mut wanted = found(&server, &broad, &path).await;
            wanted.retain(|id| open.contains(id));
            assert_eq!(found(&server, &narrow, &path).await, wanted, "seed {seed}: {search} with {scopes}");
            let counted = server.get_as(&narrow, &format!("Observation?_summary=count&{search}")).await.expect(200);
            assert_eq!(counted.json()["total"], wanted.len(), "seed {seed}: {search} with {scopes}");
            compared += wanted.len();
        }
        let open = found(&server, &narrow, "Observation?_count=200").await;
        for number in 0..120 {
            let id = format!("o{number}");
            let status = if open.contains(&id) { 200 } else { 404 };
            for path in [format!("Observation/{id}"), format!("Observation/{id}/_history/1")] {
                assert_eq!(server.get_as(&narrow, &path).await.status, status, "seed {seed}: {path} with {scopes}");
            }
        }
        let versions = server.get_as(&narrow, "Observation/_history?_count=200").await.expect(200).resources();
        let versions: BTreeSet<&str> = versions.iter().filter_map(|version| version["id"].as_str()).collect();
        assert_eq!(versions, open.iter().map(String::as_str).collect(), "seed {seed}: history with {scopes}");
    }
    assert!(compared > 500, "only {compared} were found");
    let searches = SCOPES.len() * SEARCHES.len();
    let _ = writeln!(std::io::stderr(), "{database:?}: {searches} searches with granular scopes agree, seed {seed}");
    server.stop().await;
}
