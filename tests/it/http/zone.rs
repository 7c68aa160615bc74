//! The zone of dates that name none: of the setting, of the database, and of a reindex that changes it.

use chrono::{DateTime, Days, FixedOffset, Timelike, Utc};
use emberwell::clock;
use serde_json::{Value, json};

use crate::support::database::execute;
use crate::support::program::{program, refused_start, run};
use crate::support::{TestServer, bundle, on_both, patient};

on_both!(
    another_zone_than_that_of_the_index_is_refused_and_a_reindex_takes_it,
    a_database_that_has_noted_no_zone_takes_the_first,
    what_a_resource_is_sorted_by_follows_the_zone,
    an_empty_database_takes_the_zone_that_it_is_given,
    a_running_server_takes_over_a_changed_zone_when_it_writes,
    a_change_of_the_zone_that_broke_off_is_finished_by_a_reindex,
    days_of_changes_are_days_of_the_zone,
);

/// From midnight to midnight in UTC.
fn day() -> Value {
    json!({ "resourceType": "Patient", "birthDate": "2020-05-05" })
}

/// After the beginning of that day in UTC, and before it further east.
const AFTER_ITS_BEGINNING_IN_THE_EAST: &str = "Patient?birthdate=sa2020-05-04T23:30:00Z";

/// An hour in the evening of 2020-05-05, in UTC.
fn evening() -> Value {
    json!({
        "resourceType": "Observation", "status": "final", "code": { "text": "pulse" },
        "effectiveDateTime": "2020-05-05T23:30:00Z",
    })
}

async fn another_zone_than_that_of_the_index_is_refused_and_a_reindex_takes_it(server: &TestServer) {
    let (day, evening) = (server.create(&day()).await, server.create(&evening()).await);
    assert_eq!(server.found(AFTER_ITS_BEGINNING_IN_THE_EAST).await, [day.as_str()]);
    assert_eq!(server.found("Observation?date=2020-05-05").await, [evening.as_str()]);

    let loaded = run(server, "load", &["--zone=+01:00", "nothing.json"]);
    assert_eq!(loaded.code, Some(1), "{}", loaded.told);
    for told in [refused_start(server, &["--zone=+01:00"]), loaded.told] {
        for remedy in ["'--zone=+00:00'", "'emberwell reindex --zone=+01:00'"] {
            assert!(told.contains(remedy), "{told}");
        }
    }
    // What is noted holds, whatever the settings say.
    assert_eq!(run(server, "verify", &["--zone=+01:00"]).code, Some(0));
    let reindexed = run(server, "reindex", &["--zone=+01:00"]);

    assert_eq!(reindexed.code, Some(0), "{}", reindexed.told);
    let east = server.beside(|settings| settings.fhir.zone_minutes = 60).await;
    assert_eq!(east.found(AFTER_ITS_BEGINNING_IN_THE_EAST).await, [""; 0]);
    assert_eq!(east.found("Patient?birthdate=sa2020-05-04T22:30:00Z").await, [day]);
    assert_eq!(east.found("Observation?date=2020-05-05").await, [""; 0]);
    assert_eq!(east.found("Observation?date=2020-05-06").await, [evening]);
    assert_eq!(east.found("Observation?date=2020-05-05T23:30Z").await.len(), 1);
    assert_eq!(run(server, "verify", &[]).code, Some(0));
    let told = refused_start(server, &[]);
    assert!(told.contains("'--zone=+01:00'"), "{told}");
    east.stop().await;
}

async fn a_database_that_has_noted_no_zone_takes_the_first(server: &TestServer) {
    let west = server.beside(|settings| settings.fhir.zone_minutes = -300).await;
    let id = west.create(&day()).await;
    west.stop().await;
    // As an earlier release has left it.
    execute(server.database(), "UPDATE index_rules SET zone_minutes = NULL");
    assert_eq!(run(server, "verify", &["--zone=-05:00"]).code, Some(0));

    let again = server.beside(|settings| settings.fhir.zone_minutes = -300).await;

    assert_eq!(again.found("Patient?birthdate=sa2020-05-05T04:30:00Z").await, [id]);
    let told = refused_start(server, &[]);
    assert!(told.contains("'--zone=-05:00'"), "{told}");
    again.stop().await;
}

