//! `load --resume`: what was stored is not stored twice, however the load before ended.

use std::time::Duration;

use actix_web::rt;
use serde_json::{Value, json};

use crate::load::scratch::Scratch;
use crate::support::database::{Unfinished, execute};
use crate::support::{Database, TestServer, bundle, identifier, on_both, patient, server};

on_both!(
    what_was_stored_is_skipped_and_what_is_new_or_changed_is_loaded,
    a_load_without_resume_begins_anew,
    what_was_refused_is_tried_again,
    a_load_killed_again_and_again_stores_everything_once,
    a_load_over_http_killed_again_and_again_stores_nothing_twice,
);

const TRANSACTIONS: usize = 60;
const LINES: usize = 2000;
const BATCHED: usize = 400;
/// A transaction has so many entries.
const ENTRIES: usize = 20;

fn post(resource: &Value) -> Value {
    json!({ "resource": resource, "request": { "method": "POST", "url": resource["resourceType"] } })
}

/// Nothing in it has an id or a condition: all of it would be stored twice if it were loaded twice.
fn large() -> Scratch {
    let scratch = Scratch::make();
    for number in 0..TRANSACTIONS {
        let entries: Vec<Value> = (0..ENTRIES).map(|_| post(&patient(&format!("t{number}")))).collect();
        scratch.json(&format!("a{number:03}.json"), &bundle("transaction", &entries));
    }
    let lines: Vec<Value> = (0..LINES).map(|number| patient(&format!("l{number}"))).collect();
    scratch.lines("b.ndjson", &lines);
    let entries: Vec<Value> = (0..BATCHED).map(|number| post(&patient(&format!("b{number}")))).collect();
    scratch.json("c.json", &bundle("batch", &entries));
    scratch
}

const ALL: u64 = (TRANSACTIONS * ENTRIES + LINES + BATCHED) as u64;

/// Both ways of loading into `server`.
fn ways(server: &TestServer) -> [Vec<String>; 2] {
    let text = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
    [text(["--database", server.database()]), text(["--server", &server.base])]
}

fn arguments<'a>(way: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    way.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

async fn what_was_stored_is_skipped_and_what_is_new_or_changed_is_loaded(server: &TestServer) {
    for (round, way) in ways(server).iter().enumerate() {
        let number = |number: u64| patient(&format!("{round}-{number}"));
        let scratch = Scratch::make();
        scratch.lines("a.ndjson", &[number(1), number(2)]);
        scratch.json("b.json", &bundle("transaction", &[post(&number(3)), post(&number(4))]));
        scratch.json("c.json", &bundle("batch", &[post(&number(5)), post(&number(6))]));
        let before = server.count("Patient").await;
        let first = scratch.load_beside(&arguments(way, &[])).await;
        scratch.lines("a.ndjson", &[number(1), number(7), number(8)]);
        let resumed = scratch.load_beside(&arguments(way, &["--resume"])).await;

        assert_eq!((first.code, resumed.code), (0, 0), "{}", resumed.told);
        assert_eq!((&first.summary["resources"], &first.summary["skipped"]), (&json!(6), &json!(0)));
        assert_eq!((&resumed.summary["resources"], &resumed.summary["skipped"]), (&json!(2), &json!(4)));
        assert_eq!(server.count("Patient").await - before, 8);
    }
}

async fn a_load_without_resume_begins_anew(server: &TestServer) {
    for way in &ways(server) {
        let scratch = Scratch::make();
        scratch.lines("a.ndjson", &[patient("1"), patient("2")]);
        scratch.load_beside(&arguments(way, &[])).await;
        let anew = scratch.load_beside(&arguments(way, &[])).await;
        let resumed = scratch.load_beside(&arguments(way, &["--resume"])).await;

        assert_eq!((&anew.summary["resources"], &anew.summary["skipped"]), (&json!(2), &json!(0)));
        assert_eq!((&resumed.summary["resources"], &resumed.summary["skipped"]), (&json!(0), &json!(2)));
    }

    assert_eq!(server.count("Patient").await, 8);
}

async fn what_was_refused_is_tried_again(server: &TestServer) {
    for (round, way) in ways(server).iter().enumerate() {
        let scratch = Scratch::make();
        let number = round.to_string();
        let criteria = json!({ "reference": format!("Patient?{}", identifier(&number)) });
        let about = json!({ "resourceType": "Basic", "code": { "text": "x" }, "subject": criteria });
        scratch.json("a.json", &bundle("transaction", &[post(&about)]));
        scratch.json("b.json", &bundle("batch", &[post(&patient("other")), post(&json!({ "resourceType": "Basic" }))]));
        let refused = scratch.load_beside(&arguments(way, &[])).await;
        server.create(&patient(&number)).await;
        let resumed = scratch.load_beside(&arguments(way, &["--resume"])).await;

        assert_eq!((&refused.summary["refusals"], &refused.summary["resources"]), (&json!(2), &json!(1)));
        assert_eq!((&resumed.summary["refusals"], &resumed.summary["skipped"]), (&json!(1), &json!(1)));
        assert_eq!(resumed.summary["types"], json!({ "Basic": 1 }), "{}", resumed.told);
    }
}

/// Kills loads while they store, a few times.
async fn kill_a_few(server: &TestServer, scratch: &Scratch, way: &[String]) {
    for round in 0..4 {
        let before = server.count("Patient").await;
        let more: &[&str] = if round == 0 { &[] } else { &["--resume"] };
        let mut running = scratch.start(&arguments(way, more));
        // Each time a little later, so that it is killed in transactions, in lines and in the batch.
        let enough = before + 100 + round * 400;
        while server.count("Patient").await < enough && running.try_wait().unwrap().is_none() {}
        let _ = running.kill();
        running.wait().unwrap();
    }
}

async fn a_load_killed_again_and_again_stores_everything_once(server: &TestServer) {
    let scratch = large();
    let [way, _] = ways(server);
    kill_a_few(server, &scratch, &way).await;
    let part = server.count("Patient").await;
    let last = scratch.load_beside(&arguments(&way, &["--resume"])).await;

    assert_eq!(last.code, 0, "{}", last.told);
    assert!(0 < part && part < ALL, "{part}");
    assert!(last.summary["skipped"].as_u64().unwrap() > 0);
    assert_eq!(server.count("Patient").await, ALL);
    assert_eq!(part + last.summary["resources"].as_u64().unwrap(), ALL);
}

/// A load that is killed may have sent its last `COMMIT` already, which PostgreSQL goes on with.
#[test]
fn what_is_still_being_committed_is_not_stored_again() {
    server::run(Database::Postgres, async |server: &TestServer| {
        let scratch = Scratch::make();
        scratch.lines("a.ndjson", &[patient("1"), patient("2")]);
        let [way, _] = ways(server);
        scratch.load_beside(&arguments(&way, &[])).await;
        execute(server.database(), "CREATE TABLE kept AS SELECT * FROM load_mark; DELETE FROM load_mark");
        // With the lock that all transactions hold that write.
        let marking = "SELECT pg_advisory_xact_lock_shared(4919131822); INSERT INTO load_mark SELECT * FROM kept";
        let unfinished = Unfinished::begin(server.database(), marking);
        let committed = rt::spawn(async move {
            rt::time::sleep(Duration::from_secs(1)).await;
            unfinished.commit();
        });

        let resumed = scratch.load_beside(&arguments(&way, &["--resume"])).await;

        committed.await.unwrap();
        assert_eq!(
            (&resumed.summary["resources"], &resumed.summary["skipped"]),
            (&json!(0), &json!(2)),
            "{}",
            resumed.told
        );
        assert_eq!(server.count("Patient").await, 2);
    });
}

async fn a_load_over_http_killed_again_and_again_stores_nothing_twice(server: &TestServer) {
    let scratch = large();
    let [_, way] = ways(server);
    kill_a_few(server, &scratch, &way).await;
    let last = scratch.load_beside(&arguments(&way, &["--resume"])).await;

    let stored = server.count("Patient").await;
    let doubtful = last.summary["refused"].as_array().unwrap();
    assert!(doubtful.iter().all(|it| it["reasons"][0]["text"].as_str().unwrap().contains("may be stored already")));
    // What was under way when the load was killed may be stored or not, but it is named; at most that is missing.
    let missing: u64 =
        doubtful.iter().map(|it| if it["input"].as_str().unwrap().contains("/a") { ENTRIES as u64 } else { 1 }).sum();
    assert!(stored <= ALL && stored + missing >= ALL, "{stored} of {ALL} stored, {missing} in doubt");
    assert!(doubtful.len() <= 4 * BATCHED, "{}", doubtful.len());
    assert!(last.summary["skipped"].as_u64().unwrap() > 0);
    assert!(std::fs::read_dir(scratch.data()).unwrap().count() == 1);
}