async fn what_a_resource_is_sorted_by_follows_the_zone(server: &TestServer) {
    let allergy = |onsets: &[&str]| {
        let reactions: Vec<Value> =
            onsets.iter().map(|onset| json!({ "manifestation": [{ "text": "rash" }], "onset": onset })).collect();
        json!({ "resourceType": "AllergyIntolerance", "patient": { "display": "x" }, "reaction": reactions })
    };
    let both = server.create(&allergy(&["2020-05-05", "2020-05-05T02:00:00Z"])).await;
    let between = server.create(&allergy(&["2020-05-05T01:00:00Z"])).await;
    assert_eq!(server.found("AllergyIntolerance?_sort=onset").await, [both.as_str(), between.as_str()]);

    // The row of the hour stays; it is the lowest now.
    let reindexed = run(server, "reindex", &["--zone=-05:00"]);

    assert_eq!(reindexed.code, Some(0), "{}", reindexed.told);
    let west = server.beside(|settings| settings.fhir.zone_minutes = -300).await;
    assert_eq!(west.found("AllergyIntolerance?_sort=onset").await, [between, both]);
    assert_eq!(run(server, "verify", &[]).code, Some(0));
    west.stop().await;
}

async fn an_empty_database_takes_the_zone_that_it_is_given(server: &TestServer) {
    let west = server.beside(|settings| settings.fhir.zone_minutes = -300).await;
    let id = west.create(&day()).await;

    assert_eq!(west.found("Patient?birthdate=sa2020-05-05T04:30:00Z").await, [id]);
    assert_eq!(run(server, "verify", &[]).code, Some(0));
    let told = refused_start(server, &[]);
    assert!(told.contains("'--zone=-05:00'"), "{told}");
    west.stop().await;
}

async fn a_running_server_takes_over_a_changed_zone_when_it_writes(server: &TestServer) {
    let old = server.create(&day()).await;
    assert_eq!(run(server, "reindex", &["--zone=+01:00"]).code, Some(0));

    let new = server.create(&day()).await;

    assert_eq!(server.found(AFTER_ITS_BEGINNING_IN_THE_EAST).await, [""; 0]);
    assert_eq!(server.found("Patient?birthdate=sa2020-05-04T22:30:00Z&_sort=_lastUpdated").await, [old, new]);
    assert_eq!(run(server, "verify", &[]).code, Some(0));
}

async fn a_change_of_the_zone_that_broke_off_is_finished_by_a_reindex(server: &TestServer) {
    let entry = json!({ "resource": day(), "request": { "method": "POST", "url": "Patient" } });
    server.post("", &bundle("batch", &vec![entry; 2_000])).await.expect(200);
    let mut command = program(server, "reindex");
    let mut reindex = command.args(["--zone", "-05:00"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(reindex.stderr.take().unwrap()));
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("reindex: ")));
    reindex.kill().unwrap();
    reindex.wait().unwrap();

    let told = refused_start(server, &["--zone", "-05:00"]);
    assert!(told.contains("'emberwell reindex'"), "{told}");
    let told = refused_start(server, &[]);
    assert!(told.contains("'--zone=-05:00'"), "{told}");
    // Back, before it is done: all is made anew once more.
    let reindexed = run(server, "reindex", &["--zone=Z"]);

    assert!(reindexed.code == Some(0) && reindexed.told.contains("2000 resources"), "{}", reindexed.told);
    let again = server.beside(|_| {}).await;
    let counted = again.get(&format!("{AFTER_ITS_BEGINNING_IN_THE_EAST}&_summary=count")).await.expect(200);
    assert_eq!(counted.json()["total"], 2_000);
    assert_eq!(run(server, "verify", &[]).code, Some(0));
    again.stop().await;
}

async fn days_of_changes_are_days_of_the_zone(server: &TestServer) {
    // Where it is not the same day as in UTC, at this hour.
    let now = DateTime::<Utc>::from_timestamp_micros(clock::now_us()).unwrap();
    let minutes = if now.hour() >= 10 { 14 * 60 } else { -14 * 60 };
    let far = server.beside(|settings| settings.fhir.zone_minutes = minutes).await;
    let created = far.post("Patient", &patient("1")).await.expect(201).json();
    let updated: DateTime<Utc> = created["meta"]["lastUpdated"].as_str().unwrap().parse().unwrap();
    let zone = FixedOffset::east_opt(i32::from(minutes) * 60).unwrap();
    let here = updated.with_timezone(&zone).date_naive();
    assert_ne!(here, updated.date_naive());

    for day in [here - Days::new(1), here, here + Days::new(1)] {
        let (is_of_day, is_since) = (usize::from(day == here), usize::from(day <= here));
        let found = far.found(&format!("Patient?_lastUpdated={day}")).await;
        assert_eq!(found.len(), is_of_day, "_lastUpdated={day}");
        let queries = [(format!("_since={day}"), is_since), (format!("_at={day}"), usize::from(day >= here))];
        for (query, expected) in queries {
            let url = format!("Patient/_history?{query}");
            assert_eq!(far.get(&url).await.expect(200).entries().len(), expected, "{query}");
            let entry = json!({ "request": { "method": "GET", "url": url } });
            let inside = far.post("", &bundle("batch", &[entry])).await.expect(200).resources();
            assert_eq!(inside[0]["entry"].as_array().map_or(0, Vec::len), expected, "{query} in a batch");
        }
    }
    far.stop().await;
}
